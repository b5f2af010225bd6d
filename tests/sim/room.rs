//! Room, and bytes that are lost: an origin's quota, what the browser says of it, and chunks that cannot be read back.
//! Everything here is drawn from streams of its own.

use std::collections::BTreeSet;
use std::ops::Range;

use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::file::FileLocation;
use longhaul::engine::id::{BodyId, EffectId, TaskKey};
use longhaul::engine::input::{Call, CommitOutcome, Completion, Input, StoreFailure, TaskCall};
use longhaul::engine::output::{Answer, Change};
use longhaul::engine::task::{Place, Task, TaskState};
use longhaul::store::{Table, Value, Write};

use super::checks::LOST_AFTER_MS;
use super::climate::Climate;
use super::content::Chunk;
use super::random::Random;
use super::stats::Group;
use super::storage::Storage;
use super::worker::Worker;
use super::world::{Event, World, note};

/// Effects of a kind for one task that are repeated so often within a minute, and nothing has become durable of it, and
/// no page has asked for anything, are a loop. A pause of five seconds allows twelve; several reasons may meet.
const MOST_REPEATS: u32 = 20;
const REPEATS_WITHIN_MS: u64 = 60_000;
/// So many times may a worker be told at one and the same millisecond that its time has come, or that an effect is done that
/// it began in that very millisecond, and nothing becomes durable and no byte comes. More are a loop: a burst of pages leads
/// to 150 loads, which may be answered at once. What was begun before is no part of one: when storage has stood still, all
/// that it was asked for meanwhile is answered together.
const MOST_STEPS_AT_ONCE: u32 = 400;
/// In the calm storage takes no longer.
const MOST_CALM_DELAY_MS: u64 = 2_000;

/// The room of an origin.
#[derive(Debug, Default)]
pub struct Room {
    random: Random,
    /// How many bytes of files are taken in all.
    pub quota: Option<u64>,
    /// Whether there was such a limit before all was calm.
    pub was_limited: bool,
    /// What the browser says of it: nothing, the truth, or ten times as much.
    estimate: u64,
    /// Chunks of a thousand that cannot be read back.
    losses: u64,
    /// Those that cannot…
    unreadable: BTreeSet<(BodyId, u64, u64)>,
    /// …and of them those of which a worker knows.
    reported: BTreeSet<(BodyId, u64, u64)>,
    /// Bodies of which a worker has ever known one.
    damaged: BTreeSet<BodyId>,
}

impl Room {
    /// Draws what the climate asks for.
    pub fn new(seed: u64, climate: &Climate) -> Self {
        let quota = Some(climate.quota_bytes).filter(|quota| *quota > 0);
        let (estimate, losses) = (climate.estimates, climate.unreadable);
        let (random, was_limited) = (Random::new(seed ^ 0x6f6f_6d72), quota.is_some());
        Self { random, quota, was_limited, estimate, losses, ..Self::default() }
    }

    /// Whether an unreadable chunk of the body has been found.
    pub fn is_damaged(&self, body: BodyId) -> bool {
        self.damaged.contains(&body)
    }

    /// The first chunk that begins in the range and cannot be read.
    pub fn lost_in(&self, body: BodyId, range: &Range<u64>) -> Option<Range<u64>> {
        let of_body = self.unreadable.range((body, 0, 0)..=(body, u64::MAX, u64::MAX));
        of_body.map(|(_, start, end)| *start..*end).find(|lost| lost.start < range.end && range.start < lost.end)
    }

    /// What a commit did to chunks.
    pub fn committed(&mut self, changes: &[Change], is_calm: bool) {
        for change in changes {
            match change {
                Change::Append { body, offset, len, .. } if !is_calm && self.random.per_mille(self.losses) => {
                    self.unreadable.insert((*body, *offset, offset + len));
                }
                Change::DeleteChunks { body, from, through } => {
                    let is_gone =
                        |chunk: &(BodyId, u64, u64)| chunk.0 == *body && (*from..=*through).contains(&chunk.1);
                    self.unreadable.retain(|chunk| !is_gone(chunk));
                    self.reported.retain(|chunk| !is_gone(chunk));
                }
                _ => {}
            }
        }
    }

    /// Chunks of these bodies that workers know to be lost.
    pub fn still_claimed(&self, bodies: &BTreeSet<BodyId>) -> Vec<BodyId> {
        self.reported.iter().map(|(body, ..)| *body).filter(|body| bodies.contains(body)).collect()
    }
}

impl Storage {
    fn used_bytes(&self) -> u64 {
        let len = |value: &Value<Chunk>| if let Value::Chunk(_, len) = value { *len } else { 0 };
        self.store.rows(Table::Chunks).iter().map(|(_, value)| len(value)).sum()
    }

    /// Whether so many bytes more fit.
    pub fn has_room(&self, bytes: u64) -> bool {
        self.room.quota.is_none_or(|quota| self.used_bytes() + bytes <= quota)
    }

    /// The bytes of files in a commit.
    pub fn len_of(writes: &[Write<Chunk>]) -> u64 {
        let len = |write: &Write<Chunk>| match write {
            Write::Put { value: Value::Chunk(_, len), .. } => *len,
            _ => 0,
        };
        writes.iter().map(len).sum()
    }

    /// What the browser says how much may still be stored.
    pub fn estimate(&self) -> Option<u64> {
        let free = self.room.quota?.saturating_sub(self.used_bytes());
        match self.room.estimate {
            0 => None,
            1 => Some(free),
            _ => Some(free.saturating_mul(10).max(100_000_000)),
        }
    }
}

impl World {
    /// A worker finds out that a chunk cannot be read.
    pub(super) fn find_lost(&mut self, worker: u64, key: TaskKey, body: BodyId, range: Range<u64>, delay_ms: u64) {
        self.schedule(delay_ms, Event::Unreadable { worker, key, body, range });
    }

    pub(super) fn lost_is_heard(&mut self, worker: u64, key: TaskKey, body: BodyId, range: Range<u64>) {
        self.stats.count(Group::Storage, "unreadable chunks found");
        let chunk = (body, range.start, range.end);
        let is_alive = self.workers.iter().any(|alive| alive.number == worker);
        if is_alive && self.storage.room.unreadable.contains(&chunk) {
            self.storage.room.reported.insert(chunk);
            self.storage.room.damaged.insert(body);
        }
        self.give(worker, vec![Input::Unreadable { key, body, range }]);
    }

    /// A page reads a chunk that it was given. What it cannot read, it leaves to the worker.
    pub(super) fn read_chunk(&mut self, page: usize, key: TaskKey, file: &FileLocation, offset: u64) {
        if self.storage.room.lost_in(file.body, &(offset..offset + 1)).is_some() {
            self.stats.count(Group::Page, "chunks that a page cannot read");
            self.call(page, Call::Task(key, TaskCall::Check { offset, body: Some(file.name.clone()) }));
        }
    }

    /// The worker reads a chunk that a page could not read.
    pub(super) fn try_to_read(
        &mut self,
        worker: &Worker,
        key: TaskKey,
        file: &FileLocation,
        offset: u64,
    ) -> Result<Answer, TaskError> {
        match self.storage.room.lost_in(file.body, &(offset..offset + 1)) {
            Some(lost) => {
                self.find_lost(worker.number, key, file.body, lost, 0);
                Err(TaskError::new(ErrorCode::FileDamaged))
            }
            None => Ok(Answer::Check(key, file.clone(), offset)),
        }
    }

    /// A worker hears that there was no room for bytes, or that there is.
    pub(super) fn hear_of_room(&mut self, number: u64, effect: EffectId, completion: &Completion) {
        let now = self.now;
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.number == number) else { return };
        let is_in_time = worker.appending.remove(&effect).is_some_and(|at| now - at < LOST_AFTER_MS);
        match completion {
            // What a trial says that was given up, the engine does not hear: there may be a newer one that says otherwise.
            Completion::Room(is_there) if worker.trial.take_if(|(id, _)| *id == effect).is_some() => {
                worker.is_full = !is_there;
            }
            Completion::Committed(CommitOutcome::Failed(StoreFailure::Quota)) => worker.is_full |= is_in_time,
            _ => {}
        }
    }

    /// Nothing is asked for while there is no room, unless the task would rather fail.
    pub(super) fn check_room(&self, worker: &Worker, key: &TaskKey) {
        let fails = self.model.tasks.get(key).is_some_and(|task| task.record.fails_when_full);
        assert!(!worker.is_full || fails, "{key:?} is fetched, but there was no room, and nothing has shown any");
    }

    /// A worker is told something that comes from storage.
    pub(super) fn count_step(&mut self, worker: &Worker, inputs: &[Input]) {
        let begun = worker.begun.filter(|(at, _)| *at == self.now);
        let is_own = |input: &Input| match input {
            Input::Completed(id, _) => begun.is_some_and(|(_, first)| *id >= first),
            Input::Timeout | Input::Unreadable { .. } => true,
            _ => false,
        };
        if inputs.iter().all(is_own) {
            let (at, count) = self.steps_at_once;
            self.steps_at_once = if at == self.now { (at, count + 1) } else { (self.now, 1) };
            let is_loop = self.steps_at_once.1 > MOST_STEPS_AT_ONCE;
            assert!(!is_loop, "a hot loop: no time passes, and nothing becomes durable");
        }
    }

    /// All is calm: what cannot be read is read once more, so that it has to be repaired.
    ///
    /// Storage may stand still since before the calm, longer than a worker waits for it: nothing reads from it then.
    pub(super) fn read_all(&mut self) {
        let still_ms = self.storage.stands_still_ms(self.now);
        if still_ms > MOST_CALM_DELAY_MS {
            return self.schedule(still_ms, Event::ReadAll);
        }
        self.start_worker();
        let newest = self.workers.last().map_or(0, |worker| worker.number);
        let is_whole = |task: &&Task| task.record.state == TaskState::Completed && task.record.place != Place::Gone;
        let files = self.model.tasks.values().filter(is_whole);
        let files: Vec<_> = files.map(|task| (task.record.key.clone(), task.progress.body)).collect();
        self.storage.room.reported.clear();
        for (key, body) in files {
            if let Some(lost) = self.storage.room.lost_in(body, &(0..u64::MAX)) {
                self.lost_is_heard(newest, key, body, lost);
            }
        }
    }

    /// What is tried again and again is tried after a pause.
    pub(super) fn check_repeat(&mut self, worker: &mut Worker, kind: &'static str, key: &TaskKey) {
        let (since, count) = worker.repeats.entry((kind, key.clone())).or_insert((self.now, 0));
        if self.now - *since > REPEATS_WITHIN_MS {
            (*since, *count) = (self.now, 0);
        }
        *count += 1;
        let count = *count;
        if count > 8 {
            self.stats.count(Group::Engine, "effects repeated in vain");
            note!(self, "{kind} of {key:?} is tried for the {count}th time");
        }
        assert!(count <= MOST_REPEATS, "{kind} of {key:?} is repeated in a loop");
    }
}
