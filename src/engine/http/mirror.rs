//! Answers of a mirror, which must serve the very bytes that are kept. One that does not is never asked again; what
//! it does wrong is no reason to change anything of the download.

use super::answer::{Asked, Source, Verdict};
use super::partial::{Part, part, partial};
use super::validator::is_strong_tag;
use super::{Head, Representation};

/// Judges a body or a lasting refusal; whether the mirror is only busy was looked at before.
pub(super) fn from_mirror(asked: &Asked<'_>, head: &Head) -> Verdict {
    let Some(range) = asked.range.filter(|_| head.status == 206) else {
        return Verdict::NotTheSame;
    };
    let Some(kept) = asked.kept else {
        // Nothing to differ from: whatever it serves is the version now.
        return match partial(asked, head) {
            body @ Verdict::Body { .. } => body,
            _ => Verdict::NotTheSame,
        };
    };
    match part(range, asked.kept, head) {
        Some(Part { end, complete_length }) if is_same(asked.source, kept, head, complete_length) => {
            Verdict::Body { representation: kept.clone(), start: range.start, end, restart: None }
        }
        _ => Verdict::NotTheSame,
    }
}

fn is_same(source: Source, kept: &Representation, head: &Head, complete_length: Option<u64>) -> bool {
    if complete_length.is_none() || complete_length != kept.complete_length {
        return false;
    }
    // Servers make tags in their own ways: that two differ says nothing, that two strong ones agree does.
    let same_tag = kept.etag == head.etag && kept.etag.as_deref().is_some_and(is_strong_tag);
    let same_date = kept.last_modified == head.last_modified && kept.last_modified.is_some();
    source == Source::Proven || same_tag || same_date
}
