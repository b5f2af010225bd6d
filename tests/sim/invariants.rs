//! What must hold of the rows in storage after every commit, whatever has happened: claimed bytes are durable, one
//! body is one version, and nothing lies about that nobody owns.

use std::collections::{BTreeMap, BTreeSet};

use longhaul::engine::RangeSet;
use longhaul::engine::codec::decode;
use longhaul::engine::id::{BodyId, TaskKey};
use longhaul::engine::task::{Place, Progress, Task, TaskRecord, TaskState};
use longhaul::store::bodies::BodyRecord;
use longhaul::store::{Key, Reader, Table, Value};

use super::content::{Chunk, Piece, VersionId};
use super::model::Model;
use super::origin::Origin;
use super::specs::are_pieces_of;
use super::storage::{Storage, ready};

/// Reads what storage holds of a task.
pub fn stored_task(storage: &Storage, key: &TaskKey) -> Option<Task> {
    let view = storage.store.view();
    let row = |table| ready(view.get(table, &Key::task(key))).expect("the store in memory answers");
    let (record, progress) = (row(Table::Tasks), row(Table::Progress));
    assert_eq!(record.is_some(), progress.is_some(), "{key:?} has a record or a checkpoint, but not both");
    let task = Task { record: record_of(record?)?, progress: record_of(progress?)? };
    Some(task)
}

/// The record of a row; `None` if it was damaged.
fn record_of<T: serde::de::DeserializeOwned>(row: Value<Chunk>) -> Option<T> {
    match row {
        Value::Bytes(bytes) => decode(&bytes),
        Value::Chunk(..) => panic!("a chunk lies where a record should"),
    }
}

/// Checks all rows, and that they are what the model says.
pub fn check_storage(storage: &Storage, model: &Model, origin: &Origin) {
    let records: Vec<Option<TaskRecord>> = rows(storage, Table::Tasks);
    let progress: Vec<Option<Progress>> = rows(storage, Table::Progress);
    assert_eq!(records.len(), progress.len(), "records and checkpoints come in pairs");
    let events: usize = model.outbox.values().map(BTreeMap::len).sum();
    assert_eq!(storage.store.rows(Table::Outbox).len(), events, "the outbox is what was stored less acked");
    assert_eq!(records.len(), model.tasks.len(), "tasks that no commit has made, or that one has deleted");

    let mut bodies = stored_bodies(storage);
    // What a task may own of which something cannot be read. Another may have taken it up since.
    let mut spared = BTreeSet::new();
    for (record, progress) in records.into_iter().zip(progress) {
        let (Some(record), Some(progress)) = (&record, &progress) else {
            // It is going to be mended: until then whatever may be its own stays.
            assert!(model.tasks.values().any(Task::is_damaged), "a record that nothing has damaged cannot be read");
            if let Some(Progress { body, previous, aside, .. }) = progress {
                spared.insert(body);
                spared.extend(previous.as_ref().map(|previous| previous.body));
                spared.extend(aside.as_ref().map(|aside| aside.body));
            }
            continue;
        };
        let key = record.key.clone();
        if record.state == TaskState::Cancelled || record.place == Place::Gone {
            // Its bytes are dead, or belong to whoever holds their resume data.
            assert!(
                record.state == TaskState::Cancelled || progress.received.is_empty(),
                "{key:?} claims what has left"
            );
            continue;
        }
        let body = bodies.remove(&progress.body);
        let body = body.unwrap_or_else(|| panic!("{key:?} has no body of its own"));
        assert!(body.is_live(), "the body of {key:?} is not live: {:?}", body.record);
        let is_adopted = model.adopted.contains(&progress.body);
        // The digest of whoever left the bytes came with them.
        let has_digest = record.spec.proof.is_of_the_app() || (is_adopted && progress.expected.is_some());
        // A record that was lost took its digest with it: its bytes are read by no page, and go to no other task.
        let is_lost = record.spec.sources.is_empty();
        let may_be_mixed = (has_digest || is_lost) && record.state != TaskState::Completed;
        let version = check_chunks(&key, &body.chunks, &progress.received, may_be_mixed);
        if record.state == TaskState::Completed {
            let is_promised = !model.refreshed_in_vain.contains(&progress.body);
            check_complete(&record, &progress, version, (is_promised, is_adopted), origin);
        }
        if let Some(aside) = &progress.aside {
            let old = bodies.remove(&aside.body).unwrap_or_else(|| panic!("what {key:?} set aside is gone"));
            assert!(old.is_live(), "what {key:?} set aside is not live");
            assert!(aside.aside.is_none() && progress.previous.is_none(), "{key:?} keeps more than two versions");
            let is_to_be_checked = record.spec.proof.is_of_the_app() || progress.expected.is_some();
            let is_less = progress.received.len() < aside.received.len();
            let is_on = matches!(record.state, TaskState::Active { .. } | TaskState::Paused);
            // A task whose record was lost keeps what its checkpoint says.
            let is_lost = record.spec.sources.is_empty();
            assert!(is_lost || (is_on && (is_less || is_to_be_checked)), "{key:?} keeps what it has no use for");
            check_chunks(&key, &old.chunks, &aside.received, may_be_mixed);
        }
        if let Some(previous) = &progress.previous {
            let old = bodies.remove(&previous.body).unwrap_or_else(|| panic!("the old file of {key:?} is gone"));
            assert!(old.is_live(), "the old file of {key:?} is not live");
            let mut whole = RangeSet::default();
            whole.insert(0..previous.length);
            check_chunks(&key, &old.chunks, &whole, false);
        }
    }
    for (body, stored) in bodies.into_iter().filter(|(body, _)| !spared.contains(body)) {
        match stored.record {
            Some(BodyRecord::Dead(_)) => {}
            Some(BodyRecord::Live(_)) => {
                let is_lost = model.lost_bodies.contains(&body) || model.damaged_bodies.contains(&body);
                assert!(is_lost, "{body:?} has no owner, and it is not marked dead");
            }
            None => assert!(model.damaged_bodies.contains(&body), "{body:?} cannot be read"),
            Some(BodyRecord::Detached(detached, until)) => {
                let (known, known_until) = model.detached.get(&body).expect("only calls detach bodies");
                assert_eq!((known, *known_until), (&detached, until.0), "a detached body has changed");
                let mut durable = RangeSet::default();
                stored.chunks.iter().for_each(|(offset, _, len)| durable.insert(*offset..offset + len));
                // The sweep goes on chunk by chunk once its time is over.
                let is_whole = durable == detached.received;
                assert!(is_whole || model.is_sweeping(body), "a detached body has lost bytes before its time");
                let versions = stored.chunks.iter().flat_map(|(_, chunk, _)| chunk).map(|piece| piece.version);
                let is_mixed = versions.collect::<BTreeSet<_>>().len() > 1;
                // Whoever takes them up is held to the digest, or must bring digests of its own.
                let is_proven = detached.expected.is_some() || detached.piece_length.is_some();
                assert!(!is_mixed || is_proven, "{body:?} is given away, and mixes versions that nothing tells apart");
            }
        }
    }
}

/// What is about to leave the store is a file that a server really had, and what its digests say.
pub fn check_file(storage: &Storage, model: &Model, origin: &Origin, task: &Task) {
    let (key, progress) = (&task.record.key, &task.progress);
    let mut bodies = stored_bodies(storage);
    let body = bodies.remove(&progress.body).unwrap_or_else(|| panic!("{key:?} leaves, but has no body"));
    let version = check_chunks(key, &body.chunks, &progress.received, false);
    let is_promised = !model.refreshed_in_vain.contains(&progress.body);
    let is_adopted = model.adopted.contains(&progress.body);
    check_complete(&task.record, progress, version, (is_promised, is_adopted), origin);
}

fn rows<T: serde::de::DeserializeOwned>(storage: &Storage, table: Table) -> Vec<Option<T>> {
    storage.store.rows(table).into_iter().map(|(_, row)| record_of(row)).collect()
}

/// A body's rows.
struct StoredBody {
    /// `None` if it cannot be read.
    record: Option<BodyRecord>,
    /// By offset.
    chunks: Vec<(u64, Chunk, u64)>,
}

impl StoredBody {
    fn is_live(&self) -> bool {
        matches!(self.record, Some(BodyRecord::Live(_)) | None)
    }
}

fn stored_bodies(storage: &Storage) -> BTreeMap<BodyId, StoredBody> {
    let mut bodies = BTreeMap::new();
    let mut by_key = BTreeMap::new();
    for (key, row) in storage.store.rows(Table::Bodies) {
        let record: Option<BodyRecord> = record_of(row);
        let body = key.text_at(0).and_then(BodyId::parse).expect("a body's key is its name");
        assert!(record.as_ref().is_none_or(|record| record.body() == body), "a body lies under another's name");
        by_key.insert(key, body);
        bodies.insert(body, StoredBody { record, chunks: Vec::new() });
    }
    for (key, row) in storage.store.rows(Table::Chunks) {
        let body = by_key.get(&Key(key.0[..1].to_vec())).expect("a chunk lies in a body that does not exist");
        let offset = key.last_number().expect("a chunk's key ends with its offset");
        let Value::Chunk(chunk, len) = row else { panic!("a record lies where a chunk should") };
        bodies.get_mut(body).expect("listed above").chunks.push((offset, chunk, len));
    }
    bodies
}

/// The chunks are what the checkpoint claims, byte for byte, and of one version, unless a digest is going to tell.
/// Returns the version.
fn check_chunks(
    key: &TaskKey,
    chunks: &[(u64, Chunk, u64)],
    received: &RangeSet,
    may_be_mixed: bool,
) -> Option<VersionId> {
    let mut durable = RangeSet::default();
    let mut behind_last = 0;
    let mut versions = BTreeSet::new();
    for (offset, chunk, len) in chunks {
        assert!(*offset >= behind_last, "chunks of {key:?} overlap at {offset}");
        behind_last = offset + len;
        durable.insert(*offset..behind_last);
        let mut at = *offset;
        for Piece { version, range } in chunk {
            assert_eq!(range.start, at, "{key:?} has bytes in the wrong place");
            at = range.end;
            versions.insert(*version);
        }
        assert_eq!(at, behind_last, "a chunk of {key:?} has another length than its row says");
    }
    assert_eq!(durable, *received, "what {key:?} claims to have is not what is durable");
    assert!(versions.len() <= 1 || may_be_mixed, "{key:?} mixes versions: {versions:?}");
    versions.first().copied()
}

/// A finished file is exactly one version that a server really had, and what its digests say. Where resume data brought
/// the bytes, it was the app that said that its URL is one of the same file.
fn check_complete(
    record: &TaskRecord,
    progress: &Progress,
    version: Option<VersionId>,
    (is_promised, is_adopted): (bool, bool),
    origin: &Origin,
) {
    let length = progress.received.len();
    let proof = &record.spec.proof;
    let is_right = |served: &super::origin::Version| match version {
        Some(version) => served.id == version && served.length == length,
        None => served.length == 0,
    };
    let of_family = origin.family(record.spec.url()).flat_map(|resource| &resource.versions);
    let of_others = origin.resources.iter().filter(|_| is_adopted).flat_map(|resource| &resource.versions);
    let served = of_family.chain(of_others).find(|served| is_right(served));
    let served = served
        .unwrap_or_else(|| panic!("{:?} is complete with {length} bytes, but no server had such a file", record.key));
    if !is_promised {
        return;
    }
    let is_expected =
        proof.expected.as_ref().is_none_or(|expected| expected.matches(&served.digest(expected.algorithm())));
    assert!(is_expected, "{:?} is complete, but not what its digest says", record.key);
    let has_pieces = proof.pieces.as_ref().is_none_or(|pieces| are_pieces_of(pieces, served));
    assert!(has_pieces, "{:?} is complete, but not what its pieces say", record.key);
}
