//! Demands: who reads a file that is still on its way waits for the bytes at one place, and those are fetched first.

use std::ops::{Range, RangeInclusive};

use super::Engine;
use super::attempt::{Attempt, Reading};
use super::error::{ErrorCode, TaskError};
use super::file::{FileLocation, file_to_come, service_to_come};
use super::http::Representation;
use super::id::{CallId, EffectId, TaskKey};
use super::input::TaskCall;
use super::output::{Answer, Output};
use super::range_set::RangeSet;
use super::schedule::Candidate;
use super::slot::{Asker, Queued, Slot};
use super::task::Task;
use super::time::Timestamp;

/// Segments for readers begin at multiples of this, unless the file has pieces.
const ALIGNMENT: u64 = 64 << 10;
/// What an attempt brings by itself within this time is worth no request.
const SOON_MS: u64 = 500;
/// While somebody waits, what has come is made durable after this time.
const READ_MS: u64 = 100;

/// Somebody who waits.
#[derive(Clone, Debug)]
pub struct Demand {
    /// Who.
    pub asker: Asker,
    wish: Wish,
}

/// What for.
#[derive(Clone, Debug)]
pub enum Wish {
    /// The bytes at `offset`.
    Bytes {
        /// The position of the first byte that is wanted.
        offset: u64,
        /// What is being read, as [`FileLocation::name`]; `None` for one who has just begun.
        body: Option<String>,
    },
    /// With what a request for the file's URL is answered.
    Service {
        /// `Range`.
        range: Option<String>,
        /// `If-Range`.
        if_range: Option<String>,
    },
}

impl Engine {
    /// Takes in what somebody waits for.
    pub(super) fn demand(&mut self, key: &TaskKey, asker: Asker, wish: Wish) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.demands.push(Demand { asker, wish });
        }
    }

    /// Whoever asked this has left.
    pub(super) fn forget(&mut self, call: CallId) {
        let asker = Asker::Call(call);
        let waits = |queued: &Queued| matches!(queued, Queued::Task(TaskCall::Chunk { .. } | TaskCall::Serve { .. }));
        for (_, slot) in self.slots.iter_mut() {
            slot.demands.retain(|demand| demand.asker != asker);
            slot.queue.retain(|(queued_by, queued)| *queued_by != asker || !waits(queued));
        }
    }

    /// Answers whom can be answered, and has fetched first what the others wait for.
    pub(super) fn tend_demands(&mut self) {
        let waiting = self.slots.iter().filter(|(_, slot)| !slot.demands.is_empty());
        let keys: Vec<TaskKey> = waiting.map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.answer_demands(&key);
            self.fetch_demanded(&key);
        }
    }

    fn answer_demands(&mut self, key: &TaskKey) {
        let Some(slot) = self.slots.get_mut(key).filter(|slot| !slot.busy) else { return };
        let mut is_used = false;
        for demand in std::mem::take(&mut slot.demands) {
            let Some(slot) = self.slots.get_mut(key) else { return };
            match slot.answer_to(&demand.wish).transpose() {
                Some(result) => {
                    is_used |= result.is_ok();
                    self.answer(demand.asker, result);
                }
                None => slot.demands.push(demand),
            }
        }
        if is_used {
            self.note_use(key);
        }
    }

    /// Has read sooner what is on its way, and gives the first of the demanded bytes that nobody is about to bring a
    /// request of their own.
    fn fetch_demanded(&mut self, key: &TaskKey) {
        let now = self.now;
        let Some(slot) = self.slots.get_mut(key).filter(|slot| !slot.demands.is_empty() && !slot.busy) else { return };
        let Some(task) = slot.task.clone().filter(|task| task.record.state.is_active()) else { return };
        let is_due = slot.is_running() || slot.due().is_some_and(|due| due <= now);
        let may_split = slot.known().is_some_and(Representation::is_resumable) && !task.progress.ranges.go_without();
        if !is_due || !may_split || self.outer_reason(&task).is_some() || self.wakes.are_ending(now) {
            return;
        }
        let Some(slot) = self.slots.get(key) else { return };
        let mut segment = None;
        for wanted in slot.demanded(&task, now) {
            match wanted {
                Wanted::Sooner(attempt) => self.hasten(key, attempt),
                Wanted::Segment(range) => segment = segment.or(Some(range)),
            }
        }
        if let Some(segment) = segment.filter(|_| self.has_room(key, &task)) {
            self.start_first(key, &task, segment);
        }
    }

    /// What the attempt is reading is taken as far as it has come.
    fn hasten(&mut self, key: &TaskKey, id: EffectId) {
        let attempt = self.slots.get_mut(key).and_then(|slot| slot.attempt(id));
        if attempt.and_then(|attempt| attempt.reading.as_mut()).is_some_and(Reading::hasten) {
            self.outputs.push_back(Output::Hasten(id));
        }
    }

    /// The attempts that are about to make room: of this task, or of any.
    fn leaving(&self, key: &TaskKey, of_any: bool) -> Vec<(TaskKey, EffectId)> {
        let slots = self.slots.iter().filter(|(other, _)| of_any || *other == key);
        let leaving = slots.flat_map(|(key, slot)| slot.attempts.iter().map(move |attempt| (key, attempt)));
        leaving.filter(|(_, attempt)| attempt.gives_way).map(|(key, attempt)| (key.clone(), attempt.id)).collect()
    }

    /// Whether one more segment may begin now. A reader has one connection more than the limits allow, until another
    /// segment of the task has ended for it; but a server that bears no more is not asked before that.
    fn has_room(&mut self, key: &TaskKey, task: &Task) -> bool {
        let Some(slot) = self.slots.get(key) else { return false };
        let bears_more = slot.bears_more(self.now);
        let Some(candidate) = self.candidate(&task.record, slot.source_for(0)) else { return false };
        let candidate = Candidate { is_running: true, ..candidate };
        let is_full = self.network_load().refuses(&candidate, self.surroundings.is_watched()).is_some();
        let is_too_much = is_full || !bears_more;
        let leaving = if is_too_much { self.leaving(key, is_full) } else { Vec::new() };
        if !leaving.is_empty() {
            leaving.into_iter().for_each(|(key, id)| self.hasten(&key, id));
            return false;
        }
        let Some(slot) = self.slots.get(key) else { return false };
        if is_too_much && !slot.attempts.is_empty() {
            // What other readers wait for stays, or two of them would take the connection from each other for ever.
            let Some(last) = slot.last_not_demanded(self.now) else { return false };
            self.end_with_this_chunk(key, last);
            self.hasten(key, last);
        }
        // One that had not begun to read has gone already. Were its connection not taken now, its segment would be begun
        // again, only to be let go for the reader once more, and so on. With the last one goes what was known of an answer
        // of which nothing is kept, until its commit is done.
        let is_going = |slot: &Slot| slot.attempts.is_empty() && slot.busy;
        let is_split = |slot: &Slot| slot.known().is_some_and(Representation::is_resumable) && !is_going(slot);
        self.slots.get(key).is_some_and(|slot| (bears_more || slot.bears_more(self.now)) && is_split(slot))
    }
}

impl Demand {
    fn offset(&self) -> Option<u64> {
        if let Wish::Bytes { offset, .. } = self.wish { Some(offset) } else { None }
    }
}

/// What is to be done for bytes that are waited for.
enum Wanted {
    /// This attempt is reading them.
    Sooner(EffectId),
    /// Nobody is about to bring them.
    Segment(Range<u64>),
}

impl Slot {
    /// After which time a read brings what has come, if that is usually after `usual_ms`.
    pub(super) fn patience_ms(&self, usual_ms: u64) -> u64 {
        if self.demands.is_empty() { usual_ms } else { usual_ms.min(READ_MS) }
    }

    /// How many bytes a read asks for at this speed: usually as many as come in `usual_ms`, and `least_bytes` at the least.
    /// While somebody waits it is no more than comes soon: what a read has asked for, nobody else can be asked for.
    pub(super) fn bytes_per_read(&self, bytes_per_second: u64, usual_ms: u64, least_bytes: u64) -> u64 {
        let (in_ms, least) = if self.demands.is_empty() { (usual_ms, least_bytes) } else { (SOON_MS, ALIGNMENT) };
        (bytes_per_second.saturating_mul(in_ms) / 1_000).max(least)
    }

    /// The youngest of the attempts for whose bytes nobody waits.
    fn last_not_demanded(&self, now: Timestamp) -> Option<EffectId> {
        let task = self.task.as_ref()?;
        let length = self.known()?.complete_length?;
        let is_demanded = |attempt: &&Attempt| {
            let mut needs = self.demands.iter().filter_map(Demand::offset).map(|offset| needs(offset, task));
            needs.any(|needs| is_among(attempt, &needs) || will_bring(attempt, &needs, length, now) == Some(true))
        };
        self.attempts.iter().rev().find(|attempt| !is_demanded(attempt)).map(|attempt| attempt.id)
    }

    /// Whether the server is to be asked for one more segment at once. That there were never more than the task allows says
    /// nothing about the server.
    fn bears_more(&self, now: Timestamp) -> bool {
        let most = self.task.as_ref().map_or(0, |task| task.record.spec.policy.max_segments);
        let borne = self.bearable_segments.saturating_add(u32::from(self.bearable_segments >= most));
        self.attempts.is_empty() || ((self.attempts.len() as u32) < borne && self.more_after <= now)
    }

    /// Whether somebody waits for this attempt, which has brought nothing yet. Were it let go for somebody else, that would
    /// be let go for this one, and so on.
    pub(super) fn is_awaited(&self, attempt: &Attempt) -> bool {
        let has_brought = attempt.read_range().is_some_and(|range| !range.is_empty());
        let segment = attempt.running(u64::MAX, Timestamp(0));
        !has_brought
            && self.demands.iter().filter_map(Demand::offset).any(|at| (segment.start..segment.end).contains(&at))
    }

    /// The answer, once there is one.
    fn answer_to(&self, wish: &Wish) -> Result<Option<Answer>, TaskError> {
        let task = self.task.as_ref().ok_or(TaskError::new(ErrorCode::TaskNotFound))?;
        match wish {
            Wish::Service { range, if_range } => {
                let service = service_to_come(task, self.readable(task), range.as_deref(), if_range.as_deref())?;
                Ok(service.map(|service| Answer::Serve(Box::new(service))))
            }
            Wish::Bytes { offset, body } => {
                let file = file_to_come(task, self.readable(task), body.as_deref())?;
                let is_there = |file: &FileLocation| {
                    let is_of_this = file.body == task.progress.body;
                    !is_of_this || *offset >= file.length || task.progress.received.contains(&(*offset..*offset + 1))
                };
                Ok(file.filter(is_there).map(|file| Answer::Chunk(file, *offset)))
            }
        }
    }

    /// What readers get bytes of: once some are kept, what those are bytes of, whatever the newest answer said.
    pub(super) fn readable<'a>(&'a self, task: &'a Task) -> Option<&'a Representation> {
        let kept = task.progress.representation.as_ref().filter(|_| !task.progress.received.is_empty());
        kept.or_else(|| self.known())
    }

    /// What is to be done for those who wait, in the order of the file.
    fn demanded(&self, task: &Task, now: Timestamp) -> Vec<Wanted> {
        let Some(length) = self.known().and_then(|known| known.complete_length) else { return Vec::new() };
        let mut taken = task.progress.received.clone();
        self.staged.iter().for_each(|range| taken.insert(range.clone()));
        let is_missing = |offset: &u64| *offset < length && !taken.contains(&(*offset..*offset + 1));
        let mut offsets: Vec<u64> = self.demands.iter().filter_map(Demand::offset).filter(is_missing).collect();
        offsets.sort_unstable();
        offsets.into_iter().filter_map(|offset| self.wanted_at(offset, task, &taken, length, now)).collect()
    }

    fn wanted_at(&self, offset: u64, task: &Task, taken: &RangeSet, length: u64, now: Timestamp) -> Option<Wanted> {
        let needs = needs(offset, task);
        let mut next_start = length;
        for attempt in &self.attempts {
            let segment = attempt.running(length, now);
            if offset < segment.start {
                next_start = next_start.min(segment.start);
            } else if offset < segment.end {
                let start = (*needs.start()).max(segment.free_from);
                if will_bring(attempt, &needs, length, now) == Some(false) {
                    return Some(Wanted::Segment(start..segment.end));
                }
                let is_reading = |reading: &&Reading| offset < segment.free_from && reading.read_in_flight().is_some();
                return attempt.reading.as_ref().filter(is_reading).map(|_| Wanted::Sooner(attempt.id));
            }
        }
        let gap = taken.gap_around(offset, length)?;
        let behind = self.attempts.iter().map(|attempt| attempt.running(length, now).end).filter(|end| *end <= offset);
        let start = (*needs.start()).max(gap.start).max(behind.max().unwrap_or(0));
        Some(Wanted::Segment(start..gap.end.min(next_start)))
    }
}

/// The bytes that a reader of the one at `offset` needs, up to that one: a piece is of use as a whole.
fn needs(offset: u64, task: &Task) -> RangeInclusive<u64> {
    let pieces = task.record.spec.proof.pieces.as_ref();
    offset - offset % pieces.map_or(ALIGNMENT, |pieces| pieces.piece_length())..=offset
}

/// Whether the attempt is bringing some of those bytes. Another would have to begin behind it, and were it to give way for
/// that, the other would begin just where it was, and so on.
fn is_among(attempt: &Attempt, needs: &RangeInclusive<u64>) -> bool {
    needs.contains(&attempt.reading.as_ref().map_or(attempt.start(), |reading| reading.next_offset))
}

/// Whether the attempt is about to bring the last of the bytes that are needed; `None` if that is none of its own. One that
/// has not begun to read may be.
fn will_bring(attempt: &Attempt, needs: &RangeInclusive<u64>, length: u64, now: Timestamp) -> Option<bool> {
    let offset = *needs.end();
    let segment = attempt.running(length, now);
    if !(segment.start..segment.end).contains(&offset) {
        return None;
    }
    let Some(reading) = &attempt.reading else { return Some(true) };
    let soon = reading.reliable_speed(now).saturating_mul(SOON_MS) / 1_000;
    Some(offset < segment.free_from || is_among(attempt, needs) || offset - reading.next_offset <= soon)
}
