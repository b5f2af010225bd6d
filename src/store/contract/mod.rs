//! What every store must hold. One suite: native tests run it against the store in memory, browser tests against
//! IndexedDB in a service worker. Each function panics with what was broken.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test suite: panicking is how it reports"
)]

mod bodies;
mod damage;
mod due;
mod groups;
mod select;

use std::collections::BTreeSet;

use super::boot::boot;
use super::changes::{HISTORY_LIMIT, to_writes};
use super::queries::load;
use super::{Key, KeyRange, Reader, Store, Table, Value, Write};
use crate::engine::error::{ErrorCode, TaskError};
use crate::engine::filter::Filter;
use crate::engine::id::{BodyId, EffectId, SessionId, TaskId, TaskKey};
use crate::engine::input::{CommitOutcome, Loaded};
use crate::engine::output::{Change, Query};
use crate::engine::policy::Policy;
use crate::engine::request::{RequestFields, Source};
use crate::engine::session::{Configuration, SessionRecord};
use crate::engine::task::{
    EventKind, Expects, FoundByUrl, Place, Progress, Proof, Subject, Task, TaskEvent, TaskRecord, TaskSpec, TaskState,
};
use crate::engine::time::Timestamp;
use crate::engine::transport::Transport;

/// Makes a chunk of this many bytes.
pub type MakeChunk<C> = fn(len: usize) -> C;

/// Runs the whole suite on an empty store.
pub async fn all<S: Store>(store: &S, chunk: MakeChunk<S::Chunk>) {
    commits_are_read_back(store, chunk).await;
    old_epochs_are_fenced(store).await;
    events_stay_until_deleted(store).await;
    due::all(store).await;
    select::all(store).await;
    groups::all(store).await;
    bodies::all(store, chunk).await;
    damage::all(store).await;
    a_boot_reads_no_finished_tasks(store).await;
}

fn session() -> SessionId {
    SessionId::new("contract")
}

fn key(session: &str, id: &str) -> TaskKey {
    TaskKey { session: SessionId::new(session), task: TaskId::new(id) }
}

fn task(session: &str, id: &str, state: TaskState) -> Task {
    let url = "https://a.example/f";
    let source = Source { url: url.into(), host: "a.example:443".into(), origin: "https://a.example".into() };
    let spec = TaskSpec {
        transport: Transport::Fetch,
        sources: vec![source],
        request: RequestFields::default(),
        policy: Policy::default(),
        proof: Proof::default(),
        expected_bytes: None,
        strong_only: false,
        destination: None,
        fails_when_full: false,
        serves_url: false,
        expects: Expects::default(),
        group: None,
        tag: None,
        call_token: id.into(),
        description: None,
        metadata: None,
    };
    let now = Timestamp(1);
    let ended_at = state.has_ended().then_some(now);
    let record = TaskRecord {
        key: key(session, id),
        spec,
        state,
        since: now,
        created_at: now,
        ended_at,
        place: Place::Store,
        fails_when_full: false,
        used_at: Timestamp(0),
        by_url: FoundByUrl::Never,
        expects: Expects::default(),
    };
    Task { record, progress: Progress::new(BodyId(7)) }
}

/// One state of each rank.
fn states() -> [TaskState; 5] {
    let failed = TaskState::Failed(TaskError::new(ErrorCode::Network));
    [TaskState::READY, TaskState::Paused, TaskState::Completed, failed, TaskState::Cancelled]
}

fn put(task: &Task) -> [Change; 2] {
    [Change::PutTask(task.record.clone()), Change::PutProgress(task.record.key.clone(), task.progress.clone())]
}

async fn commit<S: Store>(store: &S, epoch: u64, changes: &[Change]) -> CommitOutcome {
    store.commit(epoch, to_writes(changes, |_| None)).await
}

/// Commits, and expects that to work.
async fn store_all<S: Store>(store: &S, epoch: u64, tasks: &[Task]) {
    for bunch in tasks.chunks(1_000) {
        let changes: Vec<Change> = bunch.iter().flat_map(put).collect();
        assert_eq!(commit(store, epoch, &changes).await, CommitOutcome::Committed);
    }
}

async fn delete_all<S: Store>(store: &S, epoch: u64, tasks: &[Task]) {
    let changes: Vec<Change> = tasks.iter().map(|task| Change::DeleteTask(task.record.key.clone())).collect();
    assert_eq!(commit(store, epoch, &changes).await, CommitOutcome::Committed);
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
    let mut stored = task("contract", "read back", TaskState::READY);
    stored.progress.received.insert(0..100_000);
    let body = stored.progress.body;
    let record = SessionRecord::new(session(), Configuration::default(), false);
    let append = Change::Append { body, offset: 0, len: 100_000, buffer: EffectId(3) };
    let changes: Vec<Change> =
        [Change::PutSession(record.clone()), Change::PutBody(body), append].into_iter().chain(put(&stored)).collect();
    let writes = to_writes(&changes, |buffer| (buffer == EffectId(3)).then(|| chunk(100_000)));
    assert_eq!(store.commit(epoch, writes).await, CommitOutcome::Committed);

    assert_eq!(ask(store, Query::Task(stored.record.key.clone())).await, Loaded::Tasks(vec![stored.clone()]));
    let some = vec![key("contract", "missing"), stored.record.key.clone(), key("other", "read back")];
    assert_eq!(ask(store, Query::TasksByKey(some)).await, Loaded::Tasks(vec![stored.clone()]));
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
    let changes = put(&task("contract", "fenced", TaskState::READY));
    assert_eq!(commit(store, old, &changes).await, CommitOutcome::Fenced);
    let key = key("contract", "fenced");
    assert_eq!(ask(store, Query::Task(key.clone())).await, Loaded::Tasks(vec![]), "a fenced commit leaves no row");
    assert_eq!(commit(store, new, &changes).await, CommitOutcome::Committed);
    assert_eq!(commit(store, new, &[Change::DeleteTask(key)]).await, CommitOutcome::Committed);
}

/// The outbox keeps what is not deleted, the history what is not too old, and the last number is never forgotten.
async fn events_stay_until_deleted<S: Store>(store: &S) {
    let epoch = new_epoch(store).await;
    let event = |seq| TaskEvent {
        seq,
        session: session(),
        subject: Subject::Task(TaskId::new("t")),
        at: Timestamp(seq),
        kind: EventKind::Cancelled,
    };
    let last = HISTORY_LIMIT + 5;
    let seqs = [1, 2, 3, last - 1, last];
    let changes: Vec<Change> = seqs.iter().map(|seq| Change::PutEvent(event(*seq))).collect();
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

/// A boot hands out the same number of rows with ten and with ten thousand finished tasks in the store. Nor does a
/// page that holds none of them read them all.
async fn a_boot_reads_no_finished_tasks<S: Store>(store: &S) {
    let epoch = new_epoch(store).await;
    let waiting = task("contract", "waiting", TaskState::READY);
    store_all(store, epoch, std::slice::from_ref(&waiting)).await;
    let finished = [TaskState::Completed, TaskState::Cancelled];
    let mut rows = BTreeSet::new();
    let mut stored = 0;
    for wanted in [10, 10_000] {
        let tasks = (stored..wanted).map(|n| task("contract", &format!("finished {n}"), finished[n % 2].clone()));
        store_all(store, epoch, &tasks.collect::<Vec<_>>()).await;
        stored = wanted;
        let view = reader(store).await;
        let snapshot = boot(&view).await.expect("the store boots");
        let due = Loaded::Due { tasks: vec![waiting.clone()], more: vec![], next_at: None };
        assert_eq!(snapshot.sessions.into_iter().map(|session| session.due).collect::<Vec<_>>(), [due]);
        assert!(view.rows_read() > 0, "the session was read");
        rows.insert(view.rows_read());
    }
    assert_eq!(rows.len(), 1, "rows read by a boot with 10 and with 10,000 finished tasks: {rows:?}");

    let filter = Filter { states: 1, ..Filter::default() };
    let view = reader(store).await;
    let page = Query::Select { session: session(), filter, after: None, limit: 1 };
    let Loaded::Page(tasks, Some(_)) = load(&view, &page).await.expect("the store answers") else {
        panic!("a page that looked at too many rows to find all says where to go on")
    };
    assert!(tasks.is_empty() && view.rows_read() <= 2_048, "{} rows for an empty page", view.rows_read());
    let all = Write::Delete { table: Table::Tasks, range: KeyRange::tasks_after(&session(), None) };
    assert_eq!(store.commit(epoch, vec![all]).await, CommitOutcome::Committed);
}
