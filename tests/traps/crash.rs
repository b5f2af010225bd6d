//! A component that crashes at a task: it must neither take all others with it for ever, nor lose what is there.

use longhaul::engine::error::ErrorCode;
use longhaul::engine::input::TaskCall;
use longhaul::engine::task::{EventKind, TaskState};

use super::world::{File, World, at_home};

const LEN: usize = 400_000;

/// A task with some bytes, of a server that is about to send what nobody survives.
fn under_way() -> (World, File) {
    let file = File::new(0, LEN);
    let served = file.clone();
    let mut world = World::new(move |request, _| {
        let mut reply = served.answer(request);
        reply.body.truncate(100_000);
        reply.stalls = true;
        reply
    });
    world.download(at_home()).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| !task.progress.received.is_empty()));
    (world, file)
}

/// It is asked for again, and crashes as soon as an answer is there.
fn crashes_again(world: &mut World) {
    let asked = world.requests.len();
    let crashes = world.task().expect("it is there").progress.crashes;
    world.crash();
    assert_eq!(world.requests.len(), asked, "it is not tried before the crash is counted");
    world.until(|world| world.requests.len() > asked || world.task().is_some_and(|task| task.record.state.has_ended()));
    assert_eq!(world.task().expect("it is there").progress.crashes, crashes + 1);
}

#[test]
fn a_task_that_crashes_the_component_again_and_again_fails_and_keeps_its_bytes() {
    let (mut world, file) = under_way();
    let bytes = world.task().expect("it is there").progress.received.len();
    for _ in 0..3 {
        crashes_again(&mut world);
    }
    let task = world.task().expect("it is there");
    assert!(matches!(&task.record.state, TaskState::Failed(error) if error.code == ErrorCode::Crashed));
    assert_eq!(task.progress.received.len(), bytes);
    assert_eq!(world.requests.len(), 3, "one, and one after each of the first two crashes");
    world.attach("page", false);
    world.until(|world| !world.events.is_empty());
    assert!(matches!(&world.events[0].kind, EventKind::Failed(error) if error.code == ErrorCode::Crashed));
    // A newer version of the component may fare better.
    let served = file.clone();
    world.serve(move |request, _| served.answer(request));
    world.task_call(TaskCall::Resume).expect("it can be resumed");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), file.bytes);
    assert_eq!(world.requests[3].range.map(|(start, _)| start), Some(bytes));
}

#[test]
fn a_task_that_gets_on_between_crashes_is_not_given_up() {
    let (mut world, file) = under_way();
    crashes_again(&mut world);
    crashes_again(&mut world);
    let bytes = world.task().expect("it is there").progress.received.len();
    world.until(|world| world.task().is_some_and(|task| task.progress.received.len() > bytes));
    assert_eq!(world.task().expect("it is there").progress.crashes, 0);
    let served = file.clone();
    world.serve(move |request, _| served.answer(request));
    crashes_again(&mut world);
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), file.bytes);
}

#[test]
fn a_crash_at_a_task_that_is_paused_or_gone_is_nobodys_fault() {
    let (mut world, _) = under_way();
    world.task_call(TaskCall::Pause).expect("it pauses");
    for _ in 0..4 {
        world.crash();
        world.attach("page", false);
    }
    world.task_call(TaskCall::Get).expect("it is there");
    assert_eq!(world.task().expect("it is there").record.state, TaskState::Paused);
    world.task_call(TaskCall::Cancel { keep: false }).expect("it ends");
    world.task_call(TaskCall::Release).expect("it goes");
    world.crash();
    world.attach("page", false);
    assert_eq!(world.task_call(TaskCall::Get).map(|_| ()).map_err(|error| error.code), Err(ErrorCode::TaskNotFound));
}
