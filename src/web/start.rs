//! From nothing to a running driver: take the lease, raise the epoch, read the snapshot. One worker drives a
//! database at a time; the lease asks, the epoch enforces.

use std::rc::Rc;

use gloo_timers::callback::Timeout;
use js_sys::Uint8Array;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::JsFuture;
use web_sys::BroadcastChannel;

use super::agent::holds_answers;
use super::archive::Archive;
use super::clock::Clock;
use super::driver::Driver;
use super::host::Host;
use super::indexeddb::IndexedDb;
use super::lease::{self, Lease};
use super::turns::at_work;
use crate::engine::id::{SessionId, TaskId, TaskKey};
use crate::engine::input::{Input, StoreFailure};
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
    /// Storage is missing or refused, or nobody waits for it any more.
    Storage,
}

impl From<StoreFailure> for StartFailure {
    fn from(_: StoreFailure) -> Self {
        Self::Storage
    }
}

/// After so long without an answer from storage, those who wait for the component are told.
const OPEN_MS: u32 = 20_000;

/// Where the browser holds answers in memory, longer files are asked for in parts.
const MOST_HELD_BYTES: u64 = 64 << 20;

/// What was started.
#[derive(Clone)]
pub enum Started {
    /// The engine at work.
    Driver(Rc<Driver>),
    /// A newer longhaul has written the database.
    Archive(Rc<Archive>),
}

impl Started {
    /// Takes in what happened.
    pub fn handle(&self, inputs: impl IntoIterator<Item = Input>) {
        match self {
            Self::Driver(driver) => driver.handle(inputs),
            Self::Archive(archive) => inputs.into_iter().for_each(|input| archive.handle(input)),
        }
    }
}

/// Starts what drives, or at least reads, the database of this registration.
///
/// # Errors
/// If the lease or the database cannot be had.
pub async fn start(host: Host, scope: &str) -> Result<Started, StartFailure> {
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

    // Another connection may block the opening for ever, and browsers have forgotten to answer.
    let (life, waiting) = (host.signal(), host.clone());
    let patience = Timeout::new(OPEN_MS, move || waiting.stopped("storage", "the database does not answer"));
    let clock = Clock::new();
    let store = match IndexedDb::open(&name).await {
        Err(StoreFailure::Newer) => {
            drop(patience);
            let (store, stopping) = (IndexedDb::as_it_is(&name), host.clone());
            let lease = Lease::new(channel, move || stopping.stopped("yielded", ""));
            host.started(&boot_id, &living_name);
            return Ok(Started::Archive(Archive::new(host, store, clock.now(), lease)));
        }
        opened => opened?,
    };
    if life.aborted() {
        return Err(StartFailure::Storage);
    }
    let epoch = store.advance_epoch().await?;
    let snapshot = boot(&store.reader().await?).await?;
    drop(patience);
    if life.aborted() {
        return Err(StartFailure::Storage);
    }
    let seed = u128::from(random()) << 64 | u128::from(random());
    let max_connections = host.max_connections().unwrap_or(MAX_CONNECTIONS);
    let most_held_bytes = holds_answers().then_some(MOST_HELD_BYTES);
    let setting = Setting { seed, origin: host.origin(), max_connections, most_held_bytes };
    let mut engine = Engine::restore(clock.now(), setting, snapshot);
    engine.tell(at_work());
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
    Ok(Started::Driver(driver))
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
