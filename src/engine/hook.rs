//! The worker's own code as the delegate of a session, while no page is. It is given one batch at a time, each under
//! the session's lock, and lets go in between: a page that waits for the lock has its turn after the batch that has
//! been begun, and never sees an event of it unless the hook failed.

use super::Engine;
use super::delivery::Session;
use super::id::{ClientId, SessionId};
use super::outbox::WINDOW;
use super::output::Output;
use super::time::Timestamp;
use super::wake::SOON_MS;

/// The first pause after a failure; each further one is twice as long…
const FIRST_PAUSE_MS: u64 = 1_000;
/// …up to this. The worker is not held for the longer ones.
const LONGEST_PAUSE_MS: u64 = 60 * 60_000;
/// How long the worker is held for a hook that waits in line: who holds the lock for longer is a page, which is going
/// to say hello.
const IN_LINE_MS: u64 = 10_000;

/// What the hook has to do with a session's events.
#[derive(Debug, Default)]
pub struct Hook {
    turn: Turn,
    /// How often it has failed since it last succeeded.
    failures: u32,
    /// Whether it has handled events since it was last told that none waits.
    is_owed_the_end: bool,
}

#[derive(Debug, Default)]
enum Turn {
    #[default]
    Away,
    /// It waits for the session's lock, since that time.
    InLine(Timestamp),
    /// It has the lock and handles the events up to and including this one.
    Handling(u64),
    /// It has failed, and is tried again at that time.
    Resting(Timestamp),
}

impl Session {
    /// Whether the worker should be held for the hook's sake.
    pub(super) fn hook_is_at_work(&self, now: Timestamp) -> bool {
        let takes_its_turn = match self.hook.turn {
            // It is told its end, or stands in line again, once what it has handled is deleted.
            Turn::Away => self.hook.is_owed_the_end,
            Turn::InLine(since) => now < since.after(IN_LINE_MS),
            Turn::Handling(_) => true,
            Turn::Resting(until) => until <= now.after(SOON_MS),
        };
        takes_its_turn && self.delegate.is_none()
    }

    /// When the hook is to be looked at again.
    pub(super) fn hook_time(&self, now: Timestamp) -> Option<Timestamp> {
        let at = match self.hook.turn {
            Turn::InLine(since) => since.after(IN_LINE_MS),
            Turn::Resting(until) => until,
            Turn::Away | Turn::Handling(_) => return None,
        };
        (self.delegate.is_none() && at > now).then_some(at)
    }

    /// A page has the lock, and with it all that is not acknowledged.
    pub(super) fn take_over_from_hook(&mut self) {
        self.hook.is_owed_the_end = false;
        if matches!(self.hook.turn, Turn::Handling(_)) {
            self.hook.turn = Turn::Away;
        }
    }
}

impl Engine {
    /// The hook was granted the session's lock.
    pub(super) fn begin_hook_turn(&mut self, id: &SessionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        // Whichever page had the lock is gone, although it may not be known yet.
        session.delegate = None;
        let mut events = session.outbox.to_deliver(0);
        // What one bad event, or too many at a time, has made fail is tried in smaller batches.
        events.truncate((WINDOW >> session.hook.failures.min(6)).max(1));
        session.hook.turn = events.last().map_or(Turn::Away, |last| Turn::Handling(last.seq));
        self.outputs.push_back(Output::Deliver(ClientId::hook(), id.clone(), events));
    }

    /// The hook has handled its batch; if it acknowledges anything but its end, it could not.
    pub(super) fn end_hook_turn(&mut self, id: &SessionId, seq: u64) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Turn::Handling(last) = session.hook.turn else { return };
        if seq == last {
            session.outbox.ack(seq);
            session.hook = Hook { is_owed_the_end: true, ..Hook::default() };
        } else {
            let pause_ms = (FIRST_PAUSE_MS << session.hook.failures.min(12)).min(LONGEST_PAUSE_MS);
            session.hook.failures += 1;
            session.hook.turn = Turn::Resting(now.after(pause_ms));
        }
    }

    /// Lets the hook stand in line for the session's lock if events wait and no page takes them, and tells it when
    /// none waits any more.
    pub(super) fn tend_hook(&mut self, id: &SessionId) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(id).filter(|session| session.delegate.is_none()) else { return };
        let may_stand = match session.hook.turn {
            Turn::Away => self.hook_handles_events,
            Turn::Resting(until) => until <= now,
            Turn::InLine(_) | Turn::Handling(_) => false,
        };
        if may_stand {
            session.hook.turn = Turn::Away;
            if !session.outbox.to_deliver(0).is_empty() {
                session.hook.turn = Turn::InLine(now);
                self.outputs.push_back(Output::Stand(id.clone()));
            }
        }
        if session.hook.is_owed_the_end && session.outbox.is_drained_through(session.outbox.last_seq()) {
            session.hook.is_owed_the_end = false;
            self.outputs.push_back(Output::AllDelivered(ClientId::hook(), id.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::id::TaskId;
    use super::super::input::{Input, Loaded};
    use super::super::session::{Configuration, SessionRecord};
    use super::super::task::{EventKind, Subject, TaskEvent};
    use super::super::{SessionSnapshot, Setting, Snapshot};
    use super::*;

    fn turn() -> Input {
        Input::Hello { client: ClientId::hook(), session: SessionId::new("s"), delegate: true, can_authorize: false }
    }

    fn ack(seq: u64) -> Input {
        Input::Ack { client: ClientId::hook(), session: SessionId::new("s"), seq }
    }

    fn batch(engine: &mut Engine) -> usize {
        engine.handle_input(Timestamp(100_000), turn());
        let outputs: Vec<Output> = std::iter::from_fn(|| engine.poll_output()).collect();
        let batch = outputs.iter().find_map(|output| match output {
            Output::Deliver(_, _, events) => Some(events.len()),
            _ => None,
        });
        batch.expect("the hook is given its batch")
    }

    #[test]
    fn one_bad_event_among_many_is_left_alone_by_and_by() {
        let event = |seq| TaskEvent {
            seq,
            session: SessionId::new("s"),
            subject: Subject::Task(TaskId::new("t")),
            at: Timestamp(0),
            kind: EventKind::Cancelled,
        };
        let session = SessionSnapshot {
            record: SessionRecord::new(SessionId::new("s"), Configuration::default(), false),
            outbox: (1..=WINDOW as u64).map(event).collect(),
            more_events: false,
            last_seq: WINDOW as u64,
            groups: Vec::new(),
            due: Loaded::Tasks(Vec::new()),
        };
        let setting = Setting { seed: 1, origin: String::new(), max_connections: 6, most_held_bytes: None };
        let mut engine = Engine::restore(Timestamp(0), setting, Snapshot { sessions: vec![session] });
        engine.handle_input(Timestamp(0), Input::Hook { can_authorize: false, handles_events: true });
        let sizes: Vec<usize> = (0..9)
            .map(|_| {
                let size = batch(&mut engine);
                engine.handle_input(Timestamp(100_000), ack(0));
                size
            })
            .collect();
        assert_eq!(sizes, [64, 32, 16, 8, 4, 2, 1, 1, 1]);
        assert_eq!(batch(&mut engine), 1);
        engine.handle_input(Timestamp(100_000), ack(1));
        assert_eq!(batch(&mut engine), WINDOW - 1, "the others follow at once");
    }
}
