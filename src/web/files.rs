//! Finished files, chunk by chunk. A page reads each chunk and makes its own Blob of the bytes: in Chromium a Blob that is
//! built over Blobs out of IndexedDB can kill the renderer (docs/decisions/006).

use wasm_bindgen::JsValue;

use super::indexeddb::IndexedDb;
use crate::engine::input::StoreFailure;
use crate::engine::output::FileLocation;
use crate::store::{Key, Reader, Store, Table, Value};

/// The chunk that begins at `offset`, and its length; `None` at the end of the file.
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
