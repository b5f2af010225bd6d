//! The reference model: what is durable, as far as decisions rest on it, and which changes of it are right. It is
//! told of every commit that storage has taken, and refuses those that no call, answer or rule explains.

use std::collections::{BTreeMap, BTreeSet};

use longhaul::engine::RangeSet;
use longhaul::engine::error::ErrorCode;
use longhaul::engine::http::Resumability;
use longhaul::engine::id::{SessionId, TaskKey};
use longhaul::engine::input::{Call, TaskCall};
use longhaul::engine::output::Change;
use longhaul::engine::task::{EventKind, Task, TaskEvent, TaskState};

use super::origin::Origin;
use super::storage::Storage;

/// What became of an event.
#[derive(Debug, Default)]
pub struct Fate {
    /// Some delegate has handled it.
    pub is_handled: bool,
    /// Some delegate has acknowledged it.
    pub is_acked: bool,
}

/// What is durable.
#[derive(Debug, Default)]
pub struct Model {
    pub tasks: BTreeMap<TaskKey, Task>,
    /// The version of each session's configuration.
    pub sessions: BTreeMap<SessionId, u32>,
    /// The highest version that a page was told of.
    pub told_versions: BTreeMap<SessionId, u32>,
    pub outbox: BTreeMap<SessionId, BTreeMap<u64, TaskEvent>>,
    /// Every event there ever was.
    pub events: BTreeMap<SessionId, BTreeMap<u64, Fate>>,
}

/// The tasks that a commit is about.
pub fn tasks_of(changes: &[Change]) -> BTreeSet<TaskKey> {
    let key = |change: &Change| match change {
        Change::PutTask(record) => Some(record.key.clone()),
        Change::DeleteTask(key) | Change::PutProgress(key, _) => Some(key.clone()),
        _ => None,
    };
    changes.iter().filter_map(key).collect()
}

impl Model {
    /// Takes in a commit that was taken by storage; `after` is what storage holds of the commit's task now.
    pub fn commit(
        &mut self,
        changes: &[Change],
        calls: &[Call],
        after: BTreeMap<TaskKey, Option<Task>>,
        origin: &mut Origin,
        storage: &Storage,
    ) {
        assert!(after.len() <= 1, "a commit changes more than one task: {:?}", after.keys());
        let event = changes.iter().find_map(|change| match change {
            Change::PutEvent(_, event) => Some(event),
            _ => None,
        });
        for change in changes {
            match change {
                Change::PutSession(record) => {
                    let version = record.configuration.version;
                    self.sessions.insert(record.id.clone(), version);
                    let told = self.told_versions.get(&record.id).copied().unwrap_or(0);
                    assert!(told <= version, "a session's version fell from {told} to {version}");
                    let is_asked = calls.iter().any(|call| matches!(call, Call::Open(asked) if asked == record));
                    assert!(is_asked, "a session was stored that no call asked for");
                }
                Change::PutEvent(session, event) => self.put_event(session, event),
                Change::DeleteEvents { session, through } => self.delete_events(session, *through),
                _ => {}
            }
        }
        for (key, task) in after {
            let before = self.tasks.remove(&key);
            let step = Step { key: &key, before: before.as_ref(), after: task.as_ref(), event, calls };
            step.check(origin, storage);
            self.tasks.extend(task.map(|task| (key, task)));
        }
    }

    fn put_event(&mut self, session: &SessionId, event: &TaskEvent) {
        let all = self.events.entry(session.clone()).or_default();
        let last = all.keys().next_back().copied().unwrap_or(0);
        assert!(event.seq > last, "event {} was stored after event {last}", event.seq);
        all.insert(event.seq, Fate::default());
        self.outbox.entry(session.clone()).or_default().insert(event.seq, event.clone());
    }

    fn delete_events(&mut self, session: &SessionId, through: u64) {
        let Some(outbox) = self.outbox.get_mut(session) else { return };
        let kept = outbox.split_off(&(through + 1));
        for seq in std::mem::replace(outbox, kept).keys() {
            let is_acked = self.events[session][seq].is_acked;
            assert!(is_acked, "event {seq} was deleted, but no delegate has acknowledged it");
        }
    }

    /// The delegate has handled an event.
    pub fn handled(&mut self, session: &SessionId, seq: u64) {
        let fate = self.events.get_mut(session).and_then(|events| events.get_mut(&seq));
        fate.expect("only events that are durable are delivered").is_handled = true;
    }

    /// The delegate acknowledges all it has handled.
    pub fn acked(&mut self, session: &SessionId, through: u64) {
        for (seq, fate) in self.events.entry(session.clone()).or_default().range_mut(..=through) {
            assert!(fate.is_handled, "event {seq} is acknowledged with {through}, but nobody has handled it");
            fate.is_acked = true;
        }
    }
}

/// One commit's change to one task.
struct Step<'a> {
    key: &'a TaskKey,
    before: Option<&'a Task>,
    after: Option<&'a Task>,
    event: Option<&'a TaskEvent>,
    calls: &'a [Call],
}

impl Step<'_> {
    fn check(&self, origin: &mut Origin, storage: &Storage) {
        assert!(self.event.is_none_or(|event| event.task == *self.key), "an event of another task: {:?}", self.event);
        match (self.before, self.after) {
            (Some(before), Some(after)) if before.record.spec.call_token == after.record.spec.call_token => {
                let (old, new) = (&before.record, &after.record);
                assert_eq!(old.created_at, new.created_at, "one call made its task twice: {:?}", self.key);
                assert_eq!(old.spec, new.spec, "a task's specification changed");
                self.check_state(before, after, origin, storage);
                self.check_progress(before, after, origin);
            }
            (Some(_), Some(after)) => self.check_created(after),
            (None, Some(after)) => self.check_created(after),
            (Some(before), None) => {
                assert!(before.record.state.has_ended(), "a task was deleted before it ended");
                self.require(TaskCall::Release);
            }
            (None, None) => panic!("a task was deleted that does not exist: {:?}", self.key),
        }
    }

    fn require(&self, wanted: TaskCall) {
        let is_asked = self.calls.iter().any(|call| matches!(call, Call::Task(_, call) if *call == wanted));
        assert!(is_asked, "{wanted:?} happened to {:?}, but no open call asks for it", self.key);
    }

    fn check_created(&self, after: &Task) {
        let is_asked =
            self.calls.iter().any(|call| matches!(call, Call::Download { spec, .. } if *spec == after.record.spec));
        assert!(is_asked, "a task was made that no open call asks for: {:?}", after.record);
        assert!(after.progress.received.is_empty(), "a new task has bytes");
        assert_eq!(after.record.state, TaskState::READY, "a new task is not ready");
        assert!(self.event.is_none(), "a new task has an event");
    }

    fn check_state(&self, before: &Task, after: &Task, origin: &mut Origin, storage: &Storage) {
        use TaskState::{Active, Cancelled, Completed, Failed, Paused};
        let kind = self.event.map(|event| &event.kind);
        match (&before.record.state, &after.record.state) {
            (Active { .. }, Active { .. }) => {
                let is_right = matches!(kind, None | Some(EventKind::Restarted(_)));
                assert!(is_right, "an active task has the event {kind:?}");
            }
            (Active { .. }, Paused) => self.require(TaskCall::Pause),
            (Paused | Failed(_), Active { .. }) => self.require(TaskCall::Resume),
            (Active { .. } | Paused, Cancelled) => {
                self.require(TaskCall::Cancel);
                assert_eq!(kind, Some(&EventKind::Cancelled), "cancelled without its event");
                assert!(after.progress.received.is_empty(), "a cancelled task has bytes");
            }
            (Active { .. }, Completed) => {
                let length = after.progress.received.len();
                assert_eq!(kind, Some(&EventKind::Completed { bytes: length }), "completed without its event");
                assert!(after.progress.received.is_exactly(length), "completed with holes");
            }
            (Active { .. }, Failed(error)) => {
                assert_eq!(kind, Some(&EventKind::Failed(error.clone())), "failed without its event");
                let is_explained = match error.code {
                    ErrorCode::QuotaExceeded => storage.has_hit_quota,
                    ErrorCode::Storage => storage.has_failed,
                    _ => origin.find(&after.record.spec.url).met.explains_failure(error),
                };
                assert!(is_explained, "nothing explains that {:?} failed with {error:?}", self.key);
            }
            (before, after) => panic!("{:?} went from {before:?} to {after:?}", self.key),
        }
    }

    fn check_progress(&self, before: &Task, after: &Task, origin: &mut Origin) {
        let restarted = match self.event.map(|event| &event.kind) {
            Some(EventKind::Restarted(reason)) => Some(*reason),
            _ => None,
        };
        let (old, new) = (&before.progress, &after.progress);
        let Some(reason) = restarted else {
            assert_eq!(old.restarts, new.restarts, "a restart without its event");
            assert_eq!(old.body, new.body, "another body without a restart");
            let is_kept = after.record.state == TaskState::Cancelled || is_subset(&old.received, &new.received);
            return assert!(is_kept, "progress fell without a restart: {:?} to {:?}", old.received, new.received);
        };
        assert_eq!(old.restarts + 1, new.restarts, "a restart that is not counted");
        assert_ne!(old.body, new.body, "a restart into the same body");
        assert!(new.received.is_empty(), "bytes survived a restart");
        assert!(!old.received.is_empty(), "a restart of a task without bytes");
        let resource = origin.find(&before.record.spec.url);
        let kept = old.representation.as_ref().map(|kept| kept.resumability);
        let is_explained = match kept {
            Some(Resumability::RestartOnly | Resumability::SizeUnknown) | None => true,
            Some(_) => resource.met.explains_restart(reason),
        };
        assert!(is_explained, "nothing explains that {:?} restarted: {reason:?}", self.key);
    }
}

/// Whether all of `part` is in `whole`.
pub fn is_subset(part: &RangeSet, whole: &RangeSet) -> bool {
    part.iter().all(|part| whole.iter().any(|whole| whole.start <= part.start && part.end <= whole.end))
}
