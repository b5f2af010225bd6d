//! The fields `Repr-Digest` and `Content-Digest` (RFC 9530): a dictionary of byte sequences (RFC 8941 section 3.2).

use super::base64;
use super::digest::{Algorithm, Digest};
use super::expected::Expected;

impl Expected {
    /// Parses the value of `Repr-Digest` or `Content-Digest`, such as `sha-256=:…:, sha-512=:…:`, and keeps the digest
    /// of the strongest algorithm. Other algorithms and all parameters are skipped unread. `None` if no digest is
    /// left, if the dictionary is malformed, or if a digest of a known algorithm is.
    ///
    /// `Repr-Digest` is of the complete representation under its content coding, `Content-Digest` of this one message:
    /// in a 206, of the part only.
    pub fn parse_digest_field(value: &str) -> Option<Self> {
        let mut digests = Vec::new();
        for member in members(value)? {
            let (key, item) = member.split_once('=').unwrap_or((member, ""));
            if let Some(algorithm) = key.strip_prefix("sha-").and_then(Algorithm::from_bits) {
                let digest = Digest::new(algorithm, byte_sequence(item)?)?;
                digests.retain(|earlier: &Digest| earlier.algorithm() != algorithm);
                digests.push(digest);
            }
        }
        Self::strongest_of(digests)
    }
}

/// Splits a dictionary at its commas, except those in strings. `None` if a string has no end or a member is empty.
fn members(value: &str) -> Option<Vec<&str>> {
    let (mut quoted, mut escaped) = (false, false);
    let separates = |mark| {
        let escapes = quoted && !escaped && mark == '\\';
        if mark == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = escapes;
        mark == ',' && !quoted
    };
    let members: Vec<&str> = value.split(separates).map(|member| member.trim_matches([' ', '\t'])).collect();
    let valid = !quoted && members.iter().all(|member| !member.is_empty());
    valid.then_some(members)
}

/// The bytes of `:base64:`, with or without parameters behind it (RFC 8941 section 4.2.7).
fn byte_sequence(item: &str) -> Option<Vec<u8>> {
    let (digits, parameters) = item.strip_prefix(':')?.split_once(':')?;
    let valid = (parameters.is_empty() || parameters.starts_with(';')) && !digits.contains(['-', '_']);
    if valid { base64::decode(digits) } else { None }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::integrity::HashState;

    /// The digests of `{"hello": "world"}` and a line feed, of RFC 9530 appendix D.
    const SHA256: &str = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
    const SHA512: &str = "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/\
                          WkppmM44T3qg==:";

    fn hello(algorithm: Algorithm) -> Digest {
        let mut state = HashState::new(algorithm);
        state.update(b"{\"hello\": \"world\"}\n");
        state.finish()
    }

    fn parse(value: &str) -> Option<Expected> {
        Expected::parse_digest_field(value)
    }

    #[test]
    fn reads_the_examples_of_the_rfc() {
        for (value, algorithm) in [(SHA256, Algorithm::Sha256), (SHA512, Algorithm::Sha512)] {
            let expected = parse(value).unwrap();
            assert_eq!(expected.algorithm(), algorithm);
            assert!(expected.matches(&hello(algorithm)), "{value}");
        }
    }

    #[test]
    fn the_strongest_algorithm_counts() {
        for value in [format!("{SHA256},{SHA512}"), format!(" {SHA512}\t, \t{SHA256} ")] {
            assert_eq!(parse(&value), parse(SHA512), "{value:?}");
        }
    }

    #[test]
    fn the_last_of_the_same_key_wins() {
        let other = format!("sha-256=:{}:", base64::encode(&[7; 32]));
        assert_eq!(parse(&format!("{other}, {SHA256}")), parse(SHA256));
        assert_eq!(parse(&format!("{SHA256}, {other}")), parse(&other));
    }

    #[test]
    fn other_algorithms_and_parameters_are_skipped() {
        let value = format!(
            "md5=:AAAA:, a, b;c=\"\\\", \\\\\", d=(\"sha-512=:,\" e);f=1.5, sha=?0, {SHA256};g;h=\",\", unixsum=1"
        );
        assert_eq!(parse(&value), parse(SHA256));
        for none in ["", " ", "md5=:AAAA:", "SHA-256=:AAAA:", "sha-257=:AAAA:", "a=\"sha-256=:AAAA:\""] {
            assert_eq!(parse(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_malformed_field_says_nothing() {
        let url_safe = SHA256.replacen("sha-256", "", 1).replace('/', "_");
        let bad = [
            "sha-256",
            "sha-256=",
            "sha-256=?1",
            "sha-256=:",
            "sha-256=::",
            "sha-256=:AAAA:",
            "sha-512=\"AAAA\"",
            "",
            "a=\"",
            "a=\"\\\"",
            &SHA256[..SHA256.len() - 1],
            &SHA256.replace(':', ""),
            &format!("{SHA256}x"),
            &format!("sha-256{url_safe}"),
        ];
        for bad in bad {
            assert_eq!(parse(&format!("{SHA512}, {bad}")), None, "{bad:?}");
            assert_eq!(parse(&format!("{bad},{SHA512}")), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn garbage_gives_nothing(text: String, key in "sha-(256|384|512)", item in "[:;\",\\\\A-Za-z0-9+/=]{0,100}") {
            prop_assert_eq!(parse(&text), None);
            let _ = parse(&format!("{key}={item}, a=\"{item}"));
            prop_assert_eq!(parse(&format!("{key}={item}")), None);
        }

        #[test]
        fn every_digest_is_read_back(bytes: [[u8; 32]; 2], extra in "[ -~]{0,20}") {
            let digest = Digest::new(Algorithm::Sha512, bytes.concat()).unwrap();
            let field = format!("sha-512=:{}:", base64::encode(digest.bytes()));
            prop_assert!(parse(&field).unwrap().matches(&digest));
            if let Some(expected) = parse(&format!("{field}, x={extra}")) {
                prop_assert!(expected.matches(&digest));
            }
        }
    }
}
