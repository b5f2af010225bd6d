//! One answer, judged: may its body be used, from which byte on, and if not, what then?

use super::super::error::TaskError;
use super::content_range::number;
use super::date;
use super::mirror::from_mirror;
use super::partial::{partial, unsatisfiable};
use super::representation::{describe, resumability};
use super::validator::agrees;
use super::{Head, Representation, RestartReason, Resumability, RetryAfter, VerdictReason};

/// The range that was asked for, half-open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedRange {
    /// The position of its first byte.
    pub start: u64,
    /// The position behind its last byte; `None` for `bytes=start-`, which runs to the end of the file.
    pub end: Option<u64>,
}

/// What an answer has to agree with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The server that says what the file is.
    Origin,
    /// A mirror: a strong tag, or date and length, must agree with what is kept. Date and length are a comparison, no
    /// proof: where strong validators are demanded, a mirror is of use only if a digest proves its bytes.
    Mirror,
    /// A mirror, or the origin, whose bytes a digest will prove: only the length must agree. From the origin,
    /// [`Verdict::NotTheSame`] asks for the answer to be judged once more as [`Source::Origin`].
    Proven,
}

/// What was asked, so that the answer can be held against it.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// `Range`, or `None` for a request without.
    pub range: Option<AskedRange>,
    /// Whether `If-Range` was sent.
    pub if_range: bool,
    /// Whether `If-None-Match` or `If-Modified-Since` was sent: a refresh of what is kept.
    pub conditional: bool,
    /// The version whose bytes are kept, or being fetched by others, if any.
    pub kept: Option<&'a Representation>,
    /// Who answers.
    pub source: Source,
}

/// What to do with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Read the body.
    Body {
        /// What it is a part of. The kept one, if the answer is of that version.
        representation: Representation,
        /// The position of its first byte.
        start: u64,
        /// The position behind its last byte, if known. It may lie before or behind the end that was asked for.
        end: Option<u64>,
        /// Set if the kept bytes, should there be any, must go first.
        restart: Option<RestartReason>,
    },
    /// The file has no bytes.
    Empty(Representation),
    /// What is kept is what the server has.
    NotModified,
    /// Ask once more.
    AskAgain {
        /// From now on without `Range`.
        without_range: bool,
        /// Set if the kept bytes, should there be any, must go first.
        restart: Option<RestartReason>,
    },
    /// Nothing without (other) credentials, or another URL. The kept bytes are worth keeping until then.
    Unauthorized(TaskError),
    /// Try again later.
    Retry(TaskError, Option<RetryAfter>),
    /// Give up.
    Fail(TaskError),
    /// A mirror that does not serve the bytes that are kept: never ask it again.
    NotTheSame,
}

/// Judges the head of an answer (RFC 9110 sections 13 to 15).
pub fn judge(asked: &Asked<'_>, head: &Head) -> Verdict {
    if is_passing(head.status) {
        let after = head.retry_after.as_deref().and_then(RetryAfter::parse);
        let served_at = head.date.as_deref().and_then(date::parse);
        return Verdict::Retry(TaskError::status(head.status), after.map(|after| after.counted_from(served_at)));
    }
    if asked.source != Source::Origin {
        return from_mirror(asked, head);
    }
    match head.status {
        200 => whole(asked, head),
        204 | 205 => empty(asked, head),
        206 => partial(asked, head),
        304 if asked.conditional => Verdict::NotModified,
        401 | 403 => Verdict::Unauthorized(TaskError::status(head.status)),
        416 => unsatisfiable(asked, head),
        status => Verdict::Fail(TaskError::status(status)),
    }
}

/// Whether the status is about now and not about the file. 407 and 511 come from what lies between, and the browser
/// or its user deals with them; 520 to 530 are what content delivery networks say when their origin is in trouble.
fn is_passing(status: u16) -> bool {
    matches!(status, 407 | 408 | 421 | 425 | 429 | 500 | 502 | 503 | 504 | 511 | 520..=530)
}

/// Whether the bytes come in a content coding (RFC 9110 section 8.4).
pub(super) fn is_coded(head: &Head) -> bool {
    let mut codings = head.content_encoding.as_deref().unwrap_or_default().split(',').map(str::trim);
    codings.any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
}

/// `Content-Length`, also if it was sent more than once with one value (RFC 9110 section 8.6).
pub(super) fn content_length(head: &Head) -> Option<u64> {
    let mut values = head.content_length.as_deref()?.split(',').map(|value| number(value.trim()));
    let first = values.next()?;
    first.filter(|_| values.all(|value| value == first))
}

/// The answer cannot be trusted with ranges: ask for the whole file, and drop what is kept.
pub(super) fn without_ranges(asked: &Asked<'_>) -> Verdict {
    let drops_bytes = asked.kept.is_some() || asked.range.is_some_and(|range| range.start > 0);
    Verdict::AskAgain { without_range: true, restart: drops_bytes.then_some(RestartReason::RangesRefused) }
}

pub(super) fn changed() -> Verdict {
    Verdict::AskAgain { without_range: false, restart: Some(RestartReason::Changed) }
}

/// No bytes: what is kept decides whether that is the file or another version of it.
fn empty(asked: &Asked<'_>, head: &Head) -> Verdict {
    let begins_inside = asked.range.is_some_and(|range| range.start > 0);
    if begins_inside || asked.kept.is_some_and(|kept| kept.complete_length != Some(0)) {
        return changed();
    }
    Verdict::Empty(describe(head, Some(0), (Resumability::RestartOnly, VerdictReason::Empty)))
}

/// All bytes of the file, whatever was asked for.
fn whole(asked: &Asked<'_>, head: &Head) -> Verdict {
    let is_coded = is_coded(head);
    // A request with `Range` asks for no coding, so its length is that of the bytes to come; without, a length
    // that CORS lets through may be that of a coded body whose coding it hides.
    let length_is_honest = !is_coded && (asked.range.is_some() || head.all_headers_readable);
    let complete_length = content_length(head).filter(|_| length_is_honest);
    if complete_length == Some(0) {
        return empty(asked, head);
    }
    let start = asked.range.map_or(0, |range| range.start);
    let mut restart = None;
    if let Some(kept) = asked.kept {
        // From the first byte of the kept version on, every byte has its place.
        if start == 0 && !is_coded && kept.complete_length != Some(0) && agrees(kept, head, complete_length, false) {
            return Verdict::Body { representation: kept.clone(), start: 0, end: kept.complete_length, restart };
        }
        let looks_same = kept.etag == head.etag && kept.last_modified == head.last_modified;
        restart = Some(match looks_same {
            true if start > 0 => RestartReason::RangesRefused,
            true => RestartReason::NotResumable,
            false => RestartReason::Changed,
        });
    } else if start > 0 {
        restart = Some(RestartReason::RangesRefused);
    }
    let promise = match complete_length {
        None if is_coded => (Resumability::SizeUnknown, VerdictReason::Coded),
        None => (Resumability::SizeUnknown, VerdictReason::LengthUntold),
        // How a server that answers ranges tells that the file has changed.
        Some(_) if asked.if_range && restart == Some(RestartReason::Changed) => resumability(head, complete_length),
        Some(_) => (Resumability::RestartOnly, VerdictReason::RangesIgnored),
    };
    let representation = describe(head, complete_length, promise);
    Verdict::Body { representation, start: 0, end: complete_length, restart }
}
