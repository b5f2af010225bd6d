//! What files hold. A byte is known by its version and its offset, so bodies stay symbolic; only where something is
//! hashed the bytes are made.

use std::ops::Range;

use longhaul::integrity::{Algorithm, Digest, HashState};

/// Names one version of one resource; no two versions of a run share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionId(pub u64);

/// Bytes that belong to no version: an error page, or what comes behind the end.
pub const NO_VERSION: VersionId = VersionId(0);
const DAMAGED: u64 = 1 << 63;

impl VersionId {
    /// What damaged bytes of this version are.
    pub fn damaged(self) -> Self {
        Self(self.0 | DAMAGED)
    }
}

/// Bytes of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub version: VersionId,
    pub range: Range<u64>,
}

/// A buffer's or chunk's bytes.
pub type Chunk = Vec<Piece>;

/// Takes the bytes of a version into a hash.
pub fn update(state: &mut HashState, piece: &Piece) {
    const WORD: u64 = 8;
    let mut bytes = Vec::with_capacity(4_096 + 8);
    let mut at = piece.range.start;
    while at < piece.range.end {
        bytes.clear();
        let end = piece.range.end.min((at / 4_096 + 1) * 4_096);
        for word in at / WORD..end.div_ceil(WORD) {
            let mixed = (word ^ piece.version.0.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            bytes.extend((mixed ^ (mixed >> 29)).to_le_bytes());
        }
        let first = (at % WORD) as usize;
        state.update(&bytes[first..first + (end - at) as usize]);
        at = end;
    }
}

/// The digest of a range of a version.
pub fn digest(algorithm: Algorithm, version: VersionId, range: Range<u64>) -> Digest {
    let mut state = HashState::new(algorithm);
    update(&mut state, &Piece { version, range });
    state.finish()
}
