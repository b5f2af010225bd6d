//! Verbs: what is done to one task. Each is made durable, and only then answered.

use super::delivery::Session;
use super::demand::Wish;
use super::error::{ErrorCode, TaskError};
use super::file::file_location;
use super::id::{BodyId, TaskKey};
use super::input::{IfExists, Loaded, StoreFailure, TaskCall};
use super::output::{Answer, Change, Output, Query};
use super::policy::PolicyPatch;
use super::request::{Header, without_query};
use super::resume_data::{Claim, Detached};
use super::slot::{Asker, Queued, Staged};
use super::task::{
    Adopted, EventKind, Expects, FoundByUrl, Kept, Place, Progress, Task, TaskEvent, TaskRecord, TaskSpec, TaskState,
    WaitReason,
};
use super::time::Timestamp;
use super::transport::Transport;
use super::{Engine, Purpose};

/// A task that is to be made from the bytes that resume data names.
#[derive(Clone, Debug)]
pub(super) struct TakeUp {
    asker: Asker,
    spec: TaskSpec,
    secrets: Vec<Header>,
    claim: Claim,
}

impl Engine {
    /// A task is wanted; perhaps it exists.
    pub(super) fn download(
        &mut self,
        key: &TaskKey,
        asker: Asker,
        spec: TaskSpec,
        secrets: Vec<Header>,
        if_exists: IfExists,
    ) {
        let is_flooded = self.is_flooded(key, &spec);
        let Some(task) = self.slots.get(key).and_then(|slot| slot.task.clone()) else {
            if is_flooded {
                return self.answer(asker, Err(TaskError::new(ErrorCode::OutboxFull)));
            }
            return self.create(key, asker, (spec, secrets, if_exists), None, Vec::new());
        };
        let is_same_call = task.record.spec.call_token == spec.call_token;
        let refusal = match if_exists {
            // The same call once more: its first reply was lost.
            _ if is_same_call => None,
            IfExists::Replace | IfExists::Refresh if is_flooded => Some(ErrorCode::OutboxFull),
            IfExists::Error => Some(ErrorCode::TaskExists),
            // Of one whose record was lost nothing is known that could be kept.
            _ if if_exists == IfExists::Replace || task.has_no_url() => {
                self.drop_attempts(key);
                let given_up = self.give_up_all(&task);
                return self.create(key, asker, (spec, secrets, if_exists), None, given_up);
            }
            IfExists::Refresh if without_query(task.record.spec.url()) != without_query(spec.url()) => {
                // Validators say nothing about another URL.
                Some(ErrorCode::IdInUse)
            }
            IfExists::Refresh if task.record.state == TaskState::Completed => {
                return self.refresh(key, asker, (spec, secrets, if_exists), task);
            }
            IfExists::Keep if task.record.spec.url() != spec.url() => Some(ErrorCode::IdInUse),
            IfExists::Keep | IfExists::Refresh | IfExists::Replace => None,
        };
        // They died with the worker that was given them first, unless it has been given others meanwhile. If the task has
        // moved they are kept, and not used: they know for which origin they are.
        let is_missing = task.record.spec.request.has_secrets && self.secrets_of(&task.record).is_empty();
        if is_same_call && is_missing && !task.record.state.has_ended() {
            self.keep_secrets(key, &spec, secrets);
        }
        let result = match refusal {
            Some(code) => Err(TaskError::new(code)),
            // Of many, only those count that were made now.
            None => {
                let is_made_by_this = is_same_call && !matches!(asker, Asker::Batch(_));
                Ok(Answer::Download(self.snapshot(&task), is_made_by_this))
            }
        };
        self.answer(asker, result);
    }

    /// Whether so many events of the session wait that a task which adds to them is refused. Members have none of their own.
    fn is_flooded(&self, key: &TaskKey, spec: &TaskSpec) -> bool {
        spec.group.is_none() && self.sessions.get(&key.session).is_some_and(|session| session.outbox.is_full())
    }

    /// Makes a task, with bytes that are there already if `progress` says so.
    fn create(
        &mut self,
        key: &TaskKey,
        asker: Asker,
        (spec, secrets, if_exists): (TaskSpec, Vec<Header>, IfExists),
        progress: Option<Progress>,
        mut changes: Vec<Change>,
    ) {
        // Bytes that are there already may have been fetched for one user.
        let before = self.slots.get(key).and_then(|slot| slot.task.as_ref()).map(|task| &task.record);
        let may_be_private =
            |before: &TaskRecord| before.by_url == FoundByUrl::InSession || before.spec.request.is_private();
        let brings_private = match &progress {
            Some(progress) => progress.previous.is_none() || before.is_none_or(may_be_private),
            None => false,
        };
        let by_url = match spec.serves_url {
            false => FoundByUrl::Never,
            true if brings_private || spec.request.is_private() || !secrets.is_empty() => FoundByUrl::InSession,
            true => FoundByUrl::Anywhere,
        };
        let mut progress = progress.unwrap_or_else(|| Progress::new(BodyId(self.random.next_wide())));
        progress.transport = spec.transport.clone();
        let state = match spec.policy.begin_at.filter(|begin_at| *begin_at > self.now) {
            Some(not_before) => TaskState::Active { not_before, reason: Some(WaitReason::EarliestBegin) },
            None => TaskState::READY,
        };
        let now = self.now;
        // What belongs to the call only is a part of the record, or of the progress.
        let record = TaskRecord {
            key: key.clone(),
            spec: TaskSpec {
                transport: Transport::Fetch,
                destination: None,
                fails_when_full: false,
                serves_url: false,
                expects: Expects::default(),
                ..spec.clone()
            },
            state,
            since: now,
            created_at: now,
            ended_at: None,
            place: spec.destination.clone().map_or(Place::Store, Place::Leaving),
            fails_when_full: spec.fails_when_full,
            used_at: Timestamp(0),
            by_url,
            expects: spec.expects.clone(),
        };
        let task = Task { record, progress };
        changes.extend([
            Change::PutBody(task.progress.body),
            Change::PutTask(task.record.clone()),
            Change::PutProgress(key.clone(), task.progress.clone()),
        ]);
        let given = Some(secrets.clone());
        let call = Some((asker, Queued::Download(spec, secrets, if_exists)));
        let staged = Staged { task: Some(task), call, secrets: given, ..Staged::default() };
        self.commit_task(key, staged, changes);
    }

    /// Asks for a newer version; the file that is there stays until that is complete.
    fn refresh(&mut self, key: &TaskKey, asker: Asker, asked: (TaskSpec, Vec<Header>, IfExists), task: Task) {
        self.stop_filing(key);
        if task.record.place == Place::Gone {
            return self.create(key, asker, asked, None, Vec::new());
        }
        let Progress { body, representation, answer, received, .. } = task.progress;
        let previous =
            Kept { body, representation: representation.unwrap_or_default(), length: received.len(), answer };
        let body = BodyId(self.random.next_wide());
        let progress = Progress { previous: Some(previous), ..Progress::new(body) };
        self.create(key, asker, asked, Some(progress), Vec::new());
    }

    /// A task is wanted that goes on from bytes which another one left.
    pub(super) fn resume_from(
        &mut self,
        key: &TaskKey,
        asker: Asker,
        spec: TaskSpec,
        secrets: Vec<Header>,
        claim: Claim,
    ) {
        if let Some(task) = self.slots.get(key).and_then(|slot| slot.task.clone()) {
            let is_same_call = task.record.spec.call_token == spec.call_token;
            let answer = is_same_call.then(|| Answer::Download(self.snapshot(&task), true));
            return self.answer(asker, answer.ok_or(TaskError::new(ErrorCode::TaskExists)));
        }
        if self.is_flooded(key, &spec) {
            return self.answer(asker, Err(TaskError::new(ErrorCode::OutboxFull)));
        }
        if self.taken_up.contains(&claim.body) {
            return self.answer(asker, Err(TaskError::new(ErrorCode::ResumeDataStale)));
        }
        self.taken_up.push(claim.body);
        if let Some(slot) = self.slots.get_mut(key) {
            slot.busy = true;
        }
        let query = Query::Detached(claim.body);
        let take_up = TakeUp { asker, spec, secrets, claim };
        self.load(Purpose::LoadDetached(key.clone(), Box::new(take_up)), query);
    }

    pub(super) fn handle_detached(&mut self, key: &TaskKey, take_up: TakeUp, loaded: Result<Loaded, StoreFailure>) {
        let TakeUp { asker, spec, secrets, claim } = take_up;
        if let Some(slot) = self.slots.get_mut(key) {
            slot.busy = false;
        }
        match loaded {
            Ok(Loaded::Detached(Some(found))) if found.misfit(&spec).is_some() => {
                let detail = found.misfit(&spec).map(Into::into);
                self.answer(asker, Err(TaskError { code: ErrorCode::BadArgument, status: None, detail }));
            }
            Ok(Loaded::Detached(Some(found))) if found.body == claim.body => {
                let Detached { body, representation, received, hash, expected, piece_length } = found;
                // Who told its length is not known any more.
                let length_is_assumed = !representation.same_origin;
                let (representation, adopted) = (Some(representation), Some(Adopted { piece_length }));
                let progress = Progress { representation, received, hash, expected, adopted, ..Progress::new(body) };
                let progress = Progress { told_elsewhere: true, length_is_assumed, ..progress };
                return self.create(key, asker, (spec, secrets, IfExists::Error), Some(progress), Vec::new());
            }
            Ok(_) => self.answer(asker, Err(TaskError::new(ErrorCode::ResumeDataStale))),
            Err(_) => self.answer(asker, Err(TaskError::new(ErrorCode::Storage))),
        }
        self.taken_up.retain(|body| *body != claim.body);
        self.serve_queue(key);
    }

    pub(super) fn serve(&mut self, key: &TaskKey, asker: Asker, what: TaskCall) {
        let Some(task) = self.slots.get(key).and_then(|slot| slot.task.clone()) else {
            return self.answer(asker, Err(TaskError::new(ErrorCode::TaskNotFound)));
        };
        let state = &task.record.state;
        match what {
            TaskCall::CountCrash if state.is_active() => self.count_crash(key, asker, task),
            TaskCall::CountCrash if matches!(task.record.place, Place::Leaving(_)) => self.stay(key, asker, task),
            TaskCall::Pause if state.is_active() => self.pause(key, asker, task),
            TaskCall::Resume if task.has_no_url() => {
                self.answer(asker, Err(TaskError::new(ErrorCode::RecordDamaged)));
            }
            TaskCall::Resume if matches!(state, TaskState::Paused | TaskState::Failed(_)) => {
                self.resume(key, asker, task);
            }
            TaskCall::Resume if matches!(state, TaskState::Active { reason: Some(_), .. }) => {
                let now = self.now;
                self.open_hosts_of(&task);
                if let Some(task) = self.slots.get_mut(key).and_then(|slot| slot.task.as_mut()) {
                    task.record.enter(TaskState::READY, now);
                }
                self.answer_task(asker, key);
            }
            TaskCall::Cancel { keep } if !state.has_ended() => self.cancel(key, asker, task, keep),
            TaskCall::Cancel { keep: true } => {
                let data = task.progress.resume_data.clone();
                let snapshot = self.snapshot(&task);
                self.answer(asker, Ok(Answer::ResumeData(snapshot, data)));
            }
            TaskCall::ResumeData => self.give_up_bytes(key, asker, task),
            TaskCall::Release if state.has_ended() => self.release(key, asker, &task),
            TaskCall::Release => self.answer(asker, Err(TaskError::new(ErrorCode::NotFinished))),
            TaskCall::MoveTo(_) | TaskCall::ReleaseFile => self.clear_out(key, asker, task, what),
            TaskCall::Chunk { offset, body, waits: false } => {
                let result = file_location(&task, body.as_deref());
                self.answer(asker, result.map(|file| Answer::Chunk(file, offset)));
                self.note_use(key);
            }
            TaskCall::Chunk { offset, body, waits: true } => self.demand(key, asker, Wish::Bytes { offset, body }),
            TaskCall::Check { offset, body } => self.check_chunk(key, asker, &task, offset, body.as_deref()),
            TaskCall::Unreadable { body, range } => self.repair(key, asker, task, body, range),
            TaskCall::Serve { range, if_range } => self.demand(key, asker, Wish::Service { range, if_range }),
            TaskCall::Update(patch) => self.update(key, asker, task, &patch),
            // It may have moved to the URL that this call brings: then the answer to an earlier try was lost.
            TaskCall::Authorize { ref origin, ref source, .. }
                if task.record.spec.origin() != origin && task.record.spec.sources.first() != source.as_ref() =>
            {
                self.answer(asker, Err(TaskError::new(ErrorCode::IdInUse)));
            }
            TaskCall::ExternalBegun { registration, refusal } => {
                self.external_begun(key, asker, task, (&registration, refusal.as_deref()));
            }
            TaskCall::Authorize { .. } if !state.has_ended() => self.authorize(key, asker, task, what),
            TaskCall::Get
            | TaskCall::CountCrash
            | TaskCall::ExternalEnded { .. }
            | TaskCall::Pause
            | TaskCall::Resume
            | TaskCall::Cancel { .. }
            | TaskCall::Authorize { .. } => {
                self.answer_task(asker, key);
            }
        }
    }

    fn pause(&mut self, key: &TaskKey, asker: Asker, mut task: Task) {
        // What has been read already is kept.
        let mut changes = self.take_checkpoint(key, &mut task);
        self.drop_attempts(key);
        task.record.enter(TaskState::Paused, self.now);
        changes.push(Change::PutTask(task.record.clone()));
        changes.push(Change::PutProgress(key.clone(), task.progress.clone()));
        self.commit_verb(key, asker, TaskCall::Pause, Some(task), None, changes);
    }

    fn resume(&mut self, key: &TaskKey, asker: Asker, mut task: Task) {
        task.record.enter(TaskState::READY, self.now);
        task.progress.begin_to_count();
        self.open_hosts_of(&task);
        let changes =
            vec![Change::PutTask(task.record.clone()), Change::PutProgress(key.clone(), task.progress.clone())];
        self.commit_verb(key, asker, TaskCall::Resume, Some(task), None, changes);
    }

    /// Ends the task. A file that was to be refreshed stays, and so does the task.
    fn cancel(&mut self, key: &TaskKey, asker: Asker, mut task: Task, keep: bool) {
        let mut changes = if keep { self.take_checkpoint(key, &mut task) } else { Vec::new() };
        self.drop_attempts(key);
        self.secrets.remove(key);
        let now = self.now;
        let mut event = None;
        if let Some(unused) = task.progress.go_back() {
            changes.push(Change::KillBody(unused));
            task.record.enter(TaskState::Completed, now);
            task.record.place = Place::Store;
        } else {
            changes.extend(task.progress.take_back().map(Change::KillBody));
            changes.push(self.detach(&mut task, keep));
            task.record.enter(TaskState::Cancelled, now);
            event = self.new_task_event(&task.record, EventKind::Cancelled);
        }
        changes.push(Change::PutTask(task.record.clone()));
        changes.push(Change::PutProgress(key.clone(), task.progress.clone()));
        self.commit_verb(key, asker, TaskCall::Cancel { keep }, Some(task), event, changes);
    }

    /// Hands the bytes of a paused or failed task over to resume data.
    fn give_up_bytes(&mut self, key: &TaskKey, asker: Asker, mut task: Task) {
        let is_stopped = matches!(task.record.state, TaskState::Paused | TaskState::Failed(_));
        let has_bytes = task.progress.aside.is_some() || !task.progress.received.is_empty();
        let has_bytes = has_bytes && task.progress.previous.is_none();
        if !is_stopped || !has_bytes {
            let data = task.progress.resume_data.clone();
            let snapshot = self.snapshot(&task);
            return self.answer(asker, Ok(Answer::ResumeData(snapshot, data)));
        }
        let unused = task.progress.take_back().map(Change::KillBody);
        let detached = self.detach(&mut task, true);
        let data = task.progress.resume_data.take();
        let transport = task.progress.transport.clone();
        task.progress = Progress { resume_data: data, transport, ..Progress::new(BodyId(self.random.next_wide())) };
        let changes = unused.into_iter().chain([
            detached,
            Change::PutBody(task.progress.body),
            Change::PutProgress(key.clone(), task.progress.clone()),
        ]);
        self.commit_verb(key, asker, TaskCall::ResumeData, Some(task), None, changes.collect());
    }

    fn update(&mut self, key: &TaskKey, asker: Asker, mut task: Task, patch: &PolicyPatch) {
        let policy = task.record.spec.policy.patched(patch);
        let waits_to_begin =
            matches!(task.record.state, TaskState::Active { reason: Some(WaitReason::EarliestBegin), .. });
        // What the browser is fetching has begun.
        let is_out = task.progress.transport.out().is_some();
        if task.record.spec.policy.begin_at != policy.begin_at && task.record.state.is_active() && !is_out {
            let begins_later = policy.begin_at.filter(|begin_at| *begin_at > self.now);
            let state = begins_later
                .map(|not_before| TaskState::Active { not_before, reason: Some(WaitReason::EarliestBegin) });
            match state {
                Some(state) => task.record.enter(state, self.now),
                None if waits_to_begin => task.record.enter(TaskState::READY, self.now),
                None => {}
            }
        }
        task.record.spec.policy = policy;
        let changes = vec![Change::PutTask(task.record.clone())];
        self.commit_verb(key, asker, TaskCall::Update(patch.clone()), Some(task), None, changes);
    }

    fn release(&mut self, key: &TaskKey, asker: Asker, task: &Task) {
        self.stop_filing(key);
        let mut changes = vec![Change::DeleteTask(key.clone())];
        changes.extend(self.give_up_all(task));
        self.secrets.remove(key);
        self.commit_verb(key, asker, TaskCall::Release, None, None, changes);
    }

    pub(super) fn commit_verb(
        &mut self,
        key: &TaskKey,
        asker: Asker,
        what: TaskCall,
        task: Option<Task>,
        event: Option<TaskEvent>,
        changes: Vec<Change>,
    ) {
        let call = Some((asker, Queued::Task(what)));
        self.commit_task(key, Staged { task, event, call, ..Staged::default() }, changes);
    }

    /// Tells the pages of the session that the task is gone.
    pub(super) fn publish_release(&mut self, key: &TaskKey) {
        let clients = self.sessions.get(&key.session).into_iter().flat_map(Session::clients);
        self.outputs.extend(clients.map(|client| Output::Released(client.clone(), key.clone())));
    }
}

impl Task {
    /// Whether its record was lost, and with it what is to be fetched.
    pub(super) fn has_no_url(&self) -> bool {
        self.record.spec.sources.is_empty()
    }
}
