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
    // A length that the answer does not tell is not taken from what is kept: it would agree with itself.
    let is_proven = asked.source == Source::Proven;
    match part(range, asked.kept.filter(|_| is_proven), head) {
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

#[cfg(test)]
mod tests {
    use super::super::super::error::TaskError;
    use super::super::{AskedRange, judge};
    use super::*;

    fn kept() -> Representation {
        Representation {
            complete_length: Some(1000),
            etag: Some("\"a\"".into()),
            last_modified: Some("monday".into()),
            same_origin: true,
            ..Representation::default()
        }
    }

    fn head(etag: Option<&str>, last_modified: Option<&str>, content_range: &str) -> Head {
        Head {
            status: 206,
            content_range: Some(content_range.into()),
            etag: etag.map(Into::into),
            last_modified: last_modified.map(Into::into),
            ..Head::default()
        }
    }

    fn ask(source: Source, kept: Option<&Representation>, head: &Head) -> Verdict {
        let range = Some(AskedRange { start: 400, end: Some(600) });
        judge(&Asked { range, if_range: false, conditional: false, kept, only_parts: false, source }, head)
    }

    fn accepted() -> Verdict {
        Verdict::Body { representation: kept(), start: 400, end: Some(600), restart: None }
    }

    const PART: &str = "bytes 400-599/1000";

    #[test]
    fn a_mirror_agrees_by_strong_tag_or_by_date_and_length() {
        let mirror = |etag, date, range| ask(Source::Mirror, Some(&kept()), &head(etag, date, range));
        assert_eq!(mirror(Some("\"a\""), Some("tuesday"), PART), accepted());
        assert_eq!(mirror(Some("\"b\""), Some("monday"), PART), accepted(), "tags differ between servers");
        assert_eq!(mirror(None, Some("monday"), PART), accepted());
        assert_eq!(mirror(Some("\"b\""), Some("tuesday"), PART), Verdict::NotTheSame);
        assert_eq!(mirror(None, None, PART), Verdict::NotTheSame);
        assert_eq!(mirror(Some("\"a\""), Some("monday"), "bytes 400-599/1001"), Verdict::NotTheSame);
        assert_eq!(mirror(Some("\"a\""), Some("monday"), "bytes 400-599/*"), Verdict::NotTheSame);
        assert_eq!(mirror(Some("\"a\""), Some("monday"), "bytes 401-599/1000"), Verdict::NotTheSame);
    }

    #[test]
    fn a_weak_tag_and_no_date_say_nothing_of_a_mirror() {
        let undated = |etag: Option<&str>| Representation { etag: etag.map(Into::into), last_modified: None, ..kept() };
        for etag in [Some("W/\"a\""), None] {
            let verdict = ask(Source::Mirror, Some(&undated(etag)), &head(etag, None, PART));
            assert_eq!(verdict, Verdict::NotTheSame, "{etag:?}");
        }
    }

    #[test]
    fn a_digest_leaves_only_the_length_to_agree() {
        let proven = |range| ask(Source::Proven, Some(&kept()), &head(Some("\"b\""), Some("tuesday"), range));
        assert_eq!(proven(PART), accepted());
        for other in ["bytes 400-599/1001", "bytes 400-599/*", "bytes 0-599/1000"] {
            assert_eq!(proven(other), Verdict::NotTheSame, "{other}");
        }
        let endless = Representation { complete_length: None, ..kept() };
        let verdict = ask(Source::Proven, Some(&endless), &head(None, None, "bytes 400-599/*"));
        assert_eq!(verdict, Verdict::NotTheSame, "two unknown lengths do not agree");
    }

    #[test]
    fn a_mirror_across_origins_is_held_against_what_can_be_read() {
        let hidden = |len: &str, date| Head {
            content_length: Some(len.into()),
            content_range: None,
            ..head(None, Some(date), "")
        };
        let to_the_end = |len, date| {
            let range = Some(AskedRange { start: 400, end: None });
            let kept = Some(&kept());
            let asked =
                Asked { range, if_range: false, conditional: false, kept, only_parts: false, source: Source::Mirror };
            judge(&asked, &hidden(len, date))
        };
        let whole = Verdict::Body { representation: kept(), start: 400, end: Some(1000), restart: None };
        assert_eq!(to_the_end("600", "monday"), whole);
        assert_eq!(to_the_end("600", "tuesday"), Verdict::NotTheSame);
        assert_eq!(to_the_end("601", "monday"), Verdict::NotTheSame);
        assert_eq!(ask(Source::Proven, Some(&kept()), &hidden("200", "tuesday")), accepted());
        assert_eq!(ask(Source::Mirror, Some(&kept()), &hidden("200", "monday")), Verdict::NotTheSame, "of how much?");
    }

    #[test]
    fn a_mirror_changes_nothing_of_the_download() {
        for source in [Source::Mirror, Source::Proven] {
            for status in [200, 204, 304, 401, 403, 404, 410, 416] {
                let refusal = Head { status, ..head(Some("\"a\""), Some("monday"), PART) };
                assert_eq!(ask(source, Some(&kept()), &refusal), Verdict::NotTheSame, "{status}");
                assert_eq!(ask(source, None, &refusal), Verdict::NotTheSame, "{status}");
            }
            let busy = Head { status: 503, ..Head::default() };
            assert_eq!(ask(source, Some(&kept()), &busy), Verdict::Retry(TaskError::status(503), None));
            let coded = Head { content_encoding: Some("gzip".into()), ..head(Some("\"a\""), Some("monday"), PART) };
            assert_eq!(ask(source, Some(&kept()), &coded), Verdict::NotTheSame);
        }
    }

    #[test]
    fn with_nothing_kept_a_mirror_says_what_the_file_is() {
        let from_start = |head: &Head| {
            let range = Some(AskedRange { start: 0, end: None });
            judge(
                &Asked {
                    range,
                    if_range: false,
                    conditional: false,
                    kept: None,
                    only_parts: false,
                    source: Source::Mirror,
                },
                head,
            )
        };
        let Verdict::Body { representation, start: 0, .. } = from_start(&head(Some("\"m\""), None, "bytes 0-9/10"))
        else {
            panic!("a body was expected");
        };
        assert_eq!(representation.etag.as_deref(), Some("\"m\""));
        assert_eq!(from_start(&head(None, None, "bytes 1-9/10")), Verdict::NotTheSame);
    }
}
