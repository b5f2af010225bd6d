//! Every decision longhaul takes, as pure Rust: no clock, randomness, async, JS types or unordered iteration.
//!
//! The driver calls [`Engine::handle_input`] with the time and one [`Input`], any number of times, and then drains
//! [`Engine::poll_output`] until it returns `None`; when the time of [`Engine::poll_timeout`] has come it hands in
//! [`Input::Timeout`]. Mutate once, then drain. This file routes; the rooms beside it decide.

mod assumed;
mod attempt;
mod authorize;
mod backlog;
mod batch;
mod bounded;
mod calls;
mod checkpoint;
pub mod codec;
mod commits;
pub mod crash;
mod damage;
mod delivery;
mod demand;
mod due;
mod effects;
mod ending;
pub mod error;
mod explain;
mod external;
pub mod file;
mod filing;
pub mod filter;
pub mod group;
mod groups;
mod hashing;
mod heads;
mod hook;
mod hosts;
pub mod http;
pub mod id;
pub mod input;
mod mend;
mod outbox;
pub mod output;
mod pace;
pub mod place;
pub mod plan;
pub mod policy;
mod probe;
mod progress;
mod purpose;
mod random;
mod range_set;
pub mod ranges;
mod repair;
pub mod request;
pub mod resume_data;
mod retention;
pub mod retry;
mod room;
pub mod schedule;
pub mod session;
mod shed;
mod slot;
pub mod sorted_map;
mod sweep;
pub mod task;
mod tidy;
pub mod time;
mod transfer;
pub mod transport;
mod unexpected;
pub mod verbs;
mod wake;

use std::collections::VecDeque;

use authorize::Secrets;
use batch::Batch;
use calls::StagedSession;
use crash::AtWork;
use delivery::Session;
use effects::Effects;
use error::{ErrorCode, TaskError};
use group::{GroupKey, GroupRecord};
use groups::Group;
use hosts::Host;
use id::{BodyId, CallId, ClientId, EffectId, SessionId, TaskKey};
use input::{Call, CommitOutcome, Completion, Input, Loaded, StoreFailure};
pub use outbox::WINDOW as OUTBOX_WINDOW;
use output::{Effect, Output, Query, Work};
use policy::Surroundings;
use purpose::Purpose;
use random::Random;
pub use range_set::RangeSet;
use room::Room;
use session::SessionRecord;
use slot::Slot;
use sorted_map::SortedMap;
use task::TaskEvent;
use time::Timestamp;
use wake::{NEWS_MS, Wakes};

/// How many active tasks of one lane are loaded at a time.
pub const RESIDENT_PER_LANE: u32 = 32;
/// How many tasks may be in memory before those that do nothing are let go.
const CROWD: usize = 128;
/// After how long an unanswered read of or write to storage counts as lost.
const STORE_DEADLINE_MS: u64 = 60_000;
/// How long to leave storage alone after it failed.
const STORE_PAUSE_MS: u64 = 5_000;

/// What a boot finds in storage: never all tasks, only what is active and due.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// All sessions.
    pub sessions: Vec<SessionSnapshot>,
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
    /// The groups whose event has not been made.
    pub groups: Vec<GroupRecord>,
    /// Its active tasks that are due first: always [`Loaded::Due`], with no lane blocked.
    pub due: Loaded,
}

/// What an engine is made for.
#[derive(Clone, Debug)]
pub struct Setting {
    /// From the browser's random source.
    pub seed: u128,
    /// The worker's own origin.
    pub origin: String,
    /// Connections at the same time, in all.
    pub max_connections: u32,
    /// If the browser holds in memory all that an answer has brought until the answer is over: how long a file may be that
    /// is held so.
    pub most_held_bytes: Option<u64>,
}

/// All sessions of one database, and the only thing that decides about them.
#[derive(Debug)]
pub struct Engine {
    now: Timestamp,
    random: Random,
    origin: String,
    max_connections: u32,
    most_held_bytes: Option<u64>,
    outputs: VecDeque<Output>,
    effects: Effects<Purpose>,
    sessions: SortedMap<SessionId, Session>,
    slots: SortedMap<TaskKey, Slot>,
    groups: SortedMap<GroupKey, Group>,
    batches: SortedMap<u64, Batch>,
    last_batch: u64,
    wakes: Wakes,
    surroundings: Surroundings,
    /// Whether the worker's own code can supply headers or a new URL.
    hook_can_authorize: bool,
    /// Whether the worker's own code handles the events that no page takes.
    hook_handles_events: bool,
    /// Whose turn it is.
    at_work: AtWork,
    /// Headers that must not be stored. They live as long as the worker.
    secrets: SortedMap<TaskKey, Secrets>,
    /// Origins whose answers could be read: a failure there is not for want of CORS headers.
    readable_origins: SortedMap<String, ()>,
    /// Hosts that are in trouble, or were.
    hosts: Vec<Host>,
    /// Sessions whose record is on its way to storage, each with the calls that wait for that.
    opening: SortedMap<SessionId, Vec<(CallId, Call)>>,
    /// Bodies that a new task is just being made from: nobody else may, and no sweep.
    taken_up: Vec<BodyId>,
    /// Dead bodies: when to look for the next, if there may be any.
    sweep_at: Option<Timestamp>,
    /// What is known of the room that is missing.
    room: Room,
    /// Bodies whose bytes are being fetched anew, until they are swept.
    restarted: Vec<BodyId>,
    /// Sessions of which it is not known whether they are stored, each with when to store it once more.
    unknown_sessions: Vec<(Timestamp, StagedSession)>,
    /// The last time that was handed in as one that has come.
    served: Timestamp,
    /// One sweep at a time: two would find the same body.
    is_sweeping: bool,
    /// Bodies that tasks have given up since it began.
    given_up: Vec<BodyId>,
    fenced: bool,
}

impl Engine {
    /// An engine that takes up what storage holds. It begins with the first input, which should tell what the worker
    /// itself sees of its surroundings: what may not be fetched now should not be begun.
    pub fn restore(now: Timestamp, setting: Setting, snapshot: Snapshot) -> Self {
        let mut engine = Self {
            now,
            random: Random::new(setting.seed),
            origin: setting.origin,
            max_connections: setting.max_connections,
            most_held_bytes: setting.most_held_bytes,
            outputs: VecDeque::new(),
            effects: Effects::default(),
            sessions: SortedMap::default(),
            slots: SortedMap::default(),
            groups: SortedMap::default(),
            batches: SortedMap::default(),
            last_batch: 0,
            wakes: Wakes::default(),
            surroundings: Surroundings::default(),
            hook_can_authorize: false,
            hook_handles_events: false,
            at_work: AtWork::default(),
            secrets: SortedMap::default(),
            readable_origins: SortedMap::default(),
            hosts: Vec::new(),
            opening: SortedMap::default(),
            taken_up: Vec::new(),
            sweep_at: Some(now),
            room: Room::default(),
            restarted: Vec::new(),
            unknown_sessions: Vec::new(),
            served: Timestamp(0),
            is_sweeping: false,
            given_up: Vec::new(),
            fenced: false,
        };
        for mut session in snapshot.sessions {
            let id = session.record.id.clone();
            let due = std::mem::replace(&mut session.due, Loaded::Events(Vec::new()));
            for record in std::mem::take(&mut session.groups) {
                engine.groups.insert(record.key.clone(), Group::restore(record));
            }
            let is_unreadable = session.record.is_unreadable();
            engine.sessions.insert(id.clone(), Session::restore(session, now));
            if !is_unreadable {
                let due = Ok(due);
                let damaged = mend::damaged(&due);
                due.into_iter().for_each(|due| engine.admit_due(&id, due));
                damaged.iter().for_each(|key| engine.mend(key));
            }
        }
        engine
    }

    /// Takes in one thing that happened at `now`.
    pub fn handle_input(&mut self, now: Timestamp, input: Input) {
        self.now = self.now.max(now);
        if self.fenced {
            return;
        }
        match input {
            Input::Wake { wake, ends_at, is_repeated, kick } => self.handle_wake(wake, ends_at, is_repeated, kick),
            Input::Call(id, call) => self.handle_call(id, call),
            Input::Hello { client, session, delegate, can_authorize } => {
                self.handle_hello(&client, &session, delegate, can_authorize);
            }
            Input::Bye { client, session } => self.handle_bye(&client, session.as_ref()),
            Input::Ack { client, session, seq } => self.handle_ack(&client, &session, seq),
            Input::Conditions { observer, conditions } => {
                self.surroundings.tell(observer, conditions);
            }
            Input::Hook { can_authorize, handles_events } => {
                self.hook_can_authorize = can_authorize;
                self.hook_handles_events = handles_events;
            }
            Input::Forget(call) => self.forget(call),
            Input::External { registration, by_user } => self.handle_external(registration, by_user),
            Input::Unreadable { key, body, range } => self.handle_unreadable(&key, body, range),
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
        let work = if self.has_work() { Work::Now } else { Work::At(self.next_due(NEWS_MS)) };
        self.wakes.poll(self.now, work, !self.effects.is_empty())
    }

    /// When to hand in [`Input::Timeout`], if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let others = [self.effects.next_deadline(), self.wakes.next_time(self.now)];
        let others = others.into_iter().flatten().filter(|at| *at > self.served);
        others.chain(self.next_due(0)).min()
    }

    /// The pages attached to a session, for live progress.
    pub fn clients(&self, session: &SessionId) -> Vec<ClientId> {
        self.sessions.get(session).into_iter().flat_map(Session::clients).cloned().collect()
    }

    fn handle_timeout(&mut self) {
        self.served = self.now;
        while let Some((id, purpose)) = self.effects.take_overdue(self.now) {
            let lost = match purpose {
                Purpose::Fetch(_) => Completion::Head(Err(heads::no_head())),
                Purpose::Read(..) => Completion::Read { len: 0, end: input::ReadEnd::Cut { online: true }, hash: None },
                Purpose::HashFile(_) | Purpose::HashPiece(..) => Completion::Hashed(Err(StoreFailure::Other)),
                Purpose::Probe(_) => Completion::Probed(false),
                Purpose::TryRoom => Completion::Room(false),
                Purpose::File(_) => {
                    self.outputs.push_back(Output::Abort(id));
                    Completion::Filed(Err(TaskError::new(ErrorCode::DestinationFailed)))
                }
                Purpose::Look(_) => Completion::Looked(input::Look::Found { is_over: false, ready: Vec::new() }),
                Purpose::CommitTask(..)
                | Purpose::CommitSession(..)
                | Purpose::CommitGroup(..)
                | Purpose::CommitAck(..)
                | Purpose::CommitTidied
                | Purpose::CommitSweep { .. } => {
                    // Before the load that asks what became of it.
                    self.outputs.push_back(Output::Abort(id));
                    Completion::Committed(CommitOutcome::Unknown)
                }
                _ => {
                    self.outputs.push_back(Output::Abort(id));
                    Completion::Loaded(Err(StoreFailure::Other))
                }
            };
            self.complete(id, purpose, lost);
        }
        let keys: Vec<TaskKey> = self.slots.keys().cloned().collect();
        for key in keys {
            self.read_on(&key);
        }
    }

    fn handle_completion(&mut self, id: EffectId, completion: Completion) {
        match self.effects.finish(id) {
            Some(purpose) => self.complete(id, purpose, completion),
            // Late: its task went another way. Whatever it brought is not wanted.
            None => {
                if matches!(completion, Completion::Read { len: 1.., .. }) {
                    self.outputs.push_back(Output::Discard(id));
                }
            }
        }
    }

    fn complete(&mut self, id: EffectId, purpose: Purpose, completion: Completion) {
        match (purpose, completion) {
            (_, Completion::Committed(CommitOutcome::Fenced)) => {
                self.fenced = true;
                self.outputs.clear();
                self.outputs.push_back(Output::Fenced);
            }
            (Purpose::Fetch(key), Completion::Head(head)) => self.handle_head(&key, id, head),
            (Purpose::Read(key, attempt), Completion::Read { len, end, hash }) => {
                self.handle_read(&key, attempt, len, end, hash);
            }
            (Purpose::HashFile(key), Completion::Hashed(hashed)) => self.handle_file_hashed(&key, hashed),
            (Purpose::HashPiece(key, piece), Completion::Hashed(hashed)) => {
                self.handle_piece_hashed(&key, piece, hashed);
            }
            (Purpose::File(key), Completion::Filed(result)) => self.handle_filed(&key, result),
            (Purpose::Probe(key), Completion::Probed(reachable)) => self.handle_probed(&key, reachable),
            (Purpose::TryRoom, Completion::Room(is_there)) => self.handle_room(is_there),
            (Purpose::Look(key), Completion::Looked(look)) => self.handle_looked(&key, id, look),
            (purpose, Completion::Committed(outcome)) => self.handle_committed(purpose, outcome),
            (purpose, Completion::Loaded(loaded)) => self.handle_loaded(purpose, loaded),
            _ => unreachable!("an effect is answered with its own kind of completion"),
        }
    }

    fn handle_committed(&mut self, purpose: Purpose, outcome: CommitOutcome) {
        match purpose {
            Purpose::CommitTask(key, staged) => self.handle_task_committed(&key, *staged, outcome),
            Purpose::CommitSession(staged) => self.handle_session_committed(*staged, outcome),
            Purpose::CommitGroup(key, staged) => self.handle_group_committed(&key, *staged, outcome),
            Purpose::CommitAck(session, through) => self.handle_ack_committed(&session, through, outcome),
            Purpose::CommitSweep { makes_room } => self.handle_swept(makes_room, outcome),
            // A look that was not noted is made again after the next boot.
            Purpose::CommitTidied => {}
            _ => unreachable!("only commits are answered so"),
        }
    }

    fn handle_loaded(&mut self, purpose: Purpose, loaded: Result<Loaded, StoreFailure>) {
        let damaged = mend::damaged(&loaded);
        match purpose {
            Purpose::LoadTask(key) => self.handle_task_loaded(&key, loaded),
            Purpose::LoadMembers(batch, members) => self.handle_members(batch, members, loaded),
            Purpose::LoadPage(batch) => self.handle_page(batch, loaded),
            Purpose::LoadDetached(key, take_up) => self.handle_detached(&key, *take_up, loaded),
            Purpose::LoadCounts(group) => self.handle_counts(&group, loaded),
            Purpose::LoadEnded(session) => self.handle_ended(&session, loaded),
            Purpose::Refill(session) => self.handle_refill(&session, loaded),
            Purpose::LoadOutbox(session) => self.handle_outbox(&session, loaded),
            Purpose::FindDeadBodies => self.handle_dead_bodies(loaded),
            Purpose::LoadTasks(call) => self.reply_tasks(call, loaded),
            Purpose::FindByUrl(call) => self.reply_found(call, loaded),
            Purpose::LoadHistory(call) => self.reply_history(call, loaded),
            _ => unreachable!("only loads are answered so"),
        }
        damaged.iter().for_each(|key| self.mend(key));
    }

    /// Does what the last input made possible: loads, sweeps, starts, deliveries.
    fn settle_down(&mut self) {
        if self.fenced {
            return;
        }
        self.expire();
        self.refill();
        self.sweep();
        self.tend_room();
        self.store_unknown_sessions();
        self.free_hosts();
        self.put_off();
        self.give_way();
        self.tend_external();
        self.tend_demands();
        self.start_what_may_run();
        self.tend_filings();
        self.tend_retention();
        self.tend_groups();
        self.tend_sessions();
        let idle: Vec<TaskKey> =
            self.slots.iter().filter(|(_, slot)| slot.is_idle()).map(|(key, _)| key.clone()).collect();
        for key in idle {
            self.let_go(&key);
        }
    }

    fn load(&mut self, purpose: Purpose, query: Query) {
        let id = self.effects.start(purpose, self.now.after(STORE_DEADLINE_MS));
        self.outputs.push_back(Output::Start(id, Effect::Load(query)));
    }

    fn commit(&mut self, purpose: Purpose, changes: Vec<output::Change>) {
        self.note_given_up(&changes);
        let id = self.effects.start(purpose, self.now.after(STORE_DEADLINE_MS));
        self.outputs.push_back(Output::Start(id, Effect::Commit(changes)));
    }

    fn reply(&mut self, call: CallId, result: Result<output::Answer, TaskError>) {
        self.outputs.push_back(Output::Reply(call, result));
    }
}
