//! Base64 (RFC 4648 sections 4 and 5), decoding only.

/// Decodes `text`, in the standard or the URL-safe alphabet. Padding may be left out, but not be wrong; `None` for
/// anything else that base64 does not allow. Bits behind the last byte are ignored (RFC 8941 section 4.2.7).
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    let padded = padding == 0 || (padding < 3 && text.len().is_multiple_of(4));
    if !padded || digits.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    let mut bits = 0u32;
    let mut held = 0;
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes)
}

/// The inverse, for tests: the standard alphabet, padded.
#[cfg(all(test, not(target_arch = "wasm32")))]
pub(super) fn encode(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit)) as usize % 64;
            text.push(if digit > chunk.len() { '=' } else { char::from(ALPHABET[value]) });
        }
    }
    text
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 4648 section 10.
    #[test]
    fn reads_the_vectors_of_the_rfc() {
        let vectors = [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ];
        for (text, bytes) in vectors {
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()), "{text}");
            assert_eq!(decode(text.trim_end_matches('=')).as_deref(), Some(bytes.as_bytes()), "{text} without padding");
            assert_eq!(encode(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn both_alphabets_mean_the_same() {
        assert_eq!(decode("+/+/"), Some(vec![0xfb, 0xff, 0xbf]));
        assert_eq!(decode("-_-_"), decode("+/+/"));
    }

    #[test]
    fn bits_behind_the_last_byte_are_ignored() {
        assert_eq!(decode("Zh=="), decode("Zg=="));
    }

    #[test]
    fn refuses_what_is_not_base64() {
        for text in ["Z", "Zg=", "Zg===", "Zm9v=", "Zm9v====", "=", "====", "=Zg=", "Zm 9v", "Zm9\n", "Zé==", "Zm9v:"]
        {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(bytes: Vec<u8>) {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text: String) {
            let _ = decode(&text);
        }
    }
}
