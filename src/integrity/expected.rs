//! What a message must hash to.

use serde::{Deserialize, Serialize};

use super::digest::{Algorithm, Digest};

/// The digests that are accepted, all of one algorithm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    algorithm: Algorithm,
    any_of: Vec<Digest>,
}

impl Expected {
    /// The digests of the strongest algorithm among these; `None` if there are none.
    pub fn strongest_of(digests: Vec<Digest>) -> Option<Self> {
        let algorithm = digests.iter().map(Digest::algorithm).max()?;
        let mut any_of = digests;
        any_of.retain(|digest| digest.algorithm() == algorithm);
        Some(Self { algorithm, any_of })
    }

    /// What to hash with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether this is one of the digests.
    pub fn matches(&self, digest: &Digest) -> bool {
        self.any_of.contains(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(algorithm: Algorithm, byte: u8) -> Digest {
        Digest::new(algorithm, vec![byte; algorithm.digest_length()]).unwrap()
    }

    #[test]
    fn only_the_strongest_algorithm_counts() {
        let (weak, one, other) =
            (digest(Algorithm::Sha256, 1), digest(Algorithm::Sha384, 1), digest(Algorithm::Sha384, 2));
        let expected = Expected::strongest_of(vec![one.clone(), weak.clone(), other.clone()]).unwrap();
        assert_eq!(expected.algorithm(), Algorithm::Sha384);
        assert!(expected.matches(&one));
        assert!(expected.matches(&other));
        assert!(!expected.matches(&weak));
        assert!(!expected.matches(&digest(Algorithm::Sha384, 3)));
        assert_eq!(Expected::strongest_of(vec![]), None);
    }

    #[test]
    fn survives_being_stored() {
        let expected = Expected::strongest_of(vec![digest(Algorithm::Sha512, 1), digest(Algorithm::Sha512, 2)]);
        let stored = postcard::to_allocvec(&expected).unwrap();
        assert_eq!(postcard::from_bytes::<Option<Expected>>(&stored).unwrap(), expected);
    }
}
