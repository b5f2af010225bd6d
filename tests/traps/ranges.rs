//! Offsets: what is asked for, and what comes.

use longhaul::engine::http::{RestartReason, Resumability};
use longhaul::engine::task::{EventKind, TaskState};

use super::world::{File, Reply, World, at_home, from};

const LEN: usize = 500_000;

/// The first answer is cut; all others are as `then` says.
fn cut_once(file: File, then: impl Fn(&File, &longhaul::engine::output::FetchRequest) -> Reply + 'static) -> World {
    World::new(move |request, number| match number {
        0 => file.answer(request).cut_after(200_000),
        _ => then(&file, request),
    })
}

fn restarts(world: &World) -> Vec<RestartReason> {
    world
        .kinds()
        .into_iter()
        .filter_map(|kind| if let EventKind::Restarted(reason) = kind { Some(reason) } else { None })
        .collect()
}

#[test]
fn a_kill_resumes_at_the_last_durable_byte_and_not_at_a_remembered_one() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| file.answer(request));
    world.download(at_home()).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| task.progress.received.len() >= 100_000));
    let durable = world.task().expect("stored").progress.received.len();
    world.kill();
    world.until(|world| world.requests.len() == 2);
    assert_eq!(world.ranges()[1], Some((durable, None)), "the next request begins where storage ends");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
}

#[test]
fn a_200_to_a_resume_is_the_whole_file_and_not_its_rest() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = cut_once(file, |file, request| {
        let whole = longhaul::engine::output::FetchRequest { range: None, ..request.clone() };
        file.answer(&whole)
    });
    world.download(at_home()).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
    assert_eq!(restarts(&world), [RestartReason::RangesRefused]);
}

#[test]
fn another_range_than_asked_is_never_put_in_its_place() {
    for shift in [-1_i64, 1, -200_000] {
        let file = File::new(0, LEN);
        let bytes = file.bytes.clone();
        let mut world = cut_once(file, move |file, request| {
            let shifted = request.range.map(|(start, end)| (start.saturating_add_signed(shift), end));
            file.answer(&longhaul::engine::output::FetchRequest { range: shifted, ..request.clone() })
        });
        world.download(at_home()).expect("accepted");
        assert_eq!(world.play(60_000).record.state, TaskState::Completed, "shifted by {shift}");
        assert_eq!(world.file(), bytes, "shifted by {shift}");
    }
}

#[test]
fn a_shorter_range_than_asked_is_taken_for_what_it_is() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| {
        let short = request.range.map(|(start, _)| (start, Some((start + 70_000).min(LEN as u64))));
        file.answer(&longhaul::engine::output::FetchRequest { range: short, ..request.clone() })
    });
    world.download(at_home()).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
    assert_eq!(world.requests.len(), LEN.div_ceil(70_000), "each request went on where the last one ended");
}

#[test]
fn a_gzip_coded_range_has_no_usable_offsets() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| {
        let honest = file.answer(request);
        if request.range.is_some() { honest.with(|head| head.content_encoding = Some("gzip".into())) } else { honest }
    });
    world.download(at_home()).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
    assert_eq!(world.ranges().last(), Some(&None), "it was asked for without a range in the end");
}

#[test]
fn a_multipart_answer_is_no_file() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| {
        let honest = file.answer(request);
        let kind = request.range.map(|_| "multipart/byteranges; boundary=b".into());
        honest.with(|head| head.content_type = kind)
    });
    world.download(at_home()).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
}

#[test]
fn a_content_range_that_cors_hides_is_lived_with() {
    let mut file = File::new(0, LEN);
    file.last_modified = Some("Sun, 06 Nov 1994 08:49:37 GMT");
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, number| match number {
        0 => file.answer_hidden(request).cut_after(200_000),
        _ => file.answer_hidden(request),
    });
    world.download(from("https://cdn.example/f")).expect("accepted");
    let task = world.play(60_000);
    assert_eq!(task.record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
    assert_eq!(restarts(&world), [], "it was continued");
    assert_eq!(world.requests[1].if_range, None, "If-Range would need a preflight");
    let known = task.progress.representation.expect("known");
    assert_eq!(known.resumability, Resumability::ResumableByComparison);
}

#[test]
fn a_416_at_the_exact_end_loses_nothing() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    // Everything has come, but the connection breaks before the body ends, and the server does not know the length.
    let mut world = World::new(move |request, number| match number {
        0 => {
            let mut cut = file.answer(request).cut_after(LEN);
            cut.body.truncate(LEN - 1);
            cut
        }
        1 => {
            file.answer(&longhaul::engine::output::FetchRequest { range: Some((LEN as u64, None)), ..request.clone() })
        }
        _ => file.answer(request),
    });
    world.download(at_home()).expect("accepted");
    assert_eq!(world.play(120_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
}

#[test]
fn a_file_that_is_there_is_not_asked_for_again_after_a_kill() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    // The last byte is durable, the end of the body never comes.
    let mut world = World::new(move |request, _| {
        let mut reply = file.answer(request);
        reply.stalls = true;
        reply
    });
    world.download(at_home()).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| task.progress.received.len() == LEN as u64));
    world.kill();
    assert_eq!(world.play(1_000).record.state, TaskState::Completed);
    assert_eq!(world.requests.len(), 1);
    assert_eq!(world.file(), bytes);
}

#[test]
fn offsets_beyond_four_gigabytes_are_whole_numbers() {
    const LENGTH: u64 = 5 << 30;
    let mut world = World::new(|request, _| {
        let (start, _) = request.range.expect("a range");
        let file = File::new(0, 0);
        file.answer(request).with(|head| {
            head.status = 206;
            head.content_range = Some(format!("bytes {start}-{}/{LENGTH}", LENGTH - 1));
            head.content_length = Some((LENGTH - start).to_string());
        })
    });
    world.serve(|request, _| {
        let (start, _) = request.range.expect("a range");
        let mut reply = File::new(0, 1).answer(&longhaul::engine::output::FetchRequest::default());
        reply = reply.with(|head| {
            head.status = 206;
            head.content_range = Some(format!("bytes {start}-{}/{LENGTH}", LENGTH - 1));
            head.content_length = Some((LENGTH - start).to_string());
        });
        // A body of zeros, as long as it takes.
        reply.body = vec![0; 3 << 20];
        reply.stalls = true;
        reply
    });
    let mut spec = at_home();
    spec.policy.max_segments = 2;
    world.download(spec).expect("accepted");
    world.until(|world| world.requests.len() == 2);
    let (start, end) = world.ranges()[1].expect("a range");
    assert!(start > u64::from(u32::MAX) / 2 && end.is_none(), "the second half: {start}");
}
