//! Servers that answer otherwise than one would wish: late, too little, too much, nothing, or from elsewhere.

use longhaul::engine::error::ErrorCode;
use longhaul::engine::http::Resumability;
use longhaul::engine::task::{EventKind, TaskState, WaitReason};

use super::world::{File, Reply, World, at_home, failure, from};

const LEN: usize = 300_000;

#[test]
fn a_short_body_is_never_shown_as_finished() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, number| {
        let mut reply = file.answer(request);
        if number < 2 {
            // As if all were well, but ten bytes less than announced.
            reply.body.truncate(reply.body.len() - 100_000);
        }
        reply
    });
    world.download(at_home()).expect("accepted");
    assert_eq!(world.play(120_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
}

#[test]
fn a_body_that_stays_short_fails_with_its_own_code() {
    let file = File { etag: None, ..File::new(0, LEN) };
    let mut world = World::new(move |request, _| {
        let mut reply = file.answer(request);
        reply.body.truncate(1_000);
        reply
    });
    world.download(at_home()).expect("accepted");
    assert_eq!(failure(&world.play(3_600_000)), ErrorCode::LengthMismatch);
}

#[test]
fn a_body_that_is_longer_than_announced_is_refused() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, _| {
        let mut reply = file.answer(request);
        reply.body.push(0);
        reply
    });
    world.download(at_home()).expect("accepted");
    assert_eq!(failure(&world.play(60_000)), ErrorCode::BodyTooLong);
}

#[test]
fn a_zero_byte_file_is_a_file() {
    for status in [200, 206, 416, 204] {
        let mut world = World::new(move |request, _| match status {
            416 => File::new(0, 0).answer(request),
            204 => Reply::status(204),
            // RFC 9110 has no 206 for no bytes, but a 200 with Content-Length: 0.
            _ => Reply::status(200).with(|head| head.content_length = Some("0".into())),
        });
        world.download(at_home()).expect("accepted");
        let task = world.play(60_000);
        assert_eq!(task.record.state, TaskState::Completed, "{status}");
        assert_eq!(task.progress.received.len(), 0, "{status}");
        assert_eq!(world.kinds(), [EventKind::Completed { bytes: 0 }], "{status}");
    }
}

#[test]
fn an_unknown_length_ends_with_the_body_and_cannot_be_continued() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, number| {
        let whole = longhaul::engine::output::FetchRequest { range: None, if_range: None, ..request.clone() };
        let streamed = file.answer(&whole).with(|head| head.content_length = None);
        if number == 0 { streamed.cut_after(100_000) } else { streamed }
    });
    world.download(at_home()).expect("accepted");
    let task = world.play(120_000);
    assert_eq!(task.record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes, "nothing of the first body is left in it");
    let known = task.progress.representation.expect("known");
    assert_eq!((known.resumability, known.complete_length), (Resumability::SizeUnknown, Some(LEN as u64)));
}

#[test]
fn what_was_redirected_to_another_host_goes_on_there_and_needs_no_if_range() {
    let mut file = File::new(0, LEN);
    file.last_modified = Some("Sun, 06 Nov 1994 08:49:37 GMT");
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, number| {
        // Asked at home, answered elsewhere: CORS hides what it always hides.
        let away = file.answer_hidden(request).with(|head| {
            head.final_url = Some("https://cdn.example/f?signature=secret-signature".into());
        });
        if number == 0 { away.cut_after(100_000) } else { away }
    });
    world.download(at_home()).expect("accepted");
    let task = world.play(120_000);
    assert_eq!(task.record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
    assert_eq!(world.requests[1].url, "https://cdn.example/f?signature=secret-signature");
    assert_eq!(world.requests[1].if_range, None, "across origins it would need a preflight");
    let answer = task.progress.answer.expect("kept");
    assert_eq!(answer.final_url.as_deref(), Some("https://cdn.example/f"), "without its signature");
}

#[test]
fn retry_after_is_kept_whatever_else_happens() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, number| match number {
        0 => Reply::status(429).with(|head| head.retry_after = Some("120".into())),
        _ => file.answer(request),
    });
    world.download(at_home()).expect("accepted");
    let asked_at = world.now;
    let task = world.play(1_000);
    let TaskState::Active { not_before, reason } = task.record.state else { panic!("{:?}", task.record.state) };
    assert_eq!(reason, Some(WaitReason::ServerAsked));
    // Not all who were told so come at one time.
    assert!((120_000..136_000).contains(&(not_before.0 - asked_at)), "{} ms", not_before.0 - asked_at);
    // Back online, page visible: nothing that concerns this server.
    world.kick();
    world.until(|world| world.requests.len() == 2);
    assert!(world.now >= asked_at + 120_000, "asked again after {} ms", world.now - asked_at);
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
}

#[test]
fn passing_troubles_are_waited_out_and_lasting_ones_are_not() {
    for status in [408, 425, 429, 500, 502, 503, 504, 521] {
        let file = File::new(0, LEN);
        let mut world = World::new(move |request, number| match number {
            0..3 => Reply::status(status),
            _ => file.answer(request),
        });
        world.download(at_home()).expect("accepted");
        assert_eq!(world.play(3_600_000).record.state, TaskState::Completed, "{status}");
    }
    for (status, times) in [(304, 1), (400, 2), (404, 2), (410, 1), (501, 2)] {
        let mut world = World::new(move |_, _| Reply::status(status));
        world.download(at_home()).expect("accepted");
        assert_eq!(failure(&world.play(3_600_000)), ErrorCode::HttpStatus, "{status}");
        assert_eq!(world.requests.len(), times, "{status}: once more without a range, if that may be why");
    }
}

#[test]
fn a_stall_counts_as_a_cut() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, number| {
        let mut reply = file.answer(request);
        if number < 2 {
            reply.body.truncate(if number == 0 { 100_000 } else { 0 });
            reply.stalls = true;
        }
        reply
    });
    world.download(at_home()).expect("accepted");
    assert_eq!(world.play(600_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
    assert_eq!(world.requests.len(), 3);
}

#[test]
fn a_server_without_cors_headers_is_told_from_being_offline() {
    let mut world = World::new(|_, _| Reply::unreachable(true));
    world.download(from("https://cdn.example/f")).expect("accepted");
    assert_eq!(failure(&world.play(60_000)), ErrorCode::CorsBlocked);
    assert_eq!(world.probes.len(), 4, "once may be an accident");
    let carries_range: Vec<bool> = world.requests.iter().map(|request| request.range.is_some()).collect();
    assert_eq!(carries_range, [true, true, false, false], "a coding may be why, which browsers refuse to a range");

    let mut world = World::new(|_, _| Reply::unreachable(true));
    world.reachable = false;
    world.download(from("https://cdn.example/f")).expect("accepted");
    let task = world.play(60_000);
    assert!(task.record.state.is_active(), "a server that is down may come back: {:?}", task.record.state);
}

#[test]
fn being_offline_waits_and_costs_no_attempts() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, number| match number {
        0..100 => Reply::unreachable(false),
        _ => file.answer(request),
    });
    world.download(from("https://cdn.example/f")).expect("accepted");
    let task = world.play(1_000);
    assert!(matches!(task.record.state, TaskState::Active { reason: Some(WaitReason::Offline), .. }));
    assert_eq!(world.play(24 * 3_600_000).record.state, TaskState::Completed);
    assert_eq!(world.probes.len(), 0);
}
