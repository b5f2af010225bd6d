//! What a boot reads: sessions, the heads of their outboxes, their open groups, and the tasks that are due first.
//! Never all tasks, so that ten thousand finished downloads cost a start nothing.

use super::damage::{events, open_groups, sessions};
use super::queries::load;
use super::{Key, KeyRange, Reader, Table};
use crate::engine::input::StoreFailure;
use crate::engine::output::Query;
use crate::engine::time::Timestamp;
use crate::engine::{OUTBOX_WINDOW, RESIDENT_PER_LANE, SessionSnapshot, Snapshot};

/// Reads what the engine starts from.
///
/// # Errors
/// If the store fails.
pub async fn boot<R: Reader>(reader: &R) -> Result<Snapshot, StoreFailure> {
    let stored = sessions(reader).await?;
    let mut snapshots = Vec::with_capacity(stored.len());
    for record in stored {
        let outbox = events(reader, Table::Outbox, &record.id, (0, u64::MAX), OUTBOX_WINDOW as u32).await?;
        let all = KeyRange::events(&record.id, 0, u64::MAX);
        let last_seq = reader.last_key(Table::History, &all).await?.as_ref().and_then(Key::last_number).unwrap_or(0);
        let groups = open_groups(reader, &record.id).await?;
        // The time matters to blocked lanes only, and none is.
        let (now, session) = (Timestamp(0), record.id.clone());
        let due = load(reader, &Query::Due { session, now, blocked: 0, limit: RESIDENT_PER_LANE }).await?;
        let more_events = outbox.len() >= OUTBOX_WINDOW;
        snapshots.push(SessionSnapshot { record, outbox, more_events, last_seq, groups, due });
    }
    Ok(Snapshot { sessions: snapshots })
}
