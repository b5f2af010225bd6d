//! Texts as they stand in headers.

/// A date as HTTP writes it (RFC 9110 section 5.6.7).
pub fn imf_fixdate(seconds: u64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, clock) = (seconds / 86_400, seconds % 86_400);
    // Days from 0000-03-01, in years that begin in March and in periods of 400 years.
    let days = days + 719_468;
    let (period, day_of_period) = (days / 146_097, days % 146_097);
    let year = (day_of_period - day_of_period / 1_460 + day_of_period / 36_524 - day_of_period / 146_096) / 365;
    let day_of_year = day_of_period - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = period * 400 + year + u64::from(month >= 10);
    let name = MONTHS[(month as usize + 2) % 12];
    let (hours, minutes) = (clock / 3_600, clock / 60 % 60);
    format!("Day, {day:02} {name} {year} {hours:02}:{minutes:02}:{:02} GMT", clock % 60)
}

/// Base64 with its padding.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number = (0..3).fold(0_usize, |all, at| all << 8 | usize::from(three.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let digit = char::from(DIGITS[number >> (18 - 6 * at) & 63]);
            text.push(if at <= three.len() { digit } else { '=' });
        }
    }
    text
}
