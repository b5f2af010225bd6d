//! Room: storage has said that it is full. Nothing is begun until a trial, which costs no network, has shown more room
//! than there was, and the trials become rarer each time: what an estimate says of the room may be anything.

use super::error::{ErrorCode, TaskError};
use super::id::TaskKey;
use super::output::{Change, Effect, Output};
use super::task::{Task, TaskState, WaitReason};
use super::time::Timestamp;
use super::{Engine, Purpose, STORE_DEADLINE_MS};

/// How long to wait before the first look…
const FIRST_WAIT_MS: u64 = 60_000;
/// …and at the most. What the app frees ends the wait at once…
const LONGEST_WAIT_MS: u64 = 6 * 60 * 60_000;
/// …or soon: Chromium 148 gives back what was deleted half a minute later.
const MADE_WAIT_MS: u64 = 5_000;
/// What a boot tries, which does not know how much was refused: the longest chunk.
const USUAL_BYTES: u64 = 8 << 20;

/// The wait after one of `last_ms`, but no shorter than `least_ms`.
fn next_wait_ms(last_ms: u64, least_ms: u64) -> u64 {
    last_ms.saturating_mul(2).clamp(least_ms, LONGEST_WAIT_MS)
}

/// What is known of the room that is missing.
#[derive(Debug, Default)]
pub struct Room {
    /// So many bytes were refused: until they can be stored, nothing is begun.
    missing_bytes: Option<u64>,
    /// How long the last wait was. A trial that succeeds does not end its growth: only room that was made, or used, does.
    wait_ms: u64,
    try_at: Timestamp,
    tried_at: Option<Timestamp>,
    is_trying: bool,
}

impl Room {
    /// Whether there was none, and it is not known that there is any now.
    pub fn is_missing(&self) -> bool {
        self.missing_bytes.is_some()
    }

    /// When to try whether there is some.
    pub fn next_time(&self) -> Option<Timestamp> {
        self.missing_bytes.filter(|_| !self.is_trying).map(|_| self.try_at)
    }

    /// Whether the worker is worth keeping for the next trial: it is due, or room was made, which is soon there.
    pub fn is_soon(&self, now: Timestamp) -> bool {
        let limit = if self.wait_ms < FIRST_WAIT_MS { now.after(FIRST_WAIT_MS) } else { now };
        self.next_time().is_some_and(|at| at <= limit)
    }

    /// A task has waited for room before the boot, and may still have to.
    pub fn doubt(&mut self) {
        if self.tried_at.is_none() {
            self.missing_bytes = self.missing_bytes.or(Some(USUAL_BYTES));
        }
    }

    fn is_refused(&mut self, bytes: u64, now: Timestamp) {
        // Of several commits in flight each is refused; that is one refusal.
        if self.missing_bytes.is_none() {
            self.wait_ms = next_wait_ms(self.wait_ms, FIRST_WAIT_MS);
            self.try_at = now.after(self.wait_ms);
        }
        self.missing_bytes = self.missing_bytes.max(Some(bytes.max(1)));
    }

    /// The user may have made some: worth a trial, if the last was some time ago.
    pub fn look_sooner(&mut self, now: Timestamp) {
        let soonest = self.tried_at.map_or(now, |at| at.after(FIRST_WAIT_MS).max(now));
        self.try_at = self.try_at.min(soonest);
    }

    /// A file is complete: there was room for it.
    pub fn is_used(&mut self) {
        self.wait_ms = 0;
    }

    /// Bytes were deleted that are not to be fetched again.
    pub fn is_made(&mut self, now: Timestamp) {
        self.wait_ms = MADE_WAIT_MS / 2;
        self.try_at = self.try_at.min(now);
    }
}

impl Engine {
    /// Tries whether there is room, if it is time to.
    pub(super) fn tend_room(&mut self) {
        let now = self.now;
        let is_due = self.room.next_time().is_some_and(|at| at <= now) && !self.wakes.are_ending(now);
        let Some(bytes) = self.room.missing_bytes.filter(|_| is_due) else { return };
        self.room.is_trying = true;
        self.room.tried_at = Some(now);
        let id = self.effects.start(Purpose::TryRoom, now.after(STORE_DEADLINE_MS));
        self.outputs.push_back(Output::Start(id, Effect::TryRoom { bytes }));
    }

    pub(super) fn handle_room(&mut self, is_there: bool) {
        let now = self.now;
        self.room.is_trying = false;
        if is_there {
            self.room.missing_bytes = None;
            return self.look_for_room();
        }
        let least_ms = if self.room.wait_ms == 0 { FIRST_WAIT_MS } else { MADE_WAIT_MS };
        self.room.wait_ms = next_wait_ms(self.room.wait_ms, least_ms);
        self.room.try_at = now.after(self.room.wait_ms);
    }

    /// Storage had no room for a commit of the task. Its bytes are kept, although they may not be continued: they stand for
    /// the room that there was.
    pub(super) fn handle_refused_bytes(&mut self, key: &TaskKey, refused_bytes: u64, is_failing: bool) {
        let now = self.now;
        self.room.is_refused(refused_bytes, now);
        let Some(slot) = self.slots.get_mut(key) else { return };
        let Some(mut task) = slot.task.clone() else { return };
        let TaskState::Active { reason, .. } = task.record.state else { return };
        if task.record.fails_when_full {
            if is_failing {
                return self.wait_for_storage(key);
            }
            return self.fail(key, task, Vec::new(), TaskError::new(ErrorCode::QuotaExceeded));
        }
        task.record.enter(TaskState::Active { not_before: now, reason: Some(WaitReason::Quota) }, now);
        slot.task = Some(task.clone());
        self.publish_task(key);
        let aside = task.progress.aside.take();
        if reason == Some(WaitReason::Quota) && (aside.is_none() || refused_bytes == 0) {
            return;
        }
        // The next boot is to know it. If there is no room for that either, it is tried no second time.
        let mut changes = vec![Change::PutTask(task.record.clone())];
        if let Some(aside) = aside {
            // There is no room for both versions, and the new one has begun to come.
            self.note_error(key, TaskError::new(ErrorCode::QuotaExceeded));
            changes.extend([Change::KillBody(aside.body), Change::PutProgress(key.clone(), task.progress.clone())]);
        }
        self.commit_transfer(key, task, None, changes);
    }

    /// The room that other tasks will take that are being fetched.
    pub(super) fn promised_bytes(&self, but_for: &TaskKey) -> u64 {
        let others = self.slots.iter().filter(|(key, slot)| *key != but_for && !slot.attempts.is_empty());
        let missing = others.filter_map(|(_, slot)| {
            let (length, task) = (slot.known()?.complete_length?, slot.task.as_ref()?);
            Some(length.saturating_sub(task.progress.received.len()))
        });
        missing.sum()
    }

    /// There will be no room for all of it, as the browser says: what is not read now need not be thrown away.
    pub(super) fn handle_no_room(&mut self, key: &TaskKey, mut task: Task) {
        self.drop_attempts(key);
        if task.record.fails_when_full {
            return self.fail(key, task, Vec::new(), TaskError::new(ErrorCode::QuotaExceeded));
        }
        // Others may be smaller, so the wait is its own. It is twice the last one.
        let last_ms = match task.record.state {
            TaskState::Active { not_before, reason: Some(WaitReason::Quota) } => not_before.since(task.record.since),
            _ => 0,
        };
        let not_before = self.now.after(next_wait_ms(last_ms, FIRST_WAIT_MS));
        task.record.enter(TaskState::Active { not_before, reason: Some(WaitReason::Quota) }, self.now);
        let changes = vec![Change::PutTask(task.record.clone())];
        self.commit_transfer(key, task, None, changes);
    }

    /// There is more room than there was: whatever waits for room may find some.
    pub(super) fn look_for_room(&mut self) {
        let now = self.now;
        for (_, slot) in self.slots.iter_mut() {
            let state = slot.task.as_mut().map(|task| &mut task.record.state);
            if let Some(TaskState::Active { not_before, reason: Some(WaitReason::Quota) }) = state {
                *not_before = (*not_before).min(now);
            }
        }
    }
}
