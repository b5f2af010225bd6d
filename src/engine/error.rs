//! Errors as plain data with a stable code. The sentences that explain them live with the page's client.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What went wrong. The text of [`ErrorCode::as_str`] is public and never changes its meaning. It is stored by its
        /// place among the others, so that new ones come last.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// The code as pages see it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

codes! {
    /// The call gives headers that must not be stored, and neither a page nor the worker could supply them again.
    AuthorizationNotDurable = "authorization-not-durable",
    /// A value in the call cannot be used.
    BadArgument = "bad-argument",
    /// The server answered a range request with a range that cannot be used (RFC 9110 section 14.4).
    BadContentRange = "bad-content-range",
    /// More bytes came than the representation has.
    BodyTooLong = "body-too-long",
    /// The server can be reached, but does not let this origin read its answers (Fetch, CORS protocol).
    CorsBlocked = "cors-blocked",
    /// The app's own content security policy forbids the request.
    CspBlocked = "csp-blocked",
    /// The file is not what its digest says.
    DigestMismatch = "digest-mismatch",
    /// A status that is neither the file nor a reason to try again.
    HttpStatus = "http-status",
    /// The id belongs to a task with another URL.
    IdInUse = "id-in-use",
    /// The body ended before its announced length, again and again.
    LengthMismatch = "length-mismatch",
    /// A page of `https:` may not load from `http:`.
    MixedContent = "mixed-content",
    /// The server could not be reached, again and again.
    Network = "network",
    /// The call needs a task that has completed.
    NotFinished = "not-finished",
    /// The origin's storage quota is used up.
    QuotaExceeded = "quota-exceeded",
    /// The resume data is damaged, or of a newer version.
    ResumeDataInvalid = "resume-data-invalid",
    /// The bytes that the resume data names are gone, or were taken up already.
    ResumeDataStale = "resume-data-stale",
    /// No such session was opened.
    SessionNotOpen = "session-not-open",
    /// Storage failed.
    Storage = "storage",
    /// The id is taken and the call asked for an error then.
    TaskExists = "task-exists",
    /// No task has this id.
    TaskNotFound = "task-not-found",
    /// The transfer took longer than it may.
    TimedOut = "timed-out",
    /// The server refuses whatever headers or URL were supplied.
    Unauthorized = "unauthorized",
    /// Only `http:` and `https:` can be transferred.
    UnsupportedScheme = "unsupported-scheme",
    /// A newer version of the session's configuration is stored.
    VersionTooLow = "version-too-low",
    /// The component crashed while it was at work on the task, again and again.
    Crashed = "crashed",
    /// A newer longhaul has written the database: this one only reads it.
    NewerStore = "newer-store",
    /// Too many events of the session wait for somebody who handles them.
    OutboxFull = "outbox-full",
    /// The browser would not begin a Background Fetch.
    BackgroundFetchRefused = "background-fetch-refused",
    /// Another version of the file has taken its place since its reader began.
    FileChanged = "file-changed",
    /// The file was moved, taken or released: its bytes are not here any more.
    FileReleased = "file-released",
    /// The file could not be written to where it was to be moved.
    DestinationFailed = "destination-failed",
    /// The server redirects the request, and the app forbids that, or its headers would go along to another origin.
    RedirectRefused = "redirect-refused",
    /// The transfer began anew from byte 0, again and again.
    TooManyRestarts = "too-many-restarts",
    /// Stored bytes of the file cannot be read back.
    FileDamaged = "file-damaged",
    /// There are as many sessions as a worker can start with.
    TooManySessions = "too-many-sessions",
    /// What was stored of the task, or of its file, cannot be read any more.
    RecordDamaged = "record-damaged",
    /// Something else came in place of the rest of the file, such as a page to log in.
    UnexpectedContent = "unexpected-content",
}

/// An error that can be stored with a task and sent to a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskError {
    /// What went wrong.
    pub code: ErrorCode,
    /// The HTTP status, where one was the cause.
    pub status: Option<u16>,
    /// What the browser said, for a log.
    pub detail: Option<String>,
}

impl TaskError {
    /// An error that its code says all about.
    pub fn new(code: ErrorCode) -> Self {
        Self { code, status: None, detail: None }
    }

    /// An HTTP status that ended an attempt.
    pub fn status(status: u16) -> Self {
        Self { code: ErrorCode::HttpStatus, status: Some(status), detail: None }
    }
}
