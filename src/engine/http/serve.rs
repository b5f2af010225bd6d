//! The server's side of ranges: with which bytes of a stored file a request for its URL is answered (RFC 9110 sections
//! 13.1.5, 14.2, 15.3.7 and 15.5.17). What the RFC leaves open is done as nginx does it.

use std::ops::Range;

use super::validator::is_strong_tag;

/// The most parts of one answer. The RFC lets a server ignore a request for many small ranges (section 14.2).
const MOST_PARTS: usize = 64;

/// Which bytes are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// 200 with all of them.
    Whole,
    /// 206 with these.
    One(Range<u64>),
    /// 206 with several parts, as `multipart/byteranges`.
    Many(Vec<Range<u64>>),
    /// 416: the file has none of them.
    Unsatisfiable,
}

/// Selects the bytes of a file of `length` bytes that a `Range` field asks for.
pub fn select(range: &str, length: u64) -> Selection {
    let Some(set) = range.get(..6).filter(|unit| unit.eq_ignore_ascii_case("bytes=")).and(range.get(6..)) else {
        // Another unit, which is to be ignored.
        return Selection::Whole;
    };
    if set.is_empty() {
        return Selection::Whole;
    }
    let mut parts = Vec::new();
    let mut selected: u64 = 0;
    for spec in set.split(',') {
        let Some(part) = positions(spec, length) else { return Selection::Unsatisfiable };
        if part.start < part.end {
            selected = selected.saturating_add(part.end - part.start);
            parts.push(part);
        } else if part.start == 0 {
            // All of a file of no bytes.
            return Selection::Whole;
        }
    }
    match parts.len() {
        0 => Selection::Unsatisfiable,
        // More than there is, or in too many pieces: the whole is less.
        _ if selected > length => Selection::Whole,
        1 => Selection::One(parts.swap_remove(0)),
        2..=MOST_PARTS => Selection::Many(parts),
        _ => Selection::Whole,
    }
}

/// `first-last`, `first-` or `-length`, cut to the file; `None` if it is none of these. Empty where nothing of the file is
/// meant.
fn positions(spec: &str, length: u64) -> Option<Range<u64>> {
    let (first, last) = spec.trim_matches(' ').split_once('-')?;
    let (first, last) = (first.trim_end_matches(' '), last.trim_start_matches(' '));
    match (first, last) {
        ("", suffix) => {
            let suffix = number(suffix)?;
            Some(length.saturating_sub(suffix)..length)
        }
        (first, "") => Some(number(first)?..length),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            Some(first..last.saturating_add(1).min(length))
        }
    }
}

/// A run of digits; as many as fit into a file's offset anywhere.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten().filter(|value| *value <= i64::MAX as u64)
}

/// Whether a condition in `If-Range` holds, so that `Range` counts: an entity tag is compared strongly, a date exactly
/// (RFC 9110 section 13.1.5).
pub fn if_range_holds(condition: &str, etag: &str, last_modified: Option<&str>) -> bool {
    if condition.ends_with('"') {
        return is_strong_tag(etag) && etag == condition;
    }
    last_modified == Some(condition)
}

#[cfg(all(test, not(target_arch = "wasm32")))]
#[allow(clippy::single_range_in_vec_init, reason = "ranges are what is tested")]
mod tests {
    use proptest::prelude::*;

    use super::Selection::{Many, One, Unsatisfiable, Whole};
    use super::*;

    #[test]
    fn one_range_is_cut_to_the_file() {
        for (range, selection) in [
            ("bytes=0-0", One(0..1)),
            ("bytes=0-99", One(0..100)),
            ("bytes=0-", One(0..100)),
            ("bytes=40-", One(40..100)),
            ("bytes=40-1000", One(40..100)),
            ("bytes=99-99", One(99..100)),
            ("bytes=-1", One(99..100)),
            ("bytes=-100", One(0..100)),
            ("bytes=-1000", One(0..100)),
            ("BYTES=1-2", One(1..3)),
            ("bytes= 1 - 2 ", One(1..3)),
            ("bytes=0-9223372036854775807", One(0..100)),
        ] {
            assert_eq!(select(range, 100), selection, "{range}");
        }
    }

    #[test]
    fn what_the_file_does_not_have_is_unsatisfiable() {
        for range in
            ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=5-4", "bytes=a-b", "bytes=-", "bytes=1", "bytes=1-2-3"]
        {
            assert_eq!(select(range, 100), Unsatisfiable, "{range}");
        }
        assert_eq!(select("bytes=99999999999999999999-", 100), Unsatisfiable, "a number that no file has");
        assert_eq!(select("bytes=0-1,x", 100), Unsatisfiable, "one that makes no sense spoils all");
    }

    #[test]
    fn what_is_no_range_of_bytes_is_ignored() {
        for range in ["", "bytes", "bytes=", "items=0-5", "0-5", "bytesé0-5"] {
            assert_eq!(select(range, 100), Whole, "{range}");
        }
    }

    #[test]
    fn a_file_of_no_bytes_has_nothing_but_its_whole() {
        assert_eq!(select("bytes=0-", 0), Whole);
        assert_eq!(select("bytes=0-0", 0), Whole);
        assert_eq!(select("bytes=-5", 0), Whole);
        assert_eq!(select("bytes=1-", 0), Unsatisfiable);
    }

    #[test]
    fn several_ranges_are_parts_unless_the_whole_is_less() {
        assert_eq!(select("bytes=0-1,5-6, -2", 100), Many(vec![0..2, 5..7, 98..100]));
        assert_eq!(select("bytes=0-1,200-300", 100), One(0..2), "those that the file does not have are left out");
        assert_eq!(select("bytes=200-300,400-", 100), Unsatisfiable);
        assert_eq!(select("bytes=0-60,20-80", 100), Whole, "they overlap, and are more than there is");
        let many = |count: usize| format!("bytes={}", vec!["0-0"; count].join(","));
        assert!(matches!(select(&many(64), 1_000), Many(parts) if parts.len() == 64));
        assert_eq!(select(&many(65), 1_000), Whole);
    }

    #[test]
    fn a_condition_is_compared_strongly() {
        assert!(if_range_holds("\"a\"", "\"a\"", None));
        assert!(!if_range_holds("\"b\"", "\"a\"", None));
        assert!(!if_range_holds("W/\"a\"", "W/\"a\"", None));
        assert!(if_range_holds("Mon, 07 Nov 1994 08:49:37 GMT", "\"a\"", Some("Mon, 07 Nov 1994 08:49:37 GMT")));
        assert!(!if_range_holds("Mon, 07 Nov 1994 08:49:38 GMT", "\"a\"", Some("Mon, 07 Nov 1994 08:49:37 GMT")));
        assert!(!if_range_holds("", "\"a\"", None));
    }

    proptest! {
        #[test]
        fn whatever_is_asked_no_part_lies_outside_of_the_file(range in "(bytes=)?[-0-9, a]{0,40}", length in 0_u64..200) {
            let parts = match select(&range, length) {
                One(part) => vec![part],
                Many(parts) => parts,
                Whole | Unsatisfiable => Vec::new(),
            };
            prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= length));
            prop_assert!(parts.iter().map(|part| part.end - part.start).sum::<u64>() <= length);
        }
    }
}
