//! A host in trouble is asked by one task first. However that task's request ends, the others wait no longer for it.

use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::filter::Filter;
use longhaul::engine::group::GroupKey;
use longhaul::engine::id::{ClientId, GroupId, SessionId, TaskId};
use longhaul::engine::input::{BulkAction, Call, FetchFailure, IfExists, Input, TaskCall};
use longhaul::engine::output::FetchRequest;
use longhaul::engine::policy::{Conditions, PolicyPatch};
use longhaul::engine::task::{TaskSpec, TaskState, WaitReason};

use super::world::{File, HOME, Reply, World, from, key, source};

/// For how long a neighbour waits at most once the host is free.
const AT_ONCE_MS: u64 = 1_000;
/// The pause after three that were in trouble, and a little.
const LONGEST_PAUSE_MS: u64 = 5_000;

fn add(world: &mut World, id: &str, spec: TaskSpec, if_exists: IfExists) {
    let spec = TaskSpec { call_token: format!("{id} {}", world.requests.len()), ..spec };
    world.call(Call::Download { key: key(id), spec, secrets: Vec::new(), if_exists }).expect("accepted");
}

fn is_done(world: &World, id: &str) -> bool {
    world.stored(id).is_some_and(|task| task.record.state == TaskState::Completed)
}

fn home(path: &str) -> TaskSpec {
    from(&[HOME, path].concat())
}

/// A host that two tasks, which are gone, have found busy, after the pause.
fn in_trouble() -> World {
    let mut world = World::new(|_, _| Reply::status(503));
    for id in ["a", "b"] {
        add(&mut world, id, home("/busy"), IfExists::Keep);
    }
    world.until(|world| world.requests.len() == 2);
    for id in ["a", "b"] {
        task_call(&mut world, id, TaskCall::Cancel { keep: false });
    }
    world.wait(LONGEST_PAUSE_MS);
    world
}

/// The same, and one task asks it first, with a neighbour that waits for that. `asked` is what becomes of its requests.
fn asked_first(asker: TaskSpec, mut asked: impl FnMut(&FetchRequest) -> Reply + 'static) -> World {
    let mut world = in_trouble();
    world.serve(move |request, _| match request.url.ends_with("/asker") {
        true => asked(request),
        false => File::new(0, 1_000).answer(request),
    });
    add(&mut world, "asker", asker, IfExists::Keep);
    assert_eq!(world.requests[2].url, [HOME, "/asker"].concat());
    add(&mut world, "neighbour", home("/f"), IfExists::Keep);
    world
}

/// No head comes.
fn hangs() -> Reply {
    Reply { stalls: true, ..Reply::status(200) }
}

fn task_call(world: &mut World, id: &str, call: TaskCall) {
    world.call(Call::Task(key(id), call)).expect("done");
}

fn bulk(world: &mut World, action: BulkAction, tag: Option<&str>) {
    let filter = Filter { tag: tag.map(Into::into), ..Filter::default() };
    world.call(Call::Bulk { session: SessionId::new("s"), filter, action }).expect("done");
}

/// Ends the request of the first asker, and sees the neighbour ask at once.
fn frees_the_host(name: &str, asker: TaskSpec, end: impl FnOnce(&mut World)) {
    let mut world = asked_first(asker, |_| hangs());
    world.wait(5_000);
    assert_eq!(world.requests.len(), 3, "{name}: the neighbour waits for the one that asks first");
    end(&mut world);
    world.wait(AT_ONCE_MS);
    assert!(is_done(&world, "neighbour"), "{name}");
}

#[test]
fn a_command_to_the_first_asker_frees_its_host() {
    let commands: [(&str, TaskCall); 4] = [
        ("cancel", TaskCall::Cancel { keep: false }),
        ("cancel, and keep the bytes", TaskCall::Cancel { keep: true }),
        ("pause", TaskCall::Pause),
        (
            "allow an unmetered network only",
            TaskCall::Update(PolicyPatch { metered: Some(false), ..Default::default() }),
        ),
    ];
    for (name, command) in commands {
        frees_the_host(name, home("/asker"), |world| {
            tell(world, true);
            task_call(world, "asker", command);
        });
    }
}

#[test]
fn a_command_to_many_frees_the_hosts_that_they_ask_first() {
    let asker = TaskSpec { tag: Some("mine".into()), ..home("/asker") };
    for (name, action) in [("pause", BulkAction::Pause), ("cancel", BulkAction::Cancel)] {
        frees_the_host(name, asker.clone(), |world| bulk(world, action, Some("mine")));
    }
}

fn tell(world: &mut World, metered: bool) {
    let conditions = Conditions { metered: Some(metered), ..Conditions::default() };
    world.give(Input::Conditions { observer: Some(ClientId::new("page")), conditions });
}

#[test]
fn a_first_asker_that_may_not_run_any_more_frees_its_host() {
    let mut spec = home("/asker");
    spec.policy.metered = false;
    frees_the_host("metered", spec, |world| tell(world, true));
    let mut spec = home("/asker");
    spec.policy.resource_timeout_ms = Some(20_000);
    frees_the_host("over its time", spec, |world| {
        world.until(|world| matches!(world.stored("asker").map(|task| task.record.state), Some(TaskState::Failed(_))));
    });
}

#[test]
fn a_first_asker_that_is_replaced_or_deleted_frees_its_host() {
    frees_the_host("replaced", home("/asker"), |world| {
        add(world, "asker", from("https://other.example/f"), IfExists::Replace);
    });
    frees_the_host("deleted", home("/asker"), |world| {
        task_call(world, "asker", TaskCall::Cancel { keep: false });
        task_call(world, "asker", TaskCall::Release);
    });
    frees_the_host("moved", home("/asker"), |world| {
        let source = Some(source("https://other.example/f"));
        let call = TaskCall::Authorize { origin: HOME.into(), headers: None, persist: false, source };
        task_call(world, "asker", call);
    });
}

#[test]
fn a_first_asker_that_fails_for_its_own_sake_frees_its_host() {
    // The browser itself refuses the request; with a mirror the task goes on there.
    for mirror in [None, Some(source("https://mirror.example/asker"))] {
        let mut asker = home("/asker");
        asker.sources.extend(mirror);
        let mut world = asked_first(asker, |request| match request.url.starts_with(HOME) {
            true => {
                let error = TaskError::new(ErrorCode::CspBlocked);
                Reply { head: Err(FetchFailure { error, online: true }), ..Reply::status(200) }
            }
            false => hangs(),
        });
        world.wait(AT_ONCE_MS);
        assert!(is_done(&world, "neighbour"));
    }
}

#[test]
fn after_a_first_asker_that_fails_its_host_is_asked_after_the_pause() {
    let mut asker = home("/asker");
    asker.policy.stall_timeout_ms = 10_000;
    let mut world = asked_first(asker, |_| hangs());
    world.until(|world| world.stored("asker").is_some_and(|task| task.progress.failures > 0));
    world.wait(LONGEST_PAUSE_MS);
    assert!(is_done(&world, "neighbour"));
}

#[test]
fn a_first_asker_that_is_offline_lets_no_other_try_before_things_are_better() {
    let mut world = in_trouble();
    world.serve(|_, _| Reply::unreachable(false));
    for number in 0..20 {
        add(&mut world, &format!("{number}"), home("/f"), IfExists::Keep);
    }
    world.wait(30_000);
    assert_eq!(world.requests.len(), 3, "one has found out");
    world.serve(|request, _| File::new(0, 1_000).answer(request));
    world.kick();
    world.wait(AT_ONCE_MS);
    assert!((0..20).all(|number| is_done(&world, &number.to_string())));
}

#[test]
fn a_host_that_is_free_again_is_asked_by_tasks_whose_wait_is_on_its_way_to_storage() {
    let mut world = asked_first(home("/asker"), |_| hangs());
    // So many that some lie in storage, which are to have their turn: what the others wait for is stored.
    let ids: Vec<String> = (0..250).map(|number| format!("{number:03}")).collect();
    let members = ids.iter().map(|id| (TaskId::new(id), home("/f"))).collect();
    let group = GroupKey { session: SessionId::new("s"), group: GroupId::new("g") };
    world.ask(Call::DownloadAll { group, fails_together: false, members, is_last: true });
    world.until(|world| world.stored("249").is_some());
    world.is_slow_to_store = true;
    world.drain_all();
    let waits = |id: &&String| {
        let state = world.stored(id).map(|task| task.record.state);
        matches!(state, Some(TaskState::Active { reason: Some(WaitReason::HostBusy), .. }))
    };
    assert!(ids.iter().any(|id| waits(&id)), "none was put off in storage");
    world.ask(Call::Task(key("asker"), TaskCall::Pause));
    world.let_storage_answer();
    world.wait(AT_ONCE_MS);
    assert_eq!(ids.iter().filter(|id| is_done(&world, id)).count(), ids.len());
}

#[test]
fn what_is_asked_for_elsewhere_is_no_answer_that_neighbours_wait_for() {
    // The task goes on with the server that its own has redirected it to.
    let target = "https://cdn.example/f/asker";
    let file = File::new(0, 400_000);
    let mut world = World::new(move |request, number| match (request.url.ends_with("/asker"), number) {
        (true, 0) => file.answer(request).cut_after(100_000).with(|head| head.final_url = Some(target.into())),
        (true, _) => hangs(),
        (false, 1..3) => Reply::status(503),
        (false, _) => File::new(0, 1_000).answer(request),
    });
    world.read_bytes = 50_000;
    add(&mut world, "asker", home("/asker"), IfExists::Keep);
    world.until(|world| world.requests.len() == 1);
    for id in ["a", "b"] {
        add(&mut world, id, home("/busy"), IfExists::Keep);
    }
    world.until(|world| world.requests.len() == 4);
    assert_eq!(world.requests[3].url, target);
    add(&mut world, "neighbour", home("/f"), IfExists::Keep);
    world.wait(LONGEST_PAUSE_MS);
    assert!(is_done(&world, "neighbour"));
}

#[test]
fn a_worker_that_starts_anew_knows_of_no_first_asker() {
    for crashes in [false, true] {
        frees_the_host("kill", home("/asker"), |world| if crashes { world.crash() } else { world.kill() });
    }
}

#[test]
fn a_host_that_a_server_redirects_to_is_not_the_server() {
    // Its trouble closes the server to no task.
    let target = "https://cdn.example/f/asker";
    let file = File::new(0, 400_000);
    let mut world = World::new(move |request, number| match (request.url.as_str(), number) {
        (_, 0) => file.answer(request).cut_after(100_000).with(|head| head.final_url = Some(target.into())),
        (url, _) if url == target => Reply::status(503).with(|head| head.retry_after = Some("600".into())),
        _ => File::new(0, 1_000).answer(request),
    });
    world.read_bytes = 50_000;
    add(&mut world, "asker", home("/asker"), IfExists::Keep);
    world.until(|world| world.requests.len() == 2);
    assert_eq!(world.requests[1].url, target);
    world.wait(AT_ONCE_MS);
    add(&mut world, "neighbour", home("/f"), IfExists::Keep);
    world.wait(AT_ONCE_MS);
    assert!(is_done(&world, "neighbour"));
}
