//! Which tasks a filter means, page by page in the order of their ids. A group's members are found by the index, whose
//! keys end with the id: whatever became of the members before, a page begins right behind the last one, so that
//! going through thirty thousand of them costs thirty thousand rows.

use super::damage::{self, task_records};
use super::key::text_order;
use super::queries::with_progress;
use super::{Index, KeyRange, Reader, Table};
use crate::engine::filter::Filter;
use crate::engine::group::{GroupCounts, GroupKey};
use crate::engine::id::{SessionId, TaskId};
use crate::engine::input::{Loaded, StoreFailure};
use crate::engine::task::TaskRecord;

/// How many rows are read at a time where only some may match.
const BUNCH: u32 = 256;
/// How many rows are looked at for one page: a filter that matches few of many must not hold up the worker.
const MAX_LOOKED_AT: usize = 2_048;
/// One more than the last [`crate::engine::task::TaskState::rank`].
const RANKS: u8 = 5;

/// What is asked for; see [`crate::engine::output::Query::Select`].
pub(super) struct Select<'a> {
    pub session: &'a SessionId,
    pub filter: &'a Filter,
    pub after: Option<&'a TaskId>,
    pub limit: u32,
}

/// Answers [`crate::engine::output::Query::Select`].
pub(super) async fn select<R: Reader>(reader: &R, select: &Select<'_>) -> Result<Loaded, StoreFailure> {
    let filter = select.filter;
    let all_match =
        filter.tag.is_none() && filter.unused_since.is_none() && (filter.group.is_some() || filter.states == 0);
    let bunch = if all_match { select.limit.clamp(1, BUNCH) } else { BUNCH };
    let mut found = Vec::new();
    let mut after = select.after.cloned();
    let mut looked_at = 0;
    let next = loop {
        let rows = rows_behind(reader, select, after.as_ref(), bunch).await?;
        let is_last = rows.len() < bunch as usize;
        looked_at += rows.len();
        let mut rows = rows.into_iter();
        for record in rows.by_ref() {
            after = Some(record.key.task.clone());
            // What it was cannot be known: a call upon the tasks of a filter finds out that it is damaged.
            if filter.matches(&record) || record.is_unnoted() {
                found.push(record);
            }
            if found.len() >= select.limit as usize {
                break;
            }
        }
        if is_last && rows.len() == 0 {
            break None;
        }
        if found.len() >= select.limit as usize || looked_at >= MAX_LOOKED_AT {
            break after;
        }
    };
    with_progress(reader, found).await.map(|tasks| Loaded::Page(tasks, next))
}

/// The first `limit` tasks behind `after` that may match.
async fn rows_behind<R: Reader>(
    reader: &R,
    select: &Select<'_>,
    after: Option<&TaskId>,
    limit: u32,
) -> Result<Vec<TaskRecord>, StoreFailure> {
    let after = after.map(TaskId::as_str);
    let Some(group) = &select.filter.group else {
        return task_records(reader, None, &KeyRange::tasks_after(select.session, after), limit).await;
    };
    let group = GroupKey { session: select.session.clone(), group: group.clone() };
    let mut rows: Vec<TaskRecord> = Vec::new();
    for rank in (0..RANKS).filter(|rank| select.filter.states == 0 || select.filter.states & (1 << rank) != 0) {
        let range = KeyRange::members_after(&group, rank, after);
        rows.append(&mut task_records(reader, Some(Index::Group), &range, limit).await?);
    }
    // The first of all are among the first of each state.
    rows.sort_unstable_by(|one, other| text_order(one.key.task.as_str(), other.key.task.as_str()));
    rows.truncate(limit as usize);
    Ok(rows)
}

/// A group's row, and how many of its members are in which state.
pub(super) async fn counts<R: Reader>(reader: &R, group: &GroupKey) -> Result<Loaded, StoreFailure> {
    let row = damage::group(reader, group).await?;
    let mut counts = GroupCounts::default();
    for rank in 0..RANKS {
        let range = KeyRange::members_after(group, rank, None);
        *counts.of_rank(rank) = reader.count(Table::Tasks, Index::Group, &range).await?;
    }
    Ok(Loaded::Counts(row, counts))
}

/// The oldest of the tasks that failed or were cancelled, beyond the `keep` that may stay; at most `limit`.
pub(super) async fn ended<R: Reader>(
    reader: &R,
    session: &SessionId,
    keep: u32,
    limit: u32,
) -> Result<Loaded, StoreFailure> {
    let range = KeyRange::ended(session);
    let surplus = reader.count(Table::Tasks, Index::Due, &range).await?.saturating_sub(u64::from(keep));
    let wanted = surplus.min(u64::from(limit)) as u32;
    // A scan of 0 rows would mean all of them to IndexedDB.
    let rows = match wanted {
        0 => Vec::new(),
        wanted => task_records(reader, Some(Index::Due), &range, wanted).await?,
    };
    with_progress(reader, rows).await.map(Loaded::Tasks)
}
