//! The loop between the engine and the browser. It owns the engine, never borrows it across an await, and does what
//! it asks for: mutate once, then drain.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use gloo_timers::callback::{Interval, Timeout};
use js_sys::Array;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::{AbortController, AbortSignal};

use super::background_fetch::{look, record};
use super::body::{Body, Wanted};
use super::clock::Clock;
use super::fetch::{fetch, probe};
use super::files::{Loss, bytes, chunk, hash};
use super::filing;
use super::host::Host;
use super::indexeddb::{IndexedDb, has_room};
use super::lease::Lease;
use super::messages::{self, Message, number};
use super::operations::Operations;
use super::progress::Speeds;
use super::quota::Quota;
use super::turns::{at_work, during};
use crate::engine::Engine;
use crate::engine::error::TaskError;
use crate::engine::file::FileLocation;
use crate::engine::id::{BodyId, CallId, EffectId, TaskKey};
use crate::engine::input::{Arrived, Completion, Input, StoreFailure};
use crate::engine::output::{Answer, Effect, FetchRequest, Outcome, Output, RecordRequest, Work};
use crate::engine::sorted_map::SortedMap;
use crate::store::changes::to_writes;

/// How often pages are told how far running tasks have come.
const PROGRESS_INTERVAL_MS: u32 = 250;
/// A timer longer than this is set again when it fires; browsers count in 32 bits.
const LONGEST_TIMER_MS: u64 = 60 * 60_000;

struct Attempt {
    key: TaskKey,
    controller: AbortController,
    /// WebKit collects a composed signal that nothing else holds, and then nothing can end the request.
    _signal: AbortSignal,
    body: Option<Rc<Body>>,
}

/// Where an answer comes from.
enum Opening {
    Fetch(FetchRequest),
    Record(RecordRequest),
}

/// The engine at work.
pub struct Driver {
    host: Host,
    clock: Clock,
    store: IndexedDb,
    operations: Rc<Operations>,
    quota: Quota,
    lease: RefCell<Option<Lease>>,
    has_stopped: Cell<bool>,
    engine: RefCell<Engine>,
    attempts: RefCell<SortedMap<EffectId, Attempt>>,
    buffers: RefCell<SortedMap<EffectId, JsValue>>,
    /// Files that are being written to their destinations, each with whether that is to end.
    filings: RefCell<SortedMap<EffectId, Rc<Cell<bool>>>>,
    timer: RefCell<Option<Timeout>>,
    ticker: RefCell<Option<Interval>>,
    speeds: RefCell<Speeds>,
}

impl Driver {
    /// A driver for an engine that was restored under `epoch`.
    pub fn new(host: Host, clock: Clock, store: IndexedDb, epoch: u64, engine: Engine) -> Rc<Self> {
        Rc::new_cyclic(|driver: &Weak<Self>| {
            let driver = driver.clone();
            let operations = Operations::new(store.clone(), epoch, move |ended| {
                if let Some(driver) = driver.upgrade() {
                    driver.handle(ended.into_iter().map(|(id, completion)| Input::Completed(id, completion)));
                }
            });
            Self {
                quota: Quota::new(host.headroom_bytes()),
                host,
                clock,
                store,
                operations,
                lease: RefCell::default(),
                has_stopped: Cell::new(false),
                engine: RefCell::new(engine),
                attempts: RefCell::default(),
                buffers: RefCell::default(),
                filings: RefCell::default(),
                timer: RefCell::default(),
                ticker: RefCell::default(),
                speeds: RefCell::default(),
            }
        })
    }

    /// Keeps the lease until the driver stops.
    pub fn hold(&self, lease: Lease) {
        self.lease.replace(Some(lease));
    }

    /// Takes in what happened, all of it before anything is done about it.
    pub fn handle(self: &Rc<Self>, inputs: impl IntoIterator<Item = Input>) {
        if self.has_stopped.get() {
            return;
        }
        let now = self.clock.now();
        for input in inputs {
            self.engine.borrow_mut().handle_input(now, input);
        }
        // What one output leads to may end the driver: then nothing of the rest is begun, nor a timer set.
        while !self.has_stopped.get() {
            let output = self.engine.borrow_mut().poll_output();
            let Some(output) = output else {
                self.set_timer();
                return self.set_ticker();
            };
            self.perform(output);
        }
    }

    /// Lets go of everything: another worker takes over. What is committed is safe.
    pub fn stop(&self, code: &str) {
        if self.has_stopped.replace(true) {
            return;
        }
        for attempt in self.attempts.take().values() {
            attempt.controller.abort();
        }
        self.buffers.take();
        self.operations.stop();
        self.filings.take().values().for_each(|is_ended| is_ended.set(true));
        self.timer.take();
        self.ticker.take();
        self.lease.take();
        self.host.stopped(code, "");
    }

    fn perform(self: &Rc<Self>, output: Output) {
        match output {
            Output::Start(id, effect) => self.start(id, effect),
            Output::Abort(id) => {
                if let Some(attempt) = self.attempts.borrow_mut().remove(&id) {
                    attempt.controller.abort();
                }
                if let Some(is_ended) = self.filings.borrow_mut().remove(&id) {
                    is_ended.set(true);
                }
                self.operations.withdraw(id);
            }
            Output::Hasten(attempt) => {
                let body = self.attempts.borrow().get(&attempt).and_then(|attempt| attempt.body.clone());
                body.inspect(|body| body.hasten());
            }
            Output::Discard(buffer) => {
                self.buffers.borrow_mut().remove(&buffer);
            }
            Output::Reply(call, Ok(Answer::Chunk(file, offset))) => self.reply_with_chunk(call, None, file, offset),
            Output::Reply(call, Ok(Answer::Check(key, file, offset))) => {
                self.reply_with_chunk(call, Some(key), file, offset);
            }
            Output::Reply(call, result) => self.reply(call, result.map(messages::answer)),
            Output::Stand(session) => self.host.stand(session.as_str()),
            Output::Deliver(client, session, events) => {
                let message = Message::of_type("events")
                    .with("session", session.as_str())
                    .with("events", messages::list(&events, messages::event));
                self.host.post(client.as_str(), message.into());
            }
            Output::Observe(client, session, event) => {
                let message = Message::of_type("observed")
                    .with("session", session.as_str())
                    .with("event", messages::event(&event));
                self.host.post(client.as_str(), message.into());
            }
            Output::Changed(client, snapshot) => {
                let session = snapshot.record.key.session.as_str();
                let message = Message::of_type("task").with("session", session).with("task", messages::task(&snapshot));
                self.host.post(client.as_str(), message.into());
            }
            Output::GroupChanged(client, key, counts) => {
                self.host.post(client.as_str(), messages::group(&key, &counts).into());
            }
            Output::AskAuthorization(client, key, need) => {
                let client = client.as_ref().map(|client| client.as_str());
                self.host.authorize(client, messages::authorize(&key, &need).into());
            }
            Output::Released(client, key) => {
                let message =
                    Message::of_type("released").with("session", key.session.as_str()).with("id", key.task.as_str());
                self.host.post(client.as_str(), message.into());
            }
            Output::AllDelivered(client, session) => {
                let message = Message::of_type("all-events-delivered").with("session", session.as_str());
                self.host.post(client.as_str(), message.into());
            }
            Output::Begin(client, key, request) => {
                self.host.post(client.as_str(), messages::begin(&key, &request).into());
            }
            Output::ShowEnd(registration, ui) => self.host.fetches().show_end(&registration, &ui),
            Output::LetGo(registration) => self.host.fetches().let_go(&registration),
            Output::Settle(wake, outcome) => self.host.settle(number(wake.0), outcome == Outcome::Again),
            Output::Working(Work::Now) => self.host.working(true, None),
            Output::Working(Work::At(at)) => self.host.working(false, at.map(|at| number(at.0))),
            Output::Fenced => self.stop("fenced"),
        }
    }

    fn start(self: &Rc<Self>, id: EffectId, effect: Effect) {
        let driver = Rc::clone(self);
        match effect {
            Effect::Load(query) => self.operations.load(id, query),
            Effect::Commit(changes) => {
                let writes = to_writes(&changes, |buffer| self.buffers.borrow_mut().remove(&buffer));
                self.operations.commit(id, writes);
            }
            Effect::Fetch { key, request } => self.attempt(id, key, Opening::Fetch(request)),
            Effect::TakeRecord { key, record } => self.attempt(id, key, Opening::Record(record)),
            Effect::Look { registration } => spawn_local(async move {
                let look = look(&driver.host, &registration).await;
                driver.complete(id, Completion::Looked(look));
            }),
            Effect::Read { attempt, up_to_bytes, or_after_ms, as_whole, hash, .. } => {
                let body = self.attempts.borrow().get(&attempt).and_then(|attempt| attempt.body.clone());
                if let Some(body) = body {
                    body.read(Wanted { id, up_to_bytes, or_after_ms, as_whole, hash });
                }
            }
            Effect::HashStored { key, body, range, state } => spawn_local(async move {
                let hashed = during(at_work(), key.clone(), hash(&driver.store, body, range, state)).await;
                let hashed = hashed.map_err(|loss| driver.lost(&key, body, loss));
                driver.complete(id, Completion::Hashed(hashed));
            }),
            Effect::File { key, file, destination } => {
                let is_ended = Rc::new(Cell::new(false));
                self.filings.borrow_mut().insert(id, Rc::clone(&is_ended));
                spawn_local(async move {
                    let lost = |range| {
                        driver.lost(&key, file.file.body, Loss::Unreadable(range));
                    };
                    let filed = filing::file(&driver.store, &file, &destination, &is_ended, &lost);
                    let filed = during(at_work(), key.clone(), filed).await;
                    driver.filings.borrow_mut().remove(&id);
                    driver.complete(id, Completion::Filed(filed));
                });
            }
            Effect::TryRoom { bytes } => spawn_local(async move {
                let is_there = has_room(&driver.store, bytes).await;
                driver.complete(id, Completion::Room(is_there));
            }),
            Effect::Probe { url } => spawn_local(async move {
                let is_reachable = probe(&url).await;
                driver.complete(id, Completion::Probed(is_reachable));
            }),
        }
    }

    fn attempt(self: &Rc<Self>, id: EffectId, key: TaskKey, opening: Opening) {
        // Without this the browser could not be told to stop; it exists wherever service workers do.
        let Ok(controller) = AbortController::new() else { return };
        let signal = AbortSignal::any(&Array::of2(&controller.signal(), &self.host.signal()));
        self.attempts
            .borrow_mut()
            .insert(id, Attempt { key: key.clone(), controller, _signal: signal.clone(), body: None });
        let driver = Rc::clone(self);
        spawn_local(async move {
            let opened = async {
                match opening {
                    Opening::Fetch(request) => fetch(&request, &signal, &driver.host).await,
                    Opening::Record(wanted) => record(&wanted, &driver.host).await,
                }
            };
            let arrived = match during(at_work(), key.clone(), opened).await {
                Ok((head, response)) => {
                    driver.keep_body(id, key, response);
                    Ok(Arrived { head, free_bytes: driver.quota.free_bytes(driver.clock.now()).await })
                }
                Err(failure) => Err(failure),
            };
            driver.complete(id, Completion::Head(arrived));
        });
    }

    fn keep_body(self: &Rc<Self>, attempt: EffectId, key: TaskKey, response: web_sys::Response) {
        let driver = Rc::downgrade(self);
        let at_work = at_work();
        let body = Body::new(
            response,
            self.host.clone(),
            self.store.chunk_kind(),
            move || at_work.turn(&key),
            move |filled| {
                let Some(driver) = driver.upgrade() else { return };
                if let Some(chunk) = filled.chunk {
                    driver.buffers.borrow_mut().insert(filled.read, chunk);
                }
                let completion = Completion::Read { len: filled.len, end: filled.end, hash: filled.hash };
                // Not from within the read's own call: the engine may be waiting for that to return.
                spawn_local(async move { driver.complete(filled.read, completion) });
            },
        );
        if let Some(attempt) = self.attempts.borrow_mut().get_mut(&attempt) {
            attempt.body = Some(body);
        }
    }

    fn complete(self: &Rc<Self>, id: EffectId, completion: Completion) {
        self.handle([Input::Completed(id, completion)]);
    }

    fn reply(&self, call: CallId, result: Result<Message, TaskError>) {
        match result {
            Ok(answer) => self.host.reply(number(call.0), true, answer.into()),
            Err(error) => self.host.reply(number(call.0), false, messages::error(&error).into()),
        }
    }

    /// Replies with the stored chunk; or with its bytes, if a page could not read it, or else has it fetched anew.
    fn reply_with_chunk(self: &Rc<Self>, call: CallId, doubted: Option<TaskKey>, file: FileLocation, offset: u64) {
        let driver = Rc::clone(self);
        spawn_local(async move {
            let found = async {
                Ok(match chunk(&driver.store, (file.body, file.length), offset).await? {
                    Some(found) if doubted.is_some() => {
                        let (start, len) = (found.1, found.2);
                        Some((bytes(&driver.store, file.body, found).await?.into(), start, len))
                    }
                    found => found,
                })
            };
            let answer = found.await.map(|found| messages::chunk(found, &file)).map_err(|loss: Loss| {
                let error = loss.error();
                if let Some(key) = &doubted {
                    driver.lost(key, file.body, loss);
                }
                error
            });
            driver.reply(call, answer);
        });
    }

    /// Says which stored bytes cannot be read, if that is known.
    fn lost(self: &Rc<Self>, key: &TaskKey, body: BodyId, loss: Loss) -> StoreFailure {
        if let Loss::Unreadable(range) = loss {
            self.handle([Input::Unreadable { key: key.clone(), body, range }]);
        }
        StoreFailure::Other
    }

    fn set_timer(self: &Rc<Self>) {
        let timer = self.engine.borrow().poll_timeout().map(|at| {
            let driver = Rc::clone(self);
            let delay_ms = at.since(self.clock.now()).min(LONGEST_TIMER_MS);
            Timeout::new(delay_ms as u32, move || driver.handle([Input::Timeout]))
        });
        self.timer.replace(timer);
    }

    /// Shows live progress while anything is being fetched.
    fn set_ticker(self: &Rc<Self>) {
        let is_fetching = !self.attempts.borrow().is_empty();
        if self.ticker.borrow().is_some() == is_fetching {
            return;
        }
        let driver = Rc::clone(self);
        let ticker = is_fetching.then(|| Interval::new(PROGRESS_INTERVAL_MS, move || driver.show_progress()));
        self.ticker.replace(ticker);
    }

    fn show_progress(&self) {
        let mut collected: SortedMap<TaskKey, u64> = SortedMap::default();
        for attempt in self.attempts.borrow().values() {
            if let Some(body) = &attempt.body {
                *collected.get_or_insert_with(attempt.key.clone(), || 0) += body.collected_bytes();
            }
        }
        let engine = self.engine.borrow();
        let read = collected.iter().map(|(key, collected)| (key.clone(), engine.read_bytes(key) + collected)).collect();
        for (session, tasks) in self.speeds.borrow_mut().show(read, PROGRESS_INTERVAL_MS).iter() {
            for client in engine.clients(session) {
                let message =
                    Message::of_type("progress").with("session", session.as_str()).with("tasks", tasks.clone());
                self.host.post(client.as_str(), message.into());
            }
        }
    }
}
