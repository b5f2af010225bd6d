//! The exports. JavaScript values become types here; a call that makes no sense is answered here and goes no further.

use std::cell::RefCell;
use std::rc::Rc;

use serde::Deserialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;

use super::driver::Driver;
use super::host::Host;
use super::messages;
use super::start::{StartFailure, start};
use crate::engine::error::{ErrorCode, TaskError};
use crate::engine::id::{CallId, ClientId, SessionId, TaskId, TaskKey, WakeId};
use crate::engine::input::{Call, IfExists, Input, TaskCall};
use crate::engine::session::{Configuration, SessionRecord};
use crate::engine::task::TaskSpec;
use crate::engine::time::Timestamp;

/// The longest identifier and id, in bytes: they are keys.
const LONGEST_NAME: usize = 1_024;

/// A call as it comes from a page: the union of `Call` in `js/protocol.ts`, flat.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallMessage {
    r#type: String,
    session: String,
    id: Option<String>,
    url: Option<String>,
    host: Option<String>,
    same_origin: Option<bool>,
    token: Option<String>,
    if_exists: Option<String>,
    description: Option<String>,
    metadata: Option<String>,
    after: Option<String>,
    before: Option<f64>,
    limit: Option<u32>,
    offset: Option<f64>,
    configuration: Option<ConfigurationMessage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigurationMessage {
    version: Option<u32>,
    max_concurrent_tasks: Option<u32>,
}

/// The instance has crashed: the next use of any export begins with a new one.
#[wasm_bindgen(js_name = retireInstance)]
pub fn retire_instance() {
    wasm_bindgen::handler::schedule_reinit();
}

/// To be called right after [`retire_instance`]. It does nothing itself; being called is what makes the new instance,
/// before any callback of the old one can be the first use and reach the new one with its old pointers.
#[wasm_bindgen(js_name = beginInstance)]
pub fn begin_instance() {}

/// One instance of the component.
#[wasm_bindgen]
pub struct Component {
    host: Host,
    /// `None` until the driver has started; what comes before waits in `early`.
    driver: Rc<RefCell<Option<Rc<Driver>>>>,
    early: Rc<RefCell<Vec<Input>>>,
}

#[wasm_bindgen]
impl Component {
    /// Starts the component for the registration with this scope. `host` hears when it is at work.
    #[wasm_bindgen(constructor)]
    pub fn new(host: Host, scope: String) -> Self {
        let component = Self { host: host.clone(), driver: Rc::default(), early: Rc::default() };
        let (driver, early) = (component.driver.clone(), component.early.clone());
        spawn_local(async move {
            match start(host.clone(), &scope).await {
                Ok(started) => {
                    driver.replace(Some(Rc::clone(&started)));
                    started.handle(early.take());
                }
                Err(StartFailure::Locks) => host.stopped("component-failed", "Web Locks are not available"),
                Err(StartFailure::Storage) => host.stopped("storage", "the database could not be opened"),
            }
        });
        component
    }

    /// The worker was woken by an event that lasts until `ends_at_ms` (epoch milliseconds, if known). `kick` says
    /// that things may have changed for the better.
    pub fn wake(&self, wake: f64, ends_at_ms: Option<f64>, kick: bool) {
        let ends_at = ends_at_ms.map(|at| Timestamp(at as u64));
        self.handle(Input::Wake { wake: WakeId(wake as u64), ends_at, kick });
    }

    /// A page attaches to a session.
    pub fn hello(&self, client: &str, session: &str, delegate: bool) {
        self.handle(Input::Hello { client: ClientId::new(client), session: SessionId::new(session), delegate });
    }

    /// A page leaves a session, or, without one, is gone.
    pub fn bye(&self, client: &str, session: Option<String>) {
        let session = session.map(|session| SessionId::new(&session));
        self.handle(Input::Bye { client: ClientId::new(client), session });
    }

    /// The delegate has handled every event up to and including `seq`.
    pub fn ack(&self, client: &str, session: &str, seq: f64) {
        self.handle(Input::Ack { client: ClientId::new(client), session: SessionId::new(session), seq: seq as u64 });
    }

    /// A page asks; the host is told the reply.
    pub fn call(&self, call: f64, message: JsValue) {
        let id = CallId(call as u64);
        let decoded = serde_wasm_bindgen::from_value::<CallMessage>(message).ok();
        match decoded.ok_or(ErrorCode::BadArgument).and_then(CallMessage::into_call) {
            Ok(call) => self.handle(Input::Call(id, call)),
            Err(code) => self.host.reply(call, false, messages::error(&TaskError::new(code)).into()),
        }
    }

    fn handle(&self, input: Input) {
        let driver = self.driver.borrow().clone();
        match driver {
            Some(driver) => driver.handle([input]),
            None => self.early.borrow_mut().push(input),
        }
    }
}

impl CallMessage {
    fn into_call(self) -> Result<Call, ErrorCode> {
        let session = SessionId::new(name(&self.session)?);
        let task = self.id.as_deref().map(name).transpose()?.map(TaskId::new);
        let key = || task.clone().map(|task| TaskKey { session: session.clone(), task }).ok_or(ErrorCode::BadArgument);
        let about = |what| Ok(Call::Task(key()?, what));
        let limit = self.limit.unwrap_or(100);
        match self.r#type.as_str() {
            "open" => {
                let given = self.configuration.ok_or(ErrorCode::BadArgument)?;
                let default = Configuration::default();
                let configuration = Configuration {
                    version: given.version.unwrap_or(default.version),
                    max_concurrent_tasks: given.max_concurrent_tasks.unwrap_or(default.max_concurrent_tasks),
                };
                let usable = configuration.version > 0 && configuration.max_concurrent_tasks > 0;
                let record = SessionRecord { id: session, configuration };
                if usable { Ok(Call::Open(record)) } else { Err(ErrorCode::BadArgument) }
            }
            "download" => {
                let if_exists = match self.if_exists.as_deref() {
                    None | Some("keep") => IfExists::Keep,
                    Some("replace") => IfExists::Replace,
                    Some("error") => IfExists::Error,
                    Some(_) => return Err(ErrorCode::BadArgument),
                };
                let key = key()?;
                let url = self.url.ok_or(ErrorCode::BadArgument)?;
                if !url.starts_with("https://") && !url.starts_with("http://") {
                    return Err(ErrorCode::UnsupportedScheme);
                }
                let spec = TaskSpec {
                    url,
                    host: self.host.ok_or(ErrorCode::BadArgument)?,
                    same_origin: self.same_origin.unwrap_or(false),
                    call_token: self.token.ok_or(ErrorCode::BadArgument)?,
                    description: self.description,
                    metadata: self.metadata,
                };
                Ok(Call::Download { key, spec, if_exists })
            }
            "tasks" => {
                let after = self.after.as_deref().map(TaskId::new);
                Ok(Call::Tasks { session, after, limit })
            }
            "history" => {
                let before = self.before.map(|before| before as u64);
                Ok(Call::History { session, before, limit })
            }
            "task" => about(TaskCall::Get),
            "pause" => about(TaskCall::Pause),
            "resume" => about(TaskCall::Resume),
            "cancel" => about(TaskCall::Cancel),
            "release" => about(TaskCall::Release),
            "chunk" => {
                let offset = self.offset.filter(|offset| *offset >= 0.0).ok_or(ErrorCode::BadArgument)?;
                about(TaskCall::Chunk(offset as u64))
            }
            _ => Err(ErrorCode::BadArgument),
        }
    }
}

fn name(text: &str) -> Result<&str, ErrorCode> {
    if (1..=LONGEST_NAME).contains(&text.len()) { Ok(text) } else { Err(ErrorCode::BadArgument) }
}
