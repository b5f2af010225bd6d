//! The exports. JavaScript values become types here; a call that makes no sense is answered here and goes no further.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;

use super::calls::read_call;
use super::host::Host;
use super::messages;
use super::start::{StartFailure, Started, start};
use super::turns::whose;
use crate::engine::id::{CallId, ClientId, SessionId, WakeId};
use crate::engine::input::Input;
use crate::engine::policy::Conditions;
use crate::engine::time::Timestamp;

/// The session and the id of the task that the instance is at work on, or nothing. It can be asked after a crash, too.
#[wasm_bindgen(js_name = atWork)]
pub fn at_work() -> Vec<String> {
    whose().map_or_else(Vec::new, |key| vec![key.session.as_str().into(), key.task.as_str().into()])
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
    driver: Rc<RefCell<Option<Started>>>,
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
            let life = host.signal();
            match start(host.clone(), &scope).await {
                _ if life.aborted() => {}
                Ok(started) => {
                    driver.replace(Some(started.clone()));
                    started.handle(early.take());
                }
                Err(StartFailure::Locks) => host.stopped("component-failed", "Web Locks are not available"),
                Err(StartFailure::Storage) => host.stopped("storage", "the database could not be opened"),
            }
        });
        component
    }

    /// The worker was woken by an event that lasts until `ends_at_ms` (epoch milliseconds, if known), and that the browser
    /// repeats if it fails, if `is_repeated`. `kick` says that things may have changed for the better.
    pub fn wake(&self, wake: f64, ends_at_ms: Option<f64>, is_repeated: bool, kick: bool) {
        let ends_at = ends_at_ms.map(|at| Timestamp(at as u64));
        self.handle(Input::Wake { wake: WakeId(wake as u64), ends_at, is_repeated, kick });
    }

    /// A page attaches to a session, or, by an empty name, the worker's own code; see [`Input::Hello`].
    pub fn hello(&self, client: &str, session: &str, delegate: bool, can_authorize: bool) {
        let (client, session) = (ClientId::new(client), SessionId::new(session));
        self.handle(Input::Hello { client, session, delegate, can_authorize });
    }

    /// A page, or without one the worker itself, tells what it sees of the surroundings, and no longer what it told
    /// before.
    pub fn conditions(
        &self,
        client: Option<String>,
        visible: Option<bool>,
        metered: Option<bool>,
        charging: Option<bool>,
        idle: Option<bool>,
        can_begin: Option<bool>,
    ) {
        let observer = client.map(|client| ClientId::new(&client));
        let conditions = Conditions { visible, metered, charging, idle, can_begin };
        self.handle(Input::Conditions { observer, conditions });
    }

    /// Whether the worker's own code can supply headers or another URL, and handles the events that no page takes.
    pub fn hook(&self, can_authorize: bool, handles_events: bool) {
        self.handle(Input::Hook { can_authorize, handles_events });
    }

    /// A page leaves a session, or, without one, is gone.
    pub fn bye(&self, client: &str, session: Option<String>) {
        let session = session.map(|session| SessionId::new(&session));
        self.handle(Input::Bye { client: ClientId::new(client), session });
    }

    /// The delegate has handled every event up to and including `seq`. By an empty name, the worker's own code is meant;
    /// see [`Input::Ack`].
    pub fn ack(&self, client: &str, session: &str, seq: f64) {
        self.handle(Input::Ack { client: ClientId::new(client), session: SessionId::new(session), seq: seq as u64 });
    }

    /// A registration of the browser's own fetches has ended.
    pub fn external(&self, registration: String, by_user: bool) {
        self.handle(Input::External { registration, by_user });
    }

    /// A page asks; the host is told the reply.
    pub fn call(&self, call: f64, message: JsValue) {
        match read_call(message) {
            Ok(asked) => self.handle(Input::Call(CallId(call as u64), asked)),
            Err(error) => self.host.reply(call, false, messages::error(&error).into()),
        }
    }

    /// Nobody waits for the answer to this call any more.
    pub fn forget(&self, call: f64) {
        self.handle(Input::Forget(CallId(call as u64)));
    }

    fn handle(&self, input: Input) {
        let driver = self.driver.borrow().clone();
        match driver {
            Some(driver) => driver.handle([input]),
            None => self.early.borrow_mut().push(input),
        }
    }
}
