//! The `integrity` attribute (Subresource Integrity section 3.5).

use super::base64;
use super::digest::{Algorithm, Digest};
use super::expected::Expected;

impl Expected {
    /// Parses integrity metadata such as `sha256-… sha384-…?option`: digests between whitespace, of which those of the
    /// strongest algorithm count. Unknown algorithms and all options are skipped. `None` if no digest is left, or if
    /// one of a known algorithm is not base64 or has the wrong length: better no transfer than one that is held
    /// against less than was asked for.
    pub fn parse_sri(metadata: &str) -> Option<Self> {
        let mut digests = Vec::new();
        for token in metadata.split_ascii_whitespace() {
            let expression = token.split('?').next()?;
            let (name, value) = expression.split_once('-').unwrap_or((expression, ""));
            if let Some(algorithm) = algorithm(name) {
                digests.push(Digest::new(algorithm, base64::decode(value)?)?);
            }
        }
        Self::strongest_of(digests)
    }
}

/// `sha256`, `sha384` or `sha512`, in either case (Content Security Policy section 2.3.1).
fn algorithm(name: &str) -> Option<Algorithm> {
    let (sha, bits) = name.split_at_checked(3)?;
    if sha.eq_ignore_ascii_case("sha") { Algorithm::from_bits(bits) } else { None }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::integrity::HashState;

    /// The digests of `alert('Hello, world.');`, the example of the specification.
    const SHA256: &str = "sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng=";
    const SHA384: &str = "sha384-H8BRh8j48O9oYatfu5AZzq6A9RINhZO5H16dQZngK7T62em8MUt1FLm52t+eX6xO";

    fn hello(algorithm: Algorithm) -> Digest {
        let mut state = HashState::new(algorithm);
        state.update(b"alert('Hello, world.');");
        state.finish()
    }

    fn parse(metadata: &str) -> Option<Expected> {
        Expected::parse_sri(metadata)
    }

    #[test]
    fn reads_the_examples_of_the_specification() {
        let expected = parse(SHA384).unwrap();
        assert_eq!(expected.algorithm(), Algorithm::Sha384);
        assert!(expected.matches(&hello(Algorithm::Sha384)));
        assert!(parse(SHA256).unwrap().matches(&hello(Algorithm::Sha256)));
    }

    #[test]
    fn the_strongest_algorithm_counts_and_any_of_its_digests() {
        let other = format!("sha384-{}", base64::encode(&[7; 48]));
        let expected = parse(&format!(" {SHA256}\t{other}?ct=text/javascript \n{SHA384}?a?b ")).unwrap();
        assert_eq!(expected.algorithm(), Algorithm::Sha384);
        assert!(expected.matches(&hello(Algorithm::Sha384)));
        assert!(expected.matches(&Digest::new(Algorithm::Sha384, vec![7; 48]).unwrap()));
        assert!(!expected.matches(&hello(Algorithm::Sha256)));
    }

    #[test]
    fn other_spellings_mean_the_same() {
        let url_safe = SHA256.replacen("sha256-", "", 1).replace('+', "-").replace('/', "_");
        for same in [format!("SHA256-{url_safe}"), SHA256.trim_end_matches('=').to_owned(), format!("{SHA256}?")] {
            assert_eq!(parse(&same), parse(SHA256), "{same}");
        }
    }

    #[test]
    fn unknown_algorithms_are_skipped() {
        assert_eq!(parse(&format!("md5-AAAA sha3-256-AAAA {SHA256} sha1024-AAAA sha")), parse(SHA256));
        for none in ["", "  ", "md5-AAAA", "sha", "sh\u{e9}256-AAAA", "?"] {
            assert_eq!(parse(none), None, "{none:?}");
        }
    }

    #[test]
    fn one_bad_digest_of_a_known_algorithm_refuses_all() {
        for bad in ["sha256", "sha256-", "sha256-AAAA", "sha512-\u{e9}", &SHA384.replace('+', "!"), &SHA256[..49]] {
            assert_eq!(parse(&format!("{bad} {SHA256} {SHA384}")), None, "{bad}");
            assert_eq!(parse(&format!("{SHA384} {bad}")), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn garbage_gives_nothing(text: String, algorithm in "sha(256|384|512)-", digits in "[A-Za-z0-9+/=]{0,100}") {
            prop_assert_eq!(parse(&text), None);
            if let Some(expected) = parse(&format!("{algorithm}{digits}")) {
                let digest = Digest::new(expected.algorithm(), base64::decode(&digits).unwrap()).unwrap();
                prop_assert!(expected.matches(&digest));
            }
        }

        #[test]
        fn every_digest_is_read_back(bytes in vec(any::<u8>(), 32..=32), bit in 0..256usize) {
            let expected = parse(&format!("sha256-{}", base64::encode(&bytes))).unwrap();
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(expected.matches(&Digest::new(Algorithm::Sha256, bytes).unwrap()));
            prop_assert!(!expected.matches(&Digest::new(Algorithm::Sha256, other).unwrap()));
        }
    }
}
