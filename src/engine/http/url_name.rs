//! The name of a file that its server has not named: the last segment of its URL, as browsers take it, with the extension
//! that its media type usually has.

use super::content_disposition::{percent_decoded, sanitised};
use super::representation::Representation;

/// Extensions that are not the subtype itself.
const EXTENSIONS: &str = "audio/mpeg mp3 audio/mp4 m4a audio/x-wav wav audio/x-m4a m4a audio/x-flac flac video/mpeg mpg \
    video/quicktime mov video/x-matroska mkv image/jpeg jpg image/svg+xml svg text/plain txt text/markdown md \
    text/javascript js text/calendar ics application/gzip gz application/x-gzip gz application/x-tar tar \
    application/x-7z-compressed 7z application/vnd.rar rar application/x-zip-compressed zip application/epub+zip epub \
    application/geo+json geojson application/vnd.sqlite3 sqlite application/msword doc \
    application/vnd.openxmlformats-officedocument.wordprocessingml.document docx \
    application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx \
    application/vnd.openxmlformats-officedocument.presentationml.presentation pptx \
    application/vnd.android.package-archive apk";
/// Of these families a short and plain subtype is the extension: `image/png`, `application/pdf`.
const FAMILIES: [&str; 6] = ["application", "audio", "font", "image", "text", "video"];
/// The longest subtype that is one.
const LONGEST_SUBTYPE: usize = 5;

/// The name of what is known, fetched from a task's `url`: the server's, or else by that URL.
pub fn name_of(known: &Representation, url: &str) -> Option<String> {
    known.file_name.clone().or_else(|| named_by_url(url, known.content_type.as_deref()))
}

/// The last segment of the URL's path, safe to use as a file's name; `None` if nothing usable is left.
pub fn named_by_url(url: &str, content_type: Option<&str>) -> Option<String> {
    // Behind the scheme and the host.
    let path = url.split(['?', '#']).next()?.splitn(4, '/').nth(3)?;
    let segment = path.rsplit('/').next()?;
    let decoded = String::from_utf8(percent_decoded(segment)).unwrap_or_else(|_| segment.into());
    let name = sanitised(&decoded)?;
    let has_extension = name.rsplit_once('.').is_some_and(|(_, extension)| !extension.contains(' '));
    match content_type.filter(|_| !has_extension).and_then(extension_of) {
        Some(extension) => sanitised(&[&name, ".", &extension].concat()),
        None => Some(name),
    }
}

/// The extension that files of this media type usually have.
fn extension_of(content_type: &str) -> Option<String> {
    let essence = content_type.split(';').next()?.trim();
    let mut words = EXTENSIONS.split_ascii_whitespace();
    while let (Some(known), Some(extension)) = (words.next(), words.next()) {
        if known.eq_ignore_ascii_case(essence) {
            return Some(extension.into());
        }
    }
    let (family, subtype) = essence.split_once('/')?;
    let is_plain = subtype.len() <= LONGEST_SUBTYPE && subtype.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_family = FAMILIES.iter().any(|known| known.eq_ignore_ascii_case(family));
    (is_family && !subtype.is_empty() && is_plain).then(|| subtype.to_ascii_lowercase())
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(url: &str, content_type: &str, expected: Option<&str>) {
        assert_eq!(named_by_url(url, Some(content_type)).as_deref(), expected, "{url} {content_type}");
    }

    #[test]
    fn the_last_segment_is_the_name() {
        check("https://a.example/episodes/42.mp3", "audio/mpeg", Some("42.mp3"));
        check("https://a.example/a/b.tar.gz?sig=1/2.exe#x", "application/gzip", Some("b.tar.gz"));
        check("https://a.example/na%C3%AFve%20file.txt", "text/plain", Some("naïve file.txt"));
        check("https://a.example/100%25.txt", "text/plain", Some("100%.txt"));
        check("https://a.example/bad%FF.txt", "text/plain", Some("bad%FF.txt"));
        check("https://a.example/50%.txt", "text/plain", Some("50%.txt"));
        check("https://a.example/..%2F..%2Fetc%2Fpasswd.txt", "text/plain", Some("passwd.txt"));
        check("https://a.example/con.txt", "text/plain", Some("_con.txt"));
    }

    #[test]
    fn what_has_no_extension_gets_that_of_its_media_type() {
        check("https://a.example/download", "audio/mpeg", Some("download.mp3"));
        check("https://a.example/42", "Video/MP4; codecs=\"avc1\"", Some("42.mp4"));
        check("https://a.example/tile", "application/geo+json", Some("tile.geojson"));
        check("https://a.example/report", "text/plain;charset=utf-8", Some("report.txt"));
        check("https://a.example/Dr.%20No", "application/pdf", Some("Dr. No.pdf"));
        for unusual in
            ["application/octet-stream", "text/event-stream", "x/y", "nonsense", "", "binary/octet", "image/"]
        {
            check("https://a.example/f", unusual, Some("f"));
        }
        check("https://a.example/get.php", "audio/mpeg", Some("get.php"));
        assert_eq!(named_by_url("https://a.example/f", None).as_deref(), Some("f"));
    }

    #[test]
    fn a_folder_has_no_name() {
        for url in ["https://a.example/", "https://a.example", "https://a.example/a/", "https://a.example/%2E%2E", "a"]
        {
            check(url, "text/html", None);
        }
    }

    #[test]
    fn the_servers_name_counts_for_more() {
        let named = Representation { file_name: Some("a.txt".into()), ..Representation::default() };
        assert_eq!(name_of(&named, "https://a.example/b.txt").as_deref(), Some("a.txt"));
        assert_eq!(name_of(&Representation::default(), "https://a.example/b.txt").as_deref(), Some("b.txt"));
    }

    proptest! {
        #[test]
        fn whatever_the_url_the_name_is_safe(segment in "([a.%/\\\\: -]|%[0-9a-fA-F]{2}|CON|\u{202e}|é){0,200}", media in "[a-z]{0,9}/[a-z+.-]{0,9}") {
            if let Some(name) = named_by_url(&["https://a.example/", &segment].concat(), Some(&media)) {
                prop_assert_eq!(sanitised(&name), Some(name));
            }
        }
    }
}
