//! The file name in `Content-Disposition` (RFC 6266), made safe. Servers are sloppy with this field and some are
//! hostile, so it is read leniently and its name is trusted with nothing.

use crate::integrity::decode_base64;

/// The longest name that all file systems take, in bytes of UTF-8.
const LONGEST_NAME: usize = 255;
/// What comes behind the last dot of a name counts as its extension up to this many bytes.
const LONGEST_EXTENSION: usize = 32;
/// Names of devices on Windows, with whatever extension; two of them also with a digit.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
const NUMBERED_DEVICES: [&str; 2] = ["COM", "LPT"];

/// The name that the field suggests: no path, no control characters, nothing that a file system gives a meaning to.
/// `filename*` wins over `filename` (RFC 6266 section 4.3). `None` if nothing usable is left.
pub fn file_name(value: &str) -> Option<String> {
    let (mut plain, mut extended) = (None, None);
    let mut rest = value;
    while !rest.is_empty() {
        let (parameter, behind) = next_parameter(rest);
        rest = behind;
        let Some((name, value)) = parameter.split_once('=') else { continue };
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("filename*") {
            extended = extended.or_else(|| extended_value(value));
        } else if name.eq_ignore_ascii_case("filename") {
            plain = plain.or_else(|| decoded(utf8_if_it_is(unquoted(value))));
        }
    }
    let safe = |name: String| sanitised(&name);
    extended.and_then(safe).or_else(|| plain.and_then(safe))
}

/// Splits at the next semicolon that stands in no quoted string.
fn next_parameter(text: &str) -> (&str, &str) {
    let (mut quoted, mut escaped) = (false, false);
    for (at, mark) in text.bytes().enumerate() {
        match mark {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => return (&text[..at], &text[at + 1..]),
            _ => {}
        }
    }
    (text, "")
}

/// A token as it is, a quoted string without its quotes. Only a quote and a backslash count as escaped: servers put
/// Windows paths here as they are.
fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"') else { return value.into() };
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars().peekable();
    while let Some(char) = chars.next() {
        match (char, chars.peek()) {
            ('\\', Some(&next @ ('"' | '\\'))) => {
                text.push(next);
                chars.next();
            }
            ('"', _) => break,
            _ => text.push(char),
        }
    }
    text
}

/// Fetch gives every byte of a field as one character. What was sent as UTF-8 is read as UTF-8, as browsers do.
fn utf8_if_it_is(text: String) -> String {
    let bytes: Option<Vec<u8>> = text.chars().map(|char| u8::try_from(u32::from(char)).ok()).collect();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or(text)
}

/// A plain name as browsers read it, which no RFC allows: encoded words (RFC 2047), as Chromium and Firefox decode them, or else
/// percent-encoded UTF-8, as Chromium does. `None` for an encoded word in another charset.
fn decoded(name: String) -> Option<String> {
    if name.starts_with("=?") && name.split('?').count() > 4 {
        return encoded_words(&name);
    }
    String::from_utf8(percent_decoded(&name)).ok().or(Some(name))
}

/// Text in which encoded words stand: what separates two of them is not part of it (RFC 2047 section 6.2).
fn encoded_words(text: &str) -> Option<String> {
    let (mut all, mut bytes, mut charset) = (String::new(), Vec::new(), "");
    // `=?charset?coding?word?=`: what stands between the marks, if all of them are there.
    let mut parts = text.split('?');
    let mut before = parts.next()?;
    while let (Some(next), Some(coding), Some(word), Some(behind)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    {
        let (between, end) = (before.strip_suffix('=')?, behind.strip_prefix('=')?);
        // A character may be divided between two words.
        let is_next = !bytes.is_empty() && between.trim().is_empty();
        if !is_next || !next.eq_ignore_ascii_case(charset) {
            all += &text_of(std::mem::take(&mut bytes), charset)?;
        }
        if !is_next {
            all += between;
        }
        (charset, before) = (next, end);
        bytes.extend(match coding {
            "B" | "b" => decode_base64(word)?,
            "Q" | "q" => escaped(word, b'='),
            _ => return None,
        });
    }
    all += &text_of(bytes, charset)?;
    Some(all + before)
}

/// `charset'language'percent-encoded` (RFC 8187 section 3.2), in one of the two charsets that were ever in use.
fn extended_value(value: &str) -> Option<String> {
    // Quotes are not allowed here and seen nevertheless.
    let value = value.trim_matches('"');
    let (charset, rest) = value.split_once('\'')?;
    let (_, encoded) = rest.split_once('\'')?;
    // What is no code is broken here.
    let is_broken = |part: &str| part.as_bytes().get(..2).and_then(byte_of).is_none();
    if encoded.split('%').skip(1).any(is_broken) {
        return None;
    }
    text_of(percent_decoded(encoded), charset)
}

/// The text of which these are the bytes.
fn text_of(bytes: Vec<u8>, charset: &str) -> Option<String> {
    if bytes.is_empty() || charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("us-ascii") {
        String::from_utf8(bytes).ok()
    } else if charset.eq_ignore_ascii_case("iso-8859-1") {
        Some(bytes.into_iter().map(char::from).collect())
    } else {
        None
    }
}

/// The bytes of percent-encoded text. What is no code stays as it is.
pub(super) fn percent_decoded(text: &str) -> Vec<u8> {
    escaped(text, b'%')
}

/// The bytes of text in which `mark` and two digits stand for one; where that is `=`, `_` stands for a space (RFC 2047).
fn escaped(text: &str, mark: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let code = behind.get(..2).filter(|_| *first == mark).and_then(byte_of);
        let plain = if mark == b'=' && *first == b'_' { b' ' } else { *first };
        bytes.push(code.unwrap_or(plain));
        rest = if code.is_some() { &behind[2..] } else { behind };
    }
    bytes
}

/// The byte that two hexadecimal digits name.
fn byte_of(digits: &[u8]) -> Option<u8> {
    let [high, low] = digits else { return None };
    let digit = |digit: &u8| char::from(*digit).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

pub(super) fn sanitised(name: &str) -> Option<String> {
    // A path says where the server wants the file to go, which is not for the server to say.
    let last = name.rsplit(['/', '\\']).next()?;
    let visible = last.chars().filter(|char| !is_invisible(*char));
    let safe: String = visible.map(|char| if is_special(char) { '_' } else { char }).collect();
    let name = trimmed(&safe);
    let prefix = if is_device(name) { "_" } else { "" };
    let name = shortened(name, LONGEST_NAME - prefix.len());
    (!name.is_empty()).then(|| [prefix, &name].concat())
}

/// Control characters, line separators, and those that turn the direction of writing, by which `exe.txt` can be shown
/// for `txt.exe`.
fn is_invisible(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// What Windows gives a meaning to or forbids.
fn is_special(char: char) -> bool {
    matches!(char, '<' | '>' | ':' | '"' | '|' | '?' | '*')
}

/// Without the dots and spaces at both ends: they hide files, or Windows drops them.
fn trimmed(name: &str) -> &str {
    name.trim_matches(|char: char| char == '.' || char.is_whitespace())
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let is_numbered = |device: &str| {
        stem.split_at_checked(device.len()).is_some_and(|(name, number)| {
            let is_digit = matches!(number, "¹" | "²" | "³") || matches!(number.as_bytes(), [b'0'..=b'9']);
            is_digit && name.eq_ignore_ascii_case(device)
        })
    };
    DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device))
        || NUMBERED_DEVICES.iter().any(|device| is_numbered(device))
}

/// At most `longest` bytes, whole characters, with the extension.
fn shortened(name: &str, longest: usize) -> String {
    if name.len() <= longest {
        return name.into();
    }
    let extension = name.rfind('.').map(|dot| &name[dot..]).filter(|extension| extension.len() <= LONGEST_EXTENSION);
    let extension = extension.unwrap_or_default();
    let room = longest - extension.len();
    let cut = (0..=room).rev().find(|at| name.is_char_boundary(*at)).unwrap_or_default();
    [trimmed(&name[..cut]), extension].concat()
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(value: &str, expected: Option<&str>) {
        assert_eq!(file_name(value).as_deref(), expected, "{value:?}");
    }

    #[test]
    fn reads_the_forms_of_the_rfc() {
        check("Attachment; filename=example.html", Some("example.html"));
        check("INLINE; FILENAME= \"an example.html\"", Some("an example.html"));
        check("attachment; filename*= UTF-8''%e2%82%ac%20rates", Some("€ rates"));
        check("attachment; filename=\"EURO rates\"; filename*=utf-8''%e2%82%ac%20rates", Some("€ rates"));
        check("attachment; filename*=UTF-8'en'a.txt; filename=b.txt", Some("a.txt"));
        check("attachment; filename*=iso-8859-1''%A3%20rates", Some("£ rates"));
        check(r#"attachment; filename="a \"b\" c.txt""#, Some("a _b_ c.txt"));
        check(r#"attachment; filename="a\";b.txt""#, Some("a_;b.txt"));
        check("attachment; name=x; filename=\"a;b.txt\"; size=3", Some("a;b.txt"));
        check("attachment", None);
        check("", None);
    }

    #[test]
    fn reads_what_servers_really_send() {
        check("filename=a.txt", Some("a.txt"));
        check("attachment; filename=my file.txt", Some("my file.txt"));
        check("attachment; filename=\"a.txt", Some("a.txt"));
        check("attachment;filename=a.txt;", Some("a.txt"));
        check("attachment; filename=first.txt; filename=second.txt", Some("first.txt"));
        check("attachment; filename*=\"UTF-8''a%20b.txt\"", Some("a b.txt"));
        check("attachment; filename=\"na\u{c3}\u{af}ve.txt\"", Some("naïve.txt"));
        check("attachment; filename=\"na\u{ef}ve.txt\"", Some("naïve.txt"));
    }

    #[test]
    fn reads_what_browsers_read_and_no_rfc_allows() {
        check("attachment; filename=\"100%25.txt\"", Some("100%.txt"));
        check("attachment; filename=\"na%C3%AFve%20file.txt\"", Some("naïve file.txt"));
        check("attachment; filename=%E4%BD%A0%E5%A5%BD.pdf", Some("你好.pdf"));
        check("attachment; filename=\"50%.txt\"", Some("50%.txt"));
        check("attachment; filename=\"%FF.txt\"", Some("%FF.txt"));
        check("attachment; filename=\"..%2F..%2Fa.txt\"", Some("a.txt"));
        check("attachment; filename=\"=?UTF-8?B?bmHDr3ZlLnR4dA==?=\"", Some("naïve.txt"));
        check("attachment; filename==?utf-8?q?na=C3=AFve_file.txt?=", Some("naïve file.txt"));
        check("attachment; filename=\"=?ISO-8859-1?Q?na=EFve?= =?ISO-8859-1?Q?_file?=.txt\"", Some("naïve file.txt"));
        check("attachment; filename=\"=?UTF-8?B?w6k=?= =?UTF-8?Q?=C3?= =?UTF-8?Q?=A9.txt?=\"", Some("éé.txt"));
        check("attachment; filename=\"=?UTF-8?Q?a/..=2Fb.txt?=\"", Some("b.txt"));
        check("attachment; filename=\"=?UTF-8?Q?b?= c.txt\"", Some("b c.txt"));
        check("attachment; filename=\"=?b.txt\"", Some("=_b.txt"));
        for broken in ["=?koi8-r?B?4Q==?=", "=?UTF-8?B?!?=", "=?UTF-8?X?a?=", "=?UTF-8?Q?=FF?="] {
            check(&format!("attachment; filename=\"{broken}\""), None);
        }
    }

    #[test]
    fn a_broken_extended_name_falls_back_to_the_plain_one() {
        for broken in ["UTF-8''%e2%82", "UTF-8''%zz", "UTF-8''%2", "UTF-8'a.txt", "koi8-r''a.txt", "UTF-8''%2e%2e", ""]
        {
            check(&format!("attachment; filename=plain.txt; filename*={broken}"), Some("plain.txt"));
        }
    }

    #[test]
    fn paths_lead_nowhere() {
        check("attachment; filename=\"../../etc/passwd\"", Some("passwd"));
        check(r#"attachment; filename="..\..\boot.ini""#, Some("boot.ini"));
        check(r#"attachment; filename="C:\dir\new.txt""#, Some("new.txt"));
        check(r#"attachment; filename="C:new.txt""#, Some("C_new.txt"));
        check("attachment; filename*=UTF-8''..%2F..%2Fa.txt", Some("a.txt"));
        check("attachment; filename*=UTF-8''%2e%2e%5ca.txt", Some("a.txt"));
        for nothing in ["..", "../", "/", "\\", ". . .", "   ", "", "%00"] {
            check(&format!("attachment; filename*=UTF-8''{}", nothing.replace(' ', "%20")), None);
        }
    }

    #[test]
    fn nothing_invisible_is_left() {
        check("attachment; filename*=UTF-8''a%00b%0d%0a%7f%c2%85c.txt", Some("abc.txt"));
        check("attachment; filename*=UTF-8''photo%E2%80%AEgpj.exe", Some("photogpj.exe"));
        check("attachment; filename*=UTF-8''%E2%81%A6a%E2%81%A9.txt", Some("a.txt"));
        check("attachment; filename=\" ..hidden.txt. . \"", Some("hidden.txt"));
    }

    #[test]
    fn names_of_devices_are_no_names_of_files() {
        for (name, expected) in [
            ("CON", "_CON"),
            ("con.txt", "_con.txt"),
            ("nul.tar.gz", "_nul.tar.gz"),
            ("Com1", "_Com1"),
            ("LPT9.log", "_LPT9.log"),
            ("AUX .txt", "_AUX .txt"),
            ("CONSOLE", "CONSOLE"),
            ("COM", "COM"),
            ("COM10", "COM10"),
            ("COMx", "COMx"),
        ] {
            check(&format!("attachment; filename=\"{name}\""), Some(expected));
        }
        check("attachment; filename*=UTF-8''COM%C2%B9.txt", Some("_COM¹.txt"));
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let long = "x".repeat(300);
        let shortened = file_name(&format!("attachment; filename={long}.tar")).unwrap();
        assert_eq!((shortened.len(), shortened.ends_with("xxx.tar")), (255, true));
        let wide = file_name(&format!("attachment; filename*=UTF-8''{}.mp3", "%e2%82%ac".repeat(100))).unwrap();
        assert_eq!((wide.len(), wide.ends_with("€.mp3")), (253, true), "a character has three bytes");
        let all_extension = file_name(&format!("attachment; filename=a.{long}")).unwrap();
        assert_eq!(all_extension.len(), 255);
        let with_space = file_name(&format!("attachment; filename=\"{} {long}\"", &long[..254])).unwrap();
        assert_eq!(with_space, long[..254], "no space at the end");
        let device = file_name(&format!("attachment; filename=con.{long}")).unwrap();
        assert_eq!((device.len(), device.starts_with("_con.x")), (255, true));
    }

    proptest! {
        #[test]
        fn whatever_comes_the_name_is_safe(
            value in "\\PC{0,60}|attachment; ?filename\\*?=\"?(UTF-8''|iso-8859-1'')?([a.\\\\/ %;\"€]|%[0-9a-f]{2}|CON|com1|\u{202e}){0,300}"
        ) {
            if let Some(name) = file_name(&value) {
                prop_assert!(!name.is_empty() && name.len() <= LONGEST_NAME, "{name:?}");
                prop_assert!(!name.contains(['/', '\\', ':', '"']), "{name:?}");
                prop_assert!(!name.chars().any(is_invisible), "{name:?}");
                prop_assert_eq!(trimmed(&name), name.as_str());
                prop_assert!(!is_device(&name), "{name:?}");
                // What is safe is left as it is.
                prop_assert_eq!(sanitised(&name), Some(name));
            }
        }
    }
}
