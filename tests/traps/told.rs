//! What an app is told: what went wrong last while a task waits, what its server would have to send, and the file's name.

use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::http::RestartReason;
use longhaul::engine::input::{Call, FetchFailure, IfExists, TaskCall};
use longhaul::engine::output::{Answer, FetchRequest, TaskSnapshot};
use longhaul::engine::request::Credentials;
use longhaul::engine::task::{EventKind, TaskSpec, TaskState, WaitReason};

use super::world::{File, Reply, World, at_home, failure, from, key};

const LEN: usize = 300_000;

/// The task `t` as a page sees it.
fn seen(world: &mut World) -> TaskSnapshot {
    match world.task_call(TaskCall::Get) {
        Ok(Answer::Task(seen)) => seen,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_path_without_cors_fails_although_others_of_its_origin_can_be_read() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, _| match request.url.ends_with("/open") {
        true => file.answer(request),
        false => Reply::unreachable(true),
    });
    world.download(from("https://cdn.example/open")).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    world.download_with(from("https://cdn.example/closed"), Vec::new(), IfExists::Replace).expect("accepted");
    assert_eq!(failure(&world.play(600_000)), ErrorCode::CorsBlocked);
    assert_eq!((world.probes.len(), world.requests.len()), (4, 6), "once may be an accident");
}

#[test]
fn a_path_that_was_read_before_is_tried_again() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, number| match number {
        0 => file.answer(request).cut_after(100_000),
        _ => Reply::unreachable(true),
    });
    world.download(from("https://cdn.example/f")).expect("accepted");
    assert!(world.play(60_000).record.state.is_active());
    assert_eq!(world.probes.len(), 0);
}

#[test]
fn what_the_server_must_send_names_what_the_request_carries() {
    let refused = |change: fn(&mut TaskSpec)| {
        let mut world = World::new(|_, _| Reply::unreachable(true));
        let mut spec = from("https://cdn.example/f");
        change(&mut spec);
        world.download(spec).expect("accepted");
        let TaskState::Failed(error) = world.play(60_000).record.state else { panic!("it has not failed") };
        assert_eq!(error.code, ErrorCode::CorsBlocked);
        error.detail
    };
    assert_eq!(refused(|_| {}), None);
    assert_eq!(refused(|spec| spec.request.headers = vec![("accept".into(), "audio/*".into())]), None);
    let detail = refused(|spec| {
        let names = ["x-plan", "accept", "authorization"];
        spec.request.headers = names.map(|name| (name.into(), "1".into())).into();
    });
    let asked = "Access-Control-Allow-Origin: https://app.example; in the answer to OPTIONS also \
        Access-Control-Allow-Headers: x-plan, authorization";
    assert_eq!(detail.as_deref(), Some(asked));
    let detail = refused(|spec| spec.request.credentials = Credentials::Include);
    let asked = "Access-Control-Allow-Origin: https://app.example; Access-Control-Allow-Credentials: true";
    assert_eq!(detail.as_deref(), Some(asked));
}

#[test]
fn a_task_that_waits_says_what_went_wrong_last() {
    let broken = TaskError::new(ErrorCode::Network);
    let replies: [(fn() -> Reply, TaskError); 4] = [
        (|| Reply::status(500), TaskError::status(500)),
        (|| Reply::status(503), TaskError::status(503)),
        (|| Reply::unreachable(true), broken.clone()),
        (|| Reply::unreachable(false), broken),
    ];
    for (reply, expected) in replies {
        let mut world = World::new(move |_, _| reply());
        world.download(at_home()).expect("accepted");
        world.until(|world| {
            world.task().is_some_and(|task| task.record.due().is_some_and(|due| due > task.record.since))
        });
        let now = world.now;
        let TaskSnapshot { waiting, last_error, .. } = seen(&mut world);
        assert!(waiting.is_some());
        let (error, at) = last_error.expect("it is known");
        assert_eq!((error.code, error.status), (expected.code, expected.status));
        assert!(at.0 <= now);
    }
}

#[test]
fn a_task_that_waits_to_begin_anew_says_why() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, number| {
        // Ranges are honoured now and then.
        let range = request.range.filter(|_| number % 2 == 0);
        file.answer(&FetchRequest { range, ..request.clone() }).cut_after(100_000)
    });
    world.download(at_home()).expect("accepted");
    let refused = EventKind::Restarted(RestartReason::RangesRefused);
    world.until(|world| world.kinds().iter().filter(|kind| **kind == refused).count() == 2);
    let TaskSnapshot { waiting, last_error, .. } = seen(&mut world);
    assert_eq!(waiting.map(|waiting| waiting.reason), Some(WaitReason::Retry));
    assert_eq!(last_error.map(|(error, _)| error.code), Some(ErrorCode::BadContentRange));
}

#[test]
fn what_the_browser_said_of_a_broken_network_outlasts_the_probe() {
    let said = Some("TypeError: Failed to fetch".to_owned());
    let failure = TaskError { detail: said.clone(), ..TaskError::new(ErrorCode::Network) };
    let mut world = World::new(move |_, _| Reply {
        head: Err(FetchFailure { error: failure.clone(), online: true }),
        ..Reply::unreachable(true)
    });
    world.reachable = false;
    let mut spec = from("https://cdn.example/f");
    spec.policy.max_failures = 3;
    world.download(spec).expect("accepted");
    world.until(|world| world.probes.len() == 1 && world.task().is_some_and(|task| task.progress.failures == 1));
    let (error, _) = seen(&mut world).last_error.expect("it is known");
    assert_eq!((error.code, error.detail), (ErrorCode::Network, said.clone()));
    let TaskState::Failed(error) = world.play(600_000).record.state else { panic!("it has not failed") };
    assert_eq!((error.code, error.detail), (ErrorCode::Network, said));
}

#[test]
fn what_went_wrong_is_past_once_the_task_gets_on() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, number| match number {
        0 => Reply::status(500),
        _ => Reply { stalls: true, ..file.answer(request).cut_after(200_000) },
    });
    world.read_bytes = 100_000;
    world.download(at_home()).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| task.progress.received.len() >= 200_000));
    assert!(seen(&mut world).last_error.is_none(), "it runs");
    world.task_call(TaskCall::Pause).expect("it stops");
    assert!(seen(&mut world).last_error.is_none(), "it is the user who has stopped it");
}

#[test]
fn a_task_whose_host_is_in_trouble_says_what_another_met_there() {
    let mut world = World::new(|_, _| Reply::status(503));
    for id in ["a", "b", "t"] {
        let call = Call::Download { key: key(id), spec: at_home(), secrets: Vec::new(), if_exists: IfExists::Keep };
        world.call(call).expect("accepted");
    }
    world.until(|world| world.requests.len() >= 6);
    let told = ["a", "b", "t"].map(|id| match world.call(Call::Task(key(id), TaskCall::Get)) {
        Ok(Answer::Task(TaskSnapshot { last_error, .. })) => last_error.map(|(error, _)| error.status),
        other => panic!("{other:?}"),
    });
    assert!(told.iter().filter(|told| **told == Some(Some(503))).count() >= 2, "{told:?}");
}

#[test]
fn a_task_that_waits_for_authorization_says_with_what_it_was_refused() {
    let mut world = World::new(|_, _| Reply::status(401));
    world.attach("page", true);
    world.download(at_home()).expect("accepted");
    world.play(5_000);
    let error = seen(&mut world).last_error.map(|(error, _)| error.status);
    assert_eq!(error, Some(Some(401)));
}

#[test]
fn headers_that_nothing_could_supply_again_are_named() {
    let mut world = World::new(|_, _| Reply::status(404));
    world.attach("page", false);
    let secrets = ["authorization", "x-plan"].map(|name| (name.into(), "secret".into())).into();
    let error = world.download_with(at_home(), secrets, IfExists::Keep).expect_err("it is refused");
    assert_eq!(error.code, ErrorCode::AuthorizationNotDurable);
    assert_eq!(error.detail.as_deref(), Some("authorization, x-plan"));
}

/// The name under which a finished file is saved that was answered so.
fn saved(url: &str, change: fn(&mut longhaul::engine::http::Head)) -> Option<String> {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, _| file.answer(request).with(change));
    world.download(from(url)).expect("accepted");
    world.play(60_000);
    match world.task_call(TaskCall::Serve { range: None, if_range: None }) {
        Ok(Answer::Serve(service)) => service.file_name,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_is_saved_by_the_servers_name_or_else_by_its_url() {
    assert_eq!(
        saved("https://app.example/a/42", |head| head.content_type = Some("audio/mpeg".into())).as_deref(),
        Some("42.mp3")
    );
    let name =
        saved("https://app.example/42.mp3", |head| head.final_url = Some("https://app.example/b.ogg?sig=/c".into()));
    assert_eq!(name.as_deref(), Some("b.ogg"));
    let name = saved("https://app.example/42.mp3", |head| head.final_url = Some("https://app.example/b/".into()));
    assert_eq!(name.as_deref(), Some("42.mp3"), "a folder has no name");
    let name =
        saved("https://app.example/42", |head| head.content_disposition = Some("attachment; filename=e.mp3".into()));
    assert_eq!(name.as_deref(), Some("e.mp3"));
    assert_eq!(saved("https://app.example/", |_| {}), None);
}
