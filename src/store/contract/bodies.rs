//! Bodies: found once they are dead, taken up while they are detached, swept bunch by bunch.

use super::{MakeChunk, ask, commit, new_epoch, reader};
use crate::engine::RangeSet;
use crate::engine::http::{Representation, Resumability};
use crate::engine::id::{BodyId, EffectId};
use crate::engine::input::{CommitOutcome, DeadBody, Loaded};
use crate::engine::output::{Change, Query};
use crate::engine::resume_data::Detached;
use crate::engine::time::Timestamp;
use crate::store::changes::to_writes;
use crate::store::{Key, KeyRange, Reader, Store, Table};

pub(super) async fn all<S: Store>(store: &S, chunk: MakeChunk<S::Chunk>) {
    dead_bodies_are_found_in_bunches(store, chunk).await;
    detached_bodies_are_found_until_their_time(store, chunk).await;
}

async fn commit_chunks<S: Store>(store: &S, epoch: u64, chunk: MakeChunk<S::Chunk>, changes: &[Change]) {
    assert_eq!(store.commit(epoch, to_writes(changes, |_| Some(chunk(8)))).await, CommitOutcome::Committed);
}

fn append(body: BodyId, offset: u64) -> Change {
    Change::Append { body, offset, len: 8, buffer: EffectId(0) }
}

fn dead(body: BodyId, through: Option<u64>, more: bool) -> Loaded {
    Loaded::DeadBodies(vec![DeadBody { body, through, more }], None)
}

const NONE_DEAD: Loaded = Loaded::DeadBodies(Vec::new(), None);

async fn chunks<S: Store>(store: &S, body: BodyId) -> Vec<Key> {
    let all = KeyRange::chunks(body, 0, u64::MAX);
    reader(store).await.scan_keys(Table::Chunks, &all, 9).await.expect("the store answers")
}

/// Chunks are deleted bunch by bunch, and other bodies' chunks stay.
async fn dead_bodies_are_found_in_bunches<S: Store>(store: &S, chunk: MakeChunk<S::Chunk>) {
    let epoch = new_epoch(store).await;
    let (body, live) = (BodyId(1 << 90), BodyId((1 << 90) + 1));
    let mut changes = vec![Change::PutBody(body), Change::PutBody(live), append(live, 0)];
    changes.extend([0, 8, 16, 24].map(|offset| append(body, offset)));
    commit_chunks(store, epoch, chunk, &changes).await;
    let find = || ask(store, Query::DeadBodies { now: Timestamp(9), chunks: 2 });
    assert_eq!(find().await, NONE_DEAD, "both live");

    let middle = Change::DeleteChunks { body, from: 7, through: 15 };
    assert_eq!(commit(store, epoch, &[middle]).await, CommitOutcome::Committed);
    assert_eq!(chunks(store, body).await, [0, 16, 24].map(|offset| Key::chunk(body, offset)));

    assert_eq!(commit(store, epoch, &[Change::KillBody(body)]).await, CommitOutcome::Committed);
    assert_eq!(find().await, dead(body, Some(16), true));
    let delete = |through| Change::DeleteChunks { body, from: 0, through };
    assert_eq!(commit(store, epoch, &[delete(16)]).await, CommitOutcome::Committed);
    assert_eq!(find().await, dead(body, Some(24), false));
    assert_eq!(commit(store, epoch, &[delete(24), Change::DeleteBody(body)]).await, CommitOutcome::Committed);
    assert_eq!(find().await, NONE_DEAD);
    let small = [2, 3, 4].map(|nth| BodyId((1 << 90) + nth));
    let mut changes: Vec<Change> =
        small.iter().flat_map(|body| [Change::PutBody(*body), Change::KillBody(*body)]).collect();
    changes.push(append(small[0], 0));
    commit_chunks(store, epoch, chunk, &changes).await;
    let first_two = vec![
        DeadBody { body: small[0], through: Some(0), more: false },
        DeadBody { body: small[1], through: None, more: false },
    ];
    assert_eq!(find().await, Loaded::DeadBodies(first_two, None), "as many as may be deleted at a time");
    let swept: Vec<Change> = small.iter().copied().map(Change::DeleteBody).collect();
    assert_eq!(commit(store, epoch, &swept).await, CommitOutcome::Committed);
    let rest = Change::DeleteChunks { body: small[0], from: 0, through: 0 };
    assert_eq!(commit(store, epoch, &[rest]).await, CommitOutcome::Committed);
    assert_eq!(chunks(store, live).await, [Key::chunk(live, 0)]);
}

/// Whoever names a detached body finds what it holds, as long as it is there; when its time has come, it is dead.
async fn detached_bodies_are_found_until_their_time<S: Store>(store: &S, chunk: MakeChunk<S::Chunk>) {
    let epoch = new_epoch(store).await;
    let body = BodyId(1 << 80);
    let mut received = RangeSet::default();
    received.insert(0..16);
    received.insert(40..48);
    let representation = Representation {
        complete_length: Some(100),
        etag: Some("\"1\"".into()),
        resumability: Resumability::Resumable,
        ..Representation::default()
    };
    let detached = Detached { body, representation, received, hash: None, expected: None, piece_length: None };
    let changes = [Change::PutBody(body), append(body, 0), append(body, 8), append(body, 40)];
    commit_chunks(store, epoch, chunk, &changes).await;
    let find = || ask(store, Query::Detached(body));
    let dead_at = |now| ask(store, Query::DeadBodies { now: Timestamp(now), chunks: 9 });
    assert_eq!(find().await, Loaded::Detached(None), "it is a task's");
    assert_eq!(ask(store, Query::Detached(BodyId(1))).await, Loaded::Detached(None), "there is none");

    let detach = |until| Change::DetachBody(detached.clone(), Timestamp(until));
    assert_eq!(commit(store, epoch, &[detach(500)]).await, CommitOutcome::Committed);
    assert_eq!(find().await, Loaded::Detached(Some(detached.clone())));
    assert_eq!(dead_at(499).await, Loaded::DeadBodies(Vec::new(), Some(Timestamp(500))));
    assert_eq!(dead_at(500).await, dead(body, Some(40), false));

    assert_eq!(commit(store, epoch, &[Change::PutBody(body)]).await, CommitOutcome::Committed);
    assert_eq!(find().await, Loaded::Detached(None), "it was taken up");
    assert_eq!(dead_at(500).await, NONE_DEAD);

    let other = BodyId((1 << 80) + 1);
    let kill = [detach(700), Change::PutBody(other), Change::KillBody(other)];
    assert_eq!(commit(store, epoch, &kill).await, CommitOutcome::Committed);
    let first = vec![DeadBody { body: other, through: None, more: false }];
    assert_eq!(dead_at(100).await, Loaded::DeadBodies(first, Some(Timestamp(700))), "what is dead already comes first");
    let damage = [Change::DeleteBody(other), Change::DeleteChunks { body, from: 40, through: 40 }];
    assert_eq!(commit(store, epoch, &damage).await, CommitOutcome::Committed);
    assert_eq!(find().await, Loaded::Detached(None), "a chunk is missing");
    assert_eq!(commit(store, epoch, &[Change::KillBody(body)]).await, CommitOutcome::Committed);
    assert_eq!(find().await, Loaded::Detached(None), "it is dead");
    let rest = [Change::DeleteChunks { body, from: 0, through: 8 }, Change::DeleteBody(body)];
    assert_eq!(commit(store, epoch, &rest).await, CommitOutcome::Committed);
}
