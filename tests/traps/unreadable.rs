//! Stored bytes that cannot be read back are fetched anew, whatever has become of their task since.

use longhaul::engine::error::ErrorCode;
use longhaul::engine::input::{IfExists, Input, TaskCall};
use longhaul::engine::task::{Destination, EventKind, Place, TaskState};

use super::proof::{expected, pieces};
use super::world::{File, Reply, World, at_home, failure, key};

const LEN: usize = 400_000;

fn serve(file: &File) -> impl FnMut(&longhaul::engine::output::FetchRequest, usize) -> Reply + 'static {
    let file = file.clone();
    move |request, _| file.answer(request)
}

/// A finished file in chunks of 100,000 bytes.
fn finished(file: &File) -> World {
    let mut world = World::new(serve(file));
    world.read_bytes = 100_000;
    world.download(at_home()).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    world
}

#[test]
fn a_finished_file_that_cannot_be_read_is_repaired() {
    let file = File::new(0, LEN);
    let mut world = finished(&file);
    assert_eq!(world.read_file().expect("it can be read"), file.bytes);
    world.unreadable.insert(100_000);
    assert_eq!(world.read_file().expect_err("a chunk is lost").code, ErrorCode::FileDamaged);
    world.wait(60_000);
    assert_eq!(world.task().expect("it stays").record.state, TaskState::Completed);
    assert_eq!(world.read_file().expect("it can be read"), file.bytes);
    assert_eq!(world.ranges().last(), Some(&Some((100_000, Some(200_000)))), "and nothing else is fetched");
    let completed = EventKind::Completed { bytes: LEN as u64 };
    assert_eq!(world.kinds(), [completed.clone(), completed]);
}

#[test]
fn a_kill_in_the_middle_of_a_repair_leaves_it_to_be_done() {
    let file = File::new(0, LEN);
    let mut world = finished(&file);
    world.unreadable.insert(0);
    world.read_file().expect_err("a chunk is lost");
    world.until(|world| world.task().is_some_and(|task| task.record.state.is_active()));
    world.kill();
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), file.bytes);
}

#[test]
fn a_finished_file_that_its_server_has_no_more_says_so() {
    let file = File::new(0, LEN);
    let mut world = finished(&file);
    world.serve(|_, _| Reply::status(404));
    world.unreadable.insert(300_000);
    world.read_file().expect_err("a chunk is lost");
    world.wait(60_000);
    assert_eq!(failure(&world.task().expect("it stays")), ErrorCode::HttpStatus);
}

#[test]
fn a_repair_never_mixes_versions() {
    let (old, new) = (File::new(0, LEN), File::new(1, LEN));
    for at in [0, 100_000] {
        let mut world = finished(&old);
        world.serve(serve(&new));
        world.unreadable.insert(at);
        world.read_file().expect_err("a chunk is lost");
        world.wait(60_000);
        assert_eq!(world.read_file().expect("it can be read"), new.bytes);
    }
}

#[test]
fn a_single_chunk_that_is_lost_gets_a_body_of_another_name() {
    let file = File::new(0, 50_000);
    let mut world = finished(&file);
    let body = world.task().expect("it is there").progress.body;
    world.unreadable.insert(0);
    world.read_file().expect_err("a chunk is lost");
    world.wait(60_000);
    assert_ne!(world.task().expect("it is there").progress.body, body, "it may be another version");
    assert_eq!(world.read_file().expect("it can be read"), file.bytes);
    assert_eq!(world.bodies(), 1);
}

#[test]
fn a_chunk_that_is_lost_before_it_is_hashed_is_fetched_anew() {
    let file = File::new(0, LEN);
    let mut world = World::new(serve(&file));
    world.read_bytes = 100_000;
    let mut spec = at_home();
    spec.proof.expected = expected(&file.bytes);
    world.download(spec).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| task.progress.received.len() >= 200_000));
    world.kill();
    // The hash begins anew, since its state is lost too.
    let key = key("t");
    let mut progress = world.task().expect("it is there").progress;
    progress.hash = None;
    world.put_progress(&key, &progress);
    world.kill();
    world.unreadable.extend([0, 100_000]);
    assert_eq!(world.play(600_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), file.bytes);
    assert!(world.unreadable.is_empty() && world.hashes < 10, "{} reads", world.hashes);
}

#[test]
fn a_file_on_its_way_out_is_repaired_and_then_goes() {
    let file = File::new(0, LEN);
    let mut world = finished(&file);
    world.unreadable.insert(200_000);
    let destination = Destination::Cache { name: "c".into(), url: "/f".into() };
    world.task_call(TaskCall::MoveTo(destination)).expect("it is on its way");
    world.wait(60_000);
    let task = world.task().expect("it stays");
    assert_eq!((task.record.state, task.record.place), (TaskState::Completed, Place::Gone));
    assert!(matches!(&world.filed[..], [(_, bytes)] if *bytes == file.bytes));
}

#[test]
fn an_old_file_that_cannot_be_read_does_not_keep_the_new_one_away() {
    let file = File::new(0, LEN);
    let mut world = finished(&file);
    world.is_slow_to_store = false;
    let reply = file.clone();
    // The server says that nothing has changed, when it is asked so.
    world.serve(move |request, _| match &request.if_none_match {
        Some(_) => Reply { stalls: true, ..Reply::status(304) },
        None => reply.answer(request),
    });
    world.download_with(at_home(), Vec::new(), IfExists::Refresh).expect("accepted");
    world.unreadable.insert(0);
    world.read_file().expect_err("a chunk is lost");
    world.wait(60_000);
    assert_eq!(world.task().expect("it stays").record.state, TaskState::Completed);
    assert_eq!(world.read_file().expect("it can be read"), file.bytes);
}

#[test]
fn a_hash_that_has_seen_a_chunk_that_is_lost_is_not_gone_on_with() {
    let file = File::new(0, LEN);
    let served = file.clone();
    let mut world = World::new(move |request, number| {
        let mut reply = served.answer(request);
        match number {
            0 => reply.cut_after(200_000),
            1 => reply,
            _ => {
                // What comes in the place of the chunk is not what it was.
                reply.body[5] ^= 1;
                reply
            }
        }
    });
    world.read_bytes = 100_000;
    let mut spec = at_home();
    spec.proof.expected = expected(&file.bytes);
    world.download(spec).expect("accepted");
    world.until(|world| world.requests.len() == 2);
    // The next answer comes while it is being stored that the chunk is lost.
    let body = world.task().expect("it is there").progress.body;
    world.give(Input::Unreadable { key: key("t"), body, range: 0..100_000 });
    let task = world.play(600_000);
    assert_eq!(world.requests.len(), 3, "the chunk was fetched again");
    assert_eq!(failure(&task), ErrorCode::DigestMismatch);
}

#[test]
fn a_file_that_a_refresh_has_kept_is_not_mended_by_pieces_that_it_was_not_stored_in() {
    let file = File::new(0, LEN);
    let mut world = finished(&file);
    world.serve(|_, _| Reply::status(304));
    let mut spec = at_home();
    spec.proof.pieces = pieces(&file.bytes);
    world.download_with(spec, Vec::new(), IfExists::Refresh).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    world.serve(serve(&file));
    // One piece is whole, and none of its chunks begins where it does.
    world.unreadable.insert(0);
    world.read_file().expect_err("a chunk is lost");
    world.wait(60_000);
    assert_eq!(world.task().expect("it stays").record.state, TaskState::Completed);
    assert_eq!(world.read_file().expect("it can be read"), file.bytes);
    world.drain_all();
    assert_eq!(world.stored_bytes(), LEN as u64, "no byte is stored twice");
}
