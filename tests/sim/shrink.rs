//! Makes a failing run smaller: numbers of the climate become zero or small, faults and features are switched off one
//! after the other, as long as a run still fails in the same place. Every change makes another run of a seed, so that
//! other seeds are tried with it, too.

use std::cell::RefCell;
use std::process::ExitCode;
use std::rc::Rc;

use super::climate::Climate;
use super::faults::FAULTS;
use super::trace::{Mode, Trace};
use super::world::World;
use super::{Run, run, run_up_to};

/// Features that can be switched off beside the faults.
const FEATURES: &[&str] = &["cors", "dead", "guards", "digest-field", "mirrors", "proofs"];
/// How many other seeds are tried with each change.
const OTHER_SEEDS: u64 = 200;

/// The smallest run so far.
struct Smallest {
    seed: u64,
    climate: Climate,
    steps: u64,
}

/// Prints the smallest run that fails as this one does, and how it ends.
pub fn shrink(seed: u64, changes: &str) -> ExitCode {
    let first = run(seed, changes, Mode::Off);
    let Some(place) = place_of(&first) else {
        println!("seed {seed} does not fail");
        return ExitCode::SUCCESS;
    };
    let climate = World::new(seed, changes, Rc::new(RefCell::new(Trace::new(Mode::Off)))).climate;
    let mut best = Smallest { seed, climate, steps: first.steps };
    loop {
        let before = best.steps;
        for change in candidates(&best.climate) {
            try_change(&mut best, &change, &place);
        }
        if best.steps == before {
            break;
        }
    }
    let changes = best.climate.words();
    let last = run(best.seed, &changes, Mode::Keep);
    last.trace.borrow().tail().for_each(|line| println!("    {line}"));
    println!("{}", last.failure.unwrap_or_default());
    println!("{} steps: --seed {} --only {changes}", best.steps, best.seed);
    ExitCode::FAILURE
}

fn try_change(best: &mut Smallest, change: &str, place: &str) {
    let mut climate = best.climate.clone();
    climate.change(change);
    let changes = climate.words();
    for seed in std::iter::once(best.seed).chain(1..=OTHER_SEEDS) {
        let run = run_up_to(seed, &changes, Mode::Off, best.steps);
        if run.steps < best.steps && place_of(&run).as_deref() == Some(place) {
            println!("{} steps: seed {seed}, {change}", run.steps);
            *best = Smallest { seed, climate, steps: run.steps };
            return;
        }
    }
}

/// Where it failed: the file and line, as the panic says.
fn place_of(run: &Run) -> Option<String> {
    run.failure.as_ref().map(|failure| failure.lines().next().unwrap_or_default().to_owned())
}

/// What would make runs smaller.
fn candidates(climate: &Climate) -> Vec<String> {
    let needed = ["sessions", "tasks", "resources", "pages", "calls_per_page", "busy_ms"];
    let mut all = Vec::new();
    for name in Climate::NAMES {
        let values: &[u64] = match *name {
            "busy_ms" => &[1_000, 5_000, 20_000, 60_000],
            name if needed.contains(&name) => &[1, 2, 3, 5, 8, 12, 20],
            // A kill at every output is no smaller run.
            name if name.ends_with("_one_in") || name.ends_with("_every_ms") => &[0],
            _ => &[0, 1],
        };
        let now = climate.clone().number(name).map_or(0, |number| *number);
        all.extend(values.iter().filter(|value| **value < now).map(|value| format!("{name}={value}")));
    }
    let faults = FAULTS.iter().map(|fault| fault.name()).chain(FEATURES.iter().copied());
    all.extend(faults.filter(|name| climate.allows(name)).map(|name| format!("-{name}")));
    all
}
