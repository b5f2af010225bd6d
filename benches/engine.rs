//! What the engine costs, natively; `docs/benchmarks.md` says how to read it. Beside the times it prints figures that
//! do not depend on the machine: rows read, inputs, tasks in memory.
#![allow(clippy::expect_used, clippy::panic, missing_docs, reason = "a benchmark: panicking is how it reports")]

mod stored;
mod world;

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use longhaul::engine::codec::{decode, encode};
use longhaul::engine::id::BodyId;
use longhaul::engine::plan::{Grid, Link, plan};
use longhaul::engine::task::{Progress, TaskState, WaitReason};
use longhaul::engine::time::Timestamp;
use longhaul::integrity::{Algorithm, HashState};
use stored::{ENDLESS, TILE_BYTES};
use world::{Seen, World, restore};

/// How many tasks are stored.
const SIZES: [usize; 3] = [10, 1_000, 100_000];
/// The connections of a worker.
const CONNECTIONS: usize = 6;
/// The largest buffer.
const BUFFER: u64 = 8 << 20;
/// The tiles of one map, and of one call.
const TILES: usize = 30_000;
const BATCH: usize = 256;

/// What all tasks are doing for which there is no connection.
fn variants() -> [(&'static str, TaskState); 3] {
    let not_before = Timestamp(1 << 50);
    let waiting = TaskState::Active { not_before, reason: Some(WaitReason::Retry) };
    [("others finished", TaskState::Completed), ("others waiting", waiting), ("others ready", TaskState::READY)]
}

/// The read of a snapshot, and the engine made of it.
fn boots(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("boot");
    for stored in SIZES {
        for (variant, others) in variants() {
            let store = stored::tasks(stored, CONNECTIONS, 1, &others);
            eprintln!("boot, {stored} tasks, {variant}: {} rows read", restore(&store).1);
            group.bench_function(BenchmarkId::new(variant, stored), |bencher| bencher.iter(|| restore(&store)));
        }
    }
}

/// One input while six files are being fetched.
fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step");
    group.throughput(Throughput::Elements(1));
    for stored in SIZES {
        for (variant, others) in variants() {
            let mut world = World::new(stored::tasks(stored, CONNECTIONS, 1, &others), ENDLESS);
            world.transfer(100 * BUFFER);
            let (in_memory, rows) = (world.tasks_in_memory(), world.seen.rows_read);
            eprintln!("step, {stored} tasks, {variant}: {in_memory} in memory, {rows} rows read since the boot");
            group.bench_function(BenchmarkId::new(variant, stored), |bencher| bencher.iter(|| world.step()));
        }
    }
}

/// Large files by six connections: simulated bytes for each second of the engine's time.
fn large_files(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("throughput");
    group.throughput(Throughput::Bytes(100 * BUFFER));
    for (name, files, segments) in [("six files", CONNECTIONS, 1), ("six segments of one file", 1, CONNECTIONS as u32)]
    {
        let mut world = World::new(stored::tasks(files, files, segments, &TaskState::READY), ENDLESS);
        world.transfer(100 * BUFFER);
        let before = world.seen.inputs;
        world.transfer(1_000 * BUFFER);
        eprintln!("throughput, {name}: {} inputs for each 8 MiB", (world.seen.inputs - before) as f64 / 1_000.0);
        group.bench_function(name, |bencher| bencher.iter(|| world.transfer(100 * BUFFER)));
    }
}

/// Fetches a map of so many tiles, called for in batches, each when the one before is answered.
fn fetch_map(mut world: World, count: usize, mut watch: impl FnMut(&World)) -> World {
    let mut named = 0;
    while world.seen.group_ended.is_none() {
        if named < count && world.seen.replies as usize == named.div_ceil(BATCH) {
            let next = (named + BATCH).min(count);
            world.call(stored::tiles(named..next, next == count));
            named = next;
        }
        world.step();
        watch(&world);
    }
    assert_eq!(world.seen.group_ended.map(|counts| counts.completed), Some(count as u64), "every tile is there");
    world
}

/// Many small files: a map.
fn small_files(criterion: &mut Criterion) {
    let empty = || {
        let mut world = World::new(stored::tasks(0, 0, 1, &TaskState::READY), TILE_BYTES);
        world.attach(stored::session_id());
        world
    };
    let mut most_in_memory = 0;
    let done = fetch_map(empty(), TILES, |world| {
        if world.seen.inputs.is_multiple_of(997) {
            most_in_memory = most_in_memory.max(world.tasks_in_memory());
        }
    });
    let Seen { most_in_flight, most_outputs, .. } = done.seen;
    eprintln!(
        "throughput, {TILES} tiles: at most {most_in_memory} in memory, {most_in_flight} effects in flight, \
         {most_outputs} outputs of one input"
    );
    let for_each = |count: u64| count as f64 / TILES as f64;
    eprintln!(
        "throughput, for each tile: {:.2} inputs, {:.2} rows read, {:.2} messages to the page",
        for_each(done.seen.inputs),
        for_each(done.seen.rows_read),
        for_each(done.seen.messages)
    );
    let mut group = criterion.benchmark_group("throughput");
    group.sample_size(10);
    for count in [TILES / 10, TILES] {
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::new("tiles", count), |bencher| {
            bencher.iter_batched(empty, |world| fetch_map(world, count, |_| {}), BatchSize::PerIteration);
        });
    }
}

/// The parts: the planner, the codec, the hash.
fn parts(criterion: &mut Criterion) {
    for count in [10, 1_000] {
        let received = stored::ranges(count);
        let length = (2 * count) << 20;
        criterion.bench_function(&format!("planner/{count} gaps"), |bencher| {
            bencher.iter(|| {
                plan(length, &received, &mut Vec::new(), CONNECTIONS as u32, Link::default(), Grid::default())
            });
        });
    }

    let progress = Progress { received: stored::ranges(1_000), ..Progress::new(BodyId(7)) };
    let bytes = encode(&progress);
    eprintln!("codec: {} bytes for a progress of 1,000 ranges", bytes.len());
    criterion.bench_function("codec/encode 1,000 ranges", |bencher| bencher.iter(|| encode(black_box(&progress))));
    criterion.bench_function("codec/decode 1,000 ranges", |bencher| {
        bencher.iter(|| decode::<Progress>(black_box(&bytes)).expect("what was written is read back"));
    });

    let message = vec![7; BUFFER as usize];
    let mut group = criterion.benchmark_group("hash");
    group.throughput(Throughput::Bytes(BUFFER));
    group.bench_function("SHA-256 of 8 MiB, state stored for each MiB", |bencher| {
        bencher.iter(|| {
            let mut state = HashState::new(Algorithm::Sha256);
            message.chunks(1 << 20).for_each(|slice| {
                state.update(slice);
                black_box(state.to_bytes());
            });
            state.finish()
        });
    });
}

criterion_group!(benches, boots, steps, large_files, small_files, parts);
criterion_main!(benches);
