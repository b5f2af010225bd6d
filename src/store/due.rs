//! What is due: the first of each lane, in few requests. Lanes lie one behind the other in the index, so that one
//! range holds them all; only where a lane holds more than is wanted does the next request begin behind it.

use super::queries::{records, with_progress};
use super::{Index, KeyRange, Reader, Table};
use crate::engine::id::SessionId;
use crate::engine::input::{Loaded, StoreFailure};
use crate::engine::schedule::Lane;
use crate::engine::task::TaskRecord;
use crate::engine::time::Timestamp;

/// What is asked for; see [`crate::engine::output::Query::Due`].
pub(super) struct Due<'a> {
    pub session: &'a SessionId,
    pub now: Timestamp,
    pub blocked: u8,
    /// At least 1.
    pub limit: u32,
}

#[derive(Default)]
struct Found {
    records: Vec<TaskRecord>,
    more: Vec<Lane>,
    next_at: Option<Timestamp>,
}

/// Answers [`crate::engine::output::Query::Due`].
pub(super) async fn due<R: Reader>(reader: &R, due: &Due<'_>) -> Result<Loaded, StoreFailure> {
    let mut found = Found::default();
    let mut from = 0;
    loop {
        let range = KeyRange::lanes_from(due.session, from);
        let mut rows: Vec<TaskRecord> = records(reader.scan_index(Table::Tasks, Index::Due, &range, due.limit).await?)?;
        let is_last = rows.len() < due.limit as usize;
        while let Some(lane) = rows.first().map(TaskRecord::lane) {
            let end = rows.iter().position(|record| record.lane() != lane).unwrap_or(rows.len());
            let behind = rows.split_off(end);
            // The answer may have ended in the middle of this lane: the next one begins with it.
            if behind.is_empty() && !is_last && end < due.limit as usize {
                break;
            }
            sort_out(reader, due, lane, rows, &mut found).await?;
            rows = behind;
            from = lane.number() + 1;
        }
        if is_last {
            break;
        }
    }
    let tasks = with_progress(reader, found.records).await?;
    Ok(Loaded::Due { tasks, more: found.more, next_at: found.next_at })
}

/// Takes what may run of the first rows of a lane.
async fn sort_out<R: Reader>(
    reader: &R,
    due: &Due<'_>,
    lane: Lane,
    mut rows: Vec<TaskRecord>,
    found: &mut Found,
) -> Result<(), StoreFailure> {
    if due.blocked & (1 << lane.needs.rank()) != 0 {
        if !lane.is_discretionary() {
            return Ok(());
        }
        let overdue = rows.iter().take_while(|record| record.place_in_lane() <= Some(due.now)).count();
        let mut next = rows.get(overdue).and_then(TaskRecord::place_in_lane);
        if overdue >= due.limit as usize {
            let behind = KeyRange::lane_behind(due.session, lane, due.now);
            let first: Vec<TaskRecord> = records(reader.scan_index(Table::Tasks, Index::Due, &behind, 1).await?)?;
            next = first.first().and_then(TaskRecord::place_in_lane);
        }
        found.next_at = found.next_at.into_iter().chain(next).min();
        rows.truncate(overdue);
    }
    if rows.len() >= due.limit as usize {
        found.more.push(lane);
    }
    found.records.append(&mut rows);
    Ok(())
}
