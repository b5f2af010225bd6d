//! Wakes: why the worker runs, and until when. While there is work exactly the newest wake is held; holding an older
//! one longer gets the worker killed in spite of newer events (see docs/platform.md).

use std::collections::VecDeque;

use super::id::WakeId;
use super::output::Output;
use super::task::{TaskState, WaitReason};
use super::time::Timestamp;
use super::{Engine, Slot};

/// How long before a wake's end everything read should be durable.
const MARGIN_MS: u64 = 1_000;

/// The wakes that are not settled.
#[derive(Debug, Default)]
pub struct Wakes {
    held: VecDeque<(WakeId, Option<Timestamp>)>,
    told_working: bool,
}

impl Wakes {
    fn open(&mut self, wake: WakeId, ends_at: Option<Timestamp>) {
        self.held.push_back((wake, ends_at));
    }

    /// Settles what need not be held any longer, and says when work begins and ends.
    pub fn poll(&mut self, working: bool) -> Option<Output> {
        if self.told_working != working {
            self.told_working = working;
            return Some(Output::Working(working));
        }
        let needed = usize::from(working);
        (self.held.len() > needed).then(|| self.held.pop_front()).flatten().map(|(wake, _)| Output::Settle(wake))
    }

    /// How long a read may collect bytes before they should go to storage: less when the wake is about to end.
    pub fn limit_ms(&self, now: Timestamp, wanted_ms: u64) -> u64 {
        let ends_at = self.held.back().and_then(|(_, ends_at)| *ends_at);
        ends_at.map_or(wanted_ms, |ends_at| {
            wanted_ms.min(ends_at.since(now).saturating_sub(MARGIN_MS).max(MARGIN_MS / 10))
        })
    }
}

impl Engine {
    pub(super) fn handle_wake(&mut self, wake: WakeId, ends_at: Option<Timestamp>, kick: bool) {
        self.wakes.open(wake, ends_at);
        if kick {
            let now = self.now;
            for (_, slot) in self.slots.iter_mut() {
                end_wait(slot, now);
                slot.external.look_again();
            }
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

    fn settled(wakes: &mut Wakes, working: bool) -> Vec<u64> {
        std::iter::from_fn(|| wakes.poll(working))
            .filter_map(|output| if let Output::Settle(wake) = output { Some(wake.0) } else { None })
            .collect()
    }

    #[test]
    fn exactly_the_newest_wake_is_held_while_there_is_work() {
        let mut wakes = Wakes::default();
        wakes.open(WakeId(1), None);
        assert_eq!(settled(&mut wakes, true), [] as [u64; 0]);
        wakes.open(WakeId(2), None);
        wakes.open(WakeId(3), None);
        assert_eq!(settled(&mut wakes, true), [1, 2]);
        assert_eq!(settled(&mut wakes, false), [3]);
        wakes.open(WakeId(4), None);
        assert_eq!(settled(&mut wakes, false), [4], "nothing to do: let go at once");
    }

    #[test]
    fn reads_get_short_when_the_wake_is_about_to_end() {
        let mut wakes = Wakes::default();
        assert_eq!(wakes.limit_ms(Timestamp(0), 2_000), 2_000);
        wakes.open(WakeId(1), Some(Timestamp(10_000)));
        assert_eq!(wakes.limit_ms(Timestamp(0), 2_000), 2_000);
        assert_eq!(wakes.limit_ms(Timestamp(7_500), 2_000), 1_500);
        assert_eq!(wakes.limit_ms(Timestamp(9_900), 2_000), 100);
    }
}
