//! Integrity of what was transferred, as pure Rust: hashes whose state survives a restart, and the forms in which an
//! app or a server says what they must come to.

mod base64;
mod digest;
mod digest_field;
mod expected;
mod hash;
mod piece;
mod sri;

pub use base64::decode as decode_base64;
pub use digest::{Algorithm, Digest};
pub use expected::Expected;
pub use hash::HashState;
pub use piece::{MIN_PIECE_LENGTH, Pieces};
