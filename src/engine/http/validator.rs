//! Validators: which answers belong to the same version of a file (RFC 9110 sections 8.8 and 13.1.5).

use super::{Head, Representation, Resumability};

/// Whether the entity tag may be compared strongly: quoted and without `W/` (RFC 9110 section 8.8.3.2).
pub(super) fn is_strong(etag: &str) -> bool {
    etag.len() >= 2 && etag.starts_with('"') && etag.ends_with('"')
}

/// Whether kept bytes of what `head` describes may be continued later.
pub(super) fn resumability(head: &Head, complete_length: Option<u64>) -> Resumability {
    let strong = head.etag.as_deref().is_some_and(is_strong);
    match (strong, &head.last_modified, complete_length) {
        // Without the length nobody could tell a finished file from one that was cut.
        (_, _, None) => Resumability::RestartOnly,
        (true, _, Some(_)) => Resumability::Resumable,
        (false, Some(_), Some(_)) => Resumability::ResumableByComparison,
        (false, None, Some(_)) => Resumability::RestartOnly,
    }
}

/// The value for `If-Range`: a strong entity tag, and only on the worker's own origin, since across origins the
/// field needs a preflight that few servers answer.
pub fn if_range(representation: &Representation, same_origin: bool) -> Option<&str> {
    representation.etag.as_deref().filter(|etag| same_origin && is_strong(etag))
}

/// Whether a partial answer belongs to the version whose bytes are kept. `if_range_sent` says that the server was
/// asked to send a partial answer only if it does.
pub(super) fn same_version(
    kept: &Representation,
    head: &Head,
    complete_length: Option<u64>,
    if_range_sent: bool,
) -> bool {
    if complete_length.is_some() && complete_length != kept.complete_length {
        return false;
    }
    match (&kept.etag, &head.etag) {
        (Some(kept_etag), Some(etag)) if is_strong(kept_etag) => kept_etag == etag,
        (Some(kept_etag), None) if is_strong(kept_etag) && if_range_sent => true,
        (Some(kept_etag), Some(etag)) if kept_etag != etag => false,
        _ => kept.last_modified.is_some() && kept.last_modified == head.last_modified && complete_length.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(etag: Option<&str>, last_modified: Option<&str>) -> Representation {
        Representation {
            complete_length: Some(100),
            etag: etag.map(Into::into),
            last_modified: last_modified.map(Into::into),
            content_type: None,
            resumability: Resumability::Resumable,
        }
    }

    fn head(etag: Option<&str>, last_modified: Option<&str>) -> Head {
        Head { etag: etag.map(Into::into), last_modified: last_modified.map(Into::into), ..Head::default() }
    }

    #[test]
    fn a_strong_tag_decides_alone() {
        let old = kept(Some("\"a\""), Some("monday"));
        assert!(same_version(&old, &head(Some("\"a\""), Some("tuesday")), Some(100), true));
        assert!(!same_version(&old, &head(Some("\"b\""), Some("monday")), Some(100), true));
        assert!(same_version(&old, &head(None, None), None, true), "the server answered our If-Range");
        assert!(!same_version(&old, &head(None, None), Some(100), false));
        assert!(!same_version(&old, &head(Some("W/\"a\""), None), Some(100), true), "a weak tag proves no bytes");
    }

    #[test]
    fn another_length_is_another_version() {
        assert!(!same_version(&kept(Some("\"a\""), None), &head(Some("\"a\""), None), Some(101), true));
    }

    #[test]
    fn without_a_strong_tag_date_and_length_must_both_agree() {
        let old = kept(Some("W/\"a\""), Some("monday"));
        assert!(same_version(&old, &head(Some("W/\"a\""), Some("monday")), Some(100), false));
        assert!(!same_version(&old, &head(Some("W/\"b\""), Some("monday")), Some(100), false));
        assert!(!same_version(&old, &head(None, Some("tuesday")), Some(100), false));
        assert!(!same_version(&old, &head(None, Some("monday")), None, false));
        assert!(!same_version(&kept(None, None), &head(None, None), Some(100), false));
    }

    #[test]
    fn if_range_only_with_a_strong_tag_and_at_home() {
        assert_eq!(if_range(&kept(Some("\"a\""), None), true), Some("\"a\""));
        assert_eq!(if_range(&kept(Some("\"a\""), None), false), None);
        assert_eq!(if_range(&kept(Some("W/\"a\""), None), true), None);
        assert_eq!(if_range(&kept(Some("a"), None), true), None);
    }
}
