//! Reading a file that is still on its way: what somebody waits for comes first, and nobody waits for what cannot come.

use longhaul::engine::error::ErrorCode;
use longhaul::engine::http::Selection;
use longhaul::engine::id::CallId;
use longhaul::engine::input::{Call, IfExists, Input, TaskCall};
use longhaul::engine::output::{Answer, FetchRequest};
use longhaul::engine::task::TaskState;
use longhaul::integrity::Pieces;

use super::proof::sha256;
use super::world::{File, Reply, World, at_home, key};

const MIB: usize = 1 << 20;
const LEN: usize = 40 * MIB;
/// Somewhere in the part that would come last.
const FAR: u64 = 30 * MIB as u64 + 70_000;

fn wait_for(offset: u64, body: Option<String>) -> TaskCall {
    TaskCall::Chunk { offset, body, waits: true }
}

/// A download of which the first bytes are durable.
fn begun() -> (World, File) {
    let file = File::new(0, LEN);
    let served = file.clone();
    let mut world = World::new(move |request, _| served.answer(request));
    world.download(at_home()).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| !task.progress.received.is_empty()));
    (world, file)
}

#[test]
fn bytes_that_somebody_waits_for_are_fetched_first() {
    let (mut world, file) = begun();
    let asked = world.requests.len();
    match world.task_call(wait_for(FAR, None)) {
        Ok(Answer::Chunk(found, FAR)) => assert_eq!(found.length, LEN as u64),
        other => panic!("no chunk: {other:?}"),
    }
    let first = world.requests[asked].range.expect("a range").0;
    assert!((FAR - 64 * 1024..=FAR).contains(&first), "asked from {first} on");
    let received = &world.task().expect("it is there").progress.received;
    assert!(received.contains(&(FAR..FAR + 1)) && received.len() < LEN as u64 / 2, "{received:?}");
    // What is there already is not waited for, and the rest comes all the same.
    assert!(matches!(world.task_call(wait_for(0, None)), Ok(Answer::Chunk(_, 0))));
    assert_eq!(world.play(600_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), file.bytes);
}

#[test]
fn a_reader_of_one_byte_after_the_other_costs_no_request_each() {
    let (mut world, file) = begun();
    let mut offset = FAR;
    while offset < LEN as u64 {
        assert!(matches!(world.task_call(wait_for(offset, None)), Ok(Answer::Chunk(..))));
        offset += 100_000;
    }
    world.play(600_000);
    assert_eq!(world.file(), file.bytes);
    assert!(world.requests.len() < 12, "{:?}", world.ranges());
}

#[test]
fn who_waits_hears_why_nothing_comes() {
    let (mut world, _) = begun();
    let body = world.task().expect("it is there").progress.body.to_text();
    let asked = world.ask(Call::Task(key("t"), wait_for(FAR, Some(body))));
    world.serve(|_, _| Reply::status(404));
    world.play(600_000);
    let answered = world.replies.remove(&asked).expect("answered");
    assert_eq!(answered.expect_err("no chunk").code, ErrorCode::HttpStatus);
}

#[test]
fn a_paused_file_is_waited_for_and_another_one_is_not_given() {
    let (mut world, _) = begun();
    world.task_call(TaskCall::Pause).expect("paused");
    let asked = world.ask(Call::Task(key("t"), wait_for(FAR, None)));
    world.wait(60_000);
    assert!(!world.replies.contains_key(&asked), "nothing comes while it is paused");
    let other = world.task_call(wait_for(0, Some("another".into())));
    assert_eq!(other.expect_err("another body").code, ErrorCode::FileChanged);
    world.task_call(TaskCall::Resume).expect("resumed");
    world.until(|world| world.replies.contains_key(&asked));
}

#[test]
fn a_request_for_the_url_is_answered_as_soon_as_the_length_is_known() {
    let file = File::new(0, LEN);
    let served = file.clone();
    let mut world = World::new(move |request, _| served.answer(request));
    world.download(at_home()).expect("accepted");
    let range = Some("bytes=-100".into());
    match world.task_call(TaskCall::Serve { range, if_range: Some("\"v0\"".into()) }) {
        Ok(Answer::Serve(service)) => {
            assert_eq!(service.selection, Selection::One(LEN as u64 - 100..LEN as u64));
            assert_eq!(service.etag, "\"v0\"");
        }
        other => panic!("no answer: {other:?}"),
    }
    assert_ne!(world.task().expect("it is there").record.state, TaskState::Completed);
}

#[test]
fn for_who_has_left_nothing_is_fetched_first() {
    let (mut world, _) = begun();
    world.task_call(TaskCall::Pause).expect("paused");
    let asked = world.ask(Call::Task(key("t"), wait_for(FAR, None)));
    world.wait(1_000);
    world.give(Input::Forget(CallId(asked)));
    let before = world.requests.len();
    world.task_call(TaskCall::Resume).expect("resumed");
    world.until(|world| world.requests.len() > before);
    let first = world.requests[before].range.expect("a range").0;
    assert!(first < FAR - 64 * 1024, "asked from {first} on");
    world.play(600_000);
    assert!(!world.replies.contains_key(&asked));
}

#[test]
fn a_reader_of_a_paused_file_does_not_hold_the_worker() {
    let (mut world, _) = begun();
    world.task_call(TaskCall::Pause).expect("paused");
    world.ask(Call::Task(key("t"), wait_for(FAR, None)));
    world.wait(60_000);
    assert!(!world.is_working, "there is nothing to do");
}

#[test]
fn the_connection_that_is_let_go_for_a_reader_is_the_readers() {
    let (mut world, file) = begun();
    world.task_call(wait_for(FAR, None)).expect("it is there");
    world.task_call(TaskCall::Pause).expect("paused");
    let before = world.requests.len();
    world.ask(Call::Task(key("t"), TaskCall::Resume));
    world.until(|world| world.requests.len() > before);
    // The one connection that the server has shown to bear is to bring what is missing before that place.
    world.task_call(wait_for(FAR + 5 * MIB as u64, None)).expect("it is there");
    assert_eq!(world.requests.len(), before + 2, "{:?}", world.ranges());
    assert_eq!(world.play(600_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), file.bytes);
}

#[test]
fn readers_at_several_places_do_not_take_the_connection_from_each_other() {
    let (mut world, file) = begun();
    world.task_call(wait_for(FAR, None)).expect("it comes");
    // One of them before those bytes and one behind. The server takes its time, and meanwhile much else happens.
    world.serve(|_, _| Reply { stalls: true, ..Reply::status(206) });
    let asked = [FAR - 8 * MIB as u64, FAR + 8 * MIB as u64]
        .map(|offset| world.ask(Call::Task(key("t"), wait_for(offset, None))));
    world.until(|world| world.requests.len() > 2);
    let before = world.requests.len();
    (0..20).for_each(|_| world.kick());
    world.drain_all();
    assert!(world.requests.len() <= before + 1, "{:?}", world.ranges());
    let served = file.clone();
    world.serve(move |request, _| served.answer(request));
    world.until(|world| asked.iter().all(|asked| world.replies.contains_key(asked)));
    assert_eq!(world.play(600_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), file.bytes);
}

/// A download whose connection comes to a halt after the first MiB, which is durable.
fn halted() -> (World, File) {
    let file = File::new(0, LEN);
    let served = file.clone();
    let mut world = World::new(move |request, nth| {
        let reply = served.answer(request);
        if nth > 0 { reply } else { Reply { body: reply.body[..MIB].to_vec(), stalls: true, ..reply } }
    });
    world.download(at_home()).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| task.progress.received.len() == MIB as u64));
    (world, file)
}

#[test]
fn who_waits_need_not_wait_until_another_connection_is_free() {
    let (mut world, file) = halted();
    let asked_at = world.now;
    assert!(matches!(world.task_call(wait_for(FAR, None)), Ok(Answer::Chunk(_, FAR))));
    assert!(world.now - asked_at < 1_000, "it took {} ms", world.now - asked_at);
    assert_eq!(world.play(600_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), file.bytes);
}

#[test]
fn two_who_read_at_different_places_both_get_on() {
    let (mut world, file) = begun();
    let mut steps = 0;
    for offset in (100_000..FAR).step_by(100_000) {
        for at in [offset, FAR + offset / 4] {
            assert!(matches!(world.task_call(wait_for(at, None)), Ok(Answer::Chunk(..))));
            steps += 1;
        }
    }
    world.play(600_000);
    assert_eq!(world.file(), file.bytes);
    assert!(world.requests.len() < steps / 2, "{} requests for {steps} steps", world.requests.len());
}

#[test]
fn who_waits_at_the_front_keeps_nobody_from_what_is_far_away() {
    let (mut world, file) = halted();
    let front = world.ask(Call::Task(key("t"), wait_for(MIB as u64, None)));
    let asked_at = world.now;
    assert!(matches!(world.task_call(wait_for(FAR, None)), Ok(Answer::Chunk(_, FAR))));
    assert!(world.now - asked_at < 10_000, "it took {} ms", world.now - asked_at);
    world.until(|world| world.replies.contains_key(&front));
    assert_eq!(world.play(600_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), file.bytes);
}

#[test]
fn two_who_wait_do_not_take_the_connection_from_one_another_before_it_brings_anything() {
    let (mut world, file) = halted();
    world.serve(|_, _| Reply { stalls: true, ..Reply::status(200) });
    let asked = [MIB as u64, FAR].map(|offset| world.ask(Call::Task(key("t"), wait_for(offset, None))));
    for _ in 0..20 {
        assert!(matches!(world.task_call(wait_for(0, None)), Ok(Answer::Chunk(..))));
        world.wait(1_000);
    }
    // The connection that has come to a halt was given up for the second of these.
    assert_eq!(world.requests.len(), 3, "{:?}", world.ranges());
    let served = file.clone();
    world.serve(move |request, _| served.answer(request));
    world.until(|world| asked.iter().all(|call| world.replies.contains_key(call)));
    world.play(600_000);
    assert_eq!(world.file(), file.bytes);
}

#[test]
fn what_is_read_for_a_piece_makes_no_way_for_the_end_of_it() {
    // A reader of the last byte of a file that is one piece needs all of it, and a further connection is not to be had. The
    // answers have all that is asked for, or less.
    for (most_bytes, most_requests) in [(u64::MAX, 3), (100_000, 36)] {
        let file = File::new(0, 3 * MIB);
        let mut spec = at_home();
        spec.policy.max_segments = 4;
        spec.proof.pieces = Pieces::new(3 * MIB as u64, sha256(&file.bytes).bytes());
        let served = file.clone();
        let mut world = World::new(move |request, nth| {
            let range = request.range.map(|(start, _)| (start, Some(start.saturating_add(most_bytes))));
            let etag = if nth == 1 { "\"other\"" } else { "\"one\"" };
            File { etag: Some(etag), ..served.clone() }.answer(&FetchRequest { range, ..request.clone() })
        });
        world.read_bytes = 10_000;
        world.download(spec).expect("accepted");
        world.until(|world| world.task().is_some_and(|task| !task.progress.received.is_empty()));
        assert!(matches!(world.task_call(wait_for(3 * MIB as u64 - 1, None)), Ok(Answer::Chunk(..))));
        assert_eq!(world.play(600_000).record.state, TaskState::Completed);
        assert_eq!(world.file(), file.bytes);
        assert!(world.requests.len() <= most_requests, "{:?}", world.ranges());
    }
}

#[test]
fn what_a_long_read_would_bring_late_is_fetched_beside_it() {
    let (mut world, file) = begun();
    let offset = world.task().expect("it is there").progress.received.len() + 900_000;
    world.task_call(wait_for(offset, None)).expect("it comes");
    let first = world.requests[1].range.expect("a range").0;
    assert!((offset - 64 * 1024..=offset).contains(&first), "asked from {first} on");
    assert_eq!(world.play(600_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), file.bytes);
}

#[test]
fn readers_of_distant_places_do_not_take_the_connection_from_each_other() {
    let (mut world, file) = begun();
    // From now on no answer comes.
    world.serve(|_, _| Reply { stalls: true, ..Reply::status(206) });
    let places = [30, 20, 10].map(|mib| mib * MIB as u64);
    let asked = places.map(|offset| {
        let asked = world.ask(Call::Task(key("t"), wait_for(offset, None)));
        world.wait(1_000);
        asked
    });
    for _ in 0..20 {
        world.kick();
    }
    // The first one's connection, and the one that a reader may have beside it.
    assert_eq!(world.requests.len(), 3, "each time somebody else's was begun: {:?}", world.ranges());
    let served = file.clone();
    world.serve(move |request, _| served.answer(request));
    world.until(|world| asked.iter().all(|asked| world.replies.contains_key(asked)));
    assert_eq!(world.play(600_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), file.bytes);
}

/// A request for the URL that is answered by the head of the first version, of which nothing becomes durable; the next
/// answer is of the second. Returns by which name the first was to be read.
fn told_of_another(kill: bool) -> (World, File, String) {
    let (old, new) = (File::new(0, 2 * MIB), File::new(1, MIB));
    let served = new.clone();
    let mut world = World::new(move |request, nth| match nth {
        0 => Reply { stalls: true, ..old.answer(request).cut_after(10) },
        _ => served.answer(request),
    });
    world.is_slow_to_store = true;
    world.ask(Call::Download { key: key("t"), spec: at_home(), secrets: Vec::new(), if_exists: IfExists::Keep });
    world.drain_all();
    world.let_storage_answer();
    let answer = world.task_call(TaskCall::Serve { range: None, if_range: None });
    let Ok(Answer::Serve(service)) = answer else { panic!("no answer: {answer:?}") };
    assert_eq!((service.file.length, service.etag.as_str()), (2 * MIB as u64, "\"v0\""));
    assert!(world.task().is_some_and(|task| task.progress.received.is_empty()), "something is durable");
    if kill {
        world.kill();
        world.attach("page", true);
    } else {
        // The connection is given up, with what it has brought.
        world.task_call(TaskCall::Pause).expect("paused");
        world.task_call(TaskCall::Resume).expect("resumed");
    }
    (world, new, service.file.name)
}

#[test]
fn who_was_told_of_one_version_is_given_no_byte_of_another() {
    for kill in [false, true] {
        let (mut world, new, name) = told_of_another(kill);
        let read = world.task_call(wait_for(0, Some(name.clone())));
        assert_eq!(read.expect_err("the new bytes under the old head").code, ErrorCode::FileChanged);
        assert_eq!(world.play(600_000).record.state, TaskState::Completed);
        assert_eq!(world.file(), new.bytes);
        let read = world.task_call(wait_for(0, Some(name)));
        assert_eq!(read.expect_err("nor once it is complete").code, ErrorCode::FileChanged);
        let Ok(Answer::Chunk(found, 0)) = world.task_call(wait_for(0, None)) else { panic!("no chunk") };
        assert_eq!(found.length, new.bytes.len() as u64);
    }
}
