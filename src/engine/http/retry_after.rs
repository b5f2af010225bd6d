//! `Retry-After` (RFC 9110 section 10.2.3): when the server wants to be asked again.

use super::super::time::Timestamp;
use super::content_range::number;
use super::date;

/// Longer than any wait, and still a time when it is added to the present.
const FOR_EVER_MS: u64 = 1 << 62;

/// When to try again, as the server put it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// After this many milliseconds.
    DelayMs(u64),
    /// Not before this time.
    At(Timestamp),
}

impl RetryAfter {
    /// Parses the field's value; `None` if it is neither seconds nor a date.
    pub fn parse(value: &str) -> Option<Self> {
        let text = value.trim();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Self::DelayMs(number(text).unwrap_or(u64::MAX).saturating_mul(1_000).min(FOR_EVER_MS)));
        }
        date::parse(value).map(Self::At)
    }

    /// A date by the server's clock becomes a delay, if the server said what its clock shows: ours may be wrong.
    pub(super) fn counted_from(self, served_at: Option<Timestamp>) -> Self {
        match (self, served_at) {
            (Self::At(time), Some(served_at)) => Self::DelayMs(time.since(served_at)),
            _ => self,
        }
    }

    /// Milliseconds from `now`.
    pub fn delay_ms(self, now: Timestamp) -> u64 {
        match self {
            Self::DelayMs(delay_ms) => delay_ms,
            Self::At(time) => time.since(now),
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_seconds_and_dates() {
        let now = Timestamp(784_111_770_000);
        let delay = |value| RetryAfter::parse(value).map(|after| after.delay_ms(now));
        assert_eq!(delay("120"), Some(120_000));
        assert_eq!(delay("Sun, 06 Nov 1994 08:49:37 GMT"), Some(7_000));
        assert_eq!(delay("Sunday, 06-Nov-94 08:49:37 GMT"), Some(7_000));
        assert_eq!(delay("Sun Nov  6 08:49:37 1994"), Some(7_000));
        assert_eq!(delay("Sun, 06 Nov 1994 08:49:00 GMT"), Some(0), "a time that has passed");
        assert_eq!(delay("99999999999999999999"), Some(FOR_EVER_MS), "more than can be counted");
        assert_eq!(delay("soon"), None);
        assert_eq!(delay("-1"), None);
    }

    #[test]
    fn a_date_is_read_by_the_clock_that_wrote_it() {
        let at = RetryAfter::At(Timestamp(70_000));
        assert_eq!(at.counted_from(Some(Timestamp(10_000))), RetryAfter::DelayMs(60_000));
        assert_eq!(at.counted_from(None), at);
        assert_eq!(RetryAfter::DelayMs(5).counted_from(Some(Timestamp(1))), RetryAfter::DelayMs(5));
    }

    proptest! {
        #[test]
        fn never_panics(value in "\\PC{0,30}|[0-9]{0,30}", now in any::<u64>()) {
            if let Some(after) = RetryAfter::parse(&value) {
                prop_assert!(after.delay_ms(Timestamp(now)) < 1 << 63);
            }
        }
    }
}
