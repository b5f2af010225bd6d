//! Answers about ranges: 206 and 416 (RFC 9110 sections 14.4, 15.3.7 and 15.5.17).

use super::super::error::{ErrorCode, TaskError};
use super::answer::{Asked, AskedRange, Verdict, changed, content_length, is_coded, without_ranges};
use super::content_range::{ContentRange, LARGEST_POSITION};
use super::representation::{describe, resumability};
use super::validator::agrees;
use super::{Head, Representation, RestartReason, Resumability, VerdictReason};

/// What a 206 carries, begun where it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The position behind its last byte, if known.
    pub end: Option<u64>,
    /// The complete length of what it is a part of, if known.
    pub complete_length: Option<u64>,
}

/// Reads what a 206 carries; `None` if it is of no use for the range that was asked for.
pub(super) fn part(asked: AskedRange, kept: Option<&Representation>, head: &Head) -> Option<Part> {
    // Offsets into a coded body are not offsets into the file.
    if is_multipart(head) || is_coded(head) {
        return None;
    }
    let len = content_length(head);
    match head.content_range.as_deref().map(ContentRange::parse) {
        Some(Some(ContentRange::Satisfied { range, complete_length })) if range.start == asked.start => {
            // A length that contradicts the range belongs to other bytes, such as those of a coding that CORS hides.
            let is_honest = len.is_none_or(|len| len == range.end - range.start);
            is_honest.then_some(Part { end: Some(range.end), complete_length })
        }
        None if !head.all_headers_readable => hidden_part(asked, kept, len),
        _ => None,
    }
}

/// CORS hides `Content-Range`: only the length of the body can be held against what was asked for.
fn hidden_part(asked: AskedRange, kept: Option<&Representation>, len: Option<u64>) -> Option<Part> {
    let end = match len {
        Some(len) => Some(asked.start.checked_add(len).filter(|end| len > 0 && *end <= LARGEST_POSITION)?),
        None => None,
    };
    let Some(asked_end) = asked.end else {
        return Some(Part { end, complete_length: end });
    };
    // A bounded range tells nothing of what lies behind it. It is as long as asked for, or runs to the file's end;
    // if neither, the file has another length now.
    let complete_length = kept.and_then(|kept| kept.complete_length);
    let fits = |length: u64| end.is_some_and(|end| end == asked_end.min(length) || end == length);
    Some(Part { end, complete_length: complete_length.filter(|length| fits(*length)) })
}

/// The complete length that an answer to `bytes=0-` tells.
pub(super) fn complete_length_from_start(head: &Head) -> Option<u64> {
    match head.status {
        206 => part(AskedRange { start: 0, end: None }, None, head)?.complete_length,
        200 if !is_coded(head) => content_length(head),
        _ => None,
    }
}

fn is_multipart(head: &Head) -> bool {
    const KIND: &str = "multipart/byteranges";
    let kind = head.content_type.as_deref().map(str::trim_start);
    kind.and_then(|kind| kind.get(..KIND.len())).is_some_and(|kind| kind.eq_ignore_ascii_case(KIND))
}

/// Judges a 206.
pub(super) fn partial(asked: &Asked<'_>, head: &Head) -> Verdict {
    let Some(range) = asked.range else {
        return Verdict::Fail(TaskError::new(ErrorCode::BadContentRange));
    };
    let Some(Part { end, complete_length }) = part(range, asked.kept, head) else {
        return without_ranges(asked);
    };
    let start = range.start;
    let mut restart = None;
    if let Some(kept) = asked.kept {
        if agrees(kept, head, complete_length, asked.if_range) {
            // What was not known to be resumable may be now, if this is its beginning.
            if start > 0 || kept.is_resumable() {
                return Verdict::Body { representation: kept.clone(), start, end, restart };
            }
        } else if start > 0 || range.end.is_some() {
            return changed();
        } else {
            restart = Some(RestartReason::Changed);
        }
    }
    let representation = describe(head, complete_length, resumability(head, complete_length));
    // A part of the file, or of who knows how much, is of no use if nothing can continue it.
    let is_whole = start == 0 && complete_length.is_some() && end == complete_length;
    if !representation.is_resumable() && !is_whole {
        return without_ranges(asked);
    }
    Verdict::Body { representation, start, end, restart }
}

/// Judges a 416.
pub(super) fn unsatisfiable(asked: &Asked<'_>, head: &Head) -> Verdict {
    let Some(AskedRange { start, .. }) = asked.range else {
        return Verdict::Fail(TaskError::status(head.status));
    };
    let told = match head.content_range.as_deref().and_then(ContentRange::parse) {
        Some(ContentRange::Unsatisfied { complete_length }) => Some(complete_length),
        _ => None,
    };
    let kept_length = asked.kept.and_then(|kept| kept.complete_length);
    match told {
        Some(0) if start == 0 && kept_length.is_none_or(|length| length == 0) => {
            Verdict::Empty(describe(head, Some(0), (Resumability::RestartOnly, VerdictReason::Empty)))
        }
        Some(length) if asked.kept.is_some() && kept_length != Some(length) => changed(),
        // Asked for what lies behind the last byte: nothing is missing, and nothing is lost.
        Some(length) if start >= length && kept_length == Some(length) => {
            Verdict::AskAgain { without_range: false, restart: None }
        }
        // Nothing says how a 416 that does not tell, or tells of bytes that are there, came about.
        _ => without_ranges(asked),
    }
}
