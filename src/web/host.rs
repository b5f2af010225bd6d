//! What `worker.ts` does for the component. It owns every promise and every port, so that none hangs should the
//! component crash; the component names them by number.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    /// The object that `worker.ts` hands to `start`.
    #[derive(Clone)]
    pub type Host;

    /// The component is at work, and holds the lock of this name while it lives.
    #[wasm_bindgen(method)]
    pub fn started(this: &Host, boot: &str, lock: &str);

    /// The component has stopped and must be dropped: `code` says why.
    #[wasm_bindgen(method)]
    pub fn stopped(this: &Host, code: &str, detail: &str);

    /// Answers a call.
    #[wasm_bindgen(method)]
    pub fn reply(this: &Host, call: f64, ok: bool, value: JsValue);

    /// Posts a message to a page.
    #[wasm_bindgen(method)]
    pub fn post(this: &Host, client: &str, message: JsValue);

    /// Lets a wake's event end.
    #[wasm_bindgen(method)]
    pub fn settle(this: &Host, wake: f64);

    /// Work has begun or ended.
    #[wasm_bindgen(method)]
    pub fn working(this: &Host, working: bool);
}
