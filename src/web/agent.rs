//! Which browser this is, where nothing but its name tells what it does.

use js_sys::JsString;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(thread_local_v2, js_namespace = navigator, js_name = userAgent)]
    static USER_AGENT: JsString;
}

fn is_named(name: &str) -> bool {
    USER_AGENT.with(|agent| agent.includes(name, 0))
}

fn is_webkit() -> bool {
    is_named("AppleWebKit") && !is_named("Chrome")
}

/// Whether a stored Blob can lose its content (docs/platform.md): it shows itself too late.
pub fn loses_blobs() -> bool {
    is_webkit()
}

/// Whether a cache takes the stream of a worker that is ended for one that has ended, and keeps what had come by then
/// (docs/platform.md). What it is given as a Blob is whole.
pub fn stores_cut_bodies() -> bool {
    is_named("Firefox/")
}

/// Whether an answer can be held in memory, all of it: in Firefox what was read of it, until it is over; in WebKit what has
/// come and nobody has read yet, however much that is (docs/platform.md).
pub fn holds_answers() -> bool {
    is_named("Firefox/") || is_webkit()
}
