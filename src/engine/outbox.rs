//! One session's events that its delegate has not acknowledged. Only the head of a long outbox is held in memory.

use super::sorted_map::SortedMap;
use super::task::TaskEvent;

/// How many events one load brings, and how many may be with the delegate unacknowledged.
pub const WINDOW: usize = 64;
/// So many events may wait for their acknowledgement before no more tasks are made that would add to them.
const MOST_WAITING: u64 = 10_000;

/// Events awaiting their acknowledgement, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    resident: SortedMap<u64, TaskEvent>,
    /// Whether storage holds events behind the resident ones.
    more: bool,
    /// Whether storage has taken in events that a load in flight may not bring.
    overtaken: bool,
    /// Events whose commit is not answered. Nothing behind the first of them is delivered, so that an event whose
    /// commit turns out late is never handed out after a younger one.
    uncommitted: SortedMap<u64, ()>,
    last_seq: u64,
    acked: u64,
    deleted: u64,
}

impl Outbox {
    /// What a boot found: the head of the outbox, whether there is more, and the last number ever given.
    pub fn restore(head: Vec<TaskEvent>, more: bool, last_seq: u64) -> Self {
        let acked = head.first().map_or(last_seq, |first| first.seq - 1);
        let mut outbox = Self { more, last_seq, acked, deleted: acked, ..Self::default() };
        outbox.keep(head);
        outbox
    }

    /// Gives the number for a new event that is about to be committed.
    pub fn allot(&mut self) -> u64 {
        self.last_seq += 1;
        self.uncommitted.insert(self.last_seq, ());
        self.last_seq
    }

    /// The event's commit succeeded.
    pub fn committed(&mut self, event: TaskEvent) {
        self.uncommitted.remove(&event.seq);
        // Behind what is held it may wait in storage; before that it would be passed over.
        let is_behind = self.resident.keys().next_back().is_none_or(|last| *last < event.seq);
        if is_behind && (self.more || self.resident.len() >= WINDOW) {
            self.more = true;
            self.overtaken = true;
        } else {
            self.resident.insert(event.seq, event);
        }
    }

    /// The event's commit is not going to be answered, or it failed.
    pub fn abandoned(&mut self, seq: u64) {
        self.uncommitted.remove(&seq);
    }

    /// The event's commit failed: it never happened, and the next one may have its number.
    pub fn failed(&mut self, seq: u64) {
        self.abandoned(seq);
        self.last_seq -= u64::from(seq == self.last_seq);
    }

    /// The events to deliver next, behind `sent`; at most a window of them unacknowledged.
    pub fn to_deliver(&self, sent: u64) -> Vec<TaskEvent> {
        let gate = self.uncommitted.keys().next().copied().unwrap_or(u64::MAX);
        let open = self.resident.values().filter(|event| event.seq > self.acked && event.seq < gate);
        open.take(WINDOW).filter(|event| event.seq > sent).cloned().collect()
    }

    /// The delegate has handled everything up to `seq`. False if that is old news.
    pub fn ack(&mut self, seq: u64) -> bool {
        let seq = seq.min(self.last_seq);
        // What was delivered may have been forgotten since; a load brings it again.
        let is_known = self.more || self.resident.keys().any(|held| (self.acked + 1..=seq).contains(held));
        let news = seq > self.acked && is_known;
        if news {
            self.acked = seq;
        }
        news
    }

    /// The last acknowledged event that is still stored, if any.
    pub fn acked_and_stored(&self) -> Option<u64> {
        self.resident.keys().rfind(|seq| **seq <= self.acked).copied()
    }

    /// The acknowledged events up to `through` were deleted from storage.
    pub fn deleted(&mut self, through: u64) {
        self.deleted = through;
        self.resident.retain(|seq, _| *seq > through);
    }

    /// The number behind which to load, if the memory has run out of events and storage has not.
    pub fn begin_load(&mut self) -> Option<u64> {
        let wanted = self.more && self.resident.is_empty();
        self.overtaken &= !wanted;
        wanted.then_some(self.deleted)
    }

    /// Storage may hold what memory does not know: look again.
    pub fn forget_resident(&mut self) {
        self.more = true;
        self.overtaken = true;
        self.resident = SortedMap::default();
    }

    /// What a load brought, and whether there is more.
    pub fn loaded(&mut self, events: Vec<TaskEvent>, more: bool) {
        self.more = more || self.overtaken;
        let deleted = self.deleted;
        self.keep(events.into_iter().filter(|event| event.seq > deleted));
    }

    fn keep(&mut self, events: impl IntoIterator<Item = TaskEvent>) {
        for event in events {
            // A number that was not given here: another worker drives by now. Acknowledging it must be tried all the same,
            // since only a commit shows this one that its time is over.
            self.last_seq = self.last_seq.max(event.seq);
            self.resident.insert(event.seq, event);
        }
    }

    /// Whether nothing up to and including `seq` awaits its acknowledgement.
    pub fn is_drained_through(&self, seq: u64) -> bool {
        let first = self.resident.keys().next().copied().unwrap_or(u64::MAX);
        let unseen = self.more && self.resident.is_empty();
        first > seq && !unseen && self.uncommitted.keys().next().is_none_or(|pending| *pending > seq)
    }

    /// Whether nobody has acknowledged anything for so long that it is time to say so. Numbers that were given up count.
    pub fn is_full(&self) -> bool {
        self.last_seq - self.acked.min(self.last_seq) >= MOST_WAITING
    }

    /// The last number given.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }
}

#[cfg(test)]
mod tests {
    use super::super::id::{SessionId, TaskId};
    use super::super::task::{EventKind, Subject};
    use super::super::time::Timestamp;
    use super::*;

    fn event(seq: u64) -> TaskEvent {
        let subject = Subject::Task(TaskId::new("t"));
        TaskEvent { seq, session: SessionId::new("s"), subject, at: Timestamp(0), kind: EventKind::Cancelled }
    }

    fn seqs(events: Vec<TaskEvent>) -> Vec<u64> {
        events.into_iter().map(|event| event.seq).collect()
    }

    #[test]
    fn nothing_overtakes_an_event_whose_commit_is_not_answered() {
        let mut outbox = Outbox::default();
        let (first, second) = (outbox.allot(), outbox.allot());
        outbox.committed(event(second));
        assert_eq!(seqs(outbox.to_deliver(0)), [] as [u64; 0]);
        outbox.committed(event(first));
        assert_eq!(seqs(outbox.to_deliver(0)), [1, 2]);
        assert_eq!(seqs(outbox.to_deliver(1)), [2]);
    }

    #[test]
    fn an_event_that_never_happened_holds_up_nothing() {
        let mut outbox = Outbox::default();
        let (first, second) = (outbox.allot(), outbox.allot());
        outbox.committed(event(second));
        outbox.abandoned(first);
        assert_eq!(seqs(outbox.to_deliver(0)), [2]);
    }

    #[test]
    fn an_ack_takes_effect_once_and_only_for_what_is_there() {
        let mut outbox = Outbox::restore(vec![event(3), event(5)], false, 5);
        assert!(!outbox.ack(2));
        assert!(outbox.ack(3));
        assert!(!outbox.ack(3));
        assert_eq!(outbox.acked_and_stored(), Some(3));
        assert!(!outbox.is_drained_through(3), "its deletion is not committed");
        outbox.deleted(3);
        assert!(outbox.is_drained_through(4));
        assert_eq!(seqs(outbox.to_deliver(0)), [5]);
        assert!(outbox.ack(99), "a number never given acknowledges what is there");
        outbox.deleted(5);
        assert!(outbox.is_drained_through(5));
    }

    #[test]
    fn an_event_of_another_worker_can_be_acknowledged() {
        let mut outbox = Outbox::restore(Vec::new(), false, 1);
        outbox.forget_resident();
        assert_eq!(outbox.begin_load(), Some(1));
        outbox.loaded(vec![event(2)], false);
        assert_eq!(seqs(outbox.to_deliver(0)), [2]);
        assert!(!outbox.is_drained_through(outbox.last_seq()), "it waits");
        assert!(outbox.ack(2));
        assert_eq!(outbox.acked_and_stored(), Some(2));
    }

    #[test]
    fn it_is_full_when_nobody_has_acknowledged_anything_for_long() {
        assert!(!Outbox::restore(Vec::new(), false, 2 * MOST_WAITING).is_full(), "all of it was acknowledged");
        assert!(!Outbox::restore(vec![event(8)], true, MOST_WAITING + 6).is_full());
        let mut outbox = Outbox::restore(vec![event(8)], true, MOST_WAITING + 7);
        assert!(outbox.is_full());
        assert!(outbox.ack(8));
        assert!(!outbox.is_full());
    }

    #[test]
    fn a_long_outbox_is_held_window_by_window() {
        let mut outbox = Outbox::default();
        let total = WINDOW as u64 + 10;
        for _ in 0..total {
            let seq = outbox.allot();
            outbox.committed(event(seq));
        }
        assert_eq!(outbox.to_deliver(0).len(), WINDOW);
        assert_eq!(outbox.begin_load(), None);
        assert!(outbox.ack(WINDOW as u64));
        outbox.deleted(WINDOW as u64);
        assert_eq!(outbox.begin_load(), Some(WINDOW as u64));
        assert!(!outbox.is_drained_through(total));
        outbox.loaded((WINDOW as u64 + 1..=total).map(event).collect(), false);
        assert_eq!(outbox.to_deliver(0).len(), 10);
    }
}
