//! SHA-256, SHA-384 and SHA-512 (FIPS 180-4) whose state can be stored between two slices of a message and taken up
//! again, in another worker or another version of longhaul.
//!
//! The compression functions are those of the `sha2` crate. Padding and the form of the stored state are longhaul's
//! own: that crate's serialised state is stable within one of its minor versions only.

use std::cmp::min;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::block_api::{compress256, compress512};

use super::digest::{Algorithm, Digest};

/// The version that [`HashState::to_bytes`] writes.
const FORMAT_VERSION: u8 = 1;
/// How many bytes of its own SHA-256 a stored state ends with.
const CHECKSUM_LENGTH: usize = 8;
/// No message is longer: the largest offset that JavaScript can hold.
const MAX_HASHED_BYTES: u64 = (1 << 53) - 1;

/// The chaining value after the last whole block.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Chain {
    Words32([u32; 8]),
    Words64([u64; 8]),
}

impl Chain {
    /// The initial hash values (FIPS 180-4 section 5.3).
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Words32([
                0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
            ]),
            Algorithm::Sha384 => Self::Words64([
                0xcbbb9d5dc1059ed8,
                0x629a292a367cd507,
                0x9159015a3070dd17,
                0x152fecd8f70e5939,
                0x67332667ffc00b31,
                0x8eb44a8768581511,
                0xdb0c2e0d64f98fa7,
                0x47b5481dbefa4fa4,
            ]),
            Algorithm::Sha512 => Self::Words64([
                0x6a09e667f3bcc908,
                0xbb67ae8584caa73b,
                0x3c6ef372fe94f82b,
                0xa54ff53a5f1d36f1,
                0x510e527fade682d1,
                0x9b05688c2b3e6c1f,
                0x1f83d9abfb41bd6b,
                0x5be0cd19137e2179,
            ]),
        }
    }

    /// Takes in whole blocks.
    fn compress(&mut self, blocks: &[u8]) {
        match self {
            Self::Words32(words) => compress256(words, blocks.as_chunks().0),
            Self::Words64(words) => compress512(words, blocks.as_chunks().0),
        }
    }

    /// Appends the words, most significant byte first.
    fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Words32(words) => words.iter().for_each(|word| bytes.extend(word.to_be_bytes())),
            Self::Words64(words) => words.iter().for_each(|word| bytes.extend(word.to_be_bytes())),
        }
    }

    /// Reads what [`Self::write`] wrote and returns it with the bytes behind it.
    fn read(algorithm: Algorithm, bytes: &[u8]) -> Option<(Self, &[u8])> {
        let mut chain = Self::new(algorithm);
        let rest = match &mut chain {
            Self::Words32(words) => {
                let (head, rest) = bytes.split_at_checked(size_of_val(words))?;
                words.iter_mut().zip(head.as_chunks().0).for_each(|(word, bytes)| *word = u32::from_be_bytes(*bytes));
                rest
            }
            Self::Words64(words) => {
                let (head, rest) = bytes.split_at_checked(size_of_val(words))?;
                words.iter_mut().zip(head.as_chunks().0).for_each(|(word, bytes)| *word = u64::from_be_bytes(*bytes));
                rest
            }
        };
        Some((chain, rest))
    }
}

/// A hash over the bytes so far. Serialises as [`Self::to_bytes`]; a record that holds a damaged one does not decode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashState {
    algorithm: Algorithm,
    hashed_bytes: u64,
    chain: Chain,
    /// The bytes after the last whole block.
    pending: Vec<u8>,
}

impl HashState {
    /// The state before the first byte.
    pub fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, hashed_bytes: 0, chain: Chain::new(algorithm), pending: Vec::new() }
    }

    /// What it hashes with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// How many bytes went in: the offset of the first byte that the next [`Self::update`] takes.
    pub fn hashed_bytes(&self) -> u64 {
        self.hashed_bytes
    }

    /// Takes in the next bytes of the message.
    pub fn update(&mut self, bytes: &[u8]) {
        let block_length = self.algorithm.block_length();
        self.hashed_bytes += bytes.len() as u64;
        let mut bytes = bytes;
        if !self.pending.is_empty() {
            let missing = min(block_length - self.pending.len(), bytes.len());
            let (head, rest) = bytes.split_at(missing);
            self.pending.extend_from_slice(head);
            bytes = rest;
            if self.pending.len() < block_length {
                return;
            }
            self.chain.compress(&self.pending);
            self.pending.clear();
        }
        let (blocks, rest) = bytes.split_at(bytes.len() - bytes.len() % block_length);
        self.chain.compress(blocks);
        self.pending.extend_from_slice(rest);
    }

    /// The digest of the bytes so far.
    pub fn finish(&self) -> Digest {
        let block_length = self.algorithm.block_length();
        let mut last = self.pending.clone();
        last.push(0x80);
        // The length takes an eighth of a block (FIPS 180-4 section 5.1). Its upper half in SHA-512 is always zero.
        let padded = (last.len() + block_length / 8).next_multiple_of(block_length);
        last.resize(padded - size_of::<u64>(), 0);
        last.extend((self.hashed_bytes * 8).to_be_bytes());
        let mut chain = self.chain.clone();
        chain.compress(&last);
        let mut bytes = Vec::with_capacity(64);
        chain.write(&mut bytes);
        bytes.truncate(self.algorithm.digest_length());
        Digest { algorithm: self.algorithm, bytes }
    }

    /// The state in a form to store: 50 to 113 bytes for SHA-256, 82 to 209 for the others.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT_VERSION, self.algorithm as u8];
        bytes.extend(self.hashed_bytes.to_be_bytes());
        self.chain.write(&mut bytes);
        bytes.extend_from_slice(&self.pending);
        bytes.extend(checksum(&bytes));
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote; `None` if the bytes are of another version or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (bytes, sum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM_LENGTH)?)?;
        let (&[version, algorithm], rest) = bytes.split_first_chunk()?;
        if version != FORMAT_VERSION || sum != checksum(bytes) {
            return None;
        }
        let algorithm = match algorithm {
            0 => Algorithm::Sha256,
            1 => Algorithm::Sha384,
            2 => Algorithm::Sha512,
            _ => return None,
        };
        let (hashed_bytes, rest) = rest.split_first_chunk()?;
        let hashed_bytes = u64::from_be_bytes(*hashed_bytes);
        let (chain, pending) = Chain::read(algorithm, rest)?;
        let complete = pending.len() as u64 == hashed_bytes % algorithm.block_length() as u64;
        let valid = complete && hashed_bytes <= MAX_HASHED_BYTES;
        valid.then(|| Self { algorithm, hashed_bytes, chain, pending: pending.to_vec() })
    }
}

/// Tells damaged bytes from stored ones. A state taken up wrongly would condemn a good transfer at its end.
fn checksum(bytes: &[u8]) -> Vec<u8> {
    let mut state = HashState::new(Algorithm::Sha256);
    state.update(bytes);
    let mut sum = state.finish().bytes;
    sum.truncate(CHECKSUM_LENGTH);
    sum
}

impl Serialize for HashState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_bytes().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for HashState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Vec::<u8>::deserialize(deserializer)?;
        Self::from_bytes(&bytes).ok_or_else(|| D::Error::custom("not a hash state"))
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};
    use sha2::{Sha256, Sha384, Sha512};

    use super::*;

    const ALL: [Algorithm; 3] = [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512];

    fn hash(algorithm: Algorithm, message: &[u8]) -> Digest {
        let mut state = HashState::new(algorithm);
        state.update(message);
        state.finish()
    }

    fn hex(digest: &Digest) -> String {
        digest.bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What the `sha2` crate, with its own padding and initial values, makes of the message.
    fn reference(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        use sha2::Digest as _;
        match algorithm {
            Algorithm::Sha256 => Sha256::digest(message).to_vec(),
            Algorithm::Sha384 => Sha384::digest(message).to_vec(),
            Algorithm::Sha512 => Sha512::digest(message).to_vec(),
        }
    }

    /// The examples of FIPS 180-2 (one block, two blocks, a million letters) and the empty message of NIST's CAVP.
    #[test]
    fn gives_the_digests_that_nist_published() {
        let million = "a".repeat(1_000_000);
        let vectors = [
            (ALL[0], "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (ALL[0], "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                ALL[0],
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
            (ALL[0], &million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
            (
                ALL[1],
                "abc",
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            ),
            (
                ALL[1],
                "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrs\
                 mnopqrstnopqrstu",
                "09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712fcc7c71a557e2db966c3e9fa91746039",
            ),
            (
                ALL[2],
                "abc",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd\
                 454d4423643ce80e2a9ac94fa54ca49f",
            ),
            (
                ALL[2],
                &million,
                "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973ebde0ff244877ea60a4cb0432ce577c31b\
                 eb009c5c2c49aa2e4eadb217ad8cc09b",
            ),
        ];
        for (algorithm, message, digest) in vectors {
            assert_eq!(hex(&hash(algorithm, message.as_bytes())), digest, "{algorithm:?} of {} bytes", message.len());
        }
    }

    #[test]
    fn every_length_is_padded_as_the_crate_does() {
        let message: Vec<u8> = (0..=u8::MAX).cycle().take(300).collect();
        for algorithm in ALL {
            for length in 0..message.len() {
                let digest = hash(algorithm, &message[..length]);
                assert_eq!(digest.bytes(), reference(algorithm, &message[..length]), "{algorithm:?} of {length} bytes");
                assert_eq!(digest.bytes().len(), algorithm.digest_length());
            }
        }
    }

    /// A state that an earlier version stored must be read for ever.
    #[test]
    fn the_stored_form_does_not_change() {
        let mut state = HashState::new(Algorithm::Sha256);
        state.update(b"abc");
        let stored = "01000000000000000003\
             6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19616263179e770aec28d517";
        let written: String = state.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(written, stored);
    }

    #[test]
    fn every_damaged_bit_and_every_cut_of_a_stored_state_is_seen() {
        for algorithm in ALL {
            let mut state = HashState::new(algorithm);
            state.update(&[7; 200]);
            let stored = state.to_bytes();
            for bit in 0..stored.len() * 8 {
                let mut damaged = stored.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(HashState::from_bytes(&damaged), None, "bit {bit}");
            }
            for cut in 0..stored.len() {
                assert_eq!(HashState::from_bytes(&stored[..cut]), None, "cut at {cut}");
            }
            assert_eq!(HashState::from_bytes(&[stored.as_slice(), &[0]].concat()), None);
        }
    }

    #[test]
    fn a_stored_state_is_small_and_has_its_documented_length() {
        for (algorithm, lengths) in ALL.into_iter().zip([50..=113, 82..=209, 82..=209]) {
            let mut state = HashState::new(algorithm);
            assert_eq!(state.to_bytes().len(), *lengths.start());
            state.update(&vec![0; 10 * algorithm.block_length() - 1]);
            assert_eq!(state.to_bytes().len(), *lengths.end());
        }
    }

    /// Stored bytes with a checksum that fits, whatever is in them.
    fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.extend(checksum(&bytes));
        bytes
    }

    proptest! {
        #[test]
        fn a_state_stored_at_any_points_ends_in_the_same_digest(
            algorithm in select(&ALL),
            message in vec(any::<u8>(), 0..2000),
            cuts in vec(any::<Index>(), 0..8),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(message.len() + 1)).collect();
            cuts.extend([0, message.len()]);
            cuts.sort_unstable();
            let mut state = HashState::new(algorithm);
            for piece in cuts.windows(2) {
                state.update(&message[piece[0]..piece[1]]);
                let stored = postcard::to_allocvec(&state).unwrap();
                let restored = postcard::from_bytes::<HashState>(&stored).unwrap();
                prop_assert_eq!(&restored, &state);
                prop_assert_eq!(restored.algorithm(), algorithm);
                prop_assert_eq!(restored.hashed_bytes(), piece[1] as u64);
                state = restored;
            }
            prop_assert_eq!(state.finish().bytes, reference(algorithm, &message));
        }

        #[test]
        fn a_state_stored_at_every_point_ends_in_the_same_digest(
            algorithm in select(&ALL),
            message in vec(any::<u8>(), 0..300),
        ) {
            let digest = hash(algorithm, &message);
            for cut in 0..=message.len() {
                let mut state = HashState::new(algorithm);
                state.update(&message[..cut]);
                let mut restored = HashState::from_bytes(&state.to_bytes()).unwrap();
                restored.update(&message[cut..]);
                prop_assert_eq!(restored.finish(), digest.clone(), "cut at {}", cut);
            }
        }

        #[test]
        fn garbage_is_no_state(garbage: Vec<u8>) {
            prop_assert_eq!(HashState::from_bytes(&garbage), None);
            prop_assert!(postcard::from_bytes::<HashState>(&garbage).is_err());
        }

        #[test]
        fn sealed_garbage_is_a_whole_state_or_none(
            algorithm in 0..4u8,
            hashed_bytes in prop_oneof![0..1000u64, any::<u64>()],
            rest in vec(any::<u8>(), 0..220),
        ) {
            let head = [FORMAT_VERSION, algorithm];
            let bytes = sealed([head.as_slice(), &hashed_bytes.to_be_bytes(), &rest].concat());
            if let Some(mut state) = HashState::from_bytes(&bytes) {
                prop_assert_eq!(state.to_bytes(), bytes);
                state.update(&[0; 300]);
                prop_assert_eq!(state.finish().bytes().len(), state.algorithm().digest_length());
            }
        }
    }
}
