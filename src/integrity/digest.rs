//! Hash algorithms and what they make of a message.

use serde::{Deserialize, Serialize};

/// A hash algorithm; a greater one is stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Algorithm {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// The name as RFC 9530 spells it (SHA-384 is not in its registry).
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// The algorithm whose name ends in these digits.
    pub(super) fn from_bits(bits: &str) -> Option<Self> {
        match bits {
            "256" => Some(Self::Sha256),
            "384" => Some(Self::Sha384),
            "512" => Some(Self::Sha512),
            _ => None,
        }
    }

    /// How many bytes a digest has.
    pub fn digest_length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// How many bytes are compressed at once.
    pub(super) fn block_length(self) -> usize {
        if self == Self::Sha256 { 64 } else { 128 }
    }
}

/// What a message hashes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    pub(super) algorithm: Algorithm,
    pub(super) bytes: Vec<u8>,
}

impl Digest {
    /// A digest from its bytes; `None` if the algorithm's digests have another length.
    pub fn new(algorithm: Algorithm, bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() == algorithm.digest_length()).then_some(Self { algorithm, bytes })
    }

    /// What it was made with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digest itself.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Algorithm; 3] = [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512];

    #[test]
    fn a_digest_has_its_algorithms_length() {
        for algorithm in ALL {
            assert!(Digest::new(algorithm, vec![0; algorithm.digest_length()]).is_some());
            assert_eq!(Digest::new(algorithm, vec![0; algorithm.digest_length() - 1]), None);
            assert_eq!(Digest::new(algorithm, vec![0; algorithm.digest_length() + 1]), None);
        }
    }

    #[test]
    fn the_order_of_algorithms_is_their_strength() {
        assert!(ALL.is_sorted_by(|weaker, stronger| weaker < stronger));
        assert_eq!(ALL.map(Algorithm::name), ["sha-256", "sha-384", "sha-512"]);
    }
}
