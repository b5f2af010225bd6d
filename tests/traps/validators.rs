//! Validators: which bytes belong together.

use longhaul::engine::http::{RestartReason, Resumability, VerdictReason};
use longhaul::engine::task::{EventKind, Task, TaskState};

use super::world::{File, World, at_home};

const LEN: usize = 500_000;
const MONDAY: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

/// Fetches a file whose first answer is cut; the rest comes from `after`. Returns the bytes, the task and the world.
fn fetch(before: File, after: File) -> (Vec<u8>, Task, World) {
    let mut world = World::new(move |request, number| match number {
        0 => before.answer(request).cut_after(200_000),
        _ => after.answer(request),
    });
    world.download(at_home()).expect("accepted");
    let task = world.play(120_000);
    (world.file(), task, world)
}

fn has_restarted(world: &World, reason: RestartReason) -> bool {
    world.kinds().contains(&EventKind::Restarted(reason))
}

#[test]
fn a_changed_tag_begins_anew_and_never_mixes() {
    let (old, new) = (File::new(0, LEN), File::new(1, LEN));
    let (bytes, task, mut world) = fetch(old, new.clone());
    assert_eq!(task.record.state, TaskState::Completed);
    assert_eq!(bytes, new.bytes);
    assert!(has_restarted(&world, RestartReason::Changed));
    assert_eq!(world.bodies(), 1, "what was kept of the old version is swept");
}

#[test]
fn a_weak_tag_alone_proves_nothing() {
    let weak = |version| File { etag: Some("W/\"same\""), ..File::new(version, LEN) };
    let (bytes, task, world) = fetch(weak(0), weak(1));
    assert_eq!(task.record.state, TaskState::Completed);
    assert_eq!(bytes, weak(1).bytes, "one version, not a mix");
    assert!(world.requests.iter().all(|request| request.if_range.is_none()), "If-Range takes no weak tag");
}

#[test]
fn a_tag_that_is_missing_now_is_no_agreement() {
    let (old, new) = (File::new(0, LEN), File { etag: None, ..File::new(1, LEN) });
    let mut world = World::new(move |request, number| match number {
        0 => old.answer(request).cut_after(200_000),
        // It ignores If-Range.
        _ => new.answer(&longhaul::engine::output::FetchRequest { if_range: None, ..request.clone() }),
    });
    world.download(at_home()).expect("accepted");
    let task = world.play(120_000);
    // It said nothing against If-Range and sent a part: by the letter of RFC 9110 that part is of the kept version. A
    // digest alone could tell that it lies; without one the promise is the server's.
    assert!(task.record.state.has_ended());
    let known = task.progress.representation.expect("known");
    assert_eq!(known.resumability, Resumability::Resumable);
}

#[test]
fn equal_date_and_length_are_a_comparison_and_say_so() {
    let file = File { etag: None, last_modified: Some(MONDAY), ..File::new(0, LEN) };
    let (bytes, task, _) = fetch(file.clone(), file.clone());
    assert_eq!(bytes, file.bytes);
    let known = task.progress.representation.expect("known");
    assert_eq!(known.resumability, Resumability::ResumableByComparison);
    assert_eq!(known.reason, VerdictReason::DateAndLength);
}

#[test]
fn a_date_that_is_much_older_than_the_answer_is_strong() {
    let file = File { etag: None, last_modified: Some(MONDAY), ..File::new(0, LEN) };
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, number| {
        let dated = file.answer(request).with(|head| head.date = Some("Tue, 08 Nov 1994 08:49:37 GMT".into()));
        if number == 0 { dated.cut_after(200_000) } else { dated }
    });
    world.download(at_home()).expect("accepted");
    let task = world.play(120_000);
    assert_eq!(world.file(), bytes);
    let known = task.progress.representation.expect("known");
    assert_eq!((known.resumability, known.reason), (Resumability::Resumable, VerdictReason::StrongDate));
    assert_eq!(world.requests[1].if_range.as_deref(), Some(MONDAY), "RFC 9110 section 13.1.5");
}

#[test]
fn strong_only_never_continues_by_comparison() {
    let file = File { etag: None, last_modified: Some(MONDAY), ..File::new(0, LEN) };
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, number| match number {
        0 => file.answer(request).cut_after(200_000),
        _ => file.answer(request),
    });
    let mut spec = at_home();
    spec.strong_only = true;
    world.download(spec).expect("accepted");
    let task = world.play(120_000);
    assert_eq!(world.file(), bytes);
    assert_eq!(task.progress.representation.expect("known").reason, VerdictReason::WeakValidator);
    assert!(has_restarted(&world, RestartReason::NotResumable));
}

#[test]
fn strong_only_takes_no_part_that_nothing_may_continue() {
    let file = File { etag: None, last_modified: Some(MONDAY), ..File::new(0, LEN) };
    let bytes = file.bytes.clone();
    // Frugal: never more than a part at a time.
    let mut world = World::new(move |request, _| {
        let short = request.range.map(|(start, _)| (start, Some((start + 100_000).min(LEN as u64))));
        file.answer(&longhaul::engine::output::FetchRequest { range: short, ..request.clone() })
    });
    let mut spec = at_home();
    spec.strong_only = true;
    world.download(spec).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
    assert_eq!(world.requests.len(), 2, "the second without a range");
}

#[test]
fn without_any_validator_a_cut_begins_anew() {
    let bare = |version| File { etag: None, ..File::new(version, LEN) };
    let (bytes, task, world) = fetch(bare(0), bare(1));
    assert_eq!(task.record.state, TaskState::Completed);
    assert_eq!(bytes, bare(1).bytes, "one version, not a mix");
    assert_eq!(task.progress.representation.expect("known").reason, VerdictReason::NoValidator);
    assert!(has_restarted(&world, RestartReason::NotResumable));
}
