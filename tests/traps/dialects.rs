//! Servers that refuse a request for its range, or whose answer to one the browser does not hand out.

use std::cell::Cell;
use std::rc::Rc;

use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::http::{Head, Resumability, VerdictReason};
use longhaul::engine::input::{Call, FetchFailure, IfExists, TaskCall};
use longhaul::engine::output::FetchRequest;
use longhaul::engine::task::{TaskSpec, TaskState, WaitReason};

use super::proof::expected;
use super::world::{File, HOME, Reply, World, at_home, failure, from, key, source};

const LEN: usize = 400_000;
const HOUR_MS: u64 = 60 * 60_000;

/// The file as a server sends it that knows no ranges.
fn whole(file: &File, request: &FetchRequest) -> Reply {
    file.answer(&FetchRequest { range: None, if_range: None, ..request.clone() })
}

fn with_range(world: &World) -> Vec<bool> {
    world.requests.iter().map(|request| request.range.is_some()).collect()
}

#[test]
fn a_status_that_is_about_the_range_is_asked_about_once_without() {
    for status in [400, 403, 404, 405, 406, 412, 501] {
        let file = File::new(0, LEN);
        let bytes = file.bytes.clone();
        let mut world = World::new(move |request, _| match request.range {
            Some(_) => Reply::status(status),
            None => whole(&file, request),
        });
        world.download(at_home()).expect("accepted");
        let task = world.play(HOUR_MS);
        assert_eq!(task.record.state, TaskState::Completed, "{status}");
        assert_eq!(with_range(&world), [true, false], "{status}");
        assert_eq!(world.file(), bytes, "{status}");
        let known = task.progress.representation.expect("it is known");
        assert_eq!((known.resumability, known.reason), (Resumability::RestartOnly, VerdictReason::RangesIgnored));
    }
}

#[test]
fn a_task_whose_ranges_are_refused_asks_for_none_again_after_a_kill() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, number| match request.range {
        Some(_) => Reply::status(403),
        None if number < 3 => whole(&file, request).cut_after(100_000),
        None => whole(&file, request),
    });
    world.download(at_home()).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| !task.progress.received.is_empty()));
    world.kill();
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
    assert_eq!(with_range(&world).iter().filter(|carries| **carries).count(), 1);
}

#[test]
fn a_server_that_is_busy_for_ranges_only_gives_the_file_without() {
    for status in [500, 503] {
        let file = File::new(0, LEN);
        let mut world = World::new(move |request, _| match request.range {
            Some(_) => Reply::status(status),
            None => whole(&file, request),
        });
        world.download(at_home()).expect("accepted");
        assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed, "{status}");
        assert_eq!(with_range(&world), [true, true, false, true, false], "{status}: the range is asked once more");
    }
}

#[test]
fn a_server_that_was_only_busy_goes_on_with_ranges() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, number| match number {
        0..2 => Reply::status(503),
        _ => file.answer(request),
    });
    world.download(at_home()).expect("accepted");
    let task = world.play(HOUR_MS);
    assert_eq!(task.record.state, TaskState::Completed);
    assert_eq!(with_range(&world), [true, true, false, true]);
    assert!(task.progress.representation.is_some_and(|known| known.is_resumable()));
}

#[test]
fn a_coded_answer_that_the_browser_refuses_to_a_range_is_had_without() {
    // Chromium fails each request with a range whose answer is coded, as if the network had.
    for (url, probes) in [("https://app.example/f", 0), ("https://cdn.example/f", 2)] {
        let file = File::new(0, LEN);
        let bytes = file.bytes.clone();
        let mut world = World::new(move |request, _| match request.range {
            Some(_) => Reply::unreachable(true),
            None => whole(&file, request).with(|head| {
                head.content_encoding = Some("gzip".into());
                head.content_length = Some("1234".into());
            }),
        });
        world.download(from(url)).expect("accepted");
        let task = world.play(HOUR_MS);
        assert_eq!(task.record.state, TaskState::Completed, "{url}");
        assert_eq!((with_range(&world), world.probes.len()), (vec![true, true, false], probes), "{url}");
        assert_eq!(world.file(), bytes, "{url}");
        assert_eq!(task.progress.representation.map(|known| known.reason), Some(VerdictReason::Coded), "{url}");
    }
}

#[test]
fn a_coding_that_cors_hides_is_no_body_that_is_too_long() {
    // Firefox and WebKit hand out the decoded bytes, beside the length of the coded ones.
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| {
        whole(&file, request).with(|head| {
            head.all_headers_readable = false;
            head.etag = None;
            head.content_length = Some("1234".into());
        })
    });
    world.download(from("https://cdn.example/f")).expect("accepted");
    let task = world.play(HOUR_MS);
    assert_eq!(task.record.state, TaskState::Completed);
    assert_eq!(with_range(&world), [true, false]);
    assert_eq!(world.file(), bytes);
}

#[test]
fn what_is_refused_with_a_range_and_without_fails_as_before() {
    let mut world = World::new(|_, _| Reply::status(404));
    world.download(at_home()).expect("accepted");
    assert_eq!(failure(&world.play(HOUR_MS)), ErrorCode::HttpStatus);
    let mut world = World::new(|_, _| Reply::unreachable(true));
    world.download(at_home()).expect("accepted");
    assert_eq!(failure(&world.play(24 * HOUR_MS)), ErrorCode::Network);
    assert_eq!(with_range(&world).iter().filter(|carries| !**carries).count(), 5, "ever more rarely");
}

/// A server that redirects each request to another place, whose files differ.
fn scattering(files: [File; 2]) -> World {
    World::new(move |request, number| {
        let place = match request.url.find("/at/") {
            Some(at) => request.url.as_bytes()[at + 4] - b'0',
            None => (number % 2) as u8,
        };
        let reply = files[usize::from(place)].answer(request);
        reply.with(|head| {
            head.final_url =
                (!request.url.contains("/at/")).then(|| format!("https://cdn.example/at/{place}?sig={number}"));
            head.etag = None;
            head.last_modified = Some("Mon, 07 Nov 1994 08:49:37 GMT".into());
        })
    })
}

#[test]
fn all_segments_of_a_version_come_from_where_the_first_was_redirected_to() {
    let files = [File::new(0, 12 << 20), File::new(1, 12 << 20)];
    let bytes = files[0].bytes.clone();
    let mut world = scattering(files);
    let mut spec = from("https://app.example/f");
    spec.policy.max_segments = 4;
    world.download(spec).expect("accepted");
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
    assert!(world.file() == bytes, "one of them, not a mix");
    assert!(world.requests.len() > 1);
    assert!(world.requests[1..].iter().all(|request| request.url == "https://cdn.example/at/0?sig=0"));
}

#[test]
fn a_target_that_has_expired_is_left_and_the_server_asked_itself() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, number| match request.url.as_str() {
        "https://cdn.example/f?sig=0" => Reply::status(403),
        _ => {
            let reply = file.answer(request).with(|head| {
                head.final_url = Some(format!("https://cdn.example/f?sig={number}"));
            });
            if number == 0 { reply.cut_after(100_000) } else { reply }
        }
    });
    world.attach("page", true);
    world.download(from("https://app.example/f")).expect("accepted");
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
    let urls: Vec<&str> = world.requests.iter().map(|request| request.url.as_str()).collect();
    assert_eq!(urls, ["https://app.example/f", "https://cdn.example/f?sig=0", "https://app.example/f"]);
    assert_eq!((world.file() == bytes, world.asked.len()), (true, 0), "no page was asked for headers");
}

#[test]
fn headers_are_not_told_to_where_the_server_redirects() {
    let file = File::new(0, 12 << 20);
    let mut world = World::new(move |request, _| {
        file.answer(request).with(|head| head.final_url = Some("https://cdn.example/f".into()))
    });
    let mut spec = from("https://app.example/f");
    spec.policy.max_segments = 4;
    spec.request.headers = vec![("X-Api-Key".into(), "key".into())];
    world.download(spec).expect("accepted");
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
    assert!(world.requests.iter().all(|request| request.url == "https://app.example/f"));
}

/// A server that sends a page to log in once a token is over, where the rest of a file was asked for.
fn expiring(file: File, is_over: Rc<Cell<bool>>) -> World {
    let mut world = World::new(move |request, _| {
        let reply = file.answer(request).with(|head| head.content_type = Some("application/zip".into()));
        match is_over.get() {
            false => reply.cut_after(100_000),
            true => Reply { body: vec![b'<'; 36], ..reply }.with(|head| {
                *head = Head {
                    status: 200,
                    all_headers_readable: true,
                    content_type: Some("text/html".into()),
                    content_length: Some("36".into()),
                    final_url: Some("https://app.example/login".into()),
                    ..Head::default()
                }
            }),
        }
    });
    world.read_bytes = 50_000;
    world
}

#[test]
fn a_page_in_place_of_the_rest_of_a_file_loses_nothing_and_the_app_is_asked() {
    for can_ask in [true, false] {
        let is_over = Rc::new(Cell::new(false));
        let mut world = expiring(File::new(0, LEN), is_over.clone());
        world.attach("page", can_ask);
        world.download(at_home()).expect("accepted");
        world.until(|world| world.task().is_some_and(|task| task.progress.received.len() >= 100_000));
        is_over.set(true);
        world.wait(10 * 60_000);
        let task = world.task().expect("it is there");
        assert!(task.progress.received.len() >= 100_000, "nothing is lost");
        assert_eq!((task.progress.restarts, !world.asked.is_empty()), (0, can_ask));
        let waits =
            |reason| matches!(task.record.state, TaskState::Active { reason: Some(found), .. } if found == reason);
        assert!(waits(if can_ask { WaitReason::Authorization } else { WaitReason::Retry }), "{:?}", task.record.state);
        if !can_ask {
            let task = world.play(24 * HOUR_MS);
            assert_eq!(failure(&task), ErrorCode::UnexpectedContent);
            assert!(task.progress.received.len() >= 100_000, "and resume() goes on");
        }
    }
}

#[test]
fn a_mirror_that_redirects_and_a_server_without_the_file_are_not_asked_for_ever() {
    let mut world = World::new(|request, _| match request.url.contains("mirror") {
        true => Reply { head: Err(redirect_refused()), ..Reply::status(200) },
        false => Reply::status(404),
    });
    let mut spec = at_home();
    spec.sources.push(source("https://app.example/mirror"));
    world.download(spec).expect("accepted");
    failure(&world.play(24 * HOUR_MS));
    assert!(world.requests.len() < 10, "{} requests", world.requests.len());
}

fn redirect_refused() -> FetchFailure {
    FetchFailure { error: TaskError::new(ErrorCode::RedirectRefused), online: true }
}

#[test]
fn a_file_that_is_asked_for_whole_is_not_laid_over_what_is_kept_of_it() {
    // Ranges are refused from the second request on, with the same tag.
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, number| match request.range {
        Some(_) if number > 0 => Reply::status(403),
        Some(_) => file.answer(request).cut_after(150_000),
        None => whole(&file, request),
    });
    world.read_bytes = 50_000;
    world.download(at_home()).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| !task.progress.received.is_empty()));
    world.kill();
    world.task_call(TaskCall::Pause).expect("paused");
    world.task_call(TaskCall::Resume).expect("resumed");
    let task = world.play(HOUR_MS);
    assert_eq!((task.record.state, task.progress.restarts), (TaskState::Completed, 1));
    assert!(world.file() == bytes);
}

/// A server that gives parts of so many bytes only, with nothing that tells one version from another, and nothing without a range.
fn parts_only(file: &File, part: u64, request: &FetchRequest) -> Reply {
    let Some((start, end)) = request.range else { return Reply::status(400) };
    let end = end.unwrap_or(u64::MAX).min(start + part);
    file.answer(&FetchRequest { range: Some((start, Some(end))), if_range: None, ..request.clone() })
}

#[test]
fn parts_that_nothing_ties_together_are_taken_one_after_the_other() {
    let file = File { etag: None, ..File::new(0, LEN) };
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| parts_only(&file, 100_000, request));
    world.download(at_home()).expect("accepted");
    let task = world.play(HOUR_MS);
    assert_eq!(task.record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
    assert_eq!(with_range(&world), [true, false, true, true, true, true]);
    let known = task.progress.representation.expect("it is known");
    assert_eq!((known.resumability, known.reason), (Resumability::RestartOnly, VerdictReason::NoValidator));
}

#[test]
fn parts_that_nothing_ties_together_begin_anew_after_a_cut_unless_a_digest_will_prove_them() {
    for is_proven in [false, true] {
        let file = File { etag: None, ..File::new(0, LEN) };
        let bytes = file.bytes.clone();
        let mut spec = at_home();
        spec.proof.expected = expected(&bytes).filter(|_| is_proven);
        let mut world = World::new(move |request, number| match number {
            4 => parts_only(&file, 100_000, request).cut_after(50_000),
            _ => parts_only(&file, 100_000, request),
        });
        world.download(spec).expect("accepted");
        assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed, "{is_proven}");
        assert_eq!(world.file(), bytes, "{is_proven}");
        let begun_anew = world.ranges().iter().skip(5).any(|range| range.is_some_and(|(start, _)| start == 0));
        assert_eq!(begun_anew, !is_proven);
    }
}

#[test]
fn parts_of_another_length_are_of_another_version() {
    let (old, new) = (File { etag: None, ..File::new(0, LEN) }, File { etag: None, ..File::new(1, LEN - 7) });
    let bytes = new.bytes.clone();
    let mut world =
        World::new(move |request, number| parts_only(if number < 4 { &old } else { &new }, 100_000, request));
    world.download(at_home()).expect("accepted");
    assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
}

/// A host with coded files (`/coded…`), which Chromium does not hand out to a request with a range, and others.
fn partly_coded() -> World {
    let file = File::new(0, LEN);
    World::new(move |request, _| match (request.url.contains("/coded"), request.range) {
        (true, Some(_)) => Reply::unreachable(true),
        (true, None) => whole(&file, request).with(|head| head.content_encoding = Some("gzip".into())),
        (false, _) => file.answer(request),
    })
}

fn add(world: &mut World, id: &str, url: &str) {
    let spec = TaskSpec { call_token: id.into(), ..from(url) };
    let (secrets, if_exists) = (Vec::new(), IfExists::Keep);
    world.call(Call::Download { key: key(id), spec, secrets, if_exists }).expect("accepted");
}

fn state_of(world: &World, id: &str) -> TaskState {
    world.stored(id).expect("it is there").record.state
}

#[test]
fn a_host_that_gives_coded_files_does_not_look_busy() {
    for (host, count, after_ms) in ["https://cdn.example", HOME].into_iter().flat_map(|host| {
        [(host, 1, 0), (host, 3, 0), (host, 3, 100), (host, 3, 700), (host, 3, 1_500), (host, 3, 3_000), (host, 30, 0)]
    }) {
        let mut world = partly_coded();
        let coded: Vec<String> = (0..count).map(|number| format!("coded {number}")).collect();
        for id in &coded {
            add(&mut world, id, &format!("{host}/{id}"));
        }
        world.wait(after_ms);
        add(&mut world, "plain", &format!("{host}/plain"));
        // As long as its bytes take, and as an answer with the file takes that is let go.
        world.wait(1_000);
        assert_eq!(state_of(&world, "plain"), TaskState::Completed, "{host}, {count}, {after_ms} ms");
        world.wait(HOUR_MS);
        assert!(coded.iter().all(|id| state_of(&world, id) == TaskState::Completed), "{host}, {count}");
    }
}

#[test]
fn a_coded_file_after_one_that_was_cancelled_is_not_kept_waiting_by_itself() {
    let mut world = partly_coded();
    add(&mut world, "coded 1", "https://cdn.example/coded/1");
    world.until(|world| world.probes.len() == 2);
    world.call(Call::Task(key("coded 1"), TaskCall::Cancel { keep: false })).expect("cancelled");
    add(&mut world, "coded 2", "https://cdn.example/coded/2");
    world.wait(10_000);
    assert_eq!(state_of(&world, "coded 2"), TaskState::Completed);
}

#[test]
fn a_server_that_is_busy_for_ranges_only_and_says_for_how_long_gives_the_file_without() {
    for status in [500, 503] {
        let file = File::new(0, LEN);
        let bytes = file.bytes.clone();
        let mut world = World::new(move |request, _| match request.range {
            Some(_) => Reply::status(status).with(|head| head.retry_after = Some("30".into())),
            None => whole(&file, request),
        });
        world.download(at_home()).expect("accepted");
        assert_eq!(world.play(HOUR_MS).record.state, TaskState::Completed, "{status}");
        assert!(world.file() == bytes, "{status}");
    }
}

#[test]
fn bytes_of_a_body_that_is_too_long_are_not_gone_on_with() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, _| {
        file.answer(request).with(|head| {
            head.content_range = Some(format!("bytes 0-{}/{}", LEN / 2 - 1, LEN / 2));
            head.content_length = Some((LEN / 2).to_string());
        })
    });
    world.download(at_home()).expect("accepted");
    let task = world.play(HOUR_MS);
    assert_eq!(failure(&task), ErrorCode::BodyTooLong);
    assert!(task.progress.received.is_empty());
}

#[test]
fn a_file_whose_length_is_not_told_and_whose_digest_is_wrong_may_have_been_cut() {
    for cuts in [1, 9] {
        let file = File::new(0, LEN);
        let bytes = file.bytes.clone();
        let mut spec = at_home();
        spec.proof.expected = expected(&bytes);
        let mut world = World::new(move |request, number| {
            let mut reply = whole(&file, request).with(|head| head.content_length = None);
            if number < cuts {
                reply.body.truncate(LEN / 2);
            }
            reply
        });
        world.download(spec).expect("accepted");
        let task = world.play(HOUR_MS);
        match cuts {
            1 => assert!(task.record.state == TaskState::Completed && world.file() == bytes),
            _ => assert_eq!(failure(&task), ErrorCode::DigestMismatch),
        }
        assert_eq!(world.requests.len(), 2, "no more than once: it may be wrong at the server");
    }
}
