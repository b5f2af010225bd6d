//! All that the engine can ask for.

use std::ops::Range;

use super::error::TaskError;
use super::file::{FileLocation, Service};
use super::filter::Filter;
use super::group::{GroupCounts, GroupKey, GroupRecord};
use super::id::{BodyId, CallId, ClientId, EffectId, SessionId, TaskId, TaskKey, WakeId};
use super::request::{Credentials, Header, OnRedirect};
use super::resume_data::Detached;
use super::session::SessionRecord;
use super::task::{Destination, Progress, TaskEvent, TaskRecord, WaitReason};
use super::time::Timestamp;
use crate::integrity::HashState;

/// One thing to do.
#[derive(Debug)]
pub enum Output {
    /// Do this, and say how it ended by [`super::input::Input::Completed`] with the same id.
    Start(EffectId, Effect),
    /// End this fetch and any read of it, the filing of a file, or an operation of storage: a commit that has not begun
    /// must never be written. It will not be answered.
    Abort(EffectId),
    /// The attempt's read, if one is in flight, is to bring what has come, as soon as anything has.
    Hasten(EffectId),
    /// The buffer of this read is not wanted.
    Discard(EffectId),
    /// Answer a call.
    Reply(CallId, Result<Answer, TaskError>),
    /// Take the session's lock for the hook, waiting in line for it, and say hello for it.
    Stand(SessionId),
    /// Post events to the session's delegate, which acknowledges them. The hook is given one batch each time that it
    /// is elected, or nothing, and lets go of the lock when it is done.
    Deliver(ClientId, SessionId, Vec<TaskEvent>),
    /// Post an event to a page that only watches.
    Observe(ClientId, SessionId, TaskEvent),
    /// Post a task's new state to a page.
    Changed(ClientId, TaskSnapshot),
    /// Post a group's new counts to a page.
    GroupChanged(ClientId, GroupKey, GroupCounts),
    /// Tell a page that a task and its file are gone.
    Released(ClientId, TaskKey),
    /// Tell the delegate that all events that waited for it are acknowledged; the hook, that none waits any more.
    AllDelivered(ClientId, SessionId),
    /// Ask a page, or the worker's own code if there is none, for headers or another URL.
    AskAuthorization(Option<ClientId>, TaskKey, AuthorizationNeed),
    /// Ask a page to have the browser itself fetch these ranges. The answer is a call,
    /// [`super::input::TaskCall::ExternalBegun`].
    Begin(ClientId, TaskKey, BeginRequest),
    /// A registration has ended: show what the app wants to be seen then, JSON text that is never looked at.
    ShowEnd(String, String),
    /// Nothing more is wanted of this registration: end it if it goes on, and the event that told of its end.
    LetGo(String),
    /// Let go of a wake.
    Settle(WakeId, Outcome),
    /// Whether there is work, so whether the worker is to be kept alive, or when pages are to wake it.
    Working(Work),
    /// Another worker drives the database: stop, for good.
    Fenced,
}

/// When there is something to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Now, or so soon that the worker had better wait for it.
    Now,
    /// Not before that time, if any is known. News may come sooner.
    At(Option<Timestamp>),
}

/// How a wake ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is left to do.
    Done,
    /// Work is left: if the browser repeats such events, it should.
    Again,
}

/// What a server wants before it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationNeed {
    /// The URL that was refused, without its query.
    pub url: String,
    /// The status; `None` if headers that are not stored are missing after a boot.
    pub status: Option<u16>,
}

/// Ranges of a file that the browser itself is to fetch (Background Fetch).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeginRequest {
    /// What the browser is to call it.
    pub registration: String,
    /// The URL.
    pub url: String,
    /// What the app gave for it.
    pub headers: Vec<Header>,
    /// Whether cookies are sent.
    pub credentials: Credentials,
    /// One request for each.
    pub parts: Vec<Range<u64>>,
    /// What it is called in the browser's own page of downloads, if anything is known.
    pub title: Option<String>,
    /// What else is to be seen there, as JSON text.
    pub ui: Option<String>,
}

/// One answer of a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRequest {
    /// The name of the registration.
    pub registration: String,
    /// Where the range begins that was asked for.
    pub start: u64,
    /// See [`FetchRequest::keep_headers`].
    pub keep_headers: Vec<String>,
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
        /// What to send.
        request: FetchRequest,
    },
    /// Collect bytes of an attempt's body into one buffer, named by this effect.
    Read {
        /// The fetch.
        attempt: EffectId,
        /// The position of the first byte to come, so that the driver can count live progress.
        offset: u64,
        /// Answer when so many are there, and never with more…
        up_to_bytes: u64,
        /// …or when some are and so much time has passed.
        or_after_ms: u64,
        /// Or else only when the body has ended, with all that it has brought, however much that is; nothing, if it was cut.
        as_whole: bool,
        /// The hash of all that lies before, to go on with.
        hash: Option<HashState>,
    },
    /// Hash stored chunks, all that lie within the range, beginning at its first byte.
    HashStored {
        /// For which task.
        key: TaskKey,
        /// Of which body.
        body: BodyId,
        /// Which bytes.
        range: Range<u64>,
        /// The hash of all that lies before.
        state: HashState,
    },
    /// Write a complete file to its destination, where it is to be seen when all of it is there, and not before. Aborted,
    /// it leaves nothing.
    File {
        /// Of which task.
        key: TaskKey,
        /// What, and what is known of it.
        file: Box<Service>,
        /// Where to.
        destination: Destination,
    },
    /// Find out how a registration stands.
    Look {
        /// Its name.
        registration: String,
    },
    /// Open one answer of a registration and report its head. From then on it is like a [`Effect::Fetch`].
    TakeRecord {
        /// For which task.
        key: TaskKey,
        /// Which.
        record: RecordRequest,
    },
    /// Find out whether so many bytes more can be stored, by storing them for a moment.
    TryRoom {
        /// How many.
        bytes: u64,
    },
    /// Find out whether a server can be reached at all, whatever it lets this origin read.
    Probe {
        /// Its URL.
        url: String,
    },
}

/// A GET.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchRequest {
    /// The URL.
    pub url: String,
    /// `Range: bytes=start-` or `bytes=start-end`, half-open, or no `Range`.
    pub range: Option<(u64, Option<u64>)>,
    /// `If-Range`.
    pub if_range: Option<String>,
    /// `If-None-Match`.
    pub if_none_match: Option<String>,
    /// `If-Modified-Since`.
    pub if_modified_since: Option<String>,
    /// What the app gave for this URL's origin.
    pub headers: Vec<Header>,
    /// Whether cookies are sent.
    pub credentials: Credentials,
    /// `Request.referrerPolicy`, if the app set one.
    pub referrer_policy: Option<String>,
    /// What becomes of it if it is redirected.
    pub on_redirect: OnRedirect,
    /// The names of the answer's headers to report.
    pub keep_headers: Vec<String>,
}

/// A question to storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// A session's active tasks that are due first, so many of each lane; see [`super::schedule::Lane`]. Of the lanes
    /// that are blocked, only those tasks that have stopped waiting for a good moment.
    Due {
        /// The session.
        session: SessionId,
        /// The time.
        now: Timestamp,
        /// Lanes whose tasks may not run now, as a set of bits by [`super::policy::Needs::rank`].
        blocked: u8,
        /// At most so many of each lane.
        limit: u32,
    },
    /// One task.
    Task(TaskKey),
    /// Those of these tasks that exist.
    TasksByKey(Vec<TaskKey>),
    /// The first task whose finished file is found by this URL: of this session, or else of those whose are found anywhere.
    ByUrl(String, Option<SessionId>),
    /// Tasks of a session in the order of their ids.
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
    /// Tasks that failed or were cancelled, the oldest, beyond the `keep` that may stay.
    Ended {
        /// The session.
        session: SessionId,
        /// How many may stay.
        keep: u32,
        /// At most so many.
        limit: u32,
    },
    /// How many members of a group are in which state.
    Counts(GroupKey),
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
    /// Bodies that are dead by now, with some of their chunks.
    DeadBodies {
        /// The time.
        now: Timestamp,
        /// At most so many chunks of all of them; a body without any counts as one.
        chunks: u32,
    },
    /// What a detached body holds.
    Detached(BodyId),
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
    /// Store a group.
    PutGroup(GroupRecord),
    /// Note a body that a task now owns.
    PutBody(BodyId),
    /// The body belongs to no task any more, but to whoever holds its resume data, until this time.
    DetachBody(Detached, Timestamp),
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
    /// Delete a body's chunks that begin from `from` up to and including the one at `through`.
    DeleteChunks {
        /// The body.
        body: BodyId,
        /// The offset of the first chunk to go.
        from: u64,
        /// The offset of the last chunk to go.
        through: u64,
    },
    /// Put an event into the outbox and the history; drop what is too old from the history.
    PutEvent(TaskEvent),
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
    /// The session is open.
    Opened {
        /// The version of its configuration.
        version: u32,
        /// Whether that version has other limits than those of the call, which are ignored.
        differs: bool,
    },
    /// The download's task, and whether this call made it.
    Download(TaskSnapshot, bool),
    /// How many members of a batch are new, and how the group stands, if that is known.
    Accepted(u32, Option<GroupCounts>),
    /// One task.
    Task(TaskSnapshot),
    /// One task, and the resume data that now owns its bytes, if there were any.
    ResumeData(TaskSnapshot, Option<Vec<u8>>),
    /// A page of tasks; the id to go on behind, if there may be more.
    Tasks(Vec<TaskSnapshot>, Option<TaskId>),
    /// How many tasks were meant.
    Done(u64),
    /// How a group stands.
    Group(GroupCounts),
    /// The task is gone.
    Released,
    /// Where the finished file is, and the offset that was asked for.
    Chunk(FileLocation, u64),
    /// The same, for the worker to read the chunk itself, and to say so by [`super::input::Input::Unreadable`] if it cannot.
    Check(TaskKey, FileLocation, u64),
    /// How a request for the finished file's URL is answered.
    Serve(Box<Service>),
    /// Past events, newest first.
    History(Vec<TaskEvent>),
    /// The task with such a file, if there is one.
    Found(Option<TaskKey>),
}

/// Why a task waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The reason.
    pub reason: WaitReason,
    /// Since when.
    pub since: Timestamp,
    /// Until when at the latest, if that is known.
    pub until: Option<Timestamp>,
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

/// An error, and when it was met.
pub type LastError = (TaskError, Timestamp);

/// A task as pages see it.
#[derive(Clone, Debug)]
pub struct TaskSnapshot {
    /// The record.
    pub record: TaskRecord,
    /// The progress.
    pub progress: Progress,
    /// What it is doing.
    pub activity: Activity,
    /// Why it is not being fetched, if it is active and is not.
    pub waiting: Option<Waiting>,
    /// Of a task that waits: what went wrong last, and when; if that was its host's trouble, what its host's was.
    pub last_error: Option<LastError>,
    /// How many segments are being fetched.
    pub segments: u32,
    /// When the snapshot was taken.
    pub at: Timestamp,
}
