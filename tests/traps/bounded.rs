//! A browser that holds in memory all that an answer has brought until the answer is over: what it holds is bounded,
//! and nothing else is different.

use longhaul::engine::input::{Call, TaskCall};
use longhaul::engine::output::{Answer, FetchRequest};
use longhaul::engine::policy::PolicyPatch;
use longhaul::engine::task::TaskState;
use longhaul::integrity::Expected;

use super::proof::expected;
use super::world::{File, Reply, World, at_home, key, source};

const MIB: usize = 1 << 20;
const LEN: usize = 36 * MIB;
/// No segment is longer.
const LONGEST: u64 = 8 * MIB as u64;

/// A download in that browser, in `segments` segments; `serve` has the file and the number of the request.
fn begin(segments: u32, read_bytes: u64, serve: impl Fn(&File, &FetchRequest, usize) -> Reply + 'static) -> World {
    begin_with(segments, read_bytes, None, serve)
}

/// The same, with the digest that it must have.
fn begin_with(
    segments: u32,
    read_bytes: u64,
    expected: Option<Expected>,
    serve: impl Fn(&File, &FetchRequest, usize) -> Reply + 'static,
) -> World {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, number| serve(&file, request, number));
    world.hold_answers(LEN as u64 - 1);
    world.read_bytes = read_bytes;
    let mut spec = at_home();
    spec.policy.max_segments = segments;
    spec.proof.expected = expected;
    world.download(spec).expect("accepted");
    world
}

fn honest(file: &File, request: &FetchRequest, _: usize) -> Reply {
    file.answer(request)
}

/// What was asked for, as ranges with an end: the first answer is read no further than a segment goes, and the last one
/// of the file is open-ended, too.
fn asked(world: &World) -> Vec<(u64, u64)> {
    let ends = |nth: usize, start: u64| if nth == 0 { LONGEST } else { (start + LONGEST).min(LEN as u64) };
    let ranges = world.requests.iter().enumerate().map(|(nth, request)| {
        let (start, end) = request.range.expect("a range");
        (start, end.unwrap_or(ends(nth, start)))
    });
    ranges.collect()
}

fn is_whole(world: &mut World) {
    assert_eq!(world.play(600_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), File::new(0, LEN).bytes);
    assert_eq!(world.open_requests(), 0);
}

#[test]
fn each_request_is_for_one_chunk_and_goes_on_where_the_last_one_ended() {
    for segments in [1, 3] {
        let mut world = begin(segments, LONGEST, honest);
        is_whole(&mut world);
        let mut all = asked(&world);
        assert!(all.iter().all(|(start, end)| end - start <= LONGEST), "{all:?}");
        all.sort_unstable();
        let behind: Vec<u64> = all.iter().skip(1).map(|(start, _)| *start).collect();
        let ends: Vec<u64> = all.iter().map(|(_, end)| *end).take(behind.len()).collect();
        assert_eq!(behind, ends, "no byte twice, and none left out");
        assert!(world.wholes >= 2, "what comes fast is handed over as a whole, {} times", world.wholes);
    }
}

#[test]
fn a_connection_is_not_let_go_between_two_segments_nor_is_the_hash() {
    let mut world = begin_with(1, LONGEST, expected(&File::new(0, LEN).bytes), honest);
    world.until(|world| world.task().is_some_and(|task| !task.progress.received.is_empty()));
    assert_eq!(world.requests.len(), 1);
    // While the rest of the first one is on its way to storage, the next one is being fetched already.
    world.is_slow_to_store = true;
    let began = world.now;
    world.until(|world| world.requests.len() == 2);
    assert!(world.now - began < 5_000, "not when the commit was given up");
    world.let_storage_answer();
    is_whole(&mut world);
    assert_eq!(world.hashed_from_storage, 0, "it is hashed on the way, although what is before is not durable yet");
}

#[test]
fn what_comes_slowly_is_taken_as_it_comes() {
    let mut world = begin(1, 64 << 10, honest);
    is_whole(&mut world);
    assert_eq!(world.wholes, 0, "a kill would cost more than two seconds of it");
    assert!(asked(&world).iter().all(|(start, end)| end - start <= LONGEST));
}

#[test]
fn whoever_was_cut_loses_no_second_whole() {
    let mut world =
        begin(
            1,
            LONGEST,
            |file, request, number| {
                if number % 2 == 1 { file.answer(request).cut_after(5 * MIB) } else { file.answer(request) }
            },
        );
    is_whole(&mut world);
    assert_eq!(world.wholes, 1, "after that, what came before a cut is kept");
    let starts: Vec<u64> = asked(&world).iter().map(|(start, _)| *start).collect();
    assert_eq!(starts[1], starts[2], "of the whole that was cut, nothing was left");
    assert!(starts.windows(2).skip(2).all(|pair| pair[0] < pair[1]), "{starts:?}");
}

#[test]
fn a_server_without_ranges_is_asked_once() {
    let mut world = begin(3, LONGEST, |file, request, _| file.answer(&FetchRequest { range: None, ..request.clone() }));
    is_whole(&mut world);
    assert_eq!(world.requests.len(), 1);
}

#[test]
fn what_lies_behind_the_bytes_that_somebody_waited_for_comes_next() {
    const FAR: u64 = 17 * MIB as u64 + 70_000;
    let mut world = begin(2, 512 << 10, honest);
    world.until(|world| world.task().is_some_and(|task| !task.progress.received.is_empty()));
    let before = world.requests.len();
    let answer = world.task_call(TaskCall::Chunk { offset: FAR, body: None, waits: true });
    assert!(matches!(answer, Ok(Answer::Chunk(_, FAR))));
    let first = asked(&world).into_iter().skip(before).find(|(start, end)| (*start..*end).contains(&FAR));
    let (start, end) = first.expect("it was asked for");
    assert!(end - start <= LONGEST);
    is_whole(&mut world);
    let all = asked(&world);
    let nth = |place: &dyn Fn(u64) -> bool| all.iter().position(|(start, _)| place(*start)).expect("all was asked for");
    let last_before = all.iter().rposition(|(at, _)| *at < start).expect("all was asked for");
    assert!(nth(&|at| at == end) < last_before, "a reader reads on, so what it will want comes before: {all:?}");
}

#[test]
fn no_more_segments_go_on_than_are_allowed_by_now() {
    let mut world = begin(2, LONGEST, honest);
    world.until(|world| world.requests.len() == 2);
    // Storage has answered. While it notes that one is enough, both come to their ends.
    world.one_step();
    world.is_slow_to_store = true;
    let update = PolicyPatch { max_segments: Some(1), ..PolicyPatch::default() };
    world.ask(Call::Task(key("t"), TaskCall::Update(update)));
    world.wait(1_000);
    assert_eq!(world.requests.len(), 2);
    world.let_storage_answer();
    world.until(|world| world.requests.len() > 2);
    assert_eq!(world.requests.len(), 3, "one goes on: {:?}", world.ranges());
    is_whole(&mut world);
}

#[test]
fn no_segment_goes_on_at_a_mirror_that_was_found_out_meanwhile() {
    let (file, other) = (File::new(0, LEN), File::new(1, LEN));
    let mut mirrored = 0;
    let mut world = World::new(move |request, number| {
        let is_mirror = request.url.contains("mirror.example");
        mirrored += usize::from(is_mirror);
        // The mirror has two nodes, and they differ.
        let from = if is_mirror && mirrored > 1 { &other } else { &file };
        let reply = from.answer(request).with(|head| head.all_headers_readable = true);
        let busy = || Reply::status(503).with(|head| head.retry_after = Some("120".into()));
        if number == 0 { busy() } else { reply }
    });
    world.hold_answers(LEN as u64 - 1);
    let mut spec = at_home();
    spec.policy.max_segments = 3;
    spec.sources.push(source("https://mirror.example/f"));
    world.download(spec).expect("accepted");
    is_whole(&mut world);
    let asked = world.requests.iter().filter(|request| request.url.contains("mirror.example")).count();
    assert_eq!(asked, 2, "it was asked again after its second answer");
    assert_eq!(world.task().map(|task| task.progress.bad_sources), Some(0b10));
}
