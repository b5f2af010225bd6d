//! The store on IndexedDB, through the `idb` crate. Opens the database when it is first used, and again after the
//! browser dropped the connection.

mod reader;
mod schema;
mod values;
mod write;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use idb::{Database, Factory, ObjectStore, Transaction, TransactionMode};
use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::IdbTransaction;

pub use reader::IdbReader;
pub use values::{ChunkKind, has_room};
pub use write::Writing;

use super::error::store_failure;
use crate::engine::input::{CommitOutcome, StoreFailure};
use crate::store::{Store, Table, Write};

/// A database.
#[derive(Clone)]
pub struct IndexedDb(Rc<Inner>);

struct Inner {
    name: String,
    /// `None` for a database that is only read, of whatever version it is.
    version: Option<u32>,
    connection: RefCell<Option<Rc<Database>>>,
    chunk_kind: Cell<ChunkKind>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The browser would do that when it collects the connection, and until then that would block every upgrade.
        if let Some(database) = self.connection.take() {
            database.close();
        }
    }
}

impl IndexedDb {
    /// Opens the database of this name, making or migrating it as needed, and finds out how it keeps chunks.
    ///
    /// # Errors
    /// If storage is not available; [`StoreFailure::Newer`] if it holds a newer schema.
    pub async fn open(name: &str) -> Result<Self, StoreFailure> {
        let store = Self::new(name, Some(schema::VERSION));
        store.connection().await?;
        store.0.chunk_kind.set(values::probe_chunk_kind(&store).await?);
        Ok(store)
    }

    /// The database of this name, to be read only, of whatever version it is.
    pub fn as_it_is(name: &str) -> Self {
        Self::new(name, None)
    }

    fn new(name: &str, version: Option<u32>) -> Self {
        let (connection, chunk_kind) = (RefCell::default(), Cell::new(ChunkKind::ArrayBuffer));
        Self(Rc::new(Inner { name: name.into(), version, connection, chunk_kind }))
    }

    /// How this database keeps chunks.
    pub fn chunk_kind(&self) -> ChunkKind {
        self.0.chunk_kind.get()
    }

    async fn connection(&self) -> Result<Rc<Database>, StoreFailure> {
        if let Some(database) = &*self.0.connection.borrow() {
            return Ok(Rc::clone(database));
        }
        let mut request =
            Factory::new().and_then(|factory| factory.open(&self.0.name, self.0.version)).map_err(failure)?;
        request.on_upgrade_needed(|event| schema::upgrade(&event));
        let mut database = request.await.map_err(failure)?;
        // Two callers may have found none at the same time. One that nothing closes any more would block every upgrade.
        if let Some(other) = &*self.0.connection.borrow() {
            database.close();
            return Ok(Rc::clone(other));
        }
        let forget = |inner: &Rc<Inner>| {
            let inner = Rc::downgrade(inner);
            move |_| {
                if let Some(database) = inner.upgrade().and_then(|inner| inner.connection.take()) {
                    database.close();
                }
            }
        };
        // The browser may drop the connection at any time; another version of the app may need it closed.
        database.on_close(forget(&self.0));
        database.on_version_change(forget(&self.0));
        let database = Rc::new(database);
        self.0.connection.replace(Some(Rc::clone(&database)));
        Ok(database)
    }

    /// Writes all or nothing, as [`Store::commit`] does; `writing` can be given up meanwhile.
    pub async fn write(&self, epoch: u64, writes: &[Write<JsValue>], writing: &Writing) -> CommitOutcome {
        let touches = |table: Table| {
            writes.iter().any(|write| match write {
                Write::Put { table: to, .. } | Write::Delete { table: to, .. } => *to == table,
            })
        };
        let tables: Vec<Table> =
            Table::ALL.into_iter().filter(|table| *table == Table::Meta || touches(*table)).collect();
        match self.transaction(&tables, TransactionMode::ReadWrite).await {
            Ok(transaction) => write::commit(transaction, epoch, writes, writing).await,
            Err(failure) => CommitOutcome::Failed(failure),
        }
    }

    /// A transaction over `tables`. A connection that has died unnoticed is replaced once.
    async fn transaction(&self, tables: &[Table], mode: TransactionMode) -> Result<Transaction, StoreFailure> {
        let names: Vec<&str> = tables.iter().map(|table| table.name()).collect();
        let database = self.connection().await?;
        if let Ok(transaction) = database.transaction(&names, mode) {
            return Ok(transaction);
        }
        // Another caller may have replaced it already.
        let is_current = |current: &mut Rc<Database>| Rc::ptr_eq(current, &database);
        drop(self.0.connection.borrow_mut().take_if(is_current));
        database.close();
        self.connection().await?.transaction(&names, mode).map_err(failure)
    }
}

impl Store for IndexedDb {
    type Chunk = JsValue;
    type Reader = IdbReader;

    async fn reader(&self) -> Result<IdbReader, StoreFailure> {
        IdbReader::begin(self).await
    }

    async fn advance_epoch(&self) -> Result<u64, StoreFailure> {
        write::advance_epoch(self.transaction(&[Table::Meta], TransactionMode::ReadWrite).await?).await
    }

    async fn commit(&self, epoch: u64, writes: Vec<Write<JsValue>>) -> CommitOutcome {
        self.write(epoch, &writes, &Writing::default()).await
    }
}

/// What an error of the `idb` crate means.
fn failure(error: idb::Error) -> StoreFailure {
    match error {
        idb::Error::DomException(exception) => store_failure(&exception),
        idb::Error::AddFailed(exception) | idb::Error::UpdateFailed(exception) => store_failure(&exception),
        _ => StoreFailure::Other,
    }
}

fn table(transaction: &Transaction, table: Table) -> Result<ObjectStore, StoreFailure> {
    transaction.object_store(table.name()).map_err(failure)
}

/// Resolves when the transaction is durable. Only its `complete` event says so: over quota, every request succeeds
/// first and the transaction aborts afterwards.
///
/// # Errors
/// If it was aborted; every error ends there.
fn finished(transaction: &IdbTransaction) -> impl Future<Output = Result<(), StoreFailure>> {
    let promise = Promise::new(&mut |resolve, reject| {
        transaction.set_oncomplete(Some(&resolve));
        transaction.set_onabort(Some(&reject));
    });
    let transaction = transaction.clone();
    async move {
        match JsFuture::from(promise).await {
            Ok(_) => Ok(()),
            Err(_) => Err(transaction.error().map_or(StoreFailure::Other, |exception| store_failure(&exception))),
        }
    }
}
