//! `HTTP-date` (RFC 9110 section 5.6.7): the one format that is sent today, and the two that must still be read.

use super::super::time::Timestamp;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` or `Sun Nov  6 08:49:37 1994`; `None` for
/// anything else. The name of the day is not looked at.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let mut fields = text.split([' ', ',', '-']).filter(|field| !field.is_empty());
    let mut next = || fields.next();
    let (_, second, third, fourth, fifth) = (next()?, next()?, next()?, next()?, next()?);
    let (day, month, year, clock) = match next() {
        Some("GMT") => (second, third, fourth, fifth),
        None => (third, second, fifth, fourth),
        Some(_) => return None,
    };
    if next().is_some() {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let year = match digits(year)? {
        // Two digits: the century in which the time can be told at all. RFC 9110 would have a clock asked.
        short @ 0..70 if year.len() == 2 => 2000 + short,
        short if year.len() == 2 => 1900 + short,
        long => long,
    };
    let mut clock = clock.split(':').map(digits);
    let (hours, minutes, seconds) = (clock.next()??, clock.next()??, clock.next()??);
    let day = digits(day)?;
    let is_valid = (1970..=9999).contains(&year) && (1..=days_of_month(year, month)).contains(&day);
    // A leap second counts as the first of the next minute.
    if !is_valid || clock.next().is_some() || hours > 23 || minutes > 59 || seconds > 60 {
        return None;
    }
    let seconds = days_since_epoch(year, month, day) * 86_400 + hours * 3_600 + minutes * 60 + seconds;
    Some(Timestamp(seconds * 1_000))
}

/// One to four digits.
fn digits(text: &str) -> Option<u64> {
    let is_number = text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn days_of_month(year: u64, month: u64) -> u64 {
    let (next_year, next_month) = if month < 12 { (year, month + 1) } else { (year + 1, 1) };
    days_since_epoch(next_year, next_month, 1) - days_since_epoch(year, month, 1)
}

/// Days from 1970-01-01, counting years from March so that the leap day comes last.
fn days_since_epoch(year: u64, month: u64, day: u64) -> u64 {
    let years = if month > 2 { year } else { year - 1 };
    let from_march = (month + 9) % 12;
    let in_year = (153 * from_march + 2) / 5 + day - 1;
    years * 365 + years / 4 - years / 100 + years / 400 + in_year - 719_468
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn agrees_with_known_dates() {
        assert_eq!(parse("Thu, 01 Jan 1970 00:00:00 GMT"), Some(Timestamp(0)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Timestamp(784_111_777_000)));
        assert_eq!(parse("Thu, 29 Feb 2024 12:00:00 GMT"), Some(Timestamp(1_709_208_000_000)));
        assert_eq!(parse("Sat, 21 Nov 2026 09:00:00 GMT"), Some(Timestamp(1_795_251_600_000)));
        assert_eq!(parse(" Sun, 31 Dec 9999 23:59:60 GMT "), Some(Timestamp(253_402_300_800_000)));
    }

    #[test]
    fn reads_the_obsolete_forms() {
        let expected = Some(Timestamp(784_111_777_000));
        assert_eq!(parse("Sunday, 06-Nov-94 08:49:37 GMT"), expected);
        assert_eq!(parse("Sun Nov  6 08:49:37 1994"), expected);
        assert_eq!(parse("Thursday, 29-Feb-24 12:00:00 GMT"), Some(Timestamp(1_709_208_000_000)));
        assert_eq!(parse("Thursday, 01-Jan-70 00:00:00 GMT"), Some(Timestamp(0)));
    }

    #[test]
    fn refuses_other_texts() {
        for text in [
            "",
            "120",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1994 08:49:37 GMT+1",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Wed, 29 Feb 2023 12:00:00 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1969 08:49:37 GMT",
            "Sun, 06 Nov 194 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 1994 08:49:37:00 GMT",
            "Sun Nov  6 08:49:37 1994 1994",
            "Sun, 06 Nov 1994 08:49:37 GMT 1",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_never_leaves_the_calendar(
            text in "\\PC{0,40}|[A-Z][a-z]{2}, [0-9]{1,3} (Jan|Feb|Dec) [0-9]{1,5} [0-9]{1,3}:[0-9]{2}:[0-9]{2} GMT"
        ) {
            if let Some(time) = parse(&text) {
                prop_assert!(time.0 <= 253_402_300_800_000);
            }
        }

        #[test]
        fn all_forms_say_the_same(year in 1970u64..2070, month in 0usize..12, day in 1u64..=28, second in 0u64..86_400) {
            let month = MONTHS[month];
            let clock = format!("{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60);
            let today = parse(&format!("Day, {day:02} {month} {year} {clock} GMT"));
            prop_assert!(today.is_some());
            prop_assert_eq!(parse(&format!("Dayday, {day:02}-{month}-{:02} {clock} GMT", year % 100)), today);
            prop_assert_eq!(parse(&format!("Day {month} {day:2} {clock} {year}")), today);
        }
    }
}
