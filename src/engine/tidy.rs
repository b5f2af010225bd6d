//! Tidying: records of tasks that failed or were cancelled are kept for a while, not for ever.

use super::id::SessionId;
use super::input::{Loaded, StoreFailure, TaskCall};
use super::output::Query;
use super::slot::{Asker, Queued};
use super::{Engine, Purpose};

/// How many such tasks a session keeps.
const KEPT: u32 = 1_000;
/// How many are released at a time.
const AT_A_TIME: u32 = 64;
/// After how many that have ended to look.
const LOOK_AFTER: u32 = 64;

impl Engine {
    /// One more task of the session has failed or was cancelled.
    pub(super) fn note_ended(&mut self, id: &SessionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.ended += 1;
        if session.ended.is_multiple_of(LOOK_AFTER) {
            self.tidy(id);
        }
    }

    fn tidy(&mut self, id: &SessionId) {
        let query = Query::Ended { session: id.clone(), keep: KEPT, limit: AT_A_TIME };
        self.load(Purpose::LoadEnded(id.clone()), query);
    }

    pub(super) fn handle_ended(&mut self, id: &SessionId, loaded: Result<Loaded, StoreFailure>) {
        let Ok(Loaded::Tasks(tasks)) = loaded else { return };
        let more = tasks.len() >= AT_A_TIME as usize;
        for task in tasks {
            self.enqueue(&task.record.key, Asker::Engine, Queued::Task(TaskCall::Release));
        }
        if let Some(session) = self.sessions.get_mut(id).filter(|_| more) {
            // Those are still being released: the next to end brings the next look.
            session.ended = LOOK_AFTER - 1;
        }
    }
}
