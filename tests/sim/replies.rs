//! What must hold of the answers to calls.

use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::file::{FileLocation, file_location};
use longhaul::engine::id::{SessionId, TaskKey};
use longhaul::engine::input::{Call, IfExists, TaskCall};
use longhaul::engine::output::Answer;
use longhaul::engine::resume_data;
use longhaul::engine::session::SessionRecord;
use longhaul::engine::task::{FoundByUrl, Place, Task, TaskState};

use super::pages::waits_for_bytes;
use super::stats::Group;
use super::worker::Worker;
use super::world::World;

impl World {
    /// A call is answered with what is durable, and refused only for a reason.
    pub(super) fn check_reply(&mut self, worker: &mut Worker, call: &Call, result: &Result<Answer, TaskError>) {
        let answer = match result {
            Ok(answer) => answer,
            Err(error) => {
                self.stats.count(Group::Page, error.code.as_str());
                return self.check_refusal(worker, call, error);
            }
        };
        self.stats.count(Group::Page, "answered");
        match (call, answer) {
            (Call::Open(record), Answer::Opened { version, differs }) => {
                self.check_opened(worker, &record.id, *version);
                self.check_told(record, *differs);
            }
            (Call::UpdateSession(id, _), Answer::Opened { version, .. }) => self.check_opened(worker, id, *version),
            (Call::Download { key, spec, if_exists, .. }, Answer::Download(snapshot, created)) => {
                self.check_snapshot(snapshot);
                let stored = self.model.tasks.get(key).expect("an accepted download is durable");
                let is_own = stored.record.spec.call_token == spec.call_token;
                assert_eq!(*created, is_own, "whether the call made the task");
                let same_url = stored.record.spec.url() == spec.url();
                let is_kept = (*if_exists == IfExists::Keep && same_url) || *if_exists == IfExists::Refresh;
                assert!(is_own || is_kept, "a download was answered with another task");
            }
            (Call::ResumeFrom { key, spec, .. }, Answer::Download(snapshot, _)) => {
                self.check_snapshot(snapshot);
                let stored = self.model.tasks.get(key).expect("an accepted download is durable");
                assert_eq!(stored.record.spec.call_token, spec.call_token, "answered with another task");
                self.stats.count(Group::Engine, "resume data taken up");
            }
            (Call::DownloadAll { group, members, .. }, Answer::Accepted(new, _)) => {
                assert!(*new as usize <= members.len(), "more members were accepted than there are");
                assert!(self.model.groups.contains_key(group), "an accepted group is durable");
                for (task, _) in members {
                    let key = TaskKey { session: group.session.clone(), task: task.clone() };
                    let is_there = self.model.tasks.contains_key(&key) || self.model.released.contains(&key);
                    assert!(is_there, "the accepted member {key:?} is not durable");
                }
                self.stats.count(Group::Engine, "batches accepted");
            }
            (Call::Task(key, wanted), answer) => self.check_task_answer(key, wanted, answer),
            (Call::Bulk { .. }, Answer::Done(_)) => self.stats.count(Group::Engine, "bulk calls done"),
            (Call::Group(group), Answer::Group(counts)) => {
                self.stats.count(Group::Engine, "groups asked about");
                let most = self.climate.tasks;
                assert!(counts.total() <= most, "{group:?} has more members than there are tasks");
            }
            (Call::Find(url, session), Answer::Found(found)) => {
                self.stats.count(Group::Engine, if found.is_some() { "files found by URL" } else { "no file by URL" });
                let Some(key) = found else { return };
                let record = self.model.tasks.get(key).map(|task| &task.record);
                // Since it was looked up another may have taken its place.
                let is_known = record.is_some() || self.model.released.contains(key);
                assert!(is_known, "{key:?} was found by {url}, but there never was such a task");
                match session {
                    Some(session) => assert_eq!(key.session, *session, "a file of another session was found"),
                    None => self.check_found_anywhere(key),
                }
            }
            (Call::Select { session, after, limit, .. }, Answer::Tasks(tasks, next)) => {
                let ids: Vec<_> = tasks.iter().map(|task| &task.record.key.task).collect();
                assert!(ids.is_sorted() && ids.first().is_none_or(|first| after.as_ref().is_none_or(|at| *first > at)));
                assert!(tasks.iter().all(|task| task.record.key.session == *session), "tasks of another session");
                assert!(next.is_none() || ids.len() >= *limit as usize, "a page of tasks is short, but not the last");
            }
            (Call::History { session, .. }, Answer::History(events)) => {
                let seqs: Vec<u64> = events.iter().map(|event| event.seq).collect();
                assert!(seqs.is_sorted_by(|newer, older| newer > older), "the history is not newest first");
                let all = self.model.events.get(session);
                assert!(seqs.iter().all(|seq| all.is_some_and(|all| all.contains_key(seq))), "an event never stored");
            }
            (call, answer) => panic!("{call:?} was answered with {answer:?}"),
        }
    }

    fn check_opened(&mut self, worker: &mut Worker, id: &SessionId, version: u32) {
        let stored = self.model.sessions.get(id).expect("an open session is durable");
        let is_stored = stored.configuration.version >= version;
        assert!(is_stored, "a session is open with version {version}, but stored is {stored:?}");
        worker.sessions.entry(id.clone()).or_insert_with(|| stored.clone());
        let told = self.model.told_versions.entry(id.clone()).or_default();
        *told = (*told).max(version);
    }

    /// A name stands for one version: who was told how long that is reads no other under it.
    fn check_name(&mut self, file: &FileLocation, etag: Option<&str>) {
        let body = &file.name[..32];
        let is_news = !self.told.contains_key(&file.name);
        if is_news && self.told.range(body.to_owned()..).next().is_some_and(|(name, _)| name.starts_with(body)) {
            self.stats.count(Group::Engine, "readers told of another version");
        }
        let (length, known) = self.told.entry(file.name.clone()).or_insert((file.length, None));
        assert_eq!(*length, file.length, "two versions have the name {}", file.name);
        if let Some(etag) = etag {
            let known = known.get_or_insert_with(|| etag.into());
            assert_eq!(known, etag, "two tags have the name {}", file.name);
        }
    }

    /// What a page opens a session with is in force, or the page is told that it is not; and that it can supply headers is
    /// known for good.
    fn check_told(&mut self, asked: &SessionRecord, differs: bool) {
        let stored = self.model.sessions.get(&asked.id).expect("an open session is durable");
        if stored.configuration.version != asked.configuration.version {
            return;
        }
        assert!(stored.has_authorizer || !asked.has_authorizer, "that {asked:?} can be asked is forgotten");
        let original = stored.opened_with.as_ref().unwrap_or(&stored.configuration.limits);
        assert_eq!(differs, *original != asked.configuration.limits, "{asked:?} was answered for {stored:?}");
        if differs {
            self.stats.count(Group::Page, "limits ignored");
        }
    }

    /// A file that every request for its URL finds was not fetched with headers.
    pub(super) fn check_found_anywhere(&mut self, key: &TaskKey) {
        let is_found =
            |task: &&Task| task.record.by_url == FoundByUrl::Anywhere && task.record.state == TaskState::Completed;
        let Some(task) = self.model.tasks.get(key).filter(is_found) else { return };
        let (calls, bodies) = &self.model.private;
        let is_private = calls.contains(&task.record.spec.call_token) || bodies.contains(&task.progress.body);
        assert!(!is_private, "{key:?} was fetched with headers, and is found by its URL without its session");
        self.stats.count(Group::Engine, "files found anywhere by URL");
    }

    fn check_task_answer(&mut self, key: &TaskKey, wanted: &TaskCall, answer: &Answer) {
        match answer {
            Answer::Chunk(file, _) => self.check_name(file, None),
            Answer::Serve(service) => self.check_name(&service.file, Some(&service.etag)),
            _ => {}
        }
        match (wanted, answer) {
            (TaskCall::Chunk { waits, .. }, Answer::Chunk(file, offset)) => {
                let stored = self.model.tasks.get(key).expect("a file is of a durable task");
                if let Some(previous) = &stored.progress.previous {
                    self.stats.count(Group::Engine, "old files read during a refresh");
                    return assert_eq!((previous.body, previous.length), (file.body, file.length));
                }
                if *waits && stored.record.state != TaskState::Completed {
                    self.stats.count(Group::Engine, "bytes read of a file on its way");
                    assert_eq!(stored.progress.body, file.body);
                    let is_there = stored.progress.received.contains(&(*offset..*offset + 1));
                    return assert!(is_there || *offset >= file.length, "bytes that are not there");
                }
                assert_eq!(stored.record.state, TaskState::Completed, "a file that is not complete");
                assert_eq!((stored.progress.body, stored.progress.received.len()), (file.body, file.length));
            }
            (TaskCall::Check { .. }, Answer::Check(..)) => self.stats.count(Group::Engine, "chunks read by the worker"),
            (TaskCall::Serve { .. }, Answer::Serve(service)) => {
                let progress = &self.model.tasks.get(key).expect("a file is of a durable task").progress;
                let previous = progress.previous.as_ref().map(|previous| previous.body);
                assert_eq!(service.file.body, previous.unwrap_or(progress.body));
                self.stats.count(Group::Engine, "requests for a file's URL answered");
            }
            (TaskCall::Release, Answer::Released) => {
                assert!(!self.model.tasks.contains_key(key), "{key:?} was released, but is there");
            }
            (TaskCall::Cancel { keep: true } | TaskCall::ResumeData, Answer::ResumeData(snapshot, data)) => {
                self.check_snapshot(snapshot);
                let Some(data) = data else { return };
                self.stats.count(Group::Engine, "resume data given");
                let claim = resume_data::read(data).expect("resume data can be read");
                let stored = self.model.tasks.get(key);
                let names_it = stored.is_none_or(|stored| stored.progress.resume_data.as_ref() == Some(data));
                assert!(names_it, "resume data that is not stored with its task");
                let is_known = self.storage.has_body(claim.body);
                assert!(is_known || self.model.is_sweeping(claim.body), "resume data names nothing");
            }
            (TaskCall::MoveTo(_) | TaskCall::ReleaseFile, Answer::Task(snapshot)) => {
                self.check_snapshot(snapshot);
                self.check_cleared(key, wanted);
            }
            (wanted, Answer::Task(snapshot)) => {
                self.check_snapshot(snapshot);
                let state = &self.model.tasks[key].record.state;
                let is_done = match wanted {
                    TaskCall::Pause => !state.is_active(),
                    TaskCall::Cancel { keep: false } => state.has_ended(),
                    TaskCall::Resume => !matches!(state, TaskState::Paused | TaskState::Failed(_)),
                    TaskCall::Get
                    | TaskCall::Update(_)
                    | TaskCall::Authorize { .. }
                    | TaskCall::ExternalBegun { .. } => true,
                    _ => false,
                };
                assert!(is_done, "{wanted:?} of {key:?} was answered, but it is {state:?}");
            }
            (wanted, answer) => panic!("{wanted:?} was answered with {answer:?}"),
        }
    }

    /// Whether nothing will ever come, for this reason.
    fn explains_no_bytes(&self, call: &Call, error: &TaskError) -> bool {
        let Call::Task(key, _) = call else { return false };
        match self.model.tasks.get(key).map(|task| &task.record.state) {
            Some(TaskState::Failed(why)) => why == error,
            Some(TaskState::Cancelled) => error.code == ErrorCode::NotFinished,
            Some(TaskState::Completed) => error.code == ErrorCode::FileReleased,
            _ => false,
        }
    }

    fn check_refusal(&mut self, worker: &Worker, call: &Call, error: &TaskError) {
        let storage = &self.storage;
        let session = session_of(call);
        if waits_for_bytes(call) && self.explains_no_bytes(call, error) {
            return;
        }
        let is_right = match (call, error.code) {
            (_, ErrorCode::Storage) => storage.has_failed,
            (_, ErrorCode::QuotaExceeded) => storage.has_hit_quota,
            (Call::Open(record), ErrorCode::VersionTooLow) => {
                let stored = self.model.sessions.get(&record.id);
                stored.is_some_and(|stored| stored.configuration.version > record.configuration.version)
            }
            (Call::Open(_), _) => false,
            (_, ErrorCode::SessionNotOpen) => session.is_some_and(|session| !worker.sessions.contains_key(session)),
            (Call::Download { secrets, .. } | Call::ResumeFrom { secrets, .. }, ErrorCode::AuthorizationNotDurable) => {
                !secrets.is_empty() && self.climate.hook == 0
            }
            (Call::Download { key, spec, if_exists, .. }, code) => {
                let stored = self.model.tasks.get(key).map(|task| &task.record.spec);
                let is_other = stored.is_some_and(|stored| stored.call_token != spec.call_token);
                let other_url = stored.is_some_and(|stored| stored.url() != spec.url());
                is_other
                    && match code {
                        ErrorCode::TaskExists => *if_exists == IfExists::Error,
                        ErrorCode::IdInUse => matches!(if_exists, IfExists::Keep | IfExists::Refresh) && other_url,
                        _ => false,
                    }
            }
            (Call::ResumeFrom { data, .. }, ErrorCode::ResumeDataInvalid) => {
                self.stats.count(Group::Engine, "resume data invalid");
                resume_data::read(data).is_err()
            }
            (Call::ResumeFrom { .. }, ErrorCode::ResumeDataStale) => {
                self.stats.count(Group::Engine, "resume data stale");
                true
            }
            // Bytes that were not stored in such pieces cannot be checked by them, and those that were by nothing else.
            (Call::ResumeFrom { spec, data, .. }, ErrorCode::BadArgument) => {
                let left = resume_data::read(data).ok().and_then(|claim| self.model.detached.get(&claim.body));
                let has_pieces = left.is_some_and(|(left, _)| left.piece_length.is_some());
                spec.strong_only || spec.proof.pieces.is_some() || (has_pieces && spec.proof.expected.is_none())
            }
            (Call::ResumeFrom { key, .. }, ErrorCode::TaskExists) => self.model.tasks.contains_key(key),
            // Since the page was given the chunk, anything may have become of the file.
            (Call::Task(_, TaskCall::Check { .. }), _) => true,
            // The task has another URL than the one that the page was asked about.
            (Call::Task(_, TaskCall::Authorize { .. }), ErrorCode::IdInUse) => true,
            (Call::DownloadAll { .. }, ErrorCode::IdInUse) => true,
            (Call::Task(key, TaskCall::Chunk { .. } | TaskCall::MoveTo(_)), ErrorCode::FileReleased) => {
                self.model.tasks.get(key).is_some_and(|task| task.record.place == Place::Gone)
            }
            (Call::Task(key, TaskCall::Resume), ErrorCode::RecordDamaged) => {
                self.model.tasks.get(key).is_some_and(|task| task.record.spec.sources.is_empty())
            }
            (Call::Task(key, _), ErrorCode::TaskNotFound) => !self.model.tasks.contains_key(key),
            (Call::Task(key, TaskCall::Chunk { body: Some(body), .. }), ErrorCode::FileChanged) => {
                // Of what is not durable yet only the engine knows which version it is.
                let (length, _) = self.told.get(body).cloned().unwrap_or_default();
                let task = self.model.tasks.get(key);
                task.is_some_and(|task| {
                    let finished = file_location(task, None).ok();
                    let is_same = finished.map_or_else(
                        || !task.progress.received.is_empty() && task.progress.complete_length() == Some(length),
                        |file| file.name == *body,
                    );
                    !is_same || !body.starts_with(&task.progress.body.to_text())
                })
            }
            (Call::Task(key, wanted), ErrorCode::NotFinished) => {
                let state = self.model.tasks.get(key).map(|task| &task.record.state);
                match wanted {
                    TaskCall::Release => state.is_some_and(|state| !state.has_ended()),
                    TaskCall::Chunk { .. } | TaskCall::MoveTo(_) | TaskCall::ReleaseFile => {
                        state.is_some_and(|state| *state != TaskState::Completed)
                    }
                    _ => false,
                }
            }
            _ => false,
        };
        assert!(is_right, "{call:?} was refused for no reason: {error:?}");
    }
}

/// The session that a call is about.
fn session_of(call: &Call) -> Option<&SessionId> {
    Some(match call {
        Call::Find(..) => return None,
        Call::Open(record) => &record.id,
        Call::Download { key, .. } | Call::ResumeFrom { key, .. } | Call::Task(key, _) => &key.session,
        Call::DownloadAll { group, .. } | Call::Group(group) => &group.session,
        Call::UpdateSession(session, _)
        | Call::Select { session, .. }
        | Call::Bulk { session, .. }
        | Call::History { session, .. } => session,
    })
}
