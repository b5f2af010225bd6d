//! What storage refuses, or cannot read, is tried again after a pause that grows, and never in a loop.

use longhaul::engine::error::ErrorCode;
use longhaul::engine::input::{IfExists, StoreFailure};
use longhaul::engine::task::TaskState;

use super::proof::{PIECE, pieces};
use super::world::{FIRST, File, Reply, World, at_home, failure};

const LEN: usize = 1_000_000;
const HOUR_MS: u64 = 60 * 60_000;

#[test]
fn a_time_that_is_over_while_storage_refuses_is_no_loop() {
    let mut world = World::new(|_, _| Reply::status(503));
    let mut spec = at_home();
    spec.policy.resource_timeout_ms = Some(60_000);
    spec.policy.max_failures = 1_000;
    world.download(spec).expect("accepted");
    let before = world.commits;
    world.refused = Some(StoreFailure::Other);
    world.wait(HOUR_MS);
    assert!(world.commits - before < 100, "{} commits in an hour", world.commits - before);
    world.refused = None;
    let task = world.play(HOUR_MS);
    assert_eq!(failure(&task), ErrorCode::TimedOut);
    // Numbers of events that never happened are given again.
    world.until(|world| !world.events.is_empty());
    assert_eq!(world.events[0].seq, FIRST);
}

#[test]
fn a_chunk_that_cannot_be_read_is_not_read_in_a_loop() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| {
        let mut reply = file.answer(request);
        // The first pieces come, and then nothing, but the connection stands.
        reply.body.truncate(2 * PIECE);
        reply.stalls = true;
        reply
    });
    world.unreadable.insert(0);
    let mut spec = at_home();
    spec.proof.pieces = pieces(&bytes);
    spec.policy.stall_timeout_ms = HOUR_MS;
    world.download(spec).expect("accepted");
    (0..2_000).for_each(|_| world.one_step());
    assert!(world.hashes < 50, "{} reads", world.hashes);
    assert!(world.task().is_some_and(|task| task.progress.repairs == 1), "it is to be fetched anew")
}

#[test]
fn a_failure_that_storage_refuses_is_not_repeated_at_once() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, _| file.answer(request));
    let mut spec = at_home();
    spec.policy.max_failures = 1;
    world.download(spec).expect("accepted");
    world.refused = Some(StoreFailure::Other);
    let before = world.commits;
    for _ in 0..2_000 {
        if world.now < HOUR_MS {
            world.one_step();
        }
    }
    assert!(world.commits - before < 100, "{} commits in {} ms", world.commits - before, world.now);
    world.refused = None;
    world.play(HOUR_MS);
}

#[test]
fn a_refresh_whose_failure_storage_refuses_is_not_repeated_at_once() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, number| match number {
        0 => file.answer(request),
        _ => Reply::status(404),
    });
    world.download(at_home()).expect("accepted");
    world.play(HOUR_MS);
    let mut spec = at_home();
    spec.policy.max_failures = 1;
    world.download_with(spec, Vec::new(), IfExists::Refresh).expect("accepted");
    world.refused = Some(StoreFailure::Other);
    let (before, until) = (world.commits, world.now + HOUR_MS);
    for _ in 0..2_000 {
        if world.now < until {
            world.one_step();
        }
    }
    assert!(world.commits - before < 100, "{} commits in an hour", world.commits - before);
    world.refused = None;
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed, "the old file stays");
}
