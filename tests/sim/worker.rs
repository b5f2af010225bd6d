//! One service worker as the driver keeps it: the engine, the attempts, buffers, calls and wakes in flight. All of
//! it dies with the worker.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use longhaul::engine::Engine;
use longhaul::engine::id::{BodyId, CallId, ClientId, EffectId, SessionId, TaskKey};
use longhaul::engine::input::{Arrived, Call, FetchFailure};
use longhaul::engine::policy::Conditions;
use longhaul::engine::session::SessionRecord;
use longhaul::engine::time::Timestamp;
use longhaul::integrity::HashState;

use super::content::Chunk;
use super::crash::Blamed;
use super::hook::Hook;
use super::network::Body;
use super::trouble::Asked;
use super::waits::Hosts;
use super::writing::Queue;

/// The time of day at which runs begin.
pub const EPOCH_MS: u64 = 1_700_000_000_000;

/// Bytes that were read, and by which attempt.
#[derive(Debug)]
pub struct Buffer {
    pub attempt: EffectId,
    pub chunk: Chunk,
}

/// A read in flight.
#[derive(Clone, Debug)]
pub struct Wish {
    pub read: EffectId,
    pub up_to_bytes: u64,
    /// Whether all of the body is wanted, or nothing.
    pub as_whole: bool,
    pub hash: Option<HashState>,
}

/// An attempt on its way.
#[derive(Debug)]
pub struct Attempt {
    pub key: TaskKey,
    pub url: String,
    pub host: String,
    /// What was asked for.
    pub range: Option<(u64, Option<u64>)>,
    /// The head, until it is handed in.
    pub head: Option<Result<Arrived, FetchFailure>>,
    pub body: Body,
    pub wish: Option<Wish>,
    /// Which bytes have been read, or are being read.
    pub claimed: Range<u64>,
    /// When something was last heard of it.
    pub heard_at: u64,
    /// The engine has ended it, but a completion may still be under way.
    pub is_aborted: bool,
}

/// A call that the engine has not answered.
#[derive(Clone, Debug)]
pub struct WaitingCall {
    pub page: usize,
    pub number: u64,
    pub call: Call,
}

/// What the delegate of a session has been posted since it attached.
#[derive(Clone, Debug)]
pub struct Delegate {
    pub page: usize,
    /// When it became the delegate.
    pub since: u64,
    pub posted: BTreeSet<u64>,
    /// The last event that it has acknowledged to this worker.
    pub acked: u64,
    /// The last event that was durable when it attached.
    pub backlog: u64,
    /// Whether it was told that the backlog is handled.
    pub told_all_delivered: bool,
}

/// An answer to the question which tasks are due.
#[derive(Debug, Default)]
pub struct DueAnswer {
    pub at: u64,
    pub keys: Vec<TaskKey>,
    /// How many answers before it, each asked for soon after the last, were the same.
    pub repeats: u32,
}

/// Bytes that a bandwidth limit lets through.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    pub since: u64,
    pub bytes: u64,
    /// The greatest limit since then.
    pub limit: u64,
}

/// An event that the worker is held for.
#[derive(Clone, Copy, Debug)]
pub struct Wake {
    /// When the browser cuts it, by the worker's clock.
    pub ends_at: Option<Timestamp>,
    /// Whether the browser repeats it if it fails.
    pub is_repeated: bool,
}

/// A running worker.
#[derive(Debug)]
pub struct Worker {
    pub number: u64,
    pub epoch: u64,
    pub engine: Engine,
    /// Operations on their way to storage.
    pub queue: Queue,
    /// What this worker's clock shows when the run's clock shows zero.
    pub clock_ms: u64,
    pub attempts: BTreeMap<EffectId, Attempt>,
    /// Files that are being written to their destinations, each with its body.
    pub filings: BTreeMap<EffectId, (TaskKey, BodyId)>,
    /// Bytes that were read and neither stored nor let go.
    pub buffers: BTreeMap<EffectId, Buffer>,
    pub calls: BTreeMap<CallId, WaitingCall>,
    pub delegates: BTreeMap<SessionId, Delegate>,
    pub hook: Hook,
    /// Sessions that it has found at its boot, or has said to be open.
    pub sessions: BTreeMap<SessionId, SessionRecord>,
    /// Sessions whose record is being committed, each with the time when that began.
    pub opening: BTreeMap<EffectId, (SessionRecord, u64)>,
    /// Bodies that a commit drops of which it has not heard yet.
    pub killing: BTreeMap<EffectId, Vec<BodyId>>,
    /// What observers have told it.
    pub told: BTreeMap<Option<ClientId>, Conditions>,
    /// Probes in flight.
    pub probes: BTreeSet<EffectId>,
    /// By task, what its own limit lets through.
    pub meters: BTreeMap<TaskKey, Meter>,
    /// Wakes that are not settled.
    pub wakes: BTreeMap<u64, Wake>,
    /// Whether the last one was settled although there was work, so that nothing is begun before the next.
    pub has_ended_early: bool,
    /// What the engine said last about having work, and about when it wants to be woken for more.
    pub is_working: bool,
    pub wanted_at: Option<Timestamp>,
    /// Nothing holds it: when the browser ends it, if no event comes before.
    pub rests_at: Option<u64>,
    /// Loads of which there is one at a time: by kind, the one in flight and when it began.
    pub single_loads: BTreeMap<(&'static str, Option<SessionId>), (EffectId, u64)>,
    /// By session, what its engine last heard about the tasks that are due.
    pub due_answers: BTreeMap<SessionId, DueAnswer>,
    /// Sessions of which it runs more tasks than they allow, each since when.
    pub crowded: BTreeMap<SessionId, u64>,
    /// Tasks that had readers while they were active: they may exceed the limits.
    pub read: BTreeSet<TaskKey>,
    /// When it was handed the last timeout, and how many there were at that time.
    pub timeouts: (u64, u32),
    /// The task at which the worker before this one crashed.
    pub blamed: Option<Blamed>,
    pub asked: Asked,
    /// Its commits of bytes, each with when it was begun.
    pub appending: BTreeMap<EffectId, u64>,
    /// The millisecond in which its engine last began an effect, and the first that it began then.
    pub begun: Option<(u64, EffectId)>,
    /// The trial for room that its engine has not given up, and when that began.
    pub trial: Option<(EffectId, u64)>,
    /// Whether it has heard that there is no room, and not since then that there is.
    pub is_full: bool,
    /// What was tried for a task since anything of it became durable: since when, and how often.
    pub repeats: BTreeMap<(&'static str, TaskKey), (u64, u32)>,
    /// What it has heard of the hosts.
    pub hosts: Hosts,
}

impl Worker {
    /// A worker whose engine has just been restored.
    pub fn new(
        number: u64,
        epoch: u64,
        clock_ms: u64,
        engine: Engine,
        sessions: BTreeMap<SessionId, SessionRecord>,
    ) -> Self {
        Self {
            number,
            epoch,
            engine,
            queue: Queue::default(),
            clock_ms,
            attempts: BTreeMap::new(),
            filings: BTreeMap::new(),
            buffers: BTreeMap::new(),
            calls: BTreeMap::new(),
            delegates: BTreeMap::new(),
            hook: Hook::default(),
            sessions,
            opening: BTreeMap::new(),
            killing: BTreeMap::new(),
            told: BTreeMap::new(),
            crowded: BTreeMap::new(),
            read: BTreeSet::new(),
            probes: BTreeSet::new(),
            meters: BTreeMap::new(),
            wakes: BTreeMap::new(),
            has_ended_early: false,
            is_working: false,
            wanted_at: None,
            rests_at: None,
            single_loads: BTreeMap::new(),
            due_answers: BTreeMap::new(),
            timeouts: (0, 0),
            blamed: None,
            asked: Asked::default(),
            appending: BTreeMap::new(),
            begun: None,
            trial: None,
            is_full: false,
            repeats: BTreeMap::new(),
            hosts: Hosts::default(),
        }
    }

    /// What its clock shows.
    pub fn time(&self, now: u64) -> Timestamp {
        Timestamp(self.clock_ms + now)
    }

    /// When it wants to be woken by the clock.
    pub fn timer(&self, now: u64) -> Option<u64> {
        self.engine.poll_timeout().map(|at| at.0.saturating_sub(self.clock_ms).max(now))
    }

    /// A new event, which is held until the engine lets go of it.
    pub fn open_wake(&mut self, name: u64, wake: Wake) {
        self.wakes.insert(name, wake);
        self.has_ended_early = false;
        self.rests_at = None;
    }

    /// The wake that ends last, or the newest of these: it is held while there is work.
    pub fn last_wake(&self) -> Option<u64> {
        let end = |wake: &Wake| wake.ends_at.map_or(u64::MAX, |ends_at| ends_at.0);
        self.wakes.iter().max_by_key(|(name, wake)| (end(wake), **name)).map(|(name, _)| *name)
    }

    /// The attempts that the engine has not ended.
    pub fn live_attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.values().filter(|attempt| !attempt.is_aborted)
    }

    /// Whether any page can be seen, as far as it was told.
    pub fn is_watched(&self) -> bool {
        self.told.values().any(|told| told.visible == Some(true))
    }

    /// Whether the network is metered, as far as it was told.
    pub fn metered(&self) -> Option<bool> {
        let known: Vec<bool> = self.told.values().filter_map(|told| told.metered).collect();
        (!known.is_empty()).then(|| known.contains(&true))
    }
}
