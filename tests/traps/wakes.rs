//! Events that the browser cuts, or repeats if they fail; and connections that have died without a word while everything
//! stood still.

use longhaul::engine::id::{ClientId, SessionId};
use longhaul::engine::input::{Input, TaskCall};
use longhaul::engine::output::Outcome;
use longhaul::engine::task::{TaskState, WaitReason};
use longhaul::engine::time::Timestamp;

use super::world::{File, Reply, World, at_home};

const LEN: usize = 3_000_000;
const AGAIN: Outcome = Outcome::Again;
const DONE: Outcome = Outcome::Done;

/// A worker that was begun by a sync event of so many milliseconds, with a download under way and no page open.
fn under_way(
    lasts_ms: u64,
    server: impl FnMut(&longhaul::engine::output::FetchRequest, usize) -> Reply + 'static,
) -> World {
    let mut world = World::new(server);
    world.give(Input::Bye { client: ClientId::new("page"), session: None });
    world.give(Input::Hook { can_authorize: true, handles_events: false });
    world.download(at_home()).expect("accepted");
    world.sync(1, lasts_ms);
    world
}

fn received(world: &World) -> u64 {
    world.task().expect("there is a task").progress.received.len()
}

#[test]
fn an_event_ends_before_it_is_cut_and_nothing_that_was_read_is_lost() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = under_way(3_000, move |request, _| file.answer(request));
    let ends_at = world.now + 3_000;
    world.until(|world| !world.settled.is_empty());
    assert!(world.now < ends_at, "{} ms too late", world.now - ends_at);
    assert_eq!(world.settled, [(1, AGAIN)]);
    let kept = received(&world);
    assert!(kept > 0 && kept < LEN as u64, "{kept} bytes");
    assert_eq!((kept, world.open_requests()), (world.bytes_sent, 0), "the request ended with what it had brought");
    world.wait(600_000);
    assert_eq!(world.requests.len(), 1, "nothing is begun before the next event");

    world.sync(2, 60_000);
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.ranges(), [Some((0, None)), Some((kept, None))]);
    assert_eq!(world.file(), bytes);
    world.give(Input::Hello {
        client: ClientId::new("page"),
        session: SessionId::new("s"),
        delegate: true,
        can_authorize: false,
    });
    world.wait(1_000);
    assert_eq!(world.settled, [(1, AGAIN), (2, DONE)], "it succeeds only now");
}

#[test]
fn what_waits_for_slow_storage_is_not_thrown_away_before_the_very_end() {
    for is_answered in [true, false] {
        let file = File::new(0, LEN);
        let mut world = under_way(3_000, move |request, _| file.answer(request));
        let ends_at = world.now + 3_000;
        world.until(|world| world.now >= ends_at - 1_400);
        // One buffer is on its way from now on, and the next one has to wait.
        world.is_slow_to_store = true;
        world.until(|world| world.now >= ends_at - 500);
        assert_eq!((world.settled.len(), world.open_requests()), (0, 1));
        let before = received(&world);
        if is_answered {
            world.let_storage_answer();
        }
        world.until(|world| !world.settled.is_empty());
        assert_eq!(
            (world.now < ends_at, world.open_requests()),
            (is_answered, 0),
            "storage that hangs is not waited for"
        );
        assert_eq!(received(&world) > before, is_answered);
        assert_eq!(received(&world) == world.bytes_sent, is_answered);
    }
}

#[test]
fn an_event_that_comes_just_in_time_interrupts_nothing() {
    let file = File::new(0, LEN);
    let mut world = under_way(3_000, move |request, _| file.answer(request));
    let ends_at = world.now + 3_000;
    // Reading has stopped, but the request is still there.
    world.until(|world| world.now >= ends_at - 1_000);
    world.drain_all();
    let before = world.bytes_sent;
    world.sync(2, 60_000);
    assert!(world.bytes_sent > before, "it goes on being read at once");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.requests.len(), 1);
}

#[test]
fn an_event_that_is_cut_all_the_same_costs_what_was_not_durable() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = under_way(3_000, move |request, _| file.answer(request));
    world.until(|world| world.bytes_sent > LEN as u64 / 3);
    world.kill();
    let kept = received(&world);
    world.sync(2, 60_000);
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!((world.file(), world.ranges()[1]), (bytes, Some((kept, None))));
}

#[test]
fn a_sync_fails_while_a_task_waits_for_the_network_or_to_try_again() {
    for online in [true, false] {
        let mut world = under_way(3_000, move |_, _| Reply::unreachable(online));
        world.until(|world| !world.settled.is_empty());
        let reason = if online { WaitReason::Retry } else { WaitReason::Offline };
        let state = world.task().expect("there is a task").record.state;
        assert!(matches!(state, TaskState::Active { reason: Some(found), .. } if found == reason), "{state:?}");
        assert_eq!(world.settled, [(1, AGAIN)]);
    }
}

#[test]
fn a_sync_succeeds_when_all_that_is_left_waits_for_the_user() {
    let file = File::new(0, LEN);
    let mut world = under_way(60_000, move |request, _| file.answer(request));
    world.task_call(TaskCall::Pause).expect("paused");
    world.wait(1_000);
    assert_eq!(world.settled, [(1, DONE)]);

    let mut world = under_way(60_000, |_, _| Reply::status(401));
    world.wait(5_000);
    let state = world.task().expect("there is a task").record.state;
    assert!(matches!(state, TaskState::Active { reason: Some(WaitReason::Authorization), .. }), "{state:?}");
    assert_eq!(world.settled, [(1, DONE)]);
}

/// Answers the first `stalled` requests with 100,000 bytes and then nothing, and the others well.
fn stalling(file: File, stalled: usize) -> impl FnMut(&longhaul::engine::output::FetchRequest, usize) -> Reply {
    move |request, number| {
        let mut reply = file.answer(request);
        if number < stalled {
            reply.body.truncate(100_000);
            reply.stalls = true;
        }
        reply
    }
}

#[test]
fn a_connection_that_died_while_everything_stood_still_is_replaced_at_once() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(stalling(file, 1));
    world.download(at_home()).expect("accepted");
    world.until(|world| received(world) == 100_000);
    world.drain_all();
    world.wait(4_900);
    world.kick();
    assert_eq!(world.requests.len(), 1, "it may just be slow");
    world.wait(100);
    world.kick();
    assert_eq!(world.ranges(), [Some((0, None)), Some((100_000, None))], "60 s before the stall timeout");
    assert_eq!(world.play(10_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
}

#[test]
fn a_connection_whose_head_never_came_is_replaced_as_well() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, number| {
        let mut reply = file.answer(request);
        reply.stalls = number == 0;
        if number == 0 {
            reply.body.clear();
        }
        reply
    });
    world.download(at_home()).expect("accepted");
    world.wait(5_000);
    world.kick();
    assert_eq!(world.play(10_000).record.state, TaskState::Completed);
    assert_eq!(world.requests.len(), 2);
}

#[test]
fn a_connection_that_brings_bytes_is_left_alone_whatever_gets_better() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, _| file.answer(request));
    world.read_bytes = 20_000;
    world.download(at_home()).expect("accepted");
    while world.task().is_some_and(|task| task.record.state.is_active()) {
        world.kick();
        world.one_step();
    }
    assert_eq!(world.requests.len(), 1);
}

#[test]
fn kicks_do_not_starve_a_server_that_is_slow_to_answer() {
    let file = File::new(0, LEN);
    let mut world = World::new(stalling(file, usize::MAX));
    world.download(at_home()).expect("accepted");
    world.until(|world| received(world) == 100_000);
    world.drain_all();
    let begun_at = world.now;
    // A user who comes and goes every six seconds.
    while world.now < begun_at + 60_000 {
        world.wait(6_000);
        world.kick();
    }
    assert_eq!(world.requests.len(), 2, "the second has all the time that a stall is given");
}

#[test]
fn what_could_not_be_continued_is_not_thrown_away_for_a_kick() {
    let file = File { etag: None, ..File::new(0, LEN) };
    let mut world = World::new(stalling(file, 1));
    world.download(at_home()).expect("accepted");
    world.until(|world| received(world) == 100_000);
    world.drain_all();
    for _ in 0..9 {
        world.wait(6_000);
        world.kick();
    }
    assert_eq!(world.requests.len(), 1);
}

/// A download that meets this answer each time, with a page open.
fn waiting(answer: impl Fn() -> Reply + 'static) -> World {
    let mut world = World::new(move |_, _| answer());
    world.download(at_home()).expect("accepted");
    world
}

#[test]
fn only_what_can_be_done_soon_holds_the_worker() {
    let busy = || Reply::status(503).with(|head| head.retry_after = Some("86400".into()));
    let mut world = waiting(busy);
    world.wait(60_000);
    assert!(!world.is_working, "for a day");
    let due = world.task().and_then(|task| task.record.due()).expect("it is to be tried again").0;
    assert_eq!(world.wanted_at, Some(due), "the page is told when to wake it");

    let mut world = waiting(|| Reply::unreachable(false));
    world.wait(1_000);
    assert!(!world.is_working && world.wanted_at.is_some(), "offline: the page says when that is over");

    let mut world = World::new(|request, _| File::new(0, LEN).answer(request));
    world.free_bytes = Some(1_000);
    world.download(at_home()).expect("accepted");
    world.wait(1_000);
    let state = world.task().expect("there is a task").record.state;
    assert!(matches!(state, TaskState::Active { reason: Some(WaitReason::Quota), .. }), "{state:?}");
    assert!(!world.is_working && world.wanted_at.is_some(), "there is no room");

    let mut world = waiting(|| Reply::unreachable(true));
    world.wait(1);
    assert!(world.is_working, "the first pauses are short");
    world.until(|world| !world.is_working);
    let due = world.task().and_then(|task| task.record.due()).expect("it is to be tried again").0;
    assert!(due > world.now + 60_000 && world.wanted_at == Some(due), "{} ms", due - world.now);
}

#[test]
fn what_is_to_begin_tomorrow_is_begun_by_the_page_that_is_open_then() {
    let mut world = World::new(|_, _| Reply::status(404));
    let mut spec = at_home();
    spec.policy.begin_at = Some(Timestamp(86_400_000));
    world.download(spec).expect("accepted");
    world.wait(1_000);
    assert_eq!((world.is_working, world.wanted_at), (false, Some(86_400_000)));
    world.kill();
    world.wait(1_000);
    assert_eq!(world.wanted_at, Some(86_400_000), "the next worker says so, too");
}

#[test]
fn a_sync_fails_only_if_the_browser_would_repeat_it_in_time() {
    for (seconds, outcome) in [("300", AGAIN), ("86400", DONE)] {
        let mut world =
            under_way(60_000, move |_, _| Reply::status(503).with(|head| head.retry_after = Some(seconds.into())));
        world.wait(5_000);
        assert_eq!(world.settled, [(1, outcome)], "{seconds}: at once, and not when it is about to be cut");
    }
}
