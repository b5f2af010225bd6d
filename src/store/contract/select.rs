//! Filters, pages, and what may be forgotten.

use super::{ask, delete_all, new_epoch, reader, states, store_all, task};
use crate::engine::filter::Filter;
use crate::engine::id::{GroupId, SessionId, TaskId};
use crate::engine::input::Loaded;
use crate::engine::output::Query;
use crate::engine::task::{Task, TaskState};
use crate::engine::time::Timestamp;
use crate::store::key::text_order;
use crate::store::queries::load;
use crate::store::{Reader, Store};

pub(super) async fn all<S: Store>(store: &S) {
    pages_together_hold_what_the_filter_means(store).await;
    a_state_with_many_members_does_not_hide_one_with_few(store).await;
    members_are_changed_page_by_page(store).await;
    the_oldest_ended_are_found(store).await;
}

fn select(filter: &Filter, after: Option<&TaskId>, limit: u32) -> Query {
    Query::Select { session: SessionId::new("select"), filter: filter.clone(), after: after.cloned(), limit }
}

/// For every filter and every length of a page: no task is left out, none comes twice, and all come in order.
async fn pages_together_hold_what_the_filter_means<S: Store>(store: &S) {
    let epoch = new_epoch(store).await;
    // Ids whose order in UTF-16 is not that of their code points are among them.
    let marks = ["", "a", "\u{e000}", "\u{10000}", "\u{ffff}"];
    let mut tasks = Vec::new();
    for n in 0..60 {
        let mut task = task("select", &format!("{}{n}", marks[n % 5]), states()[n / 3 % 5].clone());
        task.record.spec.group = (n % 4 > 0).then(|| GroupId::new(if n % 4 == 1 { "few" } else { "many" }));
        task.record.spec.tag = (n % 3 > 0).then(|| "tagged".into());
        tasks.push(task);
    }
    store_all(store, epoch, &tasks).await;
    let mut elsewhere = task("select elsewhere", "a", TaskState::READY);
    elsewhere.record.spec.group = Some(GroupId::new("many"));
    store_all(store, epoch, std::slice::from_ref(&elsewhere)).await;
    tasks.sort_by(|one, other| text_order(one.record.key.task.as_str(), other.record.key.task.as_str()));
    for group in [None, Some("few"), Some("many"), Some("missing")] {
        for tag in [None, Some("tagged")] {
            for states in [0, 1, 0b0_1010, 0b1_1111, 1 << 7] {
                let filter =
                    Filter { group: group.map(GroupId::new), tag: tag.map(str::to_owned), states, unused_since: None };
                let meant: Vec<Task> = tasks.iter().filter(|task| filter.matches(&task.record)).cloned().collect();
                for limit in [1, 7, 60] {
                    assert_eq!(pages(store, &filter, limit).await, meant, "{filter:?} in pages of {limit}");
                }
            }
        }
    }
    delete_all(store, epoch, &tasks).await;
    delete_all(store, epoch, &[elsewhere]).await;
}

/// Members in several states are read state by state, some at a time; a page goes only as far as all states were read.
async fn a_state_with_many_members_does_not_hide_one_with_few<S: Store>(store: &S) {
    let epoch = new_epoch(store).await;
    let mut tasks: Vec<Task> = (1_000..1_600)
        .map(|n| task("select", &i32::to_string(&n), states()[usize::from(n % 6 == 0)].clone()))
        .collect();
    for task in &mut tasks {
        task.record.spec.group = Some(GroupId::new("uneven"));
        task.record.spec.tag = Some("tagged".into());
    }
    store_all(store, epoch, &tasks).await;
    let group = Some(GroupId::new("uneven"));
    let filter = Filter { group, tag: Some("tagged".into()), ..Filter::default() };
    assert_eq!(pages(store, &filter, 590).await, tasks);
    delete_all(store, epoch, &tasks).await;
}

async fn pages<S: Store>(store: &S, filter: &Filter, limit: u32) -> Vec<Task> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let Loaded::Page(tasks, next) = ask(store, select(filter, after.as_ref(), limit)).await else {
            panic!("a page was asked for")
        };
        assert!(tasks.len() <= limit as usize && all.len() < 1_000, "pages of {limit} end");
        all.extend(tasks);
        let Some(next) = next else { return all };
        after = Some(next);
    }
}

/// Cancelling a group's members reads each of them once, whether the next page is asked for behind the last one or
/// from the beginning, where those that are cancelled lie no more.
async fn members_are_changed_page_by_page<S: Store>(store: &S) {
    let epoch = new_epoch(store).await;
    let filter = Filter { group: Some(GroupId::new("big")), ..Filter::default() }.within(0b11);
    for from_the_beginning in [true, false] {
        let mut tasks: Vec<Task> =
            (0..300).map(|n| task("select", &i32::to_string(&n), states()[n as usize % 2].clone())).collect();
        tasks.iter_mut().for_each(|task| task.record.spec.group = Some(GroupId::new("big")));
        store_all(store, epoch, &tasks).await;
        let (mut after, mut cancelled) = (None, 0);
        loop {
            let view = reader(store).await;
            let Ok(Loaded::Page(mut page, next)) = load(&view, &select(&filter, after.as_ref(), 50)).await else {
                panic!("a page was asked for")
            };
            // A page of either state, and the progress of those that are taken.
            assert!(view.rows_read() <= 150, "{} rows for a page of 50", view.rows_read());
            cancelled += page.len();
            page.iter_mut().for_each(|task| task.record.enter(TaskState::Cancelled, Timestamp(9)));
            store_all(store, epoch, &page).await;
            let Some(next) = next else { break };
            after = Some(next).filter(|_| !from_the_beginning);
        }
        assert_eq!(cancelled, 300);
        delete_all(store, epoch, &tasks).await;
    }
}

/// Tasks that failed or were cancelled, the oldest first, as far as they are more than may stay. Completed tasks stay,
/// and members of groups.
async fn the_oldest_ended_are_found<S: Store>(store: &S) {
    let epoch = new_epoch(store).await;
    let ended = |keep, limit| Query::Ended { session: SessionId::new("select"), keep, limit };
    let times = [(2, 50), (3, 40), (4, 30), (3, 20), (0, 0), (1, 10), (4, 10)];
    let mut tasks: Vec<Task> = Vec::new();
    for (n, (rank, time)) in (0..).zip(times) {
        let mut task = task("select", &i32::to_string(&n), TaskState::READY);
        task.record.enter(states()[rank].clone(), Timestamp(time));
        tasks.push(task);
    }
    tasks[6].record.spec.group = Some(GroupId::new("g"));
    store_all(store, epoch, &tasks).await;
    let found = |places: &[usize]| Loaded::Tasks(places.iter().map(|place| tasks[*place].clone()).collect());
    assert_eq!(ask(store, ended(0, 9)).await, found(&[3, 2, 1]));
    assert_eq!(ask(store, ended(1, 9)).await, found(&[3, 2]));
    assert_eq!(ask(store, ended(0, 1)).await, found(&[3]));
    assert_eq!(ask(store, ended(3, 9)).await, found(&[]));
    delete_all(store, epoch, &tasks).await;
    assert_eq!(ask(store, ended(0, 9)).await, found(&[]));
}
