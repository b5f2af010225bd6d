//! Reading: one read-only transaction. It stays alive from one await to the next as long as nothing but IndexedDB
//! is awaited in between.

use std::cell::Cell;

use idb::{CursorDirection, Query, Transaction};
use wasm_bindgen::JsValue;

use super::values::{key_from_js, key_to_js, range_to_js, value_from_js};
use super::{failure, table};
use crate::engine::input::StoreFailure;
use crate::store::{Index, Key, KeyRange, Reader, Table, Value};

/// A view of the database.
pub struct IdbReader {
    transaction: Transaction,
    rows_read: Cell<u64>,
}

impl IdbReader {
    pub(super) fn new(transaction: Transaction) -> Self {
        Self { transaction, rows_read: Cell::new(0) }
    }

    fn count_rows<T>(&self, rows: Vec<T>) -> Vec<T> {
        self.rows_read.set(self.rows_read.get() + rows.len() as u64);
        rows
    }
}

impl Reader for IdbReader {
    type Chunk = JsValue;

    async fn get(&self, from: Table, key: &Key) -> Result<Option<Value<JsValue>>, StoreFailure> {
        let request = table(&self.transaction, from)?.get(key_to_js(key)).map_err(failure)?;
        let row = request.await.map_err(failure)?.filter(|row| !row.is_undefined());
        let rows = row.iter().map(|row| value_from_js(from, row)).collect::<Result<_, _>>()?;
        Ok(self.count_rows(rows).pop())
    }

    async fn scan(&self, from: Table, range: &KeyRange, limit: u32) -> Result<Vec<Value<JsValue>>, StoreFailure> {
        let range = Query::from(range_to_js(range)?);
        let request = table(&self.transaction, from)?.get_all(Some(range), Some(limit)).map_err(failure)?;
        let rows = request.await.map_err(failure)?;
        rows.iter().map(|row| value_from_js(from, row)).collect::<Result<_, _>>().map(|rows| self.count_rows(rows))
    }

    async fn scan_keys(&self, from: Table, range: &KeyRange, limit: u32) -> Result<Vec<Key>, StoreFailure> {
        let range = Query::from(range_to_js(range)?);
        let request = table(&self.transaction, from)?.get_all_keys(Some(range), Some(limit)).map_err(failure)?;
        let keys = request.await.map_err(failure)?;
        Ok(self.count_rows(keys.iter().map(key_from_js).collect()))
    }

    async fn last_key(&self, from: Table, range: &KeyRange) -> Result<Option<Key>, StoreFailure> {
        let range = Query::from(range_to_js(range)?);
        let request = table(&self.transaction, from)?
            .open_key_cursor(Some(range), Some(CursorDirection::Prev))
            .map_err(failure)?;
        let cursor = request.await.map_err(failure)?;
        let key = cursor.map(|cursor| cursor.key()).transpose().map_err(failure)?;
        Ok(self.count_rows(key.iter().map(key_from_js).collect()).pop())
    }

    async fn scan_index(
        &self,
        from: Table,
        index: Index,
        range: &KeyRange,
        limit: u32,
    ) -> Result<Vec<Value<JsValue>>, StoreFailure> {
        let range = Query::from(range_to_js(range)?);
        let index = table(&self.transaction, from)?.index(index.name()).map_err(failure)?;
        let request = index.get_all(Some(range), Some(limit)).map_err(failure)?;
        let rows = request.await.map_err(failure)?;
        rows.iter().map(|row| value_from_js(from, row)).collect::<Result<_, _>>().map(|rows| self.count_rows(rows))
    }

    async fn count(&self, from: Table, index: Index, range: &KeyRange) -> Result<u64, StoreFailure> {
        let range = Query::from(range_to_js(range)?);
        let index = table(&self.transaction, from)?.index(index.name()).map_err(failure)?;
        index.count(Some(range)).map_err(failure)?.await.map(u64::from).map_err(failure)
    }

    fn rows_read(&self) -> u64 {
        self.rows_read.get()
    }
}
