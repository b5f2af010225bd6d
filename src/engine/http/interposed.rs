//! Answers that are not the server's own, or not of the file: a page to log in, a captive portal, a page that says that a
//! token is over, each with status 200. In place of the rest of a file they would have its bytes thrown away.

use super::answer::content_length;
use super::{Head, Representation};

/// A page is no longer than this, and a file that it stands for so many times longer.
const LONGEST_PAGE: u64 = 64 << 10;
/// Nor does a file of a few bytes say much by its length.
const SHORTEST_PAGE: u64 = 16;
const TIMES_LONGER: u64 = 16;

/// Whether the answer, which is not of the version that is kept, is hardly another version of the same file: it is of
/// another media type, or a fraction of its length. `complete_length` is the answer's.
pub fn is_interposed(kept: &Representation, head: &Head, complete_length: Option<u64>) -> bool {
    let media_type = |text: &Option<String>| text.as_deref().map(essence).filter(|essence| !essence.is_empty());
    let (before, now) = (media_type(&kept.content_type), media_type(&head.content_type));
    let is_of_other_type = before.is_some() && now.is_some() && before != now;
    is_of_other_type || complete_length.is_some_and(|length| is_fraction(kept, length))
}

/// Whether so many bytes are hardly another version of what is kept, but a page, or nothing at all.
pub fn is_fraction(kept: &Representation, length: u64) -> bool {
    let is_far_shorter = |before| length.max(SHORTEST_PAGE).saturating_mul(TIMES_LONGER) <= before;
    length <= LONGEST_PAGE && kept.complete_length.is_some_and(is_far_shorter)
}

/// Whether the answer brings no bytes, and says so.
pub fn is_empty(head: &Head) -> bool {
    matches!(head.status, 204 | 205) || (head.status == 200 && content_length(head) == Some(0))
}

/// Whether the answer is of one of these media types, or says nothing of its type. `accept` has media types and ranges of them
/// (RFC 9110 section 12.5.1); an empty one accepts everything.
pub fn is_accepted(accept: &[String], head: &Head) -> bool {
    let Some(told) = head.content_type.as_deref().map(essence).filter(|told| !told.is_empty()) else { return true };
    let fits = |range: &String| match range.strip_suffix('*') {
        Some(kind) => kind == "*/" || told.starts_with(kind),
        None => told == *range,
    };
    accept.is_empty() || accept.iter().any(fits)
}

/// The media type without its parameters, in lower case (RFC 9110 section 8.3.1).
fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_in_place_of_a_file_is_told_from_another_version() {
        let kept = Representation {
            complete_length: Some(12 << 20),
            content_type: Some("application/zip".into()),
            ..Representation::default()
        };
        let ask = |content_type: Option<&str>, length| {
            let head = Head { content_type: content_type.map(Into::into), ..Head::default() };
            is_interposed(&kept, &head, length)
        };
        assert!(ask(Some("text/html; charset=utf-8"), None));
        assert!(ask(Some("text/html"), Some(13 << 20)));
        assert!(ask(Some("application/zip"), Some(36)));
        assert!(ask(None, Some(36)));
        assert!(!ask(Some("APPLICATION/ZIP;v=2"), Some(13 << 20)));
        assert!(!ask(None, Some(100_000)), "a shorter version");
        assert!(!ask(None, None));
        let short = Representation { complete_length: Some(500), ..kept.clone() };
        assert!(!is_interposed(&short, &Head::default(), Some(36)), "a short file changes its length easily");
    }
    #[test]
    fn a_media_type_is_held_against_what_the_app_accepts() {
        let accepts = |accept: &[&str], content_type: Option<&str>| {
            let head = Head { content_type: content_type.map(Into::into), ..Head::default() };
            is_accepted(&accept.iter().map(|range| (*range).to_owned()).collect::<Vec<_>>(), &head)
        };
        for told in ["audio/mpeg", "AUDIO/MPEG; codecs=mp3", "audio/x-m4a"] {
            assert!(accepts(&["video/mp4", "audio/*"], Some(told)), "{told}");
        }
        for told in ["text/html", "application/audio", "audio"] {
            assert!(!accepts(&["video/mp4", "audio/*"], Some(told)), "{told}");
        }
        assert!(!accepts(&["audio/mp"], Some("audio/mpeg")));
        assert!(accepts(&["audio/*"], None) && accepts(&["audio/*"], Some(" ")) && accepts(&[], Some("text/html")));
        assert!(accepts(&["*/*"], Some("text/html")));
    }
}
