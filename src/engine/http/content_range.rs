//! `Content-Range` of a single range (RFC 9110 section 14.4).

use std::ops::Range;

/// A parsed `Content-Range: bytes …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentRange {
    /// `bytes first-last/total` or `bytes first-last/*`.
    Satisfied {
        /// The positions sent, half-open.
        range: Range<u64>,
        /// The complete length, unless it was `*`.
        complete_length: Option<u64>,
    },
    /// `bytes */total`, with a 416.
    Unsatisfied {
        /// The complete length.
        complete_length: u64,
    },
}

impl ContentRange {
    /// Parses the field's value; `None` for anything that the grammar or its rules do not allow.
    pub fn parse(value: &str) -> Option<Self> {
        let (unit, rest) = value.trim().split_once(' ')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (positions, total) = rest.trim().split_once('/')?;
        if positions == "*" {
            return Some(Self::Unsatisfied { complete_length: number(total)? });
        }
        let (first, last) = positions.split_once('-')?;
        let range = number(first)?..number(last)?.checked_add(1)?;
        let complete_length = if total == "*" { None } else { Some(number(total)?) };
        let inside = complete_length.is_none_or(|length| range.end <= length);
        (range.start < range.end && inside).then_some(Self::Satisfied { range, complete_length })
    }
}

/// 2^53: what JavaScript can count to without leaving a number out.
pub(super) const LARGEST_POSITION: u64 = 1 << 53;

/// A run of digits below 2^53.
pub(super) fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = digits.then(|| text.parse::<u64>().ok()).flatten()?;
    (value < LARGEST_POSITION).then_some(value)
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_the_forms_of_the_rfc() {
        let satisfied = |range, complete_length| Some(ContentRange::Satisfied { range, complete_length });
        assert_eq!(ContentRange::parse("bytes 42-1233/1234"), satisfied(42..1234, Some(1234)));
        assert_eq!(ContentRange::parse("bytes 42-1233/*"), satisfied(42..1234, None));
        assert_eq!(ContentRange::parse("Bytes 0-0/1"), satisfied(0..1, Some(1)));
        assert_eq!(ContentRange::parse("bytes */1234"), Some(ContentRange::Unsatisfied { complete_length: 1234 }));
    }

    #[test]
    fn refuses_what_the_rfc_calls_invalid() {
        for value in [
            "",
            "bytes",
            "bytes ",
            "bytes 5-4/10",
            "bytes 0-10/10",
            "bytes 0-9",
            "items 0-9/10",
            "bytes 0-9/ten",
            "bytes -9/10",
            "bytes 0-/10",
            "bytes +0-9/10",
            "bytes 0-9/10, 12-13/20",
            "bytes */*",
            "bytes 0-9007199254740992/*",
            "bytes 0-18446744073709551615/*",
        ] {
            assert_eq!(ContentRange::parse(value), None, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_never_yields_an_empty_range(value in "\\PC{0,40}|bytes [0-9*]{0,20}-?[0-9]{0,20}/[0-9*]{0,20}") {
            if let Some(ContentRange::Satisfied { range, complete_length }) = ContentRange::parse(&value) {
                prop_assert!(range.start < range.end && range.end <= LARGEST_POSITION);
                prop_assert!(complete_length.is_none_or(|length| range.end <= length));
            }
        }

        #[test]
        fn reads_back_what_was_written(first in 0u64..1 << 40, len in 1u64..1 << 40, more in 0u64..1 << 40) {
            let total = first + len + more;
            let value = format!("bytes {}-{}/{}", first, first + len - 1, total);
            prop_assert_eq!(
                ContentRange::parse(&value),
                Some(ContentRange::Satisfied { range: first..first + len, complete_length: Some(total) })
            );
        }
    }
}
