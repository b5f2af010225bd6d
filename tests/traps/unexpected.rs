//! Answers that are not the file, as far as the app's word and what is kept tell, and versions that prove themselves before
//! the old one goes.

use longhaul::engine::error::ErrorCode;
use longhaul::engine::http::RestartReason;
use longhaul::engine::input::TaskCall;
use longhaul::engine::output::FetchRequest;
use longhaul::engine::task::{EventKind, TaskState, WaitReason};

use super::proof::expected;
use super::world::{File, Reply, World, at_home, failure, from};

const LEN: usize = 400_000;
const HOUR_MS: u64 = 60 * 60_000;

/// A page to log in, with status 200.
fn page() -> Reply {
    Reply { body: b"<h1>Log in</h1>".to_vec(), ..File::new(0, 15).answer(&FetchRequest::default()) }.with(|head| {
        head.etag = None;
        head.content_type = Some("text/html; charset=utf-8".into());
    })
}

fn audio(reply: Reply) -> Reply {
    reply.with(|head| head.content_type = Some("audio/mpeg".into()))
}

/// The file as a server sends it that tells no length.
fn untold(file: &File) -> Reply {
    file.answer(&FetchRequest::default()).with(|head| head.content_length = None)
}

#[test]
fn a_page_in_place_of_a_file_is_not_taken_for_it_if_the_app_says_what_it_accepts() {
    for can_authorize in [false, true] {
        let file = File::new(0, LEN);
        let bytes = file.bytes.clone();
        let mut world =
            World::new(move |request, number| if number < 2 { page() } else { audio(file.answer(request)) });
        world.open_session(can_authorize);
        let mut spec = at_home();
        spec.expects.accept = vec!["audio/*".into()];
        world.download(spec).expect("accepted");
        if can_authorize {
            world.wait(1_000);
            let state = world.task().expect("there is a task").record.state;
            assert!(matches!(state, TaskState::Active { reason: Some(WaitReason::Authorization), .. }), "{state:?}");
            assert_eq!(world.requests.len(), 1, "the app is asked before the server is asked again");
        }
        assert_eq!(world.play(3 * HOUR_MS).record.state, TaskState::Completed);
        assert_eq!(world.file(), bytes);
    }
}

#[test]
fn a_page_that_stays_fails_the_task_with_a_code_of_its_own() {
    let mut world = World::new(|_, _| page());
    let mut spec = at_home();
    spec.expects.accept = vec!["audio/*".into()];
    spec.policy.max_failures = 3;
    world.attach("page", false);
    world.download(spec).expect("accepted");
    let task = world.play(HOUR_MS);
    let TaskState::Failed(error) = &task.record.state else { panic!("{:?}", task.record.state) };
    assert_eq!((error.code, error.status), (ErrorCode::UnexpectedContent, Some(200)));
    assert_eq!(error.detail.as_deref(), Some("text/html; charset=utf-8"));
    assert_eq!(world.requests.len(), 3);
}

#[test]
fn a_file_of_another_length_than_the_app_says_is_not_taken_for_it() {
    for (url, told) in [("https://app.example/f", Some("400000 bytes")), ("https://cdn.example/f", None)] {
        let file = File::new(0, LEN);
        let hides = told.is_none();
        let answer =
            move |request: &FetchRequest| if hides { file.answer_hidden(request) } else { file.answer(request) };
        let mut world = World::new(move |request, _| answer(request));
        let mut spec = from(url);
        spec.expects.length = Some(LEN as u64 + 1);
        spec.policy.max_failures = 2;
        world.download(spec).expect("accepted");
        let task = world.play(HOUR_MS);
        let TaskState::Failed(error) = &task.record.state else { panic!("{:?}", task.record.state) };
        // Across origins the length may be that of coded bytes: only the end tells.
        let code = if hides { ErrorCode::LengthMismatch } else { ErrorCode::UnexpectedContent };
        assert_eq!((error.code, error.detail.as_deref()), (code, told), "{url}");
    }
}

#[test]
fn an_end_that_comes_early_is_no_end_where_the_app_knows_the_length() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |_, number| {
        let reply = untold(&file);
        // The stream ends as if it were complete: what WebKit makes of an answer in chunks that is cut.
        if number < 2 { Reply { body: reply.body[..100_000].to_vec(), ..reply } } else { reply }
    });
    let mut spec = at_home();
    spec.expects.length = Some(LEN as u64);
    world.download(spec).expect("accepted");
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
    assert_eq!((world.file(), world.requests.len()), (bytes, 3));
}

#[test]
fn more_bytes_than_the_app_knows_of_are_no_file_either() {
    let mut world = World::new(|_, _| untold(&File::new(0, LEN)));
    let mut spec = at_home();
    spec.expects.length = Some(LEN as u64 - 1);
    world.download(spec).expect("accepted");
    assert_eq!(failure(&world.play(HOUR_MS)), ErrorCode::BodyTooLong);
}

/// A world whose server cuts its first answer, so that so many bytes are kept of it, and answers all others with `next`.
fn with_kept(bytes: usize, next: impl Fn(&FetchRequest, usize) -> Reply + 'static) -> World {
    let first = File::new(0, LEN);
    let mut world = World::new(move |request, number| match number {
        0 => first.answer(request).cut_after(bytes),
        number => next(request, number),
    });
    world.download(at_home()).expect("accepted");
    world
}

#[test]
fn a_version_that_cannot_be_had_costs_no_byte_of_the_one_before() {
    // The new version is cut before as much is kept of it; then the server has the old one again.
    let (old, new) = (File::new(0, LEN), File::new(1, LEN));
    let bytes = old.bytes.clone();
    let mut world = with_kept(300_000, move |request, number| match number {
        1 => new.answer(request).cut_after(100_000),
        _ => old.answer(request),
    });
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
    let begun_at: Vec<_> = world.ranges().iter().map(|range| range.map(|(start, _)| start)).collect();
    assert_eq!(begun_at.last(), Some(&Some(300_000)), "{begun_at:?}");
    assert_eq!(world.bodies(), 1);
}

#[test]
fn a_version_that_fails_leaves_the_bytes_of_the_one_before_to_be_gone_on_with() {
    let (old, new) = (File::new(0, LEN), File::new(1, LEN));
    let bytes = old.bytes.clone();
    let mut world = with_kept(300_000, move |request, number| match number {
        1 => new.answer(request).cut_after(100_000),
        _ => Reply::status(404),
    });
    let task = world.play(HOUR_MS);
    assert_eq!(failure(&task), ErrorCode::HttpStatus);
    assert_eq!((task.progress.received.len(), task.progress.aside), (300_000, None));
    world.serve(move |request, _| old.answer(request));
    world.task_call(TaskCall::Resume).expect("it resumes");
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
    assert_eq!((world.file(), world.bodies()), (bytes, 1));
}

#[test]
fn a_version_has_proved_itself_when_as_much_is_kept_of_it() {
    let new = File::new(1, LEN);
    let bytes = new.bytes.clone();
    let mut world = with_kept(100_000, move |request, number| match number {
        1 => new.answer(request).cut_after(50_000),
        2 => new.answer(request).cut_after(100_000),
        _ => new.answer(request),
    });
    world.until(|world| world.task().is_some_and(|task| task.progress.received.len() == 50_000));
    assert!(world.task().is_some_and(|task| task.progress.aside.is_some()));
    world.until(|world| world.task().is_some_and(|task| task.progress.received.len() >= 100_000));
    assert!(world.task().is_some_and(|task| task.progress.aside.is_none()));
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
    assert_eq!((world.file(), world.bodies()), (bytes, 1));
    let restarts = world.kinds().into_iter().filter(|kind| matches!(kind, EventKind::Restarted(_)));
    assert_eq!(restarts.collect::<Vec<_>>(), [EventKind::Restarted(RestartReason::Changed)]);
}

#[test]
fn a_server_that_forgets_its_ranges_for_a_while_costs_no_byte_that_is_kept() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = with_kept(300_000, move |request, number| match number {
        1 => file.answer(&FetchRequest { range: None, ..request.clone() }).cut_after(100_000),
        _ => file.answer(request),
    });
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
    assert_eq!(world.ranges().last(), Some(&Some((300_000, None))));
    assert_eq!(world.bodies(), 1);
}

#[test]
fn without_room_for_both_the_bytes_of_the_version_before_go() {
    let new = File::new(1, LEN);
    let bytes = new.bytes.clone();
    let mut world = with_kept(300_000, move |request, _| new.answer(request));
    world.capacity = Some(450_000);
    assert_eq!(world.play(24 * HOUR_MS).record.state, TaskState::Completed);
    assert_eq!((world.file(), world.bodies()), (bytes, 1));
}

#[test]
fn a_task_that_is_ended_takes_what_was_set_aside_along() {
    for call in [TaskCall::Cancel { keep: false }, TaskCall::Cancel { keep: true }] {
        let new = File::new(1, LEN);
        let mut world = with_kept(300_000, move |request, _| new.answer(request).cut_after(100_000));
        world.until(|world| world.task().is_some_and(|task| task.progress.aside.is_some()));
        let keeps = call == TaskCall::Cancel { keep: true };
        world.task_call(call).expect("it is ended");
        assert_eq!(world.bodies(), usize::from(keeps), "resume data names the one with more bytes");
    }
}

#[test]
fn a_version_whose_digest_is_wrong_costs_no_byte_of_the_one_before() {
    let (old, new) = (File::new(0, LEN), File::new(1, LEN));
    let bytes = old.bytes.clone();
    let first = File::new(0, LEN);
    let mut world = World::new(move |request, number| match number {
        0 => first.answer(request).cut_after(300_000),
        1 => new.answer(request),
        _ => old.answer(request),
    });
    let mut spec = at_home();
    spec.proof.expected = expected(&bytes);
    world.download(spec).expect("accepted");
    let task = world.play(HOUR_MS);
    assert_eq!((failure(&task), task.progress.received.len()), (ErrorCode::DigestMismatch, 300_000));
    world.task_call(TaskCall::Resume).expect("it resumes");
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
    assert_eq!((world.file(), world.bodies()), (bytes, 1));
    assert_eq!(world.ranges().last(), Some(&Some((300_000, None))));
}

#[test]
fn nothing_in_place_of_the_rest_of_a_file_is_no_version_of_it() {
    for status in [200, 204] {
        let file = File::new(0, LEN);
        let bytes = file.bytes.clone();
        let mut world = with_kept(300_000, move |request, number| match number {
            1..3 => Reply::status(status).with(|head| head.content_length = Some("0".into())),
            _ => file.answer(request),
        });
        world.attach("page", false);
        let task = world.play(HOUR_MS);
        assert_eq!((task.record.state, task.progress.restarts), (TaskState::Completed, 0), "{status}");
        assert_eq!(world.file(), bytes);
    }
}

#[test]
fn a_page_that_tells_no_length_is_found_out_at_its_end() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = with_kept(300_000, move |request, number| match number {
        1 => page().with(|head| (head.content_length, head.content_type) = (None, None)),
        _ => file.answer(request),
    });
    world.attach("page", false);
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
    assert_eq!((world.file(), world.bodies()), (bytes, 1));
    assert_eq!(world.ranges().last(), Some(&Some((300_000, None))));
}

#[test]
fn what_was_made_without_any_bytes_is_not_the_file() {
    for status in [201, 202] {
        let mut world =
            World::new(move |_, _| Reply::status(status).with(|head| head.content_length = Some("0".into())));
        world.download(at_home()).expect("accepted");
        assert_eq!(failure(&world.play(HOUR_MS)), ErrorCode::HttpStatus, "{status}");
    }
}
