//! What is due: the first of each lane, in few requests. Lanes lie one behind the other in the index, so that one
//! range holds them all; only where a lane holds more than is wanted does the next request begin behind it.

use super::damage::task_records;
use super::queries::with_progress;
use super::{Index, KeyRange, Reader};
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
    /// What stands for rows that cannot be read. Some are met twice.
    damaged: Vec<TaskRecord>,
}

/// Answers [`crate::engine::output::Query::Due`].
pub(super) async fn due<R: Reader>(reader: &R, due: &Due<'_>) -> Result<Loaded, StoreFailure> {
    let mut found = Found::default();
    let mut from = 0;
    loop {
        let (mut rows, is_last) =
            readable(reader, &KeyRange::lanes_from(due.session, from), due.limit, &mut found).await?;
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
    found.records.append(&mut found.damaged);
    let tasks = with_progress(reader, found.records).await?;
    Ok(Loaded::Due { tasks, more: found.more, next_at: found.next_at })
}

/// The first rows of a range that can be read, and whether they are all. In which lane the others are is not known.
async fn readable<R: Reader>(
    reader: &R,
    range: &KeyRange,
    limit: u32,
    found: &mut Found,
) -> Result<(Vec<TaskRecord>, bool), StoreFailure> {
    let mut beside = 0;
    loop {
        let rows = task_records(reader, Some(Index::Due), range, limit + beside).await?;
        let is_last = rows.len() < (limit + beside) as usize;
        let (damaged, rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(TaskRecord::is_unnoted);
        if is_last || damaged.len() as u32 <= beside {
            for record in damaged {
                if found.damaged.iter().all(|other| other.key != record.key) {
                    found.damaged.push(record);
                }
            }
            return Ok((rows, is_last));
        }
        beside = damaged.len() as u32;
    }
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
            let (first, _) = readable(reader, &behind, 1, found).await?;
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
