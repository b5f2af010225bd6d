//! A task that may work is not kept waiting for its hosts without a reason: each of them is being asked, or was found in
//! trouble and has its pause. What the reason is follows from the requests alone.

use std::collections::{BTreeMap, BTreeSet};

use longhaul::engine::error::ErrorCode;
use longhaul::engine::id::{EffectId, TaskKey};
use longhaul::engine::input::{Arrived, FetchFailure};
use longhaul::engine::output::Change;
use longhaul::engine::retry::MAX_BACKOFF_MS;
use longhaul::engine::task::{Task, TaskState, WaitReason};
use longhaul::engine::time::Timestamp;

use super::stats::Group;
use super::worker::{Attempt, Worker};
use super::world::World;

/// Why a task waits for a host.
pub const ASKED: &str = "waits for a host that is asked";
pub const PAUSED: &str = "waits for a host that has its pause";
/// For how long a server may close a host to all tasks, and for how long being offline does, at most.
const LONGEST_PAUSE_MS: u64 = 3_600_000;
/// After how long a probe is given up.
const PROBE_MS: u64 = 15_000;
/// How many pauses are added where other tasks are to have their turn.
const SPREAD: u64 = 4;
/// How long before its end a wake begins nothing more.
const ENDING_MS: u64 = 1_000;

/// What a worker has heard of the hosts.
#[derive(Debug, Default)]
pub struct Hosts {
    /// Requests without an answer, and probes.
    open: BTreeMap<EffectId, Open>,
    /// Those in trouble.
    troubled: BTreeMap<String, Troubled>,
    /// The longest pause that there may have been.
    longest_pause_ms: u64,
    /// Until when tasks wait as this worker has stored it.
    stored: BTreeSet<(TaskKey, Timestamp)>,
}

#[derive(Debug)]
struct Open {
    host: String,
    begun_at: u64,
    /// When the engine gives it up.
    lost_at: u64,
    is_probe: bool,
}

#[derive(Debug)]
struct Troubled {
    times: u32,
    /// When the last request failed.
    at: u64,
    /// Whether a request that began after that has ended without an answer: it was the first, and the next may follow.
    is_free: bool,
}

impl Hosts {
    fn begin(&mut self, id: EffectId, host: &str, begun_at: u64, lost_at: u64, is_probe: bool) {
        self.open.insert(id, Open { host: host.into(), begun_at, lost_at, is_probe });
    }

    /// A request has met trouble, or what may be taken for it.
    fn meet(&mut self, host: &str, now: u64, may_be_long: bool) {
        let troubled = self.troubled.entry(host.into()).or_insert(Troubled { times: 0, at: now, is_free: false });
        *troubled = Troubled { times: troubled.times + 1, at: now, is_free: false };
        let doublings = 1_u64.checked_shl(troubled.times - 1).unwrap_or(u64::MAX);
        let backoff_ms = doublings.saturating_mul(1_000).min(MAX_BACKOFF_MS);
        let pause_ms = if may_be_long { LONGEST_PAUSE_MS } else { backoff_ms };
        self.longest_pause_ms = self.longest_pause_ms.max(pause_ms);
    }

    /// A request has ended, and what it met says nothing of the host.
    fn end_in_silence(&mut self, open: &Open) {
        if let Some(troubled) = self.troubled.get_mut(&open.host).filter(|troubled| troubled.at < open.begun_at) {
            troubled.is_free = true;
        }
    }

    /// Probes that the engine has given up have found nothing.
    fn forget_lost_probes(&mut self, now: u64) {
        let lost = |(_, open): &(&EffectId, &Open)| open.is_probe && open.lost_at <= now;
        let lost: Vec<EffectId> = self.open.iter().filter(lost).map(|(id, _)| *id).collect();
        for open in lost.iter().filter_map(|id| self.open.remove(id)).collect::<Vec<_>>() {
            self.meet(&open.host, open.lost_at, false);
        }
    }

    /// Why a task may wait for the host until then; `None` if there is no reason.
    fn reason(&self, host: &str, until: u64) -> Option<&'static str> {
        let pause_ms = self.longest_pause_ms * (1 + SPREAD);
        let troubled = self.troubled.get(host).filter(|troubled| !troubled.is_free);
        match troubled {
            _ if self.open.values().any(|open| open.host == host) => Some(ASKED),
            Some(troubled) if until <= troubled.at + pause_ms => Some(PAUSED),
            _ => None,
        }
    }
}

impl Worker {
    /// A request begins.
    pub fn note_request(&mut self, id: EffectId, attempt: &Attempt, task: Option<&Task>, now: u64) {
        let is_its = |task: &&Task| task.record.spec.sources.iter().any(|source| source.url == attempt.url);
        // A request to where a server has redirected to closes no host, and opens none.
        let Some(task) = task.filter(is_its) else { return };
        let lost_at = now + task.record.spec.policy.stall_timeout_ms;
        self.hosts.begin(id, &attempt.host, now, lost_at, false);
    }

    /// The answer to it comes.
    pub fn note_answer(&mut self, id: EffectId, answer: &Result<Arrived, FetchFailure>, now: u64) {
        match answer {
            // It is over when its body is read, or let go.
            Ok(_) => {}
            Err(failure) => {
                let Some(open) = self.hosts.open.remove(&id) else { return };
                match failure.error.code {
                    ErrorCode::Network => self.hosts.meet(&open.host, now, !failure.online),
                    ErrorCode::RedirectRefused => drop(self.hosts.troubled.remove(&open.host)),
                    _ => self.hosts.end_in_silence(&open),
                }
            }
        }
    }

    /// Its body is read: the host is in no trouble.
    pub fn note_read(&mut self, id: EffectId) {
        if let Some(open) = self.hosts.open.remove(&id) {
            self.hosts.troubled.remove(&open.host);
        }
    }

    /// The engine has ended it, `has_head` if an answer had come: that may have said anything.
    pub fn note_abort(&mut self, id: EffectId, has_head: bool, is_read: bool, now: u64) {
        let Some(open) = self.hosts.open.remove(&id) else { return };
        if has_head || open.lost_at <= now || is_read {
            self.hosts.meet(&open.host, now, has_head);
        } else {
            self.hosts.end_in_silence(&open);
        }
    }

    /// A probe begins.
    pub fn note_probe(&mut self, id: EffectId, host: &str, now: u64) {
        self.hosts.begin(id, host, now, now + PROBE_MS, true);
    }

    /// A probe is over, whatever it has found.
    pub fn note_probed(&mut self, id: EffectId, now: u64) {
        if let Some(open) = self.hosts.open.remove(&id) {
            self.hosts.meet(&open.host, now, false);
        }
    }
}

impl World {
    /// Whatever waits for its hosts has a reason for each of them.
    pub(super) fn check_waits(&mut self, worker: &mut Worker) {
        worker.hosts.forget_lost_probes(self.now);
        let soon = worker.time(self.now).after(ENDING_MS);
        let ends_soon = worker.wakes.values().any(|wake| wake.ends_at.is_some_and(|at| at <= soon));
        if ends_soon || worker.has_ended_early {
            return;
        }
        for (task, until) in worker.engine.waits_for_hosts() {
            if self.is_of_another(worker, &task.record.key, until) {
                continue;
            }
            let (sources, bad) = (&task.record.spec.sources, task.progress.bad_sources);
            let is_usable = |nth: &usize| bad & (1 << nth) == 0;
            let none_is_usable = !(0..sources.len()).any(|nth| is_usable(&nth));
            let until = until.0.saturating_sub(worker.clock_ms);
            for (nth, source) in sources.iter().enumerate() {
                if !is_usable(&nth) && !(none_is_usable && nth == 0) {
                    continue;
                }
                let reason = worker.hosts.reason(&source.host, until);
                let known = worker.hosts.troubled.get(&source.host);
                let key = &task.record.key;
                assert!(reason.is_some(), "{key:?} waits until {until} for {}: {known:?}", source.host);
                self.stats.count(Group::Engine, reason.unwrap_or_default());
            }
        }
    }

    /// It stores this.
    pub(super) fn note_wait(&self, worker: &mut Worker, change: &Change) {
        if let Change::PutTask(record) = change
            && let TaskState::Active { not_before, reason: Some(WaitReason::HostBusy) } = record.state
            && !self.is_of_another(worker, &record.key, not_before)
        {
            worker.hosts.stored.insert((record.key.clone(), not_before));
        }
    }

    /// Whether a worker before this one has stored that the task waits so long. That stands; a clock that was set back makes it
    /// less.
    fn is_of_another(&self, worker: &Worker, key: &TaskKey, until: Timestamp) -> bool {
        match self.model.tasks.get(key).map(|task| &task.record.state) {
            Some(TaskState::Active { not_before, reason: Some(WaitReason::HostBusy) }) => {
                *not_before >= until && !worker.hosts.stored.contains(&(key.clone(), *not_before))
            }
            _ => false,
        }
    }
}
