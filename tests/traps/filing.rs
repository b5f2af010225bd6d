//! Files that leave the store: they are somewhere else, all of them, before they are not here any more.

use longhaul::engine::error::ErrorCode;
use longhaul::engine::group::GroupKey;
use longhaul::engine::id::{GroupId, SessionId, TaskId};
use longhaul::engine::input::{Call, IfExists, TaskCall};
use longhaul::engine::output::Answer;
use longhaul::engine::task::{Destination, EventKind, Place, TaskSpec, TaskState};

use super::world::{File, World, at_home, failure, key};

const LEN: usize = 300_000;

fn cache(url: &str) -> Destination {
    Destination::Cache { name: "files".into(), url: url.into() }
}

fn to_cache() -> TaskSpec {
    TaskSpec { destination: Some(cache("/f")), ..at_home() }
}

fn world() -> (World, File) {
    let file = File::new(0, LEN);
    let served = file.clone();
    (World::new(move |request, _| served.answer(request)), file)
}

/// A file that is there.
fn finished() -> (World, File) {
    let (mut world, file) = world();
    world.download(at_home()).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    (world, file)
}

fn read(world: &mut World) -> Result<Answer, ErrorCode> {
    let call = TaskCall::Chunk { offset: 0, body: None, waits: false };
    world.task_call(call).map_err(|error| error.code)
}

fn place(world: &World) -> Place {
    world.task().expect("it is there").record.place
}

#[test]
fn a_file_is_where_it_belongs_before_anybody_hears_that_it_is_complete() {
    let (mut world, file) = world();
    world.is_slow_to_file = true;
    world.download(to_cache()).expect("accepted");
    world.wait(20_000);
    assert_eq!(world.file(), file.bytes, "all of it is here");
    assert!(world.task().is_some_and(|task| task.record.state.is_active()));
    assert_eq!(world.kinds(), []);
    world.let_files_arrive();
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.filed, [(cache("/f"), file.bytes)]);
    assert_eq!(world.kinds(), [EventKind::Completed { bytes: LEN as u64 }]);
    assert_eq!(read(&mut world).expect_err("it is gone"), ErrorCode::FileReleased);
    assert_eq!(world.bodies(), 0, "nothing of it is kept twice");
}

#[test]
fn a_kill_while_a_file_is_being_written_begins_that_again() {
    let (mut world, file) = world();
    world.is_slow_to_file = true;
    world.download(to_cache()).expect("accepted");
    for filings in 1..=3 {
        world.wait(20_000);
        assert_eq!(world.filings, filings);
        world.kill();
    }
    world.attach("page", true);
    world.let_files_arrive();
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.filed, [(cache("/f"), file.bytes)]);
    assert_eq!(world.kinds(), [EventKind::Completed { bytes: LEN as u64 }]);
    assert_eq!(world.requests.len(), 1, "no byte is fetched twice");
}

#[test]
fn a_destination_that_refuses_fails_the_download_and_keeps_its_bytes() {
    let (mut world, file) = world();
    world.filing_failures.push_back(ErrorCode::DestinationFailed);
    world.download(to_cache()).expect("accepted");
    assert_eq!(failure(&world.play(60_000)), ErrorCode::DestinationFailed);
    assert_eq!(world.file(), file.bytes);
    world.task_call(TaskCall::Resume).expect("resumed");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.filed, [(cache("/f"), file.bytes)]);
    assert_eq!(world.requests.len(), 1);
}

#[test]
fn a_destination_without_room_is_waited_for() {
    let (mut world, file) = world();
    world.filing_failures.extend([ErrorCode::QuotaExceeded, ErrorCode::QuotaExceeded]);
    world.download(to_cache()).expect("accepted");
    assert_eq!(world.play(600_000).record.state, TaskState::Completed);
    assert_eq!(world.filed, [(cache("/f"), file.bytes)]);
    assert_eq!(world.requests.len(), 1);
}

#[test]
fn a_finished_file_is_moved_and_can_be_read_until_it_is_there() {
    let (mut world, file) = finished();
    world.is_slow_to_file = true;
    let path = Destination::Opfs("podcasts/1.mp3".into());
    world.task_call(TaskCall::MoveTo(path.clone())).expect("it is on its way");
    assert!(matches!(read(&mut world), Ok(Answer::Chunk(..))));
    world.kill();
    world.attach("page", true);
    assert!(world.filed.is_empty() && world.filings == 2, "begun again");
    world.task_call(TaskCall::MoveTo(path.clone())).expect("the same call, sent again");
    assert_eq!(world.filings, 2, "it is the same move");
    world.let_files_arrive();
    world.wait(1_000);
    assert_eq!(world.filed, [(path, file.bytes)]);
    assert_eq!(world.kinds().last(), Some(&EventKind::Moved));
    assert_eq!(read(&mut world).expect_err("it is gone"), ErrorCode::FileReleased);
    assert_eq!(world.bodies(), 0);
    let again = world.task_call(TaskCall::MoveTo(cache("/f"))).expect_err("there is nothing to move");
    assert_eq!(again.code, ErrorCode::FileReleased);
}

#[test]
fn a_move_that_fails_leaves_the_file_where_it_is() {
    let (mut world, file) = finished();
    world.filing_failures.push_back(ErrorCode::QuotaExceeded);
    world.task_call(TaskCall::MoveTo(cache("/f"))).expect("it is on its way");
    world.wait(1_000);
    assert!(matches!(&world.kinds()[1..], [EventKind::MoveFailed(error)] if error.code == ErrorCode::QuotaExceeded));
    assert!(matches!(place(&world), Place::Staying(_)));
    assert!(matches!(read(&mut world), Ok(Answer::Chunk(..))));
    world.task_call(TaskCall::MoveTo(cache("/f"))).expect("once more");
    world.wait(1_000);
    assert_eq!(world.filed, [(cache("/f"), file.bytes)]);
}

#[test]
fn a_move_of_which_storage_takes_no_note_is_not_made_again_at_once() {
    let (mut world, file) = finished();
    world.is_slow_to_file = true;
    world.task_call(TaskCall::MoveTo(cache("/f"))).expect("it is on its way");
    world.failing_commits = 3;
    world.is_slow_to_file = false;
    world.let_files_arrive();
    world.wait(4_000);
    assert_eq!(world.filings, 1, "storage is left alone for a while");
    world.wait(60_000);
    assert_eq!(place(&world), Place::Gone);
    assert!(world.filed.iter().all(|(_, bytes)| *bytes == file.bytes) && world.filed.len() == 4);
}

#[test]
fn a_file_that_is_taken_leaves_its_task() {
    let (mut world, _) = finished();
    world.is_slow_to_file = true;
    world.task_call(TaskCall::MoveTo(cache("/f"))).expect("it is on its way");
    world.task_call(TaskCall::ReleaseFile).expect("released");
    world.let_files_arrive();
    assert!(world.filed.is_empty(), "the move was ended");
    world.task_call(TaskCall::ReleaseFile).expect("the same call, sent again");
    assert_eq!(read(&mut world).expect_err("it is gone"), ErrorCode::FileReleased);
    assert_eq!(world.bodies(), 0);
    world.kill();
    world.attach("page", true);
    assert_eq!(world.task().expect("it stays").record.state, TaskState::Completed);
    world.task_call(TaskCall::Release).expect("released");
    assert!(world.task().is_none());
}

#[test]
fn a_file_on_its_way_can_be_neither_moved_nor_taken() {
    let (mut world, _) = world();
    world.download(at_home()).expect("accepted");
    for call in [TaskCall::MoveTo(cache("/f")), TaskCall::ReleaseFile] {
        assert_eq!(world.task_call(call).expect_err("not yet").code, ErrorCode::NotFinished);
    }
}

#[test]
fn a_file_that_has_left_is_fetched_anew_by_a_refresh() {
    let (mut world, _) = finished();
    world.task_call(TaskCall::MoveTo(cache("/f"))).expect("it is on its way");
    world.wait(1_000);
    let newer = File::new(1, LEN);
    let served = newer.clone();
    world.serve(move |request, _| served.answer(request));
    world.download_with(to_cache(), Vec::new(), IfExists::Refresh).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.filed.last(), Some(&(cache("/f"), newer.bytes)));
    assert_eq!(world.bodies(), 0);
}

#[test]
fn a_crash_while_a_file_is_moved_is_not_repeated() {
    let (mut world, _) = finished();
    world.is_slow_to_file = true;
    world.task_call(TaskCall::MoveTo(cache("/f"))).expect("it is on its way");
    world.crash();
    world.attach("page", true);
    world.wait(1_000);
    assert!(matches!(place(&world), Place::Staying(error) if error.code == ErrorCode::Crashed));
    assert!(matches!(read(&mut world), Ok(Answer::Chunk(..))));
}

#[test]
fn the_members_of_a_group_are_filed_one_by_one() {
    let (mut world, file) = world();
    let member = |number: u8| {
        let (task, url) = (number.to_string(), format!("/{number}"));
        let spec = TaskSpec { destination: Some(cache(&url)), group: Some(GroupId::new("map")), ..at_home() };
        (TaskId::new(&task), TaskSpec { call_token: task, ..spec })
    };
    let group = GroupKey { session: SessionId::new("s"), group: GroupId::new("map") };
    let members = (0..20).map(member).collect();
    world.call(Call::DownloadAll { group, fails_together: false, members, is_last: true }).expect("accepted");
    world.wait(600_000);
    assert_eq!(world.filed.len(), 20);
    assert!(world.filed.iter().all(|(_, bytes)| *bytes == file.bytes));
    assert!(matches!(world.kinds()[..], [EventKind::GroupEnded(counts)] if counts.completed == 20));
    assert_eq!(world.bodies(), 0);
    assert_eq!(world.stored(key("7").task.as_str()).map(|task| task.record.place), Some(Place::Gone));
}
