//! The port to durable storage. A store is a set of [`Table`]s with ordered keys that takes a list of [`Write`]s all
//! or nothing, if the caller's epoch is still the newest. What rows mean (which record, which key, which index) is
//! said once, in [`changes`] and [`queries`], for every store; so a store is small, and one contract suite fits all.

pub mod bodies;
pub mod boot;
pub mod changes;
pub mod contract;
mod damage;
mod due;
mod key;
pub mod memory;
pub mod queries;
pub mod queue;
mod select;

pub use key::{Key, KeyRange, Part, Text};

use crate::engine::input::{CommitOutcome, StoreFailure};

/// The tables of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// The epoch, and what a store notes for itself.
    Meta,
    /// Session records by identifier.
    Sessions,
    /// Task records by session and id; in all indexes, see [`Key::due`], [`Key::member`] and [`Key::url`].
    Tasks,
    /// Checkpoints, by the same keys.
    Progress,
    /// Group records by session and id; indexed by their session until their event is made.
    Groups,
    /// What is known of bodies, by their ids; indexed by when they die, if they do. See [`bodies::BodyRecord`].
    Bodies,
    /// Chunks by body and offset.
    Chunks,
    /// Unacknowledged events by session and sequence number.
    Outbox,
    /// Past events, by the same keys.
    History,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Meta,
        Self::Sessions,
        Self::Tasks,
        Self::Progress,
        Self::Groups,
        Self::Bodies,
        Self::Chunks,
        Self::Outbox,
        Self::History,
    ];

    /// The table's name in a database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Sessions => "sessions",
            Self::Tasks => "tasks",
            Self::Progress => "progress",
            Self::Groups => "groups",
            Self::Bodies => "bodies",
            Self::Chunks => "chunks",
            Self::Outbox => "outbox",
            Self::History => "history",
        }
    }

    /// The indexes in which its rows may stand.
    pub fn indexes(self) -> &'static [Index] {
        match self {
            Self::Tasks => &Index::ALL,
            Self::Groups | Self::Bodies => &[Index::Due],
            _ => &[],
        }
    }
}

/// An index of a table: a second order of those of its rows that have a key in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Index {
    /// What is still to be dealt with: tasks to be fetched or forgotten, bodies to be swept, groups that have not
    /// ended.
    Due,
    /// Members of groups.
    Group,
    /// Tasks whose finished files are found by their URLs.
    Url,
}

impl Index {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Due, Self::Group, Self::Url];

    /// The index's name in a database, which is also the property of a row that holds its key.
    pub fn name(self) -> &'static str {
        match self {
            Self::Due => "i",
            Self::Group => "g",
            Self::Url => "u",
        }
    }
}

/// A row's keys in its table's indexes. It stands in those for which it has one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexKeys {
    /// In [`Index::Due`].
    pub due: Option<Key>,
    /// In [`Index::Group`].
    pub group: Option<Key>,
    /// In [`Index::Url`].
    pub url: Option<Key>,
}

impl IndexKeys {
    /// The key in this index.
    pub fn of(&self, index: Index) -> Option<&Key> {
        match index {
            Index::Due => self.due.as_ref(),
            Index::Group => self.group.as_ref(),
            Index::Url => self.url.as_ref(),
        }
    }
}

/// What a row holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<C> {
    /// An encoded record.
    Bytes(Vec<u8>),
    /// Bytes of a file, in the store's own form, with their length.
    Chunk(C, u64),
}

/// One change to one table.
#[derive(Clone, Debug)]
pub enum Write<C> {
    /// Store a row.
    Put {
        /// Where.
        table: Table,
        /// Under which key.
        key: Key,
        /// What.
        value: Value<C>,
        /// Where it stands in the table's indexes.
        keys: IndexKeys,
    },
    /// Delete rows.
    Delete {
        /// Where.
        table: Table,
        /// Which.
        range: KeyRange,
    },
}

/// A database.
#[expect(async_fn_in_trait, reason = "used in one thread only, where futures need not be Send")]
pub trait Store {
    /// A file's bytes as this store holds them: a Blob or an ArrayBuffer in a browser.
    type Chunk: Clone;
    /// A consistent view for a few reads.
    type Reader: Reader<Chunk = Self::Chunk>;

    /// Begins reading.
    ///
    /// # Errors
    /// If the database cannot be reached.
    async fn reader(&self) -> Result<Self::Reader, StoreFailure>;

    /// Takes the lease: returns a new epoch, newer than all before. Commits of older ones are fenced from now on.
    ///
    /// # Errors
    /// If the epoch could not be made durable.
    async fn advance_epoch(&self) -> Result<u64, StoreFailure>;

    /// Writes all or nothing, and nothing if `epoch` is not the newest.
    async fn commit(&self, epoch: u64, writes: Vec<Write<Self::Chunk>>) -> CommitOutcome;
}

/// A consistent view of a database.
#[expect(async_fn_in_trait, reason = "used in one thread only, where futures need not be Send")]
pub trait Reader {
    /// See [`Store::Chunk`].
    type Chunk;

    /// One row. Whatever lies where a record should, it is bytes: whether they can be read is seen by who decodes them.
    ///
    /// # Errors
    /// If the database cannot be read.
    async fn get(&self, table: Table, key: &Key) -> Result<Option<Value<Self::Chunk>>, StoreFailure>;

    /// At most `limit` rows of a range, ascending.
    ///
    /// # Errors
    /// If the database cannot be read.
    async fn scan(&self, table: Table, range: &KeyRange, limit: u32) -> Result<Vec<Value<Self::Chunk>>, StoreFailure>;

    /// The keys of at most `limit` rows of a range, ascending.
    ///
    /// # Errors
    /// If the database cannot be read.
    async fn scan_keys(&self, table: Table, range: &KeyRange, limit: u32) -> Result<Vec<Key>, StoreFailure>;

    /// The last key of a range.
    ///
    /// # Errors
    /// If the database cannot be read.
    async fn last_key(&self, table: Table, range: &KeyRange) -> Result<Option<Key>, StoreFailure>;

    /// At most `limit` rows whose keys in the index lie in a range, in the order of these, and of the rows' own keys
    /// where these are the same.
    ///
    /// # Errors
    /// If the database cannot be read.
    async fn scan_index(
        &self,
        table: Table,
        index: Index,
        range: &KeyRange,
        limit: u32,
    ) -> Result<Vec<Value<Self::Chunk>>, StoreFailure>;

    /// The own keys of the rows that [`Reader::scan_index`] brings.
    ///
    /// # Errors
    /// If the database cannot be read.
    async fn scan_index_keys(
        &self,
        table: Table,
        index: Index,
        range: &KeyRange,
        limit: u32,
    ) -> Result<Vec<Key>, StoreFailure>;

    /// A row's key in an index, if it stands there.
    ///
    /// # Errors
    /// If the database cannot be read.
    async fn index_key(&self, table: Table, key: &Key, index: Index) -> Result<Option<Key>, StoreFailure>;

    /// How many rows have keys in the index that lie in a range.
    ///
    /// # Errors
    /// If the database cannot be read.
    async fn count(&self, table: Table, index: Index, range: &KeyRange) -> Result<u64, StoreFailure>;

    /// How many rows this view has handed out so far. Counting hands out none.
    fn rows_read(&self) -> u64;
}
