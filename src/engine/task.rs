//! Tasks: durable transfers. A task's record holds what changes seldom, its progress what every checkpoint rewrites.

use serde::{Deserialize, Serialize};

use super::error::TaskError;
use super::http::{Representation, RestartReason};
use super::id::{BodyId, TaskKey};
use super::range_set::RangeSet;
use super::time::Timestamp;

/// Why an active task is not being fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitReason {
    /// An attempt failed; the next one has its time.
    Retry,
    /// The browser is offline.
    Offline,
    /// The server said when to come back (`Retry-After`).
    ServerAsked,
    /// Storage refused the last commit.
    Storage,
}

impl WaitReason {
    /// The word that pages see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Offline => "offline",
            Self::ServerAsked => "server-asked",
            Self::Storage => "storage",
        }
    }
}

/// A task's durable state. Whether an active one is running, waiting or pending is told by the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskState {
    /// To be fetched, not before `not_before`.
    Active {
        /// The earliest time of the next attempt.
        not_before: Timestamp,
        /// Why it waits until then.
        reason: Option<WaitReason>,
    },
    /// Stopped by the user; its bytes are kept.
    Paused,
    /// The file is there, every byte.
    Completed,
    /// Given up.
    Failed(TaskError),
    /// Ended by the user; its bytes are gone.
    Cancelled,
}

impl TaskState {
    /// Active, without a wait.
    pub const READY: Self = Self::Active { not_before: Timestamp(0), reason: None };

    /// Whether the state is final.
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Completed | Self::Failed(_) | Self::Cancelled)
    }
}

/// What the app asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// The URL to fetch, as the browser serialised it.
    pub url: String,
    /// Its host and port: connections are counted by it.
    pub host: String,
    /// Whether the URL has the worker's own origin.
    pub same_origin: bool,
    /// Made by the page for one call; the same call sent again is answered as the first.
    pub call_token: String,
    /// The app's words for people.
    pub description: Option<String>,
    /// The app's own data, as JSON text; never looked at.
    pub metadata: Option<String>,
}

/// A task as it is stored, but for its progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// Where it is stored.
    pub key: TaskKey,
    /// What the app asked for.
    pub spec: TaskSpec,
    /// Its durable state.
    pub state: TaskState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl TaskRecord {
    /// Where it stands in the index of tasks that have something to do: the time of its next attempt.
    pub fn due(&self) -> Option<Timestamp> {
        match self.state {
            TaskState::Active { not_before, .. } => Some(not_before),
            _ => None,
        }
    }
}

/// A task's checkpoint: what is durable of its file, and how the transfer is faring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Where its chunks are.
    pub body: BodyId,
    /// What they are chunks of, once an answer told.
    pub representation: Option<Representation>,
    /// Which bytes are durable.
    pub received: RangeSet,
    /// Set once the server proved not to honour ranges.
    pub without_range: bool,
    /// Failures in a row, by the server or by storage.
    pub failures: u32,
    /// Attempts in a row that the network lost.
    pub lost: u32,
    /// How often the transfer went back to byte 0.
    pub restarts: u32,
}

impl Progress {
    /// Nothing received yet.
    pub fn new(body: BodyId) -> Self {
        Self {
            body,
            representation: None,
            received: RangeSet::default(),
            without_range: false,
            failures: 0,
            lost: 0,
            restarts: 0,
        }
    }

    /// Whether nothing is missing of a file whose length is known.
    pub fn has_every_byte(&self) -> bool {
        let length = self.representation.as_ref().and_then(|known| known.complete_length);
        length.is_some_and(|length| self.received.is_exactly(length))
    }

    /// Nothing received any more: what a restart leaves.
    pub fn restarted(&self, body: BodyId) -> Self {
        Self {
            without_range: self.without_range,
            failures: self.failures,
            lost: self.lost,
            restarts: self.restarts + 1,
            ..Self::new(body)
        }
    }
}

/// A task with its progress, as one commit left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The record.
    pub record: TaskRecord,
    /// The progress.
    pub progress: Progress,
}

/// A durable fact for the session's delegate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskEvent {
    /// Rises within the session; the same fact always carries the same number.
    pub seq: u64,
    /// Which task.
    pub task: TaskKey,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
}

/// What happened to a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// The file is there.
    Completed {
        /// Its length.
        bytes: u64,
    },
    /// The task was given up.
    Failed(TaskError),
    /// The user ended the task.
    Cancelled,
    /// The transfer went back to byte 0.
    Restarted(RestartReason),
}
