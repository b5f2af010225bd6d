//! From nothing to a running driver: take the lease, raise the epoch, read the snapshot. One worker drives a
//! database at a time; the lease asks, the epoch enforces.

use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use web_sys::{BroadcastChannel, MessageEvent};

use super::clock::Clock;
use super::driver::Driver;
use super::host::Host;
use super::indexeddb::IndexedDb;
use super::locks::{self, Lock};
use crate::engine::Engine;
use crate::engine::input::StoreFailure;
use crate::store::Store;
use crate::store::boot::boot;

/// The one word said on the lease's channel: whoever holds the lease, let go.
const YIELD: &str = "yield";

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn fill_with_random(bytes: &Uint8Array);
}

/// The right to drive the database, for as long as it is kept.
pub struct Lease {
    channel: BroadcastChannel,
    _on_yield: Closure<dyn FnMut(MessageEvent)>,
    _driving: Lock,
    _living: Lock,
}

impl Lease {
    /// The lease of `driver`, who lets go of it when a newer worker asks.
    fn new(driving: Lock, living: Lock, channel: BroadcastChannel, driver: &Rc<Driver>) -> Self {
        let driver = Rc::downgrade(driver);
        let on_yield = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Some(driver) = driver.upgrade().filter(|_| event.data() == YIELD) {
                driver.stop("yielded");
            }
        });
        channel.set_onmessage(Some(on_yield.as_ref().unchecked_ref()));
        Self { channel, _on_yield: on_yield, _driving: driving, _living: living }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.channel.set_onmessage(None);
        self.channel.close();
    }
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
    let driving = match locks::try_take(&name).await {
        Some(lock) => lock,
        // An older version of the worker is at work: ask it to yield, and wait until it has, or has died.
        None => {
            channel.post_message(&YIELD.into()).map_err(|_| StartFailure::Locks)?;
            locks::take(&name).await.ok_or(StartFailure::Locks)?
        }
    };
    let boot_id = random().to_string();
    let living_name = [&name, ":", &boot_id].concat();
    let living = locks::take(&living_name).await.ok_or(StartFailure::Locks)?;

    let store = IndexedDb::open(&name).await?;
    let epoch = store.advance_epoch().await?;
    let clock = Clock::new();
    let snapshot = boot(&store.reader().await?).await?;
    let seed = u128::from(random()) << 64 | u128::from(random());
    let engine = Engine::restore(clock.now(), seed, snapshot);

    let driver = Driver::new(host.clone(), clock, store, epoch, engine);
    driver.hold(Lease::new(driving, living, channel, &driver));
    host.started(&boot_id, &living_name);
    Ok(driver)
}

fn random() -> u64 {
    let bytes = Uint8Array::new_with_length(8);
    fill_with_random(&bytes);
    let mut number = [0; 8];
    bytes.copy_to(&mut number);
    u64::from_le_bytes(number)
}
