//! The fields of a call, read one by one and checked; each refusal names its field. Derived decoding would be a tenth of the
//! wasm. Any script of the origin may send a call, and the worker's own code hands its objects over as they are: reading
//! one may throw, which is a refusal, too.

use js_sys::{Array, Reflect, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use crate::engine::error::{ErrorCode, TaskError};

/// The longest identifier, in bytes: identifiers are keys.
pub const NAME: usize = 1_024;
/// The most items in a list: all members of a batch are written in one commit.
const LONGEST_LIST: f64 = 1_024.0;
/// The greatest whole number that JavaScript is sure of.
const GREATEST: f64 = 9_007_199_254_740_991.0;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = Reflect, js_name = get, catch)]
    fn property(object: &JsValue, name: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = Uint8Array, extends = Uint8Array)]
    type Bytes;

    /// A copy: what only looks like a `Uint8Array` throws here, and not where its bytes are read.
    #[wasm_bindgen(constructor, js_class = "Uint8Array", catch)]
    fn copy(bytes: &JsValue) -> Result<Bytes, JsValue>;
}

/// Why a call is refused. It owns nothing, so that passing it on costs no code.
#[derive(Clone, Copy)]
pub struct Refusal(ErrorCode, Option<&'static str>);

impl From<Refusal> for TaskError {
    fn from(Refusal(code, field): Refusal) -> Self {
        Self { code, status: None, detail: field.map(Into::into) }
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self(code, None)
    }
}

/// What was read, or why it is refused.
pub type Read<T> = Result<T, Refusal>;

/// A value that cannot be used.
pub fn bad(field: &'static str) -> Refusal {
    Refusal(ErrorCode::BadArgument, Some(field))
}

/// A value that may not be missing.
pub fn required<T>(value: Option<T>, field: &'static str) -> Read<T> {
    value.ok_or(bad(field))
}

/// An object of a call. A field that is missing, `undefined` or `null` is not given.
pub struct Fields(JsValue);

impl Fields {
    /// The fields of this object. What is none is refused when its first field is read.
    pub fn of(object: JsValue) -> Self {
        Self(object)
    }

    fn value(&self, field: &'static str) -> Read<Option<JsValue>> {
        let value = property(&self.0, field).map_err(|_| bad(field))?;
        Ok(Some(value).filter(|value| !value.is_undefined() && !value.is_null()))
    }

    fn typed<T>(&self, field: &'static str, to_type: fn(&JsValue) -> Option<T>) -> Read<Option<T>> {
        self.value(field)?.map(|value| required(to_type(&value), field)).transpose()
    }

    /// A text.
    pub fn text(&self, field: &'static str) -> Read<Option<String>> {
        self.typed(field, JsValue::as_string)
    }

    /// A text of at most so many bytes.
    pub fn short_text(&self, field: &'static str, most_bytes: usize) -> Read<Option<String>> {
        match self.text(field)? {
            Some(text) if text.len() > most_bytes => Err(bad(field)),
            text => Ok(text),
        }
    }

    /// An identifier: it may not be empty either.
    pub fn name(&self, field: &'static str) -> Read<Option<String>> {
        match self.short_text(field, NAME)? {
            Some(name) if name.is_empty() => Err(bad(field)),
            name => Ok(name),
        }
    }

    /// A flag.
    pub fn flag(&self, field: &'static str) -> Read<Option<bool>> {
        self.typed(field, JsValue::as_bool)
    }

    /// A flag that is down unless it is given.
    pub fn is(&self, field: &'static str) -> Read<bool> {
        Ok(self.flag(field)?.unwrap_or(false))
    }

    /// A whole number within bounds.
    pub fn whole(&self, field: &'static str, least: u64, most: u64) -> Read<Option<u64>> {
        let Some(value) = self.typed(field, JsValue::as_f64)? else { return Ok(None) };
        let is_usable = value == value.trunc() && value >= least as f64 && value <= GREATEST.min(most as f64);
        if is_usable { Ok(Some(value as u64)) } else { Err(bad(field)) }
    }

    /// A whole number from one on.
    pub fn count(&self, field: &'static str, most: u32) -> Read<Option<u32>> {
        Ok(self.whole(field, 1, most.into())?.map(|count| count as u32))
    }

    /// A whole number that is not too small, or 0 to lift a limit.
    pub fn limit(&self, field: &'static str, least: u64) -> Read<Option<u64>> {
        match self.whole(field, 0, u64::MAX)? {
            Some(value) if value != 0 && value < least => Err(bad(field)),
            value => Ok(value),
        }
    }

    /// The bytes of a `Uint8Array`.
    pub fn bytes(&self, field: &'static str) -> Read<Option<Uint8Array>> {
        self.typed(field, |value| {
            let bytes = Bytes::instanceof(value).then(|| Bytes::copy(value));
            bytes?.ok().map(Into::into)
        })
    }

    /// An object's fields.
    pub fn object(&self, field: &'static str) -> Read<Option<Self>> {
        self.typed(field, |value| value.is_object().then(|| Self(value.clone())))
    }

    /// A list of objects, each of which is read by `read`.
    pub fn objects<T>(&self, field: &'static str, read: impl Fn(&Self) -> Read<T>) -> Read<Option<Vec<T>>> {
        self.list(field, |item| read(&Self(item)))
    }

    /// A list of texts.
    pub fn texts(&self, field: &'static str) -> Read<Option<Vec<String>>> {
        self.list(field, |item| required(item.as_string(), field))
    }

    /// A list of pairs of texts.
    pub fn pairs(&self, field: &'static str) -> Read<Option<Vec<(String, String)>>> {
        self.list(field, |item| match items(&item, field)?.as_slice() {
            [first, second] => required(first.as_string().zip(second.as_string()), field),
            _ => Err(bad(field)),
        })
    }

    fn list<T>(&self, field: &'static str, read: impl Fn(JsValue) -> Read<T>) -> Read<Option<Vec<T>>> {
        let Some(list) = self.value(field)? else { return Ok(None) };
        items(&list, field)?.into_iter().map(read).collect::<Read<_>>().map(Some)
    }
}

/// The items of a list.
fn items(list: &JsValue, field: &'static str) -> Read<Vec<JsValue>> {
    let length = Some(list).filter(|list| <Array>::instanceof(list)).and_then(|list| property(list, "length").ok());
    let length = length.and_then(|length| length.as_f64()).filter(|length| *length <= LONGEST_LIST);
    (0..required(length, field)? as u32).map(|at| Reflect::get_u32(list, at).map_err(|_| bad(field))).collect()
}
