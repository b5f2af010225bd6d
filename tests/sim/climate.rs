//! What kind of run a seed makes: how often things go wrong, how many pages and tasks there are.

use super::random::Random;

/// The chances and sizes of a run.
#[derive(Debug)]
pub struct Climate {
    /// A kill once in so many steps; 0 for never.
    pub kill_one_in: u64,
    /// A kill once in so many outputs.
    pub kill_between_outputs_one_in: u64,
    /// Attempts in a thousand that meet a fault.
    pub origin_faults: u64,
    /// Commits and loads in a thousand that fail.
    pub storage_faults: u64,
    /// Commits and loads in a thousand that are never answered, or by "unknown".
    pub lost_answers: u64,
    /// Once in so many operations storage stands still for longer than any deadline.
    pub storage_stall_one_in: u64,
    /// Whether commits in flight may be answered in another order and far apart.
    pub slow_answers: bool,
    /// How many sessions there are.
    pub sessions: u64,
    /// How many different task ids the pages use.
    pub tasks: u64,
    /// How many resources there are.
    pub resources: u64,
    /// How many pages there are at first.
    pub pages: u64,
    /// How many calls a page makes.
    pub calls_per_page: u64,
    /// Whether pages queue a hundred tasks at a time, and cancel as many.
    pub bursts: bool,
    /// How long faults and calls go on.
    pub busy_ms: u64,
    /// Milliseconds between two changes of the server's files, about; 0 for never.
    pub change_every_ms: u64,
    /// Milliseconds between two offline periods, about; 0 for never.
    pub offline_every_ms: u64,
    /// Milliseconds between two times when storage is full or out of order, about; 0 for never.
    pub outage_every_ms: u64,
    /// Milliseconds between two starts of a second worker, about; 0 for never.
    pub overlap_every_ms: u64,
}

impl Climate {
    /// Draws one.
    pub fn draw(random: &mut Random) -> Self {
        let bursts = random.one_in(25);
        Self {
            // A burst of calls that is never answered is sent again and again.
            kill_one_in: random.pick(&[0, 60, 150, 150, 400, 400, 1_000]) * if bursts { 20 } else { 1 },
            kill_between_outputs_one_in: random.pick(&[0, 100, 400, 400, 2_000]) * if bursts { 20 } else { 1 },
            origin_faults: random.pick(&[0, 50, 150, 300, 500]),
            storage_faults: random.pick(&[0, 0, 10, 50, 200]),
            lost_answers: random.pick(&[0, 0, 5, 30, 80]),
            storage_stall_one_in: random.pick(&[0, 0, 0, 200, 60]),
            slow_answers: random.one_in(2),
            sessions: random.within(1..=2),
            tasks: if bursts { 150 } else { random.within(1..=10) },
            resources: random.within(1..=5),
            pages: random.within(1..=3),
            calls_per_page: random.within(4..=40),
            bursts,
            busy_ms: random.pick(&[20_000, 120_000, 600_000, 1_800_000]) / if bursts { 4 } else { 1 },
            change_every_ms: random.pick(&[0, 0, 2_000, 10_000, 60_000]),
            offline_every_ms: random.pick(&[0, 0, 0, 30_000, 120_000]),
            outage_every_ms: if bursts { 5_000 } else { random.pick(&[0, 0, 0, 20_000, 100_000]) },
            overlap_every_ms: random.pick(&[0, 0, 0, 20_000, 120_000, 600_000]),
        }
    }
}
