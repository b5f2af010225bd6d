//! What every store must hold. One suite: native tests run it against the store in memory, browser tests against
//! IndexedDB in a service worker. Each function panics with what was broken.
#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "a test suite: panicking is how it reports")]

use std::collections::BTreeSet;

use super::boot::boot;
use super::changes::{HISTORY_LIMIT, to_writes};
use super::queries::load;
use super::{Key, KeyRange, Reader, Store, Table, Value, Write};
use crate::engine::id::{BodyId, EffectId, SessionId, TaskId, TaskKey};
use crate::engine::input::{CommitOutcome, DeadBody, Loaded};
use crate::engine::output::{Change, Query};
use crate::engine::session::{Configuration, SessionRecord};
use crate::engine::task::{EventKind, Progress, Task, TaskEvent, TaskRecord, TaskSpec, TaskState};
use crate::engine::time::Timestamp;

/// Makes a chunk of this many bytes.
pub type MakeChunk<C> = fn(len: usize) -> C;

/// Runs the whole suite on an empty store.
pub async fn all<S: Store>(store: &S, chunk: MakeChunk<S::Chunk>) {
    commits_are_read_back(store, chunk).await;
    old_epochs_are_fenced(store).await;
    due_tasks_come_in_order(store).await;
    events_stay_until_deleted(store).await;
    dead_bodies_are_found_in_bunches(store, chunk).await;
    a_boot_reads_no_finished_tasks(store).await;
}

fn session() -> SessionId {
    SessionId::new("contract")
}

fn task(id: &str, state: TaskState) -> Task {
    let record = TaskRecord {
        key: TaskKey { session: session(), task: TaskId::new(id) },
        spec: TaskSpec {
            url: "https://a.example/f".into(),
            host: "a.example".into(),
            same_origin: false,
            call_token: id.into(),
            description: None,
            metadata: None,
        },
        state,
        created_at: Timestamp(1),
        ended_at: None,
    };
    Task { record, progress: Progress::new(BodyId(7)) }
}

fn put(task: &Task) -> [Change; 2] {
    [Change::PutTask(task.record.clone()), Change::PutProgress(task.record.key.clone(), task.progress.clone())]
}

async fn commit<S: Store>(store: &S, epoch: u64, changes: &[Change]) -> CommitOutcome {
    store.commit(epoch, to_writes(changes, |_| None)).await
}

async fn ask<S: Store>(store: &S, query: Query) -> Loaded {
    load(&reader(store).await, &query).await.expect("the store answers")
}

async fn reader<S: Store>(store: &S) -> S::Reader {
    store.reader().await.expect("the store opens")
}

async fn new_epoch<S: Store>(store: &S) -> u64 {
    store.advance_epoch().await.expect("the epoch advances")
}

/// Records, checkpoints and chunks come back as they were written.
async fn commits_are_read_back<S: Store>(store: &S, chunk: MakeChunk<S::Chunk>) {
    let epoch = new_epoch(store).await;
    let mut stored = task("read back", TaskState::READY);
    stored.progress.received.insert(0..100_000);
    let body = stored.progress.body;
    let record = SessionRecord { id: session(), configuration: Configuration::default() };
    let append = Change::Append { body, offset: 0, len: 100_000, buffer: EffectId(3) };
    let changes: Vec<Change> =
        [Change::PutSession(record.clone()), Change::PutBody(body), append].into_iter().chain(put(&stored)).collect();
    let writes = to_writes(&changes, |buffer| (buffer == EffectId(3)).then(|| chunk(100_000)));
    assert_eq!(store.commit(epoch, writes).await, CommitOutcome::Committed);

    assert_eq!(ask(store, Query::Task(stored.record.key.clone())).await, Loaded::Tasks(vec![stored.clone()]));
    let row = reader(store).await.get(Table::Chunks, &Key::chunk(body, 0)).await.expect("the store answers");
    assert!(matches!(row, Some(Value::Chunk(_, 100_000))), "the chunk is there, with its length");
    let missing = reader(store).await.get(Table::Chunks, &Key::chunk(body, 1)).await.expect("the store answers");
    assert!(missing.is_none());
    let snapshot = boot(&reader(store).await).await.expect("the store boots");
    assert_eq!(snapshot.sessions.first().map(|session| &session.record), Some(&record));

    assert_eq!(commit(store, epoch, &[Change::DeleteTask(stored.record.key.clone())]).await, CommitOutcome::Committed);
    assert_eq!(ask(store, Query::Task(stored.record.key)).await, Loaded::Tasks(vec![]));
}

/// Once a newer epoch exists, an older one writes nothing at all.
async fn old_epochs_are_fenced<S: Store>(store: &S) {
    let old = new_epoch(store).await;
    let new = new_epoch(store).await;
    assert!(new > old, "epochs rise");
    let changes = put(&task("fenced", TaskState::READY));
    assert_eq!(commit(store, old, &changes).await, CommitOutcome::Fenced);
    let key = TaskKey { session: session(), task: TaskId::new("fenced") };
    assert_eq!(ask(store, Query::Task(key.clone())).await, Loaded::Tasks(vec![]), "a fenced commit leaves no row");
    assert_eq!(commit(store, new, &changes).await, CommitOutcome::Committed);
    assert_eq!(commit(store, new, &[Change::DeleteTask(key)]).await, CommitOutcome::Committed);
}

/// The index holds active tasks only, the earliest first, and follows every change.
async fn due_tasks_come_in_order<S: Store>(store: &S) {
    let epoch = new_epoch(store).await;
    let at = |time| TaskState::Active { not_before: Timestamp(time), reason: None };
    let states = [at(30), TaskState::Paused, at(10), TaskState::Completed, at(20)];
    let tasks: Vec<Task> = (0..).map(|n: u32| n.to_string()).zip(states).map(|(id, state)| task(&id, state)).collect();
    let changes: Vec<Change> = tasks.iter().flat_map(put).collect();
    assert_eq!(commit(store, epoch, &changes).await, CommitOutcome::Committed);
    let due = |limit| ask(store, Query::Due { limit });
    assert_eq!(due(10).await, Loaded::Tasks(vec![tasks[2].clone(), tasks[4].clone(), tasks[0].clone()]));
    assert_eq!(due(1).await, Loaded::Tasks(vec![tasks[2].clone()]));

    let ended = task("2", TaskState::Cancelled);
    assert_eq!(commit(store, epoch, &put(&ended)).await, CommitOutcome::Committed);
    assert_eq!(due(10).await, Loaded::Tasks(vec![tasks[4].clone(), tasks[0].clone()]));
    let page = |after: &str, limit| Query::Tasks { session: session(), after: Some(TaskId::new(after)), limit };
    assert_eq!(ask(store, page("1", 2)).await, Loaded::Tasks(vec![ended, tasks[3].clone()]));
    let gone: Vec<Change> = tasks.into_iter().map(|task| Change::DeleteTask(task.record.key)).collect();
    assert_eq!(commit(store, epoch, &gone).await, CommitOutcome::Committed);
    assert_eq!(due(10).await, Loaded::Tasks(vec![]));
}

/// The outbox keeps what is not deleted, the history what is not too old, and the last number is never forgotten.
async fn events_stay_until_deleted<S: Store>(store: &S) {
    let epoch = new_epoch(store).await;
    let key = TaskKey { session: session(), task: TaskId::new("t") };
    let event = |seq| TaskEvent { seq, task: key.clone(), at: Timestamp(seq), kind: EventKind::Cancelled };
    let last = HISTORY_LIMIT + 5;
    let seqs = [1, 2, 3, last - 1, last];
    let changes: Vec<Change> = seqs.iter().map(|seq| Change::PutEvent(session(), event(*seq))).collect();
    assert_eq!(commit(store, epoch, &changes).await, CommitOutcome::Committed);
    let outbox = |after, limit| ask(store, Query::Outbox { session: session(), after, limit });
    assert_eq!(outbox(0, 2).await, Loaded::Events(vec![event(1), event(2)]));
    let delete = Change::DeleteEvents { session: session(), through: 2 };
    assert_eq!(commit(store, epoch, &[delete]).await, CommitOutcome::Committed);
    assert_eq!(outbox(0, 9).await, Loaded::Events(vec![event(3), event(last - 1), event(last)]));
    assert_eq!(outbox(3, 9).await, Loaded::Events(vec![event(last - 1), event(last)]));

    let history = |before, limit| ask(store, Query::History { session: session(), before, limit });
    assert_eq!(history(last + 1, 2).await, Loaded::Events(vec![event(last - 1), event(last)]));
    assert_eq!(history(10, 9).await, Loaded::Events(vec![]), "those are too old");
    let all = Change::DeleteEvents { session: session(), through: last };
    assert_eq!(commit(store, epoch, &[all]).await, CommitOutcome::Committed);
    let snapshot = boot(&reader(store).await).await.expect("the store boots");
    assert_eq!(snapshot.sessions[0].last_seq, last);
    assert_eq!(snapshot.sessions[0].outbox, []);
}

/// A dead body's chunks can be deleted bunch by bunch, and other bodies' chunks stay.
async fn dead_bodies_are_found_in_bunches<S: Store>(store: &S, chunk: MakeChunk<S::Chunk>) {
    let epoch = new_epoch(store).await;
    let (dead, live) = (BodyId(1 << 90), BodyId((1 << 90) + 1));
    let append = |body, offset| Change::Append { body, offset, len: 8, buffer: EffectId(0) };
    let mut changes = vec![Change::PutBody(dead), Change::PutBody(live), append(live, 0)];
    changes.extend([0, 8, 16].map(|offset| append(dead, offset)));
    assert_eq!(store.commit(epoch, to_writes(&changes, |_| Some(chunk(8)))).await, CommitOutcome::Committed);
    let find = || ask(store, Query::DeadBody { chunks: 2 });
    assert_eq!(find().await, Loaded::DeadBody(None), "both live");

    assert_eq!(commit(store, epoch, &[Change::KillBody(dead)]).await, CommitOutcome::Committed);
    let found = |through, more| Loaded::DeadBody(Some(DeadBody { body: dead, through, more }));
    assert_eq!(find().await, found(Some(8), true));
    let delete = Change::DeleteChunks { body: dead, through: 8 };
    assert_eq!(commit(store, epoch, &[delete]).await, CommitOutcome::Committed);
    assert_eq!(find().await, found(Some(16), false));
    let rest = [Change::DeleteChunks { body: dead, through: 16 }, Change::DeleteBody(dead)];
    assert_eq!(commit(store, epoch, &rest).await, CommitOutcome::Committed);
    assert_eq!(find().await, Loaded::DeadBody(None));
    let range = KeyRange::chunks(live, u64::MAX);
    let kept = reader(store).await.scan_keys(Table::Chunks, &range, 9).await.expect("the store answers");
    assert_eq!(kept, [Key::chunk(live, 0)]);
}

/// A boot hands out the same number of rows with ten and with ten thousand finished tasks in the store.
async fn a_boot_reads_no_finished_tasks<S: Store>(store: &S) {
    let epoch = new_epoch(store).await;
    let mut rows = BTreeSet::new();
    let mut stored = 0;
    for wanted in [10, 10_000] {
        let tasks: Vec<Task> = (stored..wanted).map(|n| task(&format!("finished {n}"), TaskState::Completed)).collect();
        for bunch in tasks.chunks(1_000) {
            let changes: Vec<Change> = bunch.iter().flat_map(put).collect();
            assert_eq!(commit(store, epoch, &changes).await, CommitOutcome::Committed);
        }
        stored = wanted;
        let view = reader(store).await;
        let snapshot = boot(&view).await.expect("the store boots");
        assert!(snapshot.due.is_empty());
        assert!(view.rows_read() > 0, "the sessions were read");
        rows.insert(view.rows_read());
    }
    assert_eq!(rows.len(), 1, "rows read by a boot with 10 and with 10,000 finished tasks: {rows:?}");
    let all = Write::Delete { table: Table::Tasks, range: KeyRange::tasks_after(&session(), None) };
    assert_eq!(store.commit(epoch, vec![all]).await, CommitOutcome::Committed);
}
