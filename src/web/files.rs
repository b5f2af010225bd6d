//! Stored files, chunk by chunk. A page reads each chunk and makes its own Blob of the bytes: in Chromium a Blob that is
//! built over Blobs out of IndexedDB can kill the renderer (docs/decisions/006).

use std::ops::Range;

use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

use super::indexeddb::IndexedDb;
use crate::engine::error::{ErrorCode, TaskError};
use crate::engine::id::BodyId;
use crate::engine::input::StoreFailure;
use crate::integrity::HashState;
use crate::store::{Key, KeyRange, Reader, Store, Table, Value};

/// Why stored bytes could not be read.
pub enum Loss {
    /// Storage failed: nothing is known of them.
    Failed,
    /// The chunk with these bytes cannot be read, or there is none.
    Unreadable(Range<u64>),
}

impl Loss {
    /// What a page is told.
    pub fn error(&self) -> TaskError {
        TaskError::new(if matches!(self, Self::Failed) { ErrorCode::Storage } else { ErrorCode::FileDamaged })
    }
}

impl From<StoreFailure> for Loss {
    fn from(_: StoreFailure) -> Self {
        Self::Failed
    }
}

/// The chunk in which `offset` lies, where it begins, and its length; `None` at the end of a body of so many bytes.
///
/// # Errors
/// If storage fails, or lacks it.
pub async fn chunk(
    store: &IndexedDb,
    (body, length): (BodyId, u64),
    offset: u64,
) -> Result<Option<(JsValue, u64, u64)>, Loss> {
    if offset >= length {
        return Ok(None);
    }
    let reader = store.reader().await?;
    let begun = reader.last_key(Table::Chunks, &KeyRange::chunks(body, 0, offset)).await?;
    if let Some(start) = begun.and_then(|key| key.last_number())
        && let Some(Value::Chunk(chunk, len)) = reader.get(Table::Chunks, &Key::chunk(body, start)).await?
        && start + len > offset
    {
        return Ok(Some((chunk, start, len)));
    }
    let behind = reader.scan_keys(Table::Chunks, &KeyRange::chunks(body, offset + 1, length), 1).await?;
    let next = behind.first().and_then(Key::last_number).unwrap_or(length);
    Err(Loss::Unreadable(offset..next))
}

/// The bytes of a chunk that [`chunk`] has found. What fails is tried once more.
///
/// # Errors
/// If storage fails, or the chunk cannot be read.
pub async fn bytes(store: &IndexedDb, body: BodyId, found: (JsValue, u64, u64)) -> Result<ArrayBuffer, Loss> {
    let (chunk, start, len) = found;
    if let Some(bytes) = buffer(chunk, len).await {
        return Ok(bytes);
    }
    let row = store.reader().await?.get(Table::Chunks, &Key::chunk(body, start)).await?;
    let again = if let Some(Value::Chunk(chunk, len)) = row { buffer(chunk, len).await } else { None };
    again.ok_or(Loss::Unreadable(start..start + len))
}

/// Hashes the chunks that lie in `range`, one after the other, so that no more than one is in memory.
///
/// # Errors
/// If storage fails, or one of them cannot be read.
pub async fn hash(store: &IndexedDb, body: BodyId, range: Range<u64>, mut state: HashState) -> Result<HashState, Loss> {
    let mut offset = range.start;
    while let Some(found) = chunk(store, (body, range.end), offset).await? {
        let end = found.1 + found.2;
        // Half a chunk could not be gone on from.
        if end > range.end && offset > range.start {
            break;
        }
        // One that begins elsewhere is none of those that the checkpoint claims.
        if found.1 != offset {
            return Err(Loss::Unreadable(found.1..end));
        }
        let bytes = bytes(store, body, found).await?;
        state.update(&Uint8Array::new(&bytes).to_vec());
        offset = end;
    }
    Ok(state)
}

/// A stored Blob knows its size even where its content is lost, as was seen in WebKit.
async fn buffer(chunk: JsValue, len: u64) -> Option<ArrayBuffer> {
    let buffer: ArrayBuffer = match chunk.dyn_ref::<Blob>() {
        Some(blob) => JsFuture::from(blob.array_buffer()).await.ok()?,
        None => chunk,
    }
    .unchecked_into();
    Some(buffer).filter(|buffer| u64::from(buffer.byte_length()) == len)
}
