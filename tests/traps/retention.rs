//! How long finished files are kept: until they are taken, unless the session says for how long.

use longhaul::engine::id::SessionId;
use longhaul::engine::input::{Call, StoreFailure, TaskCall};
use longhaul::engine::session::LimitsPatch;
use longhaul::engine::task::{Place, TaskState};

use super::world::{File, World, at_home};

const LEN: usize = 100_000;
const HOUR_MS: u64 = 60 * 60_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// A finished file in a session that keeps files for so long.
fn kept_for(days: u64, keep_from_last_use: bool) -> World {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, _| file.answer(request));
    let (keep_ms, keep_from_last_use) = (Some(days * DAY_MS), Some(keep_from_last_use));
    let patch = LimitsPatch { keep_ms, keep_from_last_use, ..LimitsPatch::default() };
    world.call(Call::UpdateSession(SessionId::new("s"), patch)).expect("changed");
    world.download(at_home()).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    world
}

/// So many hours pass, in each of which the worker is started once.
fn pass(world: &mut World, hours: u64) {
    for _ in 0..hours {
        world.wait(HOUR_MS);
        world.kill();
        world.kick();
        world.wait(1_000);
    }
}

fn place(world: &World) -> Place {
    world.task().expect("the task stays").record.place
}

#[test]
fn a_file_goes_when_its_time_is_over_and_its_task_stays() {
    let mut world = kept_for(3, false);
    pass(&mut world, 3 * 24 - 1);
    assert_eq!(place(&world), Place::Store);
    world.task_call(TaskCall::Chunk { offset: 0, body: None, waits: false }).expect("it can be read");
    pass(&mut world, 49);
    assert_eq!(place(&world), Place::Gone);
    assert_eq!(world.task().expect("it stays").record.state, TaskState::Completed);
    assert_eq!(world.bodies(), 0);
}

#[test]
fn a_change_that_may_be_stored_has_not_failed_because_storing_it_once_more_has() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, _| file.answer(request));
    world.unknown_commits = 1;
    let patch = LimitsPatch { keep_ms: Some(3 * DAY_MS), ..LimitsPatch::default() };
    let asked = world.ask(Call::UpdateSession(SessionId::new("s"), patch));
    world.drain_all();
    world.refused = Some(StoreFailure::Other);
    world.wait(10_000);
    assert!(!world.replies.contains_key(&asked), "{:?}, and it is stored", world.replies[&asked]);
    world.refused = None;
    world.wait(10_000);
    assert!(matches!(world.replies.get(&asked), Some(Ok(_))), "{:?}", world.replies.get(&asked));
    world.download(at_home()).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    // Files go with the second look after they were finished.
    for _ in 0..2 {
        world.wait(4 * DAY_MS);
        world.kick();
        world.wait(1_000);
    }
    assert_eq!(place(&world), Place::Gone, "the worker that was told so acts by it");
}

#[test]
fn a_file_that_is_read_is_kept() {
    let mut world = kept_for(3, true);
    for _ in 0..5 {
        pass(&mut world, 48);
        world.task_call(TaskCall::Serve { range: None, if_range: None }).expect("it can be read");
    }
    pass(&mut world, 48);
    assert_eq!(place(&world), Place::Store);
    pass(&mut world, 73);
    assert_eq!(place(&world), Place::Gone);
}

#[test]
fn without_a_word_files_are_kept_until_they_are_taken() {
    let mut world = kept_for(0, false);
    pass(&mut world, 24 * 30);
    assert_eq!(place(&world), Place::Store);
}

#[test]
fn it_is_looked_once_a_day_and_not_at_every_boot() {
    let mut world = kept_for(3, false);
    pass(&mut world, 1);
    let before = world.page_loads;
    pass(&mut world, 48);
    assert!((2..=3).contains(&(world.page_loads - before)), "{} looks in two days", world.page_loads - before);
}

#[test]
fn next_years_date_deletes_nothing_and_leaves_nothing_behind() {
    let mut world = kept_for(3, true);
    pass(&mut world, 48);
    // For some hours the clock shows next year.
    let right = world.now;
    world.now += 365 * DAY_MS;
    world.kill();
    pass(&mut world, 5);
    assert_eq!(place(&world), Place::Store, "one look is none");
    world.now = right + 5 * HOUR_MS;
    world.kill();
    pass(&mut world, 12);
    assert_eq!(place(&world), Place::Store);
    pass(&mut world, 40);
    assert_eq!(place(&world), Place::Gone, "its time is over by the right clock");
}

#[test]
fn a_file_whose_app_is_opened_once_a_month_goes_too() {
    let mut world = kept_for(3, false);
    for _ in 0..2 {
        world.now += 30 * DAY_MS;
        world.kill();
        pass(&mut world, 1);
    }
    assert_eq!(place(&world), Place::Gone);
}
