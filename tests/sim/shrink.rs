//! Makes a failing run smaller: numbers of the climate become zero or small, faults and features are switched off one
//! after the other, as long as the run still fails in the same place.

use std::process::ExitCode;

use super::climate::Climate;
use super::faults::FAULTS;
use super::trace::Mode;
use super::{Run, run};

/// Features that can be switched off beside the faults.
const FEATURES: &[&str] = &["cors", "dead", "guards", "digest-field", "mirrors", "proofs"];

/// Prints the smallest run that fails as this one does, and how it ends.
pub fn shrink(seed: u64, changes: &str) -> ExitCode {
    let first = run(seed, changes, Mode::Off);
    let Some(place) = place_of(&first) else {
        println!("seed {seed} does not fail");
        return ExitCode::SUCCESS;
    };
    let (mut best, mut steps) = (changes.to_owned(), first.steps);
    loop {
        let before = steps;
        for change in candidates() {
            let tried = if best.is_empty() { change } else { format!("{best},{change}") };
            let run = run(seed, &tried, Mode::Off);
            if run.steps < steps && place_of(&run).as_ref() == Some(&place) {
                (best, steps) = (tried, run.steps);
                println!("{steps} steps: {best}");
            }
        }
        if steps == before {
            break;
        }
    }
    let last = run(seed, &best, Mode::Keep);
    last.trace.borrow().tail().for_each(|line| println!("    {line}"));
    println!("{}", last.failure.unwrap_or_default());
    println!("--seed {seed} --only {best}");
    ExitCode::FAILURE
}

/// Where it failed: the file and line, as the panic says.
fn place_of(run: &Run) -> Option<String> {
    run.failure.as_ref().map(|failure| failure.lines().next().unwrap_or_default().to_owned())
}

fn candidates() -> Vec<String> {
    let needed = ["sessions", "tasks", "resources", "pages", "calls_per_page", "busy_ms"];
    let mut all = Vec::new();
    for name in Climate::NAMES {
        let values: &[u64] = match *name {
            "busy_ms" => &[1_000, 5_000, 20_000, 60_000],
            name if needed.contains(&name) => &[1, 2, 3, 5, 8, 12, 20],
            _ => &[0, 1],
        };
        all.extend(values.iter().map(|value| format!("{name}={value}")));
    }
    all.extend(FAULTS.iter().map(|fault| format!("-{}", fault.name())));
    all.extend(FEATURES.iter().map(|feature| format!("-{feature}")));
    all
}
