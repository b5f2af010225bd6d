//! Tokens, signatures, and who may be told of them.

use longhaul::engine::error::ErrorCode;
use longhaul::engine::input::{Call, IfExists, TaskCall};
use longhaul::engine::output::FetchRequest;
use longhaul::engine::task::{TaskSpec, TaskState, WaitReason};

use super::world::{File, HOME, Reply, World, at_home, failure, from, key, source};

const LEN: usize = 400_000;

fn token(value: &str) -> Vec<(String, String)> {
    vec![("Authorization".into(), format!("Bearer {value}"))]
}

/// A server that wants the token `new` for all requests but the first, which is cut.
fn expiring(file: File) -> World {
    World::new(move |request, number| {
        let has = |value: &str| request.headers == token(value);
        match number {
            0 if has("old-secret") => file.answer(request).cut_after(150_000),
            _ if has("new-secret") => file.answer(request),
            _ => Reply::status(401),
        }
    })
}

fn waits_for_authorization(state: &TaskState) -> bool {
    matches!(state, TaskState::Active { reason: Some(WaitReason::Authorization), .. })
}

fn secret_spec() -> TaskSpec {
    let mut spec = at_home();
    spec.request.has_secrets = true;
    spec
}

#[test]
fn a_401_mid_way_throws_nothing_away() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = expiring(file);
    world.attach("page", true);
    world.download_with(secret_spec(), token("old-secret"), IfExists::Keep).expect("accepted");
    let task = world.play(5_000);
    assert!(waits_for_authorization(&task.record.state), "{:?}", task.record.state);
    let kept = task.progress.received.len();
    assert!(kept >= 100_000, "{kept} bytes are kept");
    let (_, need) = world.asked.last().expect("the page was asked");
    assert_eq!((need.url.as_str(), need.status), ("https://app.example/f", Some(401)), "without the query");

    let supplied =
        TaskCall::Authorize { origin: HOME.into(), headers: Some(token("new-secret")), persist: false, source: None };
    world.task_call(supplied).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
    assert_eq!(world.ranges().last(), Some(&Some((kept, None))), "it went on where it was");
}

#[test]
fn a_signed_url_that_expired_is_replaced_by_another() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, number| match number {
        0 => file.answer(request).cut_after(150_000),
        _ if request.url.ends_with("?sig=new") => file.answer(request),
        _ => Reply::status(403),
    });
    world.attach("page", true);
    world.download(from("https://app.example/f?sig=old")).expect("accepted");
    assert!(waits_for_authorization(&world.play(5_000).record.state));
    let source = Some(source("https://app.example/f?sig=new"));
    world
        .task_call(TaskCall::Authorize { origin: HOME.into(), headers: None, persist: false, source })
        .expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
}

#[test]
fn a_secret_is_never_stored_and_is_asked_for_after_a_kill() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, number| match number {
        0 => file.answer(request).cut_after(150_000),
        _ if request.headers == token("new-secret") => file.answer(request),
        _ => Reply::status(401),
    });
    world.attach("page", true);
    world.download_with(secret_spec(), token("old-secret"), IfExists::Keep).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| !task.progress.received.is_empty()));
    let rows = world.rows();
    assert!(!rows.windows(10).any(|window| window == b"old-secret"), "the token is in storage");
    world.kill();
    world.attach("page", true);
    let requests = world.requests.len();
    assert!(waits_for_authorization(&world.play(5_000).record.state));
    assert_eq!(world.requests.len(), requests, "it did not try without");
    assert_eq!(world.asked.last().map(|(_, need)| need.status), Some(None));
    let supplied =
        TaskCall::Authorize { origin: HOME.into(), headers: Some(token("new-secret")), persist: false, source: None };
    world.task_call(supplied).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
}

#[test]
fn a_task_that_could_not_go_on_without_secrets_is_refused_at_the_call() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, _| file.answer(request));
    world.attach("page", false);
    let refused = world.download_with(secret_spec(), token("old-secret"), IfExists::Keep);
    assert_eq!(refused.err().map(|error| error.code), Some(ErrorCode::AuthorizationNotDurable));
    assert_eq!(world.requests.len(), 0);
}

#[test]
fn headers_are_told_to_no_other_origin() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, number| match number {
        0 => Reply::status(404),
        _ => file.answer(request),
    });
    let mut spec = at_home();
    spec.request.headers = token("persisted");
    spec.sources.push(source("https://mirror.example/f"));
    world.download(spec).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    for request in &world.requests {
        let is_home = request.url.starts_with("https://app.example/");
        assert_eq!(!request.headers.is_empty(), is_home, "{request:?}");
    }
    assert!(world.requests.iter().any(|request| request.url.starts_with("https://mirror.example/")));
}

#[test]
fn headers_do_not_follow_a_task_to_another_origin() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, number| match number {
        0 => Reply::status(401),
        _ => file.answer(request),
    });
    world.attach("page", true);
    let mut spec = at_home();
    spec.request.headers = token("persisted");
    world.download(spec).expect("accepted");
    assert!(waits_for_authorization(&world.play(5_000).record.state));
    let source = Some(source("https://elsewhere.example/f"));
    world
        .task_call(TaskCall::Authorize { origin: HOME.into(), headers: None, persist: false, source })
        .expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.requests.last().map(|request| request.headers.len()), Some(0));
}

#[test]
fn whatever_is_refused_again_and_again_fails_in_the_end() {
    let mut world = World::new(|_, _| Reply::status(401));
    world.attach("page", true);
    world.download_with(secret_spec(), token("old-secret"), IfExists::Keep).expect("accepted");
    for _ in 0..20 {
        let task = world.play(5_000);
        if task.record.state.has_ended() {
            return assert_eq!(failure(&task), ErrorCode::Unauthorized);
        }
        let headers = Some(token("wrong-secret"));
        world
            .task_call(TaskCall::Authorize { origin: HOME.into(), headers, persist: false, source: None })
            .expect("accepted");
    }
    panic!("it is still waiting");
}

#[test]
fn with_nobody_to_ask_a_401_is_a_failure() {
    let mut world = World::new(|_, _| Reply::status(401));
    world.attach("page", false);
    world.download(at_home()).expect("accepted");
    assert_eq!(failure(&world.play(5_000)), ErrorCode::HttpStatus);
}

#[test]
fn a_call_that_is_sent_again_does_not_follow_a_task_to_another_origin() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, _| match request.url.contains("other.example") {
        true => Reply::unreachable(true),
        false => file.answer(request).cut_after(150_000),
    });
    world.attach("page", true);
    let spec = TaskSpec { call_token: "the call".into(), ..secret_spec() };
    let call = Call::Download { key: key("t"), spec, secrets: token("secret"), if_exists: IfExists::Keep };
    world.call(call.clone()).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| !task.progress.received.is_empty()));
    let source = Some(source("https://other.example/f"));
    let moves = TaskCall::Authorize { origin: HOME.into(), headers: None, persist: false, source };
    world.task_call(moves).expect("accepted");
    // The reply to the first call was lost.
    world.call(call).expect("the task is there");
    world.play(600_000);
    let elsewhere = |request: &&FetchRequest| request.url.contains("other.example");
    assert!(world.requests.iter().filter(elsewhere).count() > 1, "it was asked");
    assert!(world.requests.iter().filter(elsewhere).all(|request| request.headers.is_empty()));
}

#[test]
fn a_call_that_is_sent_again_tells_its_secrets_to_no_origin_that_has_its_own() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, _| match request.headers == token("new") {
        true => file.answer(request).cut_after(150_000),
        false => Reply::status(401),
    });
    world.attach("page", true);
    let spec = TaskSpec { call_token: "the call".into(), ..secret_spec() };
    let call = Call::Download { key: key("t"), spec, secrets: token("secret"), if_exists: IfExists::Keep };
    world.call(call.clone()).expect("accepted");
    assert!(waits_for_authorization(&world.play(5_000).record.state));
    let source = Some(source("https://other.example/f"));
    let moves = TaskCall::Authorize { origin: HOME.into(), headers: Some(token("new")), persist: false, source };
    world.task_call(moves).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| !task.progress.received.is_empty()));
    // What was given for the other origin died with the worker, and the reply to the first call was lost.
    world.kill();
    world.attach("page", true);
    world.call(call).expect("the task is there");
    world.kick();
    assert!(waits_for_authorization(&world.play(60_000).record.state), "it has to ask again");
    let elsewhere: Vec<_> = world.requests.iter().filter(|request| request.url.contains("other.example")).collect();
    assert!(
        !elsewhere.is_empty() && elsewhere.iter().all(|request| request.headers != token("secret")),
        "{elsewhere:?}"
    );
}

#[test]
fn headers_do_not_follow_a_task_whose_move_was_not_answered() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, _| match request.url.contains("other.example") {
        true => file.answer(request),
        false => Reply::status(401),
    });
    world.attach("page", true);
    world.download_with(secret_spec(), token("secret"), IfExists::Keep).expect("accepted");
    assert!(waits_for_authorization(&world.play(5_000).record.state));
    let supplied =
        TaskCall::Authorize { origin: HOME.into(), headers: Some(token("secret")), persist: false, source: None };
    world.task_call(supplied).expect("accepted");
    let source = Some(source("https://other.example/f"));
    let moves = TaskCall::Authorize { origin: HOME.into(), headers: None, persist: false, source };
    world.unknown_commits = 1;
    world.task_call(moves).expect("it has moved");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    let elsewhere: Vec<_> = world.requests.iter().filter(|request| request.url.contains("other.example")).collect();
    assert!(!elsewhere.is_empty() && elsewhere.iter().all(|request| request.headers.is_empty()), "{elsewhere:?}");
}

#[test]
fn what_is_supplied_takes_the_place_of_what_was_refused() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, _| match request.headers == token("new") {
        true => file.answer(request),
        false => Reply::status(401),
    });
    world.attach("page", true);
    let mut spec = at_home();
    spec.request.headers = vec![("authorization".into(), "Bearer stored".into())];
    world.download(spec).expect("accepted");
    assert!(waits_for_authorization(&world.play(5_000).record.state));
    let supplied =
        TaskCall::Authorize { origin: HOME.into(), headers: Some(token("new")), persist: false, source: None };
    world.task_call(supplied).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed, "it was sent alone");
}
