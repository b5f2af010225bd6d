//! Wakes: why the worker runs, and until when. While there is work the wake that ends last is held, which is the newest
//! of its kind; holding an older one longer gets the worker killed in spite of newer events (see docs/platform.md). So
//! are those that the browser repeats if there is work left when they end.

use std::collections::VecDeque;

use super::id::{EffectId, TaskKey, WakeId};
use super::output::{Outcome, Output, Work};
use super::task::{TaskState, WaitReason};
use super::time::Timestamp;
use super::{Engine, Slot};

/// How long before a wake's end everything read should be durable. Nothing more is begun then.
const MARGIN_MS: u64 = 1_000;
/// How long before it what has brought nothing until then is ended.
const END_MS: u64 = 500;
/// What is due in this time is worth to be waited for.
pub(super) const SOON_MS: u64 = 60_000;
/// Pages wake the worker for what only looks whether there are news so much later than a worker that lives looks by itself.
pub(super) const NEWS_MS: u64 = 240_000;
/// In this time the browser has repeated an event that fails for the last time (Chromium: after 300 s and 900 s).
const REPEATED_MS: u64 = 900_000;
/// How long an attempt has to be silent before things that may be better make a new one worth it. What has come is
/// reported after two seconds.
const SILENT_MS: u64 = 5_000;

#[derive(Debug)]
struct Held {
    wake: WakeId,
    ends_at: Option<Timestamp>,
    is_repeated: bool,
}

impl Held {
    /// How long it goes on.
    fn left_ms(&self, now: Timestamp) -> u64 {
        self.ends_at.map_or(u64::MAX, |ends_at| ends_at.since(now))
    }
}

/// The wakes that are not settled.
#[derive(Debug)]
pub struct Wakes {
    held: VecDeque<Held>,
    told: Work,
    /// The last wake has come to its end although there was work: until the next one nothing is begun.
    are_over: bool,
}

impl Default for Wakes {
    fn default() -> Self {
        Self { held: VecDeque::new(), told: Work::At(None), are_over: false }
    }
}

impl Wakes {
    fn open(&mut self, wake: WakeId, ends_at: Option<Timestamp>, is_repeated: bool) {
        self.held.push_back(Held { wake, ends_at, is_repeated });
        self.are_over = false;
    }

    /// The one that ends last; the newest, if several do.
    fn last(&self) -> Option<(usize, &Held)> {
        self.held.iter().enumerate().max_by_key(|(_, held)| held.ends_at.map_or(u64::MAX, |ends_at| ends_at.0))
    }

    fn left_ms(&self, now: Timestamp) -> u64 {
        self.last().map_or(u64::MAX, |(_, held)| held.left_ms(now))
    }

    /// Settles what need not be held any longer, or is about to be cut, and says when work begins and ends. The last one
    /// waits for what is on its way, if `is_busy`.
    pub fn poll(&mut self, now: Timestamp, work: Work, is_busy: bool) -> Option<Output> {
        if self.told != work {
            self.told = work;
            return Some(Output::Working(work));
        }
        if let Work::At(next) = work {
            let held = self.held.pop_front()?;
            let is_in_time = next.is_some_and(|next| next <= now.after(REPEATED_MS));
            let outcome = if held.is_repeated && is_in_time { Outcome::Again } else { Outcome::Done };
            return Some(Output::Settle(held.wake, outcome));
        }
        let (last, _) = self.last()?;
        let may_go = |(at, held): (usize, &Held)| {
            let is_ending = held.left_ms(now) <= END_MS;
            if at == last { is_ending && !(is_busy && held.left_ms(now) > 0) } else { !held.is_repeated || is_ending }
        };
        let at = self.held.iter().enumerate().position(may_go)?;
        let held = self.held.remove(at)?;
        self.are_over = self.held.is_empty();
        Some(Output::Settle(held.wake, Outcome::Again))
    }

    /// Whether nothing more should be begun: the last wake is about to end, or has ended.
    pub fn are_ending(&self, now: Timestamp) -> bool {
        self.are_over || self.left_ms(now) <= MARGIN_MS
    }

    /// When something is to be done about one that ends.
    pub fn next_time(&self, now: Timestamp) -> Option<Timestamp> {
        let ends = self.held.iter().filter_map(|held| held.ends_at);
        let times = ends.flat_map(|ends_at| [Timestamp(ends_at.0.saturating_sub(END_MS)), ends_at]);
        times.filter(|at| *at > now).min()
    }

    /// How long a read may collect bytes before they should go to storage: less when the last wake is about to end.
    pub fn limit_ms(&self, now: Timestamp, wanted_ms: u64) -> u64 {
        wanted_ms.min(self.left_ms(now).saturating_sub(MARGIN_MS).max(MARGIN_MS / 10))
    }
}

impl Engine {
    pub(super) fn handle_wake(&mut self, wake: WakeId, ends_at: Option<Timestamp>, is_repeated: bool, kick: bool) {
        let were_ending = self.wakes.are_ending(self.now);
        self.wakes.open(wake, ends_at, is_repeated);
        if were_ending {
            // What had stopped reading goes on.
            let keys: Vec<TaskKey> = self.slots.keys().cloned().collect();
            keys.iter().for_each(|key| self.read_on(key));
        }
        if kick {
            let now = self.now;
            // The user may have made room.
            self.room.look_sooner(now);
            for (_, slot) in self.slots.iter_mut() {
                end_wait(slot, now);
                slot.external.look_again();
            }
            self.ask_hosts_again();
            self.replace_silent_attempts();
        }
    }

    /// Ends attempts to which nothing has come for a while: the network that they were begun in may be gone, which
    /// nobody is told. New ones are begun at once.
    fn replace_silent_attempts(&mut self) {
        let now = self.now;
        let mut silent: Vec<(TaskKey, EffectId)> = Vec::new();
        for (key, slot) in self.slots.iter_mut() {
            let Some(task) = slot.task.as_ref().filter(|_| slot.replace_after <= now) else { continue };
            // What could not be continued is worth more than the time that a lost connection costs.
            let can_go_on = slot.can_go_on();
            let is_silent = |since: Timestamp| now.since(since) >= SILENT_MS;
            let attempts = slot.attempts.iter().filter(|attempt| attempt.waits_since().is_some_and(is_silent));
            let before = silent.len();
            silent.extend(attempts.filter(|_| can_go_on).map(|attempt| (key.clone(), attempt.id)));
            if silent.len() > before {
                // A server that is only slow is given all its time then, however often things get better.
                slot.replace_after = now.after(task.record.spec.policy.stall_timeout_ms);
            }
        }
        for (key, attempt) in silent {
            self.drop_attempt(&key, attempt);
        }
    }

    /// The last wake is about to end: what has come is in storage or on its way there, and the rest is let go.
    pub(super) fn end_with_the_wake(&mut self) {
        let left_ms = self.wakes.left_ms(self.now);
        if left_ms > END_MS {
            return;
        }
        let is_ready = |slot: &Slot| {
            let mut readings = slot.attempts.iter().filter_map(|attempt| attempt.reading.as_ref());
            left_ms == 0 || !(slot.busy || readings.any(|reading| reading.has_ready()))
        };
        let ending = self.slots.iter().filter(|(_, slot)| !slot.attempts.is_empty() && is_ready(slot));
        for key in ending.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.drop_attempts(&key);
            self.publish_task(&key);
        }
    }
}

/// Lets a task try again at once, unless the server or the app itself asked for the pause.
fn end_wait(slot: &mut Slot, now: Timestamp) {
    if let Some(TaskState::Active { not_before, reason }) = slot.task.as_mut().map(|task| &mut task.record.state)
        && reason.is_none_or(WaitReason::ends_with_news)
    {
        *not_before = (*not_before).min(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGAIN: Outcome = Outcome::Again;
    const DONE: Outcome = Outcome::Done;

    fn settled(wakes: &mut Wakes, now: u64, working: bool, is_busy: bool) -> Vec<(u64, Outcome)> {
        let work = if working { Work::Now } else { Work::At(None) };
        std::iter::from_fn(|| wakes.poll(Timestamp(now), work, is_busy))
            .filter_map(|output| if let Output::Settle(wake, how) = output { Some((wake.0, how)) } else { None })
            .collect()
    }

    #[test]
    fn exactly_the_newest_wake_is_held_while_there_is_work() {
        let mut wakes = Wakes::default();
        wakes.open(WakeId(1), None, false);
        assert_eq!(settled(&mut wakes, 0, true, true), []);
        wakes.open(WakeId(2), None, false);
        wakes.open(WakeId(3), None, false);
        assert_eq!(settled(&mut wakes, 0, true, true), [(1, AGAIN), (2, AGAIN)]);
        assert_eq!(settled(&mut wakes, 0, false, false), [(3, DONE)]);
        wakes.open(WakeId(4), None, false);
        assert_eq!(settled(&mut wakes, 0, false, false), [(4, DONE)], "nothing to do: let go at once");
    }

    #[test]
    fn a_wake_that_ends_sooner_takes_the_place_of_none_that_ends_later() {
        let mut wakes = Wakes::default();
        wakes.open(WakeId(1), Some(Timestamp(300_000)), false);
        wakes.open(WakeId(2), Some(Timestamp(90_000)), false);
        assert_eq!(settled(&mut wakes, 0, true, true), [(2, AGAIN)]);
    }

    #[test]
    fn what_the_browser_repeats_is_held_to_its_own_end_and_succeeds_only_when_nothing_is_left() {
        let mut wakes = Wakes::default();
        wakes.open(WakeId(1), Some(Timestamp(180_000)), true);
        wakes.open(WakeId(2), Some(Timestamp(310_000)), false);
        wakes.open(WakeId(3), Some(Timestamp(320_000)), false);
        assert_eq!(settled(&mut wakes, 20_000, true, true), [(2, AGAIN)]);
        assert_eq!(wakes.next_time(Timestamp(20_000)), Some(Timestamp(179_500)));
        assert_eq!(settled(&mut wakes, 179_499, true, true), []);
        assert_eq!(settled(&mut wakes, 179_500, true, true), [(1, AGAIN)], "the other goes on");
        assert!(!wakes.are_ending(Timestamp(179_500)));
        wakes.open(WakeId(4), Some(Timestamp(400_000)), true);
        assert_eq!(settled(&mut wakes, 200_000, false, true), [(3, DONE), (4, DONE)]);
    }

    #[test]
    fn the_last_wake_ends_before_it_is_cut_but_not_before_what_was_read_is_durable() {
        let mut wakes = Wakes::default();
        wakes.open(WakeId(1), Some(Timestamp(10_000)), true);
        assert!(!wakes.are_ending(Timestamp(8_999)) && wakes.are_ending(Timestamp(9_000)), "nothing is begun then");
        assert_eq!(settled(&mut wakes, 9_500, true, true), [], "a commit is on its way");
        assert_eq!(wakes.next_time(Timestamp(9_500)), Some(Timestamp(10_000)));
        assert_eq!(settled(&mut wakes, 9_600, true, false), [(1, AGAIN)]);
        assert!(wakes.are_ending(Timestamp(20_000)), "until the next one");
        wakes.open(WakeId(2), Some(Timestamp(30_000)), false);
        assert!(!wakes.are_ending(Timestamp(20_000)));
        assert_eq!(settled(&mut wakes, 30_000, true, true), [(2, AGAIN)], "storage that hangs is not waited for");
    }

    #[test]
    fn reads_get_short_when_the_wake_is_about_to_end() {
        let mut wakes = Wakes::default();
        assert_eq!(wakes.limit_ms(Timestamp(0), 2_000), 2_000);
        wakes.open(WakeId(1), Some(Timestamp(10_000)), false);
        assert_eq!(wakes.limit_ms(Timestamp(0), 2_000), 2_000);
        assert_eq!(wakes.limit_ms(Timestamp(7_500), 2_000), 1_500);
        assert_eq!(wakes.limit_ms(Timestamp(9_900), 2_000), 100);
    }
}
