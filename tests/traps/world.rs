//! The real engine and the store in memory, with a server that is a function: enough to play any trap, one answer
//! after the other. Nothing is random; time passes by
//! reading, or when nothing else is left to happen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::http::Head;
use longhaul::engine::id::{BodyId, CallId, ClientId, EffectId, SessionId, TaskId, TaskKey, WakeId};
use longhaul::engine::input::{
    Arrived, Call, CommitOutcome, Completion, FetchFailure, IfExists, Input, Loaded, Look, ReadEnd, StoreFailure,
    TaskCall,
};
use longhaul::engine::output::{
    Answer, AuthorizationNeed, BeginRequest, Change, Effect, FetchRequest, Outcome, Output, Query, RecordRequest, Work,
};
use longhaul::engine::request::{Header, Source};
use longhaul::engine::schedule::MAX_CONNECTIONS;
use longhaul::engine::session::{Configuration, SessionRecord};
use longhaul::engine::task::{Destination, EventKind, Task, TaskEvent, TaskSpec, TaskState};
use longhaul::engine::time::Timestamp;
use longhaul::engine::{Engine, Setting};
use longhaul::integrity::HashState;
use longhaul::store::boot::boot;
use longhaul::store::changes::to_writes;
use longhaul::store::memory::MemoryStore;
use longhaul::store::queries::load;
use longhaul::store::queue::{Abandoned, Next, StorageQueue, Transaction};
use longhaul::store::{Key, Reader, Table, Value, Write};

/// When the clock begins.
const BEGIN_MS: u64 = 1_000;
/// The number of the session's first event.
pub const FIRST: u64 = BEGIN_MS + 1;
/// The worker's own origin.
pub const HOME: &str = "https://app.example";
/// How long a read takes: with the bytes that one brings, some hundred kilobytes a second.
const READ_MS: u64 = 100;
/// The most steps of one play.
const MOST_STEPS: u32 = 200_000;

/// What the server does with one request.
#[derive(Clone, Debug)]
pub struct Reply {
    pub head: Result<Head, FetchFailure>,
    pub body: Vec<u8>,
    pub end: ReadEnd,
    /// Whether the body, or the head if there is no body, comes to a halt and never goes on.
    pub stalls: bool,
}

impl Reply {
    /// No head comes.
    pub fn unreachable(online: bool) -> Self {
        let error = TaskError::new(ErrorCode::Network);
        Self { head: Err(FetchFailure { error, online }), body: Vec::new(), end: ReadEnd::Eof, stalls: false }
    }

    /// A status without a body.
    pub fn status(status: u16) -> Self {
        let head = Head { status, all_headers_readable: true, ..Head::default() };
        Self { head: Ok(head), body: Vec::new(), end: ReadEnd::Eof, stalls: false }
    }

    /// The same with another head.
    pub fn with(mut self, change: impl FnOnce(&mut Head)) -> Self {
        self.head = self.head.map(|mut head| {
            change(&mut head);
            head
        });
        self
    }

    /// The connection breaks after so many bytes of the body.
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.body.truncate(bytes);
        Self { end: ReadEnd::Cut { online: true }, ..self }
    }
}

/// A file on the server.
#[derive(Clone, Debug)]
pub struct File {
    pub bytes: Vec<u8>,
    pub etag: Option<&'static str>,
    pub last_modified: Option<&'static str>,
}

impl File {
    /// A file of so many bytes; another `version` has other bytes and another tag.
    pub fn new(version: u8, len: usize) -> Self {
        let bytes = (0..len).map(|at| (at as u8).wrapping_mul(31) ^ (at >> 8) as u8 ^ version).collect();
        let etag = ["\"v0\"", "\"v1\"", "\"v2\""].get(usize::from(version)).copied();
        Self { bytes, etag, last_modified: None }
    }

    /// What an honest server answers (RFC 9110 section 14).
    pub fn answer(&self, request: &FetchRequest) -> Reply {
        let length = self.bytes.len() as u64;
        let unchanged =
            request.if_range.as_deref().is_none_or(|of| [self.etag, self.last_modified].contains(&Some(of)));
        let mut head = Head {
            status: 200,
            all_headers_readable: request.url.starts_with(HOME),
            etag: self.etag.map(Into::into),
            last_modified: self.last_modified.map(Into::into),
            content_length: Some(length.to_string()),
            ..Head::default()
        };
        let Some((start, end)) = request.range.filter(|_| unchanged) else {
            return Reply { head: Ok(head), body: self.bytes.clone(), end: ReadEnd::Eof, stalls: false };
        };
        if start >= length {
            head.status = 416;
            head.content_range = Some(["bytes */", &length.to_string()].concat());
            head.content_length = None;
            return Reply { head: Ok(head), body: Vec::new(), end: ReadEnd::Eof, stalls: false };
        }
        let end = end.unwrap_or(length).min(length);
        head.status = 206;
        head.content_length = Some((end - start).to_string());
        head.content_range = Some(format!("bytes {start}-{}/{length}", end - 1));
        let body = self.bytes[start as usize..end as usize].to_vec();
        Reply { head: Ok(head), body, end: ReadEnd::Eof, stalls: false }
    }

    /// The same across origins: what CORS hides is hidden.
    pub fn answer_hidden(&self, request: &FetchRequest) -> Reply {
        self.answer(request).with(|head| {
            head.all_headers_readable = false;
            head.content_range = None;
            head.etag = None;
        })
    }
}

struct Attempt {
    /// The number of its request.
    number: usize,
    body: VecDeque<u8>,
    end: ReadEnd,
    stalls: bool,
}

type Writes = Rc<Vec<Write<Vec<u8>>>>;
/// The order of the operations, as the browser's driver keeps it.
type Queue = StorageQueue<Writes, Query>;

type Server = Box<dyn FnMut(&FetchRequest, usize) -> Reply>;

/// One worker, its database, and the server.
pub struct World {
    pub store: MemoryStore<Vec<u8>>,
    engine: Engine,
    epoch: u64,
    pub now: u64,
    server: Server,
    /// Every request, in order.
    pub requests: Vec<FetchRequest>,
    /// Every event that was delivered.
    pub events: Vec<TaskEvent>,
    /// The batches that the hook was given, by number.
    pub hook_batches: Vec<Vec<u64>>,
    /// How often the hook was to stand in line for the session's lock.
    pub stood: usize,
    /// How often the hook was told that no event waits.
    pub hook_ends: usize,
    /// Whether the worker is to be held.
    pub is_working: bool,
    /// When pages are to wake the worker, if they were told.
    pub wanted_at: Option<u64>,
    /// The wakes that were settled, and how.
    pub settled: Vec<(u64, Outcome)>,
    /// Whom the engine asked for headers or another URL.
    pub asked: Vec<(Option<ClientId>, AuthorizationNeed)>,
    pub replies: BTreeMap<u64, Result<Answer, TaskError>>,
    pub probes: Vec<String>,
    pub reachable: bool,
    pub free_bytes: Option<u64>,
    /// How many bytes one read brings at most, so that a small file has many checkpoints.
    pub read_bytes: u64,
    /// If the browser holds in memory all that an answer has brought until it is over: how much of it may be.
    most_held_bytes: Option<u64>,
    /// How many bodies were to be read as a whole.
    pub wholes: usize,
    /// Commits that are answered by a failure, one after the other.
    pub failing_commits: u32,
    /// Commits that are carried out, but answered by "unknown".
    pub unknown_commits: u32,
    /// Every commit fails, for this reason.
    pub refused: Option<StoreFailure>,
    /// How many bytes of files storage takes in all.
    pub capacity: Option<u64>,
    /// How often it was tried whether there is room.
    pub trials: u32,
    /// How many commits there were.
    pub commits: u32,
    /// Chunks that cannot be read back, by their offsets in any body.
    pub unreadable: BTreeSet<u64>,
    /// How often stored bytes were to be read back.
    pub hashes: u32,
    /// So many of the next loads fail.
    pub failing_loads: u32,
    /// How often it was looked which tasks are due.
    pub due_loads: u32,
    /// How often a page of tasks was looked up.
    pub page_loads: u32,
    /// The states that the page was shown of the task `t`.
    pub shown: Vec<TaskState>,
    /// The most bytes that were read and not stored, at any time.
    pub most_buffered: usize,
    /// How many bytes of bodies were read.
    pub bytes_sent: u64,
    /// What was given to storage: which request brought it, and to which body it belongs.
    pub brought: Vec<(usize, BodyId)>,
    /// The most outputs that one input led to.
    pub most_outputs: usize,
    /// How many stored bytes were read back to be hashed.
    pub hashed_from_storage: u64,
    /// Whether reading stored bytes back takes long: what it brings comes when [`World::let_hashes_come`] is called.
    pub is_slow_to_hash: bool,
    /// Whether storage takes long: that a commit is done is heard when [`World::let_storage_answer`] is called.
    pub is_slow_to_store: bool,
    /// What pages were asked to have the browser fetch.
    pub asked_to_begin: Vec<BeginRequest>,
    /// What the browser is fetching, and has fetched: whether it is over, and its answers.
    pub registrations: BTreeMap<String, (bool, BTreeMap<u64, Reply>)>,
    /// What was to be shown at the end of registrations.
    pub ends_shown: Vec<String>,
    /// The registrations that nobody wants any more.
    pub let_go: Vec<String>,
    /// What was written to destinations, in order.
    pub filed: Vec<(Destination, Vec<u8>)>,
    /// How often writing to one was begun.
    pub filings: usize,
    /// What the next writes to destinations fail with.
    pub filing_failures: VecDeque<ErrorCode>,
    /// Whether writing to them takes long: it is done when [`World::let_files_arrive`] is called.
    pub is_slow_to_file: bool,
    on_the_way: Vec<(EffectId, Destination, Vec<u8>)>,
    held: Vec<Input>,
    queue: Queue,
    /// What storage was asked for while it stands still.
    stalled: Option<VecDeque<Next<Writes, Query>>>,
    attempts: BTreeMap<EffectId, Attempt>,
    /// What was read and is not stored, and by which request.
    buffers: BTreeMap<EffectId, (usize, Vec<u8>)>,
    inputs: VecDeque<Input>,
    calls: u64,
    seed: u128,
}

impl World {
    /// A worker that has just opened the session `s`, and a page that is its delegate.
    pub fn new(server: impl FnMut(&FetchRequest, usize) -> Reply + 'static) -> Self {
        let store = MemoryStore::default();
        let (epoch, engine) = start(&store, BEGIN_MS, 7, None);
        let mut world = Self {
            store,
            engine,
            epoch,
            now: BEGIN_MS,
            server: Box::new(server),
            requests: Vec::new(),
            events: Vec::new(),
            hook_batches: Vec::new(),
            stood: 0,
            hook_ends: 0,
            is_working: false,
            wanted_at: None,
            settled: Vec::new(),
            asked: Vec::new(),
            replies: BTreeMap::new(),
            probes: Vec::new(),
            reachable: true,
            free_bytes: None,
            read_bytes: 64 << 10,
            most_held_bytes: None,
            wholes: 0,
            failing_commits: 0,
            unknown_commits: 0,
            refused: None,
            capacity: None,
            trials: 0,
            commits: 0,
            unreadable: BTreeSet::new(),
            hashes: 0,
            failing_loads: 0,
            due_loads: 0,
            page_loads: 0,
            shown: Vec::new(),
            most_buffered: 0,
            most_outputs: 0,
            bytes_sent: 0,
            brought: Vec::new(),
            hashed_from_storage: 0,
            is_slow_to_hash: false,
            is_slow_to_store: false,
            asked_to_begin: Vec::new(),
            registrations: BTreeMap::new(),
            ends_shown: Vec::new(),
            let_go: Vec::new(),
            filed: Vec::new(),
            filings: 0,
            filing_failures: VecDeque::new(),
            is_slow_to_file: false,
            on_the_way: Vec::new(),
            held: Vec::new(),
            queue: Queue::default(),
            stalled: None,
            attempts: BTreeMap::new(),
            buffers: BTreeMap::new(),
            inputs: VecDeque::new(),
            calls: 0,
            seed: 7,
        };
        world.open_session(false);
        world.attach("page", true);
        world
    }

    /// A page opens the session, one that can supply headers or not.
    pub fn open_session(&mut self, can_authorize: bool) {
        self.open_version(1, can_authorize);
    }

    /// The same with another version of its configuration.
    pub fn open_version(&mut self, version: u32, can_authorize: bool) {
        let configuration = Configuration { version, ..Configuration::default() };
        let record = SessionRecord::new(SessionId::new("s"), configuration, can_authorize);
        self.call(Call::Open(record)).expect("the session opens");
    }

    /// The browser throws away all that is stored, and the page opens its session anew.
    pub fn evict(&mut self) {
        self.store = MemoryStore::default();
        self.kill();
        self.open_session(false);
        self.attach("page", true);
    }

    /// A page says hello.
    pub fn attach(&mut self, page: &str, can_authorize: bool) {
        let (client, session) = (ClientId::new(page), SessionId::new("s"));
        self.give(Input::Hello { client, session, delegate: true, can_authorize });
    }

    /// The worker is killed, and the next one starts.
    pub fn kill(&mut self) {
        self.seed += 1;
        (self.epoch, self.engine) = start(&self.store, self.now, self.seed, self.most_held_bytes);
        self.attempts.clear();
        self.buffers.clear();
        self.inputs.clear();
        self.on_the_way.clear();
        self.queue = Queue::default();
        self.stalled = None;
        self.drain();
    }

    /// From now on the browser is one that holds in memory all that an answer has brought until it is over, which may be
    /// so much.
    pub fn hold_answers(&mut self, most_bytes: u64) {
        self.most_held_bytes = Some(most_bytes);
        self.kill();
        self.attach("page", true);
    }

    /// An event for which the browser runs the worker for so long; another one if it fails.
    pub fn sync(&mut self, wake: u64, lasts_ms: u64) {
        let ends_at = Some(Timestamp(self.now + lasts_ms));
        self.give(Input::Wake { wake: WakeId(wake), ends_at, is_repeated: true, kick: true });
    }

    /// Things may be better now.
    pub fn kick(&mut self) {
        self.give(Input::Wake { wake: WakeId(self.now), ends_at: None, is_repeated: false, kick: true });
    }

    /// The component crashes at the task `t`, and the next instance starts.
    pub fn crash(&mut self) {
        self.seed += 1;
        (self.epoch, self.engine) = start(&self.store, self.now, self.seed, self.most_held_bytes);
        self.engine.blame(&key("t"));
        self.attempts.clear();
        self.buffers.clear();
        self.inputs.clear();
        self.on_the_way.clear();
        self.drain();
    }

    /// From now on the server is another.
    pub fn serve(&mut self, server: impl FnMut(&FetchRequest, usize) -> Reply + 'static) {
        self.server = Box::new(server);
    }

    /// Makes a call and returns what it was answered with, once it was.
    pub fn call(&mut self, call: Call) -> Result<Answer, TaskError> {
        let number = self.ask(call);
        self.until(|world| world.replies.contains_key(&number));
        self.replies.remove(&number).expect("the call was answered")
    }

    /// Makes a call.
    pub fn ask(&mut self, call: Call) -> u64 {
        self.calls += 1;
        self.give(Input::Call(CallId(self.calls), call));
        self.calls
    }

    /// Makes the task `t`.
    pub fn download(&mut self, spec: TaskSpec) -> Result<Answer, TaskError> {
        self.download_with(spec, Vec::new(), IfExists::Keep)
    }

    pub fn download_with(
        &mut self,
        mut spec: TaskSpec,
        secrets: Vec<Header>,
        if_exists: IfExists,
    ) -> Result<Answer, TaskError> {
        spec.call_token = format!("token {}", self.calls);
        self.call(Call::Download { key: key("t"), spec, secrets, if_exists })
    }

    pub fn task_call(&mut self, call: TaskCall) -> Result<Answer, TaskError> {
        self.call(Call::Task(key("t"), call))
    }

    /// Hands something in, and does what the engine asks for at once.
    pub fn give(&mut self, input: Input) {
        self.engine.handle_input(Timestamp(self.now), input);
        self.drain();
    }

    /// Lets things happen until the condition holds.
    pub fn until(&mut self, condition: impl Fn(&Self) -> bool) {
        for _ in 0..MOST_STEPS {
            if condition(self) {
                return;
            }
            assert!(self.step(), "nothing is left to happen; requests: {:#?}", self.requests);
        }
        panic!("no end in sight; the last requests: {:#?}", &self.requests[self.requests.len().saturating_sub(3)..]);
    }

    /// Lets things happen until the task has ended, or waits for more than `patience_ms`.
    pub fn play(&mut self, patience_ms: u64) -> Task {
        let until = self.now + patience_ms;
        for _ in 0..MOST_STEPS {
            let next = self.engine.poll_timeout();
            let is_waiting = self.inputs.is_empty() && next.is_none_or(|at| at.0 > until);
            if is_waiting || self.task().is_some_and(|task| task.record.state.has_ended() && self.inputs.is_empty()) {
                return self.task().expect("there is a task");
            }
            self.step();
        }
        panic!("no end in sight: {:?}", self.task());
    }

    /// So much time passes, and all that happens in it.
    pub fn wait(&mut self, wait_ms: u64) {
        let until = self.now + wait_ms;
        while !self.inputs.is_empty() || self.engine.poll_timeout().is_some_and(|at| at.0 <= until) {
            self.step();
        }
        self.now = until;
    }

    /// How many events are stored that nobody has acknowledged.
    pub fn stored_events(&self) -> usize {
        self.store.rows(Table::Outbox).len()
    }

    /// One thing happens, if there is anything left to happen.
    pub fn one_step(&mut self) {
        self.step();
    }

    /// Everything happens that is under way, but no time passes.
    pub fn drain_all(&mut self) {
        while let Some(input) = self.inputs.pop_front() {
            self.give(input);
        }
    }

    /// What was read back from storage comes at last.
    pub fn let_hashes_come(&mut self) {
        self.is_slow_to_hash = false;
        self.inputs.extend(std::mem::take(&mut self.held));
    }

    /// Storage answers at last.
    pub fn let_storage_answer(&mut self) {
        self.is_slow_to_store = false;
        self.inputs.extend(std::mem::take(&mut self.held));
    }

    /// Requests whose bodies nobody has ended.
    pub fn open_requests(&self) -> usize {
        self.attempts.len()
    }

    /// The same. Whether there was anything.
    pub fn step(&mut self) -> bool {
        if let Some(input) = self.inputs.pop_front() {
            if let Input::Completed(_, Completion::Read { .. }) = input {
                self.now += READ_MS;
            }
            self.give(input);
            return true;
        }
        let Some(at) = self.engine.poll_timeout() else { return false };
        self.now = self.now.max(at.0);
        self.give(Input::Timeout);
        true
    }

    /// The task `t`, as it is stored, if it can be read.
    pub fn task(&self) -> Option<Task> {
        self.stored("t")
    }

    pub fn stored(&self, id: &str) -> Option<Task> {
        let row = |table| match ready(self.store.view().get(table, &Key::task(&key(id)))).expect("it answers") {
            Some(Value::Bytes(bytes)) => Some(bytes),
            _ => None,
        };
        let record = longhaul::engine::codec::decode(&row(Table::Tasks)?)?;
        let progress = longhaul::engine::codec::decode(&row(Table::Progress)?)?;
        Some(Task { record, progress })
    }

    /// Changes what is stored of a task's progress.
    pub fn put_progress(&mut self, key: &TaskKey, progress: &longhaul::engine::task::Progress) {
        let writes = to_writes(&[Change::PutProgress(key.clone(), progress.clone())], |_| None);
        self.store.apply(self.epoch, writes);
    }

    /// The states of all tasks that are stored.
    pub fn stored_states(&self) -> Vec<TaskState> {
        let rows = self.store.rows(Table::Tasks).into_iter();
        let record = |bytes: Vec<u8>| longhaul::engine::codec::decode::<longhaul::engine::task::TaskRecord>(&bytes);
        let bytes = rows.filter_map(|(_, value)| if let Value::Bytes(bytes) = value { Some(bytes) } else { None });
        bytes.map(|bytes| record(bytes).expect("it can be read").state).collect()
    }

    /// The stored bytes of the task `t`.
    pub fn file(&self) -> Vec<u8> {
        self.file_of("t")
    }

    /// The same of another.
    pub fn file_of(&self, id: &str) -> Vec<u8> {
        self.chunks_of(self.stored(id).expect("there is a task").progress.body)
    }

    fn chunks_of(&self, body: BodyId) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (key, value) in self.store.rows(Table::Chunks) {
            if key.0.first() == Key::chunk(body, 0).0.first()
                && let Value::Chunk(chunk, _) = value
            {
                assert_eq!(key.last_number(), Some(bytes.len() as u64), "the chunks have a hole");
                bytes.extend(chunk);
            }
        }
        bytes
    }

    /// Writes to storage what no engine has asked for.
    pub fn commit(&mut self, changes: &[longhaul::engine::output::Change]) {
        let outcome = self.store.apply(self.epoch, to_writes(changes, |_| None));
        assert_eq!(outcome, longhaul::engine::input::CommitOutcome::Committed);
    }

    /// How many bodies storage holds, once the dead ones are swept.
    pub fn bodies(&mut self) -> usize {
        for _ in 0..1_000 {
            self.drain_all();
            let next = self.engine.poll_timeout().filter(|at| at.0 <= self.now + 60_000);
            let Some(at) = next else { break };
            self.now = self.now.max(at.0);
            self.give(Input::Timeout);
        }
        self.store.rows(Table::Bodies).len()
    }

    /// All bytes of all rows but chunks: where secrets would be found.
    pub fn rows(&self) -> Vec<u8> {
        let tables = Table::ALL.into_iter().filter(|table| *table != Table::Chunks);
        let rows = tables.flat_map(|table| self.store.rows(table));
        rows.flat_map(|(_, value)| if let Value::Bytes(bytes) = value { bytes } else { Vec::new() }).collect()
    }

    /// The kinds of the events that were delivered.
    pub fn kinds(&self) -> Vec<EventKind> {
        self.events.iter().map(|event| event.kind.clone()).collect()
    }

    /// The ranges that were asked for.
    pub fn ranges(&self) -> Vec<Option<(u64, Option<u64>)>> {
        self.requests.iter().map(|request| request.range).collect()
    }

    fn drain(&mut self) {
        let mut outputs = 0;
        while let Some(output) = self.engine.poll_output() {
            outputs += 1;
            self.most_outputs = self.most_outputs.max(outputs);
            match output {
                Output::Start(id, effect) => self.start(id, effect),
                Output::Abort(id) => {
                    self.attempts.remove(&id);
                    self.on_the_way.retain(|(filing, ..)| *filing != id);
                    self.withdraw(id);
                }
                Output::Discard(buffer) => {
                    self.buffers.remove(&buffer);
                }
                Output::Reply(call, result) => {
                    self.replies.insert(call.0, result);
                }
                Output::Deliver(client, _, events) if client == ClientId::hook() => {
                    self.hook_batches.push(events.iter().map(|event| event.seq).collect());
                }
                Output::AllDelivered(client, _) if client == ClientId::hook() => self.hook_ends += 1,
                Output::Stand(_) => self.stood += 1,
                Output::Working(work) => {
                    self.is_working = work == Work::Now;
                    self.wanted_at = if let Work::At(at) = work { at.map(|at| at.0) } else { None };
                }
                Output::Settle(wake, outcome) => self.settled.push((wake.0, outcome)),
                Output::Deliver(_, _, events) => self.events.extend(events),
                Output::Changed(_, snapshot) if snapshot.record.key == key("t") => {
                    self.shown.push(snapshot.record.state);
                }
                Output::AskAuthorization(client, _, need) => self.asked.push((client, need)),
                Output::Begin(_, _, request) => self.asked_to_begin.push(request),
                Output::ShowEnd(_, ui) => self.ends_shown.push(ui),
                Output::LetGo(registration) => {
                    self.registrations.remove(&registration);
                    self.let_go.push(registration);
                }
                _ => {}
            }
        }
    }

    /// The driver has found out that the chunk at `at` cannot be read.
    fn lose(&mut self, at: u64, body: BodyId) {
        let row = ready(self.store.view().get(Table::Chunks, &Key::chunk(body, at))).expect("it answers");
        let Some(Value::Chunk(_, len)) = row else { return };
        self.unreadable.remove(&at);
        self.inputs.push_back(Input::Unreadable { key: key("t"), body, range: at..at + len });
    }

    /// A page reads the task `t` from its beginning to its end, as it does: what it cannot read the worker tries.
    pub fn read_file(&mut self) -> Result<Vec<u8>, TaskError> {
        let mut bytes = Vec::new();
        let mut body = None;
        loop {
            let offset = bytes.len() as u64;
            let call = TaskCall::Chunk { offset, body: body.clone(), waits: false };
            let Answer::Chunk(file, _) = self.task_call(call)? else { panic!("another answer") };
            body = Some(file.name.clone());
            if offset == file.length {
                return Ok(bytes);
            }
            if self.unreadable.contains(&offset) {
                let call = TaskCall::Check { offset, body: body.clone() };
                let Answer::Check(_, file, at) = self.task_call(call)? else { panic!("another answer") };
                self.lose(at, file.body);
                return Err(TaskError::new(ErrorCode::FileDamaged));
            }
            let row = ready(self.store.view().get(Table::Chunks, &Key::chunk(file.body, offset))).expect("it answers");
            let Some(Value::Chunk(chunk, _)) = row else { panic!("a chunk begins where the last one ends") };
            bytes.extend(chunk);
        }
    }

    /// Why storage refuses these rows, if it does.
    fn refusal(&mut self, writes: &[Write<Vec<u8>>]) -> Option<StoreFailure> {
        if self.failing_commits > 0 {
            self.failing_commits -= 1;
            return Some(StoreFailure::Quota);
        }
        let len = |write: &Write<Vec<u8>>| match write {
            Write::Put { value: Value::Chunk(_, len), .. } => *len,
            _ => 0,
        };
        let more: u64 = writes.iter().map(len).sum();
        let is_full = more > 0 && self.capacity.is_some_and(|capacity| self.stored_bytes() + more > capacity);
        self.refused.or(is_full.then_some(StoreFailure::Quota))
    }

    /// How many bytes of files are stored, whether a task has them or not.
    pub fn stored_bytes(&self) -> u64 {
        let len = |value| if let Value::Chunk(_, len) = value { len } else { 0 };
        self.store.rows(Table::Chunks).into_iter().map(|(_, value)| len(value)).sum()
    }

    fn load(&mut self, query: &Query) -> Result<Loaded, StoreFailure> {
        self.due_loads += u32::from(matches!(query, Query::Due { .. }));
        self.page_loads += u32::from(matches!(query, Query::Select { .. }));
        if self.failing_loads > 0 {
            self.failing_loads -= 1;
            return Err(StoreFailure::Other);
        }
        ready(load(&self.store.view(), query))
    }

    /// A read of so many bytes, or of all or nothing; `None` if it is never answered.
    fn read(
        &mut self,
        id: EffectId,
        attempt: EffectId,
        up_to_bytes: Option<u64>,
        hash: Option<HashState>,
    ) -> Option<Completion> {
        let attempt = self.attempts.get_mut(&attempt)?;
        self.wholes += usize::from(up_to_bytes.is_none());
        let is_cut = matches!(attempt.end, ReadEnd::Cut { .. });
        let len = match up_to_bytes {
            None if attempt.stalls => return None,
            None if is_cut => 0,
            None => attempt.body.len() as u64,
            Some(up_to_bytes) => up_to_bytes.min(self.read_bytes).min(attempt.body.len() as u64),
        };
        if len == 0 && attempt.stalls {
            return None;
        }
        let bytes = attempt.body.make_contiguous()[..len as usize].to_vec();
        attempt.body.drain(..len as usize);
        let is_over = attempt.body.is_empty() || up_to_bytes.is_none();
        let end = if is_over && !attempt.stalls { attempt.end } else { ReadEnd::More };
        let hash = hash.map(|mut state| {
            state.update(&bytes);
            state
        });
        self.buffers.insert(id, (attempt.number, bytes));
        self.bytes_sent += len;
        self.most_buffered = self.most_buffered.max(self.buffers.values().map(|(_, bytes)| bytes.len()).sum());
        Some(Completion::Read { len, end, hash })
    }

    /// A buffer leaves the driver for storage.
    fn take_buffer(&mut self, buffer: EffectId, changes: &[Change]) -> Option<Vec<u8>> {
        let (number, bytes) = self.buffers.remove(&buffer)?;
        let body_of = |change: &Change| match change {
            Change::Append { body, buffer: appended, .. } if *appended == buffer => Some(*body),
            _ => None,
        };
        self.brought.extend(changes.iter().find_map(body_of).map(|body| (number, body)));
        Some(bytes)
    }

    /// Storage stands still: what it is asked for from now on is done when [`World::let_storage_move_on`] is called.
    pub fn stall_storage(&mut self) {
        self.stalled = Some(VecDeque::new());
    }

    /// Storage does what it was asked for, in order.
    pub fn let_storage_move_on(&mut self) {
        for next in self.stalled.take().into_iter().flatten() {
            self.carry_out(next);
        }
        self.begin_operations();
    }

    fn begin_operations(&mut self) {
        while let Some(next) = self.queue.poll_next() {
            match &mut self.stalled {
                Some(stalled) => stalled.push_back(next),
                None => self.carry_out(next),
            }
        }
    }

    fn carry_out(&mut self, next: Next<Writes, Query>) {
        match next {
            Next::Load(id, query) => {
                let loaded = self.load(&query);
                self.inputs.push_back(Input::Completed(id, Completion::Loaded(loaded)));
            }
            Next::Write(Transaction { number, commits }) => {
                let writes = commits.iter().flat_map(|(_, writes)| writes.iter().cloned()).collect();
                let outcome = self.write(writes);
                for (id, outcome) in self.queue.handle_outcome(number, outcome) {
                    let input = Input::Completed(id, Completion::Committed(outcome));
                    if self.is_slow_to_store { self.held.push(input) } else { self.inputs.push_back(input) }
                }
            }
        }
    }

    fn write(&mut self, writes: Vec<Write<Vec<u8>>>) -> CommitOutcome {
        if let Some(failure) = self.refusal(&writes) {
            return CommitOutcome::Failed(failure);
        }
        let outcome = self.store.apply(self.epoch, writes);
        let is_lost = self.unknown_commits > 0;
        self.unknown_commits -= u32::from(is_lost);
        if is_lost { CommitOutcome::Unknown } else { outcome }
    }

    /// A transaction that storage has not done is aborted.
    fn withdraw(&mut self, id: EffectId) {
        if let Some(Abandoned { transaction, others }) = self.queue.withdraw(id) {
            let is_meant =
                |next: &Next<Writes, Query>| matches!(next, Next::Write(written) if written.number == transaction);
            self.stalled.iter_mut().for_each(|stalled| stalled.retain(|next| !is_meant(next)));
            let unknown = |id| Input::Completed(id, Completion::Committed(CommitOutcome::Unknown));
            self.inputs.extend(others.into_iter().map(unknown));
        }
        self.begin_operations();
    }

    fn start(&mut self, id: EffectId, effect: Effect) {
        let completion = match effect {
            Effect::Load(query) => {
                self.queue.push_load(id, query);
                return self.begin_operations();
            }
            Effect::Commit(changes) => {
                self.commits += 1;
                let writes = to_writes(&changes, |buffer| self.take_buffer(buffer, &changes));
                self.queue.push_commit(id, Rc::new(writes));
                return self.begin_operations();
            }
            Effect::Fetch { request, .. } => {
                let reply = (self.server)(&request, self.requests.len());
                self.requests.push(request);
                if reply.stalls && reply.body.is_empty() {
                    return;
                }
                self.open(id, reply)
            }
            Effect::Read { attempt, up_to_bytes, as_whole, hash, .. } => {
                match self.read(id, attempt, (!as_whole).then_some(up_to_bytes), hash) {
                    Some(read) => read,
                    None => return,
                }
            }
            Effect::HashStored { body, range, mut state, .. } => {
                self.hashes += 1;
                let mut at = range.start;
                while at < range.end {
                    if self.unreadable.contains(&at) {
                        self.lose(at, body);
                        self.inputs.push_back(Input::Completed(id, Completion::Hashed(Err(StoreFailure::Other))));
                        return;
                    }
                    let row = ready(self.store.view().get(Table::Chunks, &Key::chunk(body, at))).expect("it answers");
                    let Some(Value::Chunk(chunk, len)) = row else { panic!("no chunk at {at} of {range:?}") };
                    if at + len > range.end && at > range.start {
                        break;
                    }
                    state.update(&chunk);
                    self.hashed_from_storage += len;
                    at += len;
                }
                Completion::Hashed(Ok(state))
            }
            Effect::File { file, destination, .. } => {
                self.filings += 1;
                if let Some(code) = self.filing_failures.pop_front() {
                    Completion::Filed(Err(TaskError::new(code)))
                } else {
                    if let Some(at) = self.unreadable.first().copied() {
                        self.lose(at, file.file.body);
                        self.inputs.push_back(Input::Completed(
                            id,
                            Completion::Filed(Err(TaskError::new(ErrorCode::Storage))),
                        ));
                        return;
                    }
                    let bytes = self.chunks_of(file.file.body);
                    assert_eq!(bytes.len() as u64, file.file.length, "what is filed is all that there is");
                    self.on_the_way.push((id, destination, bytes));
                    if !self.is_slow_to_file {
                        self.let_files_arrive();
                    }
                    return;
                }
            }
            Effect::Look { registration } => self.look(&registration),
            Effect::TakeRecord { record, .. } => self.take_record(id, &record),
            Effect::TryRoom { bytes } => {
                self.trials += 1;
                let is_full = self.capacity.is_some_and(|capacity| self.stored_bytes() + bytes > capacity);
                let is_refused = self.failing_commits > 0;
                self.failing_commits -= u32::from(is_refused);
                Completion::Room(!is_full && !is_refused)
            }
            Effect::Probe { url } => {
                self.probes.push(url);
                Completion::Probed(self.reachable)
            }
        };
        let is_held = matches!(completion, Completion::Hashed(_)) && self.is_slow_to_hash;
        let input = Input::Completed(id, completion);
        if is_held { self.held.push(input) } else { self.inputs.push_back(input) }
    }
}

impl World {
    /// What is being written to destinations is there.
    pub fn let_files_arrive(&mut self) {
        for (id, destination, bytes) in std::mem::take(&mut self.on_the_way) {
            self.filed.push((destination, bytes));
            self.inputs.push_back(Input::Completed(id, Completion::Filed(Ok(()))));
        }
    }

    fn look(&self, registration: &str) -> Completion {
        let ready = |records: &BTreeMap<u64, Reply>| records.keys().copied().collect();
        let found = self.registrations.get(registration);
        let found = found.map(|(is_over, records)| Look::Found { is_over: *is_over, ready: ready(records) });
        Completion::Looked(found.unwrap_or(Look::Gone))
    }

    fn take_record(&mut self, id: EffectId, wanted: &RecordRequest) -> Completion {
        let records = self.registrations.get(&wanted.registration).map(|(_, records)| records);
        let record = records.and_then(|records| records.get(&wanted.start));
        let reply = record.cloned().unwrap_or_else(|| Reply::unreachable(true));
        self.open(id, reply)
    }

    fn open(&mut self, id: EffectId, reply: Reply) -> Completion {
        let free_bytes = self.free_bytes;
        let Reply { head, body, end, stalls } = reply;
        let number = self.requests.len().saturating_sub(1);
        self.attempts.insert(id, Attempt { number, body: body.into(), end, stalls });
        Completion::Head(head.map(|head| Arrived { head, free_bytes }))
    }
}

fn start(store: &MemoryStore<Vec<u8>>, now: u64, seed: u128, most_held_bytes: Option<u64>) -> (u64, Engine) {
    let epoch = store.next_epoch();
    let snapshot = ready(boot(&store.view())).expect("the store boots");
    let setting = Setting { seed, origin: HOME.into(), max_connections: MAX_CONNECTIONS, most_held_bytes };
    (epoch, Engine::restore(Timestamp(now), setting, snapshot))
}

/// A task's key in the session `s`.
pub fn key(id: &str) -> TaskKey {
    TaskKey { session: SessionId::new("s"), task: TaskId::new(id) }
}

/// Where a file can be had.
pub fn source(url: &str) -> Source {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let host = rest.split('/').next().expect("a host");
    Source { url: url.into(), host: host.into(), origin: format!("{scheme}://{host}") }
}

/// A download from the worker's own origin, in one segment.
pub fn at_home() -> TaskSpec {
    from("https://app.example/f?sig=secret-signature")
}

/// A download from this URL, in one segment.
pub fn from(url: &str) -> TaskSpec {
    let mut spec = TaskSpec { sources: vec![source(url)], ..TaskSpec::default() };
    spec.policy.max_segments = 1;
    spec
}

/// What a task failed with.
pub fn failure(task: &Task) -> ErrorCode {
    match &task.record.state {
        TaskState::Failed(error) => error.code,
        state => panic!("the task has not failed: {state:?}"),
    }
}

/// Runs a future whose every await is ready at once, as those of the store in memory are.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the store in memory never waits"),
    }
}
