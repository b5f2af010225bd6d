//! What a boot reads: sessions, the heads of their outboxes, their open groups, and the tasks that are due first.
//! Never all tasks, so that ten thousand finished downloads cost a start nothing.

use super::queries::{events, load, records};
use super::{Index, Key, KeyRange, Reader, Table};
use crate::engine::input::StoreFailure;
use crate::engine::output::Query;
use crate::engine::session::SessionRecord;
use crate::engine::time::Timestamp;
use crate::engine::{OUTBOX_WINDOW, RESIDENT_PER_LANE, SessionSnapshot, Snapshot};

/// The most sessions of a database. Sessions are few; tasks are many.
pub const MAX_SESSIONS: u32 = 1_000;

/// Reads what the engine starts from.
///
/// # Errors
/// If the store fails, or holds what this version cannot read.
pub async fn boot<R: Reader>(reader: &R) -> Result<Snapshot, StoreFailure> {
    let stored: Vec<SessionRecord> = records(reader.scan(Table::Sessions, &KeyRange::all(), MAX_SESSIONS).await?)?;
    let mut sessions = Vec::with_capacity(stored.len());
    for record in stored {
        let outbox = events(reader, Table::Outbox, &record.id, 0, u64::MAX, OUTBOX_WINDOW as u32).await?;
        let all = KeyRange::events(&record.id, 0, u64::MAX);
        let last_seq = reader.last_key(Table::History, &all).await?.as_ref().and_then(Key::last_number).unwrap_or(0);
        let open = KeyRange::only(Key::text(record.id.as_str()));
        let groups = records(reader.scan_index(Table::Groups, Index::Due, &open, u32::MAX).await?)?;
        // The time matters to blocked lanes only, and none is.
        let (now, session) = (Timestamp(0), record.id.clone());
        let due = load(reader, &Query::Due { session, now, blocked: 0, limit: RESIDENT_PER_LANE }).await?;
        let more_events = outbox.len() >= OUTBOX_WINDOW;
        sessions.push(SessionSnapshot { record, outbox, more_events, last_seq, groups, due });
    }
    Ok(Snapshot { sessions })
}
