//! Due tasks: the index follows every change, and every lane gets its due.

use super::{ask, delete_all, new_epoch, reader, store_all, task};
use crate::engine::id::SessionId;
use crate::engine::input::Loaded;
use crate::engine::output::Query;
use crate::engine::policy::Priority;
use crate::engine::schedule::Lane;
use crate::engine::task::{Task, TaskState};
use crate::engine::time::Timestamp;
use crate::store::queries::load;
use crate::store::{Reader, Store};

pub(super) async fn all<S: Store>(store: &S) {
    the_index_follows_every_change(store).await;
    every_lane_gets_its_due(store).await;
    few_tasks_cost_one_scan(store).await;
}

fn at(time: u64) -> TaskState {
    TaskState::Active { not_before: Timestamp(time), reason: None }
}

fn due(now: u64, blocked: u8, limit: u32) -> Query {
    Query::Due { session: SessionId::new("due"), now: Timestamp(now), blocked, limit }
}

fn found(tasks: &[&Task]) -> Loaded {
    Loaded::Due { tasks: tasks.iter().map(|task| (*task).clone()).collect(), more: vec![], next_at: None }
}

/// It holds a session's active tasks only: of a lane the earliest first, of two at the same time that with the lesser
/// id.
async fn the_index_follows_every_change<S: Store>(store: &S) {
    let epoch = new_epoch(store).await;
    let states = [at(30), TaskState::Paused, at(10), TaskState::Completed, at(20), TaskState::Cancelled, at(20)];
    let mut tasks: Vec<Task> = (0..).zip(states).map(|(n, state)| task("due", &i32::to_string(&n), state)).collect();
    let elsewhere = task("due elsewhere", "0", at(0));
    store_all(store, epoch, &tasks).await;
    store_all(store, epoch, std::slice::from_ref(&elsewhere)).await;
    assert_eq!(ask(store, due(0, 0, 9)).await, found(&[&tasks[2], &tasks[4], &tasks[6], &tasks[0]]));

    tasks[2].record.enter(TaskState::Cancelled, Timestamp(40));
    tasks[0].record.spec.policy.priority = Priority::High;
    tasks[1].record.enter(at(5), Timestamp(40));
    store_all(store, epoch, &tasks).await;
    assert_eq!(ask(store, due(0, 0, 9)).await, found(&[&tasks[0], &tasks[1], &tasks[4], &tasks[6]]));

    delete_all(store, epoch, &tasks).await;
    assert_eq!(ask(store, due(0, 0, 9)).await, found(&[]));
    delete_all(store, epoch, &[elsewhere]).await;
}

/// What the answer must be, in the plainest words.
fn expected(tasks: &[Task], now: Timestamp, blocked: u8, limit: usize) -> Loaded {
    let (mut taken, mut more, mut next_at) = (Vec::new(), Vec::new(), None);
    for lane in Lane::all() {
        let mut here: Vec<&Task> = tasks.iter().filter(|task| task.record.lane() == lane).collect();
        here.sort_by_key(|task| (task.record.place_in_lane(), &task.record.key));
        if blocked & (1 << lane.needs.rank()) != 0 {
            if !lane.is_discretionary() {
                continue;
            }
            let later = here.iter().filter_map(|task| task.record.place_in_lane()).filter(|place| *place > now);
            next_at = later.chain(next_at).min();
            here.retain(|task| task.record.place_in_lane() <= Some(now));
        }
        here.truncate(limit);
        if here.len() == limit {
            more.push(lane);
        }
        taken.extend(here.into_iter().cloned());
    }
    Loaded::Due { tasks: taken, more, next_at }
}

/// However tasks are spread over lanes, whichever lanes are blocked, and whatever fits into one answer.
async fn every_lane_gets_its_due<S: Store>(store: &S) {
    let epoch = new_epoch(store).await;
    let mut tasks = Vec::new();
    for n in 0..90_u64 {
        let mut task = task("due", &n.to_string(), at(n * 37 % 89));
        let policy = &mut task.record.spec.policy;
        policy.priority = [Priority::High, Priority::Normal, Priority::Normal, Priority::Low][(n % 4) as usize];
        policy.metered = n % 3 > 0;
        policy.unknown_network = n % 5 > 0;
        policy.discretionary_until = (n % 7 > 3).then_some(Timestamp(1_000 + n * 53 % 97));
        tasks.push(task);
    }
    store_all(store, epoch, &tasks).await;
    for now in [0, 1_048, 2_000] {
        for blocked in [0, 0xff, 0xf0, 0b0101_1010] {
            for limit in [1, 3, 90, 91] {
                let expected = expected(&tasks, Timestamp(now), blocked, limit as usize);
                let found = ask(store, due(now, blocked, limit)).await;
                assert_eq!(found, expected, "at {now}, with {blocked:#b} blocked, {limit} of each lane");
            }
        }
    }
    delete_all(store, epoch, &tasks).await;
}

/// All lanes together are one answer while there are few tasks; and blocked tasks are not loaded with their progress.
async fn few_tasks_cost_one_scan<S: Store>(store: &S) {
    let epoch = new_epoch(store).await;
    let tasks: Vec<Task> = (0..8).map(|n| task("due", &i32::to_string(&n), at(0))).collect();
    store_all(store, epoch, &tasks).await;
    let view = reader(store).await;
    load(&view, &due(0, 0, 9)).await.expect("the store answers");
    assert_eq!(view.rows_read(), 16, "each row once");
    let view = reader(store).await;
    assert_eq!(load(&view, &due(0, 0xff, 4)).await, Ok(found(&[])));
    assert_eq!(view.rows_read(), 4, "no more than one answer of a blocked lane");
    delete_all(store, epoch, &tasks).await;
}
