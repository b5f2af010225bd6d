//! longhaul: background transfer sessions for the web.
//!
//! The crate's map. A room may use what stands above it, never what stands below:
//!
//! | room | what lives there | may use |
//! | --- | --- | --- |
//! | [`engine`] | every decision: pure, no clock, no randomness, no async, no JS types | nothing |
//! | [`store`] | rows and tables: the port to durable storage, and its in-memory twin | `engine` |
//! | `web` | the browser: driver loop, fetch, IndexedDB, messages (wasm32 only) | `engine`, `store` |
//!
//! `tests/rooms.rs` holds this rule against the sources.

pub mod engine;
pub mod integrity;
pub mod store;
#[cfg(target_arch = "wasm32")]
pub mod web;
