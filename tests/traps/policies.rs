//! Policies, limits and turns: who runs, who waits, and why.

use longhaul::engine::id::{ClientId, SessionId, TaskId, TaskKey};
use longhaul::engine::input::{BulkAction, Call, IfExists, Input, TaskCall};
use longhaul::engine::output::Answer;
use longhaul::engine::policy::{Conditions, PolicyPatch, Priority};
use longhaul::engine::session::{Configuration, Limits, LimitsPatch, SessionRecord};
use longhaul::engine::task::{TaskSpec, TaskState, WaitReason};
use longhaul::engine::time::Timestamp;

use super::world::{File, Reply, World, at_home, from, key};

const LEN: usize = 400_000;

fn honest() -> World {
    let file = File::new(0, LEN);
    World::new(move |request, _| file.answer(request))
}

/// A server whose bodies never end.
fn endless(len: usize) -> World {
    let file = File::new(0, len);
    World::new(move |request, _| {
        let mut reply = file.answer(request);
        reply.body.truncate(1 << 20);
        reply.stalls = true;
        reply
    })
}

fn tell(world: &mut World, conditions: Conditions) {
    world.give(Input::Conditions { observer: Some(ClientId::new("page")), conditions });
}

fn metered(metered: Option<bool>) -> Conditions {
    Conditions { metered, ..Conditions::default() }
}

/// Why the task waits, and until when; `None` if it does not.
fn reason(world: &mut World, id: &str) -> Option<(WaitReason, Option<u64>)> {
    match world.call(Call::Task(key(id), TaskCall::Get)) {
        Ok(Answer::Task(snapshot)) => {
            snapshot.waiting.map(|waiting| (waiting.reason, waiting.until.map(|until| until.0)))
        }
        other => panic!("{other:?}"),
    }
}

fn add(world: &mut World, id: &str, mut spec: TaskSpec) {
    spec.call_token = id.into();
    let (key, secrets) = (key(id), Vec::new());
    let if_exists = IfExists::Keep;
    world.call(Call::Download { key, spec, secrets, if_exists }).expect("accepted");
}

#[test]
fn segments_that_give_way_are_not_replaced_by_others() {
    let file = File::new(0, 12 << 20);
    let mut world = World::new(move |request, _| file.answer(request));
    world.read_bytes = 200_000;
    let mut spec = at_home();
    spec.policy.metered = false;
    spec.policy.max_segments = 2;
    tell(&mut world, metered(Some(false)));
    world.download(spec).expect("accepted");
    world.until(|world| world.open_requests() == 2);
    tell(&mut world, metered(Some(true)));
    let asked = world.requests.len();
    world.until(|world| world.open_requests() == 0);
    assert_eq!(reason(&mut world, "t"), Some((WaitReason::Metered, None)));
    assert_eq!(world.requests.len(), asked);
    assert!(world.task().is_some_and(|task| task.progress.received.len() < 12 << 20), "it has not simply finished");
}

#[test]
fn a_metered_network_is_waited_out_and_left_within_a_chunk() {
    let mut world = endless(8 << 20);
    tell(&mut world, metered(Some(true)));
    let mut spec = at_home();
    spec.policy.metered = false;
    world.download(spec).expect("accepted");
    world.play(1_000);
    assert_eq!(world.requests.len(), 0);
    assert_eq!(reason(&mut world, "t"), Some((WaitReason::Metered, None)));
    tell(&mut world, metered(Some(false)));
    world.until(|world| world.task().is_some_and(|task| !task.progress.received.is_empty()));
    tell(&mut world, metered(Some(true)));
    world.until(|world| world.open_requests() == 0);
    assert_eq!(reason(&mut world, "t"), Some((WaitReason::Metered, None)));
}

#[test]
fn a_file_of_unknown_length_that_had_to_give_way_is_not_taken_for_whole() {
    let file = File::new(0, 6 << 20);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |_, _| {
        let whole = longhaul::engine::output::FetchRequest::default();
        file.answer(&whole).with(|head| head.content_length = None)
    });
    let mut spec = at_home();
    spec.policy.metered = false;
    world.download(spec).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| !task.progress.received.is_empty()));
    tell(&mut world, metered(Some(true)));
    world.until(|world| world.open_requests() == 0);
    assert!(world.task().is_some_and(|task| task.record.state.is_active()));
    tell(&mut world, metered(Some(false)));
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
}

#[test]
fn an_unknown_network_is_a_case_of_its_own() {
    let mut world = honest();
    let mut spec = at_home();
    spec.policy.unknown_network = false;
    world.download(spec).expect("accepted");
    world.play(1_000);
    assert_eq!(reason(&mut world, "t"), Some((WaitReason::UnknownNetwork, None)));
    tell(&mut world, metered(Some(true)));
    assert_eq!(world.play(60_000).record.state, TaskState::Completed, "metered is allowed, and known");
}

#[test]
fn a_good_moment_is_waited_for_until_the_deadline() {
    for sign in [None, Some(Conditions { charging: Some(true), ..Conditions::default() })] {
        let mut world = honest();
        let mut spec = at_home();
        let deadline = world.now + 3_600_000;
        spec.policy.discretionary_until = Some(Timestamp(deadline));
        world.download(spec).expect("accepted");
        world.play(1_000);
        assert_eq!(reason(&mut world, "t"), Some((WaitReason::Discretionary, Some(deadline))));
        if let Some(sign) = sign {
            tell(&mut world, sign);
        }
        world.until(|world| !world.requests.is_empty());
        assert_eq!(world.now >= deadline, sign.is_none(), "at {} of {deadline}", world.now);
    }
}

#[test]
fn an_earliest_begin_is_kept_across_kills() {
    let mut world = honest();
    let begin_at = world.now + 48 * 3_600_000;
    let mut spec = at_home();
    spec.policy.begin_at = Some(Timestamp(begin_at));
    world.download(spec).expect("accepted");
    assert_eq!(reason(&mut world, "t"), Some((WaitReason::EarliestBegin, Some(begin_at))));
    world.kill();
    world.until(|world| !world.requests.is_empty());
    assert!(world.now >= begin_at);
}

#[test]
fn changes_take_effect_on_running_tasks() {
    let mut world = endless(40 << 20);
    let mut spec = at_home();
    spec.policy.max_segments = 2;
    world.download(spec).expect("accepted");
    world.until(|world| world.open_requests() == 2);
    let patch = PolicyPatch { max_segments: Some(1), ..PolicyPatch::default() };
    world.task_call(TaskCall::Update(patch)).expect("updated");
    world.until(|world| world.open_requests() == 1);
    let limits = LimitsPatch { unknown_network: Some(false), ..LimitsPatch::default() };
    world.call(Call::UpdateSession(SessionId::new("s"), limits)).expect("updated");
    world.until(|world| world.open_requests() == 0);
    assert_eq!(reason(&mut world, "t"), Some((WaitReason::UnknownNetwork, None)));
}

fn lower(world: &mut World, limits: LimitsPatch) {
    world.call(Call::UpdateSession(SessionId::new("s"), limits)).expect("updated");
}

/// Whether of the task's bytes a chunk is durable.
fn has_begun(world: &World, id: &str) -> bool {
    world.stored(id).is_some_and(|task| !task.progress.received.is_empty())
}

#[test]
fn fewer_tasks_run_once_a_session_allows_fewer() {
    let mut world = endless(40 << 20);
    for (at, id) in ["a", "b", "c"].into_iter().enumerate() {
        add(&mut world, id, from(&format!("https://host{at}.example/f")));
    }
    world.until(|world| ["a", "b", "c"].iter().all(|id| has_begun(world, id)));
    let patch = PolicyPatch { priority: Some(Priority::High), ..PolicyPatch::default() };
    world.call(Call::Task(key("b"), TaskCall::Update(patch))).expect("updated");
    lower(&mut world, LimitsPatch { max_concurrent_tasks: Some(1), ..LimitsPatch::default() });
    world.wait(10_000);
    assert_eq!(reason(&mut world, "b"), None, "the one that comes first goes on");
    for id in ["a", "c"] {
        assert_eq!(reason(&mut world, id), Some((WaitReason::SessionBusy, None)), "{id}");
    }
    let asked = world.requests.len();
    world.wait(30_000);
    assert_eq!((world.open_requests(), world.requests.len()), (1, asked), "they do not take turns");
    lower(&mut world, LimitsPatch { max_concurrent_tasks: Some(3), ..LimitsPatch::default() });
    world.until(|world| world.open_requests() == 3);
    let from: Vec<u64> =
        world.requests[asked..].iter().filter_map(|request| request.range).map(|(from, _)| from).collect();
    assert!(from.iter().all(|from| *from > 0), "they go on where they were: {from:?}");
}

#[test]
fn first_connections_beyond_a_lower_limit_of_their_host_end_too() {
    let mut world = endless(40 << 20);
    for id in ["a", "b", "c"] {
        add(&mut world, id, from("https://app.example/f"));
    }
    world.until(|world| ["a", "b", "c"].iter().all(|id| has_begun(world, id)));
    tell(&mut world, Conditions { visible: Some(true), ..Conditions::default() });
    world.wait(10_000);
    assert_eq!(world.open_requests(), 2, "a page that can be seen needs connections of its own");
    assert_eq!(reason(&mut world, "c"), Some((WaitReason::HostBusy, None)), "the youngest waits");
    lower(&mut world, LimitsPatch { max_per_host_visible: Some(1), ..LimitsPatch::default() });
    world.wait(10_000);
    assert_eq!((world.open_requests(), reason(&mut world, "a")), (1, None));
}

#[test]
fn a_request_whose_answer_has_not_come_is_not_made_twice_for_a_lower_limit() {
    let mut world = endless(40 << 20);
    for id in ["a", "b", "tile"] {
        add(&mut world, id, from("https://app.example/f"));
    }
    world.until(|world| world.requests.len() == 3);
    tell(&mut world, Conditions { visible: Some(true), ..Conditions::default() });
    world.until(|world| has_begun(world, "tile"));
    assert_eq!(world.requests.len(), 3);
    world.wait(10_000);
    assert_eq!(
        reason(&mut world, "tile"),
        Some((WaitReason::HostBusy, None)),
        "it makes way with what it was answered"
    );
}

#[test]
fn what_could_not_be_continued_is_not_ended_by_a_lower_limit() {
    let file = File::new(0, 40 << 20);
    let mut world = World::new(move |request, _| {
        let mut reply = file.answer(&longhaul::engine::output::FetchRequest { range: None, ..request.clone() });
        reply.body.truncate(1 << 20);
        reply.stalls = true;
        reply
    });
    for id in ["a", "b"] {
        add(&mut world, id, from("https://app.example/f"));
    }
    world.until(|world| ["a", "b"].iter().all(|id| has_begun(world, id)));
    lower(
        &mut world,
        LimitsPatch { max_concurrent_tasks: Some(1), max_per_host_hidden: Some(1), ..LimitsPatch::default() },
    );
    world.wait(10_000);
    assert_eq!(world.open_requests(), 2, "all that came would be lost");
}

#[test]
fn other_limits_under_the_same_version_are_told_of() {
    let mut world = honest();
    let mut open = |max_concurrent_tasks, version| {
        let limits = Limits { max_concurrent_tasks, ..Limits::default() };
        let record = SessionRecord::new(SessionId::new("s"), Configuration { version, limits }, true);
        match world.call(Call::Open(record)) {
            Ok(Answer::Opened { differs, .. }) => differs,
            other => panic!("{other:?}"),
        }
    };
    assert!(!open(5, 2), "a new version");
    assert!(open(6, 2) && !open(5, 2));
    let limits = LimitsPatch { max_concurrent_tasks: Some(6), ..LimitsPatch::default() };
    world.call(Call::UpdateSession(SessionId::new("s"), limits)).expect("updated");
    world.kill();
    let mut open = |max_concurrent_tasks, version| {
        let limits = Limits { max_concurrent_tasks, ..Limits::default() };
        let record = SessionRecord::new(SessionId::new("s"), Configuration { version, limits }, false);
        matches!(world.call(Call::Open(record)), Ok(Answer::Opened { differs: true, .. }))
    };
    assert!(!open(5, 2), "what was changed since is no other configuration");
    assert!(open(6, 2) && !open(6, 3));
}

#[test]
fn a_page_that_can_be_seen_keeps_connections_for_itself() {
    let mut world = endless(200 << 20);
    let mut spec = at_home();
    spec.policy.max_segments = 4;
    world.download(spec).expect("accepted");
    world.until(|world| world.open_requests() == 4);
    tell(&mut world, Conditions { visible: Some(true), ..Conditions::default() });
    world.until(|world| world.open_requests() == 2);
    tell(&mut world, Conditions { visible: Some(false), ..Conditions::default() });
    world.until(|world| world.open_requests() == 4);
}

#[test]
fn a_session_that_is_careful_with_a_host_is_not_kept_from_it_by_one_that_is_not() {
    let mut world = endless(200 << 20);
    let mut spec = at_home();
    spec.policy.max_segments = 4;
    world.download(spec).expect("accepted");
    world.until(|world| world.open_requests() == 4);
    let id = SessionId::new("careful");
    let limits = Limits { max_per_host_hidden: 2, ..Limits::default() };
    let configuration = Configuration { version: 1, limits };
    world.call(Call::Open(SessionRecord::new(id.clone(), configuration, false))).expect("the session opens");
    let key = TaskKey { session: id, task: TaskId::new("t") };
    let spec = from("https://app.example/another");
    let download = Call::Download { key: key.clone(), spec, secrets: Vec::new(), if_exists: IfExists::Keep };
    let asked = world.now;
    world.call(download).expect("accepted");
    world.until(|world| world.requests.last().is_some_and(|request| request.url.ends_with("/another")));
    assert!(
        world.now - asked < 5_000,
        "it waited {} ms, for more than the chunks that were being read",
        world.now - asked
    );
    world.wait(10_000);
    assert_eq!((world.requests.len(), world.open_requests()), (5, 2), "one for each, and nobody begins anew meanwhile");
    world.call(Call::Task(key, TaskCall::Pause)).expect("paused");
    world.until(|world| world.open_requests() == 4);
}

#[test]
fn every_task_that_waits_says_why() {
    let mut world = endless(LEN);
    tell(&mut world, Conditions { visible: Some(true), ..Conditions::default() });
    for id in ["a", "b", "c"] {
        add(&mut world, id, from("https://app.example/one"));
    }
    world.until(|world| world.open_requests() == 2);
    assert_eq!(reason(&mut world, "a"), None, "it runs");
    assert_eq!(reason(&mut world, "c"), Some((WaitReason::HostBusy, None)));
    for (id, host) in [("d", "https://two.example/f"), ("e", "https://three.example/f")] {
        add(&mut world, id, from(host));
    }
    world.until(|world| world.open_requests() == 3);
    assert_eq!(reason(&mut world, "e"), Some((WaitReason::SessionBusy, None)));
}

#[test]
fn priority_decides_who_is_next_and_can_be_changed() {
    let mut world = endless(LEN);
    tell(&mut world, Conditions { visible: Some(true), ..Conditions::default() });
    for id in ["a", "b", "c", "d"] {
        add(&mut world, id, from(&["https://app.example/", id].concat()));
    }
    let patch = PolicyPatch { priority: Some(Priority::High), ..PolicyPatch::default() };
    world.call(Call::Task(key("d"), TaskCall::Update(patch))).expect("updated");
    world.until(|world| world.open_requests() == 2);
    world.call(Call::Task(key("a"), TaskCall::Pause)).expect("paused");
    world.until(|world| world.requests.len() == 3);
    assert_eq!(world.requests[2].url, "https://app.example/d");
}

#[test]
fn a_bandwidth_limit_holds() {
    const LIMIT: u64 = 50_000;
    let mut world = honest();
    let mut spec = at_home();
    spec.policy.max_bytes_per_second = Some(LIMIT);
    let began = world.now;
    world.download(spec).expect("accepted");
    assert_eq!(world.play(600_000).record.state, TaskState::Completed);
    let least_ms = (LEN as u64 - 64_000) * 1_000 / LIMIT;
    assert!(world.now - began >= least_ms, "{} ms for what takes {least_ms} at least", world.now - began);
}

#[test]
fn a_bandwidth_limit_of_the_session_is_shared_by_its_tasks() {
    const LIMIT: u64 = 50_000;
    let mut world = honest();
    let limits = LimitsPatch { max_bytes_per_second: Some(LIMIT), ..LimitsPatch::default() };
    world.call(Call::UpdateSession(SessionId::new("s"), limits)).expect("updated");
    let began = world.now;
    for id in ["a", "b"] {
        add(&mut world, id, at_home());
    }
    let is_done = |world: &World, id| world.stored(id).is_some_and(|task| task.record.state == TaskState::Completed);
    world.until(|world| ["a", "b"].iter().all(|id| is_done(world, id)));
    // Each of the two may be ahead by what it reads at once.
    let least_ms = (2 * LEN as u64 - 2 * 64_000) * 1_000 / LIMIT;
    assert!(world.now - began >= least_ms, "{} ms for what takes {least_ms} at least", world.now - began);
}

#[test]
fn a_verb_for_many_reaches_all_that_it_means_and_no_others() {
    let mut world = endless(LEN);
    for number in 0..200 {
        let mut spec = from("https://app.example/f");
        spec.tag = Some(["even", "odd"][number % 2].into());
        add(&mut world, &format!("task {number:03}"), spec);
    }
    let session = SessionId::new("s");
    let filter =
        longhaul::engine::filter::Filter { tag: Some("odd".into()), ..longhaul::engine::filter::Filter::default() };
    let paused = world.call(Call::Bulk { session, filter, action: BulkAction::Pause });
    assert!(matches!(paused, Ok(Answer::Done(100))), "{paused:?}");
    for number in 0..200 {
        let state = world.stored(&format!("task {number:03}")).expect("stored").record.state;
        assert_eq!(state == TaskState::Paused, number % 2 == 1, "task {number}");
    }
}

#[test]
fn a_queue_that_waits_for_tomorrow_is_not_looked_through_all_day() {
    let mut world = honest();
    let begin_at = Timestamp(world.now + 24 * 3_600_000);
    for number in 0..200 {
        let mut spec = at_home();
        spec.policy.begin_at = Some(begin_at);
        add(&mut world, &format!("task {number:03}"), spec);
    }
    world.wait(3_600_000);
    let before = world.due_loads;
    for minute in 0..60 {
        world.wait(60_000);
        tell(&mut world, metered(Some(minute % 2 == 0)));
    }
    assert_eq!(world.due_loads, before, "nothing was due, whatever else happened");
    assert!(!world.is_working, "and the worker is not held for it");
    world.until(|world| world.now >= begin_at.0);
    let is_done = |world: &World, number: u32| {
        let task = world.stored(&format!("task {number:03}"));
        task.is_some_and(|task| task.record.state == TaskState::Completed)
    };
    world.until(|world| (0..200).all(|number| is_done(world, number)));
}

#[test]
fn a_queue_of_thousands_stays_in_storage_and_none_is_forgotten() {
    let mut world = World::new(|request, _| File::new(0, 100).answer(request));
    for number in 0..1_000 {
        world.ask(Call::Download {
            key: key(&format!("task {number:04}")),
            spec: TaskSpec { call_token: number.to_string(), ..from("https://app.example/f") },
            secrets: Vec::new(),
            if_exists: IfExists::Keep,
        });
    }
    world.until(|world| world.requests.len() >= 10);
    world.kill();
    world.attach("page", false);
    world.until(|world| world.stored_states().iter().all(|state| *state == TaskState::Completed));
    assert_eq!(world.stored_states().len(), 1_000);
}

#[test]
fn failed_and_cancelled_records_do_not_pile_up() {
    let mut world = World::new(|_, _| Reply::status(404));
    for number in 0..1_300 {
        add(&mut world, &format!("task {number:04}"), from("https://app.example/f"));
    }
    world.until(|world| world.stored_states().iter().all(|state| !state.is_active()));
    world.drain_all();
    let kept = world.stored_states().len();
    assert!((1_000..1_130).contains(&kept), "{kept} records are kept");
}

#[test]
fn a_second_segment_makes_way_for_another_download() {
    let file = File::new(0, 24 << 20);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| match request.url.contains("small") {
        true => File::new(1, 1_000).answer(request),
        false => file.answer(request),
    });
    world.read_bytes = 100_000;
    tell(&mut world, Conditions { visible: Some(true), ..Conditions::default() });
    let mut spec = at_home();
    spec.policy.max_segments = 4;
    world.download(spec).expect("accepted");
    world.until(|world| world.open_requests() == 2);
    for small in ["small 1", "small 2", "small 3"] {
        add(&mut world, small, from("https://app.example/small"));
    }
    let state = |world: &World, id: &str| world.stored(id).map(|task| task.record.state);
    world.until(|world| {
        ["small 1", "small 2", "small 3"].iter().all(|id| state(world, id) == Some(TaskState::Completed))
    });
    assert!(state(&world, "t").is_some_and(|state| state.is_active()), "it was only slowed down");
    world.until(|world| world.open_requests() == 2);
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
    assert_eq!(world.bytes_sent, bytes.len() as u64 + 3_000, "no byte came twice");
}
