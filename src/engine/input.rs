//! All that can happen to the engine.

use super::error::TaskError;
use super::http::Head;
use super::id::{CallId, ClientId, EffectId, SessionId, TaskId, TaskKey, WakeId};
use super::session::SessionRecord;
use super::task::{Task, TaskEvent, TaskSpec};
use super::time::Timestamp;

/// One thing that happened.
#[derive(Debug)]
pub enum Input {
    /// The browser runs the worker for some event, and goes on doing so until the wake is settled.
    Wake {
        /// The wake's name.
        wake: WakeId,
        /// When the browser will cut it, if known.
        ends_at: Option<Timestamp>,
        /// The event says that things may have changed for the better: back online, page visible.
        kick: bool,
    },
    /// A page asks for something and waits for the reply.
    Call(CallId, Call),
    /// A page attaches to a session.
    Hello {
        /// The page.
        client: ClientId,
        /// The session.
        session: SessionId,
        /// Whether the page holds the session's delegate lock.
        delegate: bool,
    },
    /// A page leaves a session.
    Bye {
        /// The page.
        client: ClientId,
        /// The session, or all of them.
        session: Option<SessionId>,
    },
    /// The delegate has handled every event up to and including `seq`.
    Ack {
        /// The page.
        client: ClientId,
        /// The session.
        session: SessionId,
        /// The last event handled.
        seq: u64,
    },
    /// An effect is done.
    Completed(EffectId, Completion),
    /// Time has passed; see [`super::Engine::poll_timeout`].
    Timeout,
}

/// What a page may ask.
#[derive(Clone, Debug)]
pub enum Call {
    /// Make the session, or attach to it.
    Open(SessionRecord),
    /// Make a download task.
    Download {
        /// Where.
        key: TaskKey,
        /// What.
        spec: TaskSpec,
        /// What to do if the id is taken.
        if_exists: IfExists,
    },
    /// Something about one task.
    Task(TaskKey, TaskCall),
    /// A page of the session's tasks, in the order of their ids.
    Tasks {
        /// The session.
        session: SessionId,
        /// Behind this id.
        after: Option<TaskId>,
        /// At most so many.
        limit: u32,
    },
    /// Past events, newest first.
    History {
        /// The session.
        session: SessionId,
        /// Older than this sequence number.
        before: Option<u64>,
        /// At most so many.
        limit: u32,
    },
}

/// What may be asked of one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskCall {
    /// Its snapshot.
    Get,
    /// Stop, keep the bytes.
    Pause,
    /// Go on: a paused task, a failed one, or one that waits.
    Resume,
    /// End, drop the bytes.
    Cancel,
    /// Delete an ended task and its file.
    Release,
    /// Where the finished file's bytes from this offset on are.
    Chunk(u64),
}

/// What to do if a download's id is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfExists {
    /// Answer with the task that is there; it must have the same URL.
    Keep,
    /// Drop it and begin anew.
    Replace,
    /// Refuse.
    Error,
}

/// How an effect ended.
#[allow(clippy::large_enum_variant, reason = "few are alive at a time, and each is handed on at once")]
#[derive(Debug)]
pub enum Completion {
    /// A [`super::output::Effect::Load`] is answered.
    Loaded(Result<Loaded, StoreFailure>),
    /// A [`super::output::Effect::Commit`] is answered.
    Committed(CommitOutcome),
    /// A [`super::output::Effect::Fetch`] has its head, or has failed.
    Head(Result<Head, FetchFailure>),
    /// A [`super::output::Effect::Read`] is done.
    Read {
        /// How many bytes its buffer holds.
        len: u64,
        /// How the body stands.
        end: ReadEnd,
    },
}

/// What a load found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// Tasks.
    Tasks(Vec<Task>),
    /// Events, ascending.
    Events(Vec<TaskEvent>),
    /// A dead body and the last of the chunks that may be deleted in one commit.
    DeadBody(Option<DeadBody>),
}

/// A body to be swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadBody {
    /// The body.
    pub body: super::id::BodyId,
    /// The offset of the last chunk of this bunch; `None` if no chunk is left.
    pub through: Option<u64>,
    /// Whether there are chunks behind it.
    pub more: bool,
}

/// Storage could not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFailure {
    /// The quota is used up.
    Quota,
    /// Anything else.
    Other,
}

/// How a commit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// Durable, all of it.
    Committed,
    /// Another worker drives this database; nothing was written and nothing will be.
    Fenced,
    /// Nothing was written.
    Failed(StoreFailure),
    /// Perhaps written, perhaps not; all of it or nothing.
    Unknown,
}

/// A fetch that brought no head.
#[derive(Clone, Debug)]
pub struct FetchFailure {
    /// What the browser said.
    pub error: TaskError,
    /// What `navigator.onLine` said.
    pub online: bool,
}

/// How a body stands after a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadEnd {
    /// There may be more.
    More,
    /// The body ended as HTTP says it should.
    Eof,
    /// The connection was cut.
    Cut {
        /// What `navigator.onLine` said.
        online: bool,
    },
}
