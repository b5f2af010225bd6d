//! Files on their way out of the store. What is written to a destination is there when all of it is, and the store keeps
//! it until then.

use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::file::FileLocation;
use longhaul::engine::id::{BodyId, EffectId, TaskKey};
use longhaul::engine::input::{Completion, Input, TaskCall};
use longhaul::engine::task::{Destination, Place, TaskState};

use super::invariants::check_file;
use super::stats::Group;
use super::worker::Worker;
use super::world::{Event, World};

impl World {
    /// The driver begins to write a file.
    pub(super) fn file(&mut self, worker: &mut Worker, id: EffectId, key: TaskKey, file: &FileLocation) {
        self.stats.count(Group::Engine, "files begun to be filed");
        self.check_blamed(worker, &key);
        if self.is_newest(worker) {
            self.check_source(&key, file.body, file.length);
        }
        let code = (!self.is_calm && self.random.one_in(6)).then(|| {
            self.storage.has_refused_file = true;
            self.random.pick(&[ErrorCode::DestinationFailed, ErrorCode::QuotaExceeded, ErrorCode::Storage])
        });
        worker.filings.insert(id, (key, file.body));
        let delay_ms = self.random.pick(&[0, 100, 3_000, 30_000]);
        let delay_ms = self.random.within(0..=delay_ms);
        self.schedule(delay_ms, Event::Filed { worker: worker.number, filing: id, code });
    }

    /// All of it is there, or nothing.
    pub(super) fn file_is_done(&mut self, number: u64, id: EffectId, code: Option<ErrorCode>) {
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.number == number) else { return };
        let Some((key, body)) = worker.filings.remove(&id) else { return };
        let is_newest = worker.epoch == self.storage.epoch;
        let mut code = code;
        if let Some(lost) = self.storage.room.lost_in(body, &(0..u64::MAX)).filter(|_| code.is_none()) {
            self.storage.has_refused_file = true;
            code = Some(ErrorCode::Storage);
            self.lost_is_heard(number, key.clone(), body, lost);
        }
        if code.is_none() {
            self.stats.count(Group::Engine, "files filed");
            if is_newest {
                let length = self.model.tasks.get(&key).map_or(0, |task| task.progress.received.len());
                self.check_source(&key, body, length);
            }
            self.model.filed.insert(body);
        }
        let result = code.map_or(Ok(()), |code| Err(TaskError::new(code)));
        self.give(number, vec![Input::Completed(id, Completion::Filed(result))]);
    }

    /// What is being written is all of the file, and right.
    fn check_source(&self, key: &TaskKey, body: BodyId, length: u64) {
        let Some(task) = self.model.tasks.get(key).filter(|task| task.progress.body == body) else { return };
        if task.record.place == Place::Gone {
            return;
        }
        assert!(matches!(task.record.place, Place::Leaving(_)), "{key:?} is filed, but not to leave: {task:?}");
        assert!(task.progress.received.is_exactly(length), "{key:?} is filed, but has holes");
        check_file(&self.storage, &self.model, &self.origin, task);
    }

    /// Where a file is to go.
    pub(super) fn draw_destination(&mut self) -> Destination {
        match self.random.below(2) {
            0 => Destination::Cache { name: "cache".into(), url: format!("/{}", self.random.below(3)) },
            _ => Destination::Opfs(format!("folder/{}", self.random.below(3))),
        }
    }

    /// A finished file is moved, or taken.
    pub(super) fn draw_clearing(&mut self) -> TaskCall {
        if self.random.one_in(3) { TaskCall::ReleaseFile } else { TaskCall::MoveTo(self.draw_destination()) }
    }

    /// Whether the answer to such a call is true.
    pub(super) fn check_cleared(&mut self, key: &TaskKey, wanted: &TaskCall) {
        let record = &self.model.tasks[key].record;
        assert_eq!(record.state, TaskState::Completed, "{wanted:?} of a file that is not there");
        let is_done = record.place != Place::Store && (record.place == Place::Gone || *wanted != TaskCall::ReleaseFile);
        assert!(is_done, "{wanted:?} of {key:?} was answered, but it is {:?}", record.place);
    }
}
