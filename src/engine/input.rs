//! All that can happen to the engine.

use std::ops::Range;

use super::error::TaskError;
use super::filter::Filter;
use super::group::{GroupCounts, GroupKey, GroupRecord};
use super::http::Head;
use super::id::{BodyId, CallId, ClientId, EffectId, SessionId, TaskId, TaskKey, WakeId};
use super::policy::{Conditions, PolicyPatch};
use super::request::{Header, Source};
use super::resume_data::Detached;
use super::schedule::Lane;
use super::session::{LimitsPatch, SessionRecord};
use super::task::{Destination, Task, TaskEvent, TaskSpec};
use super::time::Timestamp;
use crate::integrity::HashState;

/// One thing that happened.
#[allow(clippy::large_enum_variant, reason = "one is alive at a time, and is taken apart at once")]
#[derive(Debug)]
pub enum Input {
    /// The browser runs the worker for some event, and goes on doing so until the wake is settled.
    Wake {
        /// The wake's name.
        wake: WakeId,
        /// When the browser will cut it, if known.
        ends_at: Option<Timestamp>,
        /// The browser repeats the event if it is settled as [`super::output::Outcome::Again`].
        is_repeated: bool,
        /// The event says that things may have changed for the better: back online, page visible.
        kick: bool,
    },
    /// A page asks for something and waits for the reply.
    Call(CallId, Call),
    /// Nobody waits for the answer to this call any more. If it waits for bytes to come, those are not fetched for it.
    Forget(CallId),
    /// A page attaches to a session.
    Hello {
        /// The page, or [`ClientId::hook`]. As a delegate that begins its turn, for which it was to stand in line.
        client: ClientId,
        /// The session.
        session: SessionId,
        /// Whether the page holds the session's delegate lock.
        delegate: bool,
        /// Whether the page can supply headers or a new URL when a server wants to know who asks.
        can_authorize: bool,
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
        /// The page, or [`ClientId::hook`], whose turn that ends: if it is not the last event that it was given, it
        /// could not handle them.
        client: ClientId,
        /// The session.
        session: SessionId,
        /// The last event handled.
        seq: u64,
    },
    /// A page, or the worker itself, tells what it sees of the surroundings.
    Conditions {
        /// The page; `None` for the worker.
        observer: Option<ClientId>,
        /// What it sees.
        conditions: Conditions,
    },
    /// What the worker's own code does, even with no page open.
    Hook {
        /// It can supply headers or a new URL.
        can_authorize: bool,
        /// It handles the events that no page takes.
        handles_events: bool,
    },
    /// The browser says that a registration of its own fetches has ended.
    External {
        /// Its name.
        registration: String,
        /// Whether the user has ended it.
        by_user: bool,
    },
    /// Stored chunks that the task claims cannot be read back, though this was tried twice.
    Unreadable {
        /// The task.
        key: TaskKey,
        /// The body.
        body: BodyId,
        /// Which bytes: those of a chunk, or those that no chunk holds.
        range: Range<u64>,
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
    /// Find the finished file that is kept for this URL, of whatever session.
    Find(String, Option<SessionId>),
    /// Change how the session may use the network.
    UpdateSession(SessionId, LimitsPatch),
    /// Make a download task.
    Download {
        /// Where.
        key: TaskKey,
        /// What.
        spec: TaskSpec,
        /// Headers that must not be stored.
        secrets: Vec<Header>,
        /// What to do if the id is taken.
        if_exists: IfExists,
    },
    /// Make many download tasks of one group, in one commit. Those that exist stay as they are.
    DownloadAll {
        /// The group.
        group: GroupKey,
        /// Whether the failure of one member cancels the others.
        fails_together: bool,
        /// The members of this batch.
        members: Vec<(TaskId, TaskSpec)>,
        /// Whether no more batches follow.
        is_last: bool,
    },
    /// Make a download task from bytes that another one left.
    ResumeFrom {
        /// Where.
        key: TaskKey,
        /// What. The resume data supplies neither URL nor headers.
        spec: TaskSpec,
        /// Headers that must not be stored.
        secrets: Vec<Header>,
        /// What [`TaskCall::Cancel`] or [`TaskCall::ResumeData`] gave.
        data: Vec<u8>,
    },
    /// Something about one task.
    Task(TaskKey, TaskCall),
    /// A page of the session's tasks, in the order of their ids.
    Select {
        /// The session.
        session: SessionId,
        /// Which.
        filter: Filter,
        /// Behind this id.
        after: Option<TaskId>,
        /// At most so many.
        limit: u32,
    },
    /// Do the same with many tasks. Answered with how many were meant, when all of them are done.
    Bulk {
        /// The session.
        session: SessionId,
        /// Which.
        filter: Filter,
        /// What.
        action: BulkAction,
    },
    /// How a group stands.
    Group(GroupKey),
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

/// What may be done with many tasks at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkAction {
    /// See [`TaskCall::Pause`].
    Pause,
    /// See [`TaskCall::Resume`].
    Resume,
    /// See [`TaskCall::Cancel`].
    Cancel,
    /// See [`TaskCall::Release`].
    Release,
    /// See [`TaskCall::ReleaseFile`].
    ReleaseFile,
}

/// What may be asked of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskCall {
    /// Its snapshot.
    Get,
    /// The component crashed while it was at work on it.
    CountCrash,
    /// Stop, keep the bytes.
    Pause,
    /// Go on: a paused task, a failed one, or one that waits.
    Resume,
    /// End.
    Cancel {
        /// Whether the bytes are kept for a while, to be taken up by the resume data in the reply.
        keep: bool,
    },
    /// Hand the bytes of a paused or failed task over to resume data; it keeps none.
    ResumeData,
    /// Delete an ended task and its file.
    Release,
    /// Move a finished file out of the store.
    MoveTo(Destination),
    /// Delete a finished file: it was taken, or is not wanted any more. The task stays.
    ReleaseFile,
    /// Where the finished file's bytes are.
    Chunk {
        /// From this offset on.
        offset: u64,
        /// What the bytes before were of, as [`super::file::FileLocation::name`]: bytes of another are of no use.
        body: Option<String>,
        /// Whether it is waited for if the file is still on its way. Else there must be one.
        waits: bool,
    },
    /// A page could not read the chunk that it was given: the worker is to try.
    Check {
        /// Where the chunk lies.
        offset: u64,
        /// See [`TaskCall::Chunk`].
        body: Option<String>,
    },
    /// See [`Input::Unreadable`].
    Unreadable {
        /// The body.
        body: BodyId,
        /// Which bytes.
        range: Range<u64>,
    },
    /// With what a request for the file's URL is answered, as soon as its length is known.
    Serve {
        /// `Range`.
        range: Option<String>,
        /// `If-Range`.
        if_range: Option<String>,
    },
    /// Change what it allows.
    Update(PolicyPatch),
    /// A page has been asked to begin an [`super::output::Output::Begin`]; `refusal` is what the browser said if it would
    /// not.
    ExternalBegun {
        /// The name of the registration.
        registration: String,
        /// The name of the exception.
        refusal: Option<String>,
    },
    /// See [`Input::External`].
    ExternalEnded {
        /// Its name.
        registration: String,
        /// Whether the user has ended it.
        by_user: bool,
    },
    /// Supply what its server wants: headers, or another URL for the same representation.
    Authorize {
        /// Headers for the origin of the task's URL. They replace those that were given before.
        headers: Option<Vec<Header>>,
        /// The origin of the URL that they were asked for. If the task has another by now, it gets nothing.
        origin: String,
        /// Whether they may be stored.
        persist: bool,
        /// The new URL.
        source: Option<Source>,
    },
}

/// What to do if a download's id is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfExists {
    /// Answer with the task that is there; it must have the same URL.
    #[default]
    Keep,
    /// Drop it and begin anew.
    Replace,
    /// Ask the server whether there is a newer version; the file that is there stays until that is complete.
    Refresh,
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
    Head(Result<Arrived, FetchFailure>),
    /// A [`super::output::Effect::Read`] is done.
    Read {
        /// How many bytes its buffer holds.
        len: u64,
        /// How the body stands.
        end: ReadEnd,
        /// The hash up to the end of the buffer, if the read was given one to go on with.
        hash: Option<HashState>,
    },
    /// A [`super::output::Effect::HashStored`] is done.
    Hashed(Result<HashState, StoreFailure>),
    /// A [`super::output::Effect::File`] is done: all of it is there, or nothing.
    Filed(Result<(), TaskError>),
    /// A [`super::output::Effect::Probe`] is done: whether the server can be reached at all.
    Probed(bool),
    /// A [`super::output::Effect::TryRoom`] is done: whether there was room.
    Room(bool),
    /// A [`super::output::Effect::Look`] is done.
    Looked(Look),
}

/// How a registration of the browser's own fetches stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// The browser does not know it, or not any more.
    Gone,
    /// It is there.
    Found {
        /// Whether no more will come.
        is_over: bool,
        /// The first bytes of the requests whose answers are there, ascending.
        ready: Vec<u64>,
    },
}

/// An answer's head has arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// The head.
    pub head: Head,
    /// How much the origin may still store, if the browser tells.
    pub free_bytes: Option<u64>,
}

/// What a load found.
#[allow(clippy::large_enum_variant, reason = "one is alive at a time, and none is kept")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// Tasks.
    Tasks(Vec<Task>),
    /// A page of tasks, and behind which id to go on if there may be more.
    Page(Vec<Task>, Option<TaskId>),
    /// Active tasks.
    Due {
        /// The tasks.
        tasks: Vec<Task>,
        /// The lanes that hold more of them.
        more: Vec<Lane>,
        /// When the first of the others stops waiting for a good moment.
        next_at: Option<Timestamp>,
    },
    /// Events, ascending.
    Events(Vec<TaskEvent>),
    /// Dead bodies, each with the last of its chunks that may be deleted in one commit; or when the next will be dead.
    DeadBodies(Vec<DeadBody>, Option<Timestamp>),
    /// Something of a body could not be read, so that all were compared with the checkpoints.
    Orphans {
        /// Those that no task has.
        dead: Vec<BodyId>,
        /// Those that are a task's, and must say so anew.
        live: Vec<BodyId>,
        /// The tasks whose checkpoints could not be read: as long as there are any, no body is known to be an orphan.
        damaged: Vec<TaskKey>,
    },
    /// What a detached body holds, if it is one.
    Detached(Option<Detached>),
    /// A group's row, and how many of its members are in which state.
    Counts(Option<GroupRecord>, GroupCounts),
}

/// A body to be swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadBody {
    /// The body.
    pub body: BodyId,
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
    /// A newer version of longhaul has written the database.
    Newer,
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
