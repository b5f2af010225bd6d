//! What is fetched while there is no room for it: next to nothing, whatever the browser says of the room.

use longhaul::engine::group::GroupKey;
use longhaul::engine::id::{GroupId, SessionId, TaskId};
use longhaul::engine::input::{Call, IfExists, Input, TaskCall};
use longhaul::engine::output::Outcome;
use longhaul::engine::task::{TaskSpec, TaskState, WaitReason};

use super::world::{File, Reply, World, at_home, key};

const LEN: usize = 4_000_000;
const MINUTE_MS: u64 = 60_000;

/// A server that tells no length, and cannot go on.
fn endless(file: File) -> World {
    let mut world = World::new(move |request, _| {
        let whole = longhaul::engine::output::FetchRequest { range: None, if_range: None, ..request.clone() };
        let reply: Reply = file.answer(&whole);
        reply.with(|head| head.content_length = None)
    });
    world.read_bytes = 100_000;
    world
}

/// A server that goes on where it is asked to.
fn honest(file: File) -> World {
    let mut world = World::new(move |request, _| file.answer(request));
    world.read_bytes = 100_000;
    world
}

#[test]
fn a_file_of_unknown_length_that_does_not_fit_is_not_fetched_again_and_again() {
    let mut world = endless(File::new(0, LEN));
    world.capacity = Some(LEN as u64 / 2);
    world.download(at_home()).expect("accepted");
    world.wait(6 * 60 * MINUTE_MS);
    assert!(world.bytes_sent <= LEN as u64, "{} bytes of a file of {LEN}", world.bytes_sent);
    let task = world.task().expect("it is there");
    assert!(matches!(task.record.state, TaskState::Active { reason: Some(WaitReason::Quota), .. }));
    world.capacity = None;
    assert_eq!(world.play(6 * 60 * MINUTE_MS).record.state, TaskState::Completed, "it finds the room by itself");
}

#[test]
fn an_optimistic_estimate_is_believed_once() {
    let mut world = honest(File::new(0, LEN));
    (world.capacity, world.free_bytes) = (Some(LEN as u64 / 2), Some(10 * LEN as u64));
    world.download(at_home()).expect("accepted");
    world.wait(6 * 60 * MINUTE_MS);
    assert!(world.bytes_sent <= LEN as u64, "{} bytes of a file of {LEN}", world.bytes_sent);
    world.kick();
    world.kick();
    world.wait(1_000);
    assert!(world.bytes_sent <= LEN as u64, "a page that is looked at makes no room");
}

/// The world after a file was released, whose room the browser does not give back yet: a task waits for it.
fn released() -> World {
    let mut world = honest(File::new(0, LEN));
    world.capacity = Some(3 * LEN as u64 / 2);
    let (old, secrets) = (key("old"), Vec::new());
    let download = Call::Download { key: old.clone(), spec: at_home(), secrets, if_exists: IfExists::Keep };
    world.call(download).expect("accepted");
    world.until(|world| world.stored("old").is_some_and(|task| task.record.state == TaskState::Completed));
    world.download(at_home()).expect("accepted");
    world.wait(60 * MINUTE_MS);
    world.capacity = Some(LEN as u64 / 2);
    world.call(Call::Task(old, TaskCall::Release)).expect("released");
    world
}

#[test]
fn the_worker_is_held_until_room_that_the_browser_gives_back_late_is_found() {
    let mut world = released();
    for _ in 0..7 {
        world.wait(MINUTE_MS / 12);
        assert!(world.is_working, "the browser would end the worker before the next trial");
    }
    world.capacity = Some(3 * LEN as u64 / 2);
    assert_eq!(world.play(3 * MINUTE_MS / 4).record.state, TaskState::Completed);
}

#[test]
fn room_that_is_not_given_back_holds_the_worker_for_little_more_than_a_minute() {
    let mut world = released();
    world.wait(2 * MINUTE_MS);
    assert!(!world.is_working);
}

#[test]
fn a_kill_does_not_make_room() {
    let mut world = endless(File::new(0, LEN));
    world.capacity = Some(LEN as u64 / 2);
    world.download(at_home()).expect("accepted");
    for _ in 0..20 {
        world.wait(2 * MINUTE_MS);
        world.kill();
        world.kick();
    }
    assert!(world.bytes_sent <= LEN as u64, "{} bytes of a file of {LEN}", world.bytes_sent);
}

#[test]
fn a_task_that_would_rather_know_fails_at_the_first_refusal() {
    let mut world = honest(File::new(0, LEN));
    world.capacity = Some(LEN as u64 / 2);
    world.download(TaskSpec { fails_when_full: true, ..at_home() }).expect("accepted");
    let task = world.play(60 * MINUTE_MS);
    assert_eq!(super::world::failure(&task), longhaul::engine::error::ErrorCode::QuotaExceeded);
    assert!(world.bytes_sent <= LEN as u64, "{} bytes of a file of {LEN}", world.bytes_sent);
    world.capacity = None;
    world.task_call(TaskCall::Resume).expect("resumed");
    assert_eq!(world.play(MINUTE_MS).record.state, TaskState::Completed);
}

#[test]
fn a_long_queue_that_waits_for_room_does_not_hold_the_worker() {
    let mut world = honest(File::new(0, LEN));
    world.capacity = Some(LEN as u64 / 2);
    let group = GroupKey { session: SessionId::new("s"), group: GroupId::new("g") };
    let members = (0..100).map(|number| (TaskId::new(&format!("{number}")), at_home())).collect();
    world.call(Call::DownloadAll { group, fails_together: false, members, is_last: false }).expect("accepted");
    world.wait(MINUTE_MS / 2);
    world.kill();
    for _ in 0..5 {
        world.wait(10 * MINUTE_MS);
        assert!(!world.is_working, "it is held for tasks that are not even loaded");
    }
}

#[test]
fn a_trial_that_is_due_as_the_event_ends_is_work_for_the_next_one() {
    let mut world = honest(File::new(0, LEN));
    world.capacity = Some(LEN as u64 / 2);
    world.download(at_home()).expect("accepted");
    world.wait(MINUTE_MS / 2);
    assert!(!world.is_working, "it waits for room");
    let trials = world.trials;
    // Of an event's last second something else takes a part, and the worker's time has come meanwhile.
    world.stall_storage();
    world.ask(Call::Task(key("other"), TaskCall::Release));
    world.sync(1, 900);
    world.give(Input::Timeout);
    world.let_storage_move_on();
    world.drain_all();
    assert_eq!((world.trials, world.is_working), (trials, true), "nothing is begun, but there is something to do");
    world.until(|world| !world.settled.is_empty());
    assert_eq!(world.settled, [(1, Outcome::Again)]);
    world.capacity = None;
    world.sync(2, MINUTE_MS);
    assert_eq!(world.play(MINUTE_MS).record.state, TaskState::Completed);
}
