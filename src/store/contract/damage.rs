//! Rows that cannot be read: a stand-in takes the place of each, wherever it is met, and nothing else is missing.

use super::{ask, commit, delete_all, new_epoch, reader, session, store_all, task};
use crate::engine::filter::Filter;
use crate::engine::group::{GroupCounts, GroupKey, GroupRecord};
use crate::engine::id::{BodyId, GroupId, SessionId, TaskId, TaskKey};
use crate::engine::input::{CommitOutcome, Loaded};
use crate::engine::output::{Change, Query};
use crate::engine::session::{Configuration, SessionRecord};
use crate::engine::task::{EventKind, Subject, Task, TaskEvent, TaskRecord, TaskState};
use crate::engine::time::Timestamp;
use crate::store::boot::boot;
use crate::store::changes::to_writes;
use crate::store::{Index, Key, KeyRange, Reader, Store, Table, Value, Write};

pub(super) async fn all<S: Store>(store: &S) {
    tasks_are_met_everywhere(store).await;
    sessions_groups_and_events_keep_their_places(store).await;
    bodies_are_told_by_their_owners(store).await;
}

/// Puts what cannot be read in the place of rows, whose keys stay.
async fn damage<S: Store>(store: &S, epoch: u64, changes: &[Change], tables: &[Table]) {
    let spoil = |write| match write {
        Write::Put { table, key, keys, .. } if tables.contains(&table) => {
            Write::Put { table, key, value: Value::Bytes(vec![0xff, 1, 2]), keys }
        }
        other => other,
    };
    let writes = to_writes(changes, |_| None).into_iter().map(spoil).collect();
    assert_eq!(store.commit(epoch, writes).await, CommitOutcome::Committed);
}

fn put(task: &Task) -> [Change; 2] {
    [Change::PutTask(task.record.clone()), Change::PutProgress(task.record.key.clone(), task.progress.clone())]
}

fn key(id: &str) -> TaskKey {
    TaskKey { session: session(), task: TaskId::new(id) }
}

/// By their ids, among the members of a group, among those that are due, and in the middle of a page.
async fn tasks_are_met_everywhere<S: Store>(store: &S) {
    let epoch = new_epoch(store).await;
    let id = session();
    let mut tasks: Vec<Task> = (0..6).map(|n| task(id.as_str(), &i32::to_string(&n), TaskState::READY)).collect();
    for task in &mut tasks {
        task.record.spec.group = Some(GroupId::new("g"));
        // A body without bytes may be a cancelled task's, which is not its own.
        task.progress.received.insert(0..8);
    }
    store_all(store, epoch, &tasks).await;
    damage(store, epoch, &put(&tasks[1]), &[Table::Tasks]).await;
    damage(store, epoch, &put(&tasks[2]), &[Table::Tasks, Table::Progress]).await;
    damage(store, epoch, &put(&tasks[4]), &[Table::Progress]).await;

    let lost = |id: &str| TaskRecord::unreadable(key(id), Some(GroupId::new("g")));
    let mut seen = tasks.clone();
    seen[1].record = lost("1");
    seen[2] = Task::without_progress(lost("2"));
    seen[4] = Task::without_progress(tasks[4].record.clone());
    for (at, task) in seen.iter().enumerate() {
        assert_eq!(ask(store, Query::Task(task.record.key.clone())).await, Loaded::Tasks(vec![task.clone()]));
        assert_eq!(task.is_damaged(), [1, 2, 4].contains(&at));
    }
    for limit in [1, 2, 6, 9] {
        let due = Query::Due { session: id.clone(), now: Timestamp(9), blocked: 0, limit };
        let Loaded::Due { tasks: due, more, .. } = ask(store, due).await else { panic!("due tasks were asked for") };
        let (damaged, whole): (Vec<_>, Vec<_>) = due.into_iter().partition(|task| task.record.is_unnoted());
        let expected: Vec<_> =
            [0, 3, 4, 5].map(|at: usize| seen[at].clone()).into_iter().take(limit as usize).collect();
        assert_eq!(whole, expected, "the first {limit}");
        assert_eq!(more.len(), usize::from(limit < 6), "the first {limit}");
        assert!(limit < 2 || damaged == seen[1..3], "those that are in the way are told, the first {limit}");
    }
    for (group, states) in [(None, 0), (Some(GroupId::new("g")), 0), (Some(GroupId::new("g")), 1)] {
        let filter = Filter { group, states, ..Filter::default() };
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = Query::Select { session: id.clone(), filter: filter.clone(), after, limit: 2 };
            let Loaded::Page(tasks, next) = ask(store, page).await else { panic!("a page was asked for") };
            found.extend(tasks);
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, seen, "{filter:?}");
    }
    delete_all(store, epoch, &tasks).await;
}

/// Whatever a boot reads is there, or something in its place.
async fn sessions_groups_and_events_keep_their_places<S: Store>(store: &S) {
    let epoch = new_epoch(store).await;
    let id = SessionId::new("damaged");
    let configuration = Configuration { version: 7, ..Configuration::default() };
    let record = SessionRecord::new(id.clone(), configuration, true);
    let group = |group: &str| GroupKey { session: id.clone(), group: GroupId::new(group) };
    let open = |of: &str, is_done| {
        Change::PutGroup(GroupRecord { key: group(of), is_sealed: false, is_done, fails_together: true })
    };
    let event = |seq| {
        let subject = Subject::Task(TaskId::new("t"));
        TaskEvent { seq, session: id.clone(), subject, at: Timestamp(seq), kind: EventKind::Cancelled }
    };
    let whole = [open("whole", false), Change::PutEvent(event(1))];
    assert_eq!(commit(store, epoch, &whole).await, CommitOutcome::Committed);
    let lost = [Change::PutSession(record), open("lost", false), open("done", true), Change::PutEvent(event(3))];
    damage(store, epoch, &lost, &[Table::Sessions, Table::Groups, Table::Outbox, Table::History]).await;
    damage(store, epoch, &[Change::PutEvent(event(2))], &[Table::Outbox]).await;

    let snapshot = boot(&reader(store).await).await.expect("the store boots");
    let found = snapshot.sessions.into_iter().find(|session| session.record.id == id).expect("it is there");
    assert_eq!(found.record, SessionRecord::unreadable(id.clone()));
    assert_eq!(found.last_seq, 3);
    let gone = TaskEvent { subject: Subject::Session, at: Timestamp(0), kind: EventKind::Damaged, ..event(3) };
    assert_eq!(found.outbox, [event(1), event(2), gone.clone()]);
    let groups: Vec<_> = found.groups.into_iter().map(|group| (group.key, group.is_sealed)).collect();
    assert_eq!(groups, [(group("lost"), true), (group("whole"), false)]);
    let history = Query::History { session: id.clone(), before: 9, limit: 9 };
    assert_eq!(ask(store, history).await, Loaded::Events(vec![event(1), event(2), gone]));
    for (of, is_done) in [("lost", false), ("done", true)] {
        let found = ask(store, Query::Counts(group(of))).await;
        let row = GroupRecord::unreadable(group(of), is_done);
        assert_eq!(found, Loaded::Counts(Some(row), GroupCounts::default()));
    }
    let events = KeyRange::events(&id, 0, u64::MAX);
    let rows = [
        (Table::Sessions, KeyRange::only(Key::text(id.as_str()))),
        (Table::Groups, KeyRange::tasks_after(&id, None)),
        (Table::Outbox, events.clone()),
        (Table::History, events),
    ];
    let deletes = rows.map(|(table, range)| Write::Delete { table, range });
    assert_eq!(store.commit(epoch, deletes.into()).await, CommitOutcome::Committed);
}

/// What a body's row or a checkpoint cannot tell, all of them together do; as long as one of them cannot be read, nothing is
/// swept for it.
async fn bodies_are_told_by_their_owners<S: Store>(store: &S) {
    let epoch = new_epoch(store).await;
    let body = |nth: u128| BodyId((1 << 100) + nth);
    let mut tasks: Vec<Task> =
        (0..2).map(|n| task(session().as_str(), &i32::to_string(&n), TaskState::READY)).collect();
    (0..).zip(&mut tasks).for_each(|(nth, task)| task.progress.body = body(nth));
    store_all(store, epoch, &tasks).await;
    let bodies = [body(0), body(1), body(2)].map(Change::PutBody);
    assert_eq!(commit(store, epoch, &bodies).await, CommitOutcome::Committed);
    let find = || ask(store, Query::DeadBodies { now: Timestamp(9), chunks: 9 });
    assert_eq!(find().await, Loaded::DeadBodies(Vec::new(), None), "as far as is known all of them live");
    // A checkpoint is lost, and its body with it.
    damage(store, epoch, &put(&tasks[1]), &[Table::Progress]).await;
    assert_eq!(commit(store, epoch, &[Change::KillBody(BodyId::UNKNOWN)]).await, CommitOutcome::Committed);
    let not_yet = Loaded::Orphans { dead: Vec::new(), live: Vec::new(), damaged: vec![key("1")] };
    assert_eq!(find().await, not_yet);
    // Its task is mended, and another body's row is damaged.
    tasks[1].progress.body = body(3);
    store_all(store, epoch, &tasks[1..]).await;
    damage(store, epoch, &[Change::KillBody(body(0))], &[Table::Bodies]).await;
    let Loaded::Orphans { mut dead, live, damaged } = find().await else { panic!("a row could not be read") };
    // Other parts of this suite leave bodies behind that no task has.
    dead.retain(|dead| dead.0 >> 100 == 1);
    assert_eq!((dead, live, damaged), (vec![body(1), body(2)], vec![body(0)], Vec::new()));
    let index_key = reader(store).await.index_key(Table::Bodies, &Key::body(body(0)), Index::Due).await;
    assert_eq!(index_key, Ok(Some(Key::time(Timestamp(0)))));
    let swept: Vec<Change> = [0, 1, 2].map(|nth| Change::DeleteBody(body(nth))).into();
    assert_eq!(commit(store, epoch, &swept).await, CommitOutcome::Committed);
    assert_eq!(commit(store, epoch, &[Change::DeleteBody(BodyId::UNKNOWN)]).await, CommitOutcome::Committed);
    delete_all(store, epoch, &tasks).await;
}
