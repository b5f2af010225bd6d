//! A resident task: what is committed of it, what is being done with it, and who waits for it. One load or commit at
//! a time, so that commands and checkpoints of a task never race.

use std::collections::VecDeque;

use super::download::Download;
use super::http::Representation;
use super::id::CallId;
use super::input::{IfExists, TaskCall};
use super::output::Activity;
use super::task::{Task, TaskEvent, TaskSpec, TaskState};
use super::time::Timestamp;

/// A call about one task, waiting for its turn.
#[derive(Clone, Debug)]
pub enum Queued {
    /// Make it.
    Download(TaskSpec, IfExists),
    /// Do something with it.
    Task(TaskCall),
}

/// The task's place in memory.
#[derive(Debug, Default)]
pub struct Slot {
    /// As the last commit left it; `None` if it is not known to exist.
    pub task: Option<Task>,
    /// Whether a load or commit of it is in flight.
    pub busy: bool,
    /// Calls that wait for that.
    pub queue: VecDeque<(CallId, Queued)>,
    /// The attempt, while it runs.
    pub download: Option<Download>,
}

impl Slot {
    /// A task that storage has just told about.
    pub fn resident(task: Task) -> Self {
        Self { task: Some(task), ..Self::default() }
    }

    /// When the task's next attempt is due, if it is active and not running.
    pub fn due(&self) -> Option<Timestamp> {
        self.task.as_ref().filter(|_| self.download.is_none()).and_then(|task| task.record.due())
    }

    /// Whether what is kept can be continued.
    pub fn kept_is_resumable(&self) -> bool {
        let kept = self.task.as_ref().and_then(|task| task.progress.representation.as_ref());
        kept.is_some_and(Representation::is_resumable)
    }

    /// Whether there is no reason to keep it in memory.
    pub fn is_idle(&self) -> bool {
        let active = self.task.as_ref().is_some_and(|task| task.record.due().is_some());
        !self.busy && self.queue.is_empty() && self.download.is_none() && !active
    }
}

/// What a task is doing at `now`.
pub fn activity(task: Option<&Task>, is_running: bool, now: Timestamp) -> Activity {
    match task.map(|task| &task.record.state) {
        Some(TaskState::Active { .. }) if is_running => Activity::Running,
        Some(TaskState::Active { not_before, reason: Some(_) }) if *not_before > now => Activity::Waiting,
        Some(TaskState::Active { .. }) => Activity::Pending,
        _ => Activity::Idle,
    }
}

/// What a commit will make true. Until it is answered this lives here, not in the [`Slot`].
#[derive(Debug)]
pub struct Staged {
    /// The task afterwards; `None` if it is deleted.
    pub task: Option<Task>,
    /// The event that is committed with it.
    pub event: Option<TaskEvent>,
    /// The call that asked for it.
    pub call: Option<(CallId, Queued)>,
    /// Whether it leaves a dead body behind.
    pub leaves_dead_body: bool,
}
