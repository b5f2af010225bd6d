//! Digests of the equal pieces of a representation, so that damage is found, and fetched again, piece by piece.

use std::cmp::min;
use std::num::NonZeroU64;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::digest::Digest;

/// The shortest piece length, in bytes. Shorter ones would make the list of digests long and buy little.
pub const MIN_PIECE_LENGTH: u64 = 256 << 10;

/// The length of a SHA-256.
const DIGEST_BYTES: usize = 32;

/// The SHA-256 digests of a representation's pieces. All pieces have the same length, but the last may be shorter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pieces {
    piece_length: NonZeroU64,
    /// One after the other.
    digests: Vec<u8>,
}

impl Pieces {
    /// Reads the digests, one after the other in `digests`. `None` if they are not whole, or the pieces shorter than
    /// [`MIN_PIECE_LENGTH`].
    pub fn new(piece_length: u64, digests: &[u8]) -> Option<Self> {
        let piece_length = NonZeroU64::new(piece_length)?;
        let valid = digests.len().is_multiple_of(DIGEST_BYTES) && piece_length.get() >= MIN_PIECE_LENGTH;
        valid.then(|| Self { piece_length, digests: digests.to_vec() })
    }

    /// How many bytes a piece has.
    pub fn piece_length(&self) -> u64 {
        self.piece_length.get()
    }

    /// The index of the piece that the byte at `offset` lies in.
    pub fn piece_of(&self, offset: u64) -> u64 {
        offset / self.piece_length
    }

    /// The offsets of a piece; empty if a representation of `complete_length` bytes has no such piece.
    pub fn range(&self, index: u64, complete_length: u64) -> Range<u64> {
        let start = min(index.saturating_mul(self.piece_length()), complete_length);
        start..min(start.saturating_add(self.piece_length()), complete_length)
    }

    /// How many pieces a representation of `complete_length` bytes has.
    pub fn count_for(&self, complete_length: u64) -> u64 {
        complete_length.div_ceil(self.piece_length())
    }

    /// Whether there is one digest for each piece of a representation of `complete_length` bytes.
    pub fn fit(&self, complete_length: u64) -> bool {
        self.count_for(complete_length) == (self.digests.len() / DIGEST_BYTES) as u64
    }

    /// Whether this is the digest of the piece with this index.
    pub fn matches(&self, index: u64, digest: &Digest) -> bool {
        let expected = usize::try_from(index).ok().and_then(|index| self.digests.chunks_exact(DIGEST_BYTES).nth(index));
        // Only SHA-256 has digests of 32 bytes: one of another algorithm equals none.
        expected.is_some_and(|expected| expected == digest.bytes())
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::digest::Algorithm;
    use super::*;

    const LENGTH: u64 = MIN_PIECE_LENGTH;

    fn pieces(count: u8) -> Option<Pieces> {
        let digests: Vec<u8> = (0..count).flat_map(|index| [index; 32]).collect();
        Pieces::new(LENGTH, &digests)
    }

    #[test]
    fn reads_whole_digests_of_pieces_that_are_long_enough() {
        assert!(Pieces::new(LENGTH, &[]).is_some());
        assert!(Pieces::new(u64::MAX, &[0; 96]).is_some());
        for (piece_length, digests) in [(LENGTH - 1, 32), (0, 32), (LENGTH, 31), (LENGTH, 33), (LENGTH, 1)] {
            assert_eq!(Pieces::new(piece_length, &vec![0; digests]), None, "{piece_length}, {digests}");
        }
    }

    #[test]
    fn a_digest_matches_at_its_own_index_only() {
        let digest = |byte| Digest::new(Algorithm::Sha256, vec![byte; 32]).unwrap();
        for index in 0..3 {
            for byte in 0..3 {
                assert_eq!(pieces(3).unwrap().matches(index, &digest(byte)), index == u64::from(byte));
            }
        }
        assert!(!pieces(3).unwrap().matches(3, &digest(3)));
        assert!(!pieces(3).unwrap().matches(1 << 32, &digest(0)));
        assert!(!pieces(3).unwrap().matches(u64::MAX, &digest(2)));
        assert!(!pieces(1).unwrap().matches(0, &Digest::new(Algorithm::Sha512, vec![0; 64]).unwrap()));
    }

    #[test]
    fn the_last_piece_may_be_shorter() {
        let pieces = pieces(3).unwrap();
        for (complete_length, fit) in [(2 * LENGTH, false), (2 * LENGTH + 1, true), (3 * LENGTH, true), (0, false)] {
            assert_eq!(pieces.fit(complete_length), fit, "{complete_length}");
        }
        assert!(!pieces.fit(3 * LENGTH + 1));
        assert!(Pieces::new(LENGTH, &[]).unwrap().fit(0));
        assert_eq!(pieces.range(2, 2 * LENGTH + 1), 2 * LENGTH..2 * LENGTH + 1);
        assert_eq!(pieces.range(1, 2 * LENGTH + 1), LENGTH..2 * LENGTH);
        assert!(pieces.range(3, 2 * LENGTH + 1).is_empty());
    }

    #[test]
    fn a_piece_length_of_zero_is_not_read_from_storage() {
        assert!(postcard::from_bytes::<Pieces>(&[1, 0]).is_ok());
        assert!(postcard::from_bytes::<Pieces>(&[0, 0]).is_err());
    }

    proptest! {
        #[test]
        fn the_ranges_cover_every_byte_once(piece_length in LENGTH..3 * LENGTH, complete_length in 0..50 * LENGTH) {
            let pieces = Pieces::new(piece_length, &[]).unwrap();
            let mut end = 0;
            for index in 0..pieces.count_for(complete_length) {
                let range = pieces.range(index, complete_length);
                prop_assert_eq!(range.start, end);
                prop_assert!(range.end > range.start && range.end - range.start <= piece_length);
                prop_assert_eq!(pieces.piece_of(range.start), index);
                prop_assert_eq!(pieces.piece_of(range.end - 1), index);
                end = range.end;
            }
            prop_assert_eq!(end, complete_length);
        }

        #[test]
        fn no_number_panics(piece_length: u64, index: u64, complete_length: u64, digests: Vec<u8>) {
            if let Some(pieces) = Pieces::new(piece_length, &digests) {
                let range = pieces.range(index, complete_length);
                prop_assert!(range.start <= range.end && range.end <= complete_length);
                prop_assert!(pieces.piece_of(complete_length) <= pieces.count_for(complete_length));
            }
        }

        #[test]
        fn survives_being_stored(digests in vec(any::<[u8; 32]>(), 0..20), piece_length in LENGTH..) {
            let pieces = Pieces::new(piece_length, digests.as_flattened()).unwrap();
            let stored = postcard::to_allocvec(&pieces).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Pieces>(&stored).unwrap(), pieces);
        }

        #[test]
        fn stored_garbage_never_panics(garbage: Vec<u8>) {
            if let Ok(pieces) = postcard::from_bytes::<Pieces>(&garbage) {
                prop_assert!(pieces.range(0, u64::MAX).end <= pieces.piece_length());
            }
        }
    }
}
