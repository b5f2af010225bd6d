//! Retention: a session may say for how long finished files are kept. Releases those whose time is over about once a day;
//! their tasks stay. The clock may be wrong, so a file goes only when its time was over at the look before, too.

use super::filter::Filter;
use super::id::TaskKey;
use super::input::BulkAction;
use super::output::Change;
use super::session::SessionRecord;
use super::task::TaskRecord;
use super::time::Timestamp;
use super::{Engine, Purpose};

const DAY_MS: u64 = 24 * 60 * 60_000;
/// The shortest time between two looks.
const MINUTE_MS: u64 = 60_000;

impl SessionRecord {
    /// Files that were not read since this time are to go, if it is time to look for them. A clock that was set back makes
    /// it time: the look before was at a time that has not come.
    fn unused_since(&self, now: Timestamp) -> Option<Timestamp> {
        let keep_ms = self.configuration.limits.keep_ms?;
        let is_time = now < self.tidied_at || now.since(self.tidied_at) >= keep_ms.clamp(MINUTE_MS, DAY_MS);
        is_time.then(|| Timestamp(now.min(self.tidied_at).0.saturating_sub(keep_ms)))
    }
}

impl Engine {
    /// Lets go of files that were kept long enough.
    pub(super) fn tend_retention(&mut self) {
        let now = self.now;
        let is_over = |record: &SessionRecord| record.unused_since(now).map(|since| (record.clone(), since));
        let over: Vec<_> = self.sessions.values().filter_map(|session| is_over(&session.record)).collect();
        for (mut record, unused_since) in over {
            record.tidied_at = now;
            let id = record.id.clone();
            // Whatever comes of it, the next look is tomorrow's: what stays now goes then.
            if let Some(session) = self.sessions.get_mut(&id) {
                session.record.tidied_at = now;
            }
            // While the configuration is on its way to storage, this must not overtake it.
            if !self.opening.contains_key(&id) {
                self.commit(Purpose::CommitTidied, vec![Change::PutSession(record)]);
            }
            let filter = Filter { unused_since: Some(unused_since), ..Filter::default() };
            self.call_upon_all(None, id, filter, BulkAction::ReleaseFile);
        }
    }

    /// Somebody has read the task's file, if it has one.
    pub(super) fn note_use(&mut self, key: &TaskKey) {
        let Some(session) = self.sessions.get(&key.session) else { return };
        let limits = &session.record.configuration.limits;
        let now = self.now;
        let Some(slot) = self.slots.get(key).filter(|slot| limits.keep_from_last_use && !slot.busy) else { return };
        let is_old = |record: &TaskRecord| now.since(record.used_at) >= DAY_MS;
        let of_file = slot.task.as_ref().filter(|task| task.record.unused_since().is_some() && is_old(&task.record));
        let Some(mut task) = of_file.cloned() else { return };
        task.record.used_at = now;
        let changes = vec![Change::PutTask(task.record.clone())];
        self.commit_transfer(key, task, None, changes);
    }
}
