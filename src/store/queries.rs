//! What the engine's questions mean in rows.

use serde::de::DeserializeOwned;

use super::bodies::{dead_bodies, detached};
use super::due::{Due, due};
use super::select::{Select, counts, ended, select};
use super::{Index, Key, KeyRange, Reader, Table, Value};
use crate::engine::codec::decode;
use crate::engine::id::{SessionId, TaskKey};
use crate::engine::input::{Loaded, StoreFailure};
use crate::engine::output::Query;
use crate::engine::task::{Progress, Task, TaskEvent, TaskRecord};

/// Answers a question.
///
/// # Errors
/// If the store fails, or holds what this version cannot read.
pub async fn load<R: Reader>(reader: &R, query: &Query) -> Result<Loaded, StoreFailure> {
    match query {
        Query::Due { session, now, blocked, limit } => {
            due(reader, &Due { session, now: *now, blocked: *blocked, limit: (*limit).max(1) }).await
        }
        Query::Task(key) => tasks(reader, std::slice::from_ref(key)).await,
        Query::TasksByKey(keys) => tasks(reader, keys).await,
        Query::Select { session, filter, after, limit } => {
            select(reader, &Select { session, filter, after: after.as_ref(), limit: *limit }).await
        }
        Query::ByUrl(url) => {
            let range = KeyRange::only(Key::text(url));
            let found = records(reader.scan_index(Table::Tasks, Index::Url, &range, 1).await?)?;
            with_progress(reader, found).await.map(Loaded::Tasks)
        }
        Query::Ended { session, keep, limit } => ended(reader, session, *keep, *limit).await,
        Query::Counts(group) => counts(reader, group).await,
        Query::Outbox { session, after, limit } => {
            events(reader, Table::Outbox, session, after + 1, u64::MAX, *limit).await.map(Loaded::Events)
        }
        Query::History { session, before, limit } => {
            let first = before.saturating_sub(u64::from(*limit));
            let last = before.saturating_sub(1);
            events(reader, Table::History, session, first, last, *limit).await.map(Loaded::Events)
        }
        Query::DeadBodies { now, chunks } => dead_bodies(reader, *now, *chunks).await,
        Query::Detached(body) => detached(reader, *body).await.map(Loaded::Detached),
    }
}

/// A session's events from `first` to `last`.
///
/// # Errors
/// If the store fails, or holds what this version cannot read.
pub(super) async fn events<R: Reader>(
    reader: &R,
    table: Table,
    session: &SessionId,
    first: u64,
    last: u64,
    limit: u32,
) -> Result<Vec<TaskEvent>, StoreFailure> {
    records(reader.scan(table, &KeyRange::events(session, first, last), limit).await?)
}

/// Reads the records that rows hold.
///
/// # Errors
/// If one of them cannot be read.
pub(super) fn records<T: DeserializeOwned, C>(rows: Vec<Value<C>>) -> Result<Vec<T>, StoreFailure> {
    rows.into_iter().map(record).collect()
}

/// Reads the record that a row holds.
///
/// # Errors
/// If it cannot be read.
pub(super) fn record<T: DeserializeOwned, C>(row: Value<C>) -> Result<T, StoreFailure> {
    match row {
        Value::Bytes(bytes) => decode(&bytes).ok_or(StoreFailure::Other),
        Value::Chunk(..) => Err(StoreFailure::Other),
    }
}

/// Those of these tasks that exist.
async fn tasks<R: Reader>(reader: &R, keys: &[TaskKey]) -> Result<Loaded, StoreFailure> {
    let mut found = Vec::new();
    for key in keys {
        if let Some(row) = reader.get(Table::Tasks, &Key::task(key)).await? {
            found.push(record(row)?);
        }
    }
    with_progress(reader, found).await.map(Loaded::Tasks)
}

/// The tasks of these records.
///
/// # Errors
/// If the store fails, or one of them has no progress.
pub(super) async fn with_progress<R: Reader>(reader: &R, records: Vec<TaskRecord>) -> Result<Vec<Task>, StoreFailure> {
    let mut tasks = Vec::with_capacity(records.len());
    for of_task in records {
        let row = reader.get(Table::Progress, &Key::task(&of_task.key)).await?.ok_or(StoreFailure::Other)?;
        let progress: Progress = record(row)?;
        tasks.push(Task { record: of_task, progress });
    }
    Ok(tasks)
}
