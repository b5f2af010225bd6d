//! Validators: which answers belong to the same version of a file (RFC 9110 sections 8.8 and 13.1.5).

use super::partial::complete_length_from_start;
use super::{Head, Representation, date};

/// How much younger than the file an answer must be for its `Last-Modified` to be strong. RFC 9110 section 8.8.2.2
/// asks for one second if both come from one clock, else for enough that clocks cannot be the reason; behind a cache
/// nobody knows whose clock it was.
const CLOCKS_APART_MS: u64 = 60_000;

const DAY_S: u64 = 86_400;
/// Times that are written for no time at all, in seconds since the epoch: by Unix (and a second later by Nix), by archives of
/// the DOS kind (and by Gradle, which stays clear of time zones), by npm, by devices without a clock, and by Bazel. Those at the
/// beginning of an epoch differ by time zones.
const CONSTANT_TIMES_S: [std::ops::Range<u64>; 6] = [
    0..DAY_S,
    3_651 * DAY_S..3_653 * DAY_S,
    3_683 * DAY_S..3_683 * DAY_S + 1,
    499_162_500..499_162_501,
    946_684_800..946_684_801,
    1_262_304_000..1_262_304_001,
];

/// Takes validators out of an answer that are the same whatever the file is: they would agree with any other version. An
/// empty tag or `"0"` is one, and so is a date that stands for no date.
pub fn drop_constants(head: &mut Head) {
    let is_constant_tag = |tag: &String| matches!(opaque(tag).trim_matches('"').trim(), "" | "0");
    let is_constant_date = |text: &String| {
        date::parse(text).is_some_and(|at| CONSTANT_TIMES_S.iter().any(|times| times.contains(&(at.0 / 1_000))))
    };
    head.etag = head.etag.take().filter(|tag| !is_constant_tag(tag));
    head.last_modified = head.last_modified.take().filter(|date| !is_constant_date(date));
}

/// Whether the entity tag may be compared strongly: quoted and without `W/` (RFC 9110 section 8.8.3.2).
pub fn is_strong_tag(etag: &str) -> bool {
    etag.len() >= 2 && etag.starts_with('"') && etag.ends_with('"')
}

/// Whether `Last-Modified` is a strong validator (RFC 9110 section 8.8.2.2): the file had rested for a while when
/// the answer was made.
pub(super) fn is_strong_date(head: &Head) -> bool {
    let parsed = |text: &Option<String>| text.as_deref().and_then(date::parse);
    match (parsed(&head.last_modified), parsed(&head.date)) {
        (Some(modified), Some(date)) => date.since(modified) >= CLOCKS_APART_MS,
        _ => false,
    }
}

/// The value for `If-Range`: a strong entity tag, or a strong date if there is no entity tag at all (RFC 9110 section
/// 13.1.5). Only for the worker's own origin, since across origins the field needs a preflight that few servers
/// answer, and only for the URL that `kept` came from.
pub fn if_range(kept: &Representation) -> Option<&str> {
    let validator = match &kept.etag {
        Some(tag) => is_strong_tag(tag).then_some(tag.as_str()),
        None => kept.last_modified.as_deref().filter(|_| kept.last_modified_is_strong),
    };
    validator.filter(|_| kept.same_origin)
}

/// Whether the answer to an unconditional `bytes=0-` is of the version that is kept: how a file is refreshed where a
/// conditional request would need a preflight.
pub fn same_version(kept: &Representation, head: &Head) -> bool {
    agrees(kept, head, complete_length_from_start(head), false)
}

/// Whether an answer belongs to the version whose bytes are kept. `if_range_sent` says that the server was asked to
/// send a partial answer only if it does.
pub(super) fn agrees(kept: &Representation, head: &Head, complete_length: Option<u64>, if_range_sent: bool) -> bool {
    if complete_length.is_some() && complete_length != kept.complete_length {
        return false;
    }
    let same_date = kept.last_modified.is_some() && kept.last_modified == head.last_modified;
    match (&kept.etag, &head.etag) {
        (Some(kept_etag), Some(etag)) if is_strong_tag(kept_etag) => kept_etag == etag,
        // A 206 to `If-Range` may leave out what the asker has already (RFC 9110 section 15.3.7).
        (Some(kept_etag), None) if is_strong_tag(kept_etag) && if_range_sent => true,
        // Who was promised one version by a tag is not content with a weak date.
        (Some(kept_etag), None) if is_strong_tag(kept_etag) => {
            kept.last_modified_is_strong && same_date && complete_length.is_some()
        }
        (None, _) if if_range_sent && kept.last_modified_is_strong && head.last_modified.is_none() => true,
        (Some(kept_etag), Some(etag)) if opaque(kept_etag) != opaque(etag) => false,
        _ => same_date && complete_length.is_some(),
    }
}

/// The entity tag without `W/`: what weak comparison looks at (RFC 9110 section 8.8.3.2).
fn opaque(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

    #[test]
    fn a_validator_that_is_the_same_for_every_version_is_none() {
        let left = |etag: &str, last_modified: &str| {
            let (etag, last_modified) = (Some(etag.into()), Some(last_modified.into()));
            let mut head = Head { etag, last_modified, ..Head::default() };
            drop_constants(&mut head);
            (head.etag.is_some(), head.last_modified.is_some())
        };
        for constant in ["", "\"\"", "W/\"\"", "\"0\"", "W/\"0\"", "0", "\" \""] {
            assert_eq!(left(constant, MONDAY), (false, true), "{constant}");
        }
        for tag in ["\"00\"", "\"a\"", "W/\"1\"", "\"-\""] {
            assert_eq!(left(tag, MONDAY), (true, true), "{tag}");
        }
        for constant in [
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "Thu, 01 Jan 1970 00:00:01 GMT",
            "Mon, 31 Dec 1979 23:00:00 GMT",
            "Tue, 01 Jan 1980 00:00:00 GMT",
            "Fri, 01 Feb 1980 00:00:00 GMT",
            "Sat, 26 Oct 1985 08:15:00 GMT",
            "Sat, 01 Jan 2000 00:00:00 GMT",
            "Fri, 01 Jan 2010 00:00:00 GMT",
        ] {
            assert_eq!(left("\"a\"", constant), (true, false), "{constant}");
        }
        for date in ["Sat, 26 Oct 1985 08:15:01 GMT", "Wed, 02 Jan 1980 00:00:00 GMT", "Fri, 01 Jan 2010 00:00:01 GMT"]
        {
            assert_eq!(left("\"a\"", date), (true, true), "{date}");
        }
    }

    fn kept(etag: Option<&str>, last_modified: Option<&str>) -> Representation {
        Representation {
            complete_length: Some(100),
            etag: etag.map(Into::into),
            last_modified: last_modified.map(Into::into),
            same_origin: true,
            ..Representation::default()
        }
    }

    fn head(etag: Option<&str>, last_modified: Option<&str>) -> Head {
        Head { etag: etag.map(Into::into), last_modified: last_modified.map(Into::into), ..Head::default() }
    }

    #[test]
    fn a_strong_tag_decides_alone() {
        let old = kept(Some("\"a\""), Some("monday"));
        assert!(agrees(&old, &head(Some("\"a\""), Some("tuesday")), Some(100), true));
        assert!(!agrees(&old, &head(Some("\"b\""), Some("monday")), Some(100), true));
        assert!(agrees(&old, &head(None, None), None, true), "the server answered our If-Range");
        assert!(!agrees(&old, &head(Some("W/\"a\""), None), Some(100), true), "a weak tag proves no bytes");
    }

    #[test]
    fn a_strong_tag_that_is_missing_now_is_only_replaced_by_a_strong_date() {
        let mut old = kept(Some("\"a\""), Some("monday"));
        assert!(!agrees(&old, &head(None, None), Some(100), false));
        assert!(!agrees(&old, &head(None, Some("monday")), Some(100), false));
        old.last_modified_is_strong = true;
        assert!(agrees(&old, &head(None, Some("monday")), Some(100), false));
        assert!(!agrees(&old, &head(None, Some("monday")), None, false));
        assert!(!agrees(&old, &head(None, Some("tuesday")), Some(100), false));
    }

    #[test]
    fn another_length_is_another_version() {
        assert!(!agrees(&kept(Some("\"a\""), None), &head(Some("\"a\""), None), Some(101), true));
    }

    #[test]
    fn without_a_strong_tag_date_and_length_must_both_agree() {
        let old = kept(Some("W/\"a\""), Some("monday"));
        assert!(agrees(&old, &head(Some("W/\"a\""), Some("monday")), Some(100), false));
        assert!(agrees(&old, &head(Some("\"a\""), Some("monday")), Some(100), false), "weakly the same tag");
        assert!(!agrees(&old, &head(Some("W/\"b\""), Some("monday")), Some(100), false));
        assert!(!agrees(&old, &head(None, Some("tuesday")), Some(100), false));
        assert!(!agrees(&old, &head(None, Some("monday")), None, false));
        assert!(!agrees(&kept(None, None), &head(None, None), Some(100), false));
        assert!(!agrees(&kept(None, None), &head(Some("\"a\""), Some("monday")), Some(100), false));
    }

    #[test]
    fn an_answer_to_a_date_in_if_range_may_leave_the_date_out() {
        let mut old = kept(None, Some(MONDAY));
        assert!(!agrees(&old, &head(None, None), Some(100), true), "a weak date is never sent");
        old.last_modified_is_strong = true;
        assert!(agrees(&old, &head(None, None), Some(100), true));
        assert!(!agrees(&old, &head(None, None), Some(100), false));
        assert!(!agrees(&old, &head(None, Some("tuesday")), Some(100), true));
    }

    #[test]
    fn a_date_is_strong_a_minute_later() {
        let at = |date: &str| is_strong_date(&Head { date: Some(date.into()), ..head(None, Some(MONDAY)) });
        assert!(at("Mon, 07 Nov 1994 08:50:37 GMT"));
        assert!(!at("Mon, 07 Nov 1994 08:50:36 GMT"));
        assert!(!at(MONDAY));
        assert!(!at("Mon, 07 Nov 1994 07:00:00 GMT"), "made before the file was changed: clocks disagree");
        assert!(!at("later"));
        assert!(!is_strong_date(&head(None, Some(MONDAY))), "no Date can be read");
    }

    #[test]
    fn if_range_only_with_a_strong_validator_and_at_home() {
        let away = |known| Representation { same_origin: false, ..known };
        let strong_date = |known| Representation { last_modified_is_strong: true, ..known };
        assert_eq!(if_range(&kept(Some("\"a\""), None)), Some("\"a\""));
        assert_eq!(if_range(&away(kept(Some("\"a\""), None))), None);
        assert_eq!(if_range(&kept(Some("W/\"a\""), None)), None);
        assert_eq!(if_range(&kept(Some("a"), None)), None);
        assert_eq!(if_range(&kept(None, Some(MONDAY))), None, "a weak date");
        assert_eq!(if_range(&strong_date(kept(None, Some(MONDAY)))), Some(MONDAY));
        assert_eq!(if_range(&away(strong_date(kept(None, Some(MONDAY))))), None);
        let both = strong_date(kept(Some("W/\"a\""), Some(MONDAY)));
        assert_eq!(if_range(&both), None, "with an entity tag no date may be sent");
    }

    #[test]
    fn a_refresh_across_origins_is_judged_by_what_can_be_read() {
        let old = Representation { same_origin: false, ..kept(None, Some("monday")) };
        let told = |status, length: &str, last_modified| Head {
            status,
            content_length: Some(length.into()),
            ..head(None, Some(last_modified))
        };
        assert!(same_version(&old, &told(206, "100", "monday")));
        assert!(same_version(&old, &told(200, "100", "monday")));
        assert!(!same_version(&old, &told(206, "101", "monday")));
        assert!(!same_version(&old, &told(206, "100", "tuesday")));
        let shown =
            |content_range: &str| Head { content_range: Some(content_range.into()), ..told(206, "50", "monday") };
        assert!(same_version(&old, &shown("bytes 0-49/100")));
        assert!(!same_version(&old, &shown("bytes 0-49/50")));
        assert!(!same_version(&old, &Head { content_length: None, ..told(206, "", "monday") }));
    }
}
