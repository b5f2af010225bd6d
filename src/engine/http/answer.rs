//! One answer, judged: may its body be used, from which byte on, and if not, what then?

use super::super::error::{ErrorCode, TaskError};
use super::content_range::{ContentRange, number};
use super::validator::{resumability, same_version};
use super::{Head, Representation, RestartReason, Resumability, RetryAfter};

/// What was asked, so that the answer can be held against it.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The first byte of `Range: bytes=start-`, or `None` for a request without `Range`.
    pub start: Option<u64>,
    /// Whether `If-Range` was sent.
    pub if_range: bool,
    /// The version whose bytes are kept, if any.
    pub kept: Option<&'a Representation>,
}

/// What to do with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Read the body.
    Body {
        /// What it is a part of.
        representation: Representation,
        /// The position of its first byte.
        start: u64,
        /// The position behind its last byte, if known.
        end: Option<u64>,
        /// Set if the kept bytes must go first.
        restart: Option<RestartReason>,
    },
    /// The file has no bytes.
    Empty(Representation),
    /// Ask once more.
    AskAgain {
        /// From now on without `Range`.
        without_range: bool,
        /// Set if the kept bytes must go first.
        restart: Option<RestartReason>,
    },
    /// Try again later.
    Retry(TaskError, Option<RetryAfter>),
    /// Give up.
    Fail(TaskError),
}

/// Judges the head of an answer (RFC 9110 sections 14 and 15).
pub fn judge(asked: &Asked<'_>, head: &Head) -> Verdict {
    match head.status {
        206 => partial(asked, head),
        200 => whole(asked, head),
        204 | 205 if asked.start.is_some_and(|start| start > 0) => changed(),
        204 | 205 => Verdict::Empty(describe(head, Some(0), Resumability::RestartOnly)),
        416 => unsatisfiable(asked, head),
        408 | 425 | 429 | 500 | 502 | 503 | 504 => {
            let after = head.retry_after.as_deref().and_then(RetryAfter::parse);
            Verdict::Retry(TaskError::status(head.status), after)
        }
        status => Verdict::Fail(TaskError::status(status)),
    }
}

fn describe(head: &Head, complete_length: Option<u64>, resumability: Resumability) -> Representation {
    Representation {
        complete_length,
        etag: head.etag.clone(),
        last_modified: head.last_modified.clone(),
        content_type: head.content_type.clone(),
        resumability,
    }
}

fn is_encoded(head: &Head) -> bool {
    head.content_encoding
        .as_deref()
        .is_some_and(|coding| !coding.trim().is_empty() && !coding.eq_ignore_ascii_case("identity"))
}

fn content_length(head: &Head) -> Option<u64> {
    head.content_length.as_deref().and_then(|value| number(value.trim()))
}

/// The answer cannot be trusted with ranges: ask for the whole file, and drop what is kept.
fn without_ranges(start: u64) -> Verdict {
    Verdict::AskAgain { without_range: true, restart: (start > 0).then_some(RestartReason::RangesRefused) }
}

fn changed() -> Verdict {
    Verdict::AskAgain { without_range: false, restart: Some(RestartReason::Changed) }
}

fn partial(asked: &Asked<'_>, head: &Head) -> Verdict {
    let Some(start) = asked.start else {
        return Verdict::Fail(TaskError::new(ErrorCode::BadContentRange));
    };
    let is_multipart = head
        .content_type
        .as_deref()
        .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("multipart/byteranges"));
    // Offsets into a coded body are not offsets into the file.
    if is_multipart || is_encoded(head) {
        return without_ranges(start);
    }
    let (range_end, complete_length) = match head.content_range.as_deref().map(ContentRange::parse) {
        Some(Some(ContentRange::Satisfied { range, complete_length })) if range.start == start => {
            (Some(range.end), complete_length)
        }
        // Hidden by CORS: `bytes=start-` was asked, so the body runs to the end of the file.
        None if !head.all_headers_readable => {
            let end = content_length(head).map(|length| start + length);
            (end, end)
        }
        _ => return without_ranges(start),
    };
    match asked.kept {
        Some(kept) if start > 0 => {
            if !same_version(kept, head, complete_length, asked.if_range) {
                return changed();
            }
            Verdict::Body { representation: kept.clone(), start, end: range_end, restart: None }
        }
        _ => {
            let resumability = resumability(head, complete_length);
            // A part of the file, or of who knows how much, is of no use if nothing can continue it.
            if resumability == Resumability::RestartOnly && (complete_length.is_none() || range_end != complete_length)
            {
                return without_ranges(start);
            }
            let representation = describe(head, complete_length, resumability);
            Verdict::Body { representation, start, end: range_end, restart: None }
        }
    }
}

fn whole(asked: &Asked<'_>, head: &Head) -> Verdict {
    // A request with `Range` asks for no coding, so its length is that of the bytes to come; without, a length
    // that CORS lets through may be that of a coded body whose coding it hides.
    let length_is_honest = !is_encoded(head) && (asked.start.is_some() || head.all_headers_readable);
    let complete_length = content_length(head).filter(|_| length_is_honest);
    let restart = asked.start.filter(|start| *start > 0).map(|_| {
        let same = asked.kept.is_some_and(|kept| kept.etag == head.etag && kept.last_modified == head.last_modified);
        if same { RestartReason::RangesRefused } else { RestartReason::Changed }
    });
    // A changed file's server may honour ranges: only the next `bytes=0-` would tell. A restart is safe either way.
    let representation = describe(head, complete_length, Resumability::RestartOnly);
    Verdict::Body { representation, start: 0, end: complete_length, restart }
}

fn unsatisfiable(asked: &Asked<'_>, head: &Head) -> Verdict {
    let Some(start) = asked.start else {
        return Verdict::Fail(TaskError::status(head.status));
    };
    match head.content_range.as_deref().and_then(ContentRange::parse) {
        Some(ContentRange::Unsatisfied { complete_length: 0 }) if start == 0 => {
            Verdict::Empty(describe(head, Some(0), Resumability::RestartOnly))
        }
        Some(ContentRange::Unsatisfied { complete_length })
            if start > 0 && asked.kept.is_some_and(|kept| kept.complete_length != Some(complete_length)) =>
        {
            changed()
        }
        _ => without_ranges(start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: u64 = 1000;

    fn kept() -> Representation {
        Representation {
            complete_length: Some(LENGTH),
            etag: Some("\"a\"".into()),
            last_modified: None,
            content_type: None,
            resumability: Resumability::Resumable,
        }
    }

    fn head(status: u16, content_range: Option<&str>, etag: Option<&str>) -> Head {
        Head {
            status,
            all_headers_readable: true,
            content_range: content_range.map(Into::into),
            etag: etag.map(Into::into),
            ..Head::default()
        }
    }

    fn first(head: &Head) -> Verdict {
        judge(&Asked { start: Some(0), if_range: false, kept: None }, head)
    }

    fn resume(head: &Head) -> Verdict {
        judge(&Asked { start: Some(400), if_range: true, kept: Some(&kept()) }, head)
    }

    #[test]
    fn the_first_answer_gives_the_verdict() {
        let Verdict::Body { representation, start: 0, end: Some(LENGTH), restart: None } =
            first(&head(206, Some("bytes 0-999/1000"), Some("\"a\"")))
        else {
            panic!("a body was expected");
        };
        assert_eq!(representation, kept());
    }

    #[test]
    fn a_resume_is_held_against_what_was_asked() {
        let good = resume(&head(206, Some("bytes 400-999/1000"), Some("\"a\"")));
        assert_eq!(good, Verdict::Body { representation: kept(), start: 400, end: Some(1000), restart: None });
        let shorter = resume(&head(206, Some("bytes 400-499/1000"), Some("\"a\"")));
        assert_eq!(shorter, Verdict::Body { representation: kept(), start: 400, end: Some(500), restart: None });
        for shifted in ["bytes 399-999/1000", "bytes 401-999/1000", "bytes 0-999/1000", "nonsense"] {
            assert_eq!(resume(&head(206, Some(shifted), Some("\"a\""))), without_ranges(400), "{shifted}");
        }
        assert_eq!(resume(&head(206, None, Some("\"a\""))), without_ranges(400), "at home it cannot be hidden");
        assert_eq!(resume(&head(206, Some("bytes 400-999/1000"), Some("\"b\""))), changed());
        assert_eq!(resume(&head(206, Some("bytes 400-1099/1100"), Some("\"a\""))), changed());
    }

    #[test]
    fn a_whole_answer_to_a_resume_starts_again_with_that_very_body() {
        let Verdict::Body { start: 0, restart: Some(RestartReason::Changed), .. } =
            resume(&head(200, None, Some("\"b\"")))
        else {
            panic!("the body is usable");
        };
        let Verdict::Body { start: 0, restart: Some(RestartReason::RangesRefused), .. } =
            resume(&head(200, None, Some("\"a\"")))
        else {
            panic!("the body is usable");
        };
    }

    #[test]
    fn unsatisfiable_means_empty_changed_or_no_ranges() {
        assert!(matches!(first(&head(416, Some("bytes */0"), None)), Verdict::Empty(_)));
        assert_eq!(first(&head(416, None, None)), without_ranges(0));
        assert_eq!(resume(&head(416, Some("bytes */300"), None)), changed());
        assert_eq!(resume(&head(416, Some("bytes */1000"), None)), without_ranges(400));
        assert_eq!(resume(&head(416, None, None)), without_ranges(400));
        let plain = judge(&Asked { start: None, if_range: false, kept: None }, &head(416, None, None));
        assert_eq!(plain, Verdict::Fail(TaskError::status(416)));
    }

    #[test]
    fn coded_and_multipart_bodies_have_no_usable_offsets() {
        let coded = Head { content_encoding: Some("gzip".into()), ..head(206, Some("bytes 0-999/1000"), None) };
        assert_eq!(first(&coded), without_ranges(0));
        let multipart = Head { content_type: Some("multipart/byteranges; boundary=x".into()), ..head(206, None, None) };
        assert_eq!(first(&multipart), without_ranges(0));
        let whole =
            Head { content_encoding: Some("gzip".into()), content_length: Some("77".into()), ..head(200, None, None) };
        let Verdict::Body { representation, end: None, .. } = first(&whole) else { panic!("a body was expected") };
        assert_eq!(representation.complete_length, None, "77 is the length of the coded bytes");
    }

    #[test]
    fn a_hidden_content_range_is_lived_with_across_origins() {
        let hidden = Head {
            all_headers_readable: false,
            content_length: Some("600".into()),
            last_modified: Some("monday".into()),
            ..head(206, None, None)
        };
        let weak = Representation { etag: None, last_modified: Some("monday".into()), ..kept() };
        let asked = Asked { start: Some(400), if_range: false, kept: Some(&weak) };
        assert!(matches!(judge(&asked, &hidden), Verdict::Body { start: 400, end: Some(1000), restart: None, .. }));
        let newer = Head { last_modified: Some("tuesday".into()), ..hidden };
        assert_eq!(judge(&asked, &newer), changed());
    }

    #[test]
    fn passing_troubles_are_retried_and_lasting_ones_are_not() {
        let busy = Head { retry_after: Some("3".into()), ..head(503, None, None) };
        assert_eq!(first(&busy), Verdict::Retry(TaskError::status(503), Some(RetryAfter::DelayMs(3_000))));
        for status in [301, 304, 400, 401, 403, 404, 410, 501] {
            assert_eq!(first(&head(status, None, None)), Verdict::Fail(TaskError::status(status)));
        }
    }
}
