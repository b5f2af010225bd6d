//! The traps that transfers fall into, one named test for each: a server, a page or the browser does what it does in
//! real life, and the file must be right all the same. docs/traps.md says which trap is held by which test.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::expect_used, clippy::panic, reason = "tests and their world: panicking is how they report")]

mod authorization;
mod background_fetch;
mod bounded;
mod crash;
mod damage;
mod delivery;
mod dialects;
mod filing;
mod first_asker;
mod groups;
mod hidden;
mod hook;
mod life;
mod loops;
mod mirrors;
mod odd_bodies;
mod odd_servers;
mod policies;
mod proof;
mod ranges;
mod reading;
mod redirects;
mod retention;
mod room;
mod server;
mod storms;
mod told;
mod trouble;
mod unexpected;
mod unreadable;
mod validators;
mod wakes;
mod world;
