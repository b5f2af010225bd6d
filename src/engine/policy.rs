//! Policies: what a task or a session allows, what the surroundings are, and whether the one lets the other run.

use serde::{Deserialize, Serialize};

use super::id::ClientId;
use super::session::Limits;
use super::sorted_map::SortedMap;
use super::task::WaitReason;
use super::time::Timestamp;

/// Which of a session's tasks run first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Priority {
    /// Before all others.
    High,
    /// As they come.
    #[default]
    Normal,
    /// After all others.
    Low,
}

impl Priority {
    /// All of them, the first to run first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// The word that pages see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}

/// What a task allows. Can be changed while it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Its place among its session's tasks.
    pub priority: Priority,
    /// Whether it may run on a network that is known to be metered.
    pub metered: bool,
    /// Whether it may run on a network that tells nothing of itself (Safari, desktop Firefox).
    pub unknown_network: bool,
    /// Set if it waits for a good moment, until this time at the latest.
    pub discretionary_until: Option<Timestamp>,
    /// Not to begin before.
    pub begin_at: Option<Timestamp>,
    /// The most that it may take from the network, in bytes per second.
    pub max_bytes_per_second: Option<u64>,
    /// How many segments may be fetched at the same time.
    pub max_segments: u32,
    /// After how long without a head or a byte an attempt counts as cut, in milliseconds.
    pub stall_timeout_ms: u64,
    /// How long the whole transfer may take, counted from the call that made it, in milliseconds.
    pub resource_timeout_ms: Option<u64>,
    /// Failures in a row after which it fails: lost and stalled attempts, bodies that end short, answers of no use. That
    /// the server says that it is busy is none.
    pub max_failures: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            priority: Priority::Normal,
            metered: true,
            unknown_network: true,
            discretionary_until: None,
            begin_at: None,
            max_bytes_per_second: None,
            max_segments: 4,
            stall_timeout_ms: 60_000,
            resource_timeout_ms: None,
            max_failures: 40,
        }
    }
}

/// A change of some of a task's policies. What is `None` stays; 0 lifts a limit or a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyPatch {
    /// See [`Policy::priority`].
    pub priority: Option<Priority>,
    /// See [`Policy::metered`].
    pub metered: Option<bool>,
    /// See [`Policy::unknown_network`].
    pub unknown_network: Option<bool>,
    /// See [`Policy::discretionary_until`].
    pub discretionary_until: Option<u64>,
    /// See [`Policy::begin_at`].
    pub begin_at: Option<u64>,
    /// See [`Policy::max_bytes_per_second`].
    pub max_bytes_per_second: Option<u64>,
    /// See [`Policy::max_segments`].
    pub max_segments: Option<u32>,
    /// See [`Policy::stall_timeout_ms`].
    pub stall_timeout_ms: Option<u64>,
    /// See [`Policy::resource_timeout_ms`].
    pub resource_timeout_ms: Option<u64>,
    /// See [`Policy::max_failures`].
    pub max_failures: Option<u32>,
}

impl Policy {
    /// With the changes of `patch`.
    pub fn patched(&self, patch: &PolicyPatch) -> Self {
        let lift = |new: Option<u64>, old: Option<u64>| new.map_or(old, |new| Some(new).filter(|new| *new > 0));
        let lift_time = |new, old: Option<Timestamp>| lift(new, old.map(|old| old.0)).map(Timestamp);
        Self {
            priority: patch.priority.unwrap_or(self.priority),
            metered: patch.metered.unwrap_or(self.metered),
            unknown_network: patch.unknown_network.unwrap_or(self.unknown_network),
            discretionary_until: lift_time(patch.discretionary_until, self.discretionary_until),
            begin_at: lift_time(patch.begin_at, self.begin_at),
            max_bytes_per_second: lift(patch.max_bytes_per_second, self.max_bytes_per_second),
            max_segments: patch.max_segments.unwrap_or(self.max_segments),
            stall_timeout_ms: patch.stall_timeout_ms.unwrap_or(self.stall_timeout_ms),
            resource_timeout_ms: lift(patch.resource_timeout_ms, self.resource_timeout_ms),
            max_failures: patch.max_failures.unwrap_or(self.max_failures),
        }
    }
}

/// What a task needs of its surroundings, as a set: tasks that need the same lie together in the index, so that those
/// whose time is not now are not even loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Needs(u8);

impl Needs {
    const UNMETERED: u8 = 1;
    const KNOWN: u8 = 2;
    const GOOD_MOMENT: u8 = 4;

    /// All combinations.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..8).map(Self)
    }

    /// Whether a good moment is among them.
    pub fn are_discretionary(self) -> bool {
        self.0 & Self::GOOD_MOMENT != 0
    }

    /// A small number for an index.
    pub fn rank(self) -> u8 {
        self.0
    }
}

impl Policy {
    /// What the task needs.
    pub fn needs(&self) -> Needs {
        let bit = |wanted: bool, bit| if wanted { bit } else { 0 };
        Needs(
            bit(!self.metered, Needs::UNMETERED)
                | bit(!self.unknown_network, Needs::KNOWN)
                | bit(self.discretionary_until.is_some(), Needs::GOOD_MOMENT),
        )
    }
}

/// What one observer, a page or the worker itself, can tell. What it cannot tell is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Whether the page can be seen.
    pub visible: Option<bool>,
    /// Whether the network is metered, or the user asks to save data.
    pub metered: Option<bool>,
    /// Whether the device is being charged.
    pub charging: Option<bool>,
    /// Whether the app says that this is a good moment.
    pub idle: Option<bool>,
    /// Whether the page can have the browser itself fetch.
    pub can_begin: Option<bool>,
}

/// What all observers tell together.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// The worker itself has no client.
    told: SortedMap<Option<ClientId>, Conditions>,
}

impl Surroundings {
    /// Takes in what an observer says. True if that lets more run than before.
    pub fn tell(&mut self, observer: Option<ClientId>, conditions: Conditions) -> bool {
        self.change(|told| told.insert(observer, conditions))
    }

    /// A page is gone. True if that lets more run than before.
    pub fn forget(&mut self, client: &ClientId) -> bool {
        self.change(|told| {
            told.remove(&Some(client.clone()));
        })
    }

    fn change(&mut self, change: impl FnOnce(&mut SortedMap<Option<ClientId>, Conditions>)) -> bool {
        let before = (self.is_watched(), self.blocked_ranks());
        change(&mut self.told);
        let (was_watched, were_blocked) = before;
        (was_watched && !self.is_watched()) || (were_blocked & !self.blocked_ranks()) != 0
    }

    /// The needs that are not met now, as a set of bits by [`Needs::rank`].
    pub fn blocked_ranks(&self) -> u8 {
        Needs::all().filter(|needs| self.blocks(*needs).is_some()).fold(0, |set, needs| set | 1 << needs.rank())
    }

    /// The same for the tasks of a session with these limits: the stricter of the two counts.
    pub fn blocked_ranks_under(&self, limits: &Limits) -> u8 {
        let bit = |wanted: bool, bit| if wanted { bit } else { 0 };
        let own = bit(!limits.metered, Needs::UNMETERED) | bit(!limits.unknown_network, Needs::KNOWN);
        let is_blocked = |needs: &Needs| self.blocks(Needs(needs.0 | own)).is_some();
        Needs::all().filter(is_blocked).fold(0, |set, needs| set | 1 << needs.rank())
    }

    /// Whether any page can be seen, whose own requests must not starve.
    pub fn is_watched(&self) -> bool {
        self.told.values().any(|told| told.visible == Some(true))
    }

    /// The page to ask when the browser itself is to fetch: one that can be seen, if there is any.
    pub fn beginner(&self) -> Option<ClientId> {
        let can_begin = |told: &Conditions| told.can_begin == Some(true);
        let pages = || {
            self.told.iter().filter_map(|(page, told)| Some((page.as_ref()?, told))).filter(|(_, told)| can_begin(told))
        };
        let seen = pages().find(|(_, told)| told.visible == Some(true));
        seen.or_else(|| pages().next()).map(|(page, _)| page.clone())
    }

    /// Whether the network is metered; `None` if nobody can tell.
    pub fn metered(&self) -> Option<bool> {
        let mut known = self.told.values().filter_map(|told| told.metered);
        let first = known.next()?;
        Some(first || known.any(|metered| metered))
    }

    /// Whether somebody sees a good sign and nobody a bad one.
    fn is_good_moment(&self) -> bool {
        let says =
            |of: fn(&Conditions) -> Option<bool>, wanted| self.told.values().any(|told| of(told) == Some(wanted));
        let good = says(|told| told.idle, true) || says(|told| told.charging, true) || says(|told| told.metered, false);
        good && !says(|told| told.idle, false) && !says(|told| told.metered, true)
    }

    /// Why tasks with these needs have to wait; `None` if they need not.
    pub fn blocks(&self, needs: Needs) -> Option<WaitReason> {
        let metered = self.metered();
        if needs.0 & Needs::UNMETERED != 0 && metered == Some(true) {
            Some(WaitReason::Metered)
        } else if needs.0 & Needs::KNOWN != 0 && metered.is_none() {
            Some(WaitReason::UnknownNetwork)
        } else if needs.0 & Needs::GOOD_MOMENT != 0 && !self.is_good_moment() {
            Some(WaitReason::Discretionary)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(name: &str) -> Option<ClientId> {
        Some(ClientId::new(name))
    }

    fn needs(metered: bool, unknown_network: bool, discretionary: bool) -> Needs {
        let discretionary_until = discretionary.then_some(Timestamp(1));
        Policy { metered, unknown_network, discretionary_until, ..Policy::default() }.needs()
    }

    #[test]
    fn an_unknown_network_is_a_case_of_its_own() {
        let mut around = Surroundings::default();
        assert_eq!(around.blocks(needs(false, true, false)), None, "only a network known to be metered is refused");
        assert_eq!(around.blocks(needs(true, false, false)), Some(WaitReason::UnknownNetwork));
        around.tell(None, Conditions { metered: Some(true), ..Conditions::default() });
        assert_eq!(around.blocks(needs(false, true, false)), Some(WaitReason::Metered));
        assert_eq!(around.blocks(needs(true, false, false)), None);
        assert!(around.tell(None, Conditions { metered: Some(false), ..Conditions::default() }), "more may run");
        assert_eq!(around.blocks(needs(false, false, false)), None);
    }

    #[test]
    fn one_page_that_sees_a_metered_network_is_enough() {
        let mut around = Surroundings::default();
        around.tell(page("a"), Conditions { metered: Some(false), ..Conditions::default() });
        around.tell(page("b"), Conditions { metered: Some(true), ..Conditions::default() });
        assert_eq!(around.metered(), Some(true));
        assert!(around.forget(&ClientId::new("b")));
        assert_eq!(around.metered(), Some(false));
    }

    #[test]
    fn a_good_moment_needs_a_good_sign_and_no_bad_one() {
        let mut around = Surroundings::default();
        let discretionary = needs(true, true, true);
        assert_eq!(around.blocks(discretionary), Some(WaitReason::Discretionary));
        around.tell(page("a"), Conditions { charging: Some(true), ..Conditions::default() });
        assert_eq!(around.blocks(discretionary), None);
        around.tell(page("b"), Conditions { idle: Some(false), ..Conditions::default() });
        assert_eq!(around.blocks(discretionary), Some(WaitReason::Discretionary));
    }

    #[test]
    fn a_page_that_goes_out_of_sight_lets_more_run() {
        let mut around = Surroundings::default();
        assert!(!around.tell(page("a"), Conditions { visible: Some(true), ..Conditions::default() }));
        assert!(around.is_watched());
        assert!(around.tell(page("a"), Conditions { visible: Some(false), ..Conditions::default() }));
        assert!(!around.is_watched());
    }
}
