//! Filing: a complete file leaves the store for a place of the app's, in a step that is begun again after a kill. The
//! store keeps it until all of it is there.

use super::error::{ErrorCode, TaskError};
use super::file::whole_file;
use super::id::{EffectId, TaskKey};
use super::input::TaskCall;
use super::output::{Change, Effect, Output};
use super::slot::{Asker, Slot};
use super::task::{Destination, EventKind, Place, Progress, Task, TaskState};
use super::{Engine, Purpose, STORE_DEADLINE_MS};

/// How many files are written at the same time.
const AT_A_TIME: usize = 2;
/// A destination that takes fewer bytes in a millisecond is given up: no disk is so slow.
const SLOWEST_BYTES_PER_MS: u64 = 100;

/// A file on its way to its destination.
#[derive(Debug, Default)]
pub struct Filing {
    /// Whether all bytes of a task that is not complete yet were found to be right.
    is_proved: bool,
    effect: Option<EffectId>,
    /// How it ended, until that can be committed.
    ended: Option<Result<(), TaskError>>,
}

impl Filing {
    /// Whether nothing is left to do but to file it, or that is being done.
    pub fn is_at_work(&self) -> bool {
        self.is_proved || self.effect.is_some() || self.ended.is_some()
    }
}

impl Slot {
    fn destination(&self) -> Option<&Destination> {
        let task = self.task.as_ref().filter(|_| !self.busy && self.attempts.is_empty())?;
        let is_complete = task.record.state == TaskState::Completed
            || (self.filing.is_proved && task.record.state.is_active() && task.progress.has_every_byte());
        match &task.record.place {
            Place::Leaving(destination) if is_complete => Some(destination),
            _ => None,
        }
    }
}

impl Progress {
    /// Its bytes are somewhere else, or nowhere; what they were bytes of is still known. Its body is to be killed.
    pub(super) fn let_go_of_bytes(&mut self) {
        self.received = super::RangeSet::default();
        self.verified = super::RangeSet::default();
        self.hash = None;
    }
}

impl Engine {
    /// Files what is complete, a few at a time, and says what has become of it.
    pub(super) fn tend_filings(&mut self) {
        let is_ended = |(_, slot): &(&TaskKey, &Slot)| slot.filing.ended.is_some() && !slot.busy;
        let ended: Vec<TaskKey> = self.slots.iter().filter(is_ended).map(|(key, _)| key.clone()).collect();
        ended.iter().for_each(|key| self.end_filing(key));
        if self.wakes.are_ending(self.now) {
            return;
        }
        let begun = self.slots.values().filter(|slot| slot.filing.effect.is_some()).count();
        let now = self.now;
        let is_free = |slot: &Slot| slot.filing.effect.is_none() && slot.hold_until <= now;
        let may_begin = |slot: &Slot| is_free(slot) && slot.destination().is_some();
        let waiting = self.slots.iter().filter(|(_, slot)| may_begin(slot)).map(|(key, _)| key.clone());
        let next: Vec<TaskKey> = waiting.take(AT_A_TIME.saturating_sub(begun)).collect();
        next.iter().for_each(|key| self.begin_filing(key));
    }

    /// Every byte is there, and right: the task is complete once they are where they are to be.
    pub(super) fn file_first(&mut self, key: &TaskKey, task: Task, mut changes: Vec<Change>) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.filing.is_proved = true;
        if !changes.is_empty() || slot.task.as_ref() != Some(&task) {
            changes.push(Change::PutProgress(key.clone(), task.progress.clone()));
            self.commit_transfer(key, task, None, changes);
        }
    }

    /// The component crashed while it was moving the file: it is not tried again.
    pub(super) fn stay(&mut self, key: &TaskKey, asker: Asker, mut task: Task) {
        self.stop_filing(key);
        let error = TaskError::new(ErrorCode::Crashed);
        task.record.place = Place::Staying(error.clone());
        let event = self.new_task_event(&task.record, EventKind::MoveFailed(error));
        let changes = vec![Change::PutTask(task.record.clone())];
        self.commit_verb(key, asker, TaskCall::CountCrash, Some(task), event, changes);
    }

    /// A finished file is to leave the store, or only that.
    pub(super) fn clear_out(&mut self, key: &TaskKey, asker: Asker, mut task: Task, what: TaskCall) {
        let changes = match (&task.record.state, &task.record.place, &what) {
            // It was on its way out, by the same call sent before or by another.
            (TaskState::Completed, Place::Gone, TaskCall::ReleaseFile) => return self.answer_task(asker, key),
            (TaskState::Completed, Place::Gone, _) => {
                return self.answer(asker, Err(TaskError::new(ErrorCode::FileReleased)));
            }
            (TaskState::Completed, Place::Leaving(old), TaskCall::MoveTo(new)) if old == new => {
                return self.answer_task(asker, key);
            }
            (TaskState::Completed, _, TaskCall::MoveTo(destination)) => {
                task.record.place = Place::Leaving(destination.clone());
                vec![Change::PutTask(task.record.clone())]
            }
            (TaskState::Completed, ..) => leave(key, &mut task),
            _ => return self.answer(asker, Err(TaskError::new(ErrorCode::NotFinished))),
        };
        self.stop_filing(key);
        self.commit_verb(key, asker, what, Some(task), None, changes);
    }

    fn begin_filing(&mut self, key: &TaskKey) {
        let now = self.now;
        let Some(slot) = self.slots.get_mut(key) else { return };
        let (Some(destination), Some(task)) = (slot.destination().cloned(), &slot.task) else { return };
        let file = whole_file(task);
        let deadline = now.after(STORE_DEADLINE_MS + file.file.length / SLOWEST_BYTES_PER_MS);
        let id = self.effects.start(Purpose::File(key.clone()), deadline);
        slot.filing.effect = Some(id);
        let effect = Effect::File { key: key.clone(), file: Box::new(file), destination };
        self.outputs.push_back(Output::Start(id, effect));
        self.publish_task(key);
    }

    pub(super) fn handle_filed(&mut self, key: &TaskKey, result: Result<(), TaskError>) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.filing.effect = None;
        slot.filing.ended = Some(result);
    }

    /// It is not to be filed any more, or not there.
    pub(super) fn stop_filing(&mut self, key: &TaskKey) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        if let Some(id) = std::mem::take(&mut slot.filing).effect {
            self.effects.finish(id);
            self.outputs.push_back(Output::Abort(id));
        }
    }

    fn end_filing(&mut self, key: &TaskKey) {
        let _turn = self.at_work.turn(key);
        let Some(slot) = self.slots.get_mut(key) else { return };
        let filing = std::mem::take(&mut slot.filing);
        let (Some(mut task), Some(result)) = (slot.task.clone(), filing.ended) else { return };
        let is_move = task.record.state == TaskState::Completed;
        match result {
            Ok(()) if !is_move => self.conclude(key, task, Vec::new()),
            Ok(()) => {
                let changes = leave(key, &mut task);
                self.commit_transfer(key, task, Some(EventKind::Moved), changes);
            }
            Err(error) if is_move => {
                task.record.place = Place::Staying(error.clone());
                let changes = vec![Change::PutTask(task.record.clone())];
                self.commit_transfer(key, task, Some(EventKind::MoveFailed(error)), changes);
            }
            Err(error) if error.code == ErrorCode::QuotaExceeded => self.handle_no_room(key, task),
            Err(error) => self.fail(key, task, Vec::new(), error),
        }
    }
}

/// The bytes of a completed task are somewhere else now, or wanted by nobody. Returns what is to be stored.
pub(super) fn leave(key: &TaskKey, task: &mut Task) -> Vec<Change> {
    task.record.place = Place::Gone;
    task.progress.let_go_of_bytes();
    vec![
        Change::KillBody(task.progress.body),
        Change::PutTask(task.record.clone()),
        Change::PutProgress(key.clone(), task.progress.clone()),
    ]
}
