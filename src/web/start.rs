//! From nothing to a running driver: take the lease, raise the epoch, read the snapshot. One worker drives a
//! database at a time; the lease asks, the epoch enforces.

use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::JsFuture;
use web_sys::BroadcastChannel;

use super::clock::Clock;
use super::driver::Driver;
use super::host::Host;
use super::indexeddb::IndexedDb;
use super::lease::{self, Lease};
use crate::engine::id::{SessionId, TaskId, TaskKey};
use crate::engine::input::StoreFailure;
use crate::engine::schedule::MAX_CONNECTIONS;
use crate::engine::{Engine, Setting};
use crate::store::Store;
use crate::store::boot::boot;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn fill_with_random(bytes: &Uint8Array);
}

/// Why no driver could be started.
pub enum StartFailure {
    /// Web Locks or BroadcastChannel are missing or refused.
    Locks,
    /// Storage is missing, refused, or newer than this version.
    Storage,
}

impl From<StoreFailure> for StartFailure {
    fn from(_: StoreFailure) -> Self {
        Self::Storage
    }
}

/// Starts a driver for the database of this registration.
///
/// # Errors
/// If the lease or the database cannot be had.
pub async fn start(host: Host, scope: &str) -> Result<Rc<Driver>, StartFailure> {
    let name = ["longhaul:", scope].concat();
    let channel = BroadcastChannel::new(&name).map_err(|_| StartFailure::Locks)?;
    if !take_lock(&host, &name, true).await {
        // An older version of the worker is at work: ask it to yield, and wait until it has, or has died.
        lease::ask_to_yield(&channel).map_err(|_| StartFailure::Locks)?;
        if !take_lock(&host, &name, false).await {
            return Err(StartFailure::Locks);
        }
    }
    let boot_id = random().to_string();
    let living_name = [&name, ":", &boot_id].concat();
    if !take_lock(&host, &living_name, false).await {
        return Err(StartFailure::Locks);
    }

    let store = IndexedDb::open(&name).await?;
    let epoch = store.advance_epoch().await?;
    let clock = Clock::new();
    let snapshot = boot(&store.reader().await?).await?;
    let seed = u128::from(random()) << 64 | u128::from(random());
    let max_connections = host.max_connections().unwrap_or(MAX_CONNECTIONS);
    let setting = Setting { seed, origin: host.origin(), max_connections };
    let mut engine = Engine::restore(clock.now(), setting, snapshot);
    if let [session, task] = &host.crashed()[..] {
        engine.blame(&TaskKey { session: SessionId::new(session), task: TaskId::new(task) });
    }

    let driver = Driver::new(host.clone(), clock, store, epoch, engine);
    let held = Rc::downgrade(&driver);
    driver.hold(Lease::new(channel, move || {
        if let Some(driver) = held.upgrade() {
            driver.stop("yielded");
        }
    }));
    host.started(&boot_id, &living_name);
    Ok(driver)
}

async fn take_lock(host: &Host, name: &str, if_available: bool) -> bool {
    JsFuture::from(host.lock(name, if_available)).await.is_ok_and(|granted| granted.is_truthy())
}

fn random() -> u64 {
    let bytes = Uint8Array::new_with_length(8);
    fill_with_random(&bytes);
    let mut number = [0; 8];
    bytes.copy_to(&mut number);
    u64::from_le_bytes(number)
}
