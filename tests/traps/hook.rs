//! Events that the worker's own code handles, while no page does.

use longhaul::engine::group::GroupKey;
use longhaul::engine::id::{ClientId, GroupId, SessionId, TaskId};
use longhaul::engine::input::{Call, Input};

use super::world::{FIRST, File, World, at_home};

const LEN: usize = 10_000;

fn session() -> SessionId {
    SessionId::new("s")
}

/// A worker whose code handles events, which has downloaded one file; no page is there.
fn one_event() -> World {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, _| file.answer(request));
    world.give(Input::Bye { client: ClientId::new("page"), session: None });
    world.give(Input::Hook { can_authorize: false, handles_events: true });
    world.download(at_home()).expect("accepted");
    world.play(60_000);
    world.drain_all();
    world
}

fn ack(world: &mut World, seq: u64) {
    world.give(Input::Ack { client: ClientId::hook(), session: session(), seq });
}

fn elect(world: &mut World) {
    world.give(Input::Hello { client: ClientId::hook(), session: session(), delegate: true, can_authorize: false });
}

#[test]
fn an_event_without_a_page_goes_to_the_hook_once_and_it_hears_of_the_end() {
    let mut world = one_event();
    assert_eq!((world.stood, world.events.len()), (1, 0), "the lock comes first");
    assert!(world.is_working, "the worker is held for it");
    elect(&mut world);
    assert_eq!(world.hook_batches, [vec![FIRST]]);
    assert!(world.is_working);
    ack(&mut world, FIRST);
    world.wait(1_000);
    assert_eq!((world.stored_events(), world.hook_ends), (0, 1));
    assert!(!world.is_working, "nothing is left to do");
    assert_eq!(world.stood, 1, "nor does it stand for nothing");
}

#[test]
fn a_hook_that_fails_is_called_again_after_a_growing_pause() {
    let mut world = one_event();
    for (times, pause_ms) in [(1, 1_000), (2, 2_000), (3, 4_000)] {
        elect(&mut world);
        assert_eq!(world.hook_batches.len(), times);
        ack(&mut world, 0);
        world.wait(pause_ms - 1);
        assert_eq!(world.stood, times, "too early");
        assert!(world.is_working, "the worker is held in between");
        world.wait(1);
        assert_eq!(world.stood, times + 1);
    }
    while world.is_working {
        elect(&mut world);
        ack(&mut world, 0);
        let before = world.now;
        world.until(|world| world.stood > world.hook_batches.len() || !world.is_working);
        assert!(world.now < before + 65_000 && world.stood < 10, "who always fails holds the worker for ever");
    }
    assert!(world.wanted_at.is_some_and(|at| at > world.now), "a page, or whatever comes, brings it another turn");
    let at = world.wanted_at.expect("seen");
    world.wait(at - world.now);
    elect(&mut world);
    ack(&mut world, FIRST);
    world.wait(1_000);
    assert_eq!(world.stored_events(), 0);
    assert!(world.hook_batches.iter().all(|batch| *batch == [FIRST]), "each time with the same number");
}

#[test]
fn a_kill_while_the_hook_handles_brings_the_same_event_again() {
    let mut world = one_event();
    elect(&mut world);
    world.kill();
    assert_eq!(world.stored_events(), 1);
    world.give(Input::Hook { can_authorize: false, handles_events: true });
    ack(&mut world, FIRST);
    assert_eq!(world.stored_events(), 1, "the acknowledgement of another life counts for nothing");
    elect(&mut world);
    assert_eq!(world.hook_batches, [[FIRST], [FIRST]]);
}

#[test]
fn what_the_hook_has_handled_no_page_sees_again() {
    let mut world = one_event();
    elect(&mut world);
    // The page waits for the lock, which the hook lets go of after this.
    ack(&mut world, FIRST);
    world.attach("page", false);
    world.wait(1_000);
    assert!(world.events.is_empty(), "{:?}", world.events);
    assert_eq!(world.stored_events(), 0);
}

#[test]
fn a_page_that_is_the_delegate_is_left_alone_by_the_hook() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, _| file.answer(request));
    world.give(Input::Hook { can_authorize: false, handles_events: true });
    world.download(at_home()).expect("accepted");
    world.play(60_000);
    assert_eq!((world.stood, world.events.len()), (0, 1));
    // It closes without a word: the lock is free before that is known.
    world.give(Input::Bye { client: ClientId::new("page"), session: None });
    assert_eq!(world.stood, 1);
    elect(&mut world);
    assert_eq!(world.hook_batches, [[FIRST]]);
}

#[test]
fn a_hook_that_waits_behind_a_silent_page_does_not_hold_the_worker_for_ever() {
    let mut world = one_event();
    assert!(world.is_working);
    world.wait(10_000);
    assert!(!world.is_working);
    elect(&mut world);
    assert_eq!(world.hook_batches, [[FIRST]], "but its turn may still come");
}

#[test]
fn a_hook_that_is_owed_the_end_holds_the_worker_no_longer_than_any() {
    for fails in [false, true] {
        let mut world = one_event();
        elect(&mut world);
        let group = GroupKey { session: session(), group: GroupId::new("g") };
        let members = vec![(TaskId::new("u"), at_home())];
        world.call(Call::DownloadAll { group, fails_together: false, members, is_last: false }).expect("accepted");
        world.until(|world| world.stored_events() == 2);
        world.drain_all();
        ack(&mut world, FIRST);
        assert_eq!(world.stood, 2, "there is more for it");
        for _ in 0..if fails { 10 } else { 0 } {
            elect(&mut world);
            ack(&mut world, 0);
            world.wait(world.wanted_at.filter(|_| !world.is_working).map_or(60_000, |at| at - world.now));
        }
        if fails {
            elect(&mut world);
            ack(&mut world, 0);
        }
        world.wait(11_000);
        assert!(!world.is_working, "held for a page that has the lock, or for the next try in an hour");
        elect(&mut world);
        ack(&mut world, FIRST + 1);
        world.wait(1_000);
        assert_eq!((world.stored_events(), world.hook_ends), (0, 1), "it hears of the end all the same");
    }
}
