//! Who runs next: the tasks that are due, oldest first, within the limits per host, per session and in all.

use super::id::{SessionId, TaskKey};
use super::sorted_map::SortedMap;
use super::time::Timestamp;

/// Tasks fetched at the same time in the whole worker.
pub const MAX_RUNNING: u32 = 6;
/// Tasks fetched at the same time from one host and port. HTTP/1.1 gives the whole browser six connections to a
/// host, and the app's own requests must not starve.
pub const MAX_RUNNING_PER_HOST: u32 = 3;

/// A task that would like to run.
#[derive(Debug)]
pub struct Candidate<'a> {
    /// Which.
    pub key: &'a TaskKey,
    /// Its host and port.
    pub host: &'a str,
    /// How many tasks its session may run.
    pub session_limit: u32,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Running tasks, counted.
#[derive(Debug, Default)]
pub struct Load<'a> {
    total: u32,
    by_host: SortedMap<&'a str, u32>,
    by_session: SortedMap<&'a SessionId, u32>,
}

impl<'a> Load<'a> {
    /// Counts one more running task.
    pub fn add(&mut self, session: &'a SessionId, host: &'a str) {
        self.total += 1;
        *self.by_host.get_or_insert_with(host, || 0) += 1;
        *self.by_session.get_or_insert_with(session, || 0) += 1;
    }

    fn has_room(&self, candidate: &Candidate<'_>) -> bool {
        let of_host = self.by_host.get(&candidate.host).copied().unwrap_or(0);
        let of_session = self.by_session.get(&&candidate.key.session).copied().unwrap_or(0);
        self.total < MAX_RUNNING && of_host < MAX_RUNNING_PER_HOST && of_session < candidate.session_limit
    }
}

/// Chooses the tasks to start now, given those that run.
pub fn choose<'a>(mut load: Load<'a>, mut candidates: Vec<Candidate<'a>>) -> Vec<TaskKey> {
    candidates.sort_unstable_by_key(|candidate| (candidate.created_at, candidate.key));
    let mut chosen = Vec::new();
    for candidate in candidates {
        if load.has_room(&candidate) {
            load.add(&candidate.key.session, candidate.host);
            chosen.push(candidate.key.clone());
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::super::id::TaskId;
    use super::*;

    fn key(session: &str, task: &str) -> TaskKey {
        TaskKey { session: SessionId::new(session), task: TaskId::new(task) }
    }

    fn candidate<'a>(key: &'a TaskKey, host: &'a str, created_at: u64) -> Candidate<'a> {
        Candidate { key, host, session_limit: 4, created_at: Timestamp(created_at) }
    }

    #[test]
    fn the_oldest_run_first_and_every_limit_holds() {
        let keys: Vec<TaskKey> = (0..10).map(|n| key(if n < 5 { "a" } else { "b" }, &n.to_string())).collect();
        let same_host = keys.iter().enumerate().map(|(n, key)| candidate(key, "one", 10 - n as u64)).collect();
        assert_eq!(choose(Load::default(), same_host), [keys[9].clone(), keys[8].clone(), keys[7].clone()]);

        let hosts: Vec<String> = (0..10).map(|n| format!("host{n}")).collect();
        let apart: Vec<_> = keys.iter().zip(&hosts).map(|(key, host)| candidate(key, host, 0)).collect();
        let chosen = choose(Load::default(), apart);
        assert_eq!(chosen.len(), MAX_RUNNING as usize);
        assert_eq!(chosen.iter().filter(|key| key.session.as_str() == "a").count(), 4, "the session's own limit");
    }

    #[test]
    fn what_runs_already_counts() {
        let (running, next) = (key("a", "1"), key("a", "2"));
        let mut load = Load::default();
        for _ in 0..MAX_RUNNING_PER_HOST {
            load.add(&running.session, "one");
        }
        assert_eq!(choose(load, vec![candidate(&next, "one", 0)]), []);
    }
}
