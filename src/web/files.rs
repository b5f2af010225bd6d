//! Finished files: a body's chunks, as one Blob or one by one. A Blob of stored Blobs copies nothing.

use js_sys::Array;
use wasm_bindgen::JsValue;
use web_sys::{Blob, BlobPropertyBag};

use super::indexeddb::IndexedDb;
use crate::engine::input::StoreFailure;
use crate::engine::output::FileLocation;
use crate::store::{Key, KeyRange, Reader, Store, Table, Value};

/// Chunks read by one request.
const BUNCH: u32 = 256;

/// The whole file.
///
/// # Errors
/// If storage fails, or lacks a byte of it.
pub async fn blob(store: &IndexedDb, file: &FileLocation) -> Result<JsValue, StoreFailure> {
    let reader = store.reader().await?;
    let parts = Array::new();
    let mut offset = 0;
    while offset < file.length {
        let range = KeyRange::between(Key::chunk(file.body, offset), Key::chunk(file.body, file.length));
        let rows = reader.scan(Table::Chunks, &range, BUNCH).await?;
        if rows.is_empty() {
            return Err(StoreFailure::Other);
        }
        for row in rows {
            let Value::Chunk(chunk, len) = row else { return Err(StoreFailure::Other) };
            parts.push(&chunk);
            offset += len;
        }
    }
    let options = BlobPropertyBag::new();
    if let Some(content_type) = &file.content_type {
        options.set_type(content_type);
    }
    let blob = Blob::new_with_blob_sequence_and_options(&parts, &options).map_err(|_| StoreFailure::Other)?;
    // A chunk that is missing in the middle must not make a shorter file.
    if blob.size() == file.length as f64 { Ok(blob.into()) } else { Err(StoreFailure::Other) }
}

/// The chunk that begins at `offset`; `None` at the end of the file.
///
/// # Errors
/// If storage fails, or lacks it.
pub async fn chunk(
    store: &IndexedDb,
    file: &FileLocation,
    offset: u64,
) -> Result<Option<(JsValue, u64)>, StoreFailure> {
    if offset >= file.length {
        return Ok(None);
    }
    match store.reader().await?.get(Table::Chunks, &Key::chunk(file.body, offset)).await? {
        Some(Value::Chunk(chunk, len)) => Ok(Some((chunk, len))),
        _ => Err(StoreFailure::Other),
    }
}
