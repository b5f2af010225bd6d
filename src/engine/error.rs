//! Errors as plain data with a stable code. The sentences that explain them live with the page's client.

use serde::{Deserialize, Serialize};

/// What went wrong. The text of [`ErrorCode::as_str`] is public and never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorCode {
    /// A value in the call cannot be used.
    BadArgument,
    /// The server answered a range request with a range that cannot be used (RFC 9110 section 14.4).
    BadContentRange,
    /// More bytes came than the representation has.
    BodyTooLong,
    /// A status that is neither the file nor a reason to try again.
    HttpStatus,
    /// The id belongs to a task with another URL.
    IdInUse,
    /// The body ended before its announced length, again and again.
    LengthMismatch,
    /// The server could not be reached, again and again.
    Network,
    /// The call needs a task that has completed.
    NotFinished,
    /// The origin's storage quota is used up.
    QuotaExceeded,
    /// No such session was opened.
    SessionNotOpen,
    /// Storage failed.
    Storage,
    /// The id is taken and the call asked for an error then.
    TaskExists,
    /// No task has this id.
    TaskNotFound,
    /// Only `http:` and `https:` can be transferred.
    UnsupportedScheme,
    /// A newer version of the session's configuration is stored.
    VersionTooLow,
}

impl ErrorCode {
    /// The code as pages see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadArgument => "bad-argument",
            Self::BadContentRange => "bad-content-range",
            Self::BodyTooLong => "body-too-long",
            Self::HttpStatus => "http-status",
            Self::IdInUse => "id-in-use",
            Self::LengthMismatch => "length-mismatch",
            Self::Network => "network",
            Self::NotFinished => "not-finished",
            Self::QuotaExceeded => "quota-exceeded",
            Self::SessionNotOpen => "session-not-open",
            Self::Storage => "storage",
            Self::TaskExists => "task-exists",
            Self::TaskNotFound => "task-not-found",
            Self::UnsupportedScheme => "unsupported-scheme",
            Self::VersionTooLow => "version-too-low",
        }
    }
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
