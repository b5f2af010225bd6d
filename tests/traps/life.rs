//! Life and death: of workers, pages, storage and tasks.

use std::collections::BTreeSet;

use longhaul::engine::error::ErrorCode;
use longhaul::engine::id::{ClientId, SessionId};
use longhaul::engine::input::{Call, CommitOutcome, IfExists, Input, TaskCall};
use longhaul::engine::output::{Answer, Change};
use longhaul::engine::session::{Configuration, LimitsPatch, MAX_SESSIONS, SessionRecord};
use longhaul::engine::task::{EventKind, Subject, TaskEvent, TaskSpec, TaskState, WaitReason};
use longhaul::store::changes::to_writes;
use longhaul::store::{Key, Table, Value, Write};

use super::world::{FIRST, File, Reply, World, at_home, failure, key};

const LEN: usize = 400_000;

fn honest(file: &File) -> World {
    let file = file.clone();
    World::new(move |request, _| file.answer(request))
}

#[test]
fn a_kill_at_every_step_leaves_the_right_file_in_the_end() {
    let file = File::new(0, LEN);
    for kill_after in 0..60 {
        let mut world = honest(&file);
        world.read_bytes = 40_000;
        let asked = world.ask(Call::Download {
            key: key("t"),
            spec: at_home(),
            secrets: Vec::new(),
            if_exists: IfExists::Keep,
        });
        for _ in 0..kill_after {
            if world.task().is_some_and(|task| task.record.state.has_ended()) {
                break;
            }
            world.one_step();
        }
        let _ = asked;
        world.kill();
        world.attach("page", false);
        if world.task().is_none() {
            // The call had no answer: its page sends it again.
            world.download(at_home()).expect("accepted");
        }
        assert_eq!(world.play(60_000).record.state, TaskState::Completed, "killed after {kill_after} steps");
        assert_eq!(world.file(), file.bytes, "killed after {kill_after} steps");
        let asked_for: u64 = world.requests.len() as u64;
        assert!(asked_for <= 2, "killed once, asked {asked_for} times");
    }
}

#[test]
fn a_commit_that_was_given_up_is_never_written() {
    let file = File::new(0, LEN);
    // A checkpoint, or the commit that completes the file.
    for steps in 0..10 {
        let mut world = honest(&file);
        world.read_bytes = 100_000;
        world.download(at_home()).expect("accepted");
        (0..steps).for_each(|_| world.one_step());
        world.stall_storage();
        // The commit of another call has begun, so that those of this task wait behind it.
        world.ask(Call::UpdateSession(
            SessionId::new("s"),
            LimitsPatch { max_concurrent_tasks: Some(5), ..LimitsPatch::default() },
        ));
        world.wait(65_000);
        world.let_storage_move_on();
        world.wait(300_000);
        assert_eq!(world.stored("t").expect("there is a task").record.state, TaskState::Completed);
        assert_eq!(world.file(), file.bytes, "stalled after {steps} steps");
        // The page has acknowledged nothing: the next worker delivers all that is stored.
        world.kill();
        world.attach("page", false);
        world.drain_all();
        let completed = |event: &&TaskEvent| {
            matches!(event.kind, EventKind::Completed { .. }) && event.subject == Subject::Task(key("t").task)
        };
        let delivered = world.events.iter().filter(completed).map(|event| event.seq).collect::<BTreeSet<_>>();
        assert_eq!(delivered.len(), 1, "stalled after {steps} steps: {:?}", world.events);
    }
}

#[test]
fn no_task_is_left_running_after_a_kill() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, number| {
        let mut reply = file.answer(request);
        reply.stalls = number == 0;
        reply.body.truncate(if number == 0 { 1_000 } else { LEN });
        reply
    });
    world.download(at_home()).expect("accepted");
    world.until(|world| world.requests.len() == 1);
    world.kill();
    assert_eq!(world.play(1_000).record.state, TaskState::Completed, "it went on without being asked");
}

#[test]
fn an_old_worker_writes_nothing_once_a_new_one_drives() {
    let world = honest(&File::new(0, LEN));
    let newer = world.store.next_epoch();
    let write = || {
        let value = Value::Bytes(vec![1]);
        vec![Write::Put { table: Table::Meta, key: Key::text("x"), value, keys: Default::default() }]
    };
    assert_eq!(world.store.apply(newer - 1, write()), CommitOutcome::Fenced);
    assert_eq!(world.store.apply(newer, write()), CommitOutcome::Committed);
}

#[test]
fn an_event_waits_for_whoever_comes_to_hear_it_and_comes_again_until_it_is_acknowledged() {
    let file = File::new(0, LEN);
    let mut world = honest(&file);
    world.give(Input::Bye { client: ClientId::new("page"), session: None });
    world.download(at_home()).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| task.record.state.has_ended()));
    assert_eq!(world.kinds(), [], "nobody was there");
    world.kill();
    world.attach("late page", false);
    world.until(|world| !world.events.is_empty());
    let completed = EventKind::Completed { bytes: LEN as u64 };
    assert_eq!(world.kinds(), std::slice::from_ref(&completed));
    // The page reloads between doing and acknowledging: it comes again, with the same number.
    let seq = world.events[0].seq;
    world.kill();
    world.attach("reloaded page", false);
    world.until(|world| world.events.len() == 2);
    assert_eq!((world.events[1].seq, &world.events[1].kind), (seq, &completed));
    let (client, session) = (ClientId::new("reloaded page"), SessionId::new("s"));
    world.give(Input::Ack { client, session, seq });
    world.until(|world| world.store.rows(Table::Outbox).is_empty());
    world.kill();
    world.attach("another page", false);
    world.drain_all();
    assert_eq!(world.events.len(), 2, "what was acknowledged never comes again");
}

#[test]
fn an_acknowledgement_ends_what_it_names_and_nothing_else() {
    let file = File::new(0, 1_000);
    let mut world = honest(&file);
    for id in ["a", "b", "c"] {
        let mut spec = at_home();
        spec.call_token = id.into();
        let (key, secrets, if_exists) = (key(id), Vec::new(), IfExists::Keep);
        world.call(Call::Download { key, spec, secrets, if_exists }).expect("accepted");
    }
    world.until(|world| world.events.len() == 3);
    let seqs: Vec<u64> = world.events.iter().map(|event| event.seq).collect();
    let (client, session) = (ClientId::new("page"), SessionId::new("s"));
    world.give(Input::Ack { client, session, seq: seqs[0] });
    world.until(|world| world.store.rows(Table::Outbox).len() == 2);
    world.kill();
    world.attach("page", false);
    world.until(|world| world.events.len() == 5);
    assert_eq!(world.events[3..].iter().map(|event| event.seq).collect::<Vec<_>>(), seqs[1..]);
}

#[test]
fn events_that_come_after_an_eviction_are_not_taken_for_those_before() {
    let file = File::new(0, LEN);
    let mut world = honest(&file);
    for _ in 0..2 {
        world.download(at_home()).expect("accepted");
        world.play(60_000);
        world.evict();
    }
    let seqs: Vec<u64> = world.events.iter().map(|event| event.seq).collect();
    assert!(matches!(seqs[..], [first, second] if first < second), "{seqs:?}");
}

/// Stores another event of the task, under this number, as a worker before would have.
fn leave_event(world: &mut World, seq: u64) {
    let like = world.events[0].clone();
    let writes = to_writes(&[Change::PutEvent(TaskEvent { seq, ..like })], |_| None);
    let epoch = world.store.next_epoch();
    assert_eq!(world.store.apply(epoch, writes), CommitOutcome::Committed);
}

#[test]
fn ten_thousand_events_that_nobody_handles_are_told_before_there_are_more() {
    let file = File::new(0, 1_000);
    let mut world = honest(&file);
    let download = |world: &mut World, id: &str| {
        let spec = TaskSpec { call_token: id.into(), ..at_home() };
        let (key, secrets, if_exists) = (key(id), Vec::new(), IfExists::Keep);
        world.call(Call::Download { key, spec, secrets, if_exists }).map(|_| ()).map_err(|error| error.code)
    };
    download(&mut world, "a").expect("accepted");
    world.until(|world| world.events.len() == 1);
    leave_event(&mut world, FIRST + 9_999);
    world.kill();
    assert_eq!(download(&mut world, "b"), Err(ErrorCode::OutboxFull));
    assert_eq!(download(&mut world, "a"), Ok(()), "what is there is told all the same");
    world.attach("page", false);
    let (client, session) = (ClientId::new("page"), SessionId::new("s"));
    world.give(Input::Ack { client, session, seq: FIRST });
    assert_eq!(download(&mut world, "b"), Ok(()));
}

#[test]
fn a_commit_whose_answer_was_lost_is_looked_up_and_not_repeated() {
    let file = File::new(0, LEN);
    for lost in 1..8 {
        let mut world = honest(&file);
        world.read_bytes = 100_000;
        world.unknown_commits = lost;
        // Its page sends a call again that had no answer.
        for _ in 0..lost {
            let _ = world.download(at_home());
        }
        let task = world.play(60_000);
        assert_eq!(task.record.state, TaskState::Completed, "{lost} answers lost");
        assert_eq!(world.file(), file.bytes, "{lost} answers lost");
        let completed = world.kinds().into_iter().filter(|kind| matches!(kind, EventKind::Completed { .. })).count();
        assert_eq!(completed, 1, "{lost} answers lost");
        assert_eq!(world.bodies(), 1, "{lost} answers lost");
        assert_eq!(task.progress.failures, 0, "{lost} answers lost");
    }
}

#[test]
fn a_download_that_is_replaced_leaves_nothing_behind() {
    let file = File::new(0, LEN);
    let mut world = honest(&file);
    world.read_bytes = 50_000;
    world.download(at_home()).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| !task.progress.received.is_empty()));
    world.download_with(at_home(), Vec::new(), IfExists::Replace).expect("replaced");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), file.bytes);
    assert_eq!(world.bodies(), 1);
}

#[test]
fn nothing_moves_after_completion() {
    let file = File::new(0, LEN);
    let mut world = honest(&file);
    world.download(at_home()).expect("accepted");
    world.play(60_000);
    world.drain_all();
    let shown = std::mem::take(&mut world.shown);
    let end = shown.iter().position(|state| state.has_ended()).expect("the end was shown");
    assert!(shown[end..].iter().all(TaskState::has_ended), "{shown:?}");
}

#[test]
fn a_pause_and_a_cancel_end_the_request_itself() {
    for call in [TaskCall::Pause, TaskCall::Cancel { keep: false }] {
        let file = File::new(0, LEN);
        let mut world = World::new(move |request, _| {
            let mut reply = file.answer(request);
            reply.body.truncate(100_000);
            reply.stalls = true;
            reply
        });
        world.download(at_home()).expect("accepted");
        world.until(|world| world.task().is_some_and(|task| !task.progress.received.is_empty()));
        world.task_call(call.clone()).expect("done");
        assert_eq!(world.open_requests(), 0, "{call:?} left the request open");
    }
}

#[test]
fn a_pause_outlives_the_worker() {
    let file = File::new(0, LEN);
    let mut world = honest(&file);
    world.read_bytes = 10_000;
    world.download(at_home()).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| !task.progress.received.is_empty()));
    world.task_call(TaskCall::Pause).expect("paused");
    let kept = world.task().expect("stored").progress.received.len();
    world.kill();
    world.attach("page", false);
    let requests = world.requests.len();
    assert_eq!(world.play(3_600_000).record.state, TaskState::Paused);
    assert_eq!(world.requests.len(), requests);
    world.task_call(TaskCall::Resume).expect("resumed");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.ranges().last(), Some(&Some((kept, None))));
}

#[test]
fn a_quota_that_is_used_up_mid_way_keeps_what_is_there() {
    let file = File::new(0, LEN);
    let mut world = honest(&file);
    world.read_bytes = 50_000;
    world.download(at_home()).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| task.progress.received.len() >= 150_000));
    world.failing_commits = 4;
    assert_eq!(world.play(3_600_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), file.bytes);
}

#[test]
fn a_file_that_cannot_fit_waits_for_room_before_its_first_byte() {
    let file = File::new(0, LEN);
    let mut world = honest(&file);
    world.free_bytes = Some(LEN as u64 - 1);
    world.download(at_home()).expect("accepted");
    world.wait(200_000);
    let task = world.task().expect("it is there");
    assert!(matches!(task.record.state, TaskState::Active { reason: Some(WaitReason::Quota), .. }));
    assert_eq!((task.progress.received.len(), world.bytes_sent), (0, 0));
    assert!(world.requests.len() < 5, "it looks again from time to time: {}", world.requests.len());
    world.free_bytes = Some(LEN as u64);
    assert_eq!(world.play(600_000).record.state, TaskState::Completed);
}

#[test]
fn somebody_who_comes_back_may_have_made_room() {
    let file = File::new(0, LEN);
    let mut world = honest(&file);
    world.read_bytes = 50_000;
    world.download(at_home()).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| task.progress.received.len() >= 150_000));
    world.failing_commits = 1;
    world.wait(10_000);
    let asked = world.requests.len();
    world.kick();
    world.drain_all();
    assert_eq!(world.requests.len(), asked + 1);
    assert_eq!(world.play(10_000).record.state, TaskState::Completed);
}

#[test]
fn what_another_download_will_take_is_no_room() {
    let file = File::new(0, LEN);
    let mut world = honest(&file);
    world.read_bytes = 1_000;
    world.free_bytes = Some(LEN as u64 * 3 / 2);
    world.download(at_home()).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| !task.progress.received.is_empty()));
    let call = Call::Download { key: key("u"), spec: at_home(), secrets: Vec::new(), if_exists: IfExists::Keep };
    world.call(call).expect("accepted");
    let is_waiting = |state: &TaskState| matches!(state, TaskState::Active { reason: Some(WaitReason::Quota), .. });
    world.until(|world| world.stored("u").is_some_and(|task| is_waiting(&task.record.state)));
    assert!(world.task().is_some_and(|task| task.record.state.is_active()), "each would have fitted alone");
    world.until(|world| world.stored("u").is_some_and(|task| task.record.state == TaskState::Completed));
}

#[test]
fn a_file_that_cannot_fit_fails_if_the_app_would_rather_know() {
    let file = File::new(0, LEN);
    let mut world = honest(&file);
    world.free_bytes = Some(LEN as u64 - 1);
    world.download(TaskSpec { fails_when_full: true, ..at_home() }).expect("accepted");
    let task = world.play(60_000);
    assert_eq!(failure(&task), ErrorCode::QuotaExceeded);
    assert_eq!(task.progress.received.len(), 0);
}

#[test]
fn what_is_released_makes_room_at_once() {
    let file = File::new(0, LEN);
    let mut world = honest(&file);
    world.download(at_home()).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    world.read_bytes = 50_000;
    let call = Call::Download { key: key("u"), spec: at_home(), secrets: Vec::new(), if_exists: IfExists::Keep };
    world.call(call).expect("accepted");
    world.until(|world| world.stored("u").is_some_and(|task| task.progress.received.len() >= 150_000));
    let begun = world.now;
    world.failing_commits = 1;
    world.wait(10_000);
    let kept = world.stored("u").expect("it is there").progress.received.len();
    assert!(kept >= 150_000 && kept < LEN as u64, "it waits, with what is committed");
    world.task_call(TaskCall::Release).expect("released");
    world.until(|world| world.stored("u").is_some_and(|task| task.record.state == TaskState::Completed));
    assert!(world.now < begun + 50_000, "it did not wait for its time");
}

#[test]
fn what_is_in_memory_is_two_buffers_a_connection_and_never_the_file() {
    let file = File::new(0, 3_000_000);
    let mut world = honest(&file);
    world.read_bytes = 100_000;
    world.download(at_home()).expect("accepted");
    world.play(60_000);
    assert_eq!(world.file(), file.bytes);
    assert!(world.most_buffered <= 200_000, "{} bytes were held at a time", world.most_buffered);
}

#[test]
fn the_same_call_twice_is_one_task() {
    let file = File::new(0, LEN);
    let mut world = honest(&file);
    let mut spec = at_home();
    spec.call_token = "once".into();
    let call = || Call::Download { key: key("t"), spec: spec.clone(), secrets: Vec::new(), if_exists: IfExists::Error };
    let Ok(Answer::Download(_, true)) = world.call(call()) else { panic!("the first call makes it") };
    world.kill();
    let Ok(Answer::Download(_, true)) = world.call(call()) else { panic!("the same call is answered as the first") };
    world.play(60_000);
    assert_eq!(world.kinds().len(), 0, "no page has attached to the new worker");
    assert_eq!(world.file(), file.bytes);
}

#[test]
fn a_resource_timeout_ends_a_transfer_that_never_would() {
    let mut world = World::new(|_, _| Reply::status(503));
    let mut spec = at_home();
    spec.policy.resource_timeout_ms = Some(600_000);
    spec.policy.max_failures = 1_000;
    world.download(spec).expect("accepted");
    let began = world.now;
    assert_eq!(failure(&world.play(3_600_000)), ErrorCode::TimedOut);
    assert!(world.now - began <= 601_000, "{} ms", world.now - began);
}

#[test]
fn a_session_more_than_can_be_booted_is_refused() {
    let mut world = honest(&File::new(0, LEN));
    let record = |id: &str| SessionRecord::new(SessionId::new(id), Configuration::default(), false);
    // The session `s` is there already.
    for number in 1..MAX_SESSIONS {
        world.call(Call::Open(record(&format!("a{number}")))).expect("there is room for it");
    }
    let refused = world.call(Call::Open(record("one more"))).err().map(|error| error.code);
    assert_eq!(refused, Some(ErrorCode::TooManySessions));
    world.call(Call::Open(record("a7"))).expect("those that are there are opened again");
    // The last of all of them goes on after a kill.
    world.download(at_home()).expect("accepted");
    world.kill();
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
}
