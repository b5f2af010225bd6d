//! A store in memory, for tests and the simulator. It keeps encoded bytes like any other, so that encoding and
//! versions are met there, too.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::rc::Rc;

use super::{Index, IndexKeys, Key, KeyRange, Reader, Store, Table, Value, Write};
use crate::engine::input::{CommitOutcome, StoreFailure};

/// A table's rows, and its indexes: keys in the index, each with the key of its row.
#[derive(Clone, Debug)]
struct Rows<C> {
    by_key: BTreeMap<Key, (Value<C>, IndexKeys)>,
    indexes: BTreeMap<Index, BTreeSet<(Key, Key)>>,
}

#[derive(Clone, Debug)]
struct Data<C> {
    epoch: u64,
    tables: BTreeMap<Table, Rows<C>>,
}

impl<C> Data<C> {
    fn table(&mut self, table: Table) -> &mut Rows<C> {
        self.tables.entry(table).or_insert_with(|| Rows { by_key: BTreeMap::new(), indexes: BTreeMap::new() })
    }
}

impl<C> Rows<C> {
    fn put(&mut self, key: Key, value: Value<C>, keys: IndexKeys) {
        self.remove(&key);
        for index in Index::ALL {
            if let Some(indexed) = keys.of(index) {
                self.indexes.entry(index).or_default().insert((indexed.clone(), key.clone()));
            }
        }
        self.by_key.insert(key, (value, keys));
    }

    fn delete(&mut self, range: &KeyRange) {
        let keys: Vec<Key> = self.within(range).map(|(key, _)| key.clone()).collect();
        keys.iter().for_each(|key| self.remove(key));
    }

    fn remove(&mut self, key: &Key) {
        let Some((_, keys)) = self.by_key.remove(key) else { return };
        for (index, entries) in &mut self.indexes {
            if let Some(indexed) = keys.of(*index) {
                entries.remove(&(indexed.clone(), key.clone()));
            }
        }
    }

    /// The rows of a range.
    fn within(&self, range: &KeyRange) -> impl DoubleEndedIterator<Item = (&Key, &Value<C>)> {
        let first = if range.first_is_open { Bound::Excluded(&range.first) } else { Bound::Included(&range.first) };
        self.by_key.range((first, Bound::Included(&range.last))).map(|(key, (value, _))| (key, value))
    }

    /// The keys of the rows whose keys in the index lie in a range.
    fn within_index<'a>(&'a self, index: Index, range: &'a KeyRange) -> impl Iterator<Item = &'a Key> {
        let entries = self.indexes.get(&index).into_iter();
        // No key is smaller than the empty one.
        let from = (range.first.clone(), Key(Vec::new()));
        entries
            .flat_map(move |entries| entries.range(&from..))
            .skip_while(|(indexed, _)| range.first_is_open && *indexed == range.first)
            .take_while(|(indexed, _)| *indexed <= range.last)
            .map(|(_, key)| key)
    }
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
                Write::Put { table, key, value, keys } => data.table(table).put(key, value, keys),
                Write::Delete { table, range } => data.table(table).delete(&range),
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

    /// Makes the bytes of a row unreadable, as a browser or a mistake may; its keys stay. False if there is no such row.
    pub fn damage(&self, table: Table, key: &Key) -> bool {
        let mut data = self.0.borrow_mut();
        let row = data.table(table).by_key.get_mut(key);
        row.map(|(value, _)| *value = Value::Bytes(vec![0xff])).is_some()
    }

    /// All rows of a table.
    pub fn rows(&self, table: Table) -> Vec<(Key, Value<C>)> {
        let data = self.0.borrow();
        let rows = data.tables.get(&table).into_iter().flat_map(|rows| &rows.by_key);
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
        Ok(self.rows(table, |rows| rows.by_key.get(key).map(|(value, _)| value.clone()).into_iter().collect()).pop())
    }

    async fn scan(&self, table: Table, range: &KeyRange, limit: u32) -> Result<Vec<Value<C>>, StoreFailure> {
        let take = |rows: &Rows<C>| rows.within(range).take(limit as usize).map(|(_, value)| value.clone()).collect();
        Ok(self.rows(table, take))
    }

    async fn scan_keys(&self, table: Table, range: &KeyRange, limit: u32) -> Result<Vec<Key>, StoreFailure> {
        let take = |rows: &Rows<C>| rows.within(range).take(limit as usize).map(|(key, _)| key.clone()).collect();
        Ok(self.rows(table, take))
    }

    async fn last_key(&self, table: Table, range: &KeyRange) -> Result<Option<Key>, StoreFailure> {
        let last = |rows: &Rows<C>| rows.within(range).next_back().map(|(key, _)| key.clone()).into_iter().collect();
        Ok(self.rows(table, last).pop())
    }

    async fn scan_index(
        &self,
        table: Table,
        index: Index,
        range: &KeyRange,
        limit: u32,
    ) -> Result<Vec<Value<C>>, StoreFailure> {
        let take = |rows: &Rows<C>| {
            let keys = rows.within_index(index, range).take(limit as usize);
            keys.filter_map(|key| rows.by_key.get(key)).map(|(value, _)| value.clone()).collect()
        };
        Ok(self.rows(table, take))
    }

    async fn scan_index_keys(
        &self,
        table: Table,
        index: Index,
        range: &KeyRange,
        limit: u32,
    ) -> Result<Vec<Key>, StoreFailure> {
        Ok(self.rows(table, |rows| rows.within_index(index, range).take(limit as usize).cloned().collect()))
    }

    async fn index_key(&self, table: Table, key: &Key, index: Index) -> Result<Option<Key>, StoreFailure> {
        let of_row = |rows: &Rows<C>| rows.by_key.get(key).and_then(|(_, keys)| keys.of(index).cloned());
        Ok(self.rows(table, |rows| of_row(rows).into_iter().collect()).pop())
    }

    async fn count(&self, table: Table, index: Index, range: &KeyRange) -> Result<u64, StoreFailure> {
        let data = self.data.borrow();
        Ok(data.tables.get(&table).map_or(0, |rows| rows.within_index(index, range).count() as u64))
    }

    fn rows_read(&self) -> u64 {
        self.rows_read.get()
    }
}
