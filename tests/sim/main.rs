//! The simulator: the real engine and the real store contract under a simulated clock, origin, network, storage and
//! pages, all driven from one seed, with a kill at any point as an ordinary step.
//!
//! `cargo test --profile sim --test sim -- [--seeds N] [--from S] [--show N] [--require-all]`
//! `cargo test --profile sim --test sim -- --seed S [--only CHANGES] [--trace | --shrink]`
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::expect_used, clippy::panic, reason = "what is broken panics, and the runner reports it")]
#![allow(clippy::print_stdout, reason = "the summary")]

mod answers;
mod authorization;
mod browser;
mod calls;
mod checks;
mod climate;
mod content;
mod coverage;
mod crash;
mod damage;
mod dialects;
mod driver;
mod faults;
mod fetching;
mod filing;
mod hook;
mod invariants;
mod kept_seeds;
mod life;
mod limits;
mod met;
mod model;
mod network;
mod nonsense;
mod origin;
mod pages;
mod random;
mod replies;
mod requests;
mod room;
mod shrink;
mod specs;
mod stats;
mod steps;
mod storage;
mod text;
mod trace;
mod trouble;
mod waits;
mod weather;
mod worker;
mod world;
mod writing;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use kept_seeds::KEPT_SEEDS;
use stats::{Group, Stats};
use trace::{Mode, Trace};
use world::World;

/// How many seeds are run if nothing is said: few enough for every `cargo test`.
const DEFAULT_SEEDS: u64 = 300;
const THREADS: usize = 2;
/// After how many looks, of which there are five a second, a seed counts as hung: ten minutes, since a busy machine makes
/// twelve seconds of computing last for two.
const LONGEST_SEED: u32 = 3_000;
/// After how many seeds it is said how far the run has come.
const SHOWN_EVERY: usize = 5_000;
/// Of how many seeds the trace is made twice, to see that it is the same.
const REPEATED_SEEDS: usize = 5;
/// How many failing seeds are shown.
const SHOWN_FAILURES: u64 = 3;

thread_local! {
    /// What the last panic of this thread said.
    static PANIC: Cell<String> = const { Cell::new(String::new()) };
}

/// The command line.
struct Options {
    seeds: u64,
    from: u64,
    seed: Option<u64>,
    /// Changes of the climate; see [`climate::Climate::change`].
    changes: String,
    trace: bool,
    /// How many failing seeds are shown.
    shown: usize,
    list: bool,
    /// Whether it counts as a failure if something is never met.
    require_all: bool,
    /// Whether to look for a smaller run that fails.
    shrink: bool,
}

impl Options {
    /// Reads it. What test runners pass to every test, and is not known here, is ignored.
    fn read() -> Self {
        let mut options = Self {
            seeds: DEFAULT_SEEDS,
            from: 1,
            seed: None,
            changes: String::new(),
            trace: false,
            shown: SHOWN_FAILURES as usize,
            list: false,
            require_all: false,
            shrink: false,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut number = || words.next().and_then(|text| text.parse().ok()).expect("a number follows the option");
            match word.as_str() {
                "--seeds" => options.seeds = number(),
                "--from" => options.from = number(),
                "--seed" => options.seed = Some(number()),
                "--only" => options.changes = words.next().expect("changes follow the option"),
                "--show" => options.shown = number() as usize,
                "--trace" => options.trace = true,
                "--require-all" => options.require_all = true,
                "--shrink" => options.shrink = true,
                "--list" => options.list = true,
                _ => {}
            }
        }
        options
    }
}

/// How a run went.
struct Run {
    stats: Stats,
    steps: u64,
    /// What was broken.
    failure: Option<String>,
    trace: Rc<RefCell<Trace>>,
}

fn run(seed: u64, only: &str, mode: Mode) -> Run {
    run_up_to(seed, only, mode, u64::MAX)
}

/// The same, but not longer than so many steps.
fn run_up_to(seed: u64, only: &str, mode: Mode, most_steps: u64) -> Run {
    let trace = Rc::new(RefCell::new(Trace::new(mode)));
    let mut world = World::new(seed, only, Rc::clone(&trace));
    let failure = catch_unwind(AssertUnwindSafe(|| world.run(most_steps))).err().map(|_| PANIC.take());
    let mut stats = std::mem::take(&mut world.stats);
    stats.count(Group::Run, "seeds");
    if stats.get(Group::Run, "kills") > 0 {
        stats.count(Group::Run, "seeds with a kill");
    }
    Run { stats, steps: world.steps, failure, trace }
}

/// Ends everything if one seed takes for ever: what loops within one input can only be seen from outside.
fn watch(at_work: &[AtomicU64]) {
    let mut seen = vec![(0, 0_u32); at_work.len()];
    while at_work.iter().any(|seed| seed.load(Ordering::Relaxed) > 0) || seen[0].1 == 0 {
        std::thread::sleep(std::time::Duration::from_millis(200));
        for (seen, now) in seen.iter_mut().zip(at_work) {
            let now = now.load(Ordering::Relaxed);
            *seen = if seen.0 == now { (now, seen.1 + 1) } else { (now, 1) };
            if now > 0 && seen.1 > LONGEST_SEED {
                println!("seed {} does not come to an end; what failed before it is not shown", now - 1);
                std::process::exit(1);
            }
        }
    }
}

/// Runs the seeds on all threads. Returns what they met, their steps, and the seeds that failed.
fn run_all(seeds: &[u64], only: &str) -> (Stats, u64, Vec<(u64, String)>) {
    let next = AtomicUsize::new(0);
    let at_work: [AtomicU64; THREADS] = Default::default();
    let total = Mutex::new((Stats::default(), 0, Vec::new()));
    std::thread::scope(|scope| {
        scope.spawn(|| watch(&at_work));
        for mine in &at_work {
            let (next, total) = (&next, &total);
            scope.spawn(move || {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    let Some(seed) = seeds.get(nth) else { break };
                    if nth > 0 && nth.is_multiple_of(SHOWN_EVERY) {
                        println!("{nth} of {} seeds", seeds.len());
                    }
                    mine.store(seed + 1, Ordering::Relaxed);
                    let run = run(*seed, only, Mode::Off);
                    let mut total = total.lock().expect("no thread panics while it holds this");
                    total.0.merge(run.stats);
                    total.1 += run.steps;
                    total.2.extend(run.failure.map(|failure| (*seed, failure)));
                }
                mine.store(0, Ordering::Relaxed);
            });
        }
    });
    let (stats, steps, mut failed) = total.into_inner().expect("no thread panics while it holds this");
    failed.sort_unstable();
    (stats, steps, failed)
}

/// Runs a failing seed once more, and shows how it ends.
fn show_failure(seed: u64, only: &str) {
    let run = run(seed, only, Mode::Keep);
    println!("seed {seed} failed after {} steps: {}", run.steps, run.failure.unwrap_or_default());
    run.trace.borrow().tail().for_each(|line| println!("    {line}"));
}

/// Prints which seeds failed where.
fn print_by_place(failures: &[(u64, String)]) {
    let mut by_place: BTreeMap<&str, Vec<(u64, &str)>> = BTreeMap::new();
    for (seed, failure) in failures {
        let (place, words) = failure.split_once('\n').unwrap_or((failure, ""));
        by_place.entry(place).or_default().push((*seed, words));
    }
    for (place, seeds) in by_place {
        let first = seeds[0].1.replace('\n', " ");
        let numbers: Vec<u64> = seeds.iter().map(|(seed, _)| *seed).take(8).collect();
        println!("{} x {place} {numbers:?}: {}", seeds.len(), first.chars().take(300).collect::<String>());
    }
}

/// Whether a seed gives the same trace twice.
fn is_repeatable(seed: u64) -> bool {
    let [first, second] = [run(seed, "", Mode::Keep), run(seed, "", Mode::Keep)];
    first.trace.borrow().hash() == second.trace.borrow().hash()
}

#[expect(clippy::disallowed_types, reason = "only to say how long it all took")]
fn main() -> ExitCode {
    let options = Options::read();
    if options.list {
        return ExitCode::SUCCESS;
    }
    set_hook(Box::new(|info| PANIC.set(info.to_string())));
    if let Some(seed) = options.seed.filter(|_| options.shrink) {
        return shrink::shrink(seed, &options.changes);
    }
    if let Some(seed) = options.seed {
        let run = run(seed, &options.changes, if options.trace { Mode::Print } else { Mode::Off });
        run.stats.print();
        if let Some(failure) = run.failure {
            println!("seed {seed} failed after {} steps: {failure}", run.steps);
            return ExitCode::FAILURE;
        }
        println!("1 passed, 0 failed");
        return ExitCode::SUCCESS;
    }

    let began = std::time::Instant::now();
    let kept = KEPT_SEEDS.iter().map(|(seed, _)| *seed);
    let seeds: Vec<u64> = kept.chain(options.from..options.from + options.seeds).collect();
    let (stats, steps, failures) = run_all(&seeds, &options.changes);
    let mut failed: Vec<u64> = failures.iter().map(|(seed, _)| *seed).collect();
    for seed in failed.iter().take(options.shown) {
        show_failure(*seed, &options.changes);
    }
    print_by_place(&failures);
    for seed in seeds.iter().take(REPEATED_SEEDS).filter(|seed| !is_repeatable(**seed)) {
        println!("seed {seed} does not give the same trace twice");
        failed.push(*seed);
    }
    stats.print();
    let missing = coverage::missing(&stats);
    println!("never met: {missing:?}");
    if options.require_all && !missing.is_empty() {
        println!("something is never met, so it is not tested");
        failed.push(0);
    }
    println!("{} seeds, {steps} steps, {:.1} s; failed: {failed:?}", seeds.len(), began.elapsed().as_secs_f64());
    println!("{} passed, {} failed", seeds.len() - failed.len().min(seeds.len()), failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
