//! Groups: thousands of small files that are one thing to the user.

use longhaul::engine::filter::Filter;
use longhaul::engine::group::{GroupCounts, GroupKey};
use longhaul::engine::id::{GroupId, SessionId, TaskId};
use longhaul::engine::input::{BulkAction, Call, IfExists, TaskCall};
use longhaul::engine::output::{Answer, FetchRequest};
use longhaul::engine::task::{EventKind, Subject, TaskSpec, TaskState};

use super::world::{File, Reply, World, from, key};

fn map() -> GroupKey {
    GroupKey { session: SessionId::new("s"), group: GroupId::new("map") }
}

fn tiles(range: std::ops::Range<usize>) -> Vec<(TaskId, TaskSpec)> {
    let tile = |number: usize| {
        let spec = TaskSpec {
            group: Some(map().group),
            call_token: "batch".into(),
            ..from(&format!("https://app.example/tile/{number}"))
        };
        (TaskId::new(&format!("tile {number:05}")), spec)
    };
    range.map(tile).collect()
}

fn batch(range: std::ops::Range<usize>, is_last: bool, fails_together: bool) -> Call {
    Call::DownloadAll { group: map(), fails_together, members: tiles(range), is_last }
}

/// Half of a file, and then nothing.
fn stalling(request: &FetchRequest) -> Reply {
    Reply { stalls: true, ..File::new(0, 1_000).answer(request).cut_after(500) }
}

fn ended(world: &World) -> Vec<GroupCounts> {
    let of_group = |event: &&longhaul::engine::task::TaskEvent| event.subject == Subject::Group(map().group);
    let counts = |kind: &EventKind| if let EventKind::GroupEnded(counts) = kind { Some(*counts) } else { None };
    world.events.iter().filter(of_group).filter_map(|event| counts(&event.kind)).collect()
}

#[test]
fn a_group_has_one_event_when_its_last_member_has_ended() {
    let mut world = World::new(|request, _| File::new(0, 15_000).answer(request));
    for start in (0..2_000).step_by(250) {
        let answer = world.call(batch(start..start + 250, start == 1_750, false));
        assert!(matches!(answer, Ok(Answer::Accepted(250, _))), "{answer:?}");
    }
    world.until(|world| !ended(world).is_empty());
    assert_eq!(ended(&world), [GroupCounts { completed: 2_000, ..GroupCounts::default() }]);
    assert_eq!(world.events.len(), 1, "members have no events of their own");
    assert!(world.most_outputs <= 2_000, "{} outputs at a time", world.most_outputs);
}

#[test]
fn a_batch_that_is_sent_again_makes_nothing_twice() {
    let mut world = World::new(|request, _| File::new(0, 100).answer(request));
    world.call(batch(0..50, false, false)).expect("accepted");
    world.kill();
    world.attach("page", false);
    let again = world.call(batch(0..60, true, false));
    assert!(matches!(again, Ok(Answer::Accepted(10, _))), "{again:?}");
    world.until(|world| !ended(world).is_empty());
    assert_eq!(ended(&world), [GroupCounts { completed: 60, ..GroupCounts::default() }]);
}

#[test]
fn a_kill_between_the_last_member_and_the_event_loses_neither() {
    for kill_after in (0..400).step_by(7) {
        let mut world = World::new(|request, _| File::new(0, 100).answer(request));
        world.call(batch(0..5, true, false)).expect("accepted");
        for _ in 0..kill_after {
            world.one_step();
        }
        world.kill();
        world.attach("page", false);
        world.until(|world| !ended(world).is_empty());
        let seqs: std::collections::BTreeSet<u64> = world.events.iter().map(|event| event.seq).collect();
        assert_eq!(seqs.len(), 1, "killed after {kill_after} steps: {:?}", world.events);
    }
}

#[test]
fn the_failure_of_one_can_cancel_the_others() {
    for fails_together in [false, true] {
        let mut world = World::new(|request, _| match request.url.ends_with("/3") {
            true => Reply::status(404),
            false => File::new(0, 100_000).answer(request),
        });
        world.call(batch(0..40, true, fails_together)).expect("accepted");
        world.until(|world| !ended(world).is_empty());
        let counts = ended(&world)[0];
        assert_eq!((counts.total(), counts.failed), (40, 1), "{counts:?}");
        assert_eq!(counts.cancelled > 0, fails_together, "{counts:?}");
    }
}

#[test]
fn a_group_with_a_paused_member_has_not_ended() {
    let mut world = World::new(|request, _| {
        let mut reply = File::new(0, 1_000).answer(request);
        reply.stalls = request.url.ends_with("/0");
        reply
    });
    world.call(batch(0..4, true, false)).expect("accepted");
    let zero = key("tile 00000");
    world.call(Call::Task(zero.clone(), TaskCall::Pause)).expect("paused");
    let completed =
        |world: &World| world.stored_states().iter().filter(|state| **state == TaskState::Completed).count();
    world.until(|world| completed(world) == 3);
    world.drain_all();
    assert_eq!(ended(&world), [], "one is only paused");
    world.serve(|request, _| File::new(0, 1_000).answer(request));
    world.call(Call::Task(zero, TaskCall::Resume)).expect("resumed");
    world.until(|world| !ended(world).is_empty());
    assert_eq!(ended(&world), [GroupCounts { completed: 4, ..GroupCounts::default() }]);
}

#[test]
fn a_group_is_cancelled_as_one() {
    let mut world = World::new(|request, _| {
        let mut reply = File::new(0, 1_000).answer(request);
        reply.stalls = true;
        reply
    });
    world.call(batch(0..300, true, false)).expect("accepted");
    let filter = Filter { group: Some(map().group), ..Filter::default() };
    let session = SessionId::new("s");
    let done = world.call(Call::Bulk { session, filter, action: BulkAction::Cancel });
    assert!(matches!(done, Ok(Answer::Done(300))), "{done:?}");
    world.until(|world| !ended(world).is_empty());
    assert_eq!(ended(&world), [GroupCounts { cancelled: 300, ..GroupCounts::default() }]);
    let Ok(Answer::Group(counts)) = world.call(Call::Group(map())) else { panic!("the group is known") };
    assert_eq!(counts.cancelled, 300);
}

#[test]
fn what_a_kill_kept_from_failing_with_the_group_fails_later() {
    for kill_after in (0..300).step_by(5) {
        let mut world = World::new(|request, _| match request.url.ends_with("/3") {
            true => Reply::status(404),
            false => stalling(request),
        });
        world.call(batch(0..20, true, true)).expect("accepted");
        world.until(|world| world.stored_states().iter().any(|state| matches!(state, TaskState::Failed(_))));
        for _ in 0..kill_after {
            world.one_step();
        }
        world.kill();
        world.attach("page", false);
        world.until(|world| !ended(world).is_empty());
        // What was delivered before the kill, and not acknowledged, comes again.
        let counts = GroupCounts { cancelled: 19, failed: 1, ..GroupCounts::default() };
        assert!(ended(&world).iter().all(|ended| *ended == counts), "killed after {kill_after} steps");
    }
}

#[test]
fn a_group_whose_row_could_not_be_written_does_not_fail_together() {
    let mut world = World::new(|_, _| Reply::status(404));
    world.call(batch(0..2, true, false)).expect("accepted");
    world.until(|world| ended(world).len() == 1);
    let call = |id: &str, what| Call::Task(key(id), what);
    world.serve(|request, _| stalling(request));
    for id in ["tile 00000", "tile 00001"] {
        world.call(call(id, TaskCall::Resume)).expect("it goes on, on its own");
        world.call(call(id, TaskCall::Pause)).expect("it rests");
    }
    world.kill();
    world.attach("page", false);
    world.failing_commits = 1;
    assert!(world.call(batch(2..3, true, true)).is_err(), "there is no room for it");
    world.serve(|_, _| Reply::status(404));
    world.call(call("tile 00000", TaskCall::Resume)).expect("it goes on");
    world.until(|world| matches!(world.stored("tile 00000").map(|task| task.record.state), Some(TaskState::Failed(_))));
    world.drain_all();
    assert_eq!(world.stored("tile 00001").map(|task| task.record.state), Some(TaskState::Paused));
}

#[test]
fn who_joins_a_group_that_has_failed_fails_with_it() {
    let mut world = World::new(|request, _| match request.url.ends_with("/3") {
        true => Reply::status(404),
        false => stalling(request),
    });
    world.call(batch(0..5, false, true)).expect("accepted");
    world.until(|world| world.stored_states().iter().filter(|state| **state == TaskState::Cancelled).count() == 4);
    world.call(batch(5..10, true, true)).expect("accepted");
    world.until(|world| !ended(world).is_empty());
    assert_eq!(ended(&world), [GroupCounts { cancelled: 9, failed: 1, ..GroupCounts::default() }]);
}

#[test]
fn what_has_left_the_group_is_not_cancelled_with_it() {
    let mut world = World::new(|request, _| stalling(request));
    world.call(batch(0..3, true, false)).expect("accepted");
    let filter = Filter { group: Some(map().group), ..Filter::default() };
    // Its members are being looked up when one of them makes way for a download of its own.
    let bulk = world.ask(Call::Bulk { session: map().session, filter, action: BulkAction::Cancel });
    let spec = TaskSpec { call_token: "its own".into(), ..from("https://app.example/own") };
    let own = Call::Download { key: key("tile 00001"), spec, secrets: Vec::new(), if_exists: IfExists::Replace };
    world.ask(own);
    world.until(|world| world.replies.contains_key(&bulk));
    world.drain_all();
    let state = |id| world.stored(id).map(|task| task.record.state);
    assert_eq!(state("tile 00000"), Some(TaskState::Cancelled));
    assert!(state("tile 00001").is_some_and(|state| state.is_active()), "{:?}", state("tile 00001"));
}
