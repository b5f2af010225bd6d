//! Groups: told by their members' rows, and open until their event is made.

use super::{ask, commit, delete_all, new_epoch, reader, session, states, store_all, task};
use crate::engine::group::{GroupCounts, GroupKey, GroupRecord};
use crate::engine::id::{GroupId, SessionId};
use crate::engine::input::{CommitOutcome, Loaded};
use crate::engine::output::{Change, Query};
use crate::engine::task::TaskState;
use crate::engine::time::Timestamp;
use crate::store::boot::boot;
use crate::store::queries::load;
use crate::store::{Reader, Store};

pub(super) async fn all<S: Store>(store: &S) {
    members_are_counted(store).await;
    a_boot_finds_the_open_groups(store).await;
}

fn group(session: &str, group: &str) -> GroupKey {
    GroupKey { session: SessionId::new(session), group: GroupId::new(group) }
}

/// By state, and anew with every change.
async fn members_are_counted<S: Store>(store: &S) {
    let epoch = new_epoch(store).await;
    let member = |session: &str, id: &str, of: &str, state: TaskState| {
        let mut task = task(session, id, state);
        task.record.spec.group = Some(GroupId::new(of));
        task
    };
    let mut tasks = vec![
        member("groups", "elsewhere", "h", TaskState::READY),
        member("more groups", "elsewhere", "g", TaskState::READY),
        task("groups", "in none", TaskState::READY),
    ];
    for (rank, state) in states().into_iter().enumerate() {
        tasks.extend((0..=rank).map(|n| member("groups", &format!("{rank}-{n}"), "g", state.clone())));
    }
    store_all(store, epoch, &tasks).await;
    let counts = || ask(store, Query::Counts(group("groups", "g")));
    let all = GroupCounts { active: 1, paused: 2, completed: 3, failed: 4, cancelled: 5 };
    assert_eq!(counts().await, Loaded::Counts(None, all));
    let view = reader(store).await;
    load(&view, &Query::Counts(group("groups", "g"))).await.expect("the store answers");
    assert_eq!(view.rows_read(), 0, "counting reads no rows but the group's own, which there is none of");

    tasks[3].record.enter(TaskState::Completed, Timestamp(9));
    store_all(store, epoch, &tasks[3..4]).await;
    delete_all(store, epoch, &tasks[4..5]).await;
    let changed = GroupCounts { active: 0, paused: 1, completed: 4, ..all };
    assert_eq!(counts().await, Loaded::Counts(None, changed));
    delete_all(store, epoch, &tasks).await;
    assert_eq!(counts().await, Loaded::Counts(None, GroupCounts::default()));
}

async fn a_boot_finds_the_open_groups<S: Store>(store: &S) {
    let epoch = new_epoch(store).await;
    let record = |key, is_done| GroupRecord { key, is_sealed: true, is_done, fails_together: false };
    let own = |id, is_done| record(group(session().as_str(), id), is_done);
    let records = [own("1", false), own("2", true), own("3", false), record(group("groups", "1"), false)];
    let changes: Vec<Change> = records.iter().cloned().map(Change::PutGroup).collect();
    assert_eq!(commit(store, epoch, &changes).await, CommitOutcome::Committed);
    let open = || async {
        let snapshot = boot(&reader(store).await).await.expect("the store boots");
        let sessions = snapshot.sessions.into_iter().filter(|stored| stored.record.id == session());
        sessions.flat_map(|stored| stored.groups).collect::<Vec<_>>()
    };
    assert_eq!(open().await, [records[0].clone(), records[2].clone()]);
    let done = [own("1", true), own("3", true)].map(Change::PutGroup);
    assert_eq!(commit(store, epoch, &done).await, CommitOutcome::Committed);
    assert_eq!(open().await, []);
}
