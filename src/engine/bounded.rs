//! Bounded segments. Some browsers hold in memory all that an answer has brought until that answer is over. There no
//! segment is longer than a chunk, each goes on behind the last as soon as that is over, and what comes fast enough is
//! handed over by the browser as a whole, since it keeps that on disk. Short files are left alone.

use super::Engine;
use super::attempt::Attempt;
use super::http::Representation;
use super::id::{EffectId, TaskKey};
use super::plan::{Grid, next_gap};
use super::schedule::Candidate;
use super::slot::Slot;
use super::task::Task;
use crate::integrity::HashState;

/// No segment is longer, but for one that is a single piece: as much as one chunk holds.
const LONGEST_BYTES: u64 = 8 << 20;
/// A body is taken as a whole that comes in less time than this: were it cut, or the worker killed, that time is lost.
const WHOLE_MS: u64 = 500;

/// A segment that was read to its end.
#[derive(Clone, Debug)]
pub(super) struct Finished {
    /// Behind its last byte.
    pub end: u64,
    /// Which of the task's sources was asked.
    pub source: usize,
    /// The hash of all bytes before `end`, if it was made on the way.
    pub hash: Option<HashState>,
}

impl Engine {
    /// Whether this task's segments are bounded.
    pub(super) fn is_bounded(&self, key: &TaskKey) -> bool {
        let length = self.slots.get(key).and_then(Slot::known).and_then(|known| known.complete_length);
        self.most_held_bytes.zip(length).is_some_and(|(most, length)| length > most)
    }

    /// Where this task's segments begin and end, in a file of `length` bytes.
    pub(super) fn grid(&self, task: &Task, length: u64) -> Grid {
        let pieces = task.record.spec.proof.pieces.as_ref();
        let longest = self.most_held_bytes.filter(|most| length > *most).map(|_| LONGEST_BYTES);
        Grid { piece: pieces.map(|pieces| pieces.piece_length()), longest }
    }

    /// The answer to an open-ended request is read no further than a segment may be long, if what lies behind can be had
    /// by another.
    pub(super) fn bound(&mut self, key: &TaskKey, id: EffectId) {
        let now = self.now;
        let Some(slot) = self.slots.get(key) else { return };
        let known = slot.known().filter(|known| known.is_resumable());
        let Some((task, length)) = slot.task.as_ref().zip(known.and_then(|known| known.complete_length)) else {
            return;
        };
        let grid = self.grid(task, length);
        let Some(attempt) = self.slots.get_mut(key).and_then(|slot| slot.attempt(id)) else { return };
        let segment = attempt.running(length, now);
        let bounded = grid.bound(segment.start..segment.end);
        if bounded.end < segment.end {
            attempt.shorten(bounded.end);
        }
    }

    /// Each of these is followed by the segment behind it, or by what else is missing, without letting its connection go
    /// first. `task` has the checkpoint that is about to be committed.
    pub(super) fn go_on(&mut self, key: &TaskKey, task: &Task, finished: &[Finished]) {
        if finished.is_empty() || self.wakes.are_ending(self.now) {
            return;
        }
        let Some(slot) = self.slots.get(key) else { return };
        // While nothing of the version is durable yet, it is not known without an attempt at it.
        let kept = slot.task.as_ref().map(|task| &task.progress).filter(|kept| !kept.received.is_empty());
        let kept = kept.and_then(|kept| kept.representation.as_ref());
        let may_go_on = kept.is_some_and(Representation::is_resumable) && !task.progress.ranges.go_without();
        let is_wanted = slot.queue.is_empty() && !self.is_leaving(task) && !self.is_to_go_out(slot);
        let Some(length) = task.progress.complete_length() else { return };
        if !may_go_on || !is_wanted || self.outer_reason(task).is_some() {
            return;
        }
        let grid = self.grid(task, length);
        if grid.longest.is_none() {
            return;
        }
        for Finished { end, source, hash } in finished {
            let Some(slot) = self.slots.get(key) else { return };
            if task.usable_sources() & (1 << source) == 0 {
                // What this one brought agreed; another of its answers did not, and so it is asked no more.
                continue;
            }
            // There may be fewer tasks, connections or segments by now than there were.
            let Some(candidate) = self.candidate(&task.record, *source) else { return };
            let candidate = Candidate { is_running: slot.is_running(), ..candidate };
            let is_refused = self.network_load().refuses(&candidate, self.surroundings.is_watched()).is_some();
            if is_refused || slot.attempts.len() >= task.record.spec.policy.max_segments as usize {
                continue;
            }
            let mut taken = task.progress.received.clone();
            slot.attempts.iter().map(|attempt| attempt.running(length, self.now)).for_each(|segment| {
                taken.insert(segment.start..segment.end);
            });
            let Some(gap) = next_gap(&taken, *end, length) else { return };
            let segment = grid.bound(gap);
            self.start_attempt(key, task, *source, (segment.start, Some(segment.end)));
            let Some(slot) = self.slots.get_mut(key) else { return };
            if let Some(attempt) = slot.attempts.last_mut().filter(|attempt| attempt.start() == *end) {
                attempt.hash_before.clone_from(hash);
            }
        }
    }
}

impl Slot {
    /// How many bytes the browser is to hand over as a whole, if it is to: all that the answer brings, where nobody waits
    /// for the first of them, and no more than is there in a moment, at the speed that was seen. Whoever was cut
    /// once takes what comes as it comes: a whole that is cut is lost.
    pub(super) fn whole(&self, attempt: &Attempt) -> Option<u64> {
        let len = attempt.reading.as_ref()?.untouched()?;
        let in_time = self.link.bytes_per_second.saturating_mul(WHOLE_MS) / 1_000;
        let is_wanted = !self.was_cut && self.demands.is_empty() && len <= in_time.min(LONGEST_BYTES);
        is_wanted.then_some(len)
    }
}
