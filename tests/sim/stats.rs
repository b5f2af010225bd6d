//! What the runs met, counted by name: a fault or branch that is never met is not tested.

use std::collections::BTreeMap;

/// Counts by group and name.
#[derive(Debug, Default)]
pub struct Stats(BTreeMap<(Group, &'static str), u64>);

/// What a count is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Steps, kills and the like.
    Run,
    /// Attempts, and what the server did to them.
    Origin,
    /// What storage did.
    Storage,
    /// What pages called, and what they were answered.
    Page,
    /// What the engine did about all that.
    Engine,
    /// Why tasks failed.
    Errors,
    /// Why tasks were shown to wait.
    Waits,
    /// What was concluded of the servers' answers.
    Verdicts,
}

impl Stats {
    /// One more.
    pub fn count(&mut self, group: Group, name: &'static str) {
        *self.0.entry((group, name)).or_default() += 1;
    }

    /// How many there were.
    pub fn get(&self, group: Group, name: &'static str) -> u64 {
        self.0.get(&(group, name)).copied().unwrap_or(0)
    }

    /// Adds those of another run.
    pub fn merge(&mut self, other: Self) {
        for (key, count) in other.0 {
            *self.0.entry(key).or_default() += count;
        }
    }

    /// Prints them, a group a paragraph.
    pub fn print(&self) {
        for group in [
            Group::Run,
            Group::Origin,
            Group::Storage,
            Group::Page,
            Group::Engine,
            Group::Errors,
            Group::Waits,
            Group::Verdicts,
        ] {
            let counts: Vec<String> =
                self.0.iter().filter(|((of, _), _)| *of == group).map(|((_, name), n)| format!("{name} {n}")).collect();
            println!("{group:?}: {}", counts.join(", "));
        }
    }
}
