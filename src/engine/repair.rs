//! Repair: stored bytes that cannot be read back are fetched anew, also those of a finished file.

use std::ops::Range;

use super::Engine;
use super::attempt::Attempt;
use super::error::{ErrorCode, TaskError};
use super::file::file_to_come;
use super::hashing::MAX_REPAIRS;
use super::http::{Representation, RestartReason};
use super::id::{BodyId, TaskKey};
use super::input::TaskCall;
use super::output::{Answer, Change};
use super::slot::{Asker, Queued};
use super::task::{EventKind, Place, Task, TaskState};

impl Engine {
    /// The driver could not read a body's chunks in this range.
    pub(super) fn handle_unreadable(&mut self, key: &TaskKey, body: BodyId, range: Range<u64>) {
        if self.sessions.contains_key(&key.session) {
            self.enqueue(key, Asker::Engine, Queued::Task(TaskCall::Unreadable { body, range }));
        }
    }

    /// A page could not read the chunk at `offset`: where the worker finds it, to try for itself.
    pub(super) fn check_chunk(&mut self, key: &TaskKey, asker: Asker, task: &Task, offset: u64, body: Option<&str>) {
        let known = self.slots.get(key).and_then(|slot| slot.readable(task));
        let file = file_to_come(task, known, body).and_then(|file| file.ok_or(TaskError::new(ErrorCode::NotFinished)));
        self.answer(asker, file.map(|file| Answer::Check(key.clone(), file, offset)));
    }

    /// Forgets the bytes, so that they are fetched like any that are missing.
    pub(super) fn repair(&mut self, key: &TaskKey, asker: Asker, mut task: Task, body: BodyId, range: Range<u64>) {
        let mut changes = Vec::new();
        let mut event = None;
        let what = TaskCall::Unreadable { body, range: range.clone() };
        if task.progress.previous.take_if(|previous| previous.body == body).is_some() {
            // A newer version is on its way in any case, and is not to be refused for the sake of this one.
            self.drop_attempts(key);
            changes.push(Change::KillBody(body));
        } else {
            let kept = task.progress.received.len();
            // A file that a refresh has left as it was has not been held against the pieces that came with the call: nor do
            // its chunks begin where they do.
            let has_pieces = task.record.spec.proof.pieces.is_some();
            let is_cut_otherwise = has_pieces && !task.progress.verified.is_exactly(kept);
            let range = range.start..range.end.min(task.progress.received.iter().last().map_or(0, |last| last.end));
            if task.progress.body == body && !range.is_empty() {
                task.progress.lose(&range);
                task.progress.repairs += 1;
            }
            if task.progress.received.len() == kept {
                return self.answer_task(asker, key);
            }
            self.stop_hashing(key);
            self.stop_filing(key);
            changes.push(Change::DeleteChunks { body, from: range.start, through: range.end - 1 });
            if let Some(slot) = self.slots.get_mut(key) {
                slot.attempts.iter_mut().for_each(Attempt::forget_hash);
                slot.stages_checks = true;
            }
            let is_active = task.record.state.is_active();
            if (is_active || task.record.state == TaskState::Completed) && task.progress.repairs > MAX_REPAIRS {
                self.drop_attempts(key);
                return self.fail(key, task, changes, TaskError::new(ErrorCode::FileDamaged));
            }
            if task.record.state == TaskState::Completed {
                task.record.enter(TaskState::READY, self.now);
                // That a move has failed was said of the file as it was.
                if matches!(task.record.place, Place::Staying(_)) {
                    task.record.place = Place::Store;
                }
                changes.push(Change::PutTask(task.record.clone()));
                // Readers know the body by its name: another version must not take it.
                let known = task.progress.representation.as_ref();
                let can_go_on = known.is_some_and(Representation::is_resumable) && !is_cut_otherwise;
                if task.progress.received.is_empty() || !can_go_on {
                    self.restarted.push(body);
                    changes = self.new_body(&mut task);
                    changes.push(Change::PutTask(task.record.clone()));
                    event = self.new_task_event(&task.record, EventKind::Restarted(RestartReason::NotResumable));
                }
            }
        }
        changes.push(Change::PutProgress(key.clone(), task.progress.clone()));
        self.commit_verb(key, asker, what, Some(task), event, changes);
    }
}
