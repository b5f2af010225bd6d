//! Answers about ranges: 206 and 416 (RFC 9110 sections 14.4, 15.3.7 and 15.5.17).

use super::super::error::{ErrorCode, TaskError};
use super::answer::{Asked, AskedRange, Verdict, changed, content_length, is_coded, whole, without_ranges};
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

/// Whether the answer to a request without `Range` is all of the file, although the server calls it a part. Where CORS hides
/// what it is a part of, it may be less.
fn is_all(head: &Head) -> bool {
    match &head.content_range {
        Some(_) => {
            part(AskedRange { start: 0, end: None }, None, head).is_some_and(|part| part.end == part.complete_length)
        }
        None => head.all_headers_readable && content_length(head).is_some() && !is_multipart(head),
    }
}

fn is_multipart(head: &Head) -> bool {
    const KIND: &str = "multipart/byteranges";
    let kind = head.content_type.as_deref().map(str::trim_start);
    kind.and_then(|kind| kind.get(..KIND.len())).is_some_and(|kind| kind.eq_ignore_ascii_case(KIND))
}

/// Whether the answer is a part of what is longer, with a total that can be read. A server with parts like that may have no more.
pub fn is_bare_part(head: &Head) -> bool {
    let part = part(AskedRange { start: 0, end: None }, None, head).filter(|_| head.status == 206);
    part.is_some_and(|part| part.complete_length.is_some() && part.complete_length != part.end)
}

/// Whether CORS hides what the answer is a part of. The length of a part from the first byte on is all that tells the complete
/// length then.
pub fn hides_length(head: &Head) -> bool {
    head.status == 206 && !head.all_headers_readable && head.content_range.is_none()
}

/// Whether the file ends where it was assumed to, as the answer shows to a request for its last byte and one more, or for what
/// lies `behind` it; `None` if it shows neither, or is of another version: it `agrees`, or its validators are the same.
pub fn ends(kept: &Representation, behind: bool, agrees: bool, head: &Head) -> Option<bool> {
    let len = content_length(head);
    let is_all = len.is_some() && len == kept.complete_length && !is_coded(head);
    match head.status {
        // It may carry no validators.
        416 if behind => Some(true),
        _ if !agrees && !looks_same(kept, head) => None,
        206 => Some(len == Some(1) && !behind),
        200 if is_all => Some(true),
        _ => None,
    }
}

fn looks_same(kept: &Representation, head: &Head) -> bool {
    kept.etag == head.etag && kept.last_modified == head.last_modified
}

/// Whether nothing tells another version from the kept one. No proof: it is asked of parts of which one follows the other, or
/// whose bytes a digest will prove.
fn looks_the_same(kept: &Representation, head: &Head, complete_length: Option<u64>) -> bool {
    let is_as_long = complete_length.is_some() && complete_length == kept.complete_length;
    is_as_long && looks_same(kept, head)
}

/// Judges a 206.
pub(super) fn partial(asked: &Asked<'_>, head: &Head) -> Verdict {
    let Some(range) = asked.range else {
        if is_all(head) {
            return whole(asked, head);
        }
        return Verdict::Fail(TaskError::new(ErrorCode::BadContentRange));
    };
    let Some(Part { end, complete_length }) = part(range, asked.kept, head) else {
        return without_ranges(asked);
    };
    let start = range.start;
    let mut restart = None;
    if let Some(kept) = asked.kept {
        let is_behind = asked.only_parts && kept.complete_length == Some(start);
        if is_behind && hides_length(head) && looks_same(kept, head) {
            let representation = Representation { complete_length, ..kept.clone() };
            return Verdict::Body { representation, start, end, restart };
        }
        let is_inside = end.is_none_or(|end| kept.complete_length.is_none_or(|length| end <= length));
        let is_next_part = asked.only_parts && start > 0 && looks_the_same(kept, head, complete_length);
        if is_inside && (is_next_part || agrees(kept, head, complete_length, asked.if_range)) {
            // What was not known to be resumable may be now, if this is its beginning.
            if start > 0 || kept.is_resumable() {
                return Verdict::Body { representation: kept.clone(), start, end, restart };
            }
        } else if start > 0 && hides_length(head) && looks_same(kept, head) {
            // It is no part of the file that was asked for.
            return without_ranges(asked);
        } else if start > 0 || range.end.is_some() {
            return changed();
        } else {
            restart = Some(RestartReason::Changed);
        }
    }
    let representation = describe(head, complete_length, resumability(head, complete_length));
    // A part of the file, or of who knows how much, is of no use if nothing can continue it.
    let is_whole = start == 0 && complete_length.is_some() && end == complete_length;
    let is_one_of_parts = asked.only_parts && complete_length.is_some();
    if !representation.is_resumable() && !is_whole && !is_one_of_parts {
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

#[cfg(test)]
mod tests {
    use super::super::{Source, judge};
    use super::*;

    const LENGTH: u64 = 1000;

    fn kept() -> Representation {
        Representation {
            complete_length: Some(LENGTH),
            etag: Some("\"a\"".into()),
            resumability: Resumability::Resumable,
            reason: VerdictReason::StrongTag,
            same_origin: true,
            ..Representation::default()
        }
    }

    /// What is kept of a file across origins: no tag could be read.
    fn kept_by_date() -> Representation {
        Representation {
            etag: None,
            last_modified: Some("monday".into()),
            resumability: Resumability::ResumableByComparison,
            reason: VerdictReason::DateAndLength,
            same_origin: false,
            ..kept()
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

    fn hidden(content_length: Option<u64>, last_modified: &str) -> Head {
        Head {
            all_headers_readable: false,
            content_length: content_length.map(|len| len.to_string()),
            last_modified: Some(last_modified.into()),
            ..head(206, None, None)
        }
    }

    fn ask(start: u64, end: Option<u64>, kept: Option<&Representation>, head: &Head) -> Verdict {
        let range = Some(AskedRange { start, end });
        let if_range = kept.is_some_and(|kept| kept.same_origin);
        judge(&Asked { range, if_range, conditional: false, kept, only_parts: false, source: Source::Origin }, head)
    }

    fn first(head: &Head) -> Verdict {
        ask(0, None, None, head)
    }

    fn resume(head: &Head) -> Verdict {
        ask(400, None, Some(&kept()), head)
    }

    fn body(of: Representation, start: u64, end: u64) -> Verdict {
        Verdict::Body { representation: of, start, end: Some(end), restart: None }
    }

    fn whole_file(restart: Option<RestartReason>) -> Verdict {
        Verdict::AskAgain { without_range: true, restart }
    }

    const REFUSED: Option<RestartReason> = Some(RestartReason::RangesRefused);

    #[test]
    fn the_first_answer_gives_the_verdict() {
        assert_eq!(first(&head(206, Some("bytes 0-999/1000"), Some("\"a\""))), body(kept(), 0, 1000));
        let cut_short = first(&head(206, Some("bytes 0-99/1000"), Some("\"a\"")));
        assert_eq!(cut_short, body(kept(), 0, 100), "a server may send less than was asked for");
    }

    #[test]
    fn a_part_that_nothing_can_continue_is_not_begun() {
        assert_eq!(first(&head(206, Some("bytes 0-99/1000"), None)), whole_file(None));
        assert_eq!(first(&head(206, Some("bytes 0-99/*"), Some("\"a\""))), whole_file(None));
        let all = first(&head(206, Some("bytes 0-999/1000"), None));
        assert!(matches!(all, Verdict::Body { end: Some(LENGTH), .. }), "all of it is as good as a 200");
    }

    #[test]
    fn a_resume_is_held_against_what_was_asked() {
        let good = resume(&head(206, Some("bytes 400-999/1000"), Some("\"a\"")));
        assert_eq!(good, body(kept(), 400, 1000));
        let shorter = resume(&head(206, Some("bytes 400-499/1000"), Some("\"a\"")));
        assert_eq!(shorter, body(kept(), 400, 500));
        for shifted in ["bytes 399-999/1000", "bytes 401-999/1000", "bytes 0-999/1000", "nonsense", ""] {
            assert_eq!(resume(&head(206, Some(shifted), Some("\"a\""))), whole_file(REFUSED), "{shifted}");
        }
        assert_eq!(resume(&head(206, None, Some("\"a\""))), whole_file(REFUSED), "at home it cannot be hidden");
        assert_eq!(resume(&head(206, Some("bytes 400-999/1000"), Some("\"b\""))), changed());
        assert_eq!(resume(&head(206, Some("bytes 400-1099/1100"), Some("\"a\""))), changed());
    }

    #[test]
    fn a_bounded_range_may_end_elsewhere_but_begins_where_it_was_asked_to() {
        let segment = |range: &str| ask(400, Some(600), Some(&kept()), &head(206, Some(range), Some("\"a\"")));
        assert_eq!(segment("bytes 400-599/1000"), body(kept(), 400, 600));
        assert_eq!(segment("bytes 400-499/1000"), body(kept(), 400, 500), "shorter");
        assert_eq!(segment("bytes 400-999/1000"), body(kept(), 400, 1000), "longer: the asker stops in time");
        assert_eq!(segment("bytes 400-599/*"), body(kept(), 400, 600), "the strong tag is enough");
        assert_eq!(segment("bytes 399-599/1000"), whole_file(REFUSED), "earlier");
        assert_eq!(segment("bytes 401-599/1000"), whole_file(REFUSED), "later");
        assert_eq!(segment("bytes 400-599/1001"), changed());
        assert_eq!(segment("bytes 400-1000/*"), changed(), "more than the file had");
    }

    #[test]
    fn the_first_bytes_are_held_against_bytes_that_others_have() {
        let segment = |etag| ask(0, Some(200), Some(&kept()), &head(206, Some("bytes 0-199/1000"), Some(etag)));
        assert_eq!(segment("\"a\""), body(kept(), 0, 200));
        assert_eq!(segment("\"b\""), changed());
        let open = ask(0, None, Some(&kept()), &head(206, Some("bytes 0-999/1000"), Some("\"b\"")));
        let Verdict::Body { representation, start: 0, restart: Some(RestartReason::Changed), .. } = open else {
            panic!("the new version can be read at once: {open:?}");
        };
        assert_eq!(representation.etag.as_deref(), Some("\"b\""));
        let refused = ask(0, None, Some(&kept()), &head(206, Some("bytes 1-999/1000"), Some("\"a\"")));
        assert_eq!(refused, whole_file(REFUSED), "the kept bytes go when ranges cannot be trusted");
    }

    #[test]
    fn what_was_not_known_to_be_resumable_may_be_now() {
        let ignored =
            Representation { resumability: Resumability::RestartOnly, reason: VerdictReason::RangesIgnored, ..kept() };
        let again = ask(0, None, Some(&ignored), &head(206, Some("bytes 0-999/1000"), Some("\"a\"")));
        assert_eq!(again, body(kept(), 0, 1000));
    }

    #[test]
    fn a_length_that_contradicts_the_range_spoils_both() {
        let told = |len: &str| Head {
            content_length: Some(len.into()),
            ..head(206, Some("bytes 400-999/1000"), Some("\"a\""))
        };
        assert_eq!(resume(&told("600")), body(kept(), 400, 1000));
        assert_eq!(resume(&told("600, 600")), body(kept(), 400, 1000), "sent twice");
        for lie in ["599", "601", "0"] {
            assert_eq!(resume(&told(lie)), whole_file(REFUSED), "{lie}");
        }
    }

    #[test]
    fn coded_and_multipart_bodies_have_no_usable_offsets() {
        let of = |coding: &str, kind: &str| Head {
            content_encoding: Some(coding.into()),
            content_type: Some(kind.into()),
            ..head(206, Some("bytes 0-999/1000"), Some("\"a\""))
        };
        assert_eq!(first(&of("gzip", "text/plain")), whole_file(None));
        assert_eq!(first(&of("identity, br", "text/plain")), whole_file(None));
        assert_eq!(first(&of("", "Multipart/ByteRanges; boundary=x")), whole_file(None));
        assert!(matches!(first(&of("identity", "multipart/mixed")), Verdict::Body { .. }));
    }

    #[test]
    fn a_206_to_a_request_without_range_is_the_file_only_if_it_is_all_of_it() {
        let asked = Asked {
            range: None,
            if_range: false,
            conditional: false,
            kept: None,
            only_parts: false,
            source: Source::Origin,
        };
        let ask = |len: Option<&str>, range: Option<&str>, all_headers_readable| {
            let content_length = len.map(Into::into);
            judge(&asked, &Head { content_length, all_headers_readable, ..head(206, range, Some("\"a\"")) })
        };
        for (len, range) in [(Some("1000"), Some("bytes 0-999/1000")), (Some("1000"), None)] {
            let Verdict::Body { representation, start, end, .. } = ask(len, range, true) else { panic!("{range:?}") };
            let found = (start, end, representation.complete_length, representation.is_resumable());
            assert_eq!(found, (0, Some(1000), Some(1000), false), "{range:?}");
        }
        for (len, range, readable) in [
            (Some("500"), Some("bytes 0-499/1000"), true),
            (Some("500"), Some("bytes 500-999/1000"), true),
            (Some("1000"), Some("bytes 0-1000/1000"), true),
            (None, None, true),
            (Some("1000"), None, false),
        ] {
            let refused = Verdict::Fail(TaskError::new(ErrorCode::BadContentRange));
            assert_eq!(ask(len, range, readable), refused, "{range:?} {readable}");
        }
    }

    #[test]
    fn a_hidden_range_that_runs_to_the_end_is_known_by_its_length() {
        let old = kept_by_date();
        let resume = |head: &Head| ask(400, None, Some(&old), head);
        assert_eq!(resume(&hidden(Some(600), "monday")), body(old.clone(), 400, 1000));
        assert_eq!(resume(&hidden(Some(600), "tuesday")), changed());
        assert_eq!(resume(&hidden(Some(599), "monday")), whole_file(REFUSED));
        assert_eq!(resume(&hidden(Some(1000), "monday")), whole_file(REFUSED), "the range was ignored");
        assert_eq!(resume(&hidden(None, "monday")), whole_file(REFUSED), "nothing to hold it against");
        assert_eq!(resume(&hidden(Some(0), "monday")), whole_file(REFUSED), "no part is empty");
        assert_eq!(resume(&hidden(Some(LARGEST_POSITION - 1), "monday")), whole_file(REFUSED));
        let begun = first(&hidden(Some(1000), "monday"));
        assert_eq!(begun, body(old, 0, 1000));
    }

    #[test]
    fn a_hidden_bounded_range_is_as_long_as_asked_or_runs_to_the_end() {
        let old = kept_by_date();
        let segment = |start, end, head: &Head| ask(start, Some(end), Some(&old), head);
        assert_eq!(segment(400, 600, &hidden(Some(200), "monday")), body(old.clone(), 400, 600));
        assert_eq!(segment(0, 600, &hidden(Some(600), "monday")), body(old.clone(), 0, 600));
        assert_eq!(
            segment(900, 1200, &hidden(Some(100), "monday")),
            body(old.clone(), 900, 1000),
            "the file ends before"
        );
        assert_eq!(
            segment(400, 600, &hidden(Some(600), "monday")),
            body(old.clone(), 400, 1000),
            "the end was ignored"
        );
        for (start, end, len) in [(400, 600, 199), (400, 600, 201), (900, 1200, 300)] {
            assert_eq!(segment(start, end, &hidden(Some(len), "monday")), whole_file(REFUSED), "{start}-{end}: {len}");
        }
        assert_eq!(segment(0, 600, &hidden(Some(599), "monday")), changed());
        assert_eq!(segment(400, 600, &hidden(Some(200), "tuesday")), changed());
        assert_eq!(segment(400, 600, &hidden(None, "monday")), whole_file(REFUSED));
        assert_eq!(ask(0, Some(600), None, &hidden(Some(600), "monday")), whole_file(None), "of how much?");
    }

    #[test]
    fn unsatisfiable_means_empty_changed_or_no_ranges() {
        assert!(matches!(first(&head(416, Some("bytes */0"), None)), Verdict::Empty(_)));
        assert_eq!(first(&head(416, None, None)), whole_file(None));
        assert_eq!(first(&head(416, Some("bytes */1000"), None)), whole_file(None));
        assert_eq!(first(&head(416, Some("bytes 0-999/1000"), None)), whole_file(None));
        assert_eq!(resume(&head(416, Some("bytes */300"), None)), changed());
        assert_eq!(resume(&head(416, Some("bytes */0"), None)), changed());
        assert_eq!(ask(0, None, Some(&kept()), &head(416, Some("bytes */0"), None)), changed());
        assert_eq!(resume(&head(416, Some("bytes */1000"), None)), whole_file(REFUSED));
        assert_eq!(resume(&head(416, None, None)), whole_file(REFUSED));
        let plain = Asked {
            range: None,
            if_range: false,
            conditional: false,
            kept: None,
            only_parts: false,
            source: Source::Origin,
        };
        assert_eq!(judge(&plain, &head(416, None, None)), Verdict::Fail(TaskError::status(416)));
    }

    #[test]
    fn unsatisfiable_at_the_exact_end_loses_nothing() {
        let at_the_end = ask(LENGTH, None, Some(&kept()), &head(416, Some("bytes */1000"), None));
        assert_eq!(at_the_end, Verdict::AskAgain { without_range: false, restart: None });
        assert_eq!(ask(LENGTH, None, Some(&kept()), &head(416, Some("bytes */1001"), None)), changed());
    }

    #[test]
    fn positions_up_to_2_to_the_53rd_are_exact() {
        let last = LARGEST_POSITION - 2;
        let range = format!("bytes {}-{last}/{}", last - 9, last + 1);
        let large = Representation { complete_length: Some(last + 1), ..kept() };
        let verdict = ask(last - 9, None, Some(&large), &head(206, Some(&range), Some("\"a\"")));
        assert_eq!(verdict, body(large, last - 9, last + 1));
    }
}
