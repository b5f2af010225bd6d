//! What a worker's driver does: hands inputs to the engine, drains its outputs, carries out its effects. A kill may
//! come between any two outputs.

use std::rc::Rc;

use longhaul::engine::error::ErrorCode;
use longhaul::engine::id::{ClientId, EffectId, TaskKey};
use longhaul::engine::input::{BulkAction, Call, Input};
use longhaul::engine::output::{Answer, Change, Effect, Output, Query, Work as ToDo};
use longhaul::engine::resume_data::Detached;
use longhaul::engine::session::SessionRecord;
use longhaul::engine::task::{EventKind, TaskRecord, TaskState, WaitReason};

use super::authorization::HOOK;
use super::model::{is_opened_by, tasks_of};
use super::pages::{Page, ToPage};
use super::stats::Group;
use super::storage::{Storage, Work};
use super::worker::Worker;
use super::world::{Event, World, note};
use super::writing::Commit;

/// How long a worker lives on that nothing holds.
const REST_MS: u64 = 30_000;

impl World {
    /// Hands inputs to a worker, if it is still alive, and drains what follows from them.
    pub fn give(&mut self, number: u64, inputs: Vec<Input>) {
        let Some(at) = self.workers.iter().position(|worker| worker.number == number) else { return };
        let mut worker = self.workers.remove(at);
        let time = worker.time(self.now);
        self.count_step(&worker, &inputs);
        for input in inputs {
            note!(self, "w{number} <- {input:?}");
            worker.asked.note(&input);
            worker.engine.handle_input(time, input);
        }
        if let Some(worker) = self.drain(worker) {
            self.workers.insert(at, worker);
        }
    }

    /// Drains a worker's outputs. Returns the worker, if it lives on.
    pub fn drain(&mut self, mut worker: Worker) -> Option<Worker> {
        loop {
            if !self.is_calm && self.random.one_in(self.climate.kill_between_outputs_one_in) {
                self.stats.count(Group::Run, "kills between outputs");
                self.bury(&worker);
                return None;
            }
            let Some(output) = worker.engine.poll_output() else { break };
            note!(self, "w{} -> {output:?}", worker.number);
            if matches!(output, Output::Fenced) {
                assert!(!self.is_newest(&worker), "the newest engine was fenced");
                self.stats.count(Group::Engine, "fenced");
                self.bury(&worker);
                return None;
            }
            self.carry_out(&mut worker, output);
        }
        self.check_drained(&worker);
        self.check_crowd(&mut worker);
        self.check_waits(&mut worker);
        if worker.rests_at.is_none() && self.climate.rests > 0 && !worker.is_working && worker.wakes.is_empty() {
            worker.rests_at = Some(self.now + REST_MS);
            self.schedule(REST_MS, Event::Rest(worker.number));
        }
        Some(worker)
    }

    /// Whether a worker has the lease.
    pub fn is_newest(&self, worker: &Worker) -> bool {
        worker.epoch == self.storage.epoch
    }

    fn carry_out(&mut self, worker: &mut Worker, output: Output) {
        match output {
            Output::Start(id, effect) => self.start(worker, id, effect),
            Output::Abort(id) => {
                self.abort(worker, id);
                self.withdraw(worker, id);
            }
            Output::Hasten(id) => self.hasten(worker, id),
            Output::Discard(id) => {
                assert!(worker.buffers.remove(&id).is_some(), "a buffer was let go that the driver does not hold");
                self.stats.count(Group::Engine, "buffers let go");
            }
            Output::Reply(id, result) => {
                let waiting = worker.calls.remove(&id).expect("a call was answered that is not waiting");
                let result = match result {
                    Ok(Answer::Check(key, file, offset)) => self.try_to_read(worker, key, &file, offset),
                    result => result,
                };
                if self.is_newest(worker) {
                    self.check_reply(worker, &waiting.call, &result);
                }
                if waiting.page != HOOK {
                    self.post(waiting.page, ToPage::Reply(waiting.number, result));
                }
            }
            Output::Stand(session) => self.hook_stands(worker, session),
            Output::Deliver(client, session, events) if client == ClientId::hook() => {
                self.hook_takes(worker, session, &events);
            }
            Output::AllDelivered(client, session) if client == ClientId::hook() => {
                self.hook_has_all(worker, &session);
            }
            Output::Deliver(client, session, events) => {
                let page = self.page_of(&client);
                self.check_delivery(worker, page, &session, &events);
                self.post(page, ToPage::Events(session, events));
            }
            Output::AllDelivered(client, session) => {
                let page = self.page_of(&client);
                self.check_all_delivered(worker, page, &session);
            }
            Output::Observe(_, session, event) => {
                let is_durable = self.model.events.get(&session).is_some_and(|all| all.contains_key(&event.seq));
                assert!(is_durable || !self.is_newest(worker), "event {} was shown before it was durable", event.seq);
            }
            Output::Changed(_, snapshot) => {
                if self.is_newest(worker) {
                    self.check_snapshot(&snapshot);
                }
            }
            Output::GroupChanged(_, _, counts) => {
                self.stats.count(Group::Engine, "groups shown");
                // While a commit is in flight its member may be counted twice; the event is what has to be true.
                assert!(counts.total() <= self.climate.tasks * 2, "a group has more members than there are tasks");
            }
            Output::Released(_, key) => {
                let is_gone = !self.model.tasks.contains_key(&key) || !self.is_newest(worker);
                assert!(is_gone, "{key:?} was said to be gone");
            }
            Output::AskAuthorization(client, key, need) => {
                assert!(!need.url.contains('?'), "a page is told a signature: {need:?}");
                self.ask_authorization(client.as_ref(), key);
            }
            Output::Begin(client, key, request) => {
                let page = self.page_of(&client);
                self.ask_to_begin(worker, page, key, request);
            }
            Output::ShowEnd(..) => {}
            Output::LetGo(registration) => self.let_go_of_registration(worker, &registration),
            Output::Settle(wake, outcome) => self.check_settled(worker, wake.0, outcome),
            Output::Working(work) => {
                let wanted_at = if let ToDo::At(at) = work { at } else { None };
                let (was_working, wanted_before) = (worker.is_working, worker.wanted_at);
                (worker.is_working, worker.wanted_at) = (work == ToDo::Now, wanted_at);
                let is_news = (was_working, wanted_before) != (worker.is_working, wanted_at);
                assert!(is_news, "the engine said again what it had said");
            }
            Output::Fenced => unreachable!("handled by the caller"),
        }
    }

    fn start(&mut self, worker: &mut Worker, id: EffectId, effect: Effect) {
        worker.begun = worker.begun.filter(|(at, _)| *at == self.now).or(Some((self.now, id)));
        match effect {
            Effect::Load(query) => {
                self.stats.count(Group::Engine, load_name(&query));
                self.check_load(worker, id, &query);
                worker.queue.push_load(id, query);
                self.begin_operations(worker);
            }
            Effect::Commit(changes) => {
                for key in tasks_of(&changes) {
                    let is_asked = worker.calls.values().any(|waiting| concerns_task(&waiting.call, &key));
                    if !is_asked {
                        self.check_repeat(worker, "a commit", &key);
                    }
                }
                self.commit(worker, id, changes);
            }
            Effect::TryRoom { bytes } => {
                worker.trial = Some((id, self.now));
                self.issue(worker, Work::Room { effect: id, bytes });
            }
            Effect::Fetch { key, request } => self.fetch(worker, id, key, &request),
            Effect::Read { attempt, offset, up_to_bytes, or_after_ms, as_whole, hash } => {
                self.check_read(worker, attempt, offset, up_to_bytes, hash.as_ref());
                self.read(worker, id, (attempt, offset, up_to_bytes), (!as_whole).then_some(or_after_ms), hash);
            }
            Effect::HashStored { key, body, range, state } => {
                self.stats.count(Group::Engine, "stored bytes hashed");
                self.check_repeat(worker, "a hash", &key);
                self.issue(worker, Work::Hash { effect: id, key, body, range, state });
            }
            Effect::File { key, file, .. } => {
                self.check_repeat(worker, "a file", &key);
                self.file(worker, id, key, &file.file);
            }
            Effect::Look { registration } => self.look(worker, id, registration),
            Effect::TakeRecord { key, record } => self.take_record(worker, id, key, &record),
            Effect::Probe { url } => self.probe(worker, id, &url),
        }
    }

    fn commit(&mut self, worker: &mut Worker, id: EffectId, changes: Vec<Change>) {
        for change in &changes {
            self.note_wait(worker, change);
            self.count_change(change);
            let name = match change {
                Change::PutEvent(event) => match &event.kind {
                    EventKind::Completed { .. } => "events: completed",
                    EventKind::Failed(_) => "events: failed",
                    EventKind::Cancelled => "events: cancelled",
                    EventKind::Restarted(_) => "events: restarted",
                    EventKind::NotModified => "refresh not modified",
                    EventKind::RefreshFailed(_) => "refresh failed",
                    EventKind::GroupEnded(_) => "group completed",
                    EventKind::Moved => "events: moved",
                    EventKind::MoveFailed(_) => "events: move failed",
                    EventKind::Damaged => "events: damaged",
                },
                Change::DeleteEvents { .. } => "commits of an ack",
                Change::DeleteChunks { from: 0, .. } => "commits of a sweep",
                Change::DeleteChunks { .. } => "piece repaired",
                Change::Append { .. } => "commits of a chunk",
                Change::DetachBody(left, _) if self.model.adopted.contains(&left.body) => {
                    "bytes given back to resume data"
                }
                Change::DetachBody(..) => "bytes given up to resume data",
                _ => continue,
            };
            self.stats.count(Group::Engine, name);
        }
        if self.is_newest(worker) {
            changes.iter().for_each(|change| self.check_not_refused(worker, change));
        }
        let now = self.now;
        // That it was looked for old files opens nothing.
        let known = &worker.sessions;
        let is_noted = |record: &SessionRecord| {
            let before = known.get(&record.id);
            before.is_some_and(|before| SessionRecord { tidied_at: record.tidied_at, ..before.clone() } == *record)
        };
        let opening = changes.iter().find_map(|change| match change {
            Change::PutSession(record) if !is_noted(record) => Some((id, (record.clone(), now))),
            _ => None,
        });
        worker.opening.extend(opening);
        let dropped = changes.iter().filter_map(|change| match change {
            Change::KillBody(body) | Change::DetachBody(Detached { body, .. }, _) => Some(*body),
            // What is set aside is no more the task's own either.
            Change::PutProgress(_, progress) => progress.aside.as_ref().map(|aside| aside.body),
            _ => None,
        });
        worker.killing.insert(id, dropped.collect());
        let writes = Storage::writes(&changes, worker);
        if Storage::len_of(&writes) > 0 {
            worker.appending.insert(id, self.now);
        }
        self.check_secrets(&writes);
        let keys = tasks_of(&changes);
        let concerns = |call: &Call| match call {
            Call::Open(record) => {
                changes.iter().any(|change| matches!(change, Change::PutSession(put) if is_opened_by(put, record)))
            }
            Call::UpdateSession(..) | Call::DownloadAll { .. } | Call::Bulk { .. } => true,
            Call::Download { key, .. } | Call::Task(key, _) | Call::ResumeFrom { key, .. } => keys.contains(key),
            Call::Select { .. } | Call::History { .. } | Call::Group(_) | Call::Find(..) => false,
        };
        let calls = worker.calls.values().map(|waiting| &waiting.call).filter(|call| concerns(call)).cloned().collect();
        let time = worker.time(now).0;
        worker.queue.push_commit(id, Rc::new(Commit { changes, writes, calls, time }));
        self.begin_operations(worker);
    }

    /// A server that wants to know who asks is no failure where a page that could be asked has opened the session.
    fn check_not_refused(&mut self, worker: &Worker, change: &Change) {
        let waits =
            |state: &TaskState| matches!(state, TaskState::Active { reason: Some(WaitReason::Authorization), .. });
        let can_be_asked = |page: &Page| page.is_open && page.can_authorize;
        if let Change::PutTask(TaskRecord { state, .. }) = change
            && waits(state)
            && !self.pages.iter().any(can_be_asked)
        {
            self.stats.count(Group::Engine, "refused with no page open");
        }
        let Change::PutTask(TaskRecord { key, state: TaskState::Failed(error), .. }) = change else { return };
        let is_new = self.model.tasks.get(key).is_none_or(|task| !task.record.state.has_ended());
        if is_new && error.code == ErrorCode::HttpStatus && matches!(error.status, Some(401 | 403)) {
            let may_be_asked = worker.sessions.get(&key.session).is_some_and(|session| session.has_authorizer);
            assert!(!may_be_asked, "{key:?} failed with {error:?}, although a page could have been asked");
            self.stats.count(Group::Engine, "refused without an authorizer");
        }
    }

    /// Counts what a commit says of a task.
    fn count_change(&mut self, change: &Change) {
        match change {
            Change::PutTask(record) => {
                if let TaskState::Failed(error) = &record.state {
                    self.stats.count(Group::Errors, error.code.as_str());
                }
            }
            Change::PutProgress(key, progress) => {
                let Some(before) = self.model.tasks.get(key).map(|task| &task.progress) else { return };
                if before.bad_sources != progress.bad_sources {
                    self.stats.count(Group::Engine, "mirror dropped");
                }
                if before.bad_sources != progress.bad_sources
                    && before.body == progress.body
                    && before.repairs < progress.repairs
                {
                    self.stats.count(Group::Engine, "source of a bad piece dropped");
                }
                match (&before.aside, &progress.aside) {
                    (None, Some(_)) => self.stats.count(Group::Engine, "bytes set aside"),
                    (Some(aside), None) if aside.body == progress.body => {
                        self.stats.count(Group::Engine, "bytes taken back");
                    }
                    (Some(aside), None) if aside.received.len() <= progress.received.len() => {
                        self.stats.count(Group::Engine, "versions that proved themselves");
                    }
                    _ => {}
                }
                if before.previous.is_some() && progress.previous.is_none() && before.body == progress.body {
                    self.stats.count(Group::Engine, "refresh swapped");
                }
            }
            _ => {}
        }
    }

    pub(super) fn issue(&mut self, worker: &Worker, work: Work) {
        let climate = (!self.is_calm).then_some(&self.climate);
        let random = &mut self.random;
        let (number, at) = self.storage.issue(random, climate, self.now, worker, work);
        self.schedule_at(at, Event::Decide(number));
    }

    /// What the browser says about being online. When it is not, it does not always know.
    pub fn says_online(&mut self) -> bool {
        self.is_online || self.random.one_in(3)
    }
}

/// Whether the call may be about this task.
fn concerns_task(call: &Call, task: &TaskKey) -> bool {
    match call {
        Call::Download { key, .. } | Call::Task(key, _) | Call::ResumeFrom { key, .. } => key == task,
        Call::DownloadAll { group, .. } => group.session == task.session,
        Call::Bulk { session, .. } => *session == task.session,
        _ => false,
    }
}

fn load_name(query: &Query) -> &'static str {
    match query {
        Query::Due { .. } => "loads of due tasks",
        Query::Task(_) => "loads of a task",
        Query::TasksByKey(_) => "loads of members",
        Query::Outbox { .. } => "loads of an outbox",
        Query::DeadBodies { .. } => "loads of dead bodies",
        Query::Detached(_) => "loads of a detached body",
        Query::Counts(_) => "loads of counts",
        Query::Ended { .. } => "loads of ended tasks",
        Query::Select { .. } | Query::History { .. } | Query::ByUrl(..) => "loads for a page",
    }
}

/// The verb that a bulk call means for each of its tasks.
pub fn verb(action: BulkAction) -> longhaul::engine::input::TaskCall {
    use longhaul::engine::input::TaskCall;
    match action {
        BulkAction::Pause => TaskCall::Pause,
        BulkAction::Resume => TaskCall::Resume,
        BulkAction::Cancel => TaskCall::Cancel { keep: false },
        BulkAction::Release => TaskCall::Release,
        BulkAction::ReleaseFile => TaskCall::ReleaseFile,
    }
}
