//! Servers in trouble: busy for an hour, out of reach, of two minds about a file, or sending crumbs.

use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::group::GroupKey;
use longhaul::engine::http::RestartReason;
use longhaul::engine::id::{GroupId, SessionId, TaskId};
use longhaul::engine::input::{Call, FetchFailure, IfExists, TaskCall};
use longhaul::engine::output::{Answer, FetchRequest};
use longhaul::engine::request::Redirects;
use longhaul::engine::task::{EventKind, TaskSpec, TaskState, WaitReason};

use super::proof::pieces;
use super::world::{File, Reply, World, at_home, failure, from, key, source};

const LEN: usize = 12 << 20;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

fn segments(most: u32) -> TaskSpec {
    let mut spec = at_home();
    spec.policy.max_segments = most;
    spec
}

/// Makes many tasks of one group.
fn add(world: &mut World, host: &str, numbers: std::ops::Range<usize>) {
    let group = GroupKey { session: SessionId::new("s"), group: GroupId::new(host) };
    let member = |number: usize| {
        let spec = TaskSpec {
            group: Some(group.group.clone()),
            call_token: "batch".into(),
            ..from(&format!("https://{host}/{number}"))
        };
        (TaskId::new(&format!("{host} {number:05}")), spec)
    };
    for start in numbers.clone().step_by(250) {
        let members = (start..numbers.end.min(start + 250)).map(member).collect();
        let call = Call::DownloadAll { group: group.clone(), fails_together: false, members, is_last: false };
        world.call(call).expect("accepted");
    }
}

fn completed(world: &World) -> usize {
    world.stored_states().iter().filter(|state| **state == TaskState::Completed).count()
}

fn busy(retry_after: Option<&'static str>) -> impl FnMut(&FetchRequest, usize) -> Reply {
    move |_, _| Reply::status(503).with(|head| head.retry_after = retry_after.map(Into::into))
}

#[test]
fn nodes_whose_tags_differ_serve_a_file_over_one_connection() {
    let [one, other] = [File::new(0, LEN), File { etag: Some("\"other\""), ..File::new(0, LEN) }];
    let bytes = one.bytes.clone();
    let mut world = World::new(move |request, number| match number % 2 {
        0 => one.answer(request),
        _ => other.answer(request),
    });
    world.download(segments(4)).expect("accepted");
    let task = world.play(HOUR_MS);
    assert_eq!(task.record.state, TaskState::Completed);
    assert_eq!((world.file() == bytes, task.progress.restarts), (true, 0));
    assert!(world.requests.len() <= 4, "{} requests", world.requests.len());
    assert!(world.bytes_sent < 2 * LEN as u64, "{} bytes came", world.bytes_sent);
}

#[test]
fn nodes_whose_tags_differ_are_asked_again_where_each_segment_is_a_request() {
    let [one, other] = [File::new(0, 40 << 20), File { etag: Some("\"other\""), ..File::new(0, 40 << 20) }];
    let bytes = one.bytes.clone();
    let mut world = World::new(move |request, number| match number % 2 {
        0 => one.answer(request),
        _ => other.answer(request),
    });
    world.hold_answers(1 << 20);
    world.read_bytes = 1 << 20;
    world.download(segments(1)).expect("accepted");
    let task = world.play(HOUR_MS);
    assert_eq!((task.record.state, task.progress.restarts), (TaskState::Completed, 1));
    assert!(world.file() == bytes);
}

#[test]
fn a_file_that_changes_while_its_segments_are_read_is_the_one_that_was_begun() {
    let [old, new] = [File::new(0, LEN), File::new(1, LEN)];
    let bytes = old.bytes.clone();
    let mut world =
        World::new(move |request, number| if number == 0 { old.answer(request) } else { new.answer(request) });
    world.download(segments(2)).expect("accepted");
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
    assert!(world.file() == bytes, "one version, not a mix");
    assert_eq!(world.kinds(), [EventKind::Completed { bytes: LEN as u64 }]);
}

#[test]
fn a_file_that_is_another_each_time_is_given_up_and_not_begun_anew_at_once() {
    let mut world = World::new(|request, number| {
        let reply = File::new((number % 3) as u8, 500_000).answer(request).cut_after(200_000);
        reply.with(|head| head.etag = Some(format!("\"v{number}\"")))
    });
    world.download(at_home()).expect("accepted");
    let began_at = world.now;
    let task = world.play(DAY_MS);
    assert_eq!(failure(&task), ErrorCode::TooManyRestarts);
    assert_eq!(task.progress.restarts, 10);
    let restarted = world.kinds().iter().filter(|kind| **kind == EventKind::Restarted(RestartReason::Changed)).count();
    assert_eq!(restarted, 10, "each is an event");
    assert!(world.now - began_at > 5 * 60_000, "given up after {} ms", world.now - began_at);
    assert!(world.bytes_sent < 30 * 500_000, "{} bytes came", world.bytes_sent);
    // The app may want it tried all the same.
    let file = File::new(0, 500_000);
    let bytes = file.bytes.clone();
    world.serve(move |request, _| file.answer(request));
    world.task_call(TaskCall::Resume).expect("resumed");
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
}

#[test]
fn what_cannot_go_on_is_not_fetched_from_its_beginning_forty_times() {
    let file = File { etag: None, ..File::new(0, 500_000) };
    let mut world = World::new(move |request, _| file.answer(request).cut_after(200_000));
    world.download(at_home()).expect("accepted");
    assert_eq!(failure(&world.play(DAY_MS)), ErrorCode::Network, "the code of its last failure");
    assert!(world.requests.len() <= 12, "{} requests", world.requests.len());
}

#[test]
fn a_server_that_is_busy_for_an_hour_fails_nothing() {
    for retry_after in [None, Some("0"), Some("Thu, 01 Jan 1970 00:00:00 GMT"), Some("3600")] {
        let mut world = World::new(busy(retry_after));
        world.download(at_home()).expect("accepted");
        world.wait(HOUR_MS);
        let (asked, file) = (world.requests.len(), File::new(0, 1_000));
        assert!(asked <= 40, "{asked} requests for {retry_after:?}");
        world.serve(move |request, _| file.answer(request));
        let task = world.play(DAY_MS);
        assert_eq!((task.record.state, task.progress.busy), (TaskState::Completed, 0), "{retry_after:?}");
        assert!(world.now <= 2 * HOUR_MS, "asked again after {} ms", world.now);
    }
}

#[test]
fn the_first_pause_after_a_busy_answer_is_some_seconds() {
    let mut world = World::new(busy(Some("0")));
    world.download(at_home()).expect("accepted");
    let pauses: Vec<u64> = (2..8)
        .map(|count| {
            let before = world.now;
            world.until(|world| world.requests.len() == count);
            world.now - before
        })
        .collect();
    assert!(pauses[0] >= 4_000, "{pauses:?}");
    assert!(pauses.windows(2).all(|two| two[1] > two[0] * 4 / 3), "they grow: {pauses:?}");
}

#[test]
fn a_server_that_is_busy_for_a_week_is_given_up_by_time() {
    for (timeout_ms, gives_up_ms, code) in
        [(None, 7 * DAY_MS, ErrorCode::HttpStatus), (Some(9 * DAY_MS), 9 * DAY_MS, ErrorCode::TimedOut)]
    {
        let mut world = World::new(busy(Some("7200")));
        let mut spec = at_home();
        spec.policy.resource_timeout_ms = timeout_ms;
        spec.policy.max_failures = 2;
        world.download(spec).expect("accepted");
        let task = world.play(20 * DAY_MS);
        assert_eq!(failure(&task), code);
        assert!((gives_up_ms..gives_up_ms + 3 * HOUR_MS).contains(&world.now), "given up at {}", world.now);
    }
}

/// A thousand tiles, an hour in which their server does nothing for them, and how it is asked when it is back.
fn maintenance(server: impl FnMut(&FetchRequest, usize) -> Reply + 'static) {
    let mut world = World::new(server);
    add(&mut world, "app.example", 0..1_000);
    world.wait(HOUR_MS);
    let asked = world.requests.len();
    assert!(asked <= 100, "{asked} requests in an hour");
    // It answers no request yet.
    world.serve(|_, _| Reply { stalls: true, ..Reply::status(200) });
    world.until(|world| world.requests.len() > asked);
    world.wait(10_000);
    assert_eq!(world.requests.len(), asked + 1, "one asks first");
    world.serve(|request, _| File::new(0, 1_000).answer(request));
    world.wait(HOUR_MS);
    assert_eq!(completed(&world), 1_000);
}

#[test]
fn a_thousand_tasks_survive_an_hour_of_busy_answers_and_do_not_hammer() {
    maintenance(busy(None));
}

#[test]
fn a_thousand_tasks_survive_an_hour_out_of_reach_and_do_not_hammer() {
    maintenance(|_, _| Reply::unreachable(true));
}

#[test]
fn a_host_out_of_reach_is_asked_by_a_few_of_a_thousand_tasks_before_it_is_left_alone() {
    for host in ["app.example", "other.example"] {
        let mut world = World::new(|_, _| Reply::unreachable(true));
        world.reachable = false;
        add(&mut world, host, 0..1_000);
        world.wait(20_000);
        let asked = world.requests.len();
        assert!(asked <= 12, "{asked} requests");
    }
}

#[test]
fn tasks_of_a_host_in_trouble_leave_the_others_their_turn() {
    let mut world = World::new(|request, _| match request.url.starts_with("https://app.example") {
        true => Reply::status(503),
        false => File::new(0, 1_000).answer(request),
    });
    add(&mut world, "app.example", 0..400);
    add(&mut world, "other.example", 0..20);
    world.wait(120_000);
    assert_eq!(completed(&world), 20);
}

#[test]
fn a_file_that_the_server_cannot_give_does_not_keep_the_others_from_it() {
    let mut world = World::new(|request, _| match request.url.ends_with("/3") {
        true => Reply::status(500).with(|head| head.retry_after = Some("600".into())),
        false => File::new(0, 1_000).answer(request),
    });
    add(&mut world, "app.example", 0..40);
    world.wait(2 * HOUR_MS);
    assert_eq!(completed(&world), 39);
    add(&mut world, "app.example", 40..60);
    world.wait(60_000);
    assert_eq!(completed(&world), 59, "its own trouble holds up no other");
}

#[test]
fn tasks_whose_trouble_may_be_their_own_do_not_all_ask_a_host_in_trouble() {
    let mut world = World::new(|request, _| match request.url.ends_with(['1', '3', '5', '7', '9']) {
        true => Reply::status(503),
        false => File::new(0, 1_000).answer(request),
    });
    add(&mut world, "app.example", 0..40);
    world.until(|world| completed(world) == 20);
    // Since each of them has failed, another was answered.
    add(&mut world, "app.example", 40..41);
    world.until(|world| completed(world) == 21);
    let asked = world.requests.len();
    world.serve(busy(None));
    world.wait(60_000);
    let asked = world.requests.len() - asked;
    assert!(asked <= 12, "{asked} requests in a minute");
}

#[test]
fn a_mirror_is_taken_while_the_server_is_in_trouble() {
    let mut world = World::new(|request, _| match request.url.contains("mirror.example") {
        true => File::new(0, 1_000).answer(request).with(|head| head.all_headers_readable = true),
        false => Reply::status(503).with(|head| head.retry_after = Some("3600".into())),
    });
    for id in ["a", "b"] {
        let mut spec = TaskSpec { call_token: id.into(), ..at_home() };
        spec.sources.push(super::world::source("https://mirror.example/f"));
        let (key, secrets, if_exists) = (key(id), Vec::new(), IfExists::Keep);
        world.call(Call::Download { key, spec, secrets, if_exists }).expect("accepted");
        world.wait(1_000);
    }
    assert_eq!(completed(&world), 2);
    let asked = world.requests.iter().filter(|request| !request.url.contains("mirror.example")).count();
    assert_eq!(asked, 1, "the second knows");
}

#[test]
fn news_let_a_host_be_asked_again_unless_it_named_the_time() {
    for (retry_after, expected) in [(None, true), (Some("600"), false)] {
        let mut world = World::new(busy(retry_after));
        add(&mut world, "app.example", 0..10);
        world.wait(60_000);
        let asked = world.requests.len();
        world.kick();
        world.wait(10);
        assert_eq!(world.requests.len() > asked, expected, "{retry_after:?}");
        let states = world.stored_states();
        assert!(states.iter().all(TaskState::is_active), "{states:?}");
    }
}

#[test]
fn what_the_app_resumes_asks_at_once() {
    let mut world = World::new(busy(Some("600")));
    add(&mut world, "app.example", 0..10);
    world.wait(1_000);
    let asked = world.requests.len();
    for id in ["app.example 00000", "app.example 00009"] {
        world.call(Call::Task(key(id), TaskCall::Resume)).expect("resumed");
        world.wait(10);
    }
    let urls: Vec<&str> = world.requests[asked..].iter().map(|request| request.url.as_str()).collect();
    assert_eq!(urls, ["https://app.example/0", "https://app.example/9"]);
}

#[test]
fn a_server_that_sends_one_byte_at_a_time_is_not_followed_for_ever() {
    for most_segments in [1, 4] {
        let file = File::new(0, 8 << 20);
        let mut world = World::new(move |request, _| {
            let range = request.range.map(|(start, _)| (start, Some(start + 1)));
            file.answer(&FetchRequest { range, ..request.clone() })
        });
        world.download(segments(most_segments)).expect("accepted");
        let task = world.play(DAY_MS);
        assert_eq!(failure(&task), ErrorCode::BadContentRange);
        assert!(world.requests.len() <= 50, "{} requests", world.requests.len());
        assert!(world.now > 60 * 60_000, "given up after {} ms", world.now);
    }
}

#[test]
fn a_connection_that_breaks_after_each_byte_is_not_followed_for_ever() {
    let file = File::new(0, 100_000);
    let mut world = World::new(move |request, _| file.answer(request).cut_after(1));
    world.download(at_home()).expect("accepted");
    assert_eq!(failure(&world.play(DAY_MS)), ErrorCode::Network);
    assert_eq!(world.requests.len(), 40);
}

#[test]
fn a_connection_that_halts_after_each_byte_is_not_followed_for_ever() {
    // The byte is durable long before the attempt is over.
    let file = File::new(0, 100_000);
    let mut world = World::new(move |request, _| Reply { stalls: true, ..file.answer(request).cut_after(1) });
    world.download(at_home()).expect("accepted");
    assert_eq!(failure(&world.play(DAY_MS)), ErrorCode::Network);
    assert_eq!(world.requests.len(), 40);
}

#[test]
fn a_frugal_server_is_followed_with_pauses() {
    let file = File::new(0, 100_000);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| {
        let range = request.range.map(|(start, end)| (start, Some(end.unwrap_or(u64::MAX).min(start + 1_000))));
        file.answer(&FetchRequest { range, ..request.clone() })
    });
    world.download(segments(4)).expect("accepted");
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
    assert!(world.file() == bytes);
    assert!(world.now > 10_000, "{} requests in {} ms", world.requests.len(), world.now);
}

#[test]
fn a_number_of_failures_means_that_number() {
    type Server = fn(&FetchRequest, usize) -> Reply;
    let servers: [(Server, ErrorCode); 5] = [
        (|_, _| Reply::unreachable(true), ErrorCode::Network),
        (|_, _| Reply { stalls: true, ..Reply::status(200) }, ErrorCode::Network),
        (|request, _| File::new(0, 9_000).answer(request).cut_after(0), ErrorCode::Network),
        (|request, _| File { etag: None, ..File::new(0, 9_000) }.answer(request).cut_after(900), ErrorCode::Network),
        (|request, _| Reply { body: Vec::new(), ..File::new(0, 9_000).answer(request) }, ErrorCode::LengthMismatch),
    ];
    for (nth, (server, code)) in servers.into_iter().enumerate() {
        for most in [1, 2, 5] {
            let mut world = World::new(server);
            let mut spec = at_home();
            spec.policy.max_failures = most;
            world.download(spec).expect("accepted");
            let task = world.play(DAY_MS);
            assert_eq!((failure(&task), world.requests.len()), (code, most as usize), "server {nth}");
        }
    }
}

#[test]
fn a_redirect_that_is_not_to_be_followed_fails_at_once() {
    let mut world = World::new(|_, _| {
        let error = TaskError::new(ErrorCode::RedirectRefused);
        Reply { head: Err(FetchFailure { error, online: true }), ..Reply::status(302) }
    });
    let mut spec = at_home();
    spec.request.redirects = Redirects::Refuse;
    world.download(spec).expect("accepted");
    assert_eq!(failure(&world.play(1_000)), ErrorCode::RedirectRefused);
    assert_eq!(world.requests.len(), 1);
}

#[test]
fn a_task_that_waits_for_its_host_says_so() {
    let mut world = World::new(busy(Some("600")));
    add(&mut world, "app.example", 0..10);
    world.wait(1_000);
    let call = Call::Task(key("app.example 00009"), TaskCall::Get);
    let Ok(Answer::Task(snapshot)) = world.call(call) else { panic!("it is there") };
    let waiting = snapshot.waiting.expect("it waits");
    assert_eq!(waiting.reason, WaitReason::HostBusy);
    assert!(waiting.until.is_some_and(|until| until.0 > world.now + 500_000), "{:?}", waiting.until);
}

#[test]
fn who_has_no_source_left_but_a_blamed_one_waits_for_its_host() {
    let file = File::new(0, LEN);
    let served = file.clone();
    let mut world = World::new(move |request, number| {
        let mut reply = served.answer(request).with(|head| head.all_headers_readable = true);
        if request.url.ends_with("/0") {
            return Reply::status(503).with(|head| head.retry_after = Some("3600".into()));
        }
        if number == 0 || request.url.starts_with("https://mirror.example/") {
            reply.body[0] ^= 1;
        }
        reply
    });
    let mut spec = segments(1);
    spec.sources.push(source("https://mirror.example/f"));
    spec.proof.pieces = pieces(&file.bytes);
    world.download(spec).expect("accepted");
    add(&mut world, "app.example", 0..1);
    world.wait(5 * 60_000);
    assert_eq!(world.task().map(|task| task.progress.bad_sources), Some(0b11));
    assert!(!world.is_working, "nothing can be done for an hour");
    let Ok(Answer::Task(snapshot)) = world.task_call(TaskCall::Get) else { panic!("it is there") };
    assert_eq!(snapshot.waiting.map(|waiting| waiting.reason), Some(WaitReason::HostBusy));
    assert_eq!(world.play(2 * HOUR_MS).record.state, TaskState::Completed);
}
