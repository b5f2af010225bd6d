//! Rows and keys as JavaScript values, and back.

use js_sys::{Array, ArrayBuffer, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::Blob;

use super::super::agent::loses_blobs;
use super::{IndexedDb, failure, finished, table};
use crate::engine::input::StoreFailure;
use crate::store::{Index, IndexKeys, Key, KeyRange, Part, Table, Text, Value};

/// The property of an indexed row that holds its bytes.
const BYTES: &str = "v";

/// How a database keeps chunks. Blobs are faster by far and cost no memory, but some private modes refuse them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkKind {
    /// As Blobs.
    Blob,
    /// As ArrayBuffers.
    ArrayBuffer,
}

/// Tries whether the database takes a Blob. The row is not kept. In WebKit a Blob that was taken can be lost all the same
/// (docs/platform.md), so it is not asked.
pub async fn probe_chunk_kind(store: &IndexedDb) -> Result<ChunkKind, StoreFailure> {
    if loses_blobs() {
        return Ok(ChunkKind::ArrayBuffer);
    }
    let transaction = store.transaction(&[Table::Chunks], idb::TransactionMode::ReadWrite).await?;
    let chunks = table(&transaction, Table::Chunks)?;
    let raw = transaction.into();
    let key = JsValue::from_str("probe");
    let accepted = Blob::new().is_ok_and(|blob| chunks.put(&blob, Some(&key)).is_ok());
    if accepted {
        chunks.delete(key).map_err(failure)?;
    }
    let kept = finished(&raw).await.is_ok();
    Ok(if accepted && kept { ChunkKind::Blob } else { ChunkKind::ArrayBuffer })
}

/// Whether so many bytes more can be stored. They are, for a moment: an estimate may say anything.
pub async fn has_room(store: &IndexedDb, bytes: u64) -> bool {
    let chunk = store.chunk_kind().join(&Array::of1(&Uint8Array::new_with_length(bytes as u32)), bytes);
    let key = JsValue::from_str("room");
    let is_stored = write(store, |chunks| chunks.put(&chunk, Some(&key)).map(drop)).await.is_ok();
    // A kill in between leaves it to the next trial.
    is_stored && write(store, |chunks| chunks.delete(key).map(drop)).await.is_ok()
}

async fn write(
    store: &IndexedDb,
    what: impl FnOnce(&idb::ObjectStore) -> Result<(), idb::Error>,
) -> Result<(), StoreFailure> {
    let transaction = store.transaction(&[Table::Chunks], idb::TransactionMode::ReadWrite).await?;
    let chunks = table(&transaction, Table::Chunks)?;
    let raw = transaction.into();
    what(&chunks).map_err(failure)?;
    finished(&raw).await
}

/// A key as IndexedDB takes it: an array.
pub fn key_to_js(key: &Key) -> JsValue {
    let parts = key.0.iter().map(|part| match part {
        Part::Number(number) => JsValue::from_f64(*number as f64),
        Part::Text(Text(text)) => JsValue::from_str(text),
        Part::End => Array::new().into(),
    });
    parts.collect::<Array>().into()
}

/// A key as IndexedDB gives it.
pub fn key_from_js(value: &JsValue) -> Key {
    let part = |part: JsValue| match part.as_f64() {
        Some(number) => Part::Number(number as u64),
        None => Part::Text(Text(part.as_string().unwrap_or_default())),
    };
    Key(value.unchecked_ref::<Array>().iter().map(part).collect())
}

/// A range as IndexedDB takes it.
pub fn range_to_js(range: &KeyRange) -> Result<idb::KeyRange, StoreFailure> {
    let (first, last) = (key_to_js(&range.first), key_to_js(&range.last));
    idb::KeyRange::bound(&first, &last, Some(range.first_is_open), Some(false)).map_err(failure)
}

/// A row as IndexedDB takes it. Bytes are copied out of the wasm memory: a view onto it would store all of it.
pub fn value_to_js(table: Table, value: &Value<JsValue>, keys: &IndexKeys) -> JsValue {
    let raw: JsValue = match value {
        Value::Bytes(bytes) => Uint8Array::from(bytes.as_slice()).buffer().into(),
        Value::Chunk(chunk, _) => chunk.clone(),
    };
    if table.indexes().is_empty() {
        return raw;
    }
    let row = Object::new();
    let set = |name: &str, value: &JsValue| Reflect::set(&row, &name.into(), value).is_ok();
    set(BYTES, &raw);
    for index in Index::ALL {
        if let Some(key) = keys.of(index) {
            set(index.name(), &key_to_js(key));
        }
    }
    row.into()
}

/// A row's key in an index, if it has one.
pub fn index_key_from_js(row: &JsValue, index: Index) -> Option<Key> {
    let key = Reflect::get(row, &index.name().into()).ok()?;
    key.is_instance_of::<Array>().then(|| key_from_js(&key))
}

/// A row as IndexedDB gives it. What is no record at all becomes one that cannot be read.
pub fn value_from_js(table: Table, row: &JsValue) -> Result<Value<JsValue>, StoreFailure> {
    let of_row = || Reflect::get(row, &BYTES.into()).unwrap_or_default();
    let raw = if table.indexes().is_empty() { row.clone() } else { of_row() };
    if let Some(blob) = raw.dyn_ref::<Blob>() {
        let len = blob.size() as u64;
        return Ok(Value::Chunk(raw, len));
    }
    let Some(buffer) = raw.dyn_ref::<ArrayBuffer>() else {
        return if table == Table::Chunks { Err(StoreFailure::Other) } else { Ok(Value::Bytes(Vec::new())) };
    };
    if table == Table::Chunks {
        let len = u64::from(buffer.byte_length());
        return Ok(Value::Chunk(raw, len));
    }
    Ok(Value::Bytes(Uint8Array::new(buffer).to_vec()))
}
