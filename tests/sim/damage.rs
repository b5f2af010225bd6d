//! Rows that become unreadable while no worker is alive. What the store reads in their place is what must be true from then
//! on; the bodies that were lost with a checkpoint are swept.

use longhaul::engine::group::GroupRecord;
use longhaul::engine::id::{BodyId, TaskKey};
use longhaul::engine::input::Loaded;
use longhaul::engine::output::Query;
use longhaul::engine::session::SessionRecord;
use longhaul::engine::task::{EventKind, Subject, TaskEvent};
use longhaul::engine::time::Timestamp;
use longhaul::store::queries::load;
use longhaul::store::{Key, Table};

use super::stats::Group;
use super::storage::ready;
use super::world::{World, note};

/// The most rows that are damaged at a time.
const MOST_ROWS: u64 = 3;

impl World {
    /// Some rows may have become unreadable.
    pub(super) fn may_damage(&mut self) {
        let is_time = !self.is_calm && self.damage_random.one_in(self.climate.damage_one_in);
        if !is_time {
            return;
        }
        for worker in std::mem::take(&mut self.workers) {
            self.bury(&worker);
        }
        for _ in 0..=self.damage_random.below(MOST_ROWS) {
            let tables = [
                Table::Tasks,
                Table::Progress,
                Table::Sessions,
                Table::Groups,
                Table::Bodies,
                Table::Outbox,
                Table::History,
            ];
            let table = self.damage_random.pick(&tables);
            let rows = self.storage.store.rows(table);
            if rows.is_empty() {
                continue;
            }
            let (key, _) = self.damage_random.pick(&rows);
            self.damage_row(table, &key);
        }
    }

    fn damage_row(&mut self, table: Table, key: &Key) {
        note!(self, "{table:?} {key:?} is damaged");
        self.storage.store.damage(table, key);
        let text = |place| key.text_at(place).unwrap_or_default();
        match table {
            Table::Tasks | Table::Progress => {
                let known = self.model.tasks.iter().find(|(task, _)| Key::task(task) == *key);
                let Some(task) = known.map(|(task, _)| task.clone()) else { return };
                self.stats
                    .count(Group::Storage, if table == Table::Tasks { "damaged: task" } else { "damaged: checkpoint" });
                self.task_is_damaged(&task);
            }
            Table::Sessions => {
                self.stats.count(Group::Storage, "damaged: session");
                let session = self.model.sessions.keys().find(|session| session.as_str() == text(0)).cloned();
                let Some(session) = session else { return };
                self.model.told_versions.remove(&session);
                self.model.sessions.insert(session.clone(), SessionRecord::unreadable(session));
            }
            Table::Groups => {
                self.stats.count(Group::Storage, "damaged: group");
                let group = self.model.groups.values_mut().find(|group| Key::group(&group.key) == *key);
                if let Some(group) = group {
                    *group = GroupRecord::unreadable(group.key.clone(), group.is_done);
                }
            }
            Table::Outbox | Table::History => self.event_is_damaged(key),
            Table::Bodies => {
                self.stats.count(Group::Storage, "damaged: body");
                self.model.damaged_bodies.extend(BodyId::parse(text(0)));
            }
            Table::Meta | Table::Chunks => {}
        }
    }

    fn task_is_damaged(&mut self, key: &TaskKey) {
        let read = ready(load(&self.storage.store.view(), &Query::Task(key.clone())));
        let Ok(Loaded::Tasks(mut tasks)) = read else { panic!("the store in memory answers with tasks") };
        let stand_in = tasks.pop().expect("a damaged task is a task");
        let before = self.model.tasks.insert(key.clone(), stand_in).expect("seen by the caller");
        if self.model.tasks[key].progress.body != before.progress.body {
            self.model.lost_bodies.insert(before.progress.body);
            self.model.lost_bodies.extend(before.progress.previous.map(|previous| previous.body));
            self.model.lost_bodies.extend(before.progress.aside.map(|aside| aside.body));
        }
    }

    /// Each event that is not acknowledged is stored twice.
    fn event_is_damaged(&mut self, key: &Key) {
        let (session, seq) = (key.text_at(0).unwrap_or_default(), key.last_number().unwrap_or_default());
        let Some((session, outbox)) = self.model.outbox.iter_mut().find(|(id, _)| id.as_str() == session) else {
            return;
        };
        self.stats.count(Group::Storage, "damaged: event");
        let query = Query::Outbox { session: session.clone(), after: seq - 1, limit: 1 };
        let read = ready(load(&self.storage.store.view(), &query));
        let (Ok(Loaded::Events(events)), Some(known)) = (read, outbox.get_mut(&seq)) else { return };
        let lost = TaskEvent { subject: Subject::Session, at: Timestamp(0), kind: EventKind::Damaged, ..known.clone() };
        let found = events.first().filter(|event| event.seq == seq).expect("an unacknowledged event is in the outbox");
        assert!(*found == *known || *found == lost, "a damaged event is read as {found:?}");
        if *found == lost {
            self.stats.count(Group::Storage, "events lost");
            *known = lost;
        }
    }
}
