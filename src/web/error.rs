//! Exceptions: their name and message, and what they mean for storage.

use js_sys::Reflect;
use wasm_bindgen::JsValue;

use crate::engine::input::StoreFailure;

fn text(value: &JsValue, property: &str) -> Option<String> {
    Reflect::get(value, &property.into()).ok()?.as_string()
}

/// `Name: message`, for a log.
pub fn describe(exception: &JsValue) -> String {
    let name = text(exception, "name").unwrap_or_else(|| "Error".into());
    match text(exception, "message") {
        Some(message) if !message.is_empty() => name + ": " + &message,
        _ => name,
    }
}

/// Whether the exception is of this name.
pub fn is_named(exception: &JsValue, name: &str) -> bool {
    text(exception, "name").as_deref() == Some(name)
}

/// What an exception of IndexedDB means.
pub fn store_failure(exception: &JsValue) -> StoreFailure {
    if is_named(exception, "QuotaExceededError") {
        StoreFailure::Quota
    } else if is_named(exception, "VersionError") {
        StoreFailure::Newer
    } else {
        StoreFailure::Other
    }
}
