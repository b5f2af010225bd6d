//! What is to be done, and when: whether there is work that the worker is to be kept for, and the next time at which
//! there will be.

use super::Engine;
use super::delivery::Session;
use super::groups::Group;
use super::id::SessionId;
use super::slot::Slot;
use super::task::WaitReason;
use super::time::Timestamp;
use super::wake::SOON_MS;

impl Engine {
    /// When something is to be done that is not under way; what only looks whether there are news comes so much later.
    pub(super) fn next_due(&self, news_ms: u64) -> Option<Timestamp> {
        let waits_for_news = |slot: &Slot| {
            let reason = slot.task.as_ref().and_then(|task| self.outer_reason(task));
            news_ms > 0 && reason.is_some_and(WaitReason::waits_for_news)
        };
        let of_slot = |slot: &Slot| {
            let at = slot.next_time(self.now)?;
            Some(if waits_for_news(slot) { at.after(news_ms) } else { at })
        };
        let slots = self.slots.values().filter_map(of_slot);
        let sessions = self.sessions.values().filter_map(|session| session.next_time(self.now));
        let groups = self.groups.values().filter_map(Group::next_time);
        let sweep_at = self.sweep_at.filter(|_| !self.is_sweeping);
        let unknown = self.unknown_sessions.iter().map(|(at, ..)| *at);
        let room = self.room.next_time().map(|at| at.after(news_ms));
        let all = slots.chain(sessions).chain(groups).chain(sweep_at).chain(unknown).chain(room);
        // What a time leads to is done at every input from then on. One that was handed in already, and is still there, waits
        // for something else, and would come again at once for as long as that takes.
        all.filter(|at| *at > self.served).min()
    }

    /// Whether the worker is needed for what can be done soon.
    pub(super) fn has_work(&self) -> bool {
        let is_waiting = |slot: &Slot| {
            let reason = slot.task.as_ref().and_then(|task| self.outer_reason(task));
            // One with which nothing is to be done is only here to be read.
            let due = slot.task.as_ref().and_then(|task| task.record.due());
            let is_soon = due.is_some_and(|due| due <= self.now.after(SOON_MS));
            let is_let_go = reason.is_some_and(|reason| !reason.is_worth_waiting(is_soon));
            (slot.attempts.is_empty() && !slot.busy && is_let_go) || (slot.is_quiet() && due.is_none())
        };
        let keeps_working = |(id, session): (&SessionId, &Session)| {
            let may_load = || self.wants_more(id, session, self.now.after(SOON_MS)) && !session.record.is_unreadable();
            session.hook_is_at_work(self.now) || may_load()
        };
        let is_busy = || self.sessions.iter().any(keeps_working);
        // None of the tasks that wait for room says so. A trial that is due may be kept from its begin by the last wake's end,
        // and its time is served.
        let is_room_soon = self.room.is_soon(self.now);
        !self.effects.is_empty() || is_room_soon || self.slots.values().any(|slot| !is_waiting(slot)) || is_busy()
    }
}
