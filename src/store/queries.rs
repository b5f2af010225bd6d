//! What the engine's questions mean in rows.

use serde::de::DeserializeOwned;

use super::{Key, KeyRange, Reader, Table, Value};
use crate::engine::codec::decode;
use crate::engine::id::{BodyId, SessionId, TaskKey};
use crate::engine::input::{DeadBody, Loaded, StoreFailure};
use crate::engine::output::Query;
use crate::engine::task::{Progress, Task, TaskEvent, TaskRecord};

/// Answers a question.
///
/// # Errors
/// If the store fails, or holds what this version cannot read.
pub async fn load<R: Reader>(reader: &R, query: &Query) -> Result<Loaded, StoreFailure> {
    match query {
        Query::Due { limit } => {
            let records = records(reader.scan_index(Table::Tasks, *limit).await?)?;
            with_progress(reader, records).await.map(Loaded::Tasks)
        }
        Query::Task(key) => task(reader, key).await.map(|task| Loaded::Tasks(task.into_iter().collect())),
        Query::Tasks { session, after, limit } => {
            let range = KeyRange::tasks_after(session, after.as_ref().map(|id| id.as_str()));
            let records = records(reader.scan(Table::Tasks, &range, *limit).await?)?;
            with_progress(reader, records).await.map(Loaded::Tasks)
        }
        Query::Outbox { session, after, limit } => {
            events(reader, Table::Outbox, session, after + 1, u64::MAX, *limit).await.map(Loaded::Events)
        }
        Query::History { session, before, limit } => {
            let first = before.saturating_sub(u64::from(*limit));
            let last = before.saturating_sub(1);
            events(reader, Table::History, session, first, last, *limit).await.map(Loaded::Events)
        }
        Query::DeadBody { chunks } => dead_body(reader, *chunks).await.map(Loaded::DeadBody),
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

fn record<T: DeserializeOwned, C>(row: Value<C>) -> Result<T, StoreFailure> {
    match row {
        Value::Bytes(bytes) => decode(&bytes).ok_or(StoreFailure::Other),
        Value::Chunk(..) => Err(StoreFailure::Other),
    }
}

async fn task<R: Reader>(reader: &R, key: &TaskKey) -> Result<Option<Task>, StoreFailure> {
    let Some(row) = reader.get(Table::Tasks, &Key::task(key)).await? else { return Ok(None) };
    with_progress(reader, vec![record(row)?]).await.map(|mut tasks| tasks.pop())
}

async fn with_progress<R: Reader>(reader: &R, records: Vec<TaskRecord>) -> Result<Vec<Task>, StoreFailure> {
    let mut tasks = Vec::with_capacity(records.len());
    for record_ in records {
        let row = reader.get(Table::Progress, &Key::task(&record_.key)).await?.ok_or(StoreFailure::Other)?;
        let progress: Progress = record(row)?;
        tasks.push(Task { record: record_, progress });
    }
    Ok(tasks)
}

async fn dead_body<R: Reader>(reader: &R, limit: u32) -> Result<Option<DeadBody>, StoreFailure> {
    let Some(row) = reader.scan_index(Table::Bodies, 1).await?.pop() else { return Ok(None) };
    let body: BodyId = record(row)?;
    let offsets = reader.scan_keys(Table::Chunks, &KeyRange::chunks(body, u64::MAX), limit).await?;
    let through = offsets.last().and_then(Key::last_number);
    Ok(Some(DeadBody { body, through, more: offsets.len() >= limit as usize }))
}
