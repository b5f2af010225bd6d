//! The store's contract suite, run against the store in memory. `tests/web.rs` runs the same on IndexedDB.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::panic, reason = "a test's helper: panicking is how it reports")]

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use longhaul::store::contract;
use longhaul::store::memory::MemoryStore;

/// Runs a future whose every await is ready at once.
fn run<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the store in memory never waits"),
    }
}

#[test]
fn the_store_in_memory_keeps_the_contract() {
    run(contract::all(&MemoryStore::default(), |len| vec![0_u8; len]));
}
