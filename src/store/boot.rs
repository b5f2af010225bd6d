//! What a boot reads: sessions, the tasks that are due first, and the heads of the outboxes. Never all tasks, so
//! that ten thousand finished downloads cost a start nothing.

use super::queries::{events, load, records};
use super::{Key, KeyRange, Reader, Table};
use crate::engine::input::{Loaded, StoreFailure};
use crate::engine::output::Query;
use crate::engine::session::SessionRecord;
use crate::engine::{OUTBOX_WINDOW, RESIDENT_TASKS, SessionSnapshot, Snapshot};

/// The most sessions of a database. Sessions are few; tasks are many.
pub const MAX_SESSIONS: u32 = 1_000;

/// Reads what the engine starts from.
///
/// # Errors
/// If the store fails, or holds what this version cannot read.
pub async fn boot<R: Reader>(reader: &R) -> Result<Snapshot, StoreFailure> {
    let stored: Vec<SessionRecord> =
        records(reader.scan(Table::Sessions, &KeyRange::all_texts(), MAX_SESSIONS).await?)?;
    let mut sessions = Vec::with_capacity(stored.len());
    for record in stored {
        let outbox = events(reader, Table::Outbox, &record.id, 0, u64::MAX, OUTBOX_WINDOW as u32).await?;
        let all = KeyRange::events(&record.id, 0, u64::MAX);
        let last_seq = reader.last_key(Table::History, &all).await?.as_ref().and_then(Key::last_number).unwrap_or(0);
        sessions.push(SessionSnapshot { more_events: outbox.len() >= OUTBOX_WINDOW, outbox, last_seq, record });
    }
    let Loaded::Tasks(due) = load(reader, &Query::Due { limit: RESIDENT_TASKS }).await? else {
        unreachable!("tasks were asked for")
    };
    Ok(Snapshot { sessions, more_due: due.len() >= RESIDENT_TASKS as usize, due })
}
