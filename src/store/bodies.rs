//! Bodies as they are stored: who owns their chunks, and until when.

use serde::{Deserialize, Serialize};

use super::damage::orphans;
use super::queries::record;
use super::{Index, Key, KeyRange, Reader, Table};
use crate::engine::id::BodyId;
use crate::engine::input::{DeadBody, Loaded, StoreFailure};
use crate::engine::resume_data::Detached;
use crate::engine::time::Timestamp;

/// What is known of a body.
#[allow(clippy::large_enum_variant, reason = "one is alive at a time, and none is kept")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BodyRecord {
    /// A task owns it.
    Live(BodyId),
    /// Whoever holds its resume data owns it, until this time.
    Detached(Detached, Timestamp),
    /// Nobody owns it: it is to be swept.
    Dead(BodyId),
}

impl BodyRecord {
    /// The body.
    pub fn body(&self) -> BodyId {
        match self {
            Self::Live(body) | Self::Dead(body) => *body,
            Self::Detached(detached, _) => detached.body,
        }
    }

    /// From when on it may be swept, if nothing else happens.
    pub fn dies_at(&self) -> Option<Timestamp> {
        match self {
            Self::Live(_) => None,
            Self::Detached(_, until) => Some(*until),
            Self::Dead(_) => Some(Timestamp(0)),
        }
    }
}

/// Bodies that are dead by `now`, with at most `limit` chunks in all; or when the next one will be.
pub(super) async fn dead_bodies<R: Reader>(reader: &R, now: Timestamp, limit: u32) -> Result<Loaded, StoreFailure> {
    let rows = reader.scan_index(Table::Bodies, Index::Due, &KeyRange::dead_by(now), limit).await?;
    let (mut dead, mut left) = (Vec::new(), limit);
    for found in rows {
        let body = record(found).map_or(BodyId::UNKNOWN, |record: BodyRecord| record.body());
        if body == BodyId::UNKNOWN {
            return if dead.is_empty() { orphans(reader, now).await } else { Ok(Loaded::DeadBodies(dead, None)) };
        }
        if left == 0 {
            return Ok(Loaded::DeadBodies(dead, None));
        }
        let offsets = reader.scan_keys(Table::Chunks, &KeyRange::chunks(body, 0, u64::MAX), left).await?;
        let through = offsets.last().and_then(Key::last_number);
        dead.push(DeadBody { body, through, more: offsets.len() >= left as usize });
        left = left.saturating_sub((offsets.len() as u32).max(1));
    }
    let mut next_at = None;
    if let Some(next) = reader.scan_index_keys(Table::Bodies, Index::Due, &KeyRange::dead_after(now), 1).await?.first()
    {
        next_at = reader.index_key(Table::Bodies, next, Index::Due).await?.and_then(|key| key.last_number());
    }
    Ok(Loaded::DeadBodies(dead, next_at.map(Timestamp)))
}

/// What a body holds, if it is detached and its chunks are there.
pub(super) async fn detached<R: Reader>(reader: &R, body: BodyId) -> Result<Option<Detached>, StoreFailure> {
    let Some(row) = reader.get(Table::Bodies, &Key::body(body)).await? else { return Ok(None) };
    let Some(BodyRecord::Detached(detached, _)) = record(row) else { return Ok(None) };
    // How far a chunk reaches is not asked: that would read its bytes where chunks are no Blobs.
    for range in detached.received.iter() {
        let first = KeyRange::only(Key::chunk(body, range.start));
        if reader.scan_keys(Table::Chunks, &first, 1).await?.is_empty() {
            return Ok(None);
        }
    }
    Ok(Some(detached))
}
