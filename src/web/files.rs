//! Stored files, chunk by chunk. A page reads each chunk and makes its own Blob of the bytes: in Chromium a Blob that is
//! built over Blobs out of IndexedDB can kill the renderer (docs/decisions/006).

use std::ops::Range;

use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

use super::indexeddb::IndexedDb;
use crate::engine::file::FileLocation;
use crate::engine::id::BodyId;
use crate::engine::input::StoreFailure;
use crate::integrity::HashState;
use crate::store::{Key, KeyRange, Reader, Store, Table, Value};

/// The chunk in which `offset` lies, where it begins, and its length; `None` at the end of the file.
///
/// # Errors
/// If storage fails, or lacks it.
pub async fn chunk(
    store: &IndexedDb,
    file: &FileLocation,
    offset: u64,
) -> Result<Option<(JsValue, u64, u64)>, StoreFailure> {
    if offset >= file.length {
        return Ok(None);
    }
    let reader = store.reader().await?;
    let begun = reader.last_key(Table::Chunks, &KeyRange::chunks(file.body, 0, offset)).await?;
    let start = begun.and_then(|key| key.last_number()).ok_or(StoreFailure::Other)?;
    match reader.get(Table::Chunks, &Key::chunk(file.body, start)).await? {
        Some(Value::Chunk(chunk, len)) if start + len > offset => Ok(Some((chunk, start, len))),
        _ => Err(StoreFailure::Other),
    }
}

/// Hashes the chunks that lie in `range`, one after the other, so that no more than one is in memory.
///
/// # Errors
/// If storage fails, or lacks one of them.
pub async fn hash(
    store: &IndexedDb,
    body: BodyId,
    range: Range<u64>,
    mut state: HashState,
) -> Result<HashState, StoreFailure> {
    let mut offset = range.start;
    while offset < range.end {
        let (chunk, len) = stored_chunk(store, body, offset).await?;
        // Half a chunk could not be gone on from.
        if offset + len > range.end && offset > range.start {
            break;
        }
        let bytes = buffer(chunk).await?;
        state.update(&Uint8Array::new(&bytes).to_vec());
        offset += len;
    }
    Ok(state)
}

async fn stored_chunk(store: &IndexedDb, body: BodyId, offset: u64) -> Result<(JsValue, u64), StoreFailure> {
    match store.reader().await?.get(Table::Chunks, &Key::chunk(body, offset)).await? {
        Some(Value::Chunk(chunk, len)) => Ok((chunk, len)),
        _ => Err(StoreFailure::Other),
    }
}

/// The bytes of a stored chunk.
///
/// # Errors
/// If a stored Blob cannot be read.
pub async fn buffer(chunk: JsValue) -> Result<ArrayBuffer, StoreFailure> {
    let buffer = match chunk.dyn_ref::<Blob>() {
        Some(blob) => JsFuture::from(blob.array_buffer()).await.map_err(|_| StoreFailure::Other)?,
        None => chunk,
    };
    Ok(buffer.unchecked_into())
}
