//! Redirects: what a request carries follows them, and only afterwards is the target known.

use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::input::{Call, FetchFailure, IfExists, TaskCall};
use longhaul::engine::request::{OnRedirect, Redirects};
use longhaul::engine::task::{TaskSpec, TaskState};

use super::world::{File, HOME, Reply, World, at_home, failure, from, key, source};

const LEN: usize = 400_000;

fn header(name: &str) -> Vec<(String, String)> {
    vec![(name.into(), "secret".into())]
}

/// What the driver says of a redirect that was not followed.
fn refused() -> Reply {
    let error = TaskError::new(ErrorCode::RedirectRefused);
    Reply { head: Err(FetchFailure { error, online: true }), ..Reply::unreachable(true) }
}

/// Plays a download that is cut, asks for authorisation and has a mirror: what its requests say of redirects, each with
/// whether it carries headers.
fn requests(mut spec: TaskSpec, name: &str) -> Vec<(bool, OnRedirect)> {
    let file = File::new(0, LEN);
    let mut asked = 0;
    let mut world = World::new(move |request, _| {
        asked += usize::from(!request.url.contains("mirror"));
        match (request.url.contains("mirror"), asked) {
            (false, 2) => Reply::status(401),
            (false, 3) => Reply::status(503),
            (false, 1..6) | (true, _) => file.answer(request).cut_after(70_000),
            _ => file.answer(request),
        }
    });
    spec.request.has_secrets = true;
    spec.sources.push(source("https://mirror.example/f"));
    world.download_with(spec, header(name), IfExists::Keep).expect("accepted");
    world.play(5_000);
    let origin = world.task().expect("stored").record.spec.origin().to_owned();
    let supplied = TaskCall::Authorize { origin, headers: Some(header(name)), persist: true, source: None };
    world.task_call(supplied).expect("accepted");
    assert_eq!(world.play(600_000).record.state, TaskState::Completed);
    world.requests.iter().map(|request| (!request.headers.is_empty(), request.on_redirect)).collect()
}

#[test]
fn headers_that_would_go_along_follow_no_redirect_to_another_origin() {
    let is_right =
        |wanted| move |(has_headers, on_redirect)| on_redirect == if has_headers { wanted } else { OnRedirect::Follow };
    for (url, wanted) in
        [("https://app.example/f", OnRedirect::StayHome), ("https://away.example/f", OnRedirect::Refuse)]
    {
        let all = requests(from(url), "X-Api-Key");
        assert!(all.iter().copied().all(is_right(wanted)), "{all:?}");
        assert!(all.iter().filter(|(has_headers, _)| *has_headers).count() > 2, "{all:?}");
        assert!(all.iter().any(|(has_headers, _)| !has_headers), "the mirror is told nothing: {all:?}");
        // A bearer token is left behind by the browser itself.
        assert!(requests(from(url), "authorization").iter().all(|(_, on_redirect)| *on_redirect == OnRedirect::Follow));
        let mut spec = from(url);
        spec.request.redirects = Redirects::FollowWithHeaders;
        assert!(requests(spec, "X-Api-Key").iter().all(|(_, on_redirect)| *on_redirect == OnRedirect::Follow));
        let mut spec = from(url);
        spec.request.redirects = Redirects::Refuse;
        assert!(requests(spec, "X-Api-Key").iter().all(|(_, on_redirect)| *on_redirect == OnRedirect::Refuse));
    }
}

#[test]
fn a_redirect_that_is_refused_is_no_lost_connection() {
    let mut world = World::new(|_, _| refused());
    let mut spec = from("https://away.example/f");
    spec.request.headers = header("X-Api-Key");
    world.download(spec).expect("accepted");
    assert_eq!(failure(&world.play(600_000)), ErrorCode::RedirectRefused);
    assert_eq!(world.requests.len(), 1, "another try would change nothing");
}

#[test]
fn a_redirect_at_home_that_could_not_be_followed_once_may_have_been_cut() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, number| if number == 0 { refused() } else { file.answer(request) });
    let mut spec = at_home();
    spec.request.headers = header("X-Api-Key");
    world.download(spec.clone()).expect("accepted");
    assert_eq!(world.play(600_000).record.state, TaskState::Completed);
    let mut world = World::new(|_, _| refused());
    world.download(spec).expect("accepted");
    assert_eq!(failure(&world.play(600_000)), ErrorCode::RedirectRefused);
    assert_eq!(world.requests.len(), 2, "twice in a row is no accident");
}

#[test]
fn a_host_that_redirects_is_in_no_trouble() {
    let mut world = World::new(|_, _| refused());
    let began = world.now;
    for number in 0..6 {
        let mut spec = TaskSpec { call_token: number.to_string(), ..at_home() };
        spec.request.headers = header("X-Api-Key");
        let call =
            Call::Download { key: key(&number.to_string()), spec, secrets: Vec::new(), if_exists: IfExists::Keep };
        world.call(call).expect("accepted");
        world.until(|world| world.stored_states().iter().all(TaskState::has_ended));
    }
    assert!(world.now - began < 10_000, "all of them have failed after {} ms", world.now - began);
}

#[test]
fn a_mirror_that_redirects_is_asked_nothing_more_and_the_origin_goes_on() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| match request.url.starts_with(HOME) {
        true => file.answer(request),
        false => refused(),
    });
    let mut spec = from("https://mirror.example/f");
    spec.request.redirects = Redirects::Refuse;
    spec.sources.push(source("https://app.example/f"));
    world.download(spec).expect("accepted");
    assert_eq!(world.play(600_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
}
