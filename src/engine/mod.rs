//! Every decision longhaul takes, as pure Rust: no clock, randomness, async, JS types or unordered iteration.
//!
//! The driver calls [`Engine::handle_input`] with the time and one [`Input`], any number of times, and then drains
//! [`Engine::poll_output`] until it returns `None`; when the time of [`Engine::poll_timeout`] has come it hands in
//! [`Input::Timeout`]. Mutate once, then drain. This file routes; the rooms beside it decide.

mod calls;
pub mod codec;
mod commits;
mod delivery;
mod download;
mod effects;
pub mod error;
pub mod http;
pub mod id;
pub mod input;
mod outbox;
pub mod output;
mod random;
mod range_set;
mod retry;
mod schedule;
pub mod session;
mod slot;
pub mod sorted_map;
mod sweep;
pub mod task;
pub mod time;
mod transfer;
mod wake;

use std::collections::VecDeque;

use delivery::Session;
use effects::Effects;
use error::TaskError;
use id::{CallId, ClientId, EffectId, SessionId, TaskKey};
use input::{CommitOutcome, Completion, FetchFailure, Input, Loaded, ReadEnd, StoreFailure};
pub use outbox::WINDOW as OUTBOX_WINDOW;
use output::{Effect, Output, Query, TaskSnapshot};
use random::Random;
pub use range_set::RangeSet;
use session::SessionRecord;
use slot::{Slot, Staged};
use sorted_map::SortedMap;
use task::{Task, TaskEvent, TaskState};
use time::Timestamp;
use wake::Wakes;

/// How many tasks that are not running are held in memory; the rest waits in storage.
pub const RESIDENT_TASKS: u32 = 64;
/// Below this many, more are loaded.
const REFILL_BELOW: usize = 16;
/// After how long an unanswered read of or write to storage counts as lost.
const STORE_DEADLINE_MS: u64 = 60_000;
/// After how long without a head, or without a single byte, an attempt counts as cut.
const STALL_DEADLINE_MS: u64 = 60_000;
/// How long to leave storage alone after it failed.
const STORE_PAUSE_MS: u64 = 5_000;

/// What a boot finds in storage: never all tasks, only what is active and due.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// All sessions.
    pub sessions: Vec<SessionSnapshot>,
    /// The active tasks that are due first.
    pub due: Vec<Task>,
    /// Whether there are more active tasks.
    pub more_due: bool,
}

/// A session as a boot finds it.
#[derive(Debug)]
pub struct SessionSnapshot {
    /// The session.
    pub record: SessionRecord,
    /// The first unacknowledged events.
    pub outbox: Vec<TaskEvent>,
    /// Whether there are more of them.
    pub more_events: bool,
    /// The last sequence number that was ever committed.
    pub last_seq: u64,
}

/// What an effect in flight is for.
#[derive(Debug)]
enum Purpose {
    LoadTask(TaskKey),
    LoadTasks(CallId, u32),
    LoadHistory(CallId),
    LoadOutbox(SessionId),
    Refill,
    FindDeadBody,
    CommitTask(TaskKey, Box<Staged>),
    CommitSession(CallId, SessionRecord),
    CommitAck(SessionId, u64),
    CommitSweep,
    Fetch(TaskKey),
    Read(TaskKey),
}

/// All sessions of one database, and the only thing that decides about them.
#[derive(Debug)]
pub struct Engine {
    now: Timestamp,
    random: Random,
    outputs: VecDeque<Output>,
    effects: Effects<Purpose>,
    sessions: SortedMap<SessionId, Session>,
    slots: SortedMap<TaskKey, Slot>,
    wakes: Wakes,
    /// Sessions whose record is on its way to storage, each with the calls that wait for that.
    opening: SortedMap<SessionId, Vec<(CallId, SessionRecord)>>,
    /// Active tasks that are not resident: when to load them, if there are any.
    refill_at: Option<Timestamp>,
    /// While such a load is in flight: the tasks that have left memory since. It may bring what they were before.
    left_since_refill: Option<Vec<TaskKey>>,
    /// Dead bodies: when to look for the next, if there may be any.
    sweep_at: Option<Timestamp>,
    /// One sweep at a time: two would find the same body.
    is_sweeping: bool,
    fenced: bool,
}

impl Engine {
    /// An engine that takes up what storage holds. `seed` comes from the browser's random source.
    pub fn restore(now: Timestamp, seed: u128, snapshot: Snapshot) -> Self {
        let mut engine = Self {
            now,
            random: Random::new(seed),
            outputs: VecDeque::new(),
            effects: Effects::default(),
            sessions: SortedMap::default(),
            slots: SortedMap::default(),
            wakes: Wakes::default(),
            opening: SortedMap::default(),
            refill_at: snapshot.more_due.then_some(now),
            left_since_refill: None,
            sweep_at: Some(now),
            is_sweeping: false,
            fenced: false,
        };
        for session in snapshot.sessions {
            engine.sessions.insert(session.record.id.clone(), Session::restore(session));
        }
        for task in snapshot.due {
            engine.admit(task);
        }
        engine.settle_down();
        engine
    }

    /// Takes in one thing that happened at `now`.
    pub fn handle_input(&mut self, now: Timestamp, input: Input) {
        self.now = self.now.max(now);
        if self.fenced {
            return;
        }
        match input {
            Input::Wake { wake, ends_at, kick } => self.handle_wake(wake, ends_at, kick),
            Input::Call(id, call) => self.handle_call(id, call),
            Input::Hello { client, session, delegate } => self.handle_hello(client, &session, delegate),
            Input::Bye { client, session } => self.handle_bye(&client, session.as_ref()),
            Input::Ack { client, session, seq } => self.handle_ack(&client, &session, seq),
            Input::Completed(id, completion) => self.handle_completion(id, completion),
            Input::Timeout => self.handle_timeout(),
        }
        self.settle_down();
    }

    /// The next thing to do; `None` when there is nothing before the next input.
    pub fn poll_output(&mut self) -> Option<Output> {
        let queued = self.outputs.pop_front();
        if queued.is_some() || self.fenced {
            return queued;
        }
        // Only now is it known whether the inputs since the last drain left anything to do.
        let working = self.has_work();
        self.wakes.poll(working)
    }

    /// When to hand in [`Input::Timeout`], if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let dues = self.slots.values().filter(|slot| !slot.busy).filter_map(Slot::due).filter(|due| *due > self.now);
        let sessions = self.sessions.values().filter_map(|session| session.retry_at);
        let refill_at = self.refill_at.filter(|at| *at > self.now || self.wants_refill());
        let refill_at = refill_at.filter(|_| self.left_since_refill.is_none());
        let sweep_at = self.sweep_at.filter(|_| !self.is_sweeping);
        let loads = [self.effects.next_deadline(), refill_at, sweep_at];
        dues.chain(sessions).chain(loads.into_iter().flatten()).min()
    }

    /// The pages attached to a session, for live progress.
    pub fn clients(&self, session: &SessionId) -> Vec<ClientId> {
        self.sessions.get(session).into_iter().flat_map(Session::clients).cloned().collect()
    }

    fn handle_timeout(&mut self) {
        while let Some(purpose) = self.effects.take_overdue(self.now) {
            match purpose {
                Purpose::Fetch(key) => {
                    let error = TaskError::new(error::ErrorCode::Network);
                    self.handle_head(&key, Err(FetchFailure { error, online: true }));
                }
                Purpose::Read(key) => self.handle_read(&key, 0, ReadEnd::Cut { online: true }),
                purpose => {
                    let lost = match purpose {
                        Purpose::CommitTask(..)
                        | Purpose::CommitSession(..)
                        | Purpose::CommitAck(..)
                        | Purpose::CommitSweep => Completion::Committed(CommitOutcome::Unknown),
                        _ => Completion::Loaded(Err(StoreFailure::Other)),
                    };
                    self.complete(purpose, lost);
                }
            }
        }
    }

    fn handle_completion(&mut self, id: EffectId, completion: Completion) {
        match self.effects.finish(id) {
            Some(purpose) => self.complete(purpose, completion),
            // Late: its task went another way. Whatever it brought is not wanted.
            None => {
                if matches!(completion, Completion::Read { len: 1.., .. }) {
                    self.outputs.push_back(Output::Discard(id));
                }
            }
        }
    }

    fn complete(&mut self, purpose: Purpose, completion: Completion) {
        match (purpose, completion) {
            (_, Completion::Committed(CommitOutcome::Fenced)) => {
                self.fenced = true;
                self.outputs.clear();
                self.outputs.push_back(Output::Fenced);
            }
            (Purpose::Fetch(key), Completion::Head(head)) => self.handle_head(&key, head),
            (Purpose::Read(key), Completion::Read { len, end }) => self.handle_read(&key, len, end),
            (Purpose::CommitTask(key, staged), Completion::Committed(outcome)) => {
                self.handle_task_committed(&key, *staged, outcome);
            }
            (Purpose::CommitSession(call, record), Completion::Committed(outcome)) => {
                self.handle_session_committed(call, record, outcome);
            }
            (Purpose::CommitAck(session, through), Completion::Committed(outcome)) => {
                self.handle_ack_committed(&session, through, outcome);
            }
            (Purpose::CommitSweep, Completion::Committed(outcome)) => self.handle_swept(outcome),
            (Purpose::LoadTask(key), Completion::Loaded(loaded)) => self.handle_task_loaded(&key, loaded),
            (Purpose::Refill, Completion::Loaded(loaded)) => self.handle_refill(loaded),
            (Purpose::LoadOutbox(session), Completion::Loaded(loaded)) => self.handle_outbox(&session, loaded),
            (Purpose::FindDeadBody, Completion::Loaded(loaded)) => self.handle_dead_body(&loaded),
            (Purpose::LoadTasks(call, limit), Completion::Loaded(loaded)) => self.reply_tasks(call, limit, loaded),
            (Purpose::LoadHistory(call), Completion::Loaded(loaded)) => self.reply_history(call, loaded),
            _ => unreachable!("an effect is answered with its own kind of completion"),
        }
    }

    /// Does what the last input made possible: loads, sweeps, starts, deliveries.
    fn settle_down(&mut self) {
        if self.fenced {
            return;
        }
        self.refill();
        self.sweep();
        self.start_what_may_run();
        self.tend_sessions();
        let left = &mut self.left_since_refill;
        self.slots.retain(|key, slot| {
            if let Some(left) = left.as_mut().filter(|_| slot.is_idle()) {
                left.push(key.clone());
            }
            !slot.is_idle()
        });
    }

    /// Takes a task out of memory.
    fn let_go(&mut self, key: &TaskKey) -> Option<Slot> {
        if let Some(left) = &mut self.left_since_refill {
            left.push(key.clone());
        }
        self.slots.remove(key)
    }

    /// Whether few of the tasks in memory could run now. Those that wait do not count: others may be due before them.
    fn wants_refill(&self) -> bool {
        let can_run = |slot: &&Slot| slot.download.is_some() || slot.due().is_some_and(|due| due <= self.now);
        self.slots.values().filter(can_run).count() < REFILL_BELOW
    }

    /// Loads active tasks from storage when few are left in memory.
    fn refill(&mut self) {
        let is_due = self.left_since_refill.is_none() && self.refill_at.is_some_and(|at| at <= self.now);
        if is_due && self.wants_refill() {
            self.refill_at = None;
            self.left_since_refill = Some(Vec::new());
            self.load(Purpose::Refill, Query::Due { limit: RESIDENT_TASKS });
        }
    }

    fn handle_refill(&mut self, loaded: Result<Loaded, StoreFailure>) {
        let left = self.left_since_refill.take().unwrap_or_default();
        let Ok(Loaded::Tasks(tasks)) = loaded else {
            self.refill_at = Some(self.now.after(STORE_PAUSE_MS));
            return;
        };
        let held = self.slots.len();
        // If there are more, they are due no earlier than the last of these.
        let more = tasks.len() >= RESIDENT_TASKS as usize;
        let next = tasks.last().and_then(|task| task.record.due()).filter(|_| more);
        for task in tasks.into_iter().filter(|task| !left.contains(&task.record.key)) {
            self.admit(task);
        }
        // All of them may be here already, waiting for what storage does not know of: it would say the same at once.
        let pause_ms = if self.slots.len() > held { 0 } else { STORE_PAUSE_MS };
        let next = next.map(|due| due.max(self.now.after(pause_ms)));
        self.refill_at = self.refill_at.into_iter().chain(next).min();
    }

    /// Takes an active task into memory. What is in memory already is younger than any load.
    fn admit(&mut self, mut task: Task) {
        if let TaskState::Active { not_before, .. } = &mut task.record.state {
            // A clock that was set back must not make it wait for ever.
            *not_before = (*not_before).min(self.now.after(retry::MAX_WAIT_MS));
        }
        self.slots.get_or_insert_with(task.record.key.clone(), || Slot::resident(task));
    }

    fn has_work(&self) -> bool {
        !self.effects.is_empty() || !self.slots.is_empty() || self.refill_at.is_some()
    }

    fn load(&mut self, purpose: Purpose, query: Query) {
        let id = self.effects.start(purpose, self.now.after(STORE_DEADLINE_MS));
        self.outputs.push_back(Output::Start(id, Effect::Load(query)));
    }

    fn commit(&mut self, purpose: Purpose, changes: Vec<output::Change>) {
        let id = self.effects.start(purpose, self.now.after(STORE_DEADLINE_MS));
        self.outputs.push_back(Output::Start(id, Effect::Commit(changes)));
    }

    fn reply(&mut self, call: CallId, result: Result<output::Answer, TaskError>) {
        self.outputs.push_back(Output::Reply(call, result));
    }

    fn snapshot(&self, task: &Task) -> TaskSnapshot {
        let slot = self.slots.get(&task.record.key);
        let mut progress = task.progress.clone();
        if let Some(reading) = slot.and_then(|slot| slot.download.as_ref()?.reading.as_ref()) {
            progress.representation = Some(reading.representation.clone());
        }
        TaskSnapshot {
            activity: slot::activity(Some(task), slot.is_some_and(|slot| slot.download.is_some()), self.now),
            record: task.record.clone(),
            progress,
            at: self.now,
        }
    }
}
