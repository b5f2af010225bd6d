//! Calls: what pages ask, checked, made durable, and only then answered.

use super::commits::storage_error;
use super::delivery::Session;
use super::error::{ErrorCode, TaskError};
use super::id::{BodyId, CallId, TaskId, TaskKey};
use super::input::{Call, CommitOutcome, IfExists, Loaded, StoreFailure, TaskCall};
use super::output::{Answer, Change, FileLocation, Query};
use super::session::SessionRecord;
use super::slot::{Queued, Slot, Staged};
use super::task::{EventKind, Progress, Task, TaskEvent, TaskRecord, TaskSpec, TaskState};
use super::{Engine, Purpose, STORE_PAUSE_MS};

/// The most rows that one reply brings.
const MAX_PAGE: u32 = 500;

impl Engine {
    pub(super) fn handle_call(&mut self, id: CallId, call: Call) {
        let session = match &call {
            Call::Open(record) => return self.open_session(id, record.clone()),
            Call::Download { key, .. } | Call::Task(key, _) => &key.session,
            Call::Tasks { session, .. } | Call::History { session, .. } => session,
        };
        if !self.sessions.contains_key(session) {
            return self.reply(id, Err(TaskError::new(ErrorCode::SessionNotOpen)));
        }
        match call {
            Call::Open(_) => unreachable!("answered above"),
            Call::Download { key, spec, if_exists } => self.enqueue(&key, id, Queued::Download(spec, if_exists)),
            Call::Task(key, call) => self.enqueue(&key, id, Queued::Task(call)),
            Call::Tasks { session, after, limit } => {
                let limit = limit.clamp(1, MAX_PAGE);
                let query = Query::Tasks { session, after, limit };
                self.load(Purpose::LoadTasks(id, limit), query);
            }
            Call::History { session, before, limit } => {
                let last = self.sessions.get(&session).map_or(0, |session| session.outbox.last_seq());
                let before = before.unwrap_or(u64::MAX).min(last + 1);
                let query = Query::History { session, before, limit: limit.clamp(1, MAX_PAGE) };
                self.load(Purpose::LoadHistory(id), query);
            }
        }
    }

    fn open_session(&mut self, call: CallId, record: SessionRecord) {
        // One at a time, or the lower of two new versions could be stored over the higher.
        if let Some(waiting) = self.opening.get_mut(&record.id) {
            return waiting.push((call, record));
        }
        let version = record.configuration.version;
        match self.sessions.get(&record.id).map(|session| session.record.configuration.version) {
            Some(stored) if version < stored => {
                self.reply(call, Err(TaskError::new(ErrorCode::VersionTooLow)));
            }
            Some(stored) if version == stored => self.reply(call, Ok(Answer::Opened(version))),
            _ => {
                self.opening.insert(record.id.clone(), Vec::new());
                let change = Change::PutSession(record.clone());
                self.commit(Purpose::CommitSession(call, record), vec![change]);
            }
        }
    }

    pub(super) fn handle_session_committed(&mut self, call: CallId, record: SessionRecord, outcome: CommitOutcome) {
        let waiting = self.opening.remove(&record.id).unwrap_or_default();
        let version = record.configuration.version;
        let result = match outcome {
            CommitOutcome::Committed => Ok(Answer::Opened(version)),
            _ => Err(storage_error(outcome)),
        };
        if result.is_ok() {
            match self.sessions.get_mut(&record.id) {
                Some(session) => session.record = record,
                None => self.sessions.insert(record.id.clone(), Session::new(record)),
            }
        }
        self.reply(call, result);
        for (call, record) in waiting {
            self.open_session(call, record);
        }
    }

    pub(super) fn reply_tasks(&mut self, call: CallId, limit: u32, loaded: Result<Loaded, StoreFailure>) {
        let Ok(Loaded::Tasks(tasks)) = loaded else {
            return self.reply(call, Err(TaskError::new(ErrorCode::Storage)));
        };
        let next: Option<TaskId> =
            tasks.last().filter(|_| tasks.len() >= limit as usize).map(|task| task.record.key.task.clone());
        let snapshots = tasks
            .into_iter()
            .map(|stored| {
                let resident = self.slots.get(&stored.record.key).and_then(|slot| slot.task.as_ref());
                self.snapshot(resident.unwrap_or(&stored))
            })
            .collect();
        self.reply(call, Ok(Answer::Tasks(snapshots, next)));
    }

    pub(super) fn reply_history(&mut self, call: CallId, loaded: Result<Loaded, StoreFailure>) {
        let result = match loaded {
            Ok(Loaded::Events(mut events)) => {
                events.reverse();
                Ok(Answer::History(events))
            }
            _ => Err(TaskError::new(ErrorCode::Storage)),
        };
        self.reply(call, result);
    }

    /// Puts a call into its task's queue; a task that is not in memory is looked up first.
    fn enqueue(&mut self, key: &TaskKey, call: CallId, queued: Queued) {
        let is_new = !self.slots.contains_key(key);
        let slot = self.slots.get_or_insert_with(key.clone(), Slot::default);
        slot.queue.push_back((call, queued));
        if is_new {
            self.load_task(key);
        } else {
            self.serve_queue(key);
        }
    }

    /// Asks storage what it holds of the task.
    pub(super) fn load_task(&mut self, key: &TaskKey) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.busy = true;
            self.load(Purpose::LoadTask(key.clone()), Query::Task(key.clone()));
        }
    }

    pub(super) fn handle_task_loaded(&mut self, key: &TaskKey, loaded: Result<Loaded, StoreFailure>) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.busy = false;
        match loaded {
            Ok(Loaded::Tasks(mut tasks)) => {
                slot.task = tasks.pop();
                self.serve_queue(key);
            }
            // Nothing is known of it now: let it go and find it again among the tasks that are due.
            _ => {
                let queue = self.let_go(key).map(|slot| slot.queue).unwrap_or_default();
                for (call, _) in queue {
                    self.reply(call, Err(TaskError::new(ErrorCode::Storage)));
                }
                self.refill_at = Some(self.now.after(STORE_PAUSE_MS));
            }
        }
    }

    /// Serves the calls that wait for the task, up to the first that needs a commit.
    pub(super) fn serve_queue(&mut self, key: &TaskKey) {
        while let Some(slot) = self.slots.get_mut(key).filter(|slot| !slot.busy) {
            let Some((call, queued)) = slot.queue.pop_front() else { return };
            match queued {
                Queued::Download(spec, if_exists) => self.download(key, call, spec, if_exists),
                Queued::Task(what) => self.serve(key, call, what),
            }
        }
    }

    fn download(&mut self, key: &TaskKey, call: CallId, spec: TaskSpec, if_exists: IfExists) {
        let existing = self.slots.get(key).and_then(|slot| slot.task.clone());
        if let Some(task) = &existing {
            let refusal = match if_exists {
                // The same call once more: its first reply was lost.
                _ if task.record.spec.call_token == spec.call_token => None,
                IfExists::Replace => return self.create(key, call, spec, if_exists, Some(task)),
                IfExists::Error => Some(ErrorCode::TaskExists),
                IfExists::Keep if task.record.spec.url != spec.url => Some(ErrorCode::IdInUse),
                IfExists::Keep => None,
            };
            let created = task.record.spec.call_token == spec.call_token;
            let result = match refusal {
                Some(code) => Err(TaskError::new(code)),
                None => Ok(Answer::Download(self.snapshot(task), created)),
            };
            return self.reply(call, result);
        }
        self.create(key, call, spec, if_exists, None);
    }

    fn create(&mut self, key: &TaskKey, call: CallId, spec: TaskSpec, if_exists: IfExists, old: Option<&Task>) {
        self.drop_attempt(key);
        let body = BodyId(self.random.next_wide());
        let record = TaskRecord {
            key: key.clone(),
            spec: spec.clone(),
            state: TaskState::READY,
            created_at: self.now,
            ended_at: None,
        };
        let task = Task { record, progress: Progress::new(body) };
        let mut changes = vec![
            Change::PutBody(body),
            Change::PutTask(task.record.clone()),
            Change::PutProgress(key.clone(), task.progress.clone()),
        ];
        let old_body = old.and_then(live_body);
        changes.extend(old_body.map(Change::KillBody));
        let staged = Staged {
            task: Some(task),
            event: None,
            call: Some((call, Queued::Download(spec, if_exists))),
            leaves_dead_body: old_body.is_some(),
        };
        self.commit_task(key, staged, changes);
    }

    fn serve(&mut self, key: &TaskKey, call: CallId, what: TaskCall) {
        let Some(task) = self.slots.get(key).and_then(|slot| slot.task.clone()) else {
            return self.reply(call, Err(TaskError::new(ErrorCode::TaskNotFound)));
        };
        let state = &task.record.state;
        match what {
            TaskCall::Pause if matches!(state, TaskState::Active { .. }) => self.pause(key, call, task),
            TaskCall::Resume if matches!(state, TaskState::Paused | TaskState::Failed(_)) => {
                self.resume(key, call, task);
            }
            TaskCall::Resume if matches!(state, TaskState::Active { reason: Some(_), .. }) => {
                if let Some(task) = self.slots.get_mut(key).and_then(|slot| slot.task.as_mut()) {
                    task.record.state = TaskState::READY;
                }
                self.reply_task(call, key);
            }
            TaskCall::Cancel if !state.has_ended() => self.cancel(key, call, task),
            TaskCall::Release if state.has_ended() => self.release(key, call, &task),
            TaskCall::Release => self.reply(call, Err(TaskError::new(ErrorCode::NotFinished))),
            TaskCall::Chunk(offset) => {
                let result = file_location(&task).ok_or(TaskError::new(ErrorCode::NotFinished));
                self.reply(call, result.map(|file| Answer::Chunk(file, offset)));
            }
            TaskCall::Get | TaskCall::Pause | TaskCall::Resume | TaskCall::Cancel => self.reply_task(call, key),
        }
    }

    fn reply_task(&mut self, call: CallId, key: &TaskKey) {
        if let Some(task) = self.slots.get(key).and_then(|slot| slot.task.as_ref()) {
            let snapshot = self.snapshot(task);
            self.reply(call, Ok(Answer::Task(snapshot)));
        }
    }

    fn pause(&mut self, key: &TaskKey, call: CallId, mut task: Task) {
        // What has been read already is kept.
        let mut changes = self.take_checkpoint(key, &mut task);
        self.drop_attempt(key);
        task.record.state = TaskState::Paused;
        changes.push(Change::PutTask(task.record.clone()));
        self.commit_call(key, call, TaskCall::Pause, Some(task), None, changes);
    }

    fn resume(&mut self, key: &TaskKey, call: CallId, mut task: Task) {
        task.record.state = TaskState::READY;
        task.record.ended_at = None;
        task.progress.failures = 0;
        task.progress.lost = 0;
        let changes =
            vec![Change::PutTask(task.record.clone()), Change::PutProgress(key.clone(), task.progress.clone())];
        self.commit_call(key, call, TaskCall::Resume, Some(task), None, changes);
    }

    fn cancel(&mut self, key: &TaskKey, call: CallId, mut task: Task) {
        self.drop_attempt(key);
        let body = live_body(&task);
        task.record.state = TaskState::Cancelled;
        task.record.ended_at = Some(self.now);
        task.progress.received = Default::default();
        let event = self.new_event(key, EventKind::Cancelled);
        let mut changes =
            vec![Change::PutTask(task.record.clone()), Change::PutProgress(key.clone(), task.progress.clone())];
        changes.extend(body.map(Change::KillBody));
        self.commit_call(key, call, TaskCall::Cancel, Some(task), event, changes);
    }

    fn release(&mut self, key: &TaskKey, call: CallId, task: &Task) {
        let mut changes = vec![Change::DeleteTask(key.clone())];
        changes.extend(live_body(task).map(Change::KillBody));
        self.commit_call(key, call, TaskCall::Release, None, None, changes);
    }

    fn commit_call(
        &mut self,
        key: &TaskKey,
        call: CallId,
        what: TaskCall,
        task: Option<Task>,
        event: Option<TaskEvent>,
        changes: Vec<Change>,
    ) {
        let leaves_dead_body = changes.iter().any(|change| matches!(change, Change::KillBody(_)));
        let staged = Staged { task, event, call: Some((call, Queued::Task(what))), leaves_dead_body };
        self.commit_task(key, staged, changes);
    }
}

/// The body that dies with the task, if it has not died before.
fn live_body(task: &Task) -> Option<BodyId> {
    (task.record.state != TaskState::Cancelled).then_some(task.progress.body)
}

fn file_location(task: &Task) -> Option<FileLocation> {
    let length = task.progress.received.len();
    (task.record.state == TaskState::Completed).then(|| FileLocation {
        body: task.progress.body,
        length,
        content_type: task.progress.representation.as_ref().and_then(|known| known.content_type.clone()),
    })
}
