//! The reference model: what is durable, as far as decisions rest on it, and which changes of it are right. It is
//! told of every commit that storage has taken, and refuses those that no call, answer or rule explains.

use std::collections::{BTreeMap, BTreeSet};

use longhaul::engine::group::{GroupCounts, GroupKey, GroupRecord};
use longhaul::engine::id::{BodyId, SessionId, TaskKey};
use longhaul::engine::input::Call;
use longhaul::engine::output::Change;
use longhaul::engine::resume_data::Detached;
use longhaul::engine::session::SessionRecord;
use longhaul::engine::task::{EventKind, Subject, Task, TaskEvent, TaskState};
use longhaul::integrity::HashState;

use super::content::update;
use super::origin::Origin;
use super::steps::Step;
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
    pub sessions: BTreeMap<SessionId, SessionRecord>,
    /// What was fetched by showing headers: the calls that made the tasks, and their bodies.
    pub private: (BTreeSet<String>, BTreeSet<BodyId>),
    /// The highest version that a page was told of.
    pub told_versions: BTreeMap<SessionId, u32>,
    pub outbox: BTreeMap<SessionId, BTreeMap<u64, TaskEvent>>,
    /// Every event there ever was.
    pub events: BTreeMap<SessionId, BTreeMap<u64, Fate>>,
    pub groups: BTreeMap<GroupKey, GroupRecord>,
    /// Bodies that wait for whoever holds their resume data, each with the end of its time.
    pub detached: BTreeMap<BodyId, (Detached, u64)>,
    /// Tasks at which the component has crashed.
    pub crashed: BTreeSet<TaskKey>,
    /// How often that was counted durably. What a user does, and any byte that comes, lets a task begin to count anew.
    crashes_counted: BTreeMap<TaskKey, u64>,
    /// Tasks that were deleted.
    pub released: BTreeSet<TaskKey>,
    /// Files that a refresh has left as they were, whatever its specification promised.
    pub refreshed_in_vain: BTreeSet<BodyId>,
    /// Bodies that a task has taken up by resume data, perhaps from another URL.
    pub adopted: BTreeSet<BodyId>,
    /// The shortest time for which a session was ever set to keep files: a look may have begun with it.
    pub shortest_kept_ms: BTreeMap<SessionId, u64>,
    /// Bodies of which all bytes are at a destination.
    pub filed: BTreeSet<BodyId>,
    /// Tasks that the user has stopped in the browser's own list.
    pub stopped: BTreeSet<TaskKey>,
    /// How often each task has gone back to byte 0 since the app last had it begun.
    pub restarts: BTreeMap<TaskKey, u32>,
    /// The latest time of a commit.
    latest: u64,
    /// Bodies whose names were lost with a checkpoint. They are swept.
    pub lost_bodies: BTreeSet<BodyId>,
    /// Bodies whose rows cannot be read, or could not be.
    pub damaged_bodies: BTreeSet<BodyId>,
    /// The last hash of each body that was found to be right.
    hashes: BTreeMap<BodyId, HashState>,
}

/// A commit that storage has taken.
pub struct Committed<'a> {
    pub changes: &'a [Change],
    /// The calls that were open when it was asked for.
    pub calls: &'a [Call],
    /// What storage holds of the commit's task now.
    pub after: BTreeMap<TaskKey, Option<Task>>,
    /// What the worker's clock shows.
    pub time: u64,
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
    /// Takes in a commit.
    pub fn commit(&mut self, committed: Committed<'_>, origin: &Origin, storage: &Storage) {
        let Committed { changes, calls, after, time } = committed;
        assert!(after.len() <= 1, "a commit changes more than one task: {:?}", after.keys());
        let events: Vec<&TaskEvent> = changes.iter().filter_map(event_of).collect();
        assert!(events.len() <= 1, "a commit has two events: {events:?}");
        let event = events.first().copied();
        self.latest = self.latest.max(time);
        for change in changes {
            self.apply(change, calls, time);
        }
        if let Some(TaskEvent { subject: Subject::Group(_), .. }) = event {
            assert!(after.is_empty(), "a group's event comes with a task");
        }
        for (key, task) in after {
            let before = self.tasks.remove(&key);
            let step = Step {
                key: &key,
                before: before.as_ref(),
                after: task.as_ref(),
                event,
                calls,
                changes,
                is_adopted: before.as_ref().is_some_and(|before| self.adopted.contains(&before.progress.body)),
                has_crashed: self.crashed.contains(&key),
                is_stopped: self.stopped.contains(&key),
                groups: &self.groups,
                filed: &self.filed,
                keep_ms: self.shortest_kept_ms.get(&key.session).copied(),
                detached: &self.detached,
            };
            step.check(origin, storage, time);
            if let Some(task) = &task {
                self.check_restarts(&key, before.as_ref(), task, event);
            }
            let crashes = |task: &Option<Task>| task.as_ref().map_or(0, |task| task.progress.crashes);
            if crashes(&task) > crashes(&before) {
                *self.crashes_counted.entry(key.clone()).or_default() += 1;
            }
            if task.is_none() {
                self.released.insert(key.clone());
            }
            let kept = before.and_then(|before| before.progress.previous);
            if let (Some(kept), Some(task)) = (kept, &task)
                && kept.body == task.progress.body
            {
                self.refreshed_in_vain.insert(kept.body);
            }
            if let Some(task) = task.as_ref().filter(|task| task.record.state != TaskState::Cancelled) {
                if self.detached.remove(&task.progress.body).is_some() {
                    self.adopted.insert(task.progress.body);
                }
                self.check_hash(&key, task, storage);
            }
            self.tasks.extend(task.map(|task| (key, task)));
        }
        for change in changes {
            if let Change::DetachBody(detached, until) = change {
                self.detached.insert(detached.body, (detached.clone(), until.0));
            }
        }
    }

    fn apply(&mut self, change: &Change, calls: &[Call], time: u64) {
        match change {
            Change::PutSession(record) => self.put_session(record, calls),
            Change::PutEvent(event) => self.put_event(event),
            Change::DeleteEvents { session, through } => self.delete_events(session, *through),
            Change::PutGroup(record) => {
                self.groups.insert(record.key.clone(), record.clone());
            }
            // A body whose row cannot be read is killed once its time has come, and swept later, maybe by a clock that shows
            // less: what counts is when it is given up.
            Change::KillBody(body) => self.let_go_of_detached(*body, time),
            Change::DeleteBody(body) => {
                self.let_go_of_detached(*body, time);
                self.hashes.remove(body);
            }
            // A body's bytes have changed: what was hashed of them counts no more.
            Change::DeleteChunks { body, .. } => {
                self.hashes.remove(body);
            }
            _ => {}
        }
    }

    fn let_go_of_detached(&mut self, body: BodyId, time: u64) {
        let kept = self.detached.remove(&body);
        // Without its row nothing tells a detached body from one that a lost task has left.
        let is_over = kept.is_none_or(|(_, until)| until <= time) || self.damaged_bodies.contains(&body);
        assert!(is_over, "bytes were swept although resume data may still name them");
    }

    fn put_session(&mut self, record: &SessionRecord, calls: &[Call]) {
        let version = record.configuration.version;
        let before = self.sessions.insert(record.id.clone(), record.clone());
        if let Some(keep_ms) = record.configuration.limits.keep_ms {
            let shortest = self.shortest_kept_ms.entry(record.id.clone()).or_insert(keep_ms);
            *shortest = keep_ms.min(*shortest);
        }
        let told = self.told_versions.get(&record.id).copied().unwrap_or(0);
        assert!(told <= version, "a session's version fell from {told} to {version}");
        let is_asked = calls.iter().any(|call| match call {
            Call::Open(asked) => is_opened_by(record, asked),
            // A change whose answer was lost may or may not be part of it.
            Call::UpdateSession(id, patch) => {
                let limits = &record.configuration.limits;
                *id == record.id && limits.patched(patch) == *limits
            }
            _ => false,
        });
        let is_noted = before.is_some_and(|before| SessionRecord { tidied_at: record.tidied_at, ..before } == *record);
        assert!(is_asked || is_noted, "a session was stored that no call asked for: {record:?}");
    }

    fn put_event(&mut self, event: &TaskEvent) {
        // What opens a session is stored once more if it is not known whether it was, perhaps behind others: the engine holds
        // them back until it is.
        let is_again = event.subject == Subject::Session;
        if is_again && self.outbox.get(&event.session).and_then(|outbox| outbox.get(&event.seq)) == Some(event) {
            return;
        }
        let all = self.events.entry(event.session.clone()).or_default();
        let last = all.keys().next_back().copied().unwrap_or(0);
        assert!(event.seq > last || is_again, "event {} was stored after event {last}", event.seq);
        all.insert(event.seq, Fate::default());
        self.outbox.entry(event.session.clone()).or_default().insert(event.seq, event.clone());
        if let (EventKind::GroupEnded(counts), Subject::Group(group)) = (&event.kind, &event.subject) {
            let key = GroupKey { session: event.session.clone(), group: group.clone() };
            let record = self.groups.get(&key);
            assert!(record.is_some_and(|record| record.is_sealed), "{key:?} ended before all its members were named");
            let true_counts = self.counts(&key);
            // What a row that cannot be read had said of its task's state is counted until the task is mended.
            assert!(
                self.has_damaged_member(&key) || *counts == true_counts,
                "the event of {key:?} does not tell the truth"
            );
            assert!(counts.have_all_ended(), "{key:?} ended before its members");
        }
    }

    /// Whether a member of a group has failed, other than by what no engine has met yet.
    pub fn have_failed(&self, key: &GroupKey) -> bool {
        let mut members = self
            .tasks
            .values()
            .map(|task| &task.record)
            .filter(|record| record.key.session == key.session && record.spec.group.as_ref() == Some(&key.group));
        members.any(|record| matches!(record.state, TaskState::Failed(_)) && !record.is_unnoted())
    }

    /// Whether a member of a group cannot be read, and no engine has met it yet.
    pub fn has_damaged_member(&self, key: &GroupKey) -> bool {
        let is_member = |task: &&Task| {
            task.record.key.session == key.session && task.record.spec.group.as_ref() == Some(&key.group)
        };
        self.tasks.values().filter(is_member).any(Task::is_damaged)
    }

    /// How often a crash at this task was counted.
    pub fn crashes_counted(&self, key: &TaskKey) -> u64 {
        self.crashes_counted.get(key).copied().unwrap_or(0)
    }

    /// Whether a detached body's time is over.
    pub fn is_sweeping(&self, body: BodyId) -> bool {
        self.detached.get(&body).is_none_or(|(_, until)| *until <= self.latest)
    }

    /// How many members of a group are in which state.
    pub fn counts(&self, key: &GroupKey) -> GroupCounts {
        let mut counts = GroupCounts::default();
        for task in self.tasks.values() {
            let record = &task.record;
            if record.key.session == key.session && record.spec.group.as_ref() == Some(&key.group) {
                *counts.of_rank(record.state.rank()) += 1;
            }
        }
        counts
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

    /// A hash that is stored is that of the bytes that are stored.
    fn check_hash(&mut self, key: &TaskKey, task: &Task, storage: &Storage) {
        let Some(stored) = &task.progress.hash else { return };
        let (body, hashed) = (task.progress.body, stored.hashed_bytes());
        let known = self.hashes.get(&body);
        let known = known.filter(|state| state.algorithm() == stored.algorithm() && state.hashed_bytes() <= hashed);
        let mut state = known.cloned().unwrap_or_else(|| HashState::new(stored.algorithm()));
        let from = state.hashed_bytes();
        if from == hashed && known == Some(stored) {
            return;
        }
        // A piece that was fetched again lies before what was hashed: the checkpoint must have forgotten that hash.
        for (offset, chunk, len) in storage.chunks(body, &(from..hashed)) {
            assert_eq!(offset, state.hashed_bytes(), "{key:?} has hashed bytes that it does not have");
            chunk.iter().for_each(|piece| update(&mut state, piece));
            assert_eq!(offset + len, state.hashed_bytes());
        }
        assert!(state == *stored, "{key:?} has a hash of {hashed} bytes that is not theirs");
        self.hashes.insert(body, state);
    }
}

fn event_of(change: &Change) -> Option<&TaskEvent> {
    match change {
        Change::PutEvent(event) => Some(event),
        _ => None,
    }
}

/// Whether this is stored for a page that opens the session: what the page says, or only that it can supply headers.
pub fn is_opened_by(stored: &SessionRecord, asked: &SessionRecord) -> bool {
    let same_version = stored.configuration.version == asked.configuration.version;
    stored == asked || (stored.id == asked.id && same_version && stored.has_authorizer && asked.has_authorizer)
}
