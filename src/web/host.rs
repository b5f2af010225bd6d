//! What `host.ts` does for the component. It owns every promise, port and lock, so that none hangs should the
//! component crash; the component names them by number.

use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::{AbortSignal, Response};

#[wasm_bindgen]
extern "C" {
    /// The object that `host.ts` hands to an instance: one for each, which falls silent when that one's life is over.
    #[derive(Clone)]
    pub type Host;

    /// Takes a Web Lock and keeps it for the component's life. The promise tells whether it was granted: it waits,
    /// unless `if_available` and another holds it.
    #[wasm_bindgen(method)]
    pub fn lock(this: &Host, name: &str, if_available: bool) -> Promise;

    /// The session and the id of the task that the instance before this one was at work on when it crashed.
    #[wasm_bindgen(method, getter)]
    pub fn crashed(this: &Host) -> Vec<String>;

    /// The worker's own origin.
    #[wasm_bindgen(method, getter)]
    pub fn origin(this: &Host) -> String;

    /// How many connections there may be at the same time, if the worker's code has set that.
    #[wasm_bindgen(method, getter, js_name = maxConnections)]
    pub fn max_connections(this: &Host) -> Option<u32>;

    /// How many bytes of the origin's quota are to stay free.
    #[wasm_bindgen(method, getter, js_name = headroomBytes)]
    pub fn headroom_bytes(this: &Host) -> f64;

    /// Aborted when the component's life is over, whatever ended it.
    #[wasm_bindgen(method, getter)]
    pub fn signal(this: &Host) -> AbortSignal;

    /// The component is at work, and holds the lock of this name while it lives.
    #[wasm_bindgen(method)]
    pub fn started(this: &Host, boot: &str, lock: &str);

    /// The component has stopped and must be dropped: `code` says why.
    #[wasm_bindgen(method)]
    pub fn stopped(this: &Host, code: &str, detail: &str);

    /// Answers a call.
    #[wasm_bindgen(method)]
    pub fn reply(this: &Host, call: f64, ok: bool, value: JsValue);

    /// Takes the session's lock for the worker's own code, waiting in line for it.
    #[wasm_bindgen(method)]
    pub fn stand(this: &Host, session: &str);

    /// Posts a message to a page, or, by an empty name, to the worker's own code.
    #[wasm_bindgen(method)]
    pub fn post(this: &Host, client: &str, message: JsValue);

    /// Asks a page, or, without one, the worker's own code, for headers or another URL. The answer is a call.
    #[wasm_bindgen(method)]
    pub fn authorize(this: &Host, client: Option<&str>, message: JsValue);

    /// Whether the worker's content security policy has forbidden a fetch from this URL's origin.
    #[wasm_bindgen(method, js_name = cspBlocks)]
    pub fn csp_blocks(this: &Host, url: &str) -> bool;

    /// Whether the body of `response` was cut, which has ended after `read` bytes without an error: a promise of a boolean.
    #[wasm_bindgen(method, js_name = isCut)]
    pub fn is_cut(this: &Host, response: &Response, read: f64) -> Promise;

    /// What the browser itself fetches.
    #[wasm_bindgen(method, getter)]
    pub fn fetches(this: &Host) -> Fetches;

    /// Lets a wake's event end. `again`: there is work left.
    #[wasm_bindgen(method)]
    pub fn settle(this: &Host, wake: f64, again: bool);

    /// Work has begun or ended. `next`: when there is more, if that is known.
    #[wasm_bindgen(method)]
    pub fn working(this: &Host, working: bool, next: Option<f64>);

    /// What `background-fetch.ts` does.
    pub type Fetches;

    /// How a registration of the browser's own fetches stands: a promise of `undefined` if there is none, else of
    /// `[isOver, ...starts]`, with the first bytes of the requests whose answers are there.
    #[wasm_bindgen(method)]
    pub fn look(this: &Fetches, registration: &str) -> Promise;

    /// The answer to the request that begins at this byte: a promise of a `Response`.
    #[wasm_bindgen(method)]
    pub fn record(this: &Fetches, registration: &str, start: f64) -> Promise;

    /// A registration has ended: show what the app wants to be seen then.
    #[wasm_bindgen(method, js_name = showEnd)]
    pub fn show_end(this: &Fetches, registration: &str, ui: &str);

    /// Nothing more is wanted of a registration.
    #[wasm_bindgen(method, js_name = letGo)]
    pub fn let_go(this: &Fetches, registration: &str);
}
