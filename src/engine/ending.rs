//! Endings: of an attempt, of the hope for it, and of a task.

use super::Engine;
use super::attempt::Reading;
use super::error::{ErrorCode, TaskError};
use super::filing::leave;
use super::http::{Representation, RestartReason};
use super::id::{BodyId, EffectId, TaskKey};
use super::input::{FetchFailure, StoreFailure};
use super::output::{Change, Output};
use super::retry::{LOST_PER_FAILURE, MAX_WAIT_MS, OFFLINE_RECHECK_MS, backoff_ms};
use super::task::{EventKind, Place, Progress, Task, TaskState, WaitReason};
use super::transport::Transport;

/// How long to wait for room before looking again. What the task itself frees ends the wait at once.
const FULL_MS: u64 = 60_000;
/// How long to be content with fewer segments after one of several was refused or cut.
const MORE_AFTER_MS: u64 = 30_000;

/// What the next attempt waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Backoff,
    Offline,
    Asked(u64),
}

impl Wait {
    pub(super) fn after_network(online: bool) -> Self {
        if online { Self::Backoff } else { Self::Offline }
    }
}

impl Engine {
    /// A fetch brought no head at all.
    pub(super) fn handle_no_answer(&mut self, key: &TaskKey, id: EffectId, failure: FetchFailure) {
        if self.drop_one_of_many(key, id) {
            return;
        }
        let Some(slot) = self.slots.get_mut(key) else { return };
        let Some(task) = slot.task.clone() else { return };
        if failure.error.code != ErrorCode::Network {
            // The browser itself forbids it, and will go on doing so.
            return self.fail_source(key, id, task, failure.error, None);
        }
        if failure.online && self.may_be_cors(key, id, &task) {
            return self.probe(key, id);
        }
        self.fail_source(key, id, task, failure.error, Some(Wait::after_network(failure.online)));
    }

    /// One source has failed: the next is tried at once, and only when none is left the task waits, or fails if waiting
    /// would not help.
    pub(super) fn fail_source(
        &mut self,
        key: &TaskKey,
        id: EffectId,
        task: Task,
        error: TaskError,
        wait: Option<Wait>,
    ) {
        let source = self.slots.get_mut(key).and_then(|slot| slot.attempt(id)).map_or(0, |attempt| attempt.source);
        self.fail_this_source(key, source, task, error, wait);
    }

    /// See [`Engine::fail_source`].
    pub(super) fn fail_this_source(
        &mut self,
        key: &TaskKey,
        source: usize,
        task: Task,
        error: TaskError,
        wait: Option<Wait>,
    ) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.failed_sources |= 1 << source;
        let tried = slot.failed_sources | task.progress.bad_sources;
        let all = (1_u32 << task.record.spec.sources.len()) - 1;
        let is_left = tried & all != all && wait != Some(Wait::Offline);
        if !is_left {
            slot.failed_sources = 0;
        }
        self.drop_attempts(key);
        match wait {
            _ if is_left => {}
            Some(wait) => self.try_again(key, task, Vec::new(), error, wait),
            None => self.fail(key, task, Vec::new(), error),
        }
    }

    /// If others are at work, an attempt that fails is let go without any ado; fewer are tried for a while.
    pub(super) fn drop_one_of_many(&mut self, key: &TaskKey, id: EffectId) -> bool {
        let Some(slot) = self.slots.get_mut(key) else { return false };
        let others = slot.attempts.iter().filter(|attempt| attempt.id != id);
        let at_work = others.filter(|attempt| attempt.reading.is_some()).count() as u32;
        if at_work == 0 {
            return false;
        }
        slot.bearable_segments = at_work;
        slot.more_after = self.now.after(MORE_AFTER_MS);
        self.drop_attempt(key, id);
        true
    }

    /// Back to byte 0, with a new body. `next` is what the answer at hand is already bringing.
    pub(super) fn restart(
        &mut self,
        key: &TaskKey,
        mut task: Task,
        reason: RestartReason,
        next: Option<Representation>,
    ) {
        self.stop_hashing(key);
        if let Some(slot) = self.slots.get_mut(key) {
            slot.current = slot.current.take().filter(|_| next.is_some());
        }
        let changes = self.new_body(key, &mut task.progress);
        task.progress.representation = next;
        self.commit_transfer(key, task, Some(EventKind::Restarted(reason)), changes);
    }

    /// Drops all bytes.
    fn new_body(&mut self, key: &TaskKey, progress: &mut Progress) -> Vec<Change> {
        let old = progress.body;
        *progress = progress.restarted(BodyId(self.random.next_wide()));
        vec![Change::KillBody(old), Change::PutBody(progress.body), Change::PutProgress(key.clone(), progress.clone())]
    }

    /// All bytes are there, and right.
    pub(super) fn complete_task(&mut self, key: &TaskKey, mut task: Task, changes: Vec<Change>) {
        if let Some(representation) = &mut task.progress.representation {
            representation.complete_length = Some(task.progress.received.len());
        }
        match task.record.place {
            Place::Leaving(_) => self.file_first(key, task, changes),
            _ => self.conclude(key, task, changes),
        }
    }

    /// And they are where they are to be.
    pub(super) fn conclude(&mut self, key: &TaskKey, mut task: Task, mut changes: Vec<Change>) {
        let bytes = task.progress.received.len();
        // The swap: the old file goes in the very commit that makes the new one visible.
        changes.extend(task.progress.previous.take().map(|previous| Change::KillBody(previous.body)));
        task.record.enter(TaskState::Completed, self.now);
        task.progress.transport = Transport::Fetch;
        task.progress.failures = 0;
        task.progress.lost = 0;
        task.progress.crashes = 0;
        self.secrets.remove(key);
        if matches!(task.record.place, Place::Leaving(_)) {
            changes.extend(leave(key, &mut task));
        } else {
            changes.push(Change::PutTask(task.record.clone()));
            changes.push(Change::PutProgress(key.clone(), task.progress.clone()));
        }
        self.commit_transfer(key, task, Some(EventKind::Completed { bytes }), changes);
    }

    /// Gives up. A file that was to be refreshed stays as it was.
    pub(super) fn fail(&mut self, key: &TaskKey, mut task: Task, mut changes: Vec<Change>, error: TaskError) {
        let kind = match task.progress.go_back() {
            Some(unused) => {
                task.record.enter(TaskState::Completed, self.now);
                // That was for the newer one.
                task.record.place = Place::Store;
                changes.push(Change::KillBody(unused));
                EventKind::RefreshFailed(error)
            }
            None => {
                task.record.enter(TaskState::Failed(error.clone()), self.now);
                task.progress.transport = task.progress.transport.with(None);
                EventKind::Failed(error)
            }
        };
        changes.push(Change::PutTask(task.record.clone()));
        changes.push(Change::PutProgress(key.clone(), task.progress.clone()));
        self.commit_transfer(key, task, Some(kind), changes);
    }

    /// Gives up bytes that no digest agrees with: they are of no use to anybody.
    pub(super) fn fail_for_digest(&mut self, key: &TaskKey, mut task: Task, mut changes: Vec<Change>, code: ErrorCode) {
        self.drop_attempts(key);
        changes.extend(self.new_body(key, &mut task.progress));
        self.fail(key, task, changes, TaskError::new(code));
    }

    /// The attempt is over, the task is not: the next attempt follows at once, later, or never. `changes` are what
    /// the attempt leaves to be stored.
    pub(super) fn try_again(
        &mut self,
        key: &TaskKey,
        mut task: Task,
        mut changes: Vec<Change>,
        error: TaskError,
        wait: Wait,
    ) {
        let resumable = task.progress.representation.as_ref().is_none_or(Representation::is_resumable);
        let brought_bytes = !changes.is_empty();
        let progress = &mut task.progress;
        match wait {
            Wait::Offline => {}
            // Bytes that can be continued are worth any number of attempts; those that cannot are not.
            _ if brought_bytes && resumable => {}
            _ if error.code == ErrorCode::Network && resumable => progress.lost += 1,
            _ => progress.failures += 1,
        }
        let most = task.record.spec.policy.max_failures;
        if progress.failures >= most || progress.lost >= most.saturating_mul(LOST_PER_FAILURE) {
            return self.fail(key, task, changes, error);
        }
        let failures = progress.failures + progress.lost;
        let (delay_ms, reason) = match wait {
            Wait::Offline => (OFFLINE_RECHECK_MS, WaitReason::Offline),
            Wait::Asked(delay_ms) => (delay_ms.min(MAX_WAIT_MS), WaitReason::ServerAsked),
            Wait::Backoff => (backoff_ms(failures, &mut self.random), WaitReason::Retry),
        };
        let state = TaskState::Active { not_before: self.now.after(delay_ms), reason: Some(reason) };
        task.record.enter(state, self.now);
        changes.push(Change::PutTask(task.record.clone()));
        changes.push(Change::PutProgress(key.clone(), task.progress.clone()));
        self.commit_transfer(key, task, None, changes);
    }

    /// Storage refused a commit of the task: nothing was written. The attempts end, and the task waits or fails.
    pub(super) fn handle_refused_commit(&mut self, key: &TaskKey, failure: StoreFailure) {
        self.drop_attempts(key);
        let now = self.now;
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.busy = false;
        self.put_off_filing(key);
        let Some(slot) = self.slots.get_mut(key) else { return };
        let Some(task) = slot.task.as_mut().filter(|task| task.record.state.is_active()) else { return };
        if failure == StoreFailure::Quota && !task.record.fails_when_full {
            // No other would be better off.
            task.record.enter(TaskState::READY, now);
            self.full_until = Some(now.after(FULL_MS));
            return self.publish_task(key);
        }
        task.progress.failures += 1;
        let max_failures = task.record.spec.policy.max_failures;
        let delay_ms = backoff_ms(task.progress.failures, &mut self.random);
        let state = TaskState::Active { not_before: now.after(delay_ms), reason: Some(WaitReason::Storage) };
        task.record.enter(state, now);
        if task.progress.failures.is_multiple_of(max_failures) {
            let code = if failure == StoreFailure::Quota { ErrorCode::QuotaExceeded } else { ErrorCode::Storage };
            let task = task.clone();
            self.fail(key, task, Vec::new(), TaskError::new(code));
        } else {
            self.publish_task(key);
        }
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

    /// There will be no room for all of it: what is not read now need not be thrown away.
    pub(super) fn handle_no_room(&mut self, key: &TaskKey, mut task: Task) {
        self.drop_attempts(key);
        if task.record.fails_when_full {
            return self.fail(key, task, Vec::new(), TaskError::new(ErrorCode::QuotaExceeded));
        }
        // Others may be smaller.
        let state = TaskState::Active { not_before: self.now.after(FULL_MS), reason: Some(WaitReason::Quota) };
        task.record.enter(state, self.now);
        let changes = vec![Change::PutTask(task.record.clone())];
        self.commit_transfer(key, task, None, changes);
    }

    /// Bytes were deleted: whoever waits for room may find some.
    pub(super) fn look_for_room(&mut self) {
        self.full_until = None;
        let now = self.now;
        for (_, slot) in self.slots.iter_mut() {
            let state = slot.task.as_mut().map(|task| &mut task.record.state);
            if let Some(TaskState::Active { not_before, reason: Some(WaitReason::Quota) }) = state {
                *not_before = now;
            }
        }
    }

    /// Fails a task whose time is over.
    pub(super) fn expire(&mut self, key: &TaskKey) {
        let _turn = self.at_work.turn(key);
        let Some(slot) = self.slots.get(key).filter(|slot| !slot.busy) else { return };
        let Some(mut task) = slot.task.clone().filter(|task| task.record.state.is_active()) else { return };
        let limit_ms = task.record.spec.policy.resource_timeout_ms;
        if limit_ms.is_some_and(|limit_ms| task.record.created_at.after(limit_ms) <= self.now) {
            let changes = self.take_checkpoint(key, &mut task);
            self.drop_attempts(key);
            self.fail(key, task, changes, TaskError::new(ErrorCode::TimedOut));
        }
    }

    /// Ends one attempt, and lets go of all that it read.
    pub(super) fn drop_attempt(&mut self, key: &TaskKey, id: EffectId) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        let Some(at) = slot.attempts.iter().position(|attempt| attempt.id == id) else { return };
        let mut attempt = slot.attempts.remove(at);
        if slot.attempts.is_empty() {
            slot.read_at = None;
            slot.current = None;
        }
        self.effects.finish(id);
        self.outputs.push_back(Output::Abort(id));
        if let Some(reading) = &mut attempt.reading {
            if let Some(read) = reading.read_in_flight() {
                self.effects.finish(read);
            }
            self.outputs.extend(Reading::take_ready(reading).map(|buffer| Output::Discard(buffer.id)));
        }
    }

    /// Ends all of the task's attempts.
    pub(super) fn drop_attempts(&mut self, key: &TaskKey) {
        let ids: Vec<EffectId> =
            self.slots.get(key).into_iter().flat_map(|slot| &slot.attempts).map(|attempt| attempt.id).collect();
        ids.into_iter().for_each(|id| self.drop_attempt(key, id));
        self.stop_hashing(key);
        self.stop_filing(key);
        if let Some(slot) = self.slots.get_mut(key) {
            slot.current = None;
        }
    }

    /// Whatever is being hashed, or was and is not committed, is of bytes that are not wanted any more, or will be
    /// hashed again.
    pub(super) fn stop_hashing(&mut self, key: &TaskKey) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.hashed = None;
        slot.judged_pieces.clear();
        if let Some(hashing) = slot.hashing.take() {
            self.effects.finish(hashing);
        }
    }
}
