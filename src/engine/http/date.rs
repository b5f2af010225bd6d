//! `IMF-fixdate`, the one date format that servers send today (RFC 9110 section 5.6.7).

use super::super::time::Timestamp;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`; `None` for anything else.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let (_, rest) = text.trim().split_once(", ")?;
    let mut fields = rest.split(' ');
    let day: u64 = fields.next()?.parse().ok()?;
    let name = fields.next()?;
    let month = MONTHS.iter().position(|month| *month == name)? as u64 + 1;
    let year: u64 = fields.next()?.parse().ok()?;
    let mut clock = fields.next()?.splitn(3, ':').map(|part| part.parse::<u64>().ok());
    let (hours, minutes, seconds) = (clock.next()??, clock.next()??, clock.next()??);
    let valid = (1..=31).contains(&day) && (1970..=9999).contains(&year) && hours < 24 && minutes < 60 && seconds < 61;
    if fields.next()? != "GMT" || !valid {
        return None;
    }
    let seconds = days_since_epoch(year, month, day) * 86_400 + hours * 3_600 + minutes * 60 + seconds;
    Some(Timestamp(seconds * 1_000))
}

/// Days from 1970-01-01, counting years from March so that the leap day comes last.
fn days_since_epoch(year: u64, month: u64, day: u64) -> u64 {
    let years = if month > 2 { year } else { year - 1 };
    let from_march = (month + 9) % 12;
    let in_year = (153 * from_march + 2) / 5 + day - 1;
    years * 365 + years / 4 - years / 100 + years / 400 + in_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_known_dates() {
        assert_eq!(parse("Thu, 01 Jan 1970 00:00:00 GMT"), Some(Timestamp(0)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Timestamp(784_111_777_000)));
        assert_eq!(parse("Thu, 29 Feb 2024 12:00:00 GMT"), Some(Timestamp(1_709_208_000_000)));
        assert_eq!(parse("Sat, 21 Nov 2026 09:00:00 GMT"), Some(Timestamp(1_795_251_600_000)));
    }

    #[test]
    fn refuses_other_texts() {
        for text in
            ["", "120", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37", "Sun, 32 Nov 1994 08:49:37 GMT"]
        {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
