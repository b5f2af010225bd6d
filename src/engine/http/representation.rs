//! The representation that is being assembled, and whether its kept bytes may be continued.

use serde::{Deserialize, Serialize};

use super::Head;
use super::content_disposition::file_name;
use super::url_name::named_by_url;
use super::validator::{is_strong_date, is_strong_tag};

/// Whether kept bytes may be continued (RFC 9110 sections 8.8.1 and 14.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resumability {
    /// A strong validator proves that the bytes belong together.
    Resumable,
    /// Equal `Last-Modified` and length make it very likely.
    ResumableByComparison,
    /// The server answers no ranges, or nothing tells one version from another.
    RestartOnly,
    /// Nobody tells how long the file is, so that a cut could not be told from its end.
    #[default]
    SizeUnknown,
}

impl Resumability {
    /// The word that pages see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resumable => "resumable",
            Self::ResumableByComparison => "resumable-by-comparison",
            Self::RestartOnly => "restart-only",
            Self::SizeUnknown => "size-unknown",
        }
    }
}

/// What a [`Resumability`] was concluded from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum VerdictReason {
    /// A strong entity tag.
    StrongTag,
    /// A `Last-Modified` that is strong, since the answer is much younger (RFC 9110 section 8.8.2.2).
    StrongDate,
    /// A weak entity tag, together with `Last-Modified` and the length.
    WeakTag,
    /// `Last-Modified` and the length.
    DateAndLength,
    /// The file came whole: the server does not answer ranges, or not in a way that can be used.
    RangesIgnored,
    /// Neither entity tag nor `Last-Modified` can be read.
    NoValidator,
    /// There is a validator, but it is too weak to rely on.
    WeakValidator,
    /// The bytes come in a content coding, and offsets would be those of the coded bytes.
    Coded,
    /// The length is not told.
    #[default]
    LengthUntold,
    /// The file has no bytes.
    Empty,
}

impl VerdictReason {
    /// The word that pages see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StrongTag => "strong-tag",
            Self::StrongDate => "strong-date",
            Self::WeakTag => "weak-tag",
            Self::DateAndLength => "date-and-length",
            Self::RangesIgnored => "ranges-ignored",
            Self::NoValidator => "no-validator",
            Self::WeakValidator => "weak-validator",
            Self::Coded => "coded",
            Self::LengthUntold => "length-untold",
            Self::Empty => "empty",
        }
    }
}

/// What is known of the representation that is being assembled. The default knows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Representation {
    /// Its complete length in bytes, if the server told.
    pub complete_length: Option<u64>,
    /// Its `ETag`, strong or weak, as sent.
    pub etag: Option<String>,
    /// Its `Last-Modified`, as sent.
    pub last_modified: Option<String>,
    /// Whether its `Last-Modified` may be used as a strong validator (RFC 9110 section 8.8.2.2).
    pub last_modified_is_strong: bool,
    /// Its media type, as sent.
    pub content_type: Option<String>,
    /// The name that the server suggests, or that the URL has to which it redirects, safe to use as a file's name.
    pub file_name: Option<String>,
    /// Whether its kept bytes may be continued.
    pub resumability: Resumability,
    /// Why, or why not.
    pub reason: VerdictReason,
    /// Whether the answer came from the worker's own origin: `If-Range` may then be sent without a preflight.
    pub same_origin: bool,
}

impl Representation {
    /// Whether its kept bytes may be continued.
    pub fn is_resumable(&self) -> bool {
        matches!(self.resumability, Resumability::Resumable | Resumability::ResumableByComparison)
    }

    /// For an app that trusts strong validators only: what could be continued by comparison cannot be continued.
    #[must_use]
    pub fn demand_strong(mut self) -> Self {
        if self.resumability == Resumability::ResumableByComparison {
            self.resumability = Resumability::RestartOnly;
            self.reason = VerdictReason::WeakValidator;
        }
        self
    }
}

/// What `head` is the head of.
pub(super) fn describe(
    head: &Head,
    complete_length: Option<u64>,
    (resumability, reason): (Resumability, VerdictReason),
) -> Representation {
    let told = head.content_disposition.as_deref().and_then(file_name);
    let by_url = |url: &str| named_by_url(url, head.content_type.as_deref());
    Representation {
        complete_length,
        etag: head.etag.clone(),
        last_modified: head.last_modified.clone(),
        last_modified_is_strong: is_strong_date(head),
        content_type: head.content_type.clone(),
        file_name: told.or_else(|| head.final_url.as_deref().and_then(by_url)),
        resumability,
        reason,
        same_origin: head.all_headers_readable,
    }
}

/// Whether kept bytes of what `head` describes may be continued later, from a server that answers ranges.
pub(super) fn resumability(head: &Head, complete_length: Option<u64>) -> (Resumability, VerdictReason) {
    use Resumability::{RestartOnly, Resumable, ResumableByComparison, SizeUnknown};
    // Without the length nobody could tell a finished file from one that was cut.
    if complete_length.is_none() {
        return (SizeUnknown, VerdictReason::LengthUntold);
    }
    match (&head.etag, &head.last_modified) {
        (Some(tag), _) if is_strong_tag(tag) => (Resumable, VerdictReason::StrongTag),
        // A weak tag says that versions may differ in bytes: a date cannot outweigh that.
        (Some(_), Some(_)) => (ResumableByComparison, VerdictReason::WeakTag),
        (Some(_), None) => (RestartOnly, VerdictReason::WeakValidator),
        (None, Some(_)) if is_strong_date(head) => (Resumable, VerdictReason::StrongDate),
        (None, Some(_)) => (ResumableByComparison, VerdictReason::DateAndLength),
        (None, None) => (RestartOnly, VerdictReason::NoValidator),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

    fn head(etag: Option<&str>, last_modified: Option<&str>, date: Option<&str>) -> Head {
        Head {
            etag: etag.map(Into::into),
            last_modified: last_modified.map(Into::into),
            date: date.map(Into::into),
            ..Head::default()
        }
    }

    #[test]
    fn the_verdict_says_what_it_rests_on() {
        let later = Some("Mon, 07 Nov 1994 08:50:37 GMT");
        for (etag, last_modified, date, expected) in [
            (Some("\"a\""), None, None, ("resumable", "strong-tag")),
            (Some("\"a\""), Some(MONDAY), None, ("resumable", "strong-tag")),
            (None, Some(MONDAY), later, ("resumable", "strong-date")),
            (None, Some(MONDAY), Some(MONDAY), ("resumable-by-comparison", "date-and-length")),
            (None, Some(MONDAY), None, ("resumable-by-comparison", "date-and-length")),
            (Some("W/\"a\""), Some(MONDAY), later, ("resumable-by-comparison", "weak-tag")),
            (Some("a"), Some(MONDAY), later, ("resumable-by-comparison", "weak-tag")),
            (Some("W/\"a\""), None, later, ("restart-only", "weak-validator")),
            (None, None, later, ("restart-only", "no-validator")),
        ] {
            let head = head(etag, last_modified, date);
            let (resumability_, reason) = resumability(&head, Some(10));
            assert_eq!((resumability_.as_str(), reason.as_str()), expected, "{head:?}");
            let (unknown, reason) = resumability(&head, None);
            assert_eq!((unknown.as_str(), reason.as_str()), ("size-unknown", "length-untold"), "{head:?}");
        }
    }

    #[test]
    fn strong_only_refuses_comparison_and_nothing_else() {
        let described = |etag, last_modified| {
            let head = head(etag, last_modified, None);
            describe(&head, Some(10), resumability(&head, Some(10)))
        };
        let compared = described(None, Some(MONDAY)).demand_strong();
        assert_eq!(compared.resumability, Resumability::RestartOnly);
        assert_eq!(compared.reason, VerdictReason::WeakValidator);
        assert!(!compared.is_resumable());
        for untouched in [described(Some("\"a\""), None), described(None, None)] {
            assert_eq!(untouched.clone().demand_strong(), untouched);
        }
    }
}
