//! Backlogs: the active tasks of a session that are not in memory. They lie in lanes in the store's index, and are
//! loaded lane by lane when few that could run are left. So memory follows what is active now, not what there is.

use super::delivery::Session;
use super::id::{SessionId, TaskKey};
use super::input::{Loaded, StoreFailure};
use super::output::Query;
use super::retry::MAX_WAIT_MS;
use super::schedule::Lane;
use super::slot::Slot;
use super::task::{Task, TaskState, WaitReason};
use super::time::Timestamp;
use super::{CROWD, Engine, Purpose, RESIDENT_PER_LANE, STORE_PAUSE_MS};

/// Below this many tasks of a lane that could run, more are loaded.
const REFILL_BELOW: usize = 8;

/// What a session has in storage only.
#[derive(Debug, Default)]
pub struct Backlog {
    /// Lanes that hold more than what was loaded, none of it due before.
    more: Vec<(Lane, Timestamp)>,
    /// Not to be loaded before.
    not_before: Timestamp,
    /// When a task that is not in memory stops waiting for a good moment.
    moment: Option<Timestamp>,
    /// While a load is in flight: the tasks that have left memory since. It may bring what they were before.
    left_since: Option<Vec<TaskKey>>,
}

impl Backlog {
    /// Whether tasks of this lane are in storage only that are due before.
    pub fn has_more(&self, lane: Lane, before: Timestamp) -> bool {
        self.more.iter().any(|(other, due)| *other == lane && *due < before)
    }

    /// Tasks of this lane are in storage only, the first of them in order due then.
    pub fn note(&mut self, lane: Lane, due: Timestamp) {
        match self.more.iter_mut().find(|(other, _)| *other == lane) {
            Some((_, first)) => *first = due.min(*first),
            None => self.more.push((lane, due)),
        }
    }

    /// Storage failed, and what it holds is not known: everything is to be looked up, after a pause.
    pub fn load_all_after(&mut self, not_before: Timestamp) {
        self.not_before = not_before;
        Lane::all().for_each(|lane| self.note(lane, Timestamp(0)));
    }

    /// When there will be something to be loaded that is not to be loaded now.
    pub fn next_time(&self, now: Timestamp) -> Option<Timestamp> {
        let is_idle = self.left_since.is_none();
        let later = self.more.iter().map(|(_, due)| self.not_before.max(*due)).filter(|at| *at > now);
        let moment = self.moment.map(|moment| moment.max(self.not_before));
        later.chain(moment).min().filter(|_| is_idle)
    }
}

impl Session {
    /// When something is to be done about it, if nothing happens before.
    pub(super) fn next_time(&self, now: Timestamp) -> Option<Timestamp> {
        let backlog = self.backlog.next_time(now).filter(|_| !self.record.is_unreadable());
        [self.retry_at, backlog, self.hook_time(now)].into_iter().flatten().min()
    }
}

impl Engine {
    /// Loads active tasks from storage where few are left in memory.
    pub(super) fn refill(&mut self) {
        let now = self.now;
        let mut wanting = Vec::new();
        for (id, session) in self.sessions.iter() {
            let backlog = &session.backlog;
            // Until it is opened nothing of it may run.
            if backlog.left_since.is_some() || backlog.not_before > now || session.record.is_unreadable() {
                continue;
            }
            if self.wants_more(id, session, now) || backlog.moment.is_some_and(|moment| moment <= now) {
                let blocked = self.surroundings.blocked_ranks_under(&session.record.configuration.limits);
                wanting.push((id.clone(), blocked));
            }
        }
        for (session, blocked) in wanting {
            if let Some(session) = self.sessions.get_mut(&session) {
                session.backlog.left_since = Some(Vec::new());
                session.backlog.moment = None;
                // Of those that are blocked nothing will be heard.
                session.backlog.more.retain(|(lane, _)| lane.is_blocked(blocked));
            }
            let query = Query::Due { session: session.clone(), now, blocked, limit: RESIDENT_PER_LANE };
            self.load(Purpose::Refill(session), query);
        }
    }

    /// Whether a lane of the session holds something that is due by then, and there is little of it in memory. Where there
    /// is enough, that decides whether anything can be done: all of it may wait for room.
    pub(super) fn wants_more(&self, id: &SessionId, session: &Session, by: Timestamp) -> bool {
        let blocked = self.surroundings.blocked_ranks_under(&session.record.configuration.limits);
        let is_due = |slot: &Slot| slot.out().is_none() && slot.due().is_some_and(|due| due <= self.now);
        let can_run = |slot: &&Slot| slot.is_running() || is_due(slot);
        let held = |lane: &Lane| {
            let of_session = self.slots.iter().filter(|(key, _)| key.session == *id).map(|(_, slot)| slot);
            let of_lane = of_session.filter(|slot| slot.task.as_ref().is_some_and(|task| task.record.lane() == *lane));
            of_lane.filter(can_run).count()
        };
        let is_wanted =
            |(lane, due): &(Lane, Timestamp)| *due <= by && !lane.is_blocked(blocked) && held(lane) < REFILL_BELOW;
        session.backlog.more.iter().any(is_wanted)
    }

    pub(super) fn handle_refill(&mut self, id: &SessionId, loaded: Result<Loaded, StoreFailure>) {
        let retry_at = self.now.after(STORE_PAUSE_MS);
        let Some(session) = self.sessions.get_mut(id) else { return };
        let left = session.backlog.left_since.take().unwrap_or_default();
        let Ok(Loaded::Due { tasks, more, next_at }) = loaded else {
            return session.backlog.load_all_after(retry_at);
        };
        let held = self.slots.len();
        let tasks = tasks.into_iter().filter(|task| !left.contains(&task.record.key)).collect();
        self.admit_due(id, Loaded::Due { tasks, more, next_at });
        // All of them may be here already, waiting for what storage does not know of: it would say the same at once.
        if self.slots.len() == held
            && let Some(session) = self.sessions.get_mut(id)
        {
            session.backlog.not_before = retry_at;
        }
    }

    /// Takes what a load of due tasks brought into memory.
    pub(super) fn admit_due(&mut self, id: &SessionId, due: Loaded) {
        let Loaded::Due { tasks, more, next_at } = due else { return };
        let latest = self.now.after(MAX_WAIT_MS);
        if let Some(session) = self.sessions.get_mut(id) {
            for lane in more {
                // They came in order: what was left behind is due no sooner than the last of them.
                let of_lane = tasks.iter().filter(|task| task.record.lane() == lane);
                session.backlog.note(lane, of_lane.map(storage_due).max().unwrap_or_default().min(latest));
            }
            session.backlog.moment = session.backlog.moment.into_iter().chain(next_at).min();
        }
        tasks.into_iter().for_each(|task| self.admit(task));
    }

    /// Takes an active task into memory. What is in memory already is younger than any load.
    fn admit(&mut self, mut task: Task) {
        let latest = self.now.after(MAX_WAIT_MS);
        if let TaskState::Active { not_before, reason } = &mut task.record.state
            && *reason != Some(WaitReason::EarliestBegin)
        {
            // A clock that was set back must not make it wait for ever.
            *not_before = (*not_before).min(latest);
            if *reason == Some(WaitReason::Quota) {
                self.room.doubt();
            }
        }
        let key = task.record.key.clone();
        if self.slots.get(&key).is_none() {
            self.slots.insert(key.clone(), Slot::resident(task));
            self.end_wait_for_open_host(&key);
        }
    }

    /// Takes a task out of memory.
    pub(super) fn let_go(&mut self, key: &TaskKey) -> Option<Slot> {
        let slot = self.slots.remove(key)?;
        self.note_left(key);
        let session = self.sessions.get_mut(&key.session)?;
        if let Some(left) = &mut session.backlog.left_since {
            left.push(key.clone());
        }
        if let Some(task) = slot.task.as_ref().filter(|task| task.record.due().is_some()) {
            session.backlog.note(task.record.lane(), storage_due(task));
        }
        Some(slot)
    }

    /// A queue of thousands stays in storage, but for its head, which would be loaded again at once.
    pub(super) fn let_go_if_crowded(&mut self, key: &TaskKey) {
        if self.slots.len() <= CROWD || !self.slots.get(key).is_some_and(Slot::can_wait_in_storage) {
            return;
        }
        let lane = |slot: &Slot| {
            let active = slot.task.as_ref().filter(|task| task.record.due().is_some());
            active.map(|task| task.record.lane())
        };
        let own = self.slots.get(key).and_then(lane);
        let of_lane =
            self.slots.iter().filter(|(other, slot)| other.session == key.session && lane(slot) == own).count();
        if own.is_none() || of_lane > RESIDENT_PER_LANE as usize {
            self.let_go(key);
        }
    }
}

/// When a task that is in storage only is to be looked at: one that waits for a good moment, whenever there may be one.
fn storage_due(task: &Task) -> Timestamp {
    task.record.due().filter(|_| !task.record.lane().is_discretionary()).unwrap_or_default()
}
