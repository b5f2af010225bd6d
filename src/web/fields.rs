//! The fields of a call, read one by one and checked. Derived decoding would be a tenth of the wasm.
//!
//! The first value that cannot be used is noted and refuses the whole call, so that reading goes on with what else there is:
//! a way out at each field would weigh more than the reading. Any script of the origin may send a call, and the worker's own
//! code hands its objects over as they are: that reading one of them throws is a refusal, too.

use std::cell::Cell;

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
    #[wasm_bindgen(js_name = Uint8Array, extends = Uint8Array)]
    type Bytes;

    /// A copy: what only looks like a `Uint8Array` throws here, and not where its bytes are read.
    #[wasm_bindgen(constructor, js_class = "Uint8Array", catch)]
    fn copy(bytes: &JsValue) -> Result<Bytes, JsValue>;
}

/// Why a call is refused, and which field is meant.
type Refusal = (ErrorCode, Option<&'static str>);

/// Reads an object by `read`, which gives nothing only where it refuses.
///
/// # Errors
/// `bad-argument` with the name of the field that cannot be used, or what `read` refuses with.
pub fn read<T>(object: JsValue, read: impl FnOnce(&Fields<'_>) -> Option<T>) -> Result<T, TaskError> {
    let refusal = Cell::new(None);
    let value = read(&Fields { object, refusal: &refusal });
    let (code, field) = match (refusal.get(), value) {
        (None, Some(value)) => return Ok(value),
        (refusal, _) => refusal.unwrap_or((ErrorCode::BadArgument, None)),
    };
    Err(TaskError { code, status: None, detail: field.map(Into::into) })
}

/// An object of a call. A field that is missing, `undefined` or `null` is not given.
pub struct Fields<'r> {
    object: JsValue,
    refusal: &'r Cell<Option<Refusal>>,
}

impl Fields<'_> {
    /// The call is refused for another reason than a value that cannot be used.
    pub fn refuse_with(&self, code: ErrorCode) {
        self.note((code, None));
    }

    fn note(&self, refusal: Refusal) {
        self.refusal.set(self.refusal.get().or(Some(refusal)));
    }

    /// This field cannot be used.
    pub fn refuse<T: Default>(&self, field: &'static str) -> T {
        self.note((ErrorCode::BadArgument, Some(field)));
        T::default()
    }

    /// A value that may not be missing.
    pub fn required<T: Default>(&self, value: Option<T>, field: &'static str) -> T {
        value.unwrap_or_else(|| self.refuse(field))
    }

    fn value(&self, field: &'static str) -> Option<JsValue> {
        let value = Reflect::get(&self.object, &field.into()).unwrap_or_else(|_| self.refuse(field));
        Some(value).filter(|value| !value.is_undefined() && !value.is_null())
    }

    fn typed<T>(&self, field: &'static str, to_type: fn(&JsValue) -> Option<T>) -> Option<T> {
        let value = self.value(field)?;
        to_type(&value).or_else(|| self.refuse(field))
    }

    /// A text.
    pub fn text(&self, field: &'static str) -> Option<String> {
        self.typed(field, JsValue::as_string)
    }

    /// A text that may not be missing.
    pub fn required_text(&self, field: &'static str) -> String {
        self.required(self.text(field), field)
    }

    /// A text of at most so many bytes.
    pub fn short_text(&self, field: &'static str, most_bytes: usize) -> Option<String> {
        let text = self.text(field)?;
        if text.len() <= most_bytes { Some(text) } else { self.refuse(field) }
    }

    /// An identifier: it may not be empty either.
    pub fn name(&self, field: &'static str) -> Option<String> {
        let name = self.short_text(field, NAME)?;
        if name.is_empty() { self.refuse(field) } else { Some(name) }
    }

    /// An identifier that may not be missing.
    pub fn required_name(&self, field: &'static str) -> String {
        self.required(self.name(field), field)
    }

    /// A flag.
    pub fn flag(&self, field: &'static str) -> Option<bool> {
        self.typed(field, JsValue::as_bool)
    }

    /// A flag that is down unless it is given.
    pub fn is(&self, field: &'static str) -> bool {
        self.flag(field) == Some(true)
    }

    /// A whole number within bounds.
    pub fn whole(&self, field: &'static str, least: u64, most: u64) -> Option<u64> {
        let value = self.typed(field, JsValue::as_f64)?;
        let is_usable = value == value.trunc() && value >= least as f64 && value <= GREATEST.min(most as f64);
        if is_usable { Some(value as u64) } else { self.refuse(field) }
    }

    /// A whole number from one on.
    pub fn count(&self, field: &'static str, most: u32) -> Option<u32> {
        self.whole(field, 1, most.into()).map(|count| count as u32)
    }

    /// A whole number that is not too small, or 0 to lift a limit.
    pub fn limit(&self, field: &'static str, least: u64) -> Option<u64> {
        let value = self.whole(field, 0, u64::MAX)?;
        if value == 0 || value >= least { Some(value) } else { self.refuse(field) }
    }

    /// The bytes of a `Uint8Array`.
    pub fn bytes(&self, field: &'static str) -> Option<Uint8Array> {
        self.typed(field, |value| {
            let bytes = Bytes::instanceof(value).then(|| Bytes::copy(value));
            bytes?.ok().map(Into::into)
        })
    }

    /// An object's fields.
    pub fn object(&self, field: &'static str) -> Option<Self> {
        let object = self.typed(field, |value| value.is_object().then(|| value.clone()))?;
        Some(Self { object, ..*self })
    }

    /// The fields of an object that may not be missing.
    pub fn required_object(&self, field: &'static str) -> Self {
        let object = self.object(field).map(|fields| fields.object);
        Self { object: self.required(object, field), ..*self }
    }

    /// A list of objects, each of which is read by `read`.
    pub fn objects<T>(&self, field: &'static str, read: impl Fn(&Self) -> Option<T>) -> Option<Vec<T>> {
        let items = self.items(&self.value(field)?, field)?;
        if items.iter().all(JsValue::is_object) {
            items.into_iter().map(|object| read(&Self { object, ..*self })).collect()
        } else {
            self.refuse(field)
        }
    }

    /// A list of texts.
    pub fn texts(&self, field: &'static str) -> Option<Vec<String>> {
        let items = self.items(&self.value(field)?, field)?;
        Some(items.iter().map(|item| self.required(item.as_string(), field)).collect())
    }

    /// A list of pairs of texts.
    pub fn pairs(&self, field: &'static str) -> Option<Vec<(String, String)>> {
        let pair = |item| match self.items(&item, field).as_deref() {
            Some([first, second]) => self.required(first.as_string().zip(second.as_string()), field),
            _ => self.refuse(field),
        };
        Some(self.items(&self.value(field)?, field)?.into_iter().map(pair).collect())
    }

    fn items(&self, list: &JsValue, field: &'static str) -> Option<Vec<JsValue>> {
        let length = <Array>::instanceof(list).then(|| Reflect::get(list, &"length".into()));
        match length.and_then(|length| length.ok()?.as_f64()) {
            Some(length) if length <= LONGEST_LIST => {
                let item = |at| Reflect::get_u32(list, at).unwrap_or_else(|_| self.refuse(field));
                Some((0..length as u32).map(item).collect())
            }
            _ => self.refuse(field),
        }
    }
}
