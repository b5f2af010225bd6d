//! Commits of tasks: what is sent to storage, and what becomes true once the answer is there. Until then the slot
//! keeps the old truth, so that a kill, a failure or a lost answer leaves nothing to undo.

use super::delivery::Session;
use super::error::{ErrorCode, TaskError};
use super::id::{CallId, TaskKey};
use super::input::{CommitOutcome, StoreFailure};
use super::output::{Answer, Change, Output};
use super::slot::{Queued, Staged};
use super::task::{EventKind, TaskEvent};
use super::{Engine, Purpose, RESIDENT_TASKS};

impl Engine {
    /// Gives an event its number. It exists once the commit that carries it has succeeded.
    pub(super) fn new_event(&mut self, key: &TaskKey, kind: EventKind) -> Option<TaskEvent> {
        let seq = self.sessions.get_mut(&key.session)?.outbox.allot();
        Some(TaskEvent { seq, task: key.clone(), at: self.now, kind })
    }

    /// Sends a task's commit on its way. The slot keeps the old truth until the answer is there.
    pub(super) fn commit_task(&mut self, key: &TaskKey, staged: Staged, mut changes: Vec<Change>) {
        changes.extend(staged.event.iter().map(|event| Change::PutEvent(key.session.clone(), event.clone())));
        if let Some(slot) = self.slots.get_mut(key) {
            slot.busy = true;
        }
        self.commit(Purpose::CommitTask(key.clone(), Box::new(staged)), changes);
    }

    pub(super) fn handle_task_committed(&mut self, key: &TaskKey, staged: Staged, outcome: CommitOutcome) {
        match outcome {
            CommitOutcome::Committed => self.task_is_durable(key, staged),
            CommitOutcome::Failed(failure) => {
                self.abandon_event(key, &staged);
                if let Some((call, _)) = staged.call {
                    self.reply(call, Err(storage_error(outcome)));
                }
                self.handle_refused_commit(key, failure);
                self.serve_queue(key);
            }
            // Whether it happened, only storage knows: ask, and then do what is still to be done.
            CommitOutcome::Unknown | CommitOutcome::Fenced => {
                if let Some(session) = self.abandon_event(key, &staged) {
                    session.outbox.forget_resident();
                }
                if staged.leaves_dead_body {
                    self.sweep_at = Some(self.now);
                }
                self.drop_attempt(key);
                if let (Some(slot), Some(call)) = (self.slots.get_mut(key), staged.call) {
                    slot.queue.push_front(call);
                }
                self.load_task(key);
            }
        }
    }

    /// The staged event did not happen, or may not have. Returns its session if there was one.
    fn abandon_event(&mut self, key: &TaskKey, staged: &Staged) -> Option<&mut Session> {
        let event = staged.event.as_ref()?;
        let session = self.sessions.get_mut(&key.session)?;
        session.outbox.abandoned(event.seq);
        Some(session)
    }

    fn task_is_durable(&mut self, key: &TaskKey, staged: Staged) {
        let resident = self.slots.len() as u32;
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.busy = false;
        let before = slot.task.take().map(|task| task.record);
        slot.task = staged.task;
        let has_changed = slot.task.as_ref().is_some_and(|task| before.as_ref() != Some(&task.record));
        if staged.leaves_dead_body {
            self.sweep_at = Some(self.now);
        }
        if let Some(event) = staged.event {
            self.publish_event(event);
        }
        if let Some((call, queued)) = staged.call {
            self.answer_committed(key, call, &queued);
        }
        if has_changed {
            self.publish_task(key);
        }
        self.serve_queue(key);
        self.advance(key);
        // A queue of thousands stays in storage, but for its head.
        let crowded = resident > RESIDENT_TASKS * 2;
        if crowded
            && self.slots.get(key).is_some_and(|slot| !slot.busy && slot.queue.is_empty() && slot.download.is_none())
        {
            self.let_go(key);
            self.refill_at = self.refill_at.or(Some(self.now));
        }
    }

    fn answer_committed(&mut self, key: &TaskKey, call: CallId, queued: &Queued) {
        match self.slots.get(key).and_then(|slot| slot.task.as_ref()) {
            None => {
                let session = self.sessions.get(&key.session);
                let clients = session.into_iter().flat_map(Session::clients);
                self.outputs.extend(clients.map(|client| Output::Released(client.clone(), key.clone())));
                self.reply(call, Ok(Answer::Released));
            }
            Some(task) => {
                let snapshot = self.snapshot(task);
                let answer = match queued {
                    Queued::Download(..) => Answer::Download(snapshot, true),
                    Queued::Task(_) => Answer::Task(snapshot),
                };
                self.reply(call, Ok(answer));
            }
        }
    }

    /// Shows the task's state to every page of its session.
    pub(super) fn publish_task(&mut self, key: &TaskKey) {
        let task = self.slots.get(key).and_then(|slot| slot.task.as_ref());
        let (Some(task), Some(session)) = (task, self.sessions.get(&key.session)) else { return };
        let snapshot = self.snapshot(task);
        self.outputs.extend(session.clients().map(|client| Output::Changed(client.clone(), snapshot.clone())));
    }
}

/// What a page is told when storage did not do it.
pub(super) fn storage_error(outcome: CommitOutcome) -> TaskError {
    TaskError::new(match outcome {
        CommitOutcome::Failed(StoreFailure::Quota) => ErrorCode::QuotaExceeded,
        _ => ErrorCode::Storage,
    })
}
