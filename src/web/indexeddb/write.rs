//! Writing: one read-write transaction that compares the epoch, all or nothing. Two live workers can be told apart
//! only here.

use idb::Transaction;
use wasm_bindgen::JsValue;
use web_sys::IdbTransaction;

use super::values::{key_to_js, range_to_js, value_to_js};
use super::{failure, finished, table};
use crate::engine::input::{CommitOutcome, StoreFailure};
use crate::store::{Table, Write};

const EPOCH: &str = "epoch";

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
pub async fn commit(transaction: Transaction, epoch: u64, writes: &[Write<JsValue>]) -> CommitOutcome {
    let request = table(&transaction, Table::Meta).and_then(|meta| meta.get(JsValue::from_str(EPOCH)).map_err(failure));
    let queued = request.and_then(|request| queue(&transaction, writes).map(|()| request));
    let raw: IdbTransaction = transaction.into();
    let end = finished(&raw);
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
        (Err(failure), _) => CommitOutcome::Failed(failure),
    }
}

/// Aborting what has ended already is no error worth knowing.
fn abort(transaction: &IdbTransaction) {
    let _ = transaction.abort();
}

fn read_epoch(stored: Option<JsValue>) -> f64 {
    stored.and_then(|value| value.as_f64()).unwrap_or(0.0)
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
