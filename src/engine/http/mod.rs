//! What an HTTP answer means for a download: pure header logic, nothing of tasks or storage.
//! Inclusive byte positions, as they stand on the wire, exist only in this room.

mod answer;
mod content_disposition;
mod content_range;
mod date;
mod interposed;
mod mirror;
mod partial;
mod representation;
mod retry_after;
mod serve;
mod url_name;
mod validator;

use serde::{Deserialize, Serialize};

pub use answer::{Asked, AskedRange, Source, Verdict, is_coded, judge};
pub use content_disposition::file_name;
pub use content_range::ContentRange;
pub use interposed::{is_accepted, is_empty, is_fraction, is_interposed};
pub use partial::{ends, hides_length, is_bare_part};
pub use representation::{Representation, Resumability, VerdictReason};
pub use retry_after::RetryAfter;
pub use serve::{Selection, if_range_holds, select};
pub use url_name::{name_of, named_by_url};
pub use validator::{drop_constants, if_range, is_strong_tag, same_version};

/// The head of an answer, as far as the page's origin may read it. Every field is as the browser gave it.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Whether every header can be read: true for the worker's own origin. Across origins CORS hides
    /// `Content-Range`, `ETag` and `Date` unless the server exposes them (Fetch, "CORS-safelisted response-header
    /// name").
    pub all_headers_readable: bool,
    /// `Date`.
    pub date: Option<String>,
    /// `Content-Range`.
    pub content_range: Option<String>,
    /// `Content-Length`.
    pub content_length: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
    /// `Retry-After`.
    pub retry_after: Option<String>,
    /// `Repr-Digest` (RFC 9530).
    pub repr_digest: Option<String>,
    /// `Content-Digest` (RFC 9530).
    pub content_digest: Option<String>,
    /// The URL that answered, if the request was redirected.
    pub final_url: Option<String>,
    /// The headers that the app asked to keep, by name.
    pub chosen: Vec<(String, String)>,
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
    /// The file was not what its digest says, and mirrors had a part in it.
    DigestMismatch,
    /// What was stored of the transfer cannot be read any more.
    Damaged,
}

impl RestartReason {
    /// The word that pages see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::RangesRefused => "ranges-refused",
            Self::NotResumable => "not-resumable",
            Self::DigestMismatch => "digest-mismatch",
            Self::Damaged => "damaged",
        }
    }
}
