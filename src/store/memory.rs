//! A store in memory, for tests and the simulator. It keeps encoded bytes like any other, so that encoding and
//! versions are met there, too.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Key, KeyRange, Reader, Store, Table, Value, Write};
use crate::engine::input::{CommitOutcome, StoreFailure};

type Rows<C> = BTreeMap<Key, (Value<C>, Option<u64>)>;

#[derive(Clone, Debug)]
struct Data<C> {
    epoch: u64,
    tables: BTreeMap<Table, Rows<C>>,
}

/// A database in memory. Clones share it.
#[derive(Clone, Debug)]
pub struct MemoryStore<C>(Rc<RefCell<Data<C>>>);

impl<C> Default for MemoryStore<C> {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(Data { epoch: 0, tables: BTreeMap::new() })))
    }
}

impl<C: Clone> MemoryStore<C> {
    /// [`Store::commit`], at once.
    pub fn apply(&self, epoch: u64, writes: Vec<Write<C>>) -> CommitOutcome {
        let mut data = self.0.borrow_mut();
        if data.epoch != epoch {
            return CommitOutcome::Fenced;
        }
        for write in writes {
            match write {
                Write::Put { table, key, value, index } => {
                    data.tables.entry(table).or_default().insert(key, (value, index));
                }
                Write::Delete { table, range } => {
                    data.tables.entry(table).or_default().retain(|key, _| !range.contains(key));
                }
            }
        }
        CommitOutcome::Committed
    }

    /// [`Store::advance_epoch`], at once.
    pub fn next_epoch(&self) -> u64 {
        let mut data = self.0.borrow_mut();
        data.epoch += 1;
        data.epoch
    }

    /// [`Store::reader`], at once.
    pub fn view(&self) -> MemoryReader<C> {
        MemoryReader { data: Rc::clone(&self.0), rows_read: Cell::new(0) }
    }

    /// All rows of a table.
    pub fn rows(&self, table: Table) -> Vec<(Key, Value<C>)> {
        let data = self.0.borrow();
        let rows = data.tables.get(&table).into_iter().flatten();
        rows.map(|(key, (value, _))| (key.clone(), value.clone())).collect()
    }
}

impl<C: Clone> Store for MemoryStore<C> {
    type Chunk = C;
    type Reader = MemoryReader<C>;

    async fn reader(&self) -> Result<MemoryReader<C>, StoreFailure> {
        Ok(self.view())
    }

    async fn advance_epoch(&self) -> Result<u64, StoreFailure> {
        Ok(self.next_epoch())
    }

    async fn commit(&self, epoch: u64, writes: Vec<Write<C>>) -> CommitOutcome {
        self.apply(epoch, writes)
    }
}

/// A view of a [`MemoryStore`]. Nothing awaits in between, so it is consistent.
#[derive(Debug)]
pub struct MemoryReader<C> {
    data: Rc<RefCell<Data<C>>>,
    rows_read: Cell<u64>,
}

impl<C: Clone> MemoryReader<C> {
    fn rows<T>(&self, table: Table, read: impl FnOnce(&Rows<C>) -> Vec<T>) -> Vec<T> {
        let rows = self.data.borrow().tables.get(&table).map_or_else(Vec::new, read);
        self.rows_read.set(self.rows_read.get() + rows.len() as u64);
        rows
    }
}

impl<C: Clone> Reader for MemoryReader<C> {
    type Chunk = C;

    async fn get(&self, table: Table, key: &Key) -> Result<Option<Value<C>>, StoreFailure> {
        Ok(self.rows(table, |rows| rows.get(key).map(|(value, _)| value.clone()).into_iter().collect()).pop())
    }

    async fn scan(&self, table: Table, range: &KeyRange, limit: u32) -> Result<Vec<Value<C>>, StoreFailure> {
        Ok(self.rows(table, |rows| within(rows, range).take(limit as usize).map(|(_, row)| row.0.clone()).collect()))
    }

    async fn scan_keys(&self, table: Table, range: &KeyRange, limit: u32) -> Result<Vec<Key>, StoreFailure> {
        Ok(self.rows(table, |rows| within(rows, range).take(limit as usize).map(|(key, _)| key.clone()).collect()))
    }

    async fn last_key(&self, table: Table, range: &KeyRange) -> Result<Option<Key>, StoreFailure> {
        Ok(self
            .rows(table, |rows| within(rows, range).next_back().map(|(key, _)| key.clone()).into_iter().collect())
            .pop())
    }

    async fn scan_index(&self, table: Table, limit: u32) -> Result<Vec<Value<C>>, StoreFailure> {
        Ok(self.rows(table, |rows| {
            let mut indexed: Vec<_> =
                rows.iter().filter_map(|(key, (value, index))| Some((index.as_ref()?, key, value))).collect();
            indexed.sort_by_key(|(index, key, _)| (*index, *key));
            indexed.into_iter().take(limit as usize).map(|(_, _, value)| value.clone()).collect()
        }))
    }

    fn rows_read(&self) -> u64 {
        self.rows_read.get()
    }
}

fn within<'a, C>(
    rows: &'a Rows<C>,
    range: &'a KeyRange,
) -> impl DoubleEndedIterator<Item = (&'a Key, &'a (Value<C>, Option<u64>))> {
    rows.iter().filter(|(key, _)| range.contains(key))
}
