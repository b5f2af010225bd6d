//! Pages that say what no page of ours would: acknowledgements of what they were never sent, or of what is another page's to
//! handle, and words about sessions that were never opened. Nothing of it may count; what it did would be seen in the outbox,
//! which holds all events that no delegate has handled.
//!
//! What has no form that the engine knows never gets that far: `js/wire.ts` and the module's own decoding refuse it. Nor can a
//! run meet a module that was retired and goes on: that is a matter of the worker's host, and `tests/client` has it.

use longhaul::engine::id::SessionId;

use super::pages::ToWorker;
use super::stats::Group;
use super::world::World;

/// Far behind any event that a run makes.
const NEVER_GIVEN: u64 = 1 << 40;

impl World {
    /// A page that is not the delegate acknowledges all the same.
    pub fn acknowledge_wrongly(&mut self, page: usize) {
        let (session, _) = self.random.pick(&self.sessions);
        let last = self.model.events.get(&session).and_then(|all| all.keys().next_back().copied());
        if let Some(seq) = last.filter(|_| !self.attached(page, &session).is_delegate) {
            self.stats.count(Group::Page, "acks of what is another page's");
            self.send_message(page, ToWorker::Ack(session, seq));
        }
    }

    /// A page says something that makes no sense, once in so many times.
    pub fn perhaps_talk_nonsense(&mut self, page: usize) {
        if !self.nonsense.one_in(self.climate.nonsense_one_in) {
            return;
        }
        let (session, _) = self.nonsense.pick(&self.sessions);
        let unopened = SessionId::new("never opened");
        let delegate = self.nonsense.one_in(2);
        let (what, message) = match self.nonsense.below(4) {
            0 => ("hellos to sessions that were never opened", ToWorker::Hello { session: unopened, delegate }),
            1 => ("acks for sessions that were never opened", ToWorker::Ack(unopened, NEVER_GIVEN)),
            _ => {
                let seq = self.model.events.get(&session).and_then(|all| all.keys().next_back().copied());
                ("acks of what was never sent", ToWorker::Ack(session, seq.unwrap_or(0) + NEVER_GIVEN))
            }
        };
        self.stats.count(Group::Page, what);
        self.send_message(page, message);
    }
}
