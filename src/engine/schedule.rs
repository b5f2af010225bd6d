//! Who runs next: high priority first, then the sessions in turn, then the oldest; within the limits per host, per
//! session and in all. Connections are what is counted: a task may have several.

use super::id::{SessionId, TaskKey};
use super::policy::{Needs, Priority};
use super::session::Limits;
use super::sorted_map::SortedMap;
use super::task::{TaskRecord, WaitReason};
use super::time::Timestamp;

/// Connections at the same time in the whole worker, if its code sets nothing else.
pub const MAX_CONNECTIONS: u32 = 6;

/// A queue of active tasks that need the same and have the same priority. They lie together in the store's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane {
    /// Their priority.
    pub priority: Priority,
    /// What they need of the surroundings.
    pub needs: Needs,
}

impl Lane {
    /// All lanes, the first to run first.
    pub fn all() -> impl Iterator<Item = Self> {
        Priority::ALL.into_iter().flat_map(|priority| Needs::all().map(move |needs| Self { priority, needs }))
    }

    /// Its number in the store's index.
    pub fn number(self) -> u64 {
        (self.priority as u64) << 3 | u64::from(self.needs.rank())
    }

    /// Whether its tasks may not run now; `blocked` is a set of bits by [`Needs::rank`].
    pub fn is_blocked(self, blocked: u8) -> bool {
        blocked & (1 << self.needs.rank()) != 0
    }

    /// Whether its tasks wait for a good moment: they are indexed by the time when they stop waiting for it.
    pub fn is_discretionary(self) -> bool {
        self.needs.are_discretionary()
    }
}

impl TaskRecord {
    /// The lane that it waits in.
    pub fn lane(&self) -> Lane {
        // A move needs nothing of the surroundings.
        let needs = if self.state.is_active() { self.spec.policy.needs() } else { Needs::default() };
        Lane { priority: self.spec.policy.priority, needs }
    }

    /// Its place in its lane, if there is something to do: when it is due, or when it stops waiting for a good moment.
    pub fn place_in_lane(&self) -> Option<Timestamp> {
        let until = self.spec.policy.discretionary_until.filter(|_| self.state.is_active());
        self.due().map(|due| until.unwrap_or(due))
    }
}

/// A task that would like one more connection.
#[derive(Debug)]
pub struct Candidate<'a> {
    /// Which.
    pub key: &'a TaskKey,
    /// The host and port of the source it would use.
    pub host: &'a str,
    /// Its session's limits.
    pub limits: &'a Limits,
    /// Its priority.
    pub priority: Priority,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it has a connection already.
    pub is_running: bool,
}

/// Connections and running tasks, counted.
#[derive(Debug)]
pub struct Load<'a> {
    most: u32,
    connections: u32,
    by_host: SortedMap<&'a str, u32>,
    most_by_host: SortedMap<&'a str, u32>,
    tasks_by_session: SortedMap<&'a SessionId, u32>,
}

impl Default for Load<'_> {
    fn default() -> Self {
        Self::of(MAX_CONNECTIONS)
    }
}

impl<'a> Load<'a> {
    /// Nothing runs, and so many connections there may be.
    pub fn of(most: u32) -> Self {
        Self {
            most,
            connections: 0,
            by_host: SortedMap::default(),
            most_by_host: SortedMap::default(),
            tasks_by_session: SortedMap::default(),
        }
    }

    /// Counts one more running task.
    pub fn add_task(&mut self, session: &'a SessionId) {
        *self.tasks_by_session.get_or_insert_with(session, || 0) += 1;
    }

    /// Counts one more connection.
    pub fn add_connection(&mut self, host: &'a str) {
        self.connections += 1;
        *self.by_host.get_or_insert_with(host, || 0) += 1;
    }

    /// Somebody who allows a host so many connections has something to do there.
    pub fn hold(&mut self, host: &'a str, most: u32) {
        let held = self.most_by_host.get_or_insert_with(host, || most);
        *held = most.min(*held);
    }

    /// How many connections a host may have, of those that `limits` allow.
    pub fn most_of_host(&self, host: &str, limits: &Limits, is_watched: bool) -> u32 {
        let own = limits.max_per_host(is_watched);
        self.most_by_host.get(&host).map_or(own, |held| own.min(*held))
    }

    /// Whether a session runs as many tasks as it may.
    pub fn is_session_busy(&self, session: &SessionId, limits: &Limits) -> bool {
        self.of_session(session) >= limits.max_concurrent_tasks
    }

    fn of_session(&self, session: &SessionId) -> u32 {
        self.tasks_by_session.get(&session).copied().unwrap_or(0)
    }

    /// Why the candidate has to wait; `None` if it need not.
    pub fn refuses(&self, candidate: &Candidate<'_>, is_watched: bool) -> Option<WaitReason> {
        let limits = candidate.limits;
        let per_host = self.most_of_host(candidate.host, limits, is_watched);
        if !candidate.is_running && self.is_session_busy(&candidate.key.session, limits) {
            Some(WaitReason::SessionBusy)
        } else if self.by_host.get(&candidate.host).copied().unwrap_or(0) >= per_host {
            Some(WaitReason::HostBusy)
        } else if self.connections >= self.most {
            Some(WaitReason::WorkerBusy)
        } else {
            None
        }
    }
}

/// Chooses the candidates that get a connection now, given what runs. Returns their places in `candidates`.
pub fn choose<'a>(mut load: Load<'a>, candidates: &[Candidate<'a>], is_watched: bool) -> Vec<usize> {
    let mut waiting: Vec<usize> = (0..candidates.len()).collect();
    let mut chosen = Vec::new();
    loop {
        // Whoever has the least goes first, so that a session with thousands of tasks starves no other.
        let next = waiting
            .iter()
            .enumerate()
            .filter(|(_, at)| load.refuses(&candidates[**at], is_watched).is_none())
            .min_by_key(|(_, at)| {
                let candidate = &candidates[**at];
                let running = load.of_session(&candidate.key.session);
                (candidate.is_running, candidate.priority, running, candidate.created_at, candidate.key)
            })
            .map(|(position, _)| position);
        let Some(position) = next else { return chosen };
        let at = waiting.swap_remove(position);
        let candidate = &candidates[at];
        load.add_connection(candidate.host);
        if !candidate.is_running {
            load.add_task(&candidate.key.session);
        }
        chosen.push(at);
    }
}

#[cfg(test)]
mod tests {
    use super::super::id::TaskId;
    use super::*;

    fn key(session: &str, task: usize) -> TaskKey {
        TaskKey { session: SessionId::new(session), task: TaskId::new(&task.to_string()) }
    }

    fn candidate<'a>(key: &'a TaskKey, host: &'a str, limits: &'a Limits, created_at: u64) -> Candidate<'a> {
        let created_at = Timestamp(created_at);
        Candidate { key, host, limits, priority: Priority::Normal, created_at, is_running: false }
    }

    fn wide() -> Limits {
        Limits { max_concurrent_tasks: 9, max_per_host_visible: 9, ..Limits::default() }
    }

    #[test]
    fn every_limit_holds() {
        let keys: Vec<TaskKey> = (0..10).map(|n| key("a", n)).collect();
        let hosts: Vec<String> = (0..10).map(|n| format!("host{n}")).collect();
        let narrow = Limits::default();
        let same: Vec<_> = keys.iter().map(|key| candidate(key, "one", &narrow, 0)).collect();
        assert_eq!(choose(Load::default(), &same, true), [0, 1], "two connections to a host while a page is visible");
        assert_eq!(choose(Load::default(), &same, false), [0, 1, 2], "three tasks of a session");
        let limits = wide();
        let apart: Vec<_> = keys.iter().zip(&hosts).map(|(key, host)| candidate(key, host, &limits, 0)).collect();
        assert_eq!(choose(Load::default(), &apart, true).len(), MAX_CONNECTIONS as usize);
        let mut load = Load::default();
        (0..MAX_CONNECTIONS).for_each(|n| load.add_connection(&hosts[n as usize]));
        assert_eq!(load.refuses(&apart[9], true), Some(WaitReason::WorkerBusy));
        assert_eq!(choose(load, &apart, true), [] as [usize; 0], "what runs already counts");
    }

    #[test]
    fn sessions_take_turns_whatever_the_length_of_their_queues() {
        let limits = wide();
        let long: Vec<TaskKey> = (0..20).map(|n| key("long", n)).collect();
        let short = key("short", 0);
        let mut all: Vec<_> = long.iter().map(|key| candidate(key, "one", &limits, 0)).collect();
        all.push(candidate(&short, "one", &limits, 99));
        assert!(choose(Load::default(), &all, true)[..2].contains(&20), "the newcomer comes second, not last");
    }

    #[test]
    fn high_priority_goes_first_and_a_first_connection_before_a_second() {
        let limits = Limits { max_per_host_visible: 2, ..wide() };
        let keys: Vec<TaskKey> = (0..3).map(|n| key("a", n)).collect();
        let running =
            Candidate { is_running: true, priority: Priority::High, ..candidate(&keys[0], "one", &limits, 0) };
        let low = Candidate { priority: Priority::Low, ..candidate(&keys[1], "one", &limits, 0) };
        let high = Candidate { priority: Priority::High, ..candidate(&keys[2], "one", &limits, 5) };
        assert_eq!(choose(Load::default(), &[running, low, high], true), [2, 1]);
    }

    #[test]
    fn lanes_have_numbers_of_their_own() {
        let numbers: Vec<u64> = Lane::all().map(Lane::number).collect();
        assert!(numbers.is_sorted() && numbers.len() == 24);
    }
}
