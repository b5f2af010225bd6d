//! Calls: what pages ask, checked, made durable, and only then answered.

use super::commits::{storage_error, token};
use super::delivery::Session;
use super::error::{ErrorCode, TaskError};
use super::id::{CallId, SessionId, TaskKey};
use super::input::{Call, CommitOutcome, Loaded, StoreFailure, TaskCall};
use super::output::{Answer, Change, Query};
use super::resume_data;
use super::session::{LimitsPatch, MAX_SESSIONS, SessionRecord};
use super::slot::{Asker, Queued, Slot};
use super::task::{EventKind, Subject, TaskEvent};
use super::{Engine, Purpose, STORE_PAUSE_MS};

/// The most rows that one reply brings.
const MAX_PAGE: u32 = 500;

/// A session on its way to storage.
#[derive(Debug)]
pub(super) struct StagedSession {
    call: CallId,
    record: SessionRecord,
    /// Whether the call meant other limits by its version.
    differs: bool,
    event: Option<TaskEvent>,
    /// Whether it is not known of a commit before this one that it failed.
    may_be_stored: bool,
}

impl Engine {
    pub(super) fn handle_call(&mut self, id: CallId, call: Call) {
        if call.session().is_some_and(|session| !self.sessions.contains_key(session)) {
            return self.reply(id, Err(TaskError::new(ErrorCode::SessionNotOpen)));
        }
        match call {
            Call::Open(record) => self.open_session(id, record),
            Call::Find(url, session) => self.load(Purpose::FindByUrl(id), Query::ByUrl(url, session)),
            Call::UpdateSession(session, patch) => self.update_session(id, session, patch),
            Call::Download { key, secrets, .. } | Call::ResumeFrom { key, secrets, .. }
                if !secrets.is_empty() && !self.can_ask(&key.session) =>
            {
                let names: Vec<&str> = secrets.iter().map(|(name, _)| name.as_str()).collect();
                let error = TaskError::new(ErrorCode::AuthorizationNotDurable);
                self.reply(id, Err(TaskError { detail: Some(names.join(", ")), ..error }));
            }
            Call::Download { key, spec, secrets, if_exists } => {
                self.enqueue(&key, Asker::Call(id), Queued::Download(spec, secrets, if_exists));
            }
            Call::ResumeFrom { key, spec, secrets, data } => match resume_data::read(&data) {
                Ok(claim) => self.enqueue(&key, Asker::Call(id), Queued::ResumeFrom(spec, secrets, claim)),
                Err(code) => self.reply(id, Err(TaskError::new(code))),
            },
            Call::DownloadAll { group, fails_together, members, is_last } => {
                self.download_all(id, &group, fails_together, members, is_last);
            }
            Call::Task(key, call) => self.enqueue(&key, Asker::Call(id), Queued::Task(call)),
            Call::Select { session, filter, after, limit } => {
                let query = Query::Select { session, filter, after, limit: limit.clamp(1, MAX_PAGE) };
                self.load(Purpose::LoadTasks(id), query);
            }
            Call::Bulk { session, filter, action } => self.call_upon_all(Some(id), session, filter, action),
            Call::Group(group) => self.ask_group(id, group),
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
            return waiting.push((call, Call::Open(record)));
        }
        let version = record.configuration.version;
        match self.sessions.get(&record.id).map(|session| &session.record) {
            Some(stored) if version < stored.configuration.version => {
                self.reply(call, Err(TaskError::new(ErrorCode::VersionTooLow)));
            }
            Some(stored) if version == stored.configuration.version => {
                let differs = stored.differs(&record);
                if record.has_authorizer && !stored.has_authorizer {
                    let stored = SessionRecord { has_authorizer: true, ..stored.clone() };
                    self.put_session(call, stored, differs);
                } else {
                    self.reply(call, Ok(Answer::Opened { version, differs }));
                }
            }
            None if self.has_all_sessions() => self.reply(call, Err(TaskError::new(ErrorCode::TooManySessions))),
            _ => self.put_session(call, record, false),
        }
    }

    /// Whether there are as many sessions, with those on their way to storage, as there may be.
    fn has_all_sessions(&self) -> bool {
        let new = self.opening.keys().filter(|id| !self.sessions.contains_key(id));
        self.sessions.len() + new.count() >= MAX_SESSIONS
    }

    fn put_session(&mut self, call: CallId, record: SessionRecord, differs: bool) {
        self.opening.insert(record.id.clone(), Vec::new());
        let was_unreadable = self.sessions.get(&record.id).is_some_and(|session| session.record.is_unreadable());
        let is_mended = was_unreadable && !record.is_unreadable();
        let event = is_mended.then(|| self.new_event(&record.id, Subject::Session, EventKind::Damaged)).flatten();
        self.commit_session(StagedSession { call, record, differs, event, may_be_stored: false });
    }

    fn update_session(&mut self, call: CallId, id: SessionId, patch: LimitsPatch) {
        if let Some(waiting) = self.opening.get_mut(&id) {
            return waiting.push((call, Call::UpdateSession(id, patch)));
        }
        let Some(session) = self.sessions.get(&id) else { return };
        let record = session.record.patched(&patch);
        self.put_session(call, record, false);
    }

    fn commit_session(&mut self, staged: StagedSession) {
        let mut changes = vec![Change::PutSession(staged.record.clone())];
        changes.extend(staged.event.clone().map(Change::PutEvent));
        self.commit(Purpose::CommitSession(Box::new(staged)), changes);
    }

    pub(super) fn handle_session_committed(&mut self, mut staged: StagedSession, outcome: CommitOutcome) {
        staged.may_be_stored |= outcome == CommitOutcome::Unknown;
        if staged.may_be_stored && !matches!(outcome, CommitOutcome::Committed | CommitOutcome::Fenced) {
            // The next change would be made to what may not be stored, and that this commit failed says nothing of the one
            // before it. Storing it once more does no harm.
            return self.unknown_sessions.push((self.now.after(STORE_PAUSE_MS), staged));
        }
        let StagedSession { call, record, differs, event, .. } = staged;
        let waiting = self.opening.remove(&record.id).unwrap_or_default();
        let version = record.configuration.version;
        let result = match outcome {
            CommitOutcome::Committed => Ok(Answer::Opened { version, differs }),
            _ => Err(storage_error(outcome)),
        };
        if result.is_ok() {
            match self.sessions.get_mut(&record.id) {
                Some(session) => {
                    if session.record.is_unreadable() && !record.is_unreadable() {
                        session.backlog.load_all_after(self.now);
                    }
                    session.record = record;
                }
                None => self.sessions.insert(record.id.clone(), Session::new(record, self.now)),
            }
        }
        match event {
            Some(event) if result.is_ok() => self.publish_event(event),
            Some(event) => {
                if let Some(session) = self.sessions.get_mut(&event.session) {
                    session.outbox.failed(event.seq);
                }
            }
            None => {}
        }
        self.reply(call, result);
        for (call, waited) in waiting {
            self.handle_call(call, waited);
        }
    }

    /// Stores once more the sessions of which it is not known whether they are stored.
    pub(super) fn store_unknown_sessions(&mut self) {
        let now = self.now;
        for (_, staged) in self.unknown_sessions.extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>() {
            self.commit_session(staged);
        }
    }

    pub(super) fn reply_found(&mut self, call: CallId, loaded: Result<Loaded, StoreFailure>) {
        let result = match loaded {
            Ok(Loaded::Tasks(tasks)) => Ok(Answer::Found(tasks.into_iter().next().map(|task| task.record.key))),
            _ => Err(TaskError::new(ErrorCode::Storage)),
        };
        self.reply(call, result);
    }

    pub(super) fn reply_tasks(&mut self, call: CallId, loaded: Result<Loaded, StoreFailure>) {
        let Ok(Loaded::Page(tasks, next)) = loaded else {
            return self.reply(call, Err(TaskError::new(ErrorCode::Storage)));
        };
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
    pub(super) fn enqueue(&mut self, key: &TaskKey, asker: Asker, queued: Queued) {
        let is_new = !self.slots.contains_key(key);
        let slot = self.slots.get_or_insert_with(key.clone(), Slot::default);
        slot.queue.push_back((asker, queued));
        if is_new {
            self.load_task(key);
        } else {
            self.serve_queue(key);
        }
    }

    /// The same for a task about which storage has just been asked.
    pub(super) fn enqueue_known(&mut self, key: &TaskKey, asker: Asker, queued: Queued) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.queue.push_back((asker, queued));
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
                let known = std::mem::replace(&mut slot.task, tasks.pop());
                let found = slot.task.clone();
                self.let_go_of_external(known.as_ref(), found.as_ref());
                self.end_wait_for_open_host(key);
                let Some(slot) = self.slots.get_mut(key) else { return };
                if token(&known) != token(&slot.task) {
                    self.begin_anew(key);
                }
                self.wait_for_storage(key);
                self.serve_queue(key);
            }
            _ => self.lose(key),
        }
    }

    /// Serves the calls that wait for the task, up to the first that needs a commit.
    pub(super) fn serve_queue(&mut self, key: &TaskKey) {
        let _turn = self.at_work.turn(key);
        while let Some(slot) = self.slots.get_mut(key).filter(|slot| !slot.busy) {
            if slot.is_to_be_mended() {
                return self.mend(key);
            }
            let Some((asker, queued)) = slot.queue.pop_front() else { return };
            if self.must_come_back_first(key, &queued) {
                self.wait_for_external(key, asker, queued);
                continue;
            }
            match queued {
                Queued::Task(TaskCall::ExternalEnded { registration, by_user }) => {
                    self.external_ended(key, registration, by_user);
                }
                Queued::Download(spec, secrets, if_exists) => self.download(key, asker, spec, secrets, if_exists),
                Queued::ResumeFrom(spec, secrets, claim) => self.resume_from(key, asker, spec, secrets, claim),
                Queued::Task(what) => self.serve(key, asker, what),
                Queued::AsNamed(what, token) if self.is_named(key, asker, &token) => self.serve(key, asker, what),
                Queued::AsNamed(..) => self.answer(asker, Err(TaskError::new(ErrorCode::TaskNotFound))),
            }
        }
    }
}

impl Call {
    /// The session that must be open for the call.
    fn session(&self) -> Option<&SessionId> {
        Some(match self {
            Self::Open(_) | Self::Find(..) => return None,
            Self::Download { key, .. } | Self::ResumeFrom { key, .. } | Self::Task(key, _) => &key.session,
            Self::DownloadAll { group, .. } | Self::Group(group) => &group.session,
            Self::UpdateSession(session, _)
            | Self::Select { session, .. }
            | Self::Bulk { session, .. }
            | Self::History { session, .. } => session,
        })
    }
}
