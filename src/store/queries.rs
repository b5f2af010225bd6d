//! What the engine's questions mean in rows.

use serde::de::DeserializeOwned;

use super::bodies::{dead_bodies, detached};
use super::damage::{events, task_record, task_records};
use super::due::{Due, due};
use super::select::{Select, counts, ended, select};
use super::{Index, Key, KeyRange, Reader, Table, Value};
use crate::engine::codec::decode;
use crate::engine::id::TaskKey;
use crate::engine::input::{Loaded, StoreFailure};
use crate::engine::output::Query;
use crate::engine::task::{FoundByUrl, Progress, Task, TaskRecord};

/// Answers a question.
///
/// # Errors
/// If the store fails.
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
        Query::ByUrl(url, session) => {
            let range = KeyRange::only(Key::text(url));
            let mut found = task_records(reader, Some(Index::Url), &range, SAME_URL).await?;
            found.retain(|record| match session {
                Some(session) => record.key.session == *session,
                None => record.by_url == FoundByUrl::Anywhere,
            });
            found.truncate(1);
            with_progress(reader, found).await.map(Loaded::Tasks)
        }
        Query::Ended { session, keep, limit } => ended(reader, session, *keep, *limit).await,
        Query::Counts(group) => counts(reader, group).await,
        Query::Outbox { session, after, limit } => {
            events(reader, Table::Outbox, session, (after + 1, u64::MAX), *limit).await.map(Loaded::Events)
        }
        Query::History { session, before, limit } => {
            let first = before.saturating_sub(u64::from(*limit));
            let last = before.saturating_sub(1);
            events(reader, Table::History, session, (first, last), *limit).await.map(Loaded::Events)
        }
        Query::DeadBodies { now, chunks } => dead_bodies(reader, *now, *chunks).await,
        Query::Detached(body) => detached(reader, *body).await.map(Loaded::Detached),
    }
}

/// How many tasks may have one URL, so that the file of another session hides none: looked through for that of the right one.
const SAME_URL: u32 = 256;

/// Reads the record that a row holds; `None` if that cannot be done.
pub(super) fn record<T: DeserializeOwned, C>(row: Value<C>) -> Option<T> {
    match row {
        Value::Bytes(bytes) => decode(&bytes),
        Value::Chunk(..) => None,
    }
}

/// Those of these tasks that exist.
async fn tasks<R: Reader>(reader: &R, keys: &[TaskKey]) -> Result<Loaded, StoreFailure> {
    let mut found = Vec::new();
    for key in keys {
        let key = Key::task(key);
        if let Some(row) = reader.get(Table::Tasks, &key).await? {
            match record(row) {
                Some(record) => found.push(record),
                None => found.extend(task_record(reader, &key).await?),
            }
        }
    }
    with_progress(reader, found).await.map(Loaded::Tasks)
}

/// The tasks of these records.
///
/// # Errors
/// If the store fails.
pub(super) async fn with_progress<R: Reader>(reader: &R, records: Vec<TaskRecord>) -> Result<Vec<Task>, StoreFailure> {
    let mut tasks = Vec::with_capacity(records.len());
    for of_task in records {
        let row = reader.get(Table::Progress, &Key::task(&of_task.key)).await?;
        tasks.push(match row.and_then(record) {
            // If the record cannot be read either, only bytes tell that the body is the task's own: one that was cancelled, or
            // whose file has left, has none.
            Some(Progress { received, .. }) if of_task.is_unnoted() && received.is_empty() => {
                Task::without_progress(of_task)
            }
            Some(progress) => Task { record: of_task, progress },
            None => Task::without_progress(of_task),
        });
    }
    Ok(tasks)
}
