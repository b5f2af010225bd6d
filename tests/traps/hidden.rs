//! Servers of other origins that send no more than so much at a time, while CORS hides `Content-Range`.

use longhaul::engine::error::ErrorCode;
use longhaul::engine::output::FetchRequest;
use longhaul::engine::task::{Proof, TaskSpec, TaskState};

use super::proof::{expected, pieces};
use super::world::{File, Reply, World, failure, from};

const LEN: usize = 400_000;
const HOUR_MS: u64 = 60 * 60_000;
const MONDAY: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

/// A part of at most so many bytes, or all of it where no range is asked for.
fn in_parts(file: &File, most: u64, request: &FetchRequest) -> Reply {
    let range = request.range.map(|(start, end)| (start, Some(end.unwrap_or(u64::MAX).min(start + most))));
    file.answer_hidden(&FetchRequest { range, ..request.clone() })
}

fn dated(date: Option<&'static str>) -> File {
    File { last_modified: date, ..File::new(0, LEN) }
}

#[test]
fn a_part_is_not_taken_for_the_file() {
    for date in [None, Some(MONDAY)] {
        let file = dated(date);
        let bytes = file.bytes.clone();
        let mut world = World::new(move |request, _| in_parts(&file, 100_000, request));
        world.download(from("https://cdn.example/f")).expect("accepted");
        let task = world.play(HOUR_MS);
        assert_eq!(task.record.state, TaskState::Completed, "{date:?}");
        assert!(world.file() == bytes, "{} of {LEN} bytes", world.file().len());
        assert_eq!(world.ranges(), [Some((0, None)), Some((99_999, Some(100_001))), None], "{date:?}");
    }
}

#[test]
fn a_part_is_not_judged_by_digests_of_the_file() {
    let proofs = |bytes: &[u8]| {
        [Proof { expected: expected(bytes), ..Proof::default() }, Proof { pieces: pieces(bytes), ..Proof::default() }]
    };
    for proof in proofs(&dated(None).bytes) {
        let file = dated(Some(MONDAY));
        let bytes = file.bytes.clone();
        let mut world = World::new(move |request, _| in_parts(&file, 100_000, request));
        world.download(TaskSpec { proof: proof.clone(), ..from("https://cdn.example/f") }).expect("accepted");
        assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed, "{proof:?}");
        assert!(world.file() == bytes, "{proof:?}");
        assert_eq!(world.requests.len(), 3, "{proof:?}");
    }
}

#[test]
fn a_part_of_what_can_be_had_in_parts_only_fails() {
    let file = dated(Some(MONDAY));
    let mut world = World::new(move |request, _| match request.range {
        Some(_) => in_parts(&file, 100_000, request),
        None => Reply::status(400),
    });
    world.download(from("https://cdn.example/f")).expect("accepted");
    assert_eq!(failure(&world.play(HOUR_MS)), ErrorCode::BadContentRange);
    assert!(world.requests.len() < 8, "{} requests", world.requests.len());
}

#[test]
fn a_server_that_ignores_ranges_and_calls_its_file_a_part_sends_it_once() {
    let file = dated(Some(MONDAY));
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| {
        let reply = file.answer_hidden(&FetchRequest { range: None, ..request.clone() });
        if request.range.is_some() { reply.with(|head| head.status = 206) } else { reply }
    });
    world.download(from("https://cdn.example/f")).expect("accepted");
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
    assert!(world.file() == bytes);
    assert_eq!((world.requests.len(), world.kinds().len()), (3, 1), "it does not begin anew");
}

#[test]
fn a_server_that_calls_its_file_a_part_whatever_is_asked_tells_no_length() {
    let file = dated(Some(MONDAY));
    let mut world = World::new(move |request, _| {
        file.answer_hidden(&FetchRequest { range: None, ..request.clone() }).with(|head| head.status = 206)
    });
    world.download(from("https://cdn.example/f")).expect("accepted");
    assert_eq!(failure(&world.play(HOUR_MS)), ErrorCode::BadContentRange);
    assert_eq!(world.requests.len(), 3);
}

#[test]
fn parts_only_are_taken_one_after_the_other_if_a_digest_will_prove_them() {
    for (is_right, date) in [(true, None), (true, Some(MONDAY)), (false, None)] {
        let file = dated(date);
        let bytes = file.bytes.clone();
        let mut spec = from("https://cdn.example/f");
        spec.proof.expected = expected(if is_right { &bytes } else { &bytes[1..] });
        let mut world = World::new(move |request, _| match request.range {
            Some(_) => in_parts(&file, 150_000, request),
            None => Reply::status(400),
        });
        world.download(spec).expect("accepted");
        let task = world.play(HOUR_MS);
        let starts: Vec<_> = world.ranges().into_iter().map(|range| range.map(|(start, _)| start)).collect();
        // What came first is the first part.
        assert_eq!(starts, [Some(0), Some(149_999), None, Some(150_000), Some(300_000), Some(400_000)]);
        match is_right {
            true => assert!(task.record.state == TaskState::Completed && world.file() == bytes),
            false => assert_eq!(failure(&task), ErrorCode::DigestMismatch),
        }
    }
}

#[test]
fn one_request_shows_that_a_file_is_as_long_as_it_seems() {
    for date in [None, Some(MONDAY)] {
        let file = dated(date);
        let bytes = file.bytes.clone();
        let mut world = World::new(move |request, _| file.answer_hidden(request));
        world.download(from("https://cdn.example/f")).expect("accepted");
        assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
        assert!(world.file() == bytes);
        assert_eq!(world.ranges(), [Some((0, None)), Some((LEN as u64 - 1, Some(LEN as u64 + 1)))]);
    }
}

#[test]
fn what_the_app_says_of_the_length_spares_that_request() {
    let file = dated(None);
    let mut world = World::new(move |request, _| file.answer_hidden(request));
    let mut spec = from("https://cdn.example/f");
    spec.expects.length = Some(LEN as u64);
    world.download(spec).expect("accepted");
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
    assert_eq!(world.ranges(), [Some((0, None))]);
}

#[test]
fn a_kill_before_the_length_is_known_costs_no_byte() {
    let file = dated(Some(MONDAY));
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, number| match number {
        1 => Reply::unreachable(true),
        _ => file.answer_hidden(request),
    });
    world.download(from("https://cdn.example/f")).expect("accepted");
    world.until(|world| world.requests.len() == 2);
    world.kill();
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
    assert!(world.file() == bytes);
    assert_eq!(world.ranges().iter().filter(|range| **range == Some((0, None))).count(), 1);
}

#[test]
fn another_version_at_the_end_is_another_version() {
    let files =
        [dated(Some(MONDAY)), File { last_modified: Some("Tue, 08 Nov 1994 08:49:37 GMT"), ..File::new(1, LEN) }];
    let bytes = files[1].bytes.clone();
    let mut world = World::new(move |request, number| files[number.min(1)].answer_hidden(request));
    world.download(from("https://cdn.example/f")).expect("accepted");
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
    assert!(world.file() == bytes);
}

#[test]
fn a_server_that_ignores_the_range_at_the_end_tells_the_length_as_well() {
    let file = dated(Some(MONDAY));
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, number| match number {
        0 => file.answer_hidden(request),
        _ => file.answer_hidden(&FetchRequest { range: None, ..request.clone() }),
    });
    world.download(from("https://cdn.example/f")).expect("accepted");
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
    assert!(world.file() == bytes);
    assert_eq!(world.requests.len(), 2);
}
