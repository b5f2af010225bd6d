//! How much the origin may still store. The browser's estimate takes a while to make, so one serves for some seconds.

use std::cell::Cell;

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::engine::time::Timestamp;

/// For how long an estimate is good enough.
const FRESH_MS: u64 = 5_000;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(thread_local_v2, js_namespace = navigator, js_name = storage)]
    static STORAGE: JsValue;
}

/// The browser's last estimate.
#[derive(Debug)]
pub struct Quota {
    headroom_bytes: u64,
    last: Cell<Option<(Timestamp, Option<u64>)>>,
}

impl Quota {
    /// So many bytes are to stay free.
    pub fn new(headroom_bytes: f64) -> Self {
        Self { headroom_bytes: headroom_bytes as u64, last: Cell::default() }
    }

    /// Bytes that may still be stored; `None` if the browser does not tell.
    pub async fn free_bytes(&self, now: Timestamp) -> Option<u64> {
        if let Some((_, free)) = self.last.get().filter(|(at, _)| now.since(*at) < FRESH_MS) {
            return free;
        }
        let free = estimate().await.map(|free| free.saturating_sub(self.headroom_bytes));
        self.last.set(Some((now, free)));
        free
    }
}

async fn estimate() -> Option<u64> {
    let promise = STORAGE.with(|storage| {
        let estimate = Reflect::get(storage, &"estimate".into()).ok()?.dyn_into::<Function>().ok()?;
        estimate.call0(storage).ok()?.dyn_into::<Promise>().ok()
    })?;
    let estimate = JsFuture::from(promise).await.ok()?;
    let number = |name: &str| Reflect::get(&estimate, &name.into()).ok()?.as_f64();
    Some((number("quota")? - number("usage")?).max(0.0) as u64)
}
