//! Tokens, signatures, and who may be told of them.

use std::cell::Cell;
use std::rc::Rc;

use longhaul::engine::error::ErrorCode;
use longhaul::engine::id::{ClientId, SessionId};
use longhaul::engine::input::{Call, IfExists, Input, TaskCall};
use longhaul::engine::output::{Answer, FetchRequest};
use longhaul::engine::request::Credentials;
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
fn the_length_that_another_url_hides_is_not_taken_from_the_one_before() {
    const LONG: usize = 12 << 20;
    const LAST: u64 = LONG as u64 - 1;
    let dated = |number, len| File {
        etag: None,
        last_modified: Some("Mon, 07 Nov 1994 08:49:37 GMT"),
        ..File::new(number, len)
    };
    let (file, other) = (dated(0, LONG), dated(1, LONG + 10));
    let bytes = file.bytes.clone();
    let has_expired = Rc::new(Cell::new(false));
    let is_refused = has_expired.clone();
    let mut world = World::new(move |request, _| match request.url.contains("far.example") {
        true => file.answer_hidden(request),
        false if is_refused.get() => Reply::status(403),
        false => other.answer(request),
    });
    world.hold_answers(1 << 20);
    world.read_bytes = 100_000;
    world.download(at_home()).expect("accepted");
    for offset in [0, LAST] {
        world.task_call(TaskCall::Chunk { offset, body: None, waits: true }).expect("read");
    }
    world.until(|world| world.task().is_some_and(|task| task.progress.received.contains(&(LAST..LAST + 1))));
    has_expired.set(true);
    world.until(|world| world.task().is_some_and(|task| waits_for_authorization(&task.record.state)));
    let source = Some(source("https://far.example/f"));
    world
        .task_call(TaskCall::Authorize { origin: HOME.into(), headers: None, persist: false, source })
        .expect("accepted");
    assert_eq!(world.play(60 * 60_000).record.state, TaskState::Completed);
    assert!(world.file() == bytes, "no mix of two files");
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
        // With a range and without.
        0 | 1 => Reply::status(404),
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

#[test]
fn a_403_with_no_page_waits_for_one_that_can_be_asked() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, number| match number {
        0 => file.answer(request).cut_after(150_000),
        _ if request.url.ends_with("?sig=new") => file.answer(request),
        _ => Reply::status(403),
    });
    world.open_session(true);
    world.attach("page", true);
    world.download(from("https://app.example/f?sig=old")).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| !task.progress.received.is_empty()));
    // The browser is killed, and wakes the worker with no page open. What it tries is refused, however often.
    world.kill();
    for wake in 1..20 {
        world.sync(wake, 60_000);
        assert!(waits_for_authorization(&world.play(5_000).record.state), "{:?}", world.task());
    }
    assert!(!world.is_working, "no worker is held for it");
    world.kill();
    world.attach("page", true);
    let (client, need) = world.asked.last().expect("the page that returns is asked");
    assert_eq!((client.is_some(), need.url.as_str()), (true, "https://app.example/f"));
    let source = Some(source("https://app.example/f?sig=new"));
    world
        .task_call(TaskCall::Authorize { origin: HOME.into(), headers: None, persist: false, source })
        .expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
}

#[test]
fn a_page_that_comes_is_asked_although_one_that_has_gone_is_still_known() {
    let mut world = World::new(|_, _| Reply::status(403));
    let session = || SessionId::new("s");
    world.open_session(true);
    world.attach("page", true);
    world.download(at_home()).expect("accepted");
    assert!(waits_for_authorization(&world.play(5_000).record.state));
    let asked = |world: &World| world.asked.last().and_then(|(client, _)| client.clone());
    for name in ["another", "z"] {
        // It was closed without a word, and still holds the lock as far as is known.
        let client = ClientId::new(name);
        world.give(Input::Hello { client: client.clone(), session: session(), delegate: false, can_authorize: true });
        assert_eq!(asked(&world), Some(client));
    }
    // And when it is found to be gone, another than that may have been asked in vain.
    let count = world.asked.len();
    world.give(Input::Bye { client: ClientId::new("page"), session: None });
    assert!(world.asked.len() > count && asked(&world) != Some(ClientId::new("page")));
}

#[test]
fn what_was_supplied_is_refused_five_times_at_the_most_whatever_is_tried_in_between() {
    let mut world = World::new(|_, _| Reply::status(403));
    world.open_session(true);
    world.attach("page", true);
    world.download(at_home()).expect("accepted");
    for supplied in 0..5 {
        for _ in 0..9 {
            assert!(waits_for_authorization(&world.play(5_000).record.state), "after {supplied} answers");
            world.kick();
        }
        let headers = Some(token("wrong"));
        let supplied = TaskCall::Authorize { origin: HOME.into(), headers, persist: false, source: None };
        world.task_call(supplied).expect("accepted");
    }
    assert_eq!(failure(&world.play(5_000)), ErrorCode::Unauthorized);
}

#[test]
fn a_session_whose_newer_pages_can_supply_nothing_waits_for_none() {
    let mut world = World::new(|_, _| Reply::status(403));
    world.open_session(true);
    world.attach("page", true);
    world.download(at_home()).expect("accepted");
    assert!(waits_for_authorization(&world.play(5_000).record.state));
    world.kill();
    world.open_version(2, false);
    world.attach("page", false);
    world.kick();
    assert_eq!(failure(&world.play(5_000)), ErrorCode::HttpStatus);
}

/// Whether the file of the task `t` is found by its URL, by all and by those who name this session.
fn is_found(world: &mut World, session: Option<&str>) -> bool {
    let url = world.task().expect("stored").record.spec.url().to_owned();
    match world.call(Call::Find(url, session.map(SessionId::new))) {
        Ok(Answer::Found(found)) => found == Some(key("t")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_one_user_was_given_is_not_found_by_its_url_alone() {
    let mut stored = at_home();
    stored.request.headers = token("stored");
    let mut with_cookies = at_home();
    with_cookies.request.credentials = Credentials::Include;
    let mut plain = at_home();
    plain.request.headers = vec![("accept".into(), "audio/*".into())];
    let supplied =
        TaskCall::Authorize { origin: HOME.into(), headers: Some(token("new")), persist: false, source: None };
    for (mut spec, secrets, refuses, is_open) in [
        (plain, Vec::new(), false, true),
        (secret_spec(), token("secret"), false, false),
        (stored, Vec::new(), false, false),
        (with_cookies, Vec::new(), false, false),
        (at_home(), Vec::new(), true, false),
    ] {
        spec.serves_url = true;
        let file = File::new(0, LEN);
        let mut world = World::new(move |request, number| match number {
            0 if refuses => Reply::status(401),
            _ => file.answer(request),
        });
        world.download_with(spec, secrets, IfExists::Keep).expect("accepted");
        world.play(5_000);
        if refuses {
            world.task_call(supplied.clone()).expect("accepted");
        }
        assert_eq!(world.play(60_000).record.state, TaskState::Completed);
        assert_eq!(is_found(&mut world, None), is_open);
        assert!(is_found(&mut world, Some("s")) && !is_found(&mut world, Some("another")));
        // A refresh without headers finds the old file to be the newest.
        world.serve(|_, _| Reply::status(304));
        let spec = TaskSpec { serves_url: true, ..at_home() };
        world.download_with(spec, Vec::new(), IfExists::Refresh).expect("accepted");
        assert_eq!(world.play(60_000).record.state, TaskState::Completed);
        assert_eq!((is_found(&mut world, None), is_found(&mut world, Some("s"))), (is_open, true));
    }
}
