//! Checkpoints: what was read becomes durable, together with what is known of it, and the attempts that are over end.

use super::attempt::Ended;
use super::bounded::Finished;
use super::ending::{MORE_AFTER_MS, Wait};
use super::error::{ErrorCode, TaskError};
use super::http::RestartReason;
use super::id::{EffectId, TaskKey};
use super::input::ReadEnd;
use super::output::{Change, Effect, Output};
use super::pace::read_bytes;
use super::ranges::Ranges;
use super::slot::Staged;
use super::task::{EventKind, Task, TaskState, WaitReason};
use super::{Engine, Purpose};
use crate::integrity::HashState;

/// Bytes per chunk: smaller ones cost speed, larger ones memory and, after a kill, bytes fetched again.
const CHUNK_BYTES: u64 = 8 << 20;
/// The first chunk of a body, while its speed is not known: what is being read cannot be given to another segment.
const FIRST_CHUNK_BYTES: u64 = 1 << 20;
/// The same where more than two segments are read at a time, so that memory stays within bounds.
const CHUNK_BYTES_OF_MANY: u64 = 4 << 20;
/// On a slow link a commit comes after this time with what is there, so that a worker that lives ten seconds still
/// makes progress.
const CHUNK_MS: u64 = 2_000;
/// An attempt that brings less has brought nothing: else a server that sends a byte at a time is followed for ever.
const LEAST_BYTES: u64 = 512;
/// A server that sends less than it was asked for, and less than this, is not asked again without a pause.
const SMALL_BYTES: u64 = 16 << 10;

impl Engine {
    pub(super) fn handle_read(
        &mut self,
        key: &TaskKey,
        attempt: EffectId,
        len: u64,
        end: ReadEnd,
        hash: Option<HashState>,
    ) {
        let now = self.now;
        let Some(slot) = self.slots.get_mut(key) else { return };
        let limit = slot.task.as_ref().and_then(|task| task.record.spec.policy.max_bytes_per_second);
        slot.pace.spend(len, limit, now);
        let Some(attempt) = slot.attempt(attempt) else { return };
        let Some(reading) = &mut attempt.reading else { return };
        let unwanted = reading.read_done(len, end, hash, now);
        let (bytes_per_second, end_of_chunk) = (reading.bytes_per_second(now), reading.next_offset);
        if attempt.gives_way {
            attempt.shorten(end_of_chunk);
        }
        slot.link.bytes_per_second = bytes_per_second;
        self.outputs.extend(unwanted.map(Output::Discard));
        if let Some(session) = self.sessions.get_mut(&key.session) {
            session.pace.spend(len, session.record.configuration.limits.max_bytes_per_second, now);
        }
        self.advance(key);
    }

    /// Goes on with a running task: decides what answers mean, stores what was read, checks it, and reads on.
    pub(super) fn advance(&mut self, key: &TaskKey) {
        let _turn = self.at_work.turn(key);
        self.decide_heads(key);
        self.store_what_was_read(key);
        self.hash_on(key);
        self.read_on(key);
    }

    fn store_what_was_read(&mut self, key: &TaskKey) {
        let Some(slot) = self.slots.get_mut(key).filter(|slot| !slot.busy) else { return };
        let readings = || slot.attempts.iter().filter_map(|attempt| attempt.reading.as_ref());
        let has_news = readings().any(|reading| reading.ended.is_some() || reading.has_ready());
        if !has_news && slot.hashed.is_none() && slot.judged_pieces.is_empty() {
            return;
        }
        let Some(mut task) = slot.task.clone() else { return };
        let mut changes = self.take_checkpoint(key, &mut task);
        let trouble = self.end_attempts(key, &mut task);
        let repaired = self.judge_pieces(key, &mut task, &mut changes);
        if let Some(error) = repaired {
            self.drop_attempts(key);
            return self.fail_without_bytes(key, task, changes, error);
        }
        let Some(slot) = self.slots.get(key) else { return };
        let is_running = !slot.attempts.is_empty();
        match trouble {
            Some(Trouble::TooLong { from_start: true }) if self.may_be_coded(&task) => {
                self.discard(&changes);
                let Some(task) = self.slots.get(key).and_then(|slot| slot.task.clone()) else { return };
                self.ask_again(key, task, Some(Ranges::Useless), Some(RestartReason::RangesRefused));
            }
            Some(Trouble::TooLong { .. }) => self.fail_without_bytes(key, task, changes, ErrorCode::BodyTooLong),
            _ if !is_running && task.progress.has_every_byte() && task.assumed_end().is_none() => {
                self.finish(key, task, changes);
            }
            Some(Trouble::Cut(code, wait)) if !is_running => {
                self.try_again(key, task, changes, TaskError::new(code), wait);
            }
            _ => {
                changes.push(Change::PutProgress(key.clone(), task.progress.clone()));
                self.commit_transfer(key, task, None, changes);
            }
        }
    }

    /// Lets go of buffers that are not stored after all.
    pub(super) fn discard(&mut self, changes: &[Change]) {
        let buffer = |change: &Change| if let Change::Append { buffer, .. } = change { Some(*buffer) } else { None };
        self.outputs.extend(changes.iter().filter_map(buffer).map(Output::Discard));
    }

    /// Takes the attempts that are over out of the slot. Returns what was wrong with one of them, if anything was.
    fn end_attempts(&mut self, key: &TaskKey, task: &mut Task) -> Option<Trouble> {
        let slot = self.slots.get_mut(key)?;
        let mut has_part = false;
        let mut trouble = None;
        let (mut over, mut taken, mut finished) = (Vec::new(), Vec::new(), Vec::new());
        for attempt in &slot.attempts {
            let Some(reading) = &attempt.reading else { continue };
            let Some(ended) = reading.ended else { continue };
            over.push(attempt.id);
            if attempt.is_record {
                // What it did not bring is fetched afterwards.
                taken.push(attempt.start());
                continue;
            }
            let brought = reading.next_offset - attempt.start();
            let wait_after = |bytes| if bytes < LEAST_BYTES { Wait::Backoff } else { Wait::Soon };
            if reading.is_whole() {
                // Nobody said how long it would be, so its end is the file's.
                let known = task.progress.representation.as_mut().filter(|_| ended == Ended::Eof);
                if let Some(known) = known.filter(|known| known.complete_length.is_none()) {
                    known.complete_length = Some(reading.next_offset);
                }
                let length = task.progress.complete_length();
                if let Some(offered) = attempt.offered_too_little(length).filter(|offered| *offered < SMALL_BYTES) {
                    // Nor is it for a reader, side by side with the next.
                    slot.more_after = self.now.after(MORE_AFTER_MS).max(slot.more_after);
                    trouble = Some(Trouble::Cut(ErrorCode::BadContentRange, wait_after(offered)));
                } else if !attempt.gives_way {
                    has_part = true;
                    let (end, hash) = (reading.next_offset, reading.hash.clone());
                    finished.push(Finished { end, source: attempt.source, hash });
                }
                continue;
            }
            if attempt.gives_way && ended != Ended::TooLong {
                continue;
            }
            slot.failed_sources |= 1 << attempt.source;
            slot.was_cut |= matches!(ended, Ended::Cut { .. });
            trouble = Some(match ended {
                Ended::TooLong => Trouble::TooLong { from_start: attempt.start() == 0 },
                Ended::Cut { online: false } => Trouble::Cut(ErrorCode::Network, Wait::Offline),
                Ended::Cut { online: true } => Trouble::Cut(ErrorCode::Network, wait_after(brought)),
                Ended::Eof | Ended::Full => Trouble::Cut(ErrorCode::LengthMismatch, wait_after(brought)),
            });
        }
        taken.into_iter().for_each(|start| slot.external.taken(start));
        over.into_iter().for_each(|id| self.drop_attempt(key, id));
        self.go_on(key, task, &finished);
        if let Some(slot) = self.slots.get_mut(key) {
            slot.has_part = has_part;
        }
        if let (Some(slot), Some(_)) = (self.slots.get_mut(key), &trouble) {
            slot.bearable_segments = (slot.attempts.len() as u32).max(1);
        }
        trouble
    }

    /// Moves all buffers that are ready into `task`'s checkpoint, and what the hash of stored bytes brought. Returns the
    /// changes that store the chunks; the checkpoint that claims them belongs into the same commit.
    pub(super) fn take_checkpoint(&mut self, key: &TaskKey, task: &mut Task) -> Vec<Change> {
        let Some(slot) = self.slots.get_mut(key) else { return Vec::new() };
        let progress = &mut task.progress;
        let mut changes = Vec::new();
        // A representation without a byte of it is only what an earlier answer said.
        let kept_nothing = progress.received.is_empty();
        if let Some(hashed) = slot.hashed.take() {
            progress.hash = Some(hashed);
            slot.stages_checks = true;
        }
        let spec = &task.record.spec;
        let (mut is_progress, mut is_own) = (false, false);
        let sources = if spec.proof.pieces.is_some() { spec.sources.len() } else { 1 };
        for attempt in &mut slot.attempts {
            let Some(reading) = &mut attempt.reading else { continue };
            let Some(buffer) = reading.take_ready() else { continue };
            is_progress |= reading.next_offset - attempt.start() >= LEAST_BYTES;
            let range = buffer.offset..buffer.offset + buffer.len;
            if sources > 1 {
                progress.brought.resize_with(sources, Default::default);
                progress.brought[attempt.source].insert(range.clone());
            }
            slot.staged.insert(range.clone());
            is_own |= attempt.source == 0;
            progress.received.insert(range);
            progress.hash = buffer.hash.or(progress.hash.take());
            let (body, offset, len) = (progress.body, buffer.offset, buffer.len);
            changes.push(Change::Append { body, offset, len, buffer: buffer.id });
        }
        let current = slot.current.as_ref().filter(|_| !changes.is_empty() || has_ended(slot));
        if let Some(current) = current.filter(|_| kept_nothing || progress.representation.is_none()) {
            progress.representation = Some(current.representation.clone());
            progress.answer = current.answer.clone();
            progress.expected = current.expected.clone();
            progress.told_elsewhere = current.told_elsewhere;
            progress.length_is_assumed = current.length_is_assumed;
        }
        // The task's own URL has told the same.
        progress.told_elsewhere &= !is_own;
        if !changes.is_empty() {
            if matches!(task.record.state, TaskState::Active { reason: Some(WaitReason::Quota), .. }) {
                task.record.enter(TaskState::READY, self.now);
                changes.push(Change::PutTask(task.record.clone()));
            }
            progress.adopted = None;
            // Where a digest will tell, no number of bytes proves anything.
            let is_to_be_checked = task.record.spec.proof.is_of_the_app() || progress.expected.is_some();
            if !is_to_be_checked {
                changes.extend(progress.prove(false).map(Change::KillBody));
            }
        }
        if is_progress {
            slot.failed_sources = 0;
            slot.suspicions = 0;
            let most = task.record.spec.policy.max_segments;
            slot.bearable_segments = (slot.bearable_segments + 1).min(most);
            progress.busy = 0;
            if progress.representation.as_ref().is_some_and(super::http::Representation::is_resumable) {
                progress.failures = 0;
                progress.crashes = 0;
            }
        }
        changes
    }

    /// Reads on wherever there is room for another buffer.
    pub(super) fn read_on(&mut self, key: &TaskKey) {
        let (now, or_after_ms) = (self.now, self.wakes.limit_ms(self.now, CHUNK_MS));
        let Some(session) = self.sessions.get(&key.session) else { return };
        let session_limit = session.record.configuration.limits.max_bytes_per_second;
        let is_leaving =
            self.slots.get(key).and_then(|slot| slot.task.as_ref()).is_some_and(|task| self.is_leaving(task));
        let is_bounded = self.is_bounded(key);
        let Some(slot) = self.slots.get_mut(key).filter(|slot| !slot.attempts.is_empty()) else { return };
        slot.read_at = None;
        if self.wakes.are_ending(now) {
            return;
        }
        let Some(policy) = slot.task.as_ref().map(|task| task.record.spec.policy.clone()) else { return };
        let task_limit = policy.max_bytes_per_second;
        slot.read_at = session.pace.wait(session_limit, now).max(slot.pace.wait(task_limit, now));
        if slot.read_at.is_some() {
            return;
        }
        let many = slot.attempts.len() > 2;
        let most = match many {
            // As soon as anything is durable the browser itself fetches the rest.
            _ if is_leaving => FIRST_CHUNK_BYTES,
            true => CHUNK_BYTES_OF_MANY,
            false => CHUNK_BYTES,
        };
        let pieces = slot.task.as_ref().and_then(|task| task.record.spec.proof.pieces.as_ref());
        let piece_length = pieces.map(|pieces| pieces.piece_length());
        let or_after_ms = slot.patience_ms(or_after_ms);
        for at in 0..slot.attempts.len() {
            let speed = slot.attempts[at].reading.as_ref().map_or(0, |reading| reading.bytes_per_second(now));
            // What one bounded segment has shown holds for the next, which is short and has no tail to give away.
            let speed = if is_bounded && speed == 0 { slot.link.bytes_per_second } else { speed };
            let in_time = slot.bytes_per_read(speed, CHUNK_MS, FIRST_CHUNK_BYTES);
            let whole = slot.whole(&slot.attempts[at]).filter(|_| is_bounded && or_after_ms >= CHUNK_MS);
            let attempt = &mut slot.attempts[at];
            let id = attempt.id;
            let Some(reading) = &mut attempt.reading else { continue };
            let offset = reading.next_offset;
            let allowed = |wanted| {
                let wanted = read_bytes(session_limit, read_bytes(task_limit, wanted));
                // A chunk lies in one piece, so that a bad piece can be deleted without its neighbours.
                piece_length.map_or(wanted, |piece| wanted.min(piece - offset % piece))
            };
            let whole = whole.filter(|len| allowed(*len) == *len);
            let wanted = whole.unwrap_or_else(|| allowed(in_time.min(most)));
            let Some(up_to_bytes) = reading.next_read(wanted) else { continue };
            let deadline = now.after(policy.stall_timeout_ms);
            let read = self.effects.start(Purpose::Read(key.clone(), id), deadline);
            reading.read_started(read, up_to_bytes, now);
            let hash = reading.hash.clone();
            let as_whole = whole.is_some();
            let effect = Effect::Read { attempt: id, offset, up_to_bytes, or_after_ms, as_whole, hash };
            self.outputs.push_back(Output::Start(read, effect));
        }
    }

    pub(super) fn commit_transfer(
        &mut self,
        key: &TaskKey,
        task: Task,
        event: Option<EventKind>,
        changes: Vec<Change>,
    ) {
        let event = event.and_then(|kind| self.new_task_event(&task.record, kind));
        self.commit_task(key, Staged { task: Some(task), event, ..Staged::default() }, changes);
    }
}

fn has_ended(slot: &super::slot::Slot) -> bool {
    slot.attempts.iter().filter_map(|attempt| attempt.reading.as_ref()).any(|reading| reading.ended.is_some())
}

/// What was wrong with an attempt that is over.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    TooLong {
        /// Whether it began at the file's first byte.
        from_start: bool,
    },
    Cut(ErrorCode, Wait),
}
