//! What an HTTP answer means for a download: pure header logic, nothing of tasks or storage.
//! Inclusive byte positions, as they stand on the wire, exist only in this room.

mod answer;
mod content_range;
mod date;
mod retry_after;
mod validator;

use serde::{Deserialize, Serialize};

pub use answer::{Asked, Verdict, judge};
pub use content_range::ContentRange;
pub use retry_after::RetryAfter;
pub use validator::if_range;

/// The head of an answer, as far as the page's origin may read it.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Whether every header can be read: true for the worker's own origin. Across origins CORS hides
    /// `Content-Range` and `ETag` unless the server exposes them (Fetch, "CORS-safelisted response-header name").
    pub all_headers_readable: bool,
    /// `Content-Range`.
    pub content_range: Option<String>,
    /// `Content-Length`.
    pub content_length: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
    /// `Retry-After`.
    pub retry_after: Option<String>,
}

/// Whether kept bytes may be continued (RFC 9110 sections 8.8.1 and 14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resumability {
    /// A strong validator proves that the bytes belong together.
    Resumable,
    /// Equal `Last-Modified` and length make it very likely.
    ResumableByComparison,
    /// The server answers no ranges, or nothing tells one version from another.
    RestartOnly,
}

impl Resumability {
    /// The word that pages see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resumable => "resumable",
            Self::ResumableByComparison => "resumable-by-comparison",
            Self::RestartOnly => "restart-only",
        }
    }
}

/// What is known of the representation that is being assembled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Representation {
    /// Its complete length in bytes, if the server told.
    pub complete_length: Option<u64>,
    /// Its `ETag`, strong or weak, as sent.
    pub etag: Option<String>,
    /// Its `Last-Modified`, as sent.
    pub last_modified: Option<String>,
    /// Its media type, as sent.
    pub content_type: Option<String>,
    /// Whether its kept bytes may be continued.
    pub resumability: Resumability,
}

impl Representation {
    /// Whether its kept bytes may be continued.
    pub fn is_resumable(&self) -> bool {
        self.resumability != Resumability::RestartOnly
    }
}

/// Why a transfer had to go back to byte 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestartReason {
    /// The server has another version of the file now.
    Changed,
    /// The server does not honour ranges (any more).
    RangesRefused,
    /// The transfer was cut and what was kept cannot be continued.
    NotResumable,
}

impl RestartReason {
    /// The word that pages see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::RangesRefused => "ranges-refused",
            Self::NotResumable => "not-resumable",
        }
    }
}
