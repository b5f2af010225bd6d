//! What must hold of the rows in storage after every commit, whatever has happened: claimed bytes are durable, one
//! body is one version, and nothing lies about that nobody owns.

use std::collections::{BTreeMap, BTreeSet};

use longhaul::engine::RangeSet;
use longhaul::engine::codec::decode;
use longhaul::engine::id::{BodyId, TaskKey};
use longhaul::engine::task::{Progress, Task, TaskEvent, TaskRecord, TaskState};
use longhaul::store::{Key, Reader, Table, Value};

use super::model::Model;
use super::network::{Chunk, Piece};
use super::origin::{Origin, VersionId};
use super::storage::{Storage, ready};

/// Reads what storage holds of a task.
pub fn stored_task(storage: &Storage, key: &TaskKey) -> Option<Task> {
    let view = storage.store.view();
    let row = |table| ready(view.get(table, &Key::task(key))).expect("the store in memory answers");
    let (record, progress) = (row(Table::Tasks), row(Table::Progress));
    assert_eq!(record.is_some(), progress.is_some(), "{key:?} has a record or a checkpoint, but not both");
    Some(Task { record: record_of(record?), progress: record_of(progress?) })
}

fn record_of<T: serde::de::DeserializeOwned>(row: Value<Chunk>) -> T {
    match row {
        Value::Bytes(bytes) => decode(&bytes).expect("every record can be read"),
        Value::Chunk(..) => panic!("a chunk lies where a record should"),
    }
}

/// Checks all rows, and that they are what the model says.
pub fn check_storage(storage: &Storage, model: &Model, origin: &mut Origin) {
    let records: Vec<TaskRecord> = rows(storage, Table::Tasks);
    let progress: Vec<Progress> = rows(storage, Table::Progress);
    assert_eq!(records.len(), progress.len(), "records and checkpoints come in pairs");
    let events: usize = model.outbox.values().map(BTreeMap::len).sum();
    assert_eq!(rows::<TaskEvent>(storage, Table::Outbox).len(), events, "the outbox is what was stored less acked");
    assert_eq!(records.len(), model.tasks.len(), "tasks that no commit has made, or that one has deleted");

    let mut bodies = stored_bodies(storage);
    for (record, progress) in records.into_iter().zip(progress) {
        let key = record.key.clone();
        let body = bodies.remove(&progress.body);
        if record.state == TaskState::Cancelled {
            assert!(body.is_none_or(|body| body.is_dead), "a cancelled task has a live body");
            continue;
        }
        let body = body.unwrap_or_else(|| panic!("{key:?} has no body of its own"));
        assert!(!body.is_dead, "the body of {key:?} is dead");
        let version = check_chunks(&key, &body.chunks, &progress.received);
        if record.state == TaskState::Completed {
            check_complete(&record, &progress, version, origin);
        }
    }
    for (body, stored) in bodies {
        assert!(stored.is_dead, "nobody owns {body:?}, and it is not marked dead");
    }
}

fn rows<T: serde::de::DeserializeOwned>(storage: &Storage, table: Table) -> Vec<T> {
    storage.store.rows(table).into_iter().map(|(_, row)| record_of(row)).collect()
}

/// A body's rows.
struct StoredBody {
    is_dead: bool,
    /// By offset.
    chunks: Vec<(u64, Chunk, u64)>,
}

fn stored_bodies(storage: &Storage) -> BTreeMap<BodyId, StoredBody> {
    let dead = ready(storage.store.view().scan_index(Table::Bodies, u32::MAX)).expect("the store in memory answers");
    let dead: BTreeSet<BodyId> = dead.into_iter().map(record_of).collect();
    let mut bodies = BTreeMap::new();
    let mut by_key = BTreeMap::new();
    for (key, row) in storage.store.rows(Table::Bodies) {
        let body: BodyId = record_of(row);
        by_key.insert(key, body);
        bodies.insert(body, StoredBody { is_dead: dead.contains(&body), chunks: Vec::new() });
    }
    for (key, row) in storage.store.rows(Table::Chunks) {
        let body = by_key.get(&Key(key.0[..1].to_vec())).expect("a chunk lies in a body that does not exist");
        let offset = key.last_number().expect("a chunk's key ends with its offset");
        let Value::Chunk(chunk, len) = row else { panic!("a record lies where a chunk should") };
        bodies.get_mut(body).expect("listed above").chunks.push((offset, chunk, len));
    }
    bodies
}

/// The chunks are what the checkpoint claims, byte for byte, and of one version. Returns the version.
fn check_chunks(key: &TaskKey, chunks: &[(u64, Chunk, u64)], received: &RangeSet) -> Option<VersionId> {
    let mut durable = RangeSet::default();
    let mut behind_last = 0;
    let mut version = None;
    for (offset, chunk, len) in chunks {
        assert!(*offset >= behind_last, "chunks of {key:?} overlap at {offset}");
        behind_last = offset + len;
        durable.insert(*offset..behind_last);
        let mut at = *offset;
        for Piece { version: of, range } in chunk {
            assert_eq!(range.start, at, "{key:?} has bytes in the wrong place");
            at = range.end;
            let known = *version.get_or_insert(*of);
            assert_eq!(known, *of, "{key:?} mixes two versions");
        }
        assert_eq!(at, behind_last, "a chunk of {key:?} has another length than its row says");
    }
    assert_eq!(durable, *received, "what {key:?} claims to have is not what is durable");
    version
}

/// A finished file is exactly one version that the server really had.
fn check_complete(record: &TaskRecord, progress: &Progress, version: Option<VersionId>, origin: &mut Origin) {
    let versions = &origin.find(&record.spec.url).versions;
    let length = progress.received.len();
    let served = match version {
        Some(version) => versions.iter().any(|served| served.id == version && served.length == length),
        None => versions.iter().any(|served| served.length == 0),
    };
    assert!(served, "{:?} is complete with {length} bytes, but the server never had such a file", record.key);
}
