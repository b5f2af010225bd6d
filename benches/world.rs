//! The engine's surroundings, as fast as they can be: storage answers at once, servers have every file, and the network
//! brings what is asked for at a set speed. Time is simulated, so what is measured is the engine, the encoding of its
//! records, and the rows of the store in memory. Chunks are not stored: in a browser no Rust touches them either.

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use longhaul::engine::group::GroupCounts;
use longhaul::engine::http::Head;
use longhaul::engine::id::{CallId, ClientId, EffectId, SessionId};
use longhaul::engine::input::{Arrived, Call, Completion, Input, ReadEnd};
use longhaul::engine::output::{Change, Effect, FetchRequest, Output};
use longhaul::engine::schedule::MAX_CONNECTIONS;
use longhaul::engine::task::EventKind;
use longhaul::engine::time::Timestamp;
use longhaul::engine::{Engine, Setting};
use longhaul::integrity::HashState;
use longhaul::store::Reader;
use longhaul::store::boot::boot;
use longhaul::store::changes::to_writes;
use longhaul::store::memory::MemoryStore;
use longhaul::store::queries::load;

/// How fast the simulated network is, all connections together, in bytes per microsecond: 1 Gbit/s.
const BYTES_PER_US: u64 = 125;

/// Runs a future whose every await is ready at once.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the store in memory never waits"),
    }
}

/// An engine from what the store holds, and how many rows that took.
pub fn restore(store: &MemoryStore<()>) -> (Engine, u64) {
    let view = store.view();
    let snapshot = run(boot(&view)).expect("the store boots");
    let setting = Setting {
        seed: 1,
        origin: "https://app.example".into(),
        max_connections: MAX_CONNECTIONS,
        most_held_bytes: None,
    };
    (Engine::restore(Timestamp(1), setting, snapshot), view.rows_read())
}

/// The bytes of an answer that are still to come.
struct Body {
    next: u64,
    end: u64,
}

/// What has been seen so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Inputs handed in.
    pub inputs: u64,
    /// Bytes that reads brought.
    pub bytes: u64,
    /// Rows that storage handed out.
    pub rows_read: u64,
    /// Messages to pages, but for replies.
    pub messages: u64,
    /// Calls that were answered.
    pub replies: u64,
    /// The most outputs that one input led to.
    pub most_outputs: usize,
    /// The most effects in flight.
    pub most_in_flight: usize,
    /// Set once a group has ended.
    pub group_ended: Option<GroupCounts>,
}

/// An engine at work.
pub struct World {
    engine: Engine,
    store: MemoryStore<()>,
    epoch: u64,
    file_bytes: u64,
    now_us: u64,
    was_timeout: bool,
    /// The answers to all effects in flight, in the order in which they were asked for.
    inputs: VecDeque<Input>,
    bodies: BTreeMap<EffectId, Body>,
    calls: u64,
    /// What has been seen so far.
    pub seen: Seen,
}

impl World {
    /// Takes up what the store holds. Every file has `file_bytes`.
    pub fn new(store: MemoryStore<()>, file_bytes: u64) -> Self {
        let epoch = store.next_epoch();
        let (engine, _) = restore(&store);
        let (inputs, bodies) = (VecDeque::new(), BTreeMap::new());
        let mut world = Self {
            engine,
            store,
            epoch,
            file_bytes,
            now_us: 1_000,
            was_timeout: false,
            inputs,
            bodies,
            calls: 0,
            seen: Seen::default(),
        };
        world.drain();
        world
    }

    /// A page attaches to the session, as its delegate.
    pub fn attach(&mut self, session: SessionId) {
        let client = ClientId::new("a page");
        self.hand_in(Input::Hello { client, session, delegate: true, can_authorize: false });
    }

    /// Hands in a page's call.
    pub fn call(&mut self, call: Call) {
        self.calls += 1;
        self.hand_in(Input::Call(CallId(self.calls), call));
    }

    /// Hands in what comes next, and does what the engine then asks for, as a driver does: outputs first, then the
    /// timer.
    pub fn step(&mut self) {
        let input = self.next_input();
        self.hand_in(input);
    }

    /// Steps until so many more bytes were read.
    pub fn transfer(&mut self, bytes: u64) {
        let goal = self.seen.bytes + bytes;
        while self.seen.bytes < goal {
            self.step();
        }
    }

    /// How many tasks the engine holds in memory.
    pub fn tasks_in_memory(&self) -> usize {
        format!("{:?}", self.engine).matches("Slot {").count()
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.now_us / 1_000)
    }

    fn next_input(&mut self) -> Input {
        let timer = self.engine.poll_timeout();
        let is_due = timer.is_some_and(|at| at <= self.now());
        // Completions that have come are never kept waiting by a timer for more than its turn.
        if !is_due || self.was_timeout {
            if let Some(input) = self.inputs.pop_front() {
                self.was_timeout = false;
                return input;
            }
            let at = timer.expect("nothing is in flight and no time is set: the engine has come to a stop");
            self.now_us = self.now_us.max(at.0 * 1_000);
        }
        self.was_timeout = true;
        Input::Timeout
    }

    fn hand_in(&mut self, input: Input) {
        self.seen.inputs += 1;
        self.engine.handle_input(self.now(), input);
        self.drain();
    }

    fn drain(&mut self) {
        let mut outputs = 0;
        while let Some(output) = self.engine.poll_output() {
            outputs += 1;
            match output {
                Output::Start(id, effect) => {
                    let completion = self.complete(id, effect);
                    self.inputs.push_back(Input::Completed(id, completion));
                }
                Output::Abort(id) => {
                    self.bodies.remove(&id);
                }
                Output::Reply(_, result) => {
                    result.expect("calls are answered well");
                    self.seen.replies += 1;
                }
                Output::Fenced => panic!("no other engine drives this database"),
                Output::Deliver(..) | Output::Observe(..) | Output::Changed(..) | Output::GroupChanged(..) => {
                    self.seen.messages += 1;
                }
                _ => {}
            }
        }
        self.seen.most_outputs = self.seen.most_outputs.max(outputs);
        self.seen.most_in_flight = self.seen.most_in_flight.max(self.inputs.len());
    }

    fn complete(&mut self, id: EffectId, effect: Effect) -> Completion {
        match effect {
            Effect::Load(query) => {
                let view = self.store.view();
                let loaded = run(load(&view, &query));
                self.seen.rows_read += view.rows_read();
                Completion::Loaded(loaded)
            }
            Effect::Commit(changes) => {
                for change in &changes {
                    if let Change::PutEvent(event) = change
                        && let EventKind::GroupEnded(counts) = event.kind
                    {
                        self.seen.group_ended = Some(counts);
                    }
                }
                Completion::Committed(self.store.apply(self.epoch, to_writes(&changes, |_| None)))
            }
            Effect::Fetch { request, .. } => Completion::Head(Ok(self.answer(id, &request))),
            Effect::Read { attempt, up_to_bytes, hash, .. } => self.read(attempt, up_to_bytes, hash),
            Effect::HashStored { state, .. } => Completion::Hashed(Ok(state)),
            Effect::Probe { .. } => Completion::Probed(true),
            Effect::TryRoom { .. } => Completion::Room(true),
            Effect::Look { .. } | Effect::TakeRecord { .. } => unreachable!("no page here can have the browser fetch"),
            Effect::File { .. } => unreachable!("no file here is to leave"),
        }
    }

    fn answer(&mut self, id: EffectId, request: &FetchRequest) -> Arrived {
        let (start, end) = request.range.unwrap_or_default();
        let (complete, end) = (self.file_bytes, end.unwrap_or(self.file_bytes));
        self.bodies.insert(id, Body { next: start, end });
        let head = Head {
            status: 206,
            all_headers_readable: true,
            content_range: Some(format!("bytes {start}-{}/{complete}", end - 1)),
            content_length: Some((end - start).to_string()),
            content_type: Some("application/octet-stream".into()),
            etag: Some("\"a-strong-one\"".into()),
            ..Head::default()
        };
        Arrived { head, free_bytes: None }
    }

    fn read(&mut self, attempt: EffectId, up_to_bytes: u64, hash: Option<HashState>) -> Completion {
        let Some(body) = self.bodies.get_mut(&attempt) else {
            return Completion::Read { len: 0, end: ReadEnd::Cut { online: true }, hash: None };
        };
        let left = body.end - body.next;
        let len = left.min(up_to_bytes);
        body.next += len;
        self.now_us += len / BYTES_PER_US;
        self.seen.bytes += len;
        let is_end = left < up_to_bytes;
        if is_end {
            self.bodies.remove(&attempt);
        }
        Completion::Read { len, end: if is_end { ReadEnd::Eof } else { ReadEnd::More }, hash }
    }
}
