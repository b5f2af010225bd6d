//! Endings: of an attempt, of the hope for it, and of a task.

use super::attempt::Reading;
use super::error::{ErrorCode, TaskError};
use super::filing::leave;
use super::http::{Representation, RestartReason};
use super::id::{BodyId, EffectId, TaskKey};
use super::input::{FetchFailure, StoreFailure};
use super::output::{Change, Output};
use super::policy::Policy;
use super::probe::SUSPICIONS;
use super::request::Redirects;
use super::retry::{GIVE_UP_MS, MAX_RESTARTS, MAX_WAIT_MS, OFFLINE_RECHECK_MS, backoff_ms, busy_ms, restart_ms};
use super::task::{EventKind, Place, Progress, Task, TaskState, WaitReason};
use super::transport::Transport;
use super::{Engine, STORE_PAUSE_MS};

/// How long to be content with fewer segments after one of several was refused or cut.
pub(super) const MORE_AFTER_MS: u64 = 30_000;
/// How soon after the first of its host a task that has failed there follows, at most.
const TURN_MS: u64 = 1_000;

/// What the next attempt waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Backoff,
    /// The attempt got on before it ended.
    Soon,
    Offline,
    /// The server says that it is busy, and perhaps for how many milliseconds.
    Busy(Option<u64>),
}

impl Wait {
    pub(super) fn after_network(online: bool) -> Self {
        if online { Self::Backoff } else { Self::Offline }
    }
}

impl Engine {
    /// A fetch brought no head at all.
    pub(super) fn handle_no_answer(&mut self, key: &TaskKey, id: EffectId, failure: FetchFailure) {
        if let Some(slot) = self.slots.get_mut(key)
            && slot.attempt(id).is_some_and(|attempt| attempt.is_at_target)
        {
            slot.target = None;
        }
        if self.drop_one_of_many(key, id) {
            return;
        }
        let Some(slot) = self.slots.get_mut(key) else { return };
        let Some(task) = slot.task.clone() else { return };
        let source = slot.attempt(id).map_or(0, |attempt| attempt.source);
        let is_own = task.record.spec.sources.get(source).is_some_and(|source| source.origin == self.origin);
        // Within the own origin redirects are followed: one that leads elsewhere looks like one whose target was cut.
        let may_be_cut = is_own && task.record.spec.request.redirects == Redirects::Follow;
        if failure.error.code == ErrorCode::RedirectRefused {
            slot.suspicions = if slot.probed_source == source { slot.suspicions + 1 } else { 1 };
            slot.probed_source = source;
            let is_sure = !may_be_cut || slot.suspicions >= SUSPICIONS;
            // It has answered, whatever it was.
            self.note_fine(&task, source);
            let wait = (!is_sure).then_some(Wait::Backoff);
            return self.fail_source(key, id, task, failure.error, wait);
        }
        if failure.error.code != ErrorCode::Network {
            // The browser itself forbids it, and will go on doing so.
            return self.fail_source(key, id, task, failure.error, None);
        }
        if failure.online && self.may_be_cors(key, id, &task) {
            return self.probe(key, id, failure.error);
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
        mut task: Task,
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
            // That it has brought bad bytes counts for less than that no other brings any.
            task.progress.bad_sources &= !1;
        }
        // Where its server has redirected to is another host.
        let is_elsewhere = slot.attempts.iter().any(|attempt| attempt.is_at_target);
        self.drop_attempts(key);
        match wait {
            _ if is_elsewhere => {}
            Some(Wait::Busy(asked_ms)) => self.note_trouble(&task, source, asked_ms, false),
            Some(Wait::Backoff) => {
                let may_be_range = error.code == ErrorCode::Network && source == 0 && task.progress.may_be_range();
                self.note_trouble(&task, source, None, may_be_range);
            }
            Some(Wait::Offline) => self.note_offline(&task, source),
            _ => {}
        }
        match wait {
            _ if is_left => {}
            // A page in place of the file has nothing to do with the range.
            Some(wait) if error.code != ErrorCode::UnexpectedContent && self.doubt_range(key, &mut task, wait) => {}
            Some(wait) => self.try_again(key, task, Vec::new(), error, wait),
            None => self.fail(key, task, Vec::new(), error),
        }
    }

    /// If others are at work, an attempt that fails is let go without any ado; fewer are tried for a while. What it was to
    /// bring is read by the one before it, if its answer goes on there.
    pub(super) fn drop_one_of_many(&mut self, key: &TaskKey, id: EffectId) -> bool {
        let Some(slot) = self.slots.get_mut(key) else { return false };
        let others = slot.attempts.iter().filter(|attempt| attempt.id != id);
        let at_work = others.filter(|attempt| attempt.reading.is_some()).count() as u32;
        if at_work == 0 {
            return false;
        }
        slot.bearable_segments = at_work;
        slot.more_after = self.now.after(MORE_AFTER_MS).max(slot.more_after);
        let left = slot.attempt(id).map(|attempt| attempt.segment());
        self.drop_attempt(key, id);
        let is_bounded = self.is_bounded(key);
        if let Some((slot, left)) = self.slots.get_mut(key).zip(left).filter(|_| !is_bounded) {
            slot.attempts.iter_mut().for_each(|attempt| attempt.take_back(left));
        }
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
        let may_go_back = task.progress.aside.is_some() && !task.progress.ranges.go_without();
        if reason == RestartReason::NotResumable && may_go_back {
            return self.go_back_to_aside(key, task);
        }
        let times = task.progress.restarts_in_row;
        // What was cut and cannot go on has had its pause, and counts as a failure.
        let has_waited = reason == RestartReason::NotResumable;
        if times >= MAX_RESTARTS && !has_waited {
            self.drop_attempts(key);
            return self.fail(key, task, Vec::new(), TaskError::new(ErrorCode::TooManyRestarts));
        }
        // The first goes on with the answer at hand.
        let next = next.filter(|_| times == 0);
        if next.is_none() {
            self.drop_attempts(key);
        }
        self.stop_hashing(key);
        self.restarted.push(task.progress.body);
        // A digest that is wrong is of these bytes. All else says of another version only, which may not be had in the end.
        let aside = Some(&task.progress).filter(|_| reason != RestartReason::DigestMismatch);
        let aside = aside.and_then(Progress::to_set_aside);
        let mut changes = self.new_body(&mut task);
        if aside.is_some() {
            task.progress.aside = aside;
            changes.retain(|change| !matches!(change, Change::KillBody(_)));
        }
        if task.progress.ranges.go_without() {
            // Nothing can be gone on with.
            changes.extend(task.progress.aside.take().map(|aside| Change::KillBody(aside.body)));
        }
        task.progress.restarts_in_row = times + u32::from(!has_waited || task.progress.failures > 0);
        task.progress.representation = next;
        if times > 0 && !has_waited {
            let code = match reason {
                RestartReason::RangesRefused => ErrorCode::BadContentRange,
                RestartReason::DigestMismatch => ErrorCode::DigestMismatch,
                _ => ErrorCode::TooManyRestarts,
            };
            self.note_error(key, TaskError::new(code));
            let not_before = self.now.after(restart_ms(times, &mut self.random));
            task.record.enter(TaskState::Active { not_before, reason: Some(WaitReason::Retry) }, self.now);
            changes.push(Change::PutTask(task.record.clone()));
        }
        changes.push(Change::PutProgress(key.clone(), task.progress.clone()));
        self.commit_transfer(key, task, Some(EventKind::Restarted(reason)), changes);
    }

    /// The bytes that were set aside are the task's own again, and gone on with.
    pub(super) fn go_back_to_aside(&mut self, key: &TaskKey, mut task: Task) {
        self.drop_attempts(key);
        let Some(unused) = task.progress.take_back() else { return };
        self.restarted.push(unused);
        let changes = vec![Change::KillBody(unused), Change::PutProgress(key.clone(), task.progress.clone())];
        self.commit_transfer(key, task, None, changes);
    }

    /// Drops all bytes.
    pub(super) fn new_body(&mut self, task: &mut Task) -> Vec<Change> {
        let old = self.give_up(task);
        let progress = &mut task.progress;
        *progress = progress.restarted(BodyId(self.random.next_wide()));
        vec![old, Change::PutBody(progress.body)]
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
        changes.extend(task.progress.prove(true).map(Change::KillBody));
        task.record.enter(TaskState::Completed, self.now);
        task.progress.adopted = None;
        task.progress.transport = Transport::Fetch;
        task.progress.begin_to_count();
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
                changes.extend(task.progress.take_back().map(Change::KillBody));
                task.record.enter(TaskState::Failed(error.clone()), self.now);
                task.progress.transport = task.progress.transport.with(None);
                EventKind::Failed(error)
            }
        };
        changes.push(Change::PutTask(task.record.clone()));
        changes.push(Change::PutProgress(key.clone(), task.progress.clone()));
        self.commit_transfer(key, task, Some(kind), changes);
    }

    /// Gives up bytes that cannot be right, by their digest or their number: they are of no use to anybody.
    pub(super) fn fail_without_bytes(
        &mut self,
        key: &TaskKey,
        mut task: Task,
        mut changes: Vec<Change>,
        code: ErrorCode,
    ) {
        self.drop_attempts(key);
        changes.extend(self.new_body(&mut task));
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
        let Policy { max_failures, resource_timeout_ms, .. } = task.record.spec.policy;
        let (now, progress) = (self.now, &mut task.progress);
        let is_over = match wait {
            Wait::Offline => false,
            Wait::Busy(_) => {
                progress.note_busy(now);
                resource_timeout_ms.is_none() && now.since(progress.busy_since) >= GIVE_UP_MS
            }
            // Bytes that can be continued are worth any number of attempts; those that cannot are not.
            Wait::Soon if resumable => false,
            Wait::Soon | Wait::Backoff => {
                progress.failures += 1;
                let is_costly = !resumable && !progress.received.is_empty();
                progress.failures >= max_failures || (is_costly && progress.restarts_in_row >= MAX_RESTARTS)
            }
        };
        if is_over {
            return self.fail(key, task, changes, error);
        }
        let (delay_ms, reason) = match wait {
            Wait::Offline => (OFFLINE_RECHECK_MS, WaitReason::Offline),
            Wait::Busy(asked_ms) => {
                let reason = if asked_ms.is_some() { WaitReason::ServerAsked } else { WaitReason::Retry };
                (busy_ms(progress.busy, asked_ms.unwrap_or(0).min(MAX_WAIT_MS), &mut self.random), reason)
            }
            Wait::Soon | Wait::Backoff => (backoff_ms(progress.failures, &mut self.random), WaitReason::Retry),
        };
        // Others of its host come first: the trouble may be this task's own.
        let turn = self.sources_closed_until(&task).after(1 + self.random.below(TURN_MS));
        let not_before = now.after(delay_ms).max(turn);
        self.note_error(key, error);
        let state = TaskState::Active { not_before, reason: Some(reason) };
        task.record.enter(state, self.now);
        changes.push(Change::PutTask(task.record.clone()));
        changes.push(Change::PutProgress(key.clone(), task.progress.clone()));
        self.commit_transfer(key, task, None, changes);
    }

    /// Storage refused a commit of the task, with so many bytes of the file in it: nothing was written. The attempts end,
    /// and the task waits or fails; if that was refused, it waits first.
    pub(super) fn handle_refused_commit(
        &mut self,
        key: &TaskKey,
        failure: StoreFailure,
        (refused_bytes, is_failing): (u64, bool),
    ) {
        self.drop_attempts(key);
        self.hold(key);
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.busy = false;
        if failure == StoreFailure::Quota {
            return self.handle_refused_bytes(key, refused_bytes, is_failing);
        }
        let Some(task) = slot.task.as_mut().filter(|task| task.record.state.is_active()) else { return };
        task.progress.failures += 1;
        if !is_failing && task.progress.failures.is_multiple_of(task.record.spec.policy.max_failures) {
            let task = task.clone();
            self.fail(key, task, Vec::new(), TaskError::new(ErrorCode::Storage));
        } else {
            self.wait_for_storage(key);
        }
    }

    /// Storage did not do, or may not have done, what it was asked for: what the engine itself wants of it is left for a
    /// while, which grows each time.
    pub(super) fn hold(&mut self, key: &TaskKey) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.refusals += 1;
        let pause_ms = backoff_ms(slot.refusals, &mut self.random).max(STORE_PAUSE_MS);
        slot.hold_until = self.now.after(pause_ms);
    }

    /// The task is tried again when storage has been left alone long enough.
    pub(super) fn wait_for_storage(&mut self, key: &TaskKey) {
        let now = self.now;
        let Some(slot) = self.slots.get_mut(key) else { return };
        let not_before = slot.hold_until;
        if let Some(task) = slot.task.as_mut().filter(|task| task.record.due().is_some_and(|due| due < not_before)) {
            if task.record.state.is_active() {
                task.record.enter(TaskState::Active { not_before, reason: Some(WaitReason::Storage) }, now);
            }
            self.publish_task(key);
        }
    }

    /// Fails the tasks whose time is over.
    pub(super) fn expire(&mut self) {
        let now = self.now;
        let over = self.slots.iter().filter(|(_, slot)| slot.ends_at().is_some_and(|at| at <= now));
        let keys: Vec<TaskKey> = over.map(|(key, _)| key.clone()).collect();
        for key in keys {
            let _turn = self.at_work.turn(&key);
            let Some(mut task) = self.slots.get(&key).and_then(|slot| slot.task.clone()) else { continue };
            let changes = self.take_checkpoint(&key, &mut task);
            self.drop_attempts(&key);
            self.fail(&key, task, changes, TaskError::new(ErrorCode::TimedOut));
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
            slot.has_part = false;
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
