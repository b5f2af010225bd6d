//! The world of one run: a clock, a queue of what is going to happen, and all who take part. One seed decides
//! everything; each step hands one thing to one of them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use longhaul::engine::error::ErrorCode;
use longhaul::engine::id::{BodyId, EffectId, SessionId, TaskKey};
use longhaul::engine::input::{Completion, Input};

use super::browser::Browser;
use super::checks::LOST_AFTER_MS;
use super::climate::Climate;
use super::invariants::{check_storage, stored_task};
use super::model::{Committed, Model, tasks_of};
use super::origin::Origin;
use super::pages::{Lock, Page, ToPage, ToWorker};
use super::random::Random;
use super::stats::{Group, Stats};
use super::storage::{Answered, Operation, Outage, Storage, Work};
use super::trace::Trace;
use super::worker::Worker;
use super::writing::{Commit, Written};

use longhaul::engine::input::CommitOutcome;

/// Something that is going to happen.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a few hundred are alive at a time")]
pub enum Event {
    /// Storage decides its oldest operation.
    Decide(u64),
    /// A worker's storage operation is answered.
    Answer {
        worker: u64,
        effect: EffectId,
        completion: Completion,
    },
    /// A worker's transaction has ended.
    TransactionEnded {
        worker: u64,
        transaction: u64,
        outcome: CommitOutcome,
    },
    /// Every file that cannot be read is read.
    ReadAll,
    /// A worker has found that a chunk cannot be read.
    Unreadable {
        worker: u64,
        key: TaskKey,
        body: BodyId,
        range: Range<u64>,
    },
    /// The head of an attempt comes, or its failure.
    Head {
        worker: u64,
        attempt: EffectId,
    },
    /// A read may be done.
    Read {
        worker: u64,
        attempt: EffectId,
        read: EffectId,
    },
    /// A file is at its destination, or not.
    Filed {
        worker: u64,
        filing: EffectId,
        code: Option<ErrorCode>,
    },
    /// A probe is done.
    Probed {
        worker: u64,
        probe: EffectId,
        is_reached: bool,
    },
    /// The browser has the answer to the next request of a registration, or that ends.
    Part(String),
    /// The browser says that a registration was aborted.
    Aborted(String),
    /// The browser says how a registration stands.
    Looked {
        worker: u64,
        effect: EffectId,
        registration: String,
    },
    /// A page, or the worker's own code, supplies what a server wants.
    PageAnswers(usize, TaskKey),
    HookAnswers(TaskKey),
    /// The hook of a worker is done with its batch.
    HookHandled(u64, SessionId),
    /// A page's message reaches the newest worker.
    Receive(usize, ToWorker),
    /// A worker's message reaches a page.
    Post(usize, ToPage),
    /// A page makes its next call.
    Act(usize),
    /// A page's handler is done with the first event that waits.
    Handled(usize, SessionId),
    /// A page acknowledges what it has handled.
    Acknowledge(usize, SessionId),
    /// The session's lock goes to the next page.
    Grant(SessionId),
    /// A page tries again to open a session.
    Reopen(usize, SessionId),
    /// Who has asked this does not wait for the reply any more.
    Leave(usize, u64),
    /// A new page is opened.
    OpenPage,
    /// The browser wakes the worker by itself, once…
    Sync,
    /// …or from time to time.
    PeriodicSync,
    /// A second worker starts while the first is alive.
    Overlap,
    /// A worker is killed.
    Kill(u64),
    /// The browser ends a worker that nothing holds.
    Rest(u64),
    /// It is the time for which a worker that is gone wanted to be woken.
    Due(u64),
    /// A file on the server changes.
    Change,
    /// A host serves nothing for a while.
    Maintenance,
    /// The browser goes online or offline.
    Online(bool),
    /// The network becomes metered, or free again.
    Network,
    /// Tokens and signatures expire.
    Expire,
    /// An app changes how much may run.
    Limits,
    /// Storage begins or ends to fail.
    Outage(Option<Outage>),
    /// Nothing goes wrong from now on.
    Calm,
}

/// All of it.
#[derive(Debug)]
pub struct World {
    pub random: Random,
    /// What pages say that makes no sense: of its own, so that the rest of a seed stays what it was.
    pub nonsense: Random,
    /// What the trouble of servers is drawn from.
    pub chance: Random,
    /// Decides which rows are damaged.
    pub damage_random: Random,
    pub climate: Climate,
    pub trace: Rc<RefCell<Trace>>,
    pub stats: Stats,
    pub now: u64,
    queue: BTreeMap<(u64, u64), Event>,
    scheduled: u64,
    pub steps: u64,
    pub origin: Origin,
    pub storage: Storage,
    /// What decides about wrong clocks.
    pub clock: Random,
    /// How many steps there were at this time in which nothing became durable and no byte came.
    pub steps_at_once: (u64, u32),
    pub model: Model,
    /// The workers that are alive, the newest last.
    pub workers: Vec<Worker>,
    /// How many workers there have been.
    pub booted: u64,
    pub pages: Vec<Page>,
    /// What decides about limits that change.
    pub limiting: Random,
    /// What the browser itself fetches.
    pub browser: Browser,
    pub locks: BTreeMap<SessionId, Lock>,
    /// The sessions' identifiers, each with the highest version that a page has asked for.
    pub sessions: Vec<(SessionId, u32)>,
    pub is_online: bool,
    pub is_metered: bool,
    /// Whether the browser tells what kind of network it is.
    pub tells_network: bool,
    /// What pages were given to take up later.
    pub resume_data: Vec<Vec<u8>>,
    /// What a page was last given bytes of, or told of, by its name…
    pub last_read: Option<String>,
    /// …and by name, how long each version was said to be, and by which tag it was to be known.
    pub told: BTreeMap<String, (u64, Option<String>)>,
    /// The task at which the component has crashed, until the next worker has heard of it…
    pub blamed: Option<TaskKey>,
    /// …and the last one.
    pub crashed_at: Option<TaskKey>,
    /// How often everything that was stored was thrown away.
    pub evictions: u64,
    /// Whether faults, kills and new calls are over.
    pub is_calm: bool,
    /// The step from which on that is so.
    pub calm_from: u64,
    /// Names for calls, wakes and tokens.
    pub named: u64,
}

/// Adds a line to the trace, if lines are wanted.
macro_rules! note {
    ($world:expr, $($text:tt)*) => {
        if $world.trace.borrow().is_on() {
            let line = format!("{:>9} {}", $world.now, format_args!($($text)*));
            $world.trace.borrow_mut().add(line);
        }
    };
}
pub(super) use note;

impl World {
    /// The world of a seed, with the changes of `only`.
    pub fn new(seed: u64, only: &str, trace: Rc<RefCell<Trace>>) -> Self {
        let mut random = Random::new(seed);
        let mut climate = Climate::draw(&mut random);
        climate.most_held_bytes = Random::new(!seed).pick(&[0, 0, 0, 0, 0, 0, 1, 1, 12 << 20]);
        let mut nonsense = Random::new(seed ^ u64::from_be_bytes(*b"nonsense"));
        climate.nonsense_one_in = nonsense.pick(&[0, 0, 0, 3, 10]);
        let mut chance = Random::new(seed.rotate_left(32) ^ 0x5eed);
        climate.draw_trouble(&mut chance);
        climate.rests = Random::new(seed ^ 0x7e57).below(2);
        climate.draw_more(seed);
        let mut damage_random = Random::new(seed ^ 0xDA3A_6ED0);
        climate.damage_one_in = damage_random.pick(&[0, 0, 0, 1, 4]);
        climate.change(only);
        let mut origin = Origin::new(&mut random, &climate);
        origin.divide(&mut chance, &climate);
        origin.speak(Random::new(seed ^ 0xD1A1_EC75), &climate);
        let storage = Storage::new(seed, &climate);
        let tells_network = random.one_in(2);
        let sessions = (0..climate.sessions).map(|n| (SessionId::new(&format!("session{n}")), 1)).collect();
        let mut world = Self {
            random,
            nonsense,
            chance,
            damage_random,
            climate,
            trace,
            stats: Stats::default(),
            now: 0,
            queue: BTreeMap::new(),
            scheduled: 0,
            steps: 0,
            origin,
            storage,
            clock: Random::new(seed ^ 0x0063_6c6f_636b),
            steps_at_once: (0, 0),
            model: Model::default(),
            workers: Vec::new(),
            booted: 0,
            pages: Vec::new(),
            limiting: Random::new(0),
            browser: Browser::new(seed),
            locks: BTreeMap::new(),
            sessions,
            is_online: true,
            is_metered: false,
            tells_network,
            resume_data: Vec::new(),
            last_read: None,
            told: BTreeMap::new(),
            blamed: None,
            crashed_at: None,
            evictions: 0,
            is_calm: false,
            calm_from: 0,
            named: 0,
        };
        world.begin();
        world.begin_limits(seed);
        world
    }

    /// Lets something happen later.
    pub fn schedule(&mut self, after_ms: u64, event: Event) {
        self.schedule_at(self.now + after_ms, event);
    }

    /// Lets something happen at a time.
    pub fn schedule_at(&mut self, at: u64, event: Event) {
        self.scheduled += 1;
        self.queue.insert((at.max(self.now), self.scheduled), event);
    }

    /// A number that nothing else has.
    pub fn name(&mut self) -> u64 {
        self.named += 1;
        self.named
    }

    /// Takes the next step; false if nothing is left to happen.
    pub fn step(&mut self) -> bool {
        let now = self.now;
        let timer = self.workers.iter().filter_map(|worker| Some((worker.timer(now)?, worker.number))).min();
        let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
        self.steps += 1;
        match (timer, queued) {
            (Some((at, worker)), queued) if queued.is_none_or(|queued| at < queued) => {
                self.now = at;
                self.time_out(worker);
            }
            (_, Some(at)) => {
                self.now = at;
                let event = self.queue.pop_first().map(|(_, event)| event).expect("seen above");
                self.handle(event);
            }
            _ => return false,
        }
        if !self.is_calm && self.random.one_in(self.climate.kill_one_in) {
            self.kill_newest();
        }
        true
    }

    fn time_out(&mut self, number: u64) {
        let now = self.now;
        if let Some(worker) = self.workers.iter_mut().find(|worker| worker.number == number) {
            let (at, count) = worker.timeouts;
            worker.timeouts = if at == now { (at, count + 1) } else { (now, 1) };
            assert!(worker.timeouts.1 < 50, "the engine's timer stands still: it is always due");
            worker.trial.take_if(|(_, at)| now - *at >= LOST_AFTER_MS);
        }
        self.give(number, vec![Input::Timeout]);
        if let Some(worker) = self.workers.iter().find(|worker| worker.number == number) {
            let next = worker.engine.poll_timeout();
            assert!(next.is_none_or(|at| at > worker.time(now)), "a time that was served comes again: {next:?}");
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Decide(number) => {
                if let Some(operation) = self.storage.take(number) {
                    self.decide(operation);
                }
            }
            Event::Answer { worker, effect, completion } => {
                self.check_load_answer(worker, effect, &completion);
                self.hear_of_room(worker, effect, &completion);
                self.note_session(worker, effect, &completion);
                self.give(worker, vec![Input::Completed(effect, completion)]);
            }
            Event::TransactionEnded { worker, transaction, outcome } => {
                self.transaction_ended(worker, transaction, outcome);
            }
            Event::ReadAll => self.read_all(),
            Event::Unreadable { worker, key, body, range } => self.lost_is_heard(worker, key, body, range),
            Event::Head { worker, attempt } => self.head_comes(worker, attempt),
            Event::Read { worker, attempt, read } => self.read_is_done(worker, attempt, read),
            Event::Filed { worker, filing, code } => self.file_is_done(worker, filing, code),
            Event::Probed { worker, probe, is_reached } => self.probe_is_done(worker, probe, is_reached),
            Event::Part(registration) => self.part_comes(&registration),
            Event::Aborted(registration) => self.registration_aborted(&registration),
            Event::Looked { worker, effect, registration } => self.look_is_done(worker, effect, &registration),
            Event::PageAnswers(page, key) => self.page_answers(page, key),
            Event::HookAnswers(key) => self.hook_answers(key),
            Event::HookHandled(worker, session) => self.hook_is_done(worker, &session),
            Event::Receive(page, message) => self.receive(page, message),
            Event::Post(page, message) => self.take_post(page, message),
            Event::Act(page) => self.act(page),
            Event::Handled(page, session) => self.event_handled(page, &session),
            Event::Acknowledge(page, session) => self.acknowledge(page, &session),
            Event::Grant(session) => self.grant(&session),
            Event::Reopen(page, session) => self.reopen(page, &session),
            Event::Leave(page, number) => self.leave(page, number),
            Event::OpenPage => self.open_page(),
            Event::Sync => self.sync(),
            Event::PeriodicSync => {
                self.sync();
                self.schedule_again(120_000, Event::PeriodicSync);
            }
            Event::Overlap => self.overlap(),
            Event::Kill(worker) => self.kill(worker),
            Event::Rest(worker) => self.rest(worker),
            Event::Due(worker) => self.wake_when_due(worker),
            Event::Change => self.change_file(),
            Event::Maintenance => self.maintain(),
            Event::Online(is_online) => self.go_online(is_online),
            Event::Network => self.change_network(),
            Event::Expire => self.expire_passes(),
            Event::Limits => self.change_limits(),
            Event::Outage(outage) => self.fail_storage(outage),
            Event::Calm => self.calm_down(),
        }
    }

    /// Storage decides an operation, and answers it in its own time.
    pub fn decide(&mut self, operation: Operation) {
        let worker = operation.worker;
        let event = match &operation.work {
            Work::Load(effect, query) => {
                let completion = Completion::Loaded(self.storage.load(&operation, query));
                Event::Answer { worker, effect: *effect, completion }
            }
            Work::Write(transaction) => {
                let outcome = self.write(&operation, transaction);
                let is_told = !matches!(operation.answered, Answered::Unknown(_));
                let outcome = if is_told { outcome } else { CommitOutcome::Unknown };
                Event::TransactionEnded { worker, transaction: transaction.number, outcome }
            }
            Work::Hash { effect, .. } => {
                Event::Answer { worker, effect: *effect, completion: Completion::Hashed(self.storage.hash(&operation)) }
            }
            Work::Room { effect, bytes } => {
                let is_there = operation.fails.is_none() && self.storage.has_room(*bytes);
                let name = if is_there { "trials that find room" } else { "trials that find none" };
                self.stats.count(Group::Storage, name);
                let is_told = !matches!(operation.answered, Answered::Unknown(_));
                Event::Answer { worker, effect: *effect, completion: Completion::Room(is_there && is_told) }
            }
        };
        note!(self, "storage decides {event:?}");
        if let Answered::After(delay_ms) | Answered::Unknown(delay_ms) = operation.answered {
            if let Event::Answer { completion: Completion::Hashed(Err(_)), .. } = event
                && let Work::Hash { key, body, range, .. } = &operation.work
                && let Some(lost) = self.storage.room.lost_in(*body, range)
            {
                self.find_lost(worker, key.clone(), *body, lost, delay_ms);
            }
            self.schedule(delay_ms, event);
        }
    }

    /// Writes a transaction: all of its commits or none.
    fn write(&mut self, operation: &Operation, transaction: &Written) -> CommitOutcome {
        let refusal = self.storage.refusal(operation);
        let mut outcome = CommitOutcome::Committed;
        for (_, commit) in &transaction.commits {
            let apply = || self.storage.store.apply(operation.epoch, commit.writes.clone());
            outcome = refusal.unwrap_or_else(apply);
            self.check_outcome(operation, commit, outcome);
        }
        // A hundred tasks would make this dear after every commit.
        if outcome == CommitOutcome::Committed && (self.climate.bursts == 0 || self.steps.is_multiple_of(16)) {
            check_storage(&self.storage, &self.model, &self.origin);
        }
        outcome
    }

    fn check_outcome(&mut self, operation: &Operation, commit: &Commit, outcome: CommitOutcome) {
        let Commit { changes, calls, time, .. } = commit;
        self.stats.count(
            Group::Storage,
            match outcome {
                CommitOutcome::Committed => "committed",
                CommitOutcome::Fenced => "fenced",
                CommitOutcome::Failed(_) => "failed",
                CommitOutcome::Unknown => "lost",
            },
        );
        if outcome == CommitOutcome::Committed {
            self.steps_at_once = (self.now, 0);
            self.storage.room.committed(changes, self.is_calm);
            if let Some(worker) = self.workers.iter_mut().find(|worker| worker.number == operation.worker) {
                let keys = tasks_of(changes);
                worker.repeats.retain(|(_, key), _| !keys.contains(key));
            }
            let (epoch, newest) = (operation.epoch, self.storage.epoch);
            assert_eq!(epoch, newest, "an engine wrote although a newer one has the lease");
            let after = tasks_of(changes).into_iter().map(|key| (key.clone(), stored_task(&self.storage, &key)));
            let committed = Committed { changes, calls, after: after.collect(), time: *time };
            self.model.commit(committed, &self.origin, &self.storage);
            tasks_of(changes).iter().for_each(|key| self.check_found_anywhere(key));
        }
    }

    /// What is durable of a session's configuration is in force when its engine hears of it.
    pub(super) fn note_session(&mut self, worker: u64, effect: EffectId, completion: &Completion) {
        let Some(worker) = self.workers.iter_mut().find(|alive| alive.number == worker) else { return };
        worker.killing.remove(&effect);
        let Some((record, began_at)) = worker.opening.remove(&effect) else { return };
        let is_in_time = self.now - began_at < LOST_AFTER_MS;
        if is_in_time && matches!(completion, Completion::Committed(CommitOutcome::Committed)) {
            worker.sessions.insert(record.id.clone(), record);
        }
    }
}
