//! What must hold of an engine's outputs, at the moment it gives them: what it asks for, what it tells pages, and
//! that it never just sits there.

use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::http::Representation;
use longhaul::engine::id::{EffectId, SessionId, TaskKey};
use longhaul::engine::input::{Call, Completion, IfExists, Loaded, TaskCall};
use longhaul::engine::output::{Answer, Query, TaskSnapshot};
use longhaul::engine::task::{TaskEvent, TaskState};
use longhaul::store::{Reader, Table};

use super::model::is_subset;
use super::stats::Group;
use super::storage::ready;
use super::worker::{DueAnswer, Worker};
use super::world::World;

/// Loads of due tasks that begin so soon after the last, and find the same, so many times, are a loop.
const TOO_SOON_MS: u64 = 1_000;
const MOST_REPEATS: u32 = 4;
/// After how long the engine gives up a load.
const LOST_AFTER_MS: u64 = 60_000;

impl World {
    /// A request asks for the first byte that is missing, and continues only what can be continued.
    pub(super) fn check_fetch(&mut self, worker: &Worker, key: &TaskKey, start: Option<u64>, if_range: Option<&str>) {
        assert_eq!(worker.live_attempts(key), 0, "{key:?} has two attempts at a time");
        if !self.is_newest(worker) {
            return;
        }
        let task = self.model.tasks.get(key).expect("only durable tasks are fetched");
        let is_active = matches!(task.record.state, TaskState::Active { .. });
        assert!(is_active, "{key:?} is fetched, but is {:?}", task.record.state);
        let (received, kept) = (&task.progress.received, task.progress.representation.as_ref());
        match start {
            Some(start) => assert_eq!(start, received.first_gap(), "{key:?} asks for other bytes than are missing"),
            None => assert!(received.is_empty(), "{key:?} asks for everything although it has {received:?}"),
        }
        if start.is_some_and(|start| start > 0) {
            let is_resumable = kept.is_some_and(Representation::is_resumable);
            assert!(is_resumable, "{key:?} continues what cannot be continued");
            let is_whole = kept.is_some_and(|kept| kept.complete_length == start);
            assert!(!is_whole, "{key:?} has every byte and asks for more");
            self.stats.count(Group::Engine, "resumed attempts");
        }
        if let Some(tag) = if_range {
            let is_ours = kept.and_then(|kept| kept.etag.as_deref()) == Some(tag);
            assert!(is_ours && tag.starts_with('"'), "If-Range {tag} is not the strong tag of what is kept");
        }
    }

    /// Tasks that are due, and dead bodies, are looked for once at a time.
    pub(super) fn check_load(&self, worker: &mut Worker, id: EffectId, query: &Query) {
        let kind = match query {
            Query::Due { .. } => "due tasks",
            Query::DeadBody { .. } => "a dead body",
            _ => return,
        };
        let other = worker.single_loads.insert(kind, (id, self.now));
        let is_only = other.is_none_or(|(_, began_at)| self.now - began_at >= LOST_AFTER_MS);
        assert!(is_only, "two loads of {kind} at a time");
    }

    /// Whoever finds the same tasks due, again and again, does not ask at once.
    pub(super) fn check_load_answer(&mut self, number: u64, effect: EffectId, completion: &Completion) {
        let now = self.now;
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.number == number) else { return };
        let began_at = worker.single_loads.get("due tasks").filter(|(load, _)| *load == effect).map(|(_, at)| *at);
        worker.single_loads.retain(|_, (load, _)| *load != effect);
        if let (Some(began_at), Completion::Loaded(Ok(Loaded::Tasks(tasks)))) = (began_at, completion) {
            let keys: Vec<TaskKey> = tasks.iter().map(|task| task.record.key.clone()).collect();
            let last = &worker.due_answer;
            let is_repeated = last.keys == keys && began_at - last.at < TOO_SOON_MS;
            let repeats = if is_repeated { last.repeats + 1 } else { 0 };
            worker.due_answer = DueAnswer { at: now, keys, repeats };
            assert!(repeats < MOST_REPEATS, "the tasks that are due are loaded in a loop");
        }
    }

    /// A read takes the next bytes, one buffer at a time, and never bytes that are durable.
    pub(super) fn check_read(&self, worker: &Worker, id: EffectId, offset: u64) {
        let attempt = worker.attempts.get(&id).filter(|attempt| !attempt.is_aborted);
        let attempt = attempt.expect("only live attempts are read");
        assert!(attempt.head.is_none(), "a body is read before its head has come");
        assert!(attempt.read.is_none(), "an attempt has two reads at a time");
        let held = worker.buffers.values().filter(|buffer| buffer.attempt == id).count();
        assert_eq!(held, 0, "an attempt reads on although a buffer is ready");
        let at = attempt.body.start + attempt.body.consumed;
        assert_eq!(at, offset, "a read is taken for other bytes than it will bring");
        if self.is_newest(worker) {
            let durable = self.model.tasks.get(&attempt.key).map_or(0, |task| task.progress.received.first_gap());
            assert!(durable <= offset, "bytes from {offset} are read although {durable} are durable");
        }
    }

    /// Events go to the delegate, in order, none left out, each once for each time it attaches.
    pub(super) fn check_delivery(
        &mut self,
        worker: &mut Worker,
        page: usize,
        session: &SessionId,
        events: &[TaskEvent],
    ) {
        let is_newest = self.is_newest(worker);
        let delegate = worker.delegates.get_mut(session).filter(|delegate| delegate.page == page);
        let delegate = delegate.expect("events are delivered to the delegate only");
        for event in events {
            assert!(delegate.posted.insert(event.seq), "event {} was delivered twice to one delegate", event.seq);
        }
        if !is_newest {
            return;
        }
        let outbox = &self.model.outbox[session];
        for event in events {
            assert_eq!(outbox.get(&event.seq), Some(event), "an event was delivered that is not in the outbox");
        }
        let last = events.last().map_or(0, |event| event.seq);
        for (seq, _) in outbox.range(..=last) {
            let is_known = delegate.posted.contains(seq) || self.model.events[session][seq].is_acked;
            assert!(is_known, "event {last} was delivered before event {seq}");
        }
    }

    pub(super) fn check_all_delivered(&mut self, worker: &mut Worker, page: usize, session: &SessionId) {
        self.stats.count(Group::Engine, "all events delivered");
        let is_newest = self.is_newest(worker);
        let delegate = worker.delegates.get_mut(session).filter(|delegate| delegate.page == page);
        let delegate = delegate.expect("only the delegate is told that all is delivered");
        assert!(!delegate.told_all_delivered, "the delegate was told twice that all is delivered");
        delegate.told_all_delivered = true;
        let first = self.model.outbox.get(session).and_then(|outbox| outbox.keys().next().copied());
        let is_true = first.is_none_or(|first| first > delegate.backlog);
        assert!(is_true || !is_newest, "all events were said to be delivered, but {first:?} was not");
    }

    /// What pages see is durable.
    pub(super) fn check_snapshot(&self, snapshot: &TaskSnapshot) {
        let key = &snapshot.record.key;
        let stored = self.model.tasks.get(key).expect("only durable tasks are shown");
        if stored.record.created_at != snapshot.record.created_at {
            return;
        }
        let is_visible = snapshot.record.state == stored.record.state || !snapshot.record.state.has_ended();
        assert!(is_visible, "{key:?} was shown as {:?} before that was durable", snapshot.record.state);
        if stored.progress.body == snapshot.progress.body {
            let (shown, durable) = (&snapshot.progress.received, &stored.progress.received);
            assert!(
                is_subset(shown, durable),
                "{key:?} was shown with {shown:?}, of which only {durable:?} is durable"
            );
        }
    }

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
            (Call::Open(record), Answer::Opened(version)) => {
                let stored = self.model.sessions.get(&record.id);
                assert!(stored >= Some(version), "a session is open with version {version}, but stored is {stored:?}");
                worker.sessions.insert(record.id.clone());
                let told = self.model.told_versions.entry(record.id.clone()).or_default();
                *told = (*told).max(*version);
            }
            (Call::Download { key, spec, if_exists }, Answer::Download(snapshot, created)) => {
                self.check_snapshot(snapshot);
                let stored = self.model.tasks.get(key).expect("an accepted download is durable");
                let is_own = stored.record.spec.call_token == spec.call_token;
                assert_eq!(*created, is_own, "whether the call made the task");
                let is_kept = *if_exists == IfExists::Keep && stored.record.spec.url == spec.url;
                assert!(is_own || is_kept, "a download was answered with another task");
            }
            (Call::Task(key, TaskCall::Chunk(_)), Answer::Chunk(file, _)) => {
                let stored = self.model.tasks.get(key).expect("a file is of a durable task");
                assert_eq!(stored.record.state, TaskState::Completed, "a file that is not complete");
                assert_eq!((stored.progress.body, stored.progress.received.len()), (file.body, file.length));
            }
            (Call::Task(key, TaskCall::Release), Answer::Released) => {
                assert!(!self.model.tasks.contains_key(key), "{key:?} was released, but is there");
            }
            (Call::Task(key, wanted), Answer::Task(snapshot)) => {
                self.check_snapshot(snapshot);
                let state = &self.model.tasks[key].record.state;
                let is_done = match wanted {
                    TaskCall::Pause => !matches!(state, TaskState::Active { .. }),
                    TaskCall::Cancel => state.has_ended(),
                    TaskCall::Resume => !matches!(state, TaskState::Paused | TaskState::Failed(_)),
                    TaskCall::Get => true,
                    TaskCall::Release | TaskCall::Chunk(_) => false,
                };
                assert!(is_done, "{wanted:?} of {key:?} was answered, but it is {state:?}");
            }
            (Call::Tasks { session, after, limit }, Answer::Tasks(tasks, next)) => {
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

    fn check_refusal(&self, worker: &Worker, call: &Call, error: &TaskError) {
        let storage = &self.storage;
        let is_right = match (call, error.code) {
            (_, ErrorCode::Storage) => storage.has_failed,
            (_, ErrorCode::QuotaExceeded) => storage.has_hit_quota,
            (Call::Open(record), ErrorCode::VersionTooLow) => {
                self.model.sessions.get(&record.id).is_some_and(|stored| *stored > record.configuration.version)
            }
            (Call::Open(_), _) => false,
            (
                Call::Download { key: TaskKey { session, .. }, .. }
                | Call::Task(TaskKey { session, .. }, _)
                | Call::Tasks { session, .. }
                | Call::History { session, .. },
                ErrorCode::SessionNotOpen,
            ) => !worker.sessions.contains(session),
            (Call::Download { key, spec, if_exists }, code) => {
                let stored = self.model.tasks.get(key).map(|task| &task.record.spec);
                let is_other = stored.is_some_and(|stored| stored.call_token != spec.call_token);
                is_other
                    && match code {
                        ErrorCode::TaskExists => *if_exists == IfExists::Error,
                        ErrorCode::IdInUse => {
                            *if_exists == IfExists::Keep && stored.is_some_and(|stored| stored.url != spec.url)
                        }
                        _ => false,
                    }
            }
            (Call::Task(key, _), ErrorCode::TaskNotFound) => !self.model.tasks.contains_key(key),
            (Call::Task(key, wanted), ErrorCode::NotFinished) => {
                let state = self.model.tasks.get(key).map(|task| &task.record.state);
                match wanted {
                    TaskCall::Release => state.is_some_and(|state| !state.has_ended()),
                    TaskCall::Chunk(_) => state.is_some_and(|state| *state != TaskState::Completed),
                    _ => false,
                }
            }
            _ => false,
        };
        assert!(is_right, "{call:?} was refused for no reason: {error:?}");
    }

    /// An engine that waits for nothing has delivered what there is, deleted what is acknowledged, and swept.
    fn check_idle(&self, worker: &Worker) {
        for (session, delegate) in &worker.delegates {
            // Behind events that the delegate is handling, others may have to wait.
            let Some(first) = self.model.outbox.get(session).and_then(|all| all.keys().next()) else { continue };
            assert!(*first > delegate.acked, "event {first} is acknowledged, but will never be deleted");
            assert!(delegate.posted.contains(first), "event {first} will never be delivered");
        }
        let dead = ready(self.storage.store.view().scan_index(Table::Bodies, 1)).expect("the store in memory answers");
        assert!(dead.is_empty(), "a dead body will never be swept");
    }

    /// When all outputs are drained: one wake at the most is held, and whatever is unfinished will go on.
    pub(super) fn check_drained(&self, worker: &Worker) {
        let newest = worker.newest_wake;
        let is_right = worker.wakes.iter().all(|wake| *wake == newest && worker.is_working);
        assert!(is_right, "the wakes {:?} are held; the newest is {newest}", worker.wakes);
        if self.is_newest(worker) && worker.engine.poll_timeout().is_none() {
            let waiting: Vec<_> = worker.calls.values().collect();
            assert!(waiting.is_empty(), "calls wait for nothing: {waiting:?}");
            let is_active = |state: &TaskState| matches!(state, TaskState::Active { .. });
            let stuck = self.model.tasks.values().find(|task| is_active(&task.record.state));
            assert!(stuck.is_none(), "nothing will ever go on with {stuck:?}");
            self.check_idle(worker);
        }
    }
}
