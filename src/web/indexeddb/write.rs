//! Writing: one read-write transaction that compares the epoch, all or nothing. Two live workers can be told apart
//! only here.

use std::cell::{Cell, RefCell};

use idb::Transaction;
use js_sys::{Date, Number};
use wasm_bindgen::JsValue;
use web_sys::IdbTransaction;

use super::values::{key_to_js, range_to_js, value_to_js};
use super::{failure, finished, table};
use crate::engine::input::{CommitOutcome, StoreFailure};
use crate::store::{Table, Write};

const EPOCH: &str = "epoch";

/// A transaction on its way, which can be given up.
#[derive(Default)]
pub struct Writing {
    is_given_up: Cell<bool>,
    transaction: RefCell<Option<IdbTransaction>>,
}

impl Writing {
    /// Writes nothing, unless the browser is committing already.
    pub fn give_up(&self) {
        self.is_given_up.set(true);
        if let Some(transaction) = &*self.transaction.borrow() {
            abort(transaction);
        }
    }
}

/// Notes a new epoch and returns it.
pub async fn advance_epoch(transaction: Transaction) -> Result<u64, StoreFailure> {
    let meta = table(&transaction, Table::Meta)?;
    let raw: IdbTransaction = transaction.into();
    let request = meta.get(JsValue::from_str(EPOCH)).map_err(failure)?;
    let epoch = read_epoch(request.await.map_err(failure)?) + 1.0;
    meta.put(&epoch.into(), Some(&EPOCH.into())).map_err(failure)?;
    finished(&raw).await.map(|()| epoch as u64)
}

/// Writes all, or nothing if `epoch` is not the newest or anything fails.
pub async fn commit(
    transaction: Transaction,
    epoch: u64,
    writes: &[Write<JsValue>],
    writing: &Writing,
) -> CommitOutcome {
    if writing.is_given_up.get() {
        // It was while the connection was being opened. A transaction without a request ends by itself.
        return CommitOutcome::Failed(StoreFailure::Other);
    }
    let request = table(&transaction, Table::Meta).and_then(|meta| meta.get(JsValue::from_str(EPOCH)).map_err(failure));
    let queued = request.and_then(|request| queue(&transaction, writes).map(|()| request));
    let raw: IdbTransaction = transaction.into();
    let end = finished(&raw);
    writing.transaction.replace(Some(raw.clone()));
    let is_newest = match queued {
        // All writes are queued before this first await; whether they count is decided by what the read brings.
        Ok(request) => request.await.map(|stored| read_epoch(stored) as u64 == epoch).map_err(failure),
        Err(failure) => Err(failure),
    };
    // Without this explicit end, the writes before one that threw would be committed.
    if is_newest != Ok(true) {
        abort(&raw);
    }
    match (end.await, is_newest) {
        (Ok(()), _) => CommitOutcome::Committed,
        (Err(_), Ok(false)) => CommitOutcome::Fenced,
        // The browser ended it: a connection that is lost while it commits leaves open whether it did.
        (Err(StoreFailure::Other), Ok(true)) => CommitOutcome::Unknown,
        (Err(failure), _) => CommitOutcome::Failed(failure),
    }
}

/// Aborting what has ended already is no error worth knowing.
fn abort(transaction: &IdbTransaction) {
    let _ = transaction.abort();
}

/// The epoch that is stored. One that cannot be counted on is taken for the time, which is later than all that were counted.
fn read_epoch(stored: Option<JsValue>) -> f64 {
    let Some(stored) = stored.filter(|stored| !stored.is_undefined()) else { return 0.0 };
    stored.as_f64().filter(|epoch| Number::is_safe_integer(&(*epoch).into())).unwrap_or_else(Date::now)
}

fn queue(transaction: &Transaction, writes: &[Write<JsValue>]) -> Result<(), StoreFailure> {
    for write in writes {
        match write {
            Write::Put { table: to, key, value, keys } => {
                let row = value_to_js(*to, value, keys);
                table(transaction, *to)?.put(&row, Some(&key_to_js(key))).map_err(failure)?;
            }
            Write::Delete { table: from, range } => {
                table(transaction, *from)?.delete(range_to_js(range)?).map_err(failure)?;
            }
        }
    }
    Ok(())
}
