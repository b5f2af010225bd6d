//! Resume data: what a cancelled or failed task leaves, so that another task, perhaps later, in another session or
//! from another URL, can go on from its bytes. It only names bytes: what they are is read from storage, where the
//! commit that gave them up has noted it. So tampered resume data can at most name nothing.

use serde::{Deserialize, Serialize};

use super::Engine;
use super::error::ErrorCode;
use super::http::{Representation, Resumability};
use super::id::BodyId;
use super::output::Change;
use super::range_set::RangeSet;
use super::task::{Adopted, Progress, Task, TaskSpec};
use crate::integrity::{Algorithm, Expected, HashState};

/// What resume data begins with.
const MAGIC: &[u8; 4] = b"LHrd";
/// The version that [`write`] writes.
const VERSION: u8 = 1;
/// How long bytes wait for a task that takes their resume data up.
const DETACHED_MS: u64 = 7 * 24 * 60 * 60_000;
/// How many bytes of a SHA-256 end it. They tell damage, not tampering.
const CHECKSUM_BYTES: usize = 8;

/// A body that belongs to nobody but to whoever holds its resume data, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detached {
    /// The body.
    pub body: BodyId,
    /// What its chunks are chunks of.
    pub representation: Representation,
    /// Which bytes there are.
    pub received: RangeSet,
    /// The hash of the bytes from 0 on, as far as they were hashed.
    pub hash: Option<HashState>,
    /// What the digest must be: the app's word, or the server's. Whoever takes the bytes up is held to it, since mirrors
    /// may have brought some of them on the strength of that word alone.
    pub expected: Option<Expected>,
    /// The length of the pieces that its chunks respect, if there were any.
    pub piece_length: Option<u64>,
}

/// What resume data claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The body that holds the bytes. Unguessable, so that only who was given it can name it.
    pub body: BodyId,
    /// The complete length, if it was known: for the app to show.
    pub complete_length: Option<u64>,
}

impl Engine {
    /// The task's bytes are given up, for good or to resume data.
    pub(super) fn detach(&mut self, task: &mut Task, keep: bool) -> Change {
        let left = task.leave().filter(|_| keep);
        if let Some(left) = &left {
            task.progress.resume_data = Some(write(left));
        }
        let given_up = match left {
            Some(left) => self.detach_until_later(left),
            None => self.give_up(task),
        };
        let progress = &mut task.progress;
        (progress.received, progress.verified) = (RangeSet::default(), RangeSet::default());
        (progress.hash, progress.adopted) = (None, None);
        given_up
    }

    fn detach_until_later(&mut self, left: Detached) -> Change {
        let until = self.now.after(DETACHED_MS);
        self.sweep_at = self.sweep_at.or(Some(until));
        Change::DetachBody(left, until)
    }

    /// The task's body is given up: for good, unless resume data brought it and no server has agreed with it. Then it can
    /// be named again.
    pub(super) fn give_up(&mut self, task: &Task) -> Change {
        match task.leave().filter(|_| task.progress.adopted.is_some()) {
            Some(left) => self.detach_until_later(left),
            None => Change::KillBody(task.progress.body),
        }
    }

    /// All bodies of the task are given up, as far as they have not died, or been given up, before.
    pub(super) fn give_up_all(&mut self, task: &Task) -> Vec<Change> {
        let own = task.record.has_body().then(|| self.give_up(task));
        let (previous, aside) = (&task.progress.previous, &task.progress.aside);
        let others =
            previous.as_ref().map(|previous| previous.body).into_iter().chain(aside.as_ref().map(|aside| aside.body));
        own.into_iter().chain(others.map(Change::KillBody)).collect()
    }
}

impl Task {
    /// What resume data can name of its bytes, if they can be continued.
    fn leave(&self) -> Option<Detached> {
        let Progress { body, representation, received, hash, expected, adopted, .. } = &self.progress;
        let representation = representation.clone().filter(|known| known.is_resumable() && !received.is_empty())?;
        let proof = &self.record.spec.proof;
        let (expected, piece_length) = match adopted {
            Some(Adopted { piece_length }) => (expected.clone(), *piece_length),
            // What was lost with its record may have been the digest that alone tells whether they are of one version.
            None if self.has_no_url() => return None,
            None => {
                let piece_length = proof.pieces.as_ref().map(|pieces| pieces.piece_length());
                (proof.expected.clone().or(expected.clone()), piece_length)
            }
        };
        let (received, hash) = (received.clone(), hash.clone());
        Some(Detached { body: *body, representation, received, hash, expected, piece_length })
    }
}

impl Detached {
    /// What the bytes are not good for, by the name of the option that asks for it.
    pub(super) fn misfit(&self, spec: &TaskSpec) -> Option<&'static str> {
        let wanted = spec.proof.pieces.as_ref().map(|pieces| pieces.piece_length());
        // No chunk may lie in two pieces.
        let is_cut_otherwise = wanted.is_some() && wanted != self.piece_length;
        // Mirrors may have brought them on the word of the pieces' digests, which would not be asked for any more.
        let would_be_unproven = self.piece_length.is_some() && self.expected.is_none() && !spec.proof.is_of_the_app();
        if is_cut_otherwise || would_be_unproven {
            return Some("pieces");
        }
        (spec.strong_only && self.representation.resumability != Resumability::Resumable).then_some("resume")
    }
}

/// The resume data of a detached body.
pub fn write(detached: &Detached) -> Vec<u8> {
    let claim = Claim { body: detached.body, complete_length: detached.representation.complete_length };
    let head = [MAGIC.as_slice(), &[VERSION]].concat();
    let mut bytes = postcard::to_extend(&claim, head)
        .unwrap_or_else(|_| unreachable!("a claim has no values that postcard refuses"));
    let sum = checksum(&bytes);
    bytes.extend(sum);
    bytes
}

/// Reads resume data.
///
/// # Errors
/// [`ErrorCode::ResumeDataInvalid`] if it is damaged, of another version, or something else.
pub fn read(data: &[u8]) -> Result<Claim, ErrorCode> {
    let claim = || {
        let (signed, sum) = data.split_at_checked(data.len().checked_sub(CHECKSUM_BYTES)?)?;
        let record = signed.strip_prefix(MAGIC)?.strip_prefix(&[VERSION])?;
        if checksum(signed) != sum {
            return None;
        }
        let (claim, rest) = postcard::take_from_bytes(record).ok()?;
        rest.is_empty().then_some(claim)
    };
    claim().ok_or(ErrorCode::ResumeDataInvalid)
}

fn checksum(bytes: &[u8]) -> Vec<u8> {
    let mut state = HashState::new(Algorithm::Sha256);
    state.update(bytes);
    let mut digest = state.finish().bytes().to_vec();
    digest.truncate(CHECKSUM_BYTES);
    digest
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn detached() -> Detached {
        let mut received = RangeSet::default();
        received.insert(0..70);
        let representation = Representation { complete_length: Some(100), ..Representation::default() };
        Detached {
            body: BodyId(u128::MAX - 5),
            representation,
            received,
            hash: None,
            expected: None,
            piece_length: None,
        }
    }

    #[test]
    fn resume_data_names_its_body() {
        let claim = read(&write(&detached()));
        assert_eq!(claim, Ok(Claim { body: detached().body, complete_length: Some(100) }));
    }

    #[test]
    fn tampered_resume_data_is_refused_with_a_clear_code() {
        let good = write(&detached());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(read(&bad), Err(ErrorCode::ResumeDataInvalid), "byte {at}");
            assert_eq!(read(&good[..at]), Err(ErrorCode::ResumeDataInvalid), "cut at {at}");
        }
        assert_eq!(read(&[good.as_slice(), b"more"].concat()), Err(ErrorCode::ResumeDataInvalid));
    }

    proptest! {
        #[test]
        fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(read(&bytes), Err(ErrorCode::ResumeDataInvalid));
        }
    }
}
