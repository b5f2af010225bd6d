//! Mending: a task of which something cannot be read is stored anew, as far as it can be, before anything else is done with
//! it. What is lost fails with `record-damaged`, or begins anew; nothing else is touched.

use super::error::{ErrorCode, TaskError};
use super::http::RestartReason;
use super::id::{BodyId, TaskKey};
use super::input::{Loaded, StoreFailure, TaskCall};
use super::output::{Change, Output};
use super::slot::{Asker, Queued, Slot, Staged};
use super::task::{EventKind, Task};
use super::{Engine, STORE_PAUSE_MS};

/// The tasks of a load of which something could not be read.
pub(super) fn damaged(loaded: &Result<Loaded, StoreFailure>) -> Vec<TaskKey> {
    let Ok(Loaded::Tasks(tasks) | Loaded::Page(tasks, _) | Loaded::Due { tasks, .. }) = loaded else {
        return Vec::new();
    };
    tasks.iter().filter(|task| task.is_damaged()).map(|task| task.record.key.clone()).collect()
}

impl Slot {
    /// Whether the task must be mended before what waits for it. That it be released needs no more than its key.
    pub(super) fn is_to_be_mended(&self) -> bool {
        let is_released = matches!(self.queue.front(), Some((_, Queued::Task(TaskCall::Release))));
        !is_released && self.task.as_ref().is_some_and(Task::is_damaged)
    }
}

impl Engine {
    /// Stores a task anew of which something could not be read.
    pub(super) fn mend(&mut self, key: &TaskKey) {
        let Some(slot) = self.slots.get(key) else {
            return self.enqueue(key, Asker::Engine, Queued::Task(TaskCall::Get));
        };
        // What is being done with it ends with a commit or a load, and then it is seen.
        let Some(mut task) = slot.task.clone().filter(|_| !slot.busy) else { return };
        let (mut changes, mut kind) = (Vec::new(), None);
        if task.progress.body == BodyId::UNKNOWN {
            changes.push(Change::KillBody(BodyId::UNKNOWN));
            task.progress.body = BodyId(self.random.next_wide());
            if task.record.has_body() {
                changes.push(Change::PutBody(task.progress.body));
            }
            if !task.record.state.has_ended() {
                task.progress.restarts = 1;
                kind = Some(EventKind::Restarted(RestartReason::Damaged));
            }
        }
        if task.record.is_unnoted() {
            let state = task.record.state.clone();
            task.record.enter(state, self.now);
            // What the browser itself is fetching of it is wanted no more.
            task.progress.transport = task.progress.transport.with(None);
            kind = Some(EventKind::Failed(TaskError::new(ErrorCode::RecordDamaged)));
        }
        let event = kind.and_then(|kind| self.new_task_event(&task.record, kind));
        changes.extend([Change::PutTask(task.record.clone()), Change::PutProgress(key.clone(), task.progress.clone())]);
        self.commit_task(key, Staged { task: Some(task), event, ..Staged::default() }, changes);
    }

    /// Storage did not say what the task is, or did not take in that it is damaged. Nothing is known of it now: it is let
    /// go, and found again among the tasks that are due.
    pub(super) fn lose(&mut self, key: &TaskKey) {
        let Some(mut slot) = self.let_go(key) else { return };
        if slot.external.has_given_all() {
            self.outputs.extend(slot.out().map(|out| Output::LetGo(out.registration.clone())));
        }
        slot.queue.extend(slot.external.take_calls());
        for demand in slot.demands {
            self.answer(demand.asker, Err(TaskError::new(ErrorCode::Storage)));
        }
        for (asker, queued) in slot.queue {
            if let Queued::Task(TaskCall::ExternalEnded { registration, .. }) = queued {
                // The event that told of it must not wait for storage.
                self.outputs.push_back(Output::LetGo(registration));
            }
            self.answer(asker, Err(TaskError::new(ErrorCode::Storage)));
        }
        let retry_at = self.now.after(STORE_PAUSE_MS);
        if let Some(session) = self.sessions.get_mut(&key.session) {
            session.backlog.load_all_after(retry_at);
        }
    }
}
