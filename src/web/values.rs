//! Single values of a call, checked: each error names its field.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};

use crate::engine::error::{ErrorCode, TaskError};

/// The longest identifier, in bytes: identifiers are keys.
pub const NAME: usize = 1_024;
/// The greatest whole number that JavaScript is sure of.
const GREATEST: f64 = 9_007_199_254_740_991.0;

/// A value that cannot be used.
pub fn bad(field: &str) -> TaskError {
    TaskError { code: ErrorCode::BadArgument, status: None, detail: Some(field.into()) }
}

/// A value that may not be missing.
pub fn required<T>(value: Option<T>, field: &str) -> Result<T, TaskError> {
    value.ok_or_else(|| bad(field))
}

/// A flag that is down unless it is given.
pub fn flag(value: Option<bool>) -> bool {
    value.unwrap_or(false)
}

/// An identifier: it may not be empty either.
pub fn name<'a>(value: &'a str, field: &str) -> Result<&'a str, TaskError> {
    if (1..=NAME).contains(&value.len()) { Ok(value) } else { Err(bad(field)) }
}

/// A text of at most so many bytes.
pub fn text(value: Option<String>, most_bytes: usize, field: &str) -> Result<Option<String>, TaskError> {
    match value {
        Some(text) if text.len() > most_bytes => Err(bad(field)),
        value => Ok(value),
    }
}

/// A whole number within bounds.
pub fn whole(value: Option<f64>, least: u64, most: u64, field: &str) -> Result<Option<u64>, TaskError> {
    let Some(value) = value else { return Ok(None) };
    let is_usable = value == value.trunc() && value >= least as f64 && value <= GREATEST.min(most as f64);
    if is_usable { Ok(Some(value as u64)) } else { Err(bad(field)) }
}

/// A whole number that is not too small, or 0 to lift a limit.
pub fn limit(value: Option<f64>, least: u64, field: &str) -> Result<Option<u64>, TaskError> {
    if value == Some(0.0) { Ok(Some(0)) } else { whole(value, least, u64::MAX, field) }
}

/// The bytes of a `Uint8Array`.
pub struct Bytes(pub Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BytesVisitor)
    }
}

struct BytesVisitor;

impl Visitor<'_> for BytesVisitor {
    type Value = Bytes;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("bytes")
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(Bytes(bytes))
    }
}
