//! Time that does not go backwards while the worker lives: the wall clock at the start, and the monotonic clock since.

use wasm_bindgen::prelude::wasm_bindgen;

use crate::engine::time::Timestamp;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn monotonic_ms() -> f64;
}

/// A clock for one life of the worker.
#[derive(Debug)]
pub struct Clock {
    wall_minus_monotonic_ms: f64,
}

impl Clock {
    /// A clock that agrees with the wall clock now.
    pub fn new() -> Self {
        Self { wall_minus_monotonic_ms: js_sys::Date::now() - monotonic_ms() }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        Timestamp((self.wall_minus_monotonic_ms + monotonic_ms()) as u64)
    }
}
