//! Commits of tasks: what is sent to storage, and what becomes true once the answer is there. Until then the slot
//! keeps the old truth, so that a kill, a failure or a lost answer leaves nothing to undo.

use super::delivery::Session;
use super::error::{ErrorCode, TaskError};
use super::id::{SessionId, TaskKey};
use super::input::{CommitOutcome, StoreFailure, TaskCall};
use super::output::{Answer, Change, Output};
use super::slot::{Asker, Queued, Slot, Staged};
use super::task::{EventKind, Subject, Task, TaskEvent, TaskRecord, TaskState};
use super::time::Timestamp;
use super::{Engine, Purpose};

/// How often in a row a call's commit is tried again of which it is not known whether it happened.
const MOST_UNKNOWN: u32 = 3;

impl Engine {
    /// Gives an event its number. It exists once the commit that carries it has succeeded.
    pub(super) fn new_event(&mut self, session: &SessionId, subject: Subject, kind: EventKind) -> Option<TaskEvent> {
        let seq = self.sessions.get_mut(session)?.outbox.allot();
        Some(TaskEvent { seq, session: session.clone(), subject, at: self.now, kind })
    }

    /// The event of a task. Members of a group have none of their own: thirty thousand of them are one thing to the app.
    pub(super) fn new_task_event(&mut self, record: &TaskRecord, kind: EventKind) -> Option<TaskEvent> {
        if record.spec.group.is_some() {
            return None;
        }
        let TaskKey { session, task } = record.key.clone();
        self.new_event(&session, Subject::Task(task), kind)
    }

    /// Sends a task's commit on its way. The slot keeps the old truth until the answer is there.
    pub(super) fn commit_task(&mut self, key: &TaskKey, mut staged: Staged, mut changes: Vec<Change>) {
        staged.leaves_dead_body = changes.iter().any(|change| matches!(change, Change::KillBody(_)));
        changes.extend(staged.event.iter().map(|event| Change::PutEvent(event.clone())));
        if let Some(slot) = self.slots.get_mut(key) {
            slot.busy = true;
        }
        self.commit(Purpose::CommitTask(key.clone(), Box::new(staged)), changes);
    }

    pub(super) fn handle_task_committed(&mut self, key: &TaskKey, mut staged: Staged, outcome: CommitOutcome) {
        let _turn = self.at_work.turn(key);
        if let Some(task) = &staged.task {
            self.taken_up.retain(|body| *body != task.progress.body);
        }
        match outcome {
            CommitOutcome::Committed => self.task_is_durable(key, staged),
            CommitOutcome::Failed(failure) => {
                if let (Some(event), Some(session)) = (&staged.event, self.sessions.get_mut(&key.session)) {
                    session.outbox.failed(event.seq);
                }
                if let Some((asker, _)) = staged.call {
                    self.answer(asker, Err(storage_error(outcome)));
                }
                let refused_bytes = self.slots.get(key).map_or(0, |slot| slot.staged.len());
                if let Some(slot) = self.slots.get_mut(key) {
                    slot.nothing_is_staged();
                }
                if self.slots.get(key).and_then(|slot| slot.task.as_ref()).is_some_and(Task::is_damaged) {
                    return self.lose(key);
                }
                let before = self.slots.get(key).and_then(|slot| slot.task.as_ref());
                let old = before.and_then(|before| before.progress.previous.as_ref()).map(|previous| previous.body);
                // A refresh that fails leaves its task with the old file.
                let fails =
                    |task: &Task| matches!(task.record.state, TaskState::Failed(_)) || old == Some(task.progress.body);
                let is_failing = staged.task.as_ref().is_some_and(fails);
                self.handle_refused_commit(key, failure, (refused_bytes, is_failing));
                self.serve_queue(key);
            }
            // Whether it happened, only storage knows: ask, and then do what is still to be done.
            CommitOutcome::Unknown | CommitOutcome::Fenced => {
                self.hold(key);
                let is_lost = self.slots.get(key).is_some_and(|slot| slot.refusals > MOST_UNKNOWN);
                if let Some((asker, _)) = staged.call.take_if(|_| is_lost) {
                    self.answer(asker, Err(storage_error(outcome)));
                }
                let is_asked = staged.call.is_some();
                if let Some(session) = self.abandon_staged_event(&staged) {
                    session.outbox.forget_resident();
                }
                if staged.leaves_dead_body {
                    self.sweep_at = Some(self.now);
                }
                let before = self.slots.get(key).and_then(|slot| slot.task.as_ref()).map(|task| task.record.clone());
                for record in before.iter().chain(staged.task.as_ref().map(|task| &task.record)) {
                    self.recount_group_of(record);
                }
                self.drop_attempts(key);
                if let Some(slot) = self.slots.get_mut(key) {
                    slot.nothing_is_staged();
                    slot.queue.extend(staged.call);
                    // What was on its way comes before what came later.
                    slot.queue.rotate_right(usize::from(is_asked));
                }
                self.load_task(key);
            }
        }
    }

    /// The staged event did not happen, or may not have. Returns its session if there was one.
    fn abandon_staged_event(&mut self, staged: &Staged) -> Option<&mut Session> {
        let event = staged.event.as_ref()?;
        let session = self.sessions.get_mut(&event.session)?;
        session.outbox.abandoned(event.seq);
        Some(session)
    }

    fn task_is_durable(&mut self, key: &TaskKey, staged: Staged) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.busy = false;
        slot.refusals = 0;
        slot.hold_until = Timestamp(0);
        slot.nothing_is_staged();
        let body = |task: &Option<Task>| task.as_ref().map(|task| task.progress.body);
        if body(&slot.task) != body(&staged.task) {
            // What was hashed, or is being hashed, is of the old body.
            self.stop_hashing(key);
        }
        let Some(slot) = self.slots.get_mut(key) else { return };
        if token(&slot.task) != token(&staged.task) {
            self.begin_anew(key);
        }
        let Some(slot) = self.slots.get_mut(key) else { return };
        let before = std::mem::replace(&mut slot.task, staged.task);
        let was_damaged = before.as_ref().is_some_and(Task::is_damaged);
        self.end_wait_for_open_host(key);
        let after = self.slots.get(key).and_then(|slot| slot.task.clone());
        self.let_go_of_external(before.as_ref(), after.as_ref());
        let (before, after) = (before.map(|task| task.record), after.map(|task| task.record));
        if let (Some(secrets), Some(after)) = (staged.secrets, &after) {
            self.keep_secrets(key, &after.spec, secrets);
        }
        if staged.leaves_dead_body {
            self.sweep_at = Some(self.now);
        }
        if after.as_ref().is_some_and(|after| after.state == TaskState::Completed) {
            self.room.is_used();
        }
        self.count_member(before.as_ref(), after.as_ref());
        if let Some(before) = before.as_ref().filter(|_| was_damaged) {
            // What its row had said of its state is counted, and not known.
            self.recount_group_of(before);
        }
        if after.as_ref().is_none_or(|after| !after.state.is_active()) {
            // It may have been begun while that was on its way to storage.
            self.stop_hashing(key);
        }
        if let Some(event) = staged.event {
            self.publish_event(event);
        }
        if let Some((asker, queued)) = staged.call {
            self.answer_committed(key, asker, &queued);
        }
        if after.is_some() && before != after {
            self.publish_task(key);
            self.ask_authorization(key, None);
        }
        let ended_badly = |record: &TaskRecord| matches!(record.state, TaskState::Failed(_) | TaskState::Cancelled);
        if after.as_ref().is_some_and(ended_badly) && !before.as_ref().is_some_and(ended_badly) {
            self.note_ended(&key.session);
        }
        self.serve_queue(key);
        self.advance(key);
        self.let_go_if_crowded(key);
    }

    /// Another task has the id now: nothing that was learnt of the one before holds for it.
    pub(super) fn begin_anew(&mut self, key: &TaskKey) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        let probe = slot.probe.take();
        let (task, mut queue) = (slot.task.take(), std::mem::take(&mut slot.queue));
        queue.extend(slot.external.take_calls());
        let demands = std::mem::take(&mut slot.demands);
        *slot = Slot { task, queue, demands, ..Slot::default() };
        if let Some(probe) = probe {
            self.effects.finish(probe);
        }
    }

    fn answer_committed(&mut self, key: &TaskKey, asker: Asker, queued: &Queued) {
        let Some(task) = self.slots.get(key).and_then(|slot| slot.task.as_ref()) else {
            self.publish_release(key);
            return self.answer(asker, Ok(Answer::Released));
        };
        let snapshot = self.snapshot(task);
        let data = task.progress.resume_data.clone();
        let answer = match queued {
            Queued::Download(..) | Queued::ResumeFrom(..) => Answer::Download(snapshot, true),
            Queued::Task(TaskCall::Cancel { keep: true } | TaskCall::ResumeData) => Answer::ResumeData(snapshot, data),
            Queued::Task(_) | Queued::AsNamed(..) => Answer::Task(snapshot),
        };
        self.answer(asker, Ok(answer));
    }

    /// Tells whoever asked.
    pub(super) fn answer(&mut self, asker: Asker, result: Result<Answer, TaskError>) {
        match asker {
            Asker::Call(call) => self.reply(call, result),
            Asker::Batch(batch) => {
                // A verb counts for every task it was meant for, a download for every task it made.
                let counts = result.map(|answer| !matches!(answer, Answer::Download(_, false)));
                self.batch_advanced(batch, counts);
            }
            Asker::Engine => {}
        }
    }

    pub(super) fn answer_task(&mut self, asker: Asker, key: &TaskKey) {
        if let Some(task) = self.slots.get(key).and_then(|slot| slot.task.as_ref()) {
            let snapshot = self.snapshot(task);
            self.answer(asker, Ok(Answer::Task(snapshot)));
        }
    }

    /// Shows the task's state to every page of its session.
    pub(super) fn publish_task(&mut self, key: &TaskKey) {
        let task = self.slots.get(key).and_then(|slot| slot.task.as_ref());
        let (Some(task), Some(session)) = (task, self.sessions.get(&key.session)) else { return };
        // Thousands of members say how they ended, and their group says how it is getting on.
        if task.record.spec.group.is_some() && task.record.state.is_active() {
            return;
        }
        let snapshot = self.snapshot(task);
        self.outputs.extend(session.clients().map(|client| Output::Changed(client.clone(), snapshot.clone())));
    }
}

/// Which call made the task, if there is one.
pub(super) fn token(task: &Option<Task>) -> Option<&str> {
    task.as_ref().map(|task| task.record.spec.call_token.as_str())
}

/// What a page is told when storage did not do it.
pub(super) fn storage_error(outcome: CommitOutcome) -> TaskError {
    TaskError::new(match outcome {
        CommitOutcome::Failed(StoreFailure::Quota) => ErrorCode::QuotaExceeded,
        _ => ErrorCode::Storage,
    })
}
