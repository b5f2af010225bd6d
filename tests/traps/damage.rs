//! Rows that cannot be read: one of them stops nothing else, and what is lost is said.

use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::filter::Filter;
use longhaul::engine::group::GroupKey;
use longhaul::engine::http::RestartReason;
use longhaul::engine::id::{GroupId, SessionId, TaskId};
use longhaul::engine::input::{Call, IfExists, Input, TaskCall};
use longhaul::engine::output::Answer;
use longhaul::engine::session::{Configuration, SessionRecord};
use longhaul::engine::task::{EventKind, TaskSpec, TaskState, WaitReason};
use longhaul::store::{Key, Table};

use super::proof::{bytes_of_two_versions, expected};
use super::world::{FIRST, File, World, at_home, from, key};

const LEN: usize = 300_000;
const DAMAGED: ErrorCode = ErrorCode::RecordDamaged;

fn honest() -> World {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, _| file.answer(request));
    world.read_bytes = 50_000;
    world
}

fn download(world: &mut World, id: &str) {
    let spec = TaskSpec { call_token: id.into(), ..at_home() };
    let call = Call::Download { key: key(id), spec, secrets: Vec::new(), if_exists: IfExists::Keep };
    world.call(call).expect("accepted");
}

/// A task that has some of its bytes.
fn half(world: &mut World, id: &str) {
    download(world, id);
    let has_some = |world: &World| world.stored(id).is_some_and(|task| task.progress.received.len() >= 100_000);
    world.until(has_some);
}

fn state(world: &World, id: &str) -> Option<TaskState> {
    world.stored(id).map(|task| task.record.state)
}

fn complete(world: &mut World, id: &str) {
    world.until(|world| state(world, id) == Some(TaskState::Completed));
    assert_eq!(world.file_of(id), File::new(0, LEN).bytes);
}

/// The row becomes unreadable while no worker is alive, and the next one starts.
fn damage(world: &mut World, rows: &[(Table, Key)]) {
    for (table, row) in rows {
        assert!(world.store.damage(*table, row), "there is no row {row:?} in {table:?}");
    }
    world.kill();
    world.attach("page", true);
}

fn kinds(world: &World) -> Vec<EventKind> {
    world.kinds()
}

fn failed() -> EventKind {
    EventKind::Failed(TaskError::new(DAMAGED))
}

fn code_of(result: Result<Answer, TaskError>) -> Option<ErrorCode> {
    result.err().map(|error| error.code)
}

#[test]
fn a_task_whose_record_is_damaged_fails_and_all_others_go_on() {
    let mut world = honest();
    half(&mut world, "t");
    download(&mut world, "u");
    damage(&mut world, &[(Table::Tasks, Key::task(&key("t")))]);
    complete(&mut world, "u");
    assert_eq!(state(&world, "t"), Some(TaskState::Failed(TaskError::new(DAMAGED))));
    assert!(kinds(&world).contains(&failed()), "{:?}", kinds(&world));
    // Its checkpoint was not: its bytes are still its own, until it is released.
    assert_eq!(world.bodies(), 2);
    assert_eq!(code_of(world.task_call(TaskCall::Resume)), Some(DAMAGED), "it is not known what from");
    world.kill();
    world.attach("page", true);
    world.wait(60_000);
    let failures = kinds(&world).into_iter().filter(|kind| *kind == failed()).count();
    assert!(failures <= 2, "delivered again, since it was not acknowledged, but not made again");
    assert_eq!(world.stored_events(), 2, "one for each task");
    world.task_call(TaskCall::Release).expect("it has ended");
    assert_eq!(world.bodies(), 1, "of the other");
}

#[test]
fn the_same_call_makes_a_task_anew_whose_record_was_lost() {
    let mut world = honest();
    half(&mut world, "t");
    damage(&mut world, &[(Table::Tasks, Key::task(&key("t")))]);
    download(&mut world, "t");
    complete(&mut world, "t");
    assert_eq!(world.bodies(), 1);
}

#[test]
fn bytes_whose_digest_was_lost_with_their_record_are_no_resume_data() {
    // A mirror has brought some of another version: the digest would have told.
    let mut world = bytes_of_two_versions(|spec, bytes| spec.proof.expected = expected(bytes));
    damage(&mut world, &[(Table::Tasks, Key::task(&key("t")))]);
    world.until(|world| state(world, "t") == Some(TaskState::Failed(TaskError::new(DAMAGED))));
    let given = world.task_call(TaskCall::ResumeData);
    assert!(matches!(given, Ok(Answer::ResumeData(_, None))), "nothing would tell any more: {given:?}");
}

#[test]
fn a_transfer_whose_checkpoint_is_damaged_begins_anew() {
    let mut world = honest();
    half(&mut world, "t");
    damage(&mut world, &[(Table::Progress, Key::task(&key("t")))]);
    complete(&mut world, "t");
    assert_eq!(kinds(&world)[0], EventKind::Restarted(RestartReason::Damaged));
    assert_eq!(world.bodies(), 1, "the bytes that no task names any more are swept");
    // The same if both are: then there is nothing to begin anew.
    half(&mut world, "u");
    damage(&mut world, &[(Table::Progress, Key::task(&key("u"))), (Table::Tasks, Key::task(&key("u")))]);
    world.wait(60_000);
    assert_eq!(state(&world, "u"), Some(TaskState::Failed(TaskError::new(DAMAGED))));
    assert_eq!(world.bodies(), 2);
    world.call(Call::Task(key("u"), TaskCall::Release)).expect("it has ended");
    assert_eq!(world.bodies(), 1);
}

#[test]
fn a_finished_file_whose_checkpoint_is_damaged_is_said_to_be_lost_and_can_be_fetched_again() {
    let mut world = honest();
    download(&mut world, "t");
    complete(&mut world, "t");
    damage(&mut world, &[(Table::Progress, Key::task(&key("t")))]);
    let read = TaskCall::Chunk { offset: 0, body: None, waits: false };
    assert_eq!(code_of(world.task_call(read)), Some(ErrorCode::NotFinished));
    world.until(|world| kinds(world).contains(&failed()));
    world.task_call(TaskCall::Resume).expect("what it is of is known");
    complete(&mut world, "t");
    assert_eq!(world.bodies(), 1);
}

#[test]
fn a_task_that_was_never_met_can_be_released_while_storage_takes_nothing_in() {
    let mut world = honest();
    download(&mut world, "t");
    complete(&mut world, "t");
    damage(&mut world, &[(Table::Tasks, Key::task(&key("t")))]);
    world.failing_commits = 1;
    assert_eq!(code_of(world.task_call(TaskCall::Get)), Some(ErrorCode::Storage), "it could not be noted");
    world.task_call(TaskCall::Release).expect("it has ended");
    assert_eq!((world.stored("t"), world.bodies()), (None, 0));
}

#[test]
fn tasks_of_a_session_whose_record_is_damaged_wait_until_it_is_opened() {
    let mut world = honest();
    half(&mut world, "t");
    damage(&mut world, &[(Table::Sessions, Key::text("s"))]);
    let asked = world.requests.len();
    world.wait(3_600_000);
    assert_eq!(world.requests.len(), asked, "who knows what it may cost");
    assert!(!world.is_working, "nothing can be done");
    let Ok(Answer::Task(snapshot)) = world.task_call(TaskCall::Get) else { panic!("it is there") };
    assert_eq!(snapshot.waiting.map(|waiting| waiting.reason), Some(WaitReason::SessionDamaged));
    let (id, configuration) = (SessionId::new("s"), Configuration::default());
    world.call(Call::Open(SessionRecord::new(id, configuration, false))).expect("it opens");
    world.attach("page", true);
    complete(&mut world, "t");
    assert_eq!(kinds(&world)[0], EventKind::Damaged);
}

#[test]
fn a_session_that_may_be_stored_is_stored_until_that_is_known() {
    let mut world = honest();
    half(&mut world, "t");
    damage(&mut world, &[(Table::Sessions, Key::text("s"))]);
    world.unknown_commits = 1;
    let record = SessionRecord::new(SessionId::new("s"), Configuration::default(), false);
    let asked = world.ask(Call::Open(record));
    // It was written, but that was never heard of; then storage takes nothing in for a while.
    world.until(|world| world.unknown_commits == 0);
    world.failing_commits = 3;
    world.until(|world| world.replies.contains_key(&asked));
    assert!(world.replies[&asked].is_ok(), "{:?}", world.replies[&asked]);
    world.attach("page", true);
    complete(&mut world, "t");
    world.wait(1_000);
    let numbers: Vec<u64> = world.events.iter().map(|event| event.seq).collect();
    assert_eq!((numbers.len(), kinds(&world)[0].clone()), (2, EventKind::Damaged), "{numbers:?}");
    assert!(numbers[0] < numbers[1], "{numbers:?}");
}

#[test]
fn an_event_that_is_damaged_is_read_from_the_history_or_said_to_be_lost() {
    let mut world = honest();
    for id in ["t", "u", "v"] {
        download(&mut world, id);
        complete(&mut world, id);
    }
    let session = SessionId::new("s");
    let event = |seq| Key::event(&session, FIRST + seq);
    world.events.clear();
    damage(&mut world, &[(Table::Outbox, event(0)), (Table::Outbox, event(1)), (Table::History, event(1))]);
    world.drain_all();
    let bytes = LEN as u64;
    let whole = EventKind::Completed { bytes };
    assert_eq!(kinds(&world), [whole.clone(), EventKind::Damaged, whole]);
    assert_eq!(world.events.iter().map(|event| event.seq).collect::<Vec<_>>(), [FIRST, FIRST + 1, FIRST + 2]);
    let history = Call::History { session: session.clone(), before: None, limit: 9 };
    assert!(matches!(world.call(history), Ok(Answer::History(events)) if events.len() == 3));
    let client = longhaul::engine::id::ClientId::new("page");
    world.give(Input::Ack { client, session, seq: FIRST + 2 });
    world.wait(1_000);
    assert_eq!(world.stored_events(), 0);
}

fn join(world: &mut World, ids: &[&str], is_last: bool) -> GroupKey {
    let group = GroupKey { session: SessionId::new("s"), group: GroupId::new("g") };
    let spec = |id: &&str| TaskSpec { group: Some(group.group.clone()), call_token: (*id).into(), ..at_home() };
    let members = ids.iter().map(|id| (TaskId::new(id), spec(id))).collect();
    let call = Call::DownloadAll { group: group.clone(), fails_together: false, members, is_last };
    world.call(call).expect("accepted");
    group
}

#[test]
fn a_group_whose_row_is_damaged_ends_once_with_the_members_that_it_has() {
    let mut world = honest();
    let group = join(&mut world, &["t", "u"], false);
    damage(&mut world, &[(Table::Groups, Key::group(&group))]);
    let ended = |world: &World| kinds(world).iter().filter(|kind| matches!(kind, EventKind::GroupEnded(_))).count();
    world.until(|world| ended(world) == 1);
    // Damaged once more, when it is done: a call about it does not end it again.
    damage(&mut world, &[(Table::Groups, Key::group(&group))]);
    world.events.clear();
    assert!(matches!(world.call(Call::Group(group)), Ok(Answer::Group(counts)) if counts.completed == 2));
    world.wait(60_000);
    assert_eq!(world.stored_events(), 1);
}

#[test]
fn a_group_counts_a_member_whose_record_is_damaged_as_failed() {
    let mut world = honest();
    join(&mut world, &["t", "u"], true);
    damage(&mut world, &[(Table::Tasks, Key::task(&key("u")))]);
    world.until(|world| !kinds(world).is_empty());
    let [EventKind::GroupEnded(counts)] = kinds(&world)[..] else { panic!("{:?}", kinds(&world)) };
    assert_eq!((counts.completed, counts.failed, counts.total()), (1, 1, 2));
}

#[test]
fn a_page_of_results_has_no_hole_where_a_row_is_damaged() {
    let mut world = honest();
    for id in ["a", "b", "c", "d"] {
        download(&mut world, id);
        complete(&mut world, id);
    }
    damage(&mut world, &[(Table::Tasks, Key::task(&key("b"))), (Table::Progress, Key::task(&key("c")))]);
    let mut after = None;
    let mut found = Vec::new();
    loop {
        let (session, filter) = (SessionId::new("s"), Filter { states: 0b00100, ..Filter::default() });
        let Ok(Answer::Tasks(tasks, next)) = world.call(Call::Select { session, filter, after, limit: 2 }) else {
            panic!("a page was asked for")
        };
        found.extend(tasks.into_iter().map(|task| (task.record.key.task, task.record.state == TaskState::Completed)));
        let Some(next) = next else { break };
        after = Some(next);
    }
    let expected = [("a", true), ("b", false), ("c", false), ("d", true)];
    assert_eq!(found, expected.map(|(id, is_there)| (TaskId::new(id), is_there)));
    world.wait(1_000);
    for id in ["b", "c"] {
        assert_eq!(state(&world, id), Some(TaskState::Failed(TaskError::new(DAMAGED))), "{id} was met, and mended");
    }
}

#[test]
fn a_body_is_not_swept_because_its_row_or_its_owner_cannot_be_read() {
    let mut world = honest();
    half(&mut world, "t");
    // What a task has given up, and what it has given away.
    let Ok(Answer::ResumeData(_, Some(data))) = world.task_call(TaskCall::Cancel { keep: true }) else {
        panic!("data")
    };
    half(&mut world, "u");
    let of = |world: &World, id: &str| world.stored(id).expect("a task").progress.body;
    let (left, owned) = (of(&world, "t"), of(&world, "u"));
    // A row of a task's body that says that it is to be swept, and cannot be read: only its owner can tell.
    let dead = longhaul::engine::output::Change::KillBody(owned);
    world.commit(&[dead]);
    damage(&mut world, &[(Table::Bodies, Key::body(owned)), (Table::Bodies, Key::body(left))]);
    complete(&mut world, "u");
    assert_eq!(world.bodies(), 2);
    let spec = TaskSpec { call_token: "v".into(), ..from("https://app.example/f") };
    let resumed = world.call(Call::ResumeFrom { key: key("v"), spec, secrets: Vec::new(), data });
    assert_eq!(code_of(resumed), Some(ErrorCode::ResumeDataStale), "what they are bytes of is lost");
    world.wait(8 * 24 * 3_600_000);
    assert_eq!(world.bodies(), 1, "nothing can ever take them up");
}

#[test]
fn a_body_that_is_given_up_while_its_owner_is_looked_for_stays_dead() {
    let mut world = honest();
    half(&mut world, "t");
    let owned = world.stored("t").expect("a task").progress.body;
    world.commit(&[longhaul::engine::output::Change::KillBody(owned)]);
    assert!(world.store.damage(Table::Bodies, &Key::body(owned)));
    world.kill();
    // The sweep asks which bodies have owners; its answer is on its way when the owner lets go of this one.
    world.attach("page", true);
    let cancelled = world.ask(Call::Task(key("t"), TaskCall::Cancel { keep: false }));
    world.until(|world| world.replies.contains_key(&cancelled));
    world.wait(60_000);
    assert_eq!(state(&world, "t"), Some(TaskState::Cancelled));
    assert_eq!(world.bodies(), 0, "it has no owner, and is swept");
}
