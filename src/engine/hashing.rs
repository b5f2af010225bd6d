//! Hashing: on the way where bytes come in order, from storage where they do not, piece by piece where the app knows
//! the pieces. The state is part of the checkpoint, so a kill never means hashing again from zero.

use std::ops::Range;

use super::attempt::Attempt;
use super::error::ErrorCode;
use super::http::{self, RestartReason, Resumability};
use super::id::TaskKey;
use super::input::StoreFailure;
use super::output::{Change, Effect, Output};
use super::range_set::RangeSet;
use super::retry::MAX_RESTARTS;
use super::slot::Slot;
use super::task::{Progress, Task};
use super::{Engine, Purpose, STORE_DEADLINE_MS};
use crate::integrity::{Algorithm, Digest, Expected, HashState};

/// How many stored bytes are hashed at a time, so that a kill loses little.
const STORED_BYTES: u64 = 64 << 20;
/// It is not worth reading less than this back while more is coming.
const WORTH_BYTES: u64 = 16 << 20;
/// How often pieces are fetched again before the transfer is given up.
pub(super) const MAX_REPAIRS: u32 = 16;

impl Slot {
    /// The hash of all bytes before `start`, if an attempt that begins there should go on with it.
    pub(super) fn hash_at(&self, start: u64, from_nothing: bool) -> Option<HashState> {
        let algorithm = self.expected()?.algorithm();
        if from_nothing {
            return (start == 0).then(|| HashState::new(algorithm));
        }
        let known = self.hash_so_far();
        let frontier = known.map_or(0, HashState::hashed_bytes);
        // A commit in flight may give up bytes that the known hash has seen.
        let is_free = self.hashing.is_none() && self.hashed.is_none() && !self.stages_checks;
        let is_next = is_free
            && frontier == start
            && !self
                .attempts
                .iter()
                .any(|attempt| attempt.reading.as_ref().is_some_and(|reading| reading.hash.is_some()));
        is_next.then(|| known.cloned().unwrap_or_else(|| HashState::new(algorithm)))
    }

    /// The hash of the file's first bytes, if it is of the algorithm that is wanted: what resume data brought may not be.
    fn hash_so_far(&self) -> Option<&HashState> {
        let known = self.task.as_ref()?.progress.hash.as_ref().filter(|_| !self.is_restarting())?;
        self.expected().filter(|expected| expected.algorithm() == known.algorithm()).map(|_| known)
    }

    fn piece_to_check(&self) -> Option<Range<u64>> {
        let task = self.task.as_ref()?;
        let pieces = task.record.spec.proof.pieces.as_ref()?;
        let (progress, length) = (&task.progress, task.progress.complete_length()?);
        // If the file goes on, what seems to be its last piece is not all of a piece.
        let assumed_length = task.assumed_length();
        let is_open = |piece: &Range<u64>| {
            progress.received.contains(piece)
                && Some(piece.end) != assumed_length
                && !progress.verified.contains(piece)
                && !self.judged_pieces.iter().any(|(judged, _)| judged == piece)
        };
        // Pieces become complete about in order; those before the first that is not verified need no look.
        let first = progress.verified.gap_from(0, length).map_or(length, |gap| gap.start);
        let mut index = first / pieces.piece_length();
        loop {
            let piece = pieces.range(index, length);
            if piece.is_empty() {
                return None;
            }
            if is_open(&piece) {
                return Some(piece);
            }
            index += 1;
        }
    }

    /// Which stored bytes the hash of the file lacks, if it is worth reading them now.
    fn bytes_to_hash(&self) -> Option<Range<u64>> {
        let task = self.task.as_ref().filter(|_| !self.is_restarting())?;
        self.expected()?;
        let frontier = self.hash_so_far().map_or(0, HashState::hashed_bytes);
        let stored = task.progress.received.first_gap();
        let is_chained =
            self.attempts.iter().any(|attempt| attempt.reading.as_ref().is_some_and(|reading| reading.hash.is_some()));
        let is_worth = stored >= frontier + WORTH_BYTES || task.progress.has_every_byte();
        let is_wanted = frontier < stored && is_worth && !is_chained && self.hashed.is_none();
        is_wanted.then(|| frontier..stored.min(frontier + STORED_BYTES))
    }
}

impl Progress {
    /// The bytes of a piece are right, or gone: who brought them matters no more.
    fn forget_who_brought(&mut self, piece: &Range<u64>) {
        self.brought.iter_mut().for_each(|brought| brought.remove(piece.clone()));
    }

    /// A piece is what its digest says.
    fn verify(&mut self, piece: Range<u64>) {
        self.forget_who_brought(&piece);
        self.verified.insert(piece);
    }

    /// A piece is not what its digest says: it is dropped, and the source that brought it is not asked again. Of several that
    /// brought parts of it, one that is known to be bad is believed to be at fault, else the mirrors. What bad sources
    /// brought counts as no repair.
    fn reject(&mut self, piece: &Range<u64>) {
        let has_part = |brought: &RangeSet| brought.gap_from(piece.start, piece.end) != Some(piece.clone());
        let of_piece = self.brought.iter().enumerate().filter(|(_, brought)| has_part(brought));
        let by = of_piece.fold(0_u32, |set, (source, _)| set | 1 << source);
        let is_any_left = self.bad_sources.count_ones() < self.brought.len() as u32;
        if by & self.bad_sources == 0 || !is_any_left {
            self.bad_sources |= if by & !1 == 0 { by } else { by & !1 };
            self.repairs += 1;
        }
        self.lose(piece);
    }

    /// These bytes are not to be had from storage any more. What has seen them counts no longer.
    pub(super) fn lose(&mut self, range: &Range<u64>) {
        self.forget_who_brought(range);
        self.verified.remove(range.clone());
        self.received.remove(range.clone());
        self.hash = self.hash.take().filter(|hash| hash.hashed_bytes() <= range.start);
    }
}

impl Engine {
    /// Hashes stored bytes, if there are any to be hashed.
    pub(super) fn hash_on(&mut self, key: &TaskKey) {
        let now = self.now;
        let deadline = now.after(STORE_DEADLINE_MS);
        let is_free = |slot: &&mut Slot| slot.hashing.is_none() && !slot.stages_checks && slot.hold_until <= now;
        let Some(slot) = self.slots.get_mut(key).filter(is_free) else { return };
        let Some(task) = slot.task.as_ref().filter(|task| task.record.state.is_active()) else { return };
        let body = task.progress.body;
        let (purpose, range, state) = if let Some(piece) = slot.piece_to_check() {
            (Purpose::HashPiece(key.clone(), piece.clone()), piece, HashState::new(Algorithm::Sha256))
        } else if let (Some(range), Some(expected)) = (slot.bytes_to_hash(), slot.expected()) {
            let state = slot.hash_so_far().cloned().unwrap_or_else(|| HashState::new(expected.algorithm()));
            (Purpose::HashFile(key.clone()), range, state)
        } else {
            return;
        };
        let id = self.effects.start(purpose, deadline);
        slot.hashing = Some(id);
        self.outputs.push_back(Output::Start(id, Effect::HashStored { key: key.clone(), body, range, state }));
    }

    pub(super) fn handle_file_hashed(&mut self, key: &TaskKey, hashed: Result<HashState, StoreFailure>) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.hashing = None;
        match hashed {
            Ok(state) => slot.hashed = Some(state),
            Err(failure) => return self.hashing_failed(key, failure),
        }
        self.advance(key);
    }

    pub(super) fn handle_piece_hashed(
        &mut self,
        key: &TaskKey,
        piece: Range<u64>,
        hashed: Result<HashState, StoreFailure>,
    ) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.hashing = None;
        let pieces = slot.task.as_ref().and_then(|task| task.record.spec.proof.pieces.as_ref());
        match (hashed, pieces) {
            (Ok(state), Some(pieces)) => {
                let is_right = pieces.matches(piece.start / pieces.piece_length(), &state.finish());
                slot.judged_pieces.push((piece, is_right));
            }
            (Ok(_), None) => {}
            (Err(failure), _) => return self.hashing_failed(key, failure),
        }
        self.advance(key);
    }

    /// Storage could not be read. If nothing else is going on the task waits, as after a refused commit.
    fn hashing_failed(&mut self, key: &TaskKey, failure: StoreFailure) {
        let is_alone = self.slots.get(key).is_some_and(|slot| !slot.busy && slot.attempts.is_empty());
        if is_alone {
            self.handle_refused_commit(key, failure, (0, false));
        } else {
            self.hold(key);
            self.advance(key);
        }
    }

    /// Notes which pieces are right, and drops those that are not, so that they are fetched again. Returns an error if
    /// that has been done too often.
    pub(super) fn judge_pieces(
        &mut self,
        key: &TaskKey,
        task: &mut Task,
        changes: &mut Vec<Change>,
    ) -> Option<ErrorCode> {
        let slot = self.slots.get_mut(key)?;
        let progress = &mut task.progress;
        let bad_before = progress.bad_sources;
        slot.stages_checks |= !slot.judged_pieces.is_empty();
        for (piece, is_right) in std::mem::take(&mut slot.judged_pieces) {
            if is_right {
                progress.verify(piece);
                continue;
            }
            progress.reject(&piece);
            slot.attempts.iter_mut().for_each(Attempt::forget_hash);
            let (body, from, through) = (progress.body, piece.start, piece.end - 1);
            changes.push(Change::DeleteChunks { body, from, through });
            // What is being hashed may go on from these bytes.
            if let Some(hashing) = slot.hashing.take() {
                self.effects.finish(hashing);
            }
        }
        let is_too_often = progress.repairs > MAX_REPAIRS;
        let blamed = progress.bad_sources & !bad_before;
        // Until that is durable.
        slot.failed_sources |= blamed;
        let of_bad = slot.attempts.iter().filter(|attempt| blamed & (1 << attempt.source) != 0);
        of_bad.map(|attempt| attempt.id).collect::<Vec<_>>().into_iter().for_each(|id| self.drop_attempt(key, id));
        is_too_often.then_some(ErrorCode::DigestMismatch)
    }

    /// Every byte is there: the task is complete, unless its bytes are still to be checked, or are wrong.
    pub(super) fn finish(&mut self, key: &TaskKey, task: Task, changes: Vec<Change>) {
        let length = task.progress.received.len();
        let old = task.progress.aside.as_ref().and_then(|aside| aside.representation.as_ref());
        if old.is_some_and(|old| http::is_fraction(old, length)) {
            return self.refuse_a_fraction(key, task, &changes);
        }
        let proof = &task.record.spec.proof;
        let expected = proof.expected.clone().or(task.progress.expected.clone());
        let is_whole = |hash: &&HashState| {
            let algorithm = expected.as_ref().map(Expected::algorithm);
            hash.hashed_bytes() == length && Some(hash.algorithm()) == algorithm
        };
        let hashed = task.progress.hash.as_ref().filter(is_whole);
        let pieces_are_right = proof.pieces.is_none() || task.progress.verified.is_exactly(length);
        let counts_agree = proof.pieces.as_ref().is_none_or(|pieces| pieces.fit(length));
        let digest: Option<Digest> = hashed.map(HashState::finish);
        match (expected, digest) {
            _ if !counts_agree => self.fail_without_bytes(key, task, changes, ErrorCode::DigestMismatch),
            (Some(expected), Some(digest)) if !expected.matches(&digest) => self.mismatch(key, task, changes),
            (Some(_), None) if length > 0 => self.check_first(key, task, changes),
            (Some(expected), None) if !expected.matches(&HashState::new(expected.algorithm()).finish()) => {
                self.mismatch(key, task, changes);
            }
            _ if !pieces_are_right => self.check_first(key, task, changes),
            _ => self.complete_task(key, task, changes),
        }
    }

    /// The bytes are stored; what remains is to read and hash them.
    fn check_first(&mut self, key: &TaskKey, task: Task, mut changes: Vec<Change>) {
        if !changes.is_empty() || self.slots.get(key).is_some_and(|slot| slot.task.as_ref() != Some(&task)) {
            changes.push(Change::PutProgress(key.clone(), task.progress.clone()));
            return self.commit_transfer(key, task, None, changes);
        }
        self.hash_on(key);
    }

    /// The file is not what its digest says. If mirrors had a part in it, it is fetched once more without them, unless it
    /// has begun anew too often: the buffers at hand must not be dropped for a restart that is refused. So it is if its server
    /// does not tell how long it is, and a cut cannot be told from the end.
    fn mismatch(&mut self, key: &TaskKey, mut task: Task, changes: Vec<Change>) {
        let mirrors = ((1_u32 << task.record.spec.sources.len()) - 1) & !1;
        let Progress { representation, restarts_in_row, bad_sources, .. } = &task.progress;
        let is_untold = representation.as_ref().is_some_and(|known| known.resumability == Resumability::SizeUnknown);
        let most = if mirrors & !bad_sources != 0 { MAX_RESTARTS } else { u32::from(is_untold) };
        if *restarts_in_row >= most {
            return self.fail_without_bytes(key, task, changes, ErrorCode::DigestMismatch);
        }
        task.progress.bad_sources |= mirrors;
        task.progress.repairs += 1;
        // Buffers of these bytes must not be left with the driver.
        for change in &changes {
            if let Change::Append { buffer, .. } = change {
                self.outputs.push_back(Output::Discard(*buffer));
            }
        }
        self.restart(key, task, RestartReason::DigestMismatch, None);
    }
}
