//! What kind of run a seed makes: how often things go wrong, how many pages and tasks there are. Every number has a
//! name, so that a failing run can be made smaller by hand or by `--shrink`.

use std::collections::BTreeSet;

use super::random::Random;

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The chances and sizes of a run.
        #[derive(Clone, Debug, Default)]
        pub struct Climate {
            $($(#[$doc])* pub $name: u64,)*
            /// Faults and features that are switched off, by name.
            pub without: BTreeSet<String>,
        }

        impl Climate {
            /// The names of all numbers.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name),)*];

            /// The number of that name.
            pub fn number(&mut self, name: &str) -> Option<&mut u64> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }
        }
    };
}

numbers! {
    /// A kill once in so many steps; 0 for never.
    kill_one_in,
    /// A kill once in so many outputs.
    kill_between_outputs_one_in,
    /// Attempts in a thousand that meet a fault.
    origin_faults,
    /// Commits and loads in a thousand that fail.
    storage_faults,
    /// Commits and loads in a thousand that are never answered, or by "unknown".
    lost_answers,
    /// Once in so many operations storage stands still for longer than any deadline.
    storage_stall_one_in,
    /// Whether commits in flight may be answered in another order and far apart.
    slow_answers,
    /// How many sessions there are.
    sessions,
    /// How many different task ids the pages use.
    tasks,
    /// How many resources there are, without their mirrors.
    resources,
    /// How many mirrors a resource has at most.
    mirrors,
    /// How many pages there are at first.
    pages,
    /// How many calls a page makes.
    calls_per_page,
    /// Whether pages queue a hundred tasks at a time, and cancel as many.
    bursts,
    /// How long faults and calls go on.
    busy_ms,
    /// Milliseconds between two changes of the server's files, about; 0 for never.
    change_every_ms,
    /// Milliseconds between two offline periods, about; 0 for never.
    offline_every_ms,
    /// Milliseconds between two times when storage is full or out of order, about; 0 for never.
    outage_every_ms,
    /// Milliseconds between two starts of a second worker, about; 0 for never.
    overlap_every_ms,
    /// Milliseconds between two changes of the network's kind, about; 0 for never.
    network_every_ms,
    /// Milliseconds between two times when tokens and signatures expire, about; 0 for never.
    expiry_every_ms,
    /// Once in so many boots everything that was stored is gone; 0 for never.
    eviction_one_in,
    /// Specifications in a thousand that use something beside a URL: mirrors, proofs, policies and so on.
    special_specs,
    /// Calls in a thousand that are about many tasks, or about what few tasks have.
    special_calls,
    /// Whether the worker's own code can supply headers.
    hook,
    /// Whether the worker's own code handles events.
    hook_events,
    /// Whether the browser cuts every event after a while.
    wakes_end,
    /// Of the kills, once in so many one is a crash of the component; 0 for never.
    crash_one_in,
    /// Whether the browser ends a worker that nothing holds.
    rests,
    /// The longest file of which the browser may hold in memory all that an answer has brought until it is over; 0 if it
    /// holds nothing.
    most_held_bytes,
    /// Once in so many times a page that does something says nonsense first; 0 for never.
    nonsense_one_in,
    /// How many nodes with tags of their own a site has at most.
    nodes,
    /// Whether some servers send one byte for each range.
    crumbs,
    /// Milliseconds between two times when a host serves nothing, about; 0 for never.
    maintenance_every_ms,
    /// How many bytes of files the origin may store; 0 for any number.
    quota_bytes,
    /// What the browser says of that: 0 for nothing, 1 for the truth, 2 for ten times as much.
    estimates,
    /// Chunks in a thousand that cannot be read back.
    unreadable,
    /// Once in so many boots the clock shows next year; 0 for never.
    next_year_one_in,
    /// Once in so many boots some rows have become unreadable; 0 for never.
    damage_one_in,
    /// Whether some servers make of ranges and validators what is not in the books.
    dialects,
}

impl Climate {
    /// Draws one.
    pub fn draw(random: &mut Random) -> Self {
        let bursts = u64::from(random.one_in(25));
        let rare = if bursts > 0 { 20 } else { 1 };
        Self {
            // A burst of calls that is never answered is sent again and again.
            kill_one_in: random.pick(&[0, 60, 150, 150, 400, 400, 1_000]) * rare,
            kill_between_outputs_one_in: random.pick(&[0, 100, 400, 400, 2_000]) * rare,
            origin_faults: random.pick(&[0, 50, 150, 300, 500]),
            storage_faults: random.pick(&[0, 0, 10, 50, 200]),
            lost_answers: random.pick(&[0, 0, 5, 30, 80]),
            storage_stall_one_in: random.pick(&[0, 0, 200, 60, 25]),
            slow_answers: random.below(2),
            sessions: random.within(1..=2),
            tasks: if bursts > 0 { 150 } else { random.within(1..=10) },
            resources: random.within(1..=5),
            mirrors: random.pick(&[0, 0, 1, 2, 3]),
            pages: random.within(1..=3),
            calls_per_page: random.within(4..=40),
            bursts,
            busy_ms: random.pick(&[20_000, 120_000, 600_000, 1_800_000]) / if bursts > 0 { 4 } else { 1 },
            change_every_ms: random.pick(&[0, 0, 2_000, 10_000, 60_000]),
            offline_every_ms: random.pick(&[0, 0, 0, 30_000, 120_000]),
            outage_every_ms: if bursts > 0 { 5_000 } else { random.pick(&[0, 0, 0, 20_000, 100_000]) },
            overlap_every_ms: random.pick(&[0, 0, 0, 20_000, 120_000, 600_000]),
            network_every_ms: random.pick(&[0, 0, 5_000, 60_000]),
            expiry_every_ms: random.pick(&[0, 3_000, 60_000]),
            eviction_one_in: random.pick(&[0, 0, 0, 0, 3, 10]),
            special_specs: random.pick(&[0, 100, 400, 700]),
            special_calls: random.pick(&[0, 200, 500]),
            hook: random.below(2),
            hook_events: random.below(2),
            wakes_end: random.below(2),
            crash_one_in: random.pick(&[0, 0, 1, 2, 5]),
            // Drawn from the seed itself by whoever makes the world, so that the seeds that are kept stay what they were.
            rests: 0,
            most_held_bytes: 0,
            nonsense_one_in: 0,
            nodes: 1,
            crumbs: 0,
            maintenance_every_ms: 0,
            quota_bytes: 0,
            estimates: 0,
            unreadable: 0,
            next_year_one_in: 0,
            damage_one_in: 0,
            dialects: 0,
            without: BTreeSet::new(),
        }
    }

    /// Draws the rest, from a stream of its own.
    pub fn draw_more(&mut self, seed: u64) {
        let mut random = Random::new(seed.rotate_left(32));
        self.quota_bytes = random.pick(&[0, 0, 0, 0, 0, 100_000, 1_000_000, 3_000_000, 10_000_000]);
        self.estimates = random.below(3);
        self.unreadable = random.pick(&[0, 0, 0, 0, 5, 50, 300]);
        self.next_year_one_in = random.pick(&[0, 0, 0, 4, 10]);
        self.dialects = random.below(2);
    }

    /// Whether this fault or feature may be met.
    pub fn allows(&self, name: &str) -> bool {
        self.without.is_empty() || !self.without.contains(name)
    }

    /// All of it, as [`Climate::change`] reads it.
    pub fn words(&self) -> String {
        let mut climate = self.clone();
        let numbers = Self::NAMES.iter().filter_map(|name| Some(format!("{name}={}", climate.number(name)?)));
        let numbers: Vec<String> = numbers.collect();
        numbers.into_iter().chain(self.without.iter().map(|name| format!("-{name}"))).collect::<Vec<_>>().join(",")
    }

    /// Changes what `only` says, such as `kill_one_in=0,tasks=1,-gzip`.
    pub fn change(&mut self, only: &str) {
        for word in only.split(',').filter(|word| !word.is_empty()) {
            if let Some(name) = word.strip_prefix('-') {
                self.without.insert(name.into());
            } else {
                let (name, value) = word.split_once('=').expect("a change is name=number or -name");
                let number = self.number(name).unwrap_or_else(|| panic!("the climate has no number {name}"));
                *number = value.parse().expect("a number follows the name");
            }
        }
    }
}
