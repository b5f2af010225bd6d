//! The loop between the engine and the browser. It owns the engine, never borrows it across an await, and does what
//! it asks for: mutate once, then drain.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo_timers::callback::{Interval, Timeout};
use js_sys::Array;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::{AbortController, AbortSignal};

use super::body::Body;
use super::clock::Clock;
use super::fetch::fetch;
use super::files::chunk;
use super::host::Host;
use super::indexeddb::IndexedDb;
use super::lease::Lease;
use super::messages::{self, Message, number};
use crate::engine::Engine;
use crate::engine::error::{ErrorCode, TaskError};
use crate::engine::id::{CallId, EffectId, SessionId, TaskKey};
use crate::engine::input::{Completion, Input};
use crate::engine::output::{Answer, Effect, FileLocation, Output};
use crate::engine::sorted_map::SortedMap;
use crate::store::Store;
use crate::store::changes::to_writes;
use crate::store::queries::load;

/// How often pages are told how far running tasks have come.
const PROGRESS_INTERVAL_MS: u32 = 250;
/// A timer longer than this is set again when it fires; browsers count in 32 bits.
const LONGEST_TIMER_MS: u64 = 60 * 60_000;

struct Attempt {
    key: TaskKey,
    controller: AbortController,
    body: Option<Rc<Body>>,
    shown: Cell<Option<(u64, f64)>>,
}

/// The engine at work.
pub struct Driver {
    host: Host,
    clock: Clock,
    store: IndexedDb,
    epoch: u64,
    lease: RefCell<Option<Lease>>,
    has_stopped: Cell<bool>,
    engine: RefCell<Engine>,
    attempts: RefCell<SortedMap<EffectId, Attempt>>,
    buffers: RefCell<SortedMap<EffectId, JsValue>>,
    timer: RefCell<Option<Timeout>>,
    ticker: RefCell<Option<Interval>>,
}

impl Driver {
    /// A driver for an engine that was restored under `epoch`.
    pub fn new(host: Host, clock: Clock, store: IndexedDb, epoch: u64, engine: Engine) -> Rc<Self> {
        Rc::new(Self {
            host,
            clock,
            store,
            epoch,
            lease: RefCell::default(),
            has_stopped: Cell::new(false),
            engine: RefCell::new(engine),
            attempts: RefCell::default(),
            buffers: RefCell::default(),
            timer: RefCell::default(),
            ticker: RefCell::default(),
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
        loop {
            let output = self.engine.borrow_mut().poll_output();
            match output {
                Some(output) => self.perform(output),
                None => break,
            }
        }
        self.set_timer();
        self.set_ticker();
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
        self.timer.take();
        self.ticker.take();
        self.lease.take();
        self.host.stopped(code, "");
    }

    fn perform(self: &Rc<Self>, output: Output) {
        match output {
            Output::Start(id, effect) => self.start(id, effect),
            Output::Abort(attempt) => {
                if let Some(attempt) = self.attempts.borrow_mut().remove(&attempt) {
                    attempt.controller.abort();
                }
            }
            Output::Discard(buffer) => {
                self.buffers.borrow_mut().remove(&buffer);
            }
            Output::Reply(call, Ok(Answer::Chunk(file, offset))) => self.reply_with_chunk(call, file, offset),
            Output::Reply(call, result) => self.reply(call, result.map(answer)),
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
            Output::Released(client, key) => {
                let message =
                    Message::of_type("released").with("session", key.session.as_str()).with("id", key.task.as_str());
                self.host.post(client.as_str(), message.into());
            }
            Output::AllDelivered(client, session) => {
                let message = Message::of_type("all-events-delivered").with("session", session.as_str());
                self.host.post(client.as_str(), message.into());
            }
            Output::Settle(wake) => self.host.settle(number(wake.0)),
            Output::Working(working) => self.host.working(working),
            Output::Fenced => self.stop("fenced"),
        }
    }

    fn start(self: &Rc<Self>, id: EffectId, effect: Effect) {
        let driver = Rc::clone(self);
        match effect {
            Effect::Load(query) => spawn_local(async move {
                let loaded = match driver.store.reader().await {
                    Ok(reader) => load(&reader, &query).await,
                    Err(failure) => Err(failure),
                };
                driver.complete(id, Completion::Loaded(loaded));
            }),
            Effect::Commit(changes) => spawn_local(async move {
                let writes = to_writes(&changes, |buffer| driver.buffers.borrow_mut().remove(&buffer));
                let outcome = driver.store.commit(driver.epoch, writes).await;
                driver.complete(id, Completion::Committed(outcome));
            }),
            Effect::Fetch { key, url, range_start, if_range } => {
                // Without this the browser could not be told to stop; it exists wherever service workers do.
                let Ok(controller) = AbortController::new() else { return };
                let either = Array::of2(&controller.signal(), &self.host.signal());
                let signal = AbortSignal::any(&either);
                let attempt = Attempt { key, controller, body: None, shown: Cell::new(None) };
                self.attempts.borrow_mut().insert(id, attempt);
                spawn_local(async move {
                    let answer = fetch(&url, range_start, if_range.as_deref(), &signal).await;
                    let head = answer.map(|(head, response)| {
                        driver.keep_body(id, &response);
                        head
                    });
                    driver.complete(id, Completion::Head(head));
                });
            }
            Effect::Read { attempt, offset, up_to_bytes, or_after_ms } => {
                let body = self.attempts.borrow().get(&attempt).and_then(|attempt| attempt.body.clone());
                if let Some(body) = body {
                    body.read(id, offset, up_to_bytes, or_after_ms);
                }
            }
        }
    }

    fn keep_body(self: &Rc<Self>, attempt: EffectId, response: &web_sys::Response) {
        let driver = Rc::downgrade(self);
        let body = Body::new(response, self.store.chunk_kind(), move |filled| {
            let Some(driver) = driver.upgrade() else { return };
            if let Some(chunk) = filled.chunk {
                driver.buffers.borrow_mut().insert(filled.read, chunk);
            }
            let completion = Completion::Read { len: filled.len, end: filled.end };
            // Not from within the read's own call: the engine may be waiting for that to return.
            spawn_local(async move { driver.complete(filled.read, completion) });
        });
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

    fn reply_with_chunk(self: &Rc<Self>, call: CallId, file: FileLocation, offset: u64) {
        let driver = Rc::clone(self);
        spawn_local(async move {
            let answer = chunk(&driver.store, &file, offset).await.map(|found| {
                let (chunk, len) = found.map_or((None, 0), |(chunk, len)| (Some(chunk), len));
                Message::new()
                    .with_some("chunk", chunk)
                    .with("length", number(len))
                    .with_some("contentType", file.content_type.as_deref())
            });
            driver.reply(call, answer.map_err(|_| TaskError::new(ErrorCode::Storage)));
        });
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
        let mut by_session: SortedMap<SessionId, Array> = SortedMap::default();
        for attempt in self.attempts.borrow().values() {
            if let Some(progress) = attempt.progress() {
                by_session.get_or_insert_with(attempt.key.session.clone(), Array::new).push(&progress.into());
            }
        }
        for (session, tasks) in by_session.iter() {
            for client in self.engine.borrow().clients(session) {
                let message =
                    Message::of_type("progress").with("session", session.as_str()).with("tasks", tasks.clone());
                self.host.post(client.as_str(), message.into());
            }
        }
    }
}

impl Attempt {
    /// How far it has come, if it moved since the last look. The speed is smoothed over about two seconds.
    fn progress(&self) -> Option<Message> {
        const SMOOTHING: f64 = 0.12;
        let received = self.body.as_ref()?.live_offset();
        let per_second = 1_000.0 / f64::from(PROGRESS_INTERVAL_MS);
        let (before, speed) = self.shown.get().unwrap_or((received, 0.0));
        let newest = number(received.saturating_sub(before)) * per_second;
        let smoothed = if speed == 0.0 { newest } else { speed + (newest - speed) * SMOOTHING };
        self.shown.set(Some((received, smoothed)));
        Some(
            Message::new()
                .with("id", self.key.task.as_str())
                .with("receivedBytes", number(received))
                .with("bytesPerSecond", smoothed.round()),
        )
    }
}

fn answer(answer: Answer) -> Message {
    let message = Message::new();
    match answer {
        Answer::Opened(version) => message.with("version", version),
        Answer::Download(task, created) => message.with("task", messages::task(&task)).with("created", created),
        Answer::Task(task) => message.with("task", messages::task(&task)),
        Answer::Tasks(tasks, next) => message
            .with("tasks", messages::list(&tasks, messages::task))
            .with_some("next", next.as_ref().map(|id| id.as_str())),
        Answer::History(events) => message.with("events", messages::list(&events, messages::event)),
        Answer::Released | Answer::Chunk(..) => message,
    }
}
