//! Reading: one read-only transaction. It stays alive from one await to the next as long as nothing but IndexedDB
//! is awaited in between.

use std::cell::{Cell, RefCell};

use idb::{CursorDirection, ObjectStore, Query, Transaction, TransactionMode};
use wasm_bindgen::JsValue;

use super::values::{index_key_from_js, key_from_js, key_to_js, range_to_js, value_from_js};
use super::{IndexedDb, failure, table};
use crate::engine::input::StoreFailure;
use crate::store::{Index, Key, KeyRange, Reader, Table, Value};

/// A view of the database: of one moment, unless the browser itself cannot read a row of it.
pub struct IdbReader {
    store: IndexedDb,
    transaction: RefCell<Transaction>,
    rows_read: Cell<u64>,
}

impl IdbReader {
    pub(super) async fn begin(store: &IndexedDb) -> Result<Self, StoreFailure> {
        let transaction = RefCell::new(begin(store).await?);
        Ok(Self { store: store.clone(), transaction, rows_read: Cell::new(0) })
    }

    fn table(&self, from: Table) -> Result<ObjectStore, StoreFailure> {
        table(&self.transaction.borrow(), from)
    }

    fn count_rows<T>(&self, rows: Vec<T>) -> Vec<T> {
        self.rows_read.set(self.rows_read.get() + rows.len() as u64);
        rows
    }

    fn values(&self, from: Table, rows: &[JsValue]) -> Result<Vec<Value<JsValue>>, StoreFailure> {
        rows.iter().map(|row| value_from_js(from, row)).collect::<Result<_, _>>().map(|rows| self.count_rows(rows))
    }

    async fn try_get(&self, from: Table, key: &Key) -> Result<Option<JsValue>, StoreFailure> {
        let request = self.table(from)?.get(key_to_js(key)).map_err(failure)?;
        Ok(request.await.map_err(failure)?.filter(|row| !row.is_undefined()))
    }

    /// A row, which is null if the browser fails to read it twice: of large ones it may have lost a part.
    async fn row(&self, from: Table, key: &Key) -> Result<Option<JsValue>, StoreFailure> {
        for _ in 0..2 {
            match self.try_get(from, key).await {
                Err(failure) if from == Table::Chunks => return Err(failure),
                // A request that fails ends its transaction.
                Err(_) => drop(self.transaction.replace(begin(&self.store).await?)),
                row => return row,
            }
        }
        Ok(Some(JsValue::NULL))
    }

    /// The rows of these keys, each by itself, since the request for all of them has failed.
    async fn one_by_one(&self, from: Table, keys: Vec<Key>) -> Result<Vec<JsValue>, StoreFailure> {
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            rows.extend(self.row(from, &key).await?);
        }
        Ok(rows)
    }
}

async fn begin(store: &IndexedDb) -> Result<Transaction, StoreFailure> {
    store.transaction(&Table::ALL, TransactionMode::ReadOnly).await
}

impl Reader for IdbReader {
    type Chunk = JsValue;

    async fn get(&self, from: Table, key: &Key) -> Result<Option<Value<JsValue>>, StoreFailure> {
        let row = self.row(from, key).await?;
        Ok(self.values(from, row.as_slice())?.pop())
    }

    async fn scan(&self, from: Table, range: &KeyRange, limit: u32) -> Result<Vec<Value<JsValue>>, StoreFailure> {
        let query = Query::from(range_to_js(range)?);
        let request = self.table(from)?.get_all(Some(query), Some(limit)).map_err(failure);
        let rows = match request {
            Ok(request) => request.await.map_err(failure),
            Err(failure) => Err(failure),
        };
        let rows = match rows {
            Ok(rows) => rows,
            Err(_) => {
                self.transaction.replace(begin(&self.store).await?);
                self.one_by_one(from, self.scan_keys(from, range, limit).await?).await?
            }
        };
        self.values(from, &rows)
    }

    async fn scan_keys(&self, from: Table, range: &KeyRange, limit: u32) -> Result<Vec<Key>, StoreFailure> {
        let range = Query::from(range_to_js(range)?);
        let request = self.table(from)?.get_all_keys(Some(range), Some(limit)).map_err(failure)?;
        let keys = request.await.map_err(failure)?;
        Ok(self.count_rows(keys.iter().map(key_from_js).collect()))
    }

    async fn last_key(&self, from: Table, range: &KeyRange) -> Result<Option<Key>, StoreFailure> {
        let range = Query::from(range_to_js(range)?);
        let request = self.table(from)?.open_key_cursor(Some(range), Some(CursorDirection::Prev)).map_err(failure)?;
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
        let query = Query::from(range_to_js(range)?);
        let request = self.table(from)?.index(index.name()).map_err(failure)?;
        let rows = match request.get_all(Some(query), Some(limit)).map_err(failure) {
            Ok(request) => request.await.map_err(failure),
            Err(failure) => Err(failure),
        };
        let rows = match rows {
            Ok(rows) => rows,
            Err(_) => {
                self.transaction.replace(begin(&self.store).await?);
                self.one_by_one(from, self.scan_index_keys(from, index, range, limit).await?).await?
            }
        };
        self.values(from, &rows)
    }

    async fn scan_index_keys(
        &self,
        from: Table,
        index: Index,
        range: &KeyRange,
        limit: u32,
    ) -> Result<Vec<Key>, StoreFailure> {
        let range = Query::from(range_to_js(range)?);
        let index = self.table(from)?.index(index.name()).map_err(failure)?;
        let request = index.get_all_keys(Some(range), Some(limit)).map_err(failure)?;
        let keys = request.await.map_err(failure)?;
        Ok(self.count_rows(keys.iter().map(key_from_js).collect()))
    }

    async fn index_key(&self, from: Table, key: &Key, index: Index) -> Result<Option<Key>, StoreFailure> {
        Ok(self.row(from, key).await?.and_then(|row| index_key_from_js(&row, index)))
    }

    async fn count(&self, from: Table, index: Index, range: &KeyRange) -> Result<u64, StoreFailure> {
        let range = Query::from(range_to_js(range)?);
        let index = self.table(from)?.index(index.name()).map_err(failure)?;
        index.count(Some(range)).map_err(failure)?.await.map(u64::from).map_err(failure)
    }

    fn rows_read(&self) -> u64 {
        self.rows_read.get()
    }
}
