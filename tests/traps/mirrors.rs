//! Several segments, and several servers.

use std::cell::Cell;
use std::rc::Rc;

use longhaul::engine::error::ErrorCode;
use longhaul::engine::input::TaskCall;
use longhaul::engine::output::Answer;
use longhaul::engine::task::TaskState;

use super::proof::expected;
use super::world::{File, Reply, World, at_home, failure, key, source};

const LEN: usize = 12 << 20;

fn spec(segments: u32, mirrors: &[&str]) -> longhaul::engine::task::TaskSpec {
    let mut spec = at_home();
    spec.policy.max_segments = segments;
    spec.sources.extend(mirrors.iter().map(|url| source(url)));
    spec
}

#[test]
fn segments_never_fetch_a_byte_twice_and_the_last_is_open_ended() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| file.answer(request));
    world.download(spec(2, &[])).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
    assert!(world.requests.len() >= 2, "one request only");
    let ranges: Vec<_> = world.ranges().into_iter().flatten().collect();
    assert!(ranges.iter().skip(1).any(|(_, end)| end.is_none()), "the last slice is open-ended: {ranges:?}");
    assert!(world.bytes_sent <= LEN as u64 + world.read_bytes, "{} bytes came", world.bytes_sent);
}

#[test]
fn a_segment_that_is_refused_does_not_harm_the_others() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, number| match number {
        0 => file.answer(request),
        1..4 => Reply::status(429),
        _ => file.answer(request),
    });
    world.download(spec(2, &[])).expect("accepted");
    let task = world.play(60_000);
    assert_eq!(task.record.state, TaskState::Completed);
    assert_eq!(task.progress.failures, 0);
    assert_eq!(world.file(), bytes);
}

#[test]
fn a_mirror_that_serves_the_same_is_used_side_by_side() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| file.answer(request).with(|head| head.all_headers_readable = true));
    world.download(spec(2, &["https://mirror.example/f"])).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
    assert!(world.requests.iter().any(|request| request.url.starts_with("https://mirror.example/")));
}

#[test]
fn a_mirror_that_serves_something_else_is_dropped_without_losing_a_byte() {
    let (file, other) = (File::new(0, LEN), File::new(1, LEN));
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| {
        let from = if request.url.starts_with("https://mirror.example/") { &other } else { &file };
        from.answer(request).with(|head| head.all_headers_readable = true)
    });
    world.download(spec(2, &["https://mirror.example/f"])).expect("accepted");
    let task = world.play(60_000);
    assert_eq!(task.record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
    assert_eq!(task.progress.restarts, 0);
    let asked = |world: &World| world.requests.iter().filter(|request| request.url.contains("mirror.example")).count();
    assert_eq!(asked(&world), 1, "it was asked once, and never again");
}

#[test]
fn a_mirror_that_was_dropped_stays_dropped_after_a_kill() {
    let (file, other) = (File::new(0, LEN), File::new(1, LEN));
    let mut world = World::new(move |request, _| {
        let from = if request.url.contains("mirror.example") { &other } else { &file };
        from.answer(request).with(|head| head.all_headers_readable = true)
    });
    world.download(spec(2, &["https://mirror.example/f"])).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| task.progress.bad_sources != 0));
    world.kill();
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    let asked = world.requests.iter().filter(|request| request.url.contains("mirror.example")).count();
    assert_eq!(asked, 1);
}

#[test]
fn a_mirror_that_agrees_by_date_alone_is_no_source_where_strong_validators_are_demanded() {
    let mut file = File::new(0, LEN);
    file.last_modified = Some("Sun, 06 Nov 1994 08:49:37 GMT");
    let same = file.clone();
    let mut world = World::new(move |request, _| {
        let is_mirror = request.url.contains("mirror.example");
        same.answer(request).with(|head| {
            head.all_headers_readable = true;
            head.etag = head.etag.take().filter(|_| !is_mirror);
        })
    });
    let mut spec = spec(2, &["https://mirror.example/f"]);
    spec.strong_only = true;
    world.download(spec).expect("accepted");
    let task = world.play(60_000);
    assert_eq!(task.record.state, TaskState::Completed);
    assert_eq!(task.progress.bad_sources, 0b10, "the mirror was dropped");
    assert_eq!(world.file(), file.bytes);
}

#[test]
fn a_mirror_steps_in_when_the_server_is_gone() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| match request.url.starts_with("https://mirror.example/") {
        true => file.answer(request).with(|head| head.all_headers_readable = true),
        false => Reply::status(404),
    });
    world.download(spec(1, &["https://mirror.example/f"])).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
}

#[test]
fn every_segment_survives_a_kill() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| file.answer(request));
    world.read_bytes = 256 << 10;
    world.download(spec(2, &[])).expect("accepted");
    let pieces = |world: &World| world.task().map_or(0, |task| task.progress.received.iter().count());
    world.until(|world| pieces(world) >= 2);
    let durable = world.task().expect("stored").progress.received;
    let before = world.requests.len();
    world.kill();
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
    for (start, end) in world.ranges().into_iter().skip(before).flatten() {
        let gap = durable.gap_from(start, LEN as u64).expect("something is missing behind it");
        assert_eq!(gap.start, start, "a durable byte is asked for again");
        assert!(end.unwrap_or(LEN as u64) <= gap.end, "{start}..{end:?} runs over durable bytes");
    }
}

#[test]
fn a_mirror_whose_length_cors_hides_must_show_it_all_the_same() {
    let dated = |len| File { etag: None, last_modified: Some("Mon, 07 Nov 1994 08:49:37 GMT"), ..File::new(0, len) };
    for longer_by in [0, 10] {
        let (file, other) = (dated(LEN), dated(LEN + longer_by));
        let bytes = file.bytes.clone();
        let mut world = World::new(move |request, _| match request.url.contains("mirror.example") {
            true => other.answer_hidden(request),
            false => file.answer(request),
        });
        world.download(spec(3, &["https://mirror.example/f"])).expect("accepted");
        let task = world.play(60_000);
        assert_eq!(task.record.state, TaskState::Completed);
        assert_eq!(world.file(), bytes);
        assert_eq!(task.progress.bad_sources != 0, longer_by > 0, "{longer_by} bytes longer");
        assert!(world.requests.iter().any(|request| request.url.contains("mirror.example")), "it was asked");
    }
}

#[test]
fn a_server_that_is_asked_after_its_mirror_must_show_its_length_as_well() {
    let dated = |number, len| File {
        etag: None,
        last_modified: Some("Mon, 07 Nov 1994 08:49:37 GMT"),
        ..File::new(number, len)
    };
    for (number, longer_by) in [(0, 0), (1, 10)] {
        let (file, other) = (dated(0, LEN), dated(number, LEN + longer_by));
        let bytes = file.bytes.clone();
        let is_busy = Rc::new(Cell::new(true));
        let is_still_busy = is_busy.clone();
        let mut world = World::new(move |request, _| match request.url.contains("far.example") {
            true if is_still_busy.get() => Reply::status(503),
            true => file.answer_hidden(request),
            false if is_still_busy.get() => other.answer(request),
            false => Reply::status(404),
        });
        world.hold_answers(1 << 20);
        world.read_bytes = 100_000;
        let mut spec = at_home();
        spec.sources.insert(0, source("https://far.example/f"));
        world.download(spec).expect("accepted");
        // The mirror brings the file's two ends, each to a reader, and then it is gone.
        for offset in [0, LEN as u64 - 1_000] {
            let read = world.task_call(TaskCall::Chunk { offset, body: None, waits: true });
            assert!(matches!(read, Ok(Answer::Chunk(..))), "{read:?}");
        }
        world.until(|world| {
            world.task().is_some_and(|task| task.progress.received.contains(&(LEN as u64 - 1..LEN as u64)))
        });
        is_busy.set(false);
        assert_eq!(world.play(60 * 60_000).record.state, TaskState::Completed);
        assert!(world.file() == bytes, "{longer_by} bytes longer");
    }
}

#[test]
fn a_mirror_that_wants_to_know_who_asks_is_left_alone() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, number| match number {
        0 => Reply::status(503),
        _ if request.url.contains("mirror") => Reply::status(403),
        _ => file.answer(request),
    });
    let mut spec = at_home();
    spec.sources.push(source("https://mirror.example/f"));
    world.download(spec).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed, "no page was asked for headers");
    assert_eq!((world.file(), world.asked.len()), (bytes, 0));
}

#[test]
fn wrong_bytes_are_not_claimed_when_the_file_has_begun_anew_too_often() {
    let (file, other) = (File::new(0, 400_000), File::new(1, 400_000));
    let served = file.clone();
    let mut world = World::new(move |request, _| served.answer(request));
    world.read_bytes = 100_000;
    let mut spec = spec(1, &["https://mirror.example/f"]);
    spec.proof.expected = expected(&other.bytes);
    world.download(spec).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| task.progress.received.len() >= 100_000));
    world.kill();
    let mut progress = world.task().expect("it is there").progress;
    progress.restarts_in_row = 100;
    world.put_progress(&key("t"), &progress);
    world.kill();
    let task = world.play(60_000);
    assert_eq!(failure(&task), ErrorCode::DigestMismatch);
    world.drain_all();
    assert_eq!(task.progress.received.len(), 0, "bytes that are wrong are of no use");
    assert_eq!(world.stored_bytes(), 0);
}
