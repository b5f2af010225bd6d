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
    /// Whether the server has no more than parts to give: then one is taken that only the next ones may continue.
    pub only_parts: bool,
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
        // Also what a proxy has changed (203), what was made for this request (201, 202) and what is the result of
        // something (226) is the file as it is to be had. Where that was made without any bytes, it is elsewhere, or to come.
        201 | 202 if content_length(head) == Some(0) => Verdict::Fail(TaskError::status(head.status)),
        200..=203 | 226 => whole(asked, head),
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

/// The content codings that browsers decode (RFC 9110 section 8.4.1, RFC 7932, RFC 8878). Anything else in
/// `Content-Encoding` (`aws-chunked`, `UTF-8`, `binary`) leaves the bytes as they are, and their length honest.
const CODINGS: [&str; 5] = ["gzip", "x-gzip", "deflate", "br", "zstd"];

/// Whether the browser hands out other bytes than came (RFC 9110 section 8.4).
pub fn is_coded(head: &Head) -> bool {
    let mut codings = head.content_encoding.as_deref().unwrap_or_default().split(',').map(str::trim);
    codings.any(|coding| CODINGS.iter().any(|known| coding.eq_ignore_ascii_case(known)))
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
pub(super) fn whole(asked: &Asked<'_>, head: &Head) -> Verdict {
    let is_coded = is_coded(head);
    // A request with `Range` asks for no coding, so its length is that of the bytes to come; without, a length
    // that CORS lets through may be that of a coded body whose coding it hides.
    let length_is_honest = !is_coded && (asked.range.is_some() || head.all_headers_readable);
    // No bytes are none in any coding.
    let complete_length = content_length(head).filter(|length| length_is_honest || *length == 0);
    if complete_length == Some(0) {
        return empty(asked, head);
    }
    let start = asked.range.map_or(0, |range| range.start);
    let mut restart = None;
    if let Some(kept) = asked.kept {
        // From the first byte of the kept version on, every byte has its place. A request without `Range`, unless it is a
        // refresh, was sent because of what a range did: it brings the whole file once more.
        let is_once_more = asked.range.is_none() && !asked.conditional;
        if start == 0
            && !is_once_more
            && !is_coded
            && kept.complete_length != Some(0)
            && agrees(kept, head, complete_length, false)
        {
            return Verdict::Body { representation: kept.clone(), start: 0, end: kept.complete_length, restart };
        }
        let looks_same = kept.etag == head.etag && kept.last_modified == head.last_modified;
        restart = Some(match looks_same {
            true if start > 0 || asked.range.is_none() => RestartReason::RangesRefused,
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

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::option::of;
    use proptest::prelude::*;

    use super::*;

    const OPEN: Option<AskedRange> = Some(AskedRange { start: 0, end: None });
    const RESUME: Option<AskedRange> = Some(AskedRange { start: 400, end: None });
    const SEGMENT: Option<AskedRange> = Some(AskedRange { start: 400, end: Some(600) });

    fn kept() -> Representation {
        Representation {
            complete_length: Some(1000),
            etag: Some("\"a\"".into()),
            resumability: Resumability::Resumable,
            reason: VerdictReason::StrongTag,
            same_origin: true,
            ..Representation::default()
        }
    }

    fn head(status: u16, content_length: Option<&str>, etag: Option<&str>) -> Head {
        Head {
            status,
            all_headers_readable: true,
            content_length: content_length.map(Into::into),
            etag: etag.map(Into::into),
            ..Head::default()
        }
    }

    fn asked(range: Option<AskedRange>, kept: Option<&Representation>) -> Asked<'_> {
        Asked { range, if_range: kept.is_some(), conditional: false, kept, only_parts: false, source: Source::Origin }
    }

    fn first(head: &Head) -> Verdict {
        judge(&asked(OPEN, None), head)
    }

    #[track_caller]
    #[allow(clippy::panic, reason = "a test's helper: panicking is how it reports")]
    fn body(verdict: Verdict) -> (Representation, Option<u64>, Option<RestartReason>) {
        match verdict {
            Verdict::Body { representation, start: 0, end, restart } => (representation, end, restart),
            other => panic!("a body from the first byte on was expected: {other:?}"),
        }
    }

    #[test]
    fn a_whole_answer_tells_what_there_is_to_tell() {
        let (known, end, restart) = body(first(&head(200, Some("1000"), Some("\"a\""))));
        assert_eq!((end, restart), (Some(1000), None));
        assert_eq!((known.resumability, known.reason), (Resumability::RestartOnly, VerdictReason::RangesIgnored));
        let (known, end, _) = body(first(&head(200, None, Some("\"a\""))));
        assert_eq!((known.complete_length, end), (None, None));
        assert_eq!((known.resumability, known.reason), (Resumability::SizeUnknown, VerdictReason::LengthUntold));
        let coded = Head { content_encoding: Some("gzip".into()), ..head(200, Some("77"), None) };
        let (known, end, _) = body(first(&coded));
        assert_eq!((known.complete_length, end), (None, None), "77 is the length of the coded bytes");
        assert_eq!((known.resumability, known.reason), (Resumability::SizeUnknown, VerdictReason::Coded));
    }

    #[test]
    fn a_length_is_believed_where_no_coding_can_hide() {
        let plain = asked(None, None);
        let away = Head { all_headers_readable: false, ..head(200, Some("1000"), None) };
        assert_eq!(body(judge(&plain, &away)).1, None);
        assert_eq!(body(judge(&asked(OPEN, None), &away)).1, Some(1000), "Range asks for no coding");
        assert_eq!(body(judge(&plain, &head(200, Some("1000"), None))).1, Some(1000));
        for (lie, expected) in
            [("1000, 1000", Some(1000)), ("1000, 1001", None), ("-1", None), ("9007199254740992", None)]
        {
            assert_eq!(body(first(&head(200, Some(lie), None))).1, expected, "{lie}");
        }
    }

    #[test]
    fn a_whole_answer_to_a_resume_starts_again_with_that_very_body() {
        let old = kept();
        for range in [RESUME, SEGMENT] {
            let (known, end, restart) = body(judge(&asked(range, Some(&old)), &head(200, Some("900"), Some("\"b\""))));
            assert_eq!((end, restart), (Some(900), Some(RestartReason::Changed)));
            assert_eq!(known.resumability, Resumability::Resumable, "that is how If-Range says no");
            let (known, _, restart) = body(judge(&asked(range, Some(&old)), &head(200, Some("1000"), Some("\"a\""))));
            assert_eq!(restart, Some(RestartReason::RangesRefused));
            assert_eq!(known.reason, VerdictReason::RangesIgnored);
            let unconditional = Asked { if_range: false, ..asked(range, Some(&old)) };
            let (known, ..) = body(judge(&unconditional, &head(200, Some("900"), Some("\"b\""))));
            assert_eq!(known.reason, VerdictReason::RangesIgnored, "nothing says that ranges are honoured");
        }
    }

    #[test]
    fn a_whole_answer_from_the_start_is_held_against_bytes_that_others_have() {
        let old = kept();
        let (known, end, restart) = body(judge(&asked(OPEN, Some(&old)), &head(200, Some("1000"), Some("\"a\""))));
        assert_eq!((known, end, restart), (kept(), Some(1000), None), "every byte has its place");
        let (_, _, restart) = body(judge(&asked(OPEN, Some(&old)), &head(200, Some("1000"), Some("\"b\""))));
        assert_eq!(restart, Some(RestartReason::Changed));
        let nameless = Representation { etag: None, ..kept() };
        let (_, _, restart) = body(judge(&asked(OPEN, Some(&nameless)), &head(200, Some("1000"), None)));
        assert_eq!(restart, Some(RestartReason::NotResumable), "nothing proves that they belong together");
    }

    #[test]
    fn a_refresh_finds_the_same_or_another_version() {
        let old = kept();
        let refresh = Asked {
            range: None,
            if_range: false,
            conditional: true,
            kept: Some(&old),
            only_parts: false,
            source: Source::Origin,
        };
        assert_eq!(judge(&refresh, &head(304, None, Some("\"a\""))), Verdict::NotModified);
        let (_, _, restart) = body(judge(&refresh, &head(200, Some("1000"), Some("\"b\""))));
        assert_eq!(restart, Some(RestartReason::Changed));
        let (known, _, restart) = body(judge(&refresh, &head(200, Some("1000"), Some("\"a\""))));
        assert_eq!((known, restart), (kept(), None), "sent again although it is the same");
        assert_eq!(judge(&asked(None, Some(&old)), &head(304, None, None)), Verdict::Fail(TaskError::status(304)));
    }

    #[test]
    fn an_empty_file_is_complete_and_an_emptied_one_has_changed() {
        for empty in [head(200, Some("0"), None), head(204, None, None), head(205, None, None)] {
            for range in [OPEN, None] {
                let Verdict::Empty(known) = judge(&asked(range, None), &empty) else { panic!("{empty:?}") };
                assert_eq!((known.complete_length, known.reason), (Some(0), VerdictReason::Empty));
            }
            let old = kept();
            for range in [OPEN, RESUME, SEGMENT] {
                assert_eq!(judge(&asked(range, Some(&old)), &empty), changed());
            }
            let was_empty = Representation { complete_length: Some(0), ..kept() };
            assert!(matches!(judge(&asked(OPEN, Some(&was_empty)), &empty), Verdict::Empty(_)));
        }
    }

    #[test]
    fn what_is_missing_may_be_credentials() {
        for status in [401, 403] {
            assert_eq!(first(&head(status, None, None)), Verdict::Unauthorized(TaskError::status(status)));
        }
    }

    #[test]
    fn passing_troubles_are_retried_and_lasting_ones_are_not() {
        let busy = Head { retry_after: Some("3".into()), ..head(503, None, None) };
        assert_eq!(first(&busy), Verdict::Retry(TaskError::status(503), Some(RetryAfter::DelayMs(3_000))));
        let until = "Sun Nov  6 08:49:37 1994".to_owned();
        let dated = Head { date: Some("Sunday, 06-Nov-94 08:49:30 GMT".into()), retry_after: Some(until), ..busy };
        assert_eq!(first(&dated), Verdict::Retry(TaskError::status(503), Some(RetryAfter::DelayMs(7_000))));
        for status in [407, 408, 421, 425, 429, 500, 502, 503, 504, 511, 520, 522, 530] {
            assert_eq!(first(&head(status, None, None)), Verdict::Retry(TaskError::status(status), None));
        }
        for status in [0, 207, 301, 304, 400, 404, 405, 410, 412, 451, 501, 505, 519, 531] {
            assert_eq!(first(&head(status, None, None)), Verdict::Fail(TaskError::status(status)));
        }
    }

    #[test]
    fn other_successes_are_the_file_as_it_is_to_be_had() {
        for status in [201, 202, 203, 226] {
            let (representation, end, _) = body(first(&head(status, Some("1000"), Some("\"a\""))));
            assert_eq!((end, representation.is_resumable()), (Some(1000), false), "{status}");
        }
    }

    #[test]
    fn only_what_browsers_decode_is_a_coding() {
        let length = |coding: &str| {
            let coded = Head { content_encoding: Some(coding.into()), ..head(200, Some("1000"), None) };
            body(first(&coded)).0.complete_length
        };
        for coding in ["aws-chunked", "UTF-8", "none", "binary", "identity", "", "aws-chunked, identity"] {
            assert_eq!(length(coding), Some(1000), "{coding}");
        }
        for coding in ["gzip", "GZIP", "x-gzip", "deflate", "br", "zstd", "aws-chunked, gzip", "identity,gzip"] {
            assert_eq!(length(coding), None, "{coding}");
        }
    }

    #[test]
    fn the_answer_suggests_a_name() {
        let named = Head {
            content_disposition: Some("attachment; filename=\"../a.mp3\"".into()),
            ..head(200, Some("1000"), None)
        };
        assert_eq!(body(first(&named)).0.file_name.as_deref(), Some("a.mp3"));
    }

    fn any_validator() -> impl Strategy<Value = Option<String>> {
        of(prop_oneof!["(W/)?\"[ab]\"", "\\PC{0,6}", Just("Sun, 06 Nov 1994 08:49:37 GMT".to_owned())])
    }

    fn any_head() -> impl Strategy<Value = Head> {
        let status = prop_oneof![Just(200), Just(206), Just(416), Just(204), any::<u16>()];
        let number = prop_oneof![0u64..12, any::<u64>()];
        let range = (number.clone(), number.clone(), of(number.clone())).prop_map(|(first, last, total)| {
            let total = total.map_or_else(|| "*".to_owned(), |total| total.to_string());
            if first == 11 { format!("bytes */{total}") } else { format!("bytes {first}-{last}/{total}") }
        });
        let content_range = of(prop_oneof![4 => range, 1 => "\\PC{0,20}".boxed()]);
        let content_length = of(prop_oneof![4 => number.prop_map(|len| len.to_string()), 1 => "\\PC{0,9}".boxed()]);
        let others = (of("\\PC{0,20}"), of("(identity|gzip|, )?"), any_validator(), any_validator(), of("\\PC{0,40}"));
        (status, any::<bool>(), content_range, content_length, others).prop_map(
            |(status, all_headers_readable, content_range, content_length, (text, coding, etag, modified, name))| {
                Head {
                    status,
                    all_headers_readable,
                    content_range,
                    content_length,
                    content_encoding: coding,
                    content_type: text.clone(),
                    content_disposition: name,
                    etag,
                    date: text.clone(),
                    last_modified: modified,
                    retry_after: text,
                    ..Head::default()
                }
            },
        )
    }

    proptest! {
        #[test]
        fn whatever_comes_the_verdict_is_possible(
            head in any_head(),
            range in of((0u64..12, of(1u64..12))),
            known in of((of(1u64..12), any_validator(), any_validator(), any::<bool>())),
            (if_range, conditional) in any::<(bool, bool)>(),
            source in prop_oneof![Just(Source::Origin), Just(Source::Mirror), Just(Source::Proven)],
        ) {
            let range = range.map(|(start, len)| AskedRange { start, end: len.map(|len| start + len) });
            let kept = known.map(|(complete_length, etag, last_modified, last_modified_is_strong)| {
                let resumability =
                    if complete_length.is_some() { Resumability::Resumable } else { Resumability::SizeUnknown };
                Representation {
                    complete_length, etag, last_modified, last_modified_is_strong, resumability, ..kept()
                }
            });
            let asked = Asked { range, if_range, conditional, kept: kept.as_ref(), only_parts: false, source };
            let verdict = judge(&asked, &head);
            let drops_bytes = match &verdict {
                Verdict::Body { representation, start, end, restart } => {
                    let asked_start = range.map_or(0, |range| range.start);
                    let length = representation.complete_length;
                    prop_assert!(*start == asked_start || (*start == 0 && restart.is_some()));
                    prop_assert!(end.is_none_or(|end| *start < end && end <= 1 << 53));
                    prop_assert!(length.is_none_or(|length| end.is_none_or(|end| end <= length)));
                    prop_assert!(restart.is_some() || kept.as_ref().is_none_or(|kept| {
                        kept == representation || (*start == 0 && !kept.is_resumable())
                    }), "bytes of two versions");
                    prop_assert!(!representation.is_resumable() || length.is_some());
                    restart.is_some()
                }
                Verdict::Empty(representation) => {
                    prop_assert_eq!(representation.complete_length, Some(0));
                    false
                }
                Verdict::NotModified => {
                    prop_assert!(conditional);
                    false
                }
                Verdict::AskAgain { restart, without_range } => {
                    prop_assert!(!without_range || range.is_some(), "it would be asked the same again");
                    restart.is_some()
                }
                _ => false,
            };
            prop_assert!(source == Source::Origin || kept.is_none() || !drops_bytes, "a mirror drops nothing");
        }
    }
}
