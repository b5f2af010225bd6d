//! Transfers: starts attempts, judges what they bring, makes it durable, and ends tasks. The one place where a
//! task's attempt, its checkpoint and its state meet.

use super::download::{Download, Ended, Request};
use super::error::{ErrorCode, TaskError};
use super::http::{Head, Representation, RestartReason, Verdict};
use super::id::{BodyId, TaskKey};
use super::input::{FetchFailure, ReadEnd, StoreFailure};
use super::output::{Change, Effect, Output};
use super::retry::{FAILURE_BUDGET, LOST_BUDGET, MAX_WAIT_MS, OFFLINE_RECHECK_MS, backoff_ms};
use super::schedule::{Candidate, Load, choose};
use super::slot::Staged;
use super::task::{EventKind, Task, TaskState, WaitReason};
use super::{Engine, Purpose, STALL_DEADLINE_MS};

/// Bytes per commit: smaller ones cost speed, larger ones memory and, after a kill, bytes fetched again.
const CHUNK_BYTES: u64 = 8 << 20;
/// On a slow link a commit comes after this time with what is there, so that a worker that lives ten seconds still
/// makes progress.
const CHUNK_MS: u64 = 2_000;

impl Engine {
    /// Starts the tasks whose turn it is.
    pub(super) fn start_what_may_run(&mut self) {
        let mut load = Load::default();
        let mut candidates = Vec::new();
        for (key, slot) in self.slots.iter() {
            let (Some(task), Some(session)) = (&slot.task, self.sessions.get(&key.session)) else { continue };
            let host = task.record.spec.host.as_str();
            if slot.download.is_some() {
                load.add(&key.session, host);
            } else if !slot.busy && slot.queue.is_empty() && slot.due().is_some_and(|due| due <= self.now) {
                let session_limit = session.record.configuration.max_concurrent_tasks;
                candidates.push(Candidate { key, host, session_limit, created_at: task.record.created_at });
            }
        }
        for key in choose(load, candidates) {
            self.start_attempt(&key);
        }
    }

    fn start_attempt(&mut self, key: &TaskKey) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        let resumable = slot.kept_is_resumable();
        let Some(task) = slot.task.clone() else { return };
        if task.progress.has_every_byte() {
            // The last attempt ended between the last byte and the end of its body.
            return self.complete_task(key, task, Vec::new());
        }
        if !task.progress.received.is_empty() && !resumable {
            return self.restart(key, task, RestartReason::NotResumable, None);
        }
        let request = Request::next(&task.progress);
        let effect = Effect::Fetch {
            key: key.clone(),
            url: task.record.spec.url,
            range_start: request.range_start,
            if_range: request.if_range.clone(),
        };
        let attempt = self.effects.start(Purpose::Fetch(key.clone()), self.now.after(STALL_DEADLINE_MS));
        slot.download = Some(Download::new(attempt, request));
        self.outputs.push_back(Output::Start(attempt, effect));
        self.publish_task(key);
    }

    pub(super) fn handle_head(&mut self, key: &TaskKey, head: Result<Head, FetchFailure>) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        let (Some(download), Some(mut task)) = (&mut slot.download, slot.task.clone()) else { return };
        let head = match head {
            Ok(head) => head,
            Err(failure) => {
                self.drop_attempt(key);
                return self.try_again(key, task, Vec::new(), failure.error, Wait::after_network(failure.online));
            }
        };
        match download.judge(&task.progress, &head) {
            Verdict::Body { representation, start, end, restart } => {
                let kept_nothing = task.progress.received.is_empty();
                download.begin_body(representation.clone(), start, end);
                match restart {
                    // What is read of it is stored after that: a task has one commit at a time.
                    Some(reason) if !kept_nothing => self.restart(key, task, reason, Some(representation)),
                    _ => {
                        self.publish_task(key);
                        self.advance(key);
                    }
                }
            }
            Verdict::Empty(representation) => {
                self.drop_attempt(key);
                task.progress.representation = Some(representation);
                self.complete_task(key, task, Vec::new());
            }
            Verdict::AskAgain { without_range, restart } => {
                self.drop_attempt(key);
                // That ranges are of no use is learnt once. All else could go on for ever.
                let is_news = without_range && !task.progress.without_range;
                task.progress.failures += u32::from(!is_news);
                task.progress.without_range |= without_range;
                let spent = !is_news && task.progress.failures >= FAILURE_BUDGET;
                match restart {
                    _ if spent => self.fail(key, task, Vec::new(), TaskError::new(ErrorCode::BadContentRange)),
                    Some(reason) if !task.progress.received.is_empty() => self.restart(key, task, reason, None),
                    _ => {
                        task.progress.representation = None;
                        let changes = vec![Change::PutProgress(key.clone(), task.progress.clone())];
                        self.commit_transfer(key, task, None, changes);
                    }
                }
            }
            Verdict::Retry(error, after) => {
                self.drop_attempt(key);
                let wait = after.map_or(Wait::Backoff, |after| Wait::Asked(after.delay_ms(self.now)));
                self.try_again(key, task, Vec::new(), error, wait);
            }
            Verdict::Fail(error) | Verdict::Unauthorized(error) => {
                self.drop_attempt(key);
                self.fail(key, task, Vec::new(), error);
            }
            Verdict::NotModified | Verdict::NotTheSame => {
                unreachable!("only a refresh or a mirror is answered so")
            }
        }
    }

    pub(super) fn handle_read(&mut self, key: &TaskKey, len: u64, end: ReadEnd) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        let Some(reading) = slot.download.as_mut().and_then(|download| download.reading.as_mut()) else { return };
        let unwanted = reading.read_done(len, end);
        self.outputs.extend(unwanted.map(Output::Discard));
        self.advance(key);
    }

    /// Goes on with a running attempt: stores what was read, reads on, or ends it.
    pub(super) fn advance(&mut self, key: &TaskKey) {
        self.store_what_was_read(key);
        let Some(slot) = self.slots.get_mut(key) else { return };
        let Some(download) = &mut slot.download else { return };
        let attempt = download.attempt;
        let Some(reading) = &mut download.reading else { return };
        if !reading.wants_read() {
            return;
        }
        let read = self.effects.start(Purpose::Read(key.clone()), self.now.after(STALL_DEADLINE_MS));
        reading.read_started(read);
        let offset = reading.next_offset;
        let or_after_ms = self.wakes.limit_ms(self.now, CHUNK_MS);
        self.outputs
            .push_back(Output::Start(read, Effect::Read { attempt, offset, up_to_bytes: CHUNK_BYTES, or_after_ms }));
    }

    fn store_what_was_read(&mut self, key: &TaskKey) {
        let Some(slot) = self.slots.get_mut(key).filter(|slot| !slot.busy) else { return };
        let Some(reading) = slot.download.as_mut().and_then(|download| download.reading.as_mut()) else { return };
        let (ended, is_complete) = (reading.ended, reading.is_complete());
        if ended.is_none() && !reading.has_ready() {
            return;
        }
        let Some(mut task) = slot.task.clone() else { return };
        let changes = self.take_checkpoint(key, &mut task);
        let Some(ended) = ended else {
            return self.commit_transfer(key, task, None, changes);
        };
        self.drop_attempt(key);
        let error = TaskError::new;
        match ended {
            Ended::Eof if is_complete => self.complete_task(key, task, changes),
            Ended::Eof => self.try_again(key, task, changes, error(ErrorCode::LengthMismatch), Wait::Backoff),
            Ended::Cut { online } => {
                self.try_again(key, task, changes, error(ErrorCode::Network), Wait::after_network(online));
            }
            Ended::TooLong => self.fail(key, task, changes, error(ErrorCode::BodyTooLong)),
        }
    }

    /// Moves the buffer that is ready into `task`'s checkpoint. Returns the changes that make it durable; chunk and
    /// checkpoint belong into one commit.
    pub(super) fn take_checkpoint(&mut self, key: &TaskKey, task: &mut Task) -> Vec<Change> {
        let slot = self.slots.get_mut(key);
        let Some(reading) = slot.and_then(|slot| slot.download.as_mut()?.reading.as_mut()) else { return Vec::new() };
        let Some(buffer) = reading.take_ready() else { return Vec::new() };
        let progress = &mut task.progress;
        progress.representation = Some(reading.representation.clone());
        progress.received.insert(buffer.offset..buffer.offset + buffer.len);
        if reading.representation.is_resumable() {
            progress.failures = 0;
            progress.lost = 0;
        }
        vec![
            Change::Append { body: progress.body, offset: buffer.offset, len: buffer.len, buffer: buffer.id },
            Change::PutProgress(key.clone(), progress.clone()),
        ]
    }

    fn commit_transfer(&mut self, key: &TaskKey, task: Task, event: Option<EventKind>, changes: Vec<Change>) {
        let event = event.and_then(|kind| self.new_event(key, kind));
        let leaves_dead_body = changes.iter().any(|change| matches!(change, Change::KillBody(_)));
        self.commit_task(key, Staged { task: Some(task), event, call: None, leaves_dead_body }, changes);
    }

    /// Back to byte 0, with a new body. `next` is what the answer at hand is already bringing.
    fn restart(&mut self, key: &TaskKey, mut task: Task, reason: RestartReason, next: Option<Representation>) {
        let old = task.progress.body;
        task.progress = task.progress.restarted(BodyId(self.random.next_wide()));
        task.progress.representation = next;
        let changes = vec![
            Change::KillBody(old),
            Change::PutBody(task.progress.body),
            Change::PutProgress(key.clone(), task.progress.clone()),
        ];
        self.commit_transfer(key, task, Some(EventKind::Restarted(reason)), changes);
    }

    fn complete_task(&mut self, key: &TaskKey, mut task: Task, mut changes: Vec<Change>) {
        let bytes = task.progress.received.len();
        if let Some(representation) = &mut task.progress.representation {
            representation.complete_length = Some(bytes);
        }
        task.record.state = TaskState::Completed;
        task.record.ended_at = Some(self.now);
        task.progress.failures = 0;
        task.progress.lost = 0;
        changes.push(Change::PutTask(task.record.clone()));
        changes.push(Change::PutProgress(key.clone(), task.progress.clone()));
        self.commit_transfer(key, task, Some(EventKind::Completed { bytes }), changes);
    }

    fn fail(&mut self, key: &TaskKey, mut task: Task, mut changes: Vec<Change>, error: TaskError) {
        task.record.state = TaskState::Failed(error.clone());
        task.record.ended_at = Some(self.now);
        changes.push(Change::PutTask(task.record.clone()));
        changes.push(Change::PutProgress(key.clone(), task.progress.clone()));
        self.commit_transfer(key, task, Some(EventKind::Failed(error)), changes);
    }

    /// The attempt is over, the task is not: the next attempt follows at once, later, or never. `changes` are what
    /// the attempt leaves to be stored.
    fn try_again(&mut self, key: &TaskKey, mut task: Task, mut changes: Vec<Change>, error: TaskError, wait: Wait) {
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
        if progress.failures >= FAILURE_BUDGET || progress.lost >= LOST_BUDGET {
            return self.fail(key, task, changes, error);
        }
        let failures = progress.failures + progress.lost;
        let (delay_ms, reason) = match wait {
            Wait::Offline => (OFFLINE_RECHECK_MS, WaitReason::Offline),
            Wait::Asked(delay_ms) => (delay_ms.min(MAX_WAIT_MS), WaitReason::ServerAsked),
            Wait::Backoff => (backoff_ms(failures, &mut self.random), WaitReason::Retry),
        };
        task.record.state = TaskState::Active { not_before: self.now.after(delay_ms), reason: Some(reason) };
        changes.push(Change::PutTask(task.record.clone()));
        changes.push(Change::PutProgress(key.clone(), task.progress.clone()));
        self.commit_transfer(key, task, None, changes);
    }

    /// Storage refused a commit of the task: nothing was written. The attempt ends, and the task waits or fails.
    pub(super) fn handle_refused_commit(&mut self, key: &TaskKey, failure: StoreFailure) {
        self.drop_attempt(key);
        let now = self.now;
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.busy = false;
        let Some(task) = slot.task.as_mut().filter(|task| task.record.due().is_some()) else { return };
        task.progress.failures += 1;
        let delay_ms = backoff_ms(task.progress.failures, &mut self.random);
        task.record.state = TaskState::Active { not_before: now.after(delay_ms), reason: Some(WaitReason::Storage) };
        if task.progress.failures.is_multiple_of(FAILURE_BUDGET) {
            let code = if failure == StoreFailure::Quota { ErrorCode::QuotaExceeded } else { ErrorCode::Storage };
            let task = task.clone();
            self.fail(key, task, Vec::new(), TaskError::new(code));
        } else {
            self.publish_task(key);
        }
    }

    /// Ends the task's attempt, if one runs, and lets go of all that it read.
    pub(super) fn drop_attempt(&mut self, key: &TaskKey) {
        let Some(mut download) = self.slots.get_mut(key).and_then(|slot| slot.download.take()) else { return };
        self.effects.finish(download.attempt);
        self.outputs.push_back(Output::Abort(download.attempt));
        if let Some(reading) = &mut download.reading {
            if let Some(read) = reading.read_in_flight() {
                self.effects.finish(read);
            }
            self.outputs.extend(reading.take_ready().map(|buffer| Output::Discard(buffer.id)));
        }
    }
}

/// What the next attempt waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    Backoff,
    Offline,
    Asked(u64),
}

impl Wait {
    fn after_network(online: bool) -> Self {
        if online { Self::Backoff } else { Self::Offline }
    }
}
