//! Digests, pieces, and bytes that another task left.

use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::input::{Call, IfExists, Input, TaskCall};
use longhaul::engine::output::Answer;
use longhaul::engine::task::{EventKind, TaskSpec, TaskState};
use longhaul::engine::time::Timestamp;
use longhaul::integrity::{Algorithm, Digest, Expected, HashState, Pieces};

use super::world::{File, Reply, World, at_home, failure, from, key, source};

const LEN: usize = 600_000;
pub const PIECE: usize = 256 << 10;
/// So long resume data is good for.
const WEEK_MS: u64 = 7 * 24 * 60 * 60_000;

pub fn sha256(bytes: &[u8]) -> Digest {
    let mut state = HashState::new(Algorithm::Sha256);
    state.update(bytes);
    state.finish()
}

pub fn expected(bytes: &[u8]) -> Option<Expected> {
    Expected::strongest_of(vec![sha256(bytes)])
}

pub fn pieces(bytes: &[u8]) -> Option<Pieces> {
    let digests: Vec<u8> = bytes.chunks(PIECE).flat_map(|piece| sha256(piece).bytes().to_vec()).collect();
    Pieces::new(PIECE as u64, &digests)
}

#[test]
fn a_file_that_is_not_what_its_digest_says_is_never_shown_as_finished() {
    let (file, other) = (File::new(0, LEN), File::new(1, LEN));
    for (wanted, is_right) in [(&file, true), (&other, false)] {
        let served = file.clone();
        let mut world = World::new(move |request, _| served.answer(request));
        let mut spec = at_home();
        spec.proof.expected = expected(&wanted.bytes);
        world.download(spec).expect("accepted");
        let task = world.play(60_000);
        if is_right {
            assert_eq!(task.record.state, TaskState::Completed);
        } else {
            assert_eq!(failure(&task), ErrorCode::DigestMismatch);
            assert_eq!(task.progress.received.len(), 0, "bytes that are wrong are of no use");
        }
    }
}

#[test]
fn a_kill_never_means_hashing_again_from_zero() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| file.answer(request));
    world.read_bytes = 50_000;
    let mut spec = at_home();
    spec.proof.expected = expected(&bytes);
    world.download(spec).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| task.progress.received.len() >= 300_000));
    world.kill();
    let stored = world.task().expect("stored").progress;
    let hashed = stored.hash.expect("the state is stored").hashed_bytes();
    assert_eq!(hashed, stored.received.len(), "with each checkpoint");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.hashed_from_storage, 0, "nothing had to be read back");
}

#[test]
fn segments_out_of_order_are_caught_up_from_storage() {
    let file = File::new(0, 12 << 20);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| file.answer(request));
    let mut spec = at_home();
    spec.policy.max_segments = 2;
    spec.proof.expected = expected(&bytes);
    world.download(spec).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
    assert!(world.hashed_from_storage > 0);
}

#[test]
fn the_hash_of_a_replaced_file_is_not_taken_for_that_of_the_new_one() {
    let (old, new) = (File::new(0, 12 << 20), File::new(1, 12 << 20));
    let (old_bytes, new_bytes) = (old.bytes.clone(), new.bytes.clone());
    let mut world = World::new(move |request, _| old.answer(request));
    let mut spec = at_home();
    spec.policy.max_segments = 2;
    spec.proof.expected = expected(&old_bytes);
    world.is_slow_to_hash = true;
    world.download(spec.clone()).expect("accepted");
    world.until(|world| world.hashed_from_storage > 0);
    world.serve(move |request, _| new.answer(request));
    spec.proof.expected = expected(&new_bytes);
    world.download_with(spec, Vec::new(), IfExists::Replace).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| task.progress.has_every_byte()));
    world.let_hashes_come();
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), new_bytes);
}

#[test]
fn a_digest_that_the_server_sends_is_held_against_its_own_bytes() {
    for (digest_of, is_right) in [(0, true), (1, false)] {
        let file = File::new(0, LEN);
        let digest = base64(sha256(&File::new(digest_of, LEN).bytes).bytes());
        let mut world = World::new(move |request, _| {
            let digest = digest.clone();
            file.answer(request).with(|head| head.repr_digest = Some(format!("sha-256=:{digest}:")))
        });
        world.download(at_home()).expect("accepted");
        let task = world.play(60_000);
        assert_eq!(task.record.state == TaskState::Completed, is_right, "{:?}", task.record.state);
    }
}

#[test]
fn a_new_version_with_a_digest_of_another_algorithm_is_held_to_that() {
    let old = File::new(0, LEN);
    let told = |algorithm: Algorithm, bytes: &[u8]| {
        let mut state = HashState::new(algorithm);
        state.update(bytes);
        format!(
            "{}=:{}:",
            if algorithm == Algorithm::Sha512 { "sha-512" } else { "sha-256" },
            base64(state.finish().bytes())
        )
    };
    let of_old = told(Algorithm::Sha256, &old.bytes);
    // The version changes while the file is being fetched, or after an answer of which no byte was kept.
    for (kept, length) in [(200_000, LEN), (0, LEN), (0, 0)] {
        let new = File::new(1, length);
        let (old, served, bytes, of_old) = (old.clone(), new.clone(), new.bytes.clone(), of_old.clone());
        let of_new = told(Algorithm::Sha512, &new.bytes);
        let mut world = World::new(move |request, number| match number {
            0 => old.answer(request).with(|head| head.repr_digest = Some(of_old.clone())).cut_after(kept),
            _ => served.answer(request).with(|head| head.repr_digest = Some(of_new.clone())),
        });
        world.read_bytes = 50_000;
        world.download(at_home()).expect("accepted");
        let task = world.play(60_000);
        assert_eq!(task.record.state, TaskState::Completed, "{kept} bytes kept, {length} to come");
        assert_eq!(world.file(), bytes);
        assert_eq!(task.progress.repairs, 0);
    }
}

#[test]
fn a_bad_piece_alone_is_fetched_again() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, number| {
        let mut reply = file.answer(request);
        if number == 0 {
            // A bit has flipped in the second piece.
            reply.body[PIECE + 5] ^= 1;
        }
        reply
    });
    let mut spec = at_home();
    spec.proof.pieces = pieces(&bytes);
    world.download(spec).expect("accepted");
    let task = world.play(60_000);
    assert_eq!(task.record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
    assert_eq!((task.progress.repairs, task.progress.restarts), (1, 0));
    let again: Vec<_> = world.ranges().into_iter().skip(1).flatten().collect();
    assert_eq!(again, [(PIECE as u64, Some(2 * PIECE as u64))], "that piece and nothing else");
}

#[test]
fn a_hash_that_has_seen_a_bad_piece_is_not_gone_on_with() {
    let file = File::new(0, 3 * PIECE);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, number| {
        let mut reply = file.answer(request);
        if number == 0 {
            reply.body[5] ^= 1;
        }
        reply
    });
    // Small reads, so that the bad piece is found while the rest is still being read.
    world.read_bytes = 20_000;
    let mut spec = at_home();
    spec.proof.pieces = pieces(&bytes);
    spec.proof.expected = expected(&bytes);
    world.download(spec).expect("accepted");
    let task = world.play(60_000);
    assert_eq!(task.record.state, TaskState::Completed);
    assert_eq!((task.progress.repairs, task.progress.restarts), (1, 0));
    assert_eq!(world.file(), bytes);
}

#[test]
fn a_mirror_whose_bytes_are_wrong_is_found_out_by_the_digest() {
    let file = File::new(0, 12 << 20);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| {
        let mut reply = file.answer(request).with(|head| head.all_headers_readable = true);
        if request.url.starts_with("https://mirror.example/") {
            reply.body[100] ^= 1;
        }
        reply
    });
    let mut spec = at_home();
    spec.policy.max_segments = 2;
    spec.sources.push(source("https://mirror.example/f"));
    spec.proof.expected = expected(&bytes);
    world.download(spec).expect("accepted");
    let task = world.play(60_000);
    assert_eq!(task.record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
    assert_eq!(task.progress.restarts, 1);
}

/// A download with pieces of a long file from its own server and a mirror, one of which damages what it sends: every
/// piece if `all`, else only the first byte of each answer.
fn one_lies(liar: &'static str, all: bool) -> (World, File) {
    let file = File::new(0, 24 << 20);
    let served = file.clone();
    let mut world = World::new(move |request, _| {
        let mut reply = served.answer(request).with(|head| head.all_headers_readable = true);
        if request.url.starts_with(liar) {
            let step = if all { PIECE / 2 } else { usize::MAX };
            reply.body.iter_mut().step_by(step).for_each(|byte| *byte ^= 1);
        }
        reply
    });
    let mut spec = at_home();
    spec.policy.max_segments = 4;
    spec.sources.push(source("https://mirror.example/f"));
    spec.proof.pieces = pieces(&file.bytes);
    world.download(spec).expect("accepted");
    (world, file)
}

#[test]
fn a_mirror_that_brings_wrong_bytes_is_blamed_and_spoils_nothing() {
    for kill in [false, true] {
        let (mut world, file) = one_lies("https://mirror.example/", true);
        if kill {
            // What it has brought is found out by the next worker.
            world.is_slow_to_hash = true;
            let brought = |world: &World| world.task().map_or(0, |task| task.progress.received.iter().count());
            world.until(|world| brought(world) >= 2);
            world.kill();
            world.let_hashes_come();
            world.drain_all();
        }
        let task = world.play(60_000);
        assert_eq!(task.record.state, TaskState::Completed);
        assert_eq!(world.file(), file.bytes);
        assert_eq!((task.progress.bad_sources, task.progress.restarts), (0b10, 0), "the good bytes are kept");
        assert_eq!(task.progress.repairs, 1, "what is known to be bad is not counted again");
        let length = file.bytes.len() as u64;
        assert!(world.bytes_sent < length + length / 2, "{} bytes came", world.bytes_sent);
    }
}

#[test]
fn a_server_that_brings_wrong_bytes_gives_way_to_its_mirror() {
    let (mut world, file) = one_lies("https://app.example/", true);
    let task = world.play(60_000);
    assert_eq!(task.record.state, TaskState::Completed);
    assert_eq!((world.file(), task.progress.bad_sources), (file.bytes, 0b01));
}

#[test]
fn a_server_that_was_blamed_is_asked_again_when_no_other_is_left() {
    // Its mirror goes away after the first bad piece of its own.
    let (mut world, file) = one_lies("https://app.example/", false);
    world.until(|world| world.task().is_some_and(|task| task.progress.bad_sources == 0b01));
    let served = file.clone();
    world.serve(move |request, _| match request.url.starts_with("https://mirror.example/") {
        true => Reply::status(503),
        false => served.answer(request),
    });
    let task = world.play(600_000);
    assert_eq!(task.record.state, TaskState::Completed);
    assert_eq!(world.file(), file.bytes);
}

#[test]
fn a_mirror_of_another_length_than_the_pieces_have_says_nothing_of_the_file() {
    let (file, other) = (File::new(0, LEN), File::new(0, LEN + PIECE));
    let served = file.clone();
    let mut world = World::new(move |request, nth| match request.url.starts_with("https://mirror.example/") {
        true => other.answer(request).with(|head| head.all_headers_readable = true),
        false if nth == 0 => Reply::status(503),
        false => served.answer(request),
    });
    let mut spec = at_home();
    spec.sources.push(source("https://mirror.example/f"));
    spec.proof.pieces = pieces(&file.bytes);
    world.download(spec).expect("accepted");
    let task = world.play(60_000);
    assert_eq!(task.record.state, TaskState::Completed);
    assert_eq!((task.progress.restarts, task.progress.bad_sources), (0, 0b10));
    assert_eq!(world.file(), file.bytes);
}

/// A task with some bytes, cancelled so that they are kept. Returns the resume data.
fn leave_bytes(world: &mut World) -> Vec<u8> {
    world.read_bytes = 50_000;
    world.download(at_home()).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| task.progress.received.len() >= 200_000));
    match world.task_call(TaskCall::Cancel { keep: true }) {
        Ok(Answer::ResumeData(_, Some(data))) => data,
        other => panic!("no resume data: {other:?}"),
    }
}

fn resume_from(world: &mut World, data: Vec<u8>) -> Result<Answer, longhaul::engine::error::TaskError> {
    let mut spec = from("https://app.example/moved?sig=new");
    spec.call_token = "another".into();
    world.call(Call::ResumeFrom { key: key("u"), spec, secrets: Vec::new(), data })
}

#[test]
fn resume_data_goes_on_from_another_url_and_is_good_once() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, _| file.answer(request));
    let data = leave_bytes(&mut world);
    let kept = world.requests.len();
    world.kill();
    resume_from(&mut world, data.clone()).expect("the bytes are there");
    world.until(|world| world.stored("u").is_some_and(|task| task.record.state.has_ended()));
    assert_eq!(world.stored("u").map(|task| task.record.state), Some(TaskState::Completed));
    let (start, _) = world.ranges()[kept].expect("a range");
    assert!(start >= 200_000, "it began at {start}");
    assert_eq!(world.requests[kept].url, "https://app.example/moved?sig=new");
    let mut spec = at_home();
    spec.call_token = "a third".into();
    let again = world.call(Call::ResumeFrom { key: key("v"), spec, secrets: Vec::new(), data });
    assert_eq!(again.err().map(|error| error.code), Some(ErrorCode::ResumeDataStale), "somebody else has them now");
}

/// A call with resume data, for a task of this id.
fn resume_as(world: &mut World, id: &str, spec: TaskSpec, data: &[u8]) -> Result<Answer, TaskError> {
    let spec = TaskSpec { call_token: id.into(), ..spec };
    world.call(Call::ResumeFrom { key: key(id), spec, secrets: Vec::new(), data: data.to_vec() })
}

#[test]
fn resume_data_that_a_server_refuses_is_given_back() {
    let (file, other) = (File::new(0, LEN), File::new(1, LEN / 2));
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| match request.url.as_str() {
        "https://app.example/other" => other.answer(request),
        "https://app.example/missing" => Reply::status(404),
        _ => file.answer(request),
    });
    let data = leave_bytes(&mut world);
    let ended = |world: &World, id: &str| world.stored(id).map(|task| task.record.state).filter(TaskState::has_ended);
    // The URL of another file: that is fetched from its beginning.
    resume_as(&mut world, "other", from("https://app.example/other"), &data).expect("the bytes are there");
    world.until(|world| ended(world, "other").is_some());
    assert_eq!(ended(&world, "other"), Some(TaskState::Completed));
    assert_eq!(world.file_of("other"), File::new(1, LEN / 2).bytes);
    // A URL that is none, or a task that is given up before its server has answered.
    resume_as(&mut world, "missing", from("https://app.example/missing"), &data).expect("they are there again");
    world.until(|world| ended(world, "missing").is_some());
    world.call(Call::Task(key("missing"), TaskCall::Release)).expect("a failed task");
    let later = |world: &World| Some(Timestamp(world.now + WEEK_MS / 2));
    let mut spec = from("https://app.example/f");
    spec.policy.begin_at = later(&world);
    resume_as(&mut world, "cancelled", spec.clone(), &data).expect("and again");
    world.call(Call::Task(key("cancelled"), TaskCall::Cancel { keep: false })).expect("an active task");
    resume_as(&mut world, "replaced", spec, &data).expect("and again");
    let call_token = "instead".into();
    let instead = TaskSpec { call_token, ..from("https://app.example/other") };
    let replace =
        Call::Download { key: key("replaced"), spec: instead, secrets: Vec::new(), if_exists: IfExists::Replace };
    world.call(replace).expect("accepted");
    // A task with the right one goes on from them, and then they are used up.
    let asked = world.requests.len();
    resume_as(&mut world, "right", from("https://app.example/f"), &data).expect("and again");
    world.until(|world| ended(world, "right").is_some());
    assert_eq!(ended(&world, "right"), Some(TaskState::Completed));
    assert_eq!(world.file_of("right"), bytes);
    let of_right = world.requests[asked..].iter().find(|request| request.url == "https://app.example/f");
    let range = of_right.expect("it was asked for").range.expect("a range");
    assert!(range.0 >= 200_000, "it began at {}", range.0);
    let again = resume_as(&mut world, "again", from("https://app.example/f"), &data);
    assert_eq!(again.err().map(|error| error.code), Some(ErrorCode::ResumeDataStale));
}

#[test]
fn bytes_that_were_hashed_by_one_algorithm_are_taken_up_by_a_task_that_names_another() {
    let file = File::new(0, LEN);
    let (bytes, digest) = (file.bytes.clone(), base64(sha256(&file.bytes).bytes()));
    let mut world = World::new(move |request, _| {
        file.answer(request).with(|head| head.repr_digest = Some(format!("sha-256=:{digest}:")))
    });
    let data = leave_bytes(&mut world);
    let mut spec = from("https://app.example/f");
    let mut state = HashState::new(Algorithm::Sha512);
    state.update(&bytes);
    spec.proof.expected = Expected::strongest_of(vec![state.finish()]);
    resume_as(&mut world, "u", spec, &data).expect("the bytes are there");
    world.until(|world| world.stored("u").is_some_and(|task| task.record.state.has_ended()));
    assert_eq!(world.stored("u").map(|task| task.record.state), Some(TaskState::Completed));
    assert_eq!(world.file_of("u"), bytes);
}

#[test]
fn bytes_that_somebody_has_just_come_for_are_not_swept() {
    let file = File::new(0, LEN);
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| file.answer(request));
    let data = leave_bytes(&mut world);
    world.drain_all();
    let mut spec = from("https://app.example/moved?sig=new");
    spec.call_token = "another".into();
    // Their time ends while it is being looked up whether they are there.
    let until = world.now + WEEK_MS;
    world.wait(WEEK_MS - 2_000);
    let call = world.ask(Call::ResumeFrom { key: key("u"), spec, secrets: Vec::new(), data });
    world.one_step();
    world.now = until;
    world.give(Input::Timeout);
    world.until(|world| world.replies.contains_key(&call));
    assert!(world.replies[&call].is_ok(), "{:?}", world.replies[&call]);
    world.until(|world| world.stored("u").is_some_and(|task| task.record.state.has_ended()));
    assert_eq!(world.stored("u").map(|task| task.record.state), Some(TaskState::Completed));
    assert_eq!(world.file_of("u"), bytes);
}

#[test]
fn bytes_that_were_not_stored_in_pieces_are_not_checked_by_pieces() {
    let file = File::new(0, LEN);
    let digests = pieces(&file.bytes);
    let mut world = World::new(move |request, _| file.answer(request));
    let data = leave_bytes(&mut world);
    let mut spec = at_home();
    spec.call_token = "another".into();
    spec.proof.pieces = digests;
    let refused = world.call(Call::ResumeFrom { key: key("u"), spec, secrets: Vec::new(), data: data.clone() });
    assert_eq!(refused.err().map(|error| error.code), Some(ErrorCode::BadArgument));
    resume_from(&mut world, data).expect("they are still there for others");
}

/// A task with bytes of two versions, which a mirror has brought on the word of the app's digests, not asked yet.
pub fn bytes_of_two_versions(prove: impl Fn(&mut TaskSpec, &[u8])) -> World {
    let (file, other) = (File::new(0, 12 << 20), File::new(1, 12 << 20));
    let bytes = file.bytes.clone();
    let mut world = World::new(move |request, _| {
        let from = if request.url.starts_with("https://mirror.example/") { &other } else { &file };
        from.answer(request).with(|head| head.all_headers_readable = true)
    });
    world.read_bytes = 50_000;
    let mut spec = at_home();
    spec.policy.max_segments = 2;
    spec.sources.push(source("https://mirror.example/f"));
    prove(&mut spec, &bytes);
    world.download(spec).expect("accepted");
    let is_mixed = |task: &longhaul::engine::task::Task| task.progress.received.iter().count() == 2;
    world.until(|world| world.task().is_some_and(|task| is_mixed(&task)));
    world
}

/// Resume data of such bytes.
fn leave_bytes_of_two_versions(prove: impl Fn(&mut TaskSpec, &[u8])) -> (World, Vec<u8>) {
    let mut world = bytes_of_two_versions(prove);
    match world.task_call(TaskCall::Cancel { keep: true }) {
        Ok(Answer::ResumeData(_, Some(data))) => (world, data),
        other => panic!("no resume data: {other:?}"),
    }
}

#[test]
fn bytes_that_a_digest_alone_holds_together_are_held_to_it_by_whoever_takes_them_up() {
    let (mut world, data) = leave_bytes_of_two_versions(|spec, bytes| spec.proof.expected = expected(bytes));
    resume_from(&mut world, data).expect("the bytes are there");
    let ended = |world: &World| world.stored("u").map(|task| task.record.state).filter(TaskState::has_ended);
    world.until(|world| ended(world).is_some());
    assert_eq!(
        ended(&world),
        Some(TaskState::Failed(TaskError::new(ErrorCode::DigestMismatch))),
        "it is of two versions"
    );
    // Nothing is left of it, and what is fetched now is held to what its own server says.
    world.call(Call::Task(key("u"), TaskCall::Resume)).expect("a failed task");
    world.until(|world| ended(world).is_some());
    assert_eq!(ended(&world), Some(TaskState::Completed));
    assert!(world.file_of("u") == File::new(0, 12 << 20).bytes, "another file");
}

#[test]
fn bytes_that_pieces_alone_hold_together_are_refused_to_who_has_none() {
    let (mut world, data) = leave_bytes_of_two_versions(|spec, bytes| spec.proof.pieces = pieces(bytes));
    let refused = resume_from(&mut world, data.clone()).expect_err("nothing would tell that they are of two versions");
    assert_eq!((refused.code, refused.detail.as_deref()), (ErrorCode::BadArgument, Some("pieces")));
    let mut spec = at_home();
    spec.call_token = "another".into();
    spec.proof.expected = expected(&File::new(0, 12 << 20).bytes);
    let taken = world.call(Call::ResumeFrom { key: key("u"), spec, secrets: Vec::new(), data });
    taken.expect("a digest of the whole will tell");
}

#[test]
fn tampered_resume_data_is_refused_and_harms_nothing() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, _| file.answer(request));
    let data = leave_bytes(&mut world);
    let mut tampered = data.clone();
    tampered[7] ^= 1;
    let refused = resume_from(&mut world, tampered);
    assert_eq!(refused.err().map(|error| error.code), Some(ErrorCode::ResumeDataInvalid));
    resume_from(&mut world, data).expect("the real one is still good");
}

#[test]
fn bytes_that_only_a_comparison_holds_together_are_no_good_where_strong_validators_are_demanded() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, _| {
        file.answer(request).with(|head| {
            head.etag = None;
            head.last_modified = Some("Mon, 07 Nov 1994 08:49:37 GMT".into());
        })
    });
    let data = leave_bytes(&mut world);
    let spec = TaskSpec { strong_only: true, call_token: "another".into(), ..at_home() };
    let refused = world.call(Call::ResumeFrom { key: key("u"), spec, secrets: Vec::new(), data: data.clone() });
    let refused = refused.expect_err("they may be of two versions");
    assert_eq!((refused.code, refused.detail.as_deref()), (ErrorCode::BadArgument, Some("resume")));
    resume_from(&mut world, data).expect("good for a task that is content with a comparison");
}

#[test]
fn a_refresh_keeps_the_old_file_until_the_new_one_is_there() {
    let (old, new) = (File::new(0, LEN), File::new(1, LEN / 2));
    let served = old.clone();
    let mut world = World::new(move |request, _| served.answer(request));
    world.download(at_home()).expect("accepted");
    world.play(60_000);
    // First there is nothing newer…
    world.serve(|request, _| {
        assert_eq!(request.if_none_match.as_deref(), Some("\"v0\""));
        Reply::status(304)
    });
    world.download_with(at_home(), Vec::new(), IfExists::Refresh).expect("accepted");
    world.play(60_000);
    assert_eq!(world.file(), old.bytes);
    // …then a newer version, whose first answer is cut, while the old one can be read.
    let (served, requests) = (new.clone(), world.requests.len());
    world.serve(move |request, number| match number - requests {
        0 => served.answer(request).cut_after(100_000),
        _ => served.answer(request),
    });
    world.download_with(at_home(), Vec::new(), IfExists::Refresh).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| !task.progress.received.is_empty()));
    let read = |body| TaskCall::Chunk { offset: 0, body, waits: false };
    let body = match world.task_call(read(None)) {
        Ok(Answer::Chunk(file, _)) if file.length == LEN as u64 => file.name,
        other => panic!("the old file is not read meanwhile: {other:?}"),
    };
    assert!(matches!(world.task_call(read(Some(body.clone()))), Ok(Answer::Chunk(..))), "nor read on");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), new.bytes);
    assert_eq!(world.bodies(), 1, "the old file is swept");
    let code =
        world.task_call(read(Some(body))).expect_err("who has begun with it is not given bytes of the other").code;
    assert_eq!(code, ErrorCode::FileChanged);
    let kinds = world.kinds();
    assert!(kinds.contains(&EventKind::NotModified), "{kinds:?}");
    assert_eq!(kinds.last(), Some(&EventKind::Completed { bytes: new.bytes.len() as u64 }));
}

#[test]
fn a_refresh_that_fails_keeps_the_old_file() {
    let old = File::new(0, LEN);
    let served = old.clone();
    let mut world = World::new(move |request, _| served.answer(request));
    world.download(at_home()).expect("accepted");
    world.play(60_000);
    world.serve(|_, _| Reply::status(404));
    world.download_with(at_home(), Vec::new(), IfExists::Refresh).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), old.bytes);
    assert!(matches!(world.kinds().last(), Some(EventKind::RefreshFailed(_))));
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = |group: &[u8]| {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(*group.get(at).unwrap_or(&0)));
        (0..4).map(move |at| DIGITS[(bits >> (18 - 6 * at) & 63) as usize] as char).take(group.len() + 1)
    };
    let mut text: String = bytes.chunks(3).flat_map(|group| digits(group).collect::<Vec<_>>()).collect();
    text.extend(std::iter::repeat_n('=', (3 - bytes.len() % 3) % 3));
    text
}
