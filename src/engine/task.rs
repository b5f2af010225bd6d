//! Tasks: durable transfers. A task's record holds what changes seldom, its progress what every checkpoint rewrites.

use serde::{Deserialize, Serialize};

use super::error::TaskError;
use super::group::GroupCounts;
use super::http::RestartReason;
use super::id::{GroupId, SessionId, TaskId, TaskKey};
pub use super::place::{Destination, Place};
use super::policy::Policy;
pub use super::progress::{Adopted, Kept, Progress};
use super::request::{RequestFields, Source};
use super::time::Timestamp;
use super::transport::Transport;
use crate::integrity::{Expected, Pieces};

/// Why an active task is not being fetched. A task that waits has exactly one of these.
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
    /// The server wants to know who asks (401, 403): the app has to supply headers or another URL.
    Authorization,
    /// Its earliest begin has not come.
    EarliestBegin,
    /// The network is metered, and the task or its session does not allow that.
    Metered,
    /// The network tells nothing of itself, and the task or its session does not allow that.
    UnknownNetwork,
    /// It may wait for a good moment.
    Discretionary,
    /// Its host has as many connections as it may have, or is in trouble and left alone for a while.
    HostBusy,
    /// Its session runs as many tasks as it may.
    SessionBusy,
    /// The worker has as many connections as it may have.
    WorkerBusy,
    /// The browser itself is fetching it.
    BackgroundFetch,
    /// There is no room for it: the origin's storage quota is used up, or soon would be.
    Quota,
    /// What was stored of its session cannot be read: what the session allows is not known until it is opened.
    SessionDamaged,
}

impl WaitReason {
    /// The word that pages see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Offline => "offline",
            Self::ServerAsked => "server-asked",
            Self::Storage => "storage",
            Self::Authorization => "authorization",
            Self::EarliestBegin => "earliest-begin",
            Self::Metered => "metered",
            Self::UnknownNetwork => "unknown-network",
            Self::Discretionary => "discretionary",
            Self::HostBusy => "host-busy",
            Self::SessionBusy => "session-busy",
            Self::WorkerBusy => "worker-busy",
            Self::BackgroundFetch => "background-fetch",
            Self::Quota => "quota",
            Self::SessionDamaged => "session-damaged",
        }
    }

    /// Whether news of the outside (back online, page visible) should end the wait before its time.
    pub fn ends_with_news(self) -> bool {
        !matches!(self, Self::ServerAsked | Self::EarliestBegin | Self::HostBusy)
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

    /// Whether it is to be fetched.
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Active { .. })
    }

    /// A small number for an index: active, paused, completed, failed, cancelled.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Active { .. } => 0,
            Self::Paused => 1,
            Self::Completed => 2,
            Self::Failed(_) => 3,
            Self::Cancelled => 4,
        }
    }
}

/// What proves that a file is right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// What the app says that its digest is.
    pub expected: Option<Expected>,
    /// What the app says that the digests of its pieces are: a bad piece alone is fetched again.
    pub pieces: Option<Pieces>,
    /// Whether a digest that the server sends (RFC 9530) is to be ignored.
    pub ignore_server_digest: bool,
}

impl Proof {
    /// Whether the app itself says what the bytes are, so that it matters little who serves them.
    pub fn is_of_the_app(&self) -> bool {
        self.expected.is_some() || self.pieces.is_some()
    }
}

/// What the app knows of its file: an answer that brings something else is not taken for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expects {
    /// Its length in bytes.
    pub length: Option<u64>,
    /// The media types that it may have, each as `audio/mpeg` or `audio/*`; none if it may have any.
    pub accept: Vec<String>,
}

/// What the app asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// Where to fetch it: the task's URL, and its mirrors.
    pub sources: Vec<Source>,
    /// What every request carries.
    pub request: RequestFields,
    /// What it allows.
    pub policy: Policy,
    /// What proves that the file is right.
    pub proof: Proof,
    /// How many bytes the app expects, for the quota check only: see [`Expects::length`].
    pub expected_bytes: Option<u64>,
    /// Whether bytes are continued only if a strong validator proves that they belong together.
    pub strong_only: bool,
    /// The group it belongs to.
    pub group: Option<GroupId>,
    /// The app's own mark, to find it by.
    pub tag: Option<String>,
    /// Made by the page for one call; the same call sent again is answered as the first.
    pub call_token: String,
    /// The app's words for people.
    pub description: Option<String>,
    /// The app's own data, as JSON text; never looked at.
    pub metadata: Option<String>,
    /// How its bytes are to come. It belongs to the call only: what becomes of it is a part of the progress.
    #[serde(skip)]
    pub transport: Transport,
    /// Where its file is to go once it is complete. It belongs to the call only: see [`TaskRecord::place`].
    #[serde(skip)]
    pub destination: Option<Destination>,
    /// Whether it fails when there is no room for it, instead of waiting. It belongs to the call only.
    #[serde(skip)]
    pub fails_when_full: bool,
    /// Whether its finished file is to be found by its URL. It belongs to the call only.
    #[serde(skip)]
    pub serves_url: bool,
    /// What is known of the file. It belongs to the call only: see [`TaskRecord::expects`].
    #[serde(skip)]
    pub expects: Expects,
}

impl TaskSpec {
    /// The task's URL.
    pub fn url(&self) -> &str {
        self.sources.first().map_or("", |source| &source.url)
    }

    /// The origin of its URL: its headers belong to it, and to no other.
    pub fn origin(&self) -> &str {
        self.sources.first().map_or("", |source| &source.origin)
    }

    /// The host and port of one of its sources.
    pub fn host(&self, source: usize) -> &str {
        self.sources.get(source).map_or("", |source| &source.host)
    }
}

/// Where a task's finished file is found by the task's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FoundByUrl {
    /// Nowhere.
    Never,
    /// Everywhere: who asks for the URL would have been given the same by the server.
    Anywhere,
    /// Where its session is named: the server was shown headers or cookies, which are one user's.
    InSession,
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
    /// When it came into that state.
    pub since: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Where its bytes are.
    pub place: Place,
    /// Whether it fails when there is no room for it, instead of waiting.
    pub fails_when_full: bool,
    /// When its file was last read, to the day, if the session keeps files by that.
    pub used_at: Timestamp,
    /// Whether its finished file is found by its URL.
    pub by_url: FoundByUrl,
    /// What is known of its file.
    pub expects: Expects,
}

impl TaskRecord {
    /// When something is to be done with it: its next attempt, if it is active, or its move.
    pub fn due(&self) -> Option<Timestamp> {
        match self.state {
            TaskState::Active { not_before, .. } => Some(not_before),
            TaskState::Completed if matches!(self.place, Place::Leaving(_)) => Some(Timestamp(0)),
            _ => None,
        }
    }

    /// Since when nobody has read its finished file, if that is here and is to stay.
    pub fn unused_since(&self) -> Option<Timestamp> {
        let is_here = matches!(self.place, Place::Store | Place::Staying(_)) && self.state == TaskState::Completed;
        self.ended_at.filter(|_| is_here).map(|ended_at| ended_at.max(self.used_at))
    }

    /// Whether a body is its own, which has not died or been given up.
    pub fn has_body(&self) -> bool {
        self.state != TaskState::Cancelled && self.place != Place::Gone
    }

    /// Goes into another state, at `now`.
    pub fn enter(&mut self, state: TaskState, now: Timestamp) {
        self.ended_at = state.has_ended().then_some(now);
        self.since = now;
        self.state = state;
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
    /// The session.
    pub session: SessionId,
    /// What it is about.
    pub subject: Subject,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// A task.
    Task(TaskId),
    /// A group.
    Group(GroupId),
    /// The session.
    Session,
}

/// What happened to a task or a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// The file is there.
    Completed {
        /// Its length.
        bytes: u64,
    },
    /// The file that was there is still the newest.
    NotModified,
    /// The task was given up.
    Failed(TaskError),
    /// A newer version could not be had; the file that was there stays.
    RefreshFailed(TaskError),
    /// The user ended the task.
    Cancelled,
    /// The transfer went back to byte 0.
    Restarted(RestartReason),
    /// Every member of the group has ended.
    GroupEnded(GroupCounts),
    /// The finished file is where it was to be moved to, and no longer here.
    Moved,
    /// The finished file could not be moved, and stays.
    MoveFailed(TaskError),
    /// The event that was stored here, or the session's record, could not be read any more.
    Damaged,
}
