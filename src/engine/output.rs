//! All that the engine can ask for.

use super::error::TaskError;
use super::id::{BodyId, CallId, ClientId, EffectId, SessionId, TaskId, TaskKey, WakeId};
use super::session::SessionRecord;
use super::task::{Progress, TaskEvent, TaskRecord};
use super::time::Timestamp;

/// One thing to do.
#[derive(Debug)]
pub enum Output {
    /// Do this, and say how it ended by [`super::input::Input::Completed`] with the same id.
    Start(EffectId, Effect),
    /// End this fetch and any read of it. Neither will be answered.
    Abort(EffectId),
    /// The buffer of this read is not wanted.
    Discard(EffectId),
    /// Answer a call.
    Reply(CallId, Result<Answer, TaskError>),
    /// Post events to the session's delegate, which acknowledges them.
    Deliver(ClientId, SessionId, Vec<TaskEvent>),
    /// Post an event to a page that only watches.
    Observe(ClientId, SessionId, TaskEvent),
    /// Post a task's new state to a page.
    Changed(ClientId, TaskSnapshot),
    /// Tell a page that a task and its file are gone.
    Released(ClientId, TaskKey),
    /// Tell the delegate that all events that waited for it are acknowledged.
    AllDelivered(ClientId, SessionId),
    /// Let go of a wake.
    Settle(WakeId),
    /// Whether there is work, so whether the worker is to be kept alive.
    Working(bool),
    /// Another worker drives the database: stop, for good.
    Fenced,
}

/// Something that takes time.
#[derive(Debug)]
pub enum Effect {
    /// Read from storage.
    Load(Query),
    /// Write to storage, all or nothing.
    Commit(Vec<Change>),
    /// Send a GET and report its head.
    Fetch {
        /// For which task, so that the driver can count its live progress.
        key: TaskKey,
        /// The URL.
        url: String,
        /// The first byte of `Range: bytes=start-`, or no `Range`.
        range_start: Option<u64>,
        /// `If-Range`.
        if_range: Option<String>,
    },
    /// Collect bytes of an attempt's body into one buffer, named by this effect.
    Read {
        /// The fetch.
        attempt: EffectId,
        /// The position of the first byte to come, so that the driver can count live progress.
        offset: u64,
        /// Answer when so many are there…
        up_to_bytes: u64,
        /// …or when some are and so much time has passed.
        or_after_ms: u64,
    },
}

/// A question to storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// The active tasks that are due first.
    Due {
        /// At most so many.
        limit: u32,
    },
    /// One task.
    Task(TaskKey),
    /// Tasks of a session in the order of their ids.
    Tasks {
        /// The session.
        session: SessionId,
        /// Behind this id.
        after: Option<TaskId>,
        /// At most so many.
        limit: u32,
    },
    /// Events that are not acknowledged, ascending.
    Outbox {
        /// The session.
        session: SessionId,
        /// Behind this sequence number.
        after: u64,
        /// At most so many.
        limit: u32,
    },
    /// Past events, ascending: the last ones before `before`.
    History {
        /// The session.
        session: SessionId,
        /// Older than this sequence number.
        before: u64,
        /// At most so many.
        limit: u32,
    },
    /// Any dead body, with at most so many of its chunks.
    DeadBody {
        /// At most so many chunks.
        chunks: u32,
    },
}

/// One change to what is stored. A commit is a list of them, applied in order, all or none.
#[derive(Clone, Debug)]
pub enum Change {
    /// Store a session.
    PutSession(SessionRecord),
    /// Store a task's record.
    PutTask(TaskRecord),
    /// Delete a task's record and progress.
    DeleteTask(TaskKey),
    /// Store a task's checkpoint.
    PutProgress(TaskKey, Progress),
    /// Note a body that a task now owns.
    PutBody(BodyId),
    /// The body belongs to nobody any more and may be swept.
    KillBody(BodyId),
    /// Forget a swept body.
    DeleteBody(BodyId),
    /// Store a buffer as the chunk at `offset`.
    Append {
        /// Of which body.
        body: BodyId,
        /// The position of its first byte.
        offset: u64,
        /// Its length in bytes.
        len: u64,
        /// The read that filled it.
        buffer: EffectId,
    },
    /// Delete a body's chunks up to and including the one at `through`.
    DeleteChunks {
        /// The body.
        body: BodyId,
        /// The offset of the last chunk to go.
        through: u64,
    },
    /// Put an event into the outbox and the history; drop what is too old from the history.
    PutEvent(SessionId, TaskEvent),
    /// Delete acknowledged events.
    DeleteEvents {
        /// The session.
        session: SessionId,
        /// The last one to go.
        through: u64,
    },
}

/// A good reply.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The session is open, with this version of its configuration.
    Opened(u32),
    /// The download's task, and whether this call made it.
    Download(TaskSnapshot, bool),
    /// One task.
    Task(TaskSnapshot),
    /// A page of tasks; the id to go on behind, if there may be more.
    Tasks(Vec<TaskSnapshot>, Option<TaskId>),
    /// The task is gone.
    Released,
    /// Where the finished file is, and the offset that was asked for.
    Chunk(FileLocation, u64),
    /// Past events, newest first.
    History(Vec<TaskEvent>),
}

/// A finished file's place in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLocation {
    /// Its body.
    pub body: BodyId,
    /// Its length in bytes.
    pub length: u64,
    /// Its media type, as the server sent it.
    pub content_type: Option<String>,
}

/// What a task is doing right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Its turn has not come.
    Pending,
    /// It is being fetched.
    Running,
    /// It has a time and a reason; see the record.
    Waiting,
    /// It is not active.
    Idle,
}

/// A task as pages see it.
#[derive(Clone, Debug)]
pub struct TaskSnapshot {
    /// The record.
    pub record: TaskRecord,
    /// The progress.
    pub progress: Progress,
    /// What it is doing.
    pub activity: Activity,
    /// When the snapshot was taken.
    pub at: Timestamp,
}
