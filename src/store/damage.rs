//! Rows that cannot be read: damaged, or written by a much newer version. What such a row is about is told by its key and
//! by its keys in the indexes, so a stand-in takes its place and everything else goes on. Readers write nothing; the engine
//! replaces a task's rows by its stand-in ([`crate::engine`]'s `mend.rs`), and the app a session's.

use super::bodies::BodyRecord;
use super::queries::record;
use super::{Index, Key, KeyRange, Reader, Table};
use crate::engine::group::{GroupKey, GroupRecord};
use crate::engine::id::{BodyId, GroupId, SessionId, TaskId, TaskKey};
use crate::engine::input::{Loaded, StoreFailure};
use crate::engine::session::SessionRecord;
use crate::engine::task::{EventKind, Progress, Subject, TaskEvent, TaskRecord};
use crate::engine::time::Timestamp;

/// Records of tasks: of a range of ids, or of a range of an index.
pub(super) async fn task_records<R: Reader>(
    reader: &R,
    index: Option<Index>,
    range: &KeyRange,
    limit: u32,
) -> Result<Vec<TaskRecord>, StoreFailure> {
    let rows = match index {
        Some(index) => reader.scan_index(Table::Tasks, index, range, limit).await?,
        None => reader.scan(Table::Tasks, range, limit).await?,
    };
    let mut records: Vec<Option<TaskRecord>> = rows.into_iter().map(record).collect();
    if records.iter().any(Option::is_none) {
        let keys = match index {
            Some(index) => reader.scan_index_keys(Table::Tasks, index, range, limit).await?,
            None => reader.scan_keys(Table::Tasks, range, limit).await?,
        };
        for (record, key) in records.iter_mut().zip(&keys).filter(|(record, _)| record.is_none()) {
            *record = task_record(reader, key).await?;
        }
    }
    Ok(records.into_iter().flatten().collect())
}

/// The stand-in for the task of this key. It stays a member of its group.
pub(super) async fn task_record<R: Reader>(reader: &R, key: &Key) -> Result<Option<TaskRecord>, StoreFailure> {
    let Some(task) = task_of(key) else { return Ok(None) };
    let member = reader.index_key(Table::Tasks, key, Index::Group).await?;
    let group = member.as_ref().and_then(|member| member.text_at(1)).map(GroupId::new);
    Ok(Some(TaskRecord::unreadable(task, group)))
}

fn task_of(key: &Key) -> Option<TaskKey> {
    Some(TaskKey { session: SessionId::new(key.text_at(0)?), task: TaskId::new(key.text_at(1)?) })
}

/// All sessions.
pub(super) async fn sessions<R: Reader>(reader: &R) -> Result<Vec<SessionRecord>, StoreFailure> {
    let all = KeyRange::all();
    let rows = reader.scan(Table::Sessions, &all, u32::MAX).await?;
    let records: Vec<Option<SessionRecord>> = rows.into_iter().map(record).collect();
    if records.iter().all(Option::is_some) {
        return Ok(records.into_iter().flatten().collect());
    }
    let keys = reader.scan_keys(Table::Sessions, &all, u32::MAX).await?;
    let stand_in = |key: &Key| key.text_at(0).map(|id| SessionRecord::unreadable(SessionId::new(id)));
    Ok(records.into_iter().zip(&keys).filter_map(|(record, key)| record.or_else(|| stand_in(key))).collect())
}

/// A session's open groups.
pub(super) async fn open_groups<R: Reader>(reader: &R, session: &SessionId) -> Result<Vec<GroupRecord>, StoreFailure> {
    let range = KeyRange::only(Key::text(session.as_str()));
    let rows = reader.scan_index(Table::Groups, Index::Due, &range, u32::MAX).await?;
    let records: Vec<Option<GroupRecord>> = rows.into_iter().map(record).collect();
    if records.iter().all(Option::is_some) {
        return Ok(records.into_iter().flatten().collect());
    }
    let keys = reader.scan_index_keys(Table::Groups, Index::Due, &range, u32::MAX).await?;
    let stand_in = |key: &Key| {
        let group = GroupId::new(key.text_at(1)?);
        Some(GroupRecord::unreadable(GroupKey { session: session.clone(), group }, false))
    };
    Ok(records.into_iter().zip(&keys).filter_map(|(record, key)| record.or_else(|| stand_in(key))).collect())
}

/// A group's row, if there is one.
pub(super) async fn group<R: Reader>(reader: &R, group: &GroupKey) -> Result<Option<GroupRecord>, StoreFailure> {
    let key = Key::group(group);
    let Some(row) = reader.get(Table::Groups, &key).await? else { return Ok(None) };
    let record = record(row);
    if record.is_some() {
        return Ok(record);
    }
    let is_done = reader.index_key(Table::Groups, &key, Index::Due).await?.is_none();
    Ok(Some(GroupRecord::unreadable(group.clone(), is_done)))
}

/// A session's events from `first` to `last`. Each is stored twice until it is acknowledged.
pub(super) async fn events<R: Reader>(
    reader: &R,
    table: Table,
    session: &SessionId,
    (first, last): (u64, u64),
    limit: u32,
) -> Result<Vec<TaskEvent>, StoreFailure> {
    let range = KeyRange::events(session, first, last);
    let rows = reader.scan(table, &range, limit).await?;
    let mut events: Vec<Option<TaskEvent>> = rows.into_iter().map(record).collect();
    if events.iter().any(Option::is_none) {
        let keys = reader.scan_keys(table, &range, limit).await?;
        let other = if table == Table::Outbox { Table::History } else { Table::Outbox };
        for (event, key) in events.iter_mut().zip(&keys).filter(|(event, _)| event.is_none()) {
            let Some(seq) = key.last_number() else { continue };
            let lost = || TaskEvent {
                seq,
                session: session.clone(),
                subject: Subject::Session,
                at: Timestamp(0),
                kind: EventKind::Damaged,
            };
            *event = Some(reader.get(other, key).await?.and_then(record).unwrap_or_else(lost));
        }
    }
    Ok(events.into_iter().flatten().collect())
}

/// Looks through all checkpoints for the bodies that no task has: some task's checkpoint could not be read, and its body
/// died without a name. As long as a checkpoint of an existing task cannot be read, nothing is known to be an orphan.
pub(super) async fn orphans<R: Reader>(reader: &R, now: Timestamp) -> Result<Loaded, StoreFailure> {
    let all = KeyRange::all();
    let keys = reader.scan_keys(Table::Progress, &all, u32::MAX).await?;
    let rows = reader.scan(Table::Progress, &all, u32::MAX).await?;
    let (mut owned, mut damaged) = (Vec::new(), Vec::new());
    for (row, key) in rows.into_iter().zip(&keys) {
        match record::<Progress, _>(row) {
            Some(progress) => {
                owned.push((progress.body, key));
                owned.extend(progress.previous.map(|previous| (previous.body, key)));
                owned.extend(progress.aside.map(|aside| (aside.body, key)));
            }
            None if reader.get(Table::Tasks, key).await?.is_some() => damaged.extend(task_of(key)),
            None => {}
        }
    }
    if !damaged.is_empty() {
        return Ok(Loaded::Orphans { dead: Vec::new(), live: Vec::new(), damaged });
    }
    owned.sort_unstable();
    let owner_of = |body: &BodyId| {
        let at = owned.binary_search_by(|(owned, _)| owned.cmp(body)).ok()?;
        owned.get(at).map(|(_, key)| *key)
    };
    let keys = reader.scan_keys(Table::Bodies, &all, u32::MAX).await?;
    let rows = reader.scan(Table::Bodies, &all, u32::MAX).await?;
    let (mut dead, mut live) = (Vec::new(), Vec::new());
    for (row, key) in rows.into_iter().zip(&keys) {
        let Some(body) = key.text_at(0).and_then(BodyId::parse) else { continue };
        match (record(row), owner_of(&body)) {
            (Some(BodyRecord::Live(_)), None) => dead.push(body),
            // Its time has not come: it may be one that resume data names.
            (None, _) if reader.index_key(Table::Bodies, key, Index::Due).await? > Some(Key::time(now)) => {}
            (None, None) => dead.push(body),
            (None, Some(owner)) => {
                // A cancelled task still names the body that it has given up.
                let owner: Option<TaskRecord> = reader.get(Table::Tasks, owner).await?.and_then(record);
                let bodies = if owner.is_none_or(|owner| owner.has_body()) { &mut live } else { &mut dead };
                bodies.push(body);
            }
            _ => {}
        }
    }
    Ok(Loaded::Orphans { dead, live, damaged })
}
