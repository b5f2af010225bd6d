//! Heads: what an answer means for its task. Several segments may be asked for at a time, and each answer is held
//! against what the others are fetching.

use super::Engine;
use super::ending::Wait;
use super::error::{ErrorCode, TaskError};
use super::http::{self, Head, Representation, RestartReason, Verdict};
use super::id::{EffectId, TaskKey};
use super::input::{Arrived, FetchFailure};
use super::output::Change;
use super::ranges::Ranges;
use super::request::{AnswerInfo, without_query};
use super::slot::Current;
use super::task::{EventKind, Task, TaskState};
use super::time::Timestamp;
use super::unexpected::{Unexpected, demand};
use crate::integrity::Expected;

/// How often in a row a server is asked again before it is believed that it has changed the file once more.
const MOST_DOUBTS: u32 = 3;

/// What a fetch counts as that brings no head in time.
pub(super) fn no_head() -> FetchFailure {
    FetchFailure { error: TaskError::new(ErrorCode::Network), online: true }
}

impl Engine {
    pub(super) fn handle_head(&mut self, key: &TaskKey, attempt: EffectId, mut head: Result<Arrived, FetchFailure>) {
        if let Ok(arrived) = &mut head {
            http::drop_constants(&mut arrived.head);
        }
        if let Some(attempt) = self.slots.get_mut(key).and_then(|slot| slot.attempt(attempt)) {
            attempt.arrived = Some(head);
        }
        self.advance(key);
    }

    /// Decides what the answers that have come mean. Those that lead to a commit wait while one is in flight.
    pub(super) fn decide_heads(&mut self, key: &TaskKey) {
        let waiting = |engine: &Self| -> Vec<EffectId> {
            let attempts = engine.slots.get(key).into_iter().flat_map(|slot| &slot.attempts);
            attempts.filter(|attempt| attempt.arrived.is_some()).map(|attempt| attempt.id).collect()
        };
        for id in waiting(self) {
            let Some(slot) = self.slots.get_mut(key) else { return };
            let busy = slot.busy;
            let Some(attempt) = slot.attempt(id) else { continue };
            match attempt.arrived.take() {
                Some(arrived) if attempt.is_record => self.record_arrived(key, id, arrived),
                Some(Ok(arrived)) => {
                    let verdict = self.judge(key, id, &arrived.head);
                    // While a range is in question, or the file's end, the answer may lead to a commit as well.
                    let task = self.slots.get(key).and_then(|slot| slot.task.as_ref());
                    let is_settled =
                        task.is_none_or(|task| !task.progress.ranges.is_in_question() && task.assumed_end().is_none());
                    let begins = is_settled && matches!(verdict, Some(Verdict::Body { restart: None, .. }));
                    match verdict {
                        Some(verdict) if begins || !busy => self.follow(key, id, &arrived, verdict),
                        _ => self.put_back(key, id, Ok(arrived)),
                    }
                }
                Some(Err(failure)) if busy => self.put_back(key, id, Err(failure)),
                Some(Err(failure)) => self.handle_no_answer(key, id, failure),
                None => {}
            }
        }
    }

    fn put_back(&mut self, key: &TaskKey, id: EffectId, arrived: Result<Arrived, FetchFailure>) {
        if let Some(attempt) = self.slots.get_mut(key).and_then(|slot| slot.attempt(id)) {
            attempt.arrived = Some(arrived);
        }
    }

    /// What the answer means, under the task's own demands.
    pub(super) fn judge(&self, key: &TaskKey, id: EffectId, head: &Head) -> Option<Verdict> {
        let verdict = self.judge_freely(key, id, head)?;
        Some(demand(self.slots.get(key)?.task.as_ref()?, verdict, head))
    }

    fn judge_freely(&self, key: &TaskKey, id: EffectId, head: &Head) -> Option<Verdict> {
        let slot = self.slots.get(key)?;
        let task = slot.task.as_ref()?;
        let attempt = slot.attempts.iter().find(|attempt| attempt.id == id)?;
        // Nothing is kept of a version of which there are no bytes and which nobody else is fetching.
        let is_alone = slot.attempts.iter().all(|other| other.id == id || other.reading.is_none());
        let kept = slot.known().filter(|_| !is_alone || !task.progress.received.is_empty() || !slot.staged.is_empty());
        let is_proven = task.record.spec.proof.is_of_the_app();
        let previous = task.progress.previous.as_ref().filter(|_| kept.is_none());
        let only_parts = task.progress.ranges == Ranges::Parts;
        if attempt.source == 0 {
            let is_unchanged = previous.is_some_and(|previous| http::same_version(&previous.representation, head));
            let verdict = attempt.judge(kept, only_parts, http::Source::Origin, head);
            let brings_body = matches!(verdict, Verdict::Body { .. });
            return Some(if is_unchanged && brings_body { Verdict::NotModified } else { verdict });
        }
        let source = if is_proven { http::Source::Proven } else { http::Source::Mirror };
        // Equal date and length are a comparison, and that is what was refused.
        let needs_tag = task.record.spec.strong_only && !is_proven;
        let has_tag = |kept: &Representation| kept.etag.is_some() && kept.etag == head.etag;
        if needs_tag && kept.is_some_and(|kept| !has_tag(kept)) {
            return Some(Verdict::NotTheSame);
        }
        // With nothing to compare with, a mirror is as good as the origin, unless the app's own pieces disagree. But what it wants
        // to know the app is not asked.
        let verdict = attempt.judge(kept, only_parts, if kept.is_some() { source } else { http::Source::Origin }, head);
        let fits = |length| task.record.spec.proof.pieces.as_ref().is_none_or(|pieces| pieces.fit(length));
        match &verdict {
            Verdict::Body { representation, .. } if !representation.complete_length.is_none_or(fits) => {
                Some(Verdict::NotTheSame)
            }
            Verdict::Unauthorized(_) => Some(Verdict::NotTheSame),
            _ => Some(verdict),
        }
    }

    pub(super) fn follow(&mut self, key: &TaskKey, id: EffectId, arrived: &Arrived, verdict: Verdict) {
        self.note_readable(key, id);
        let Some(slot) = self.slots.get_mut(key) else { return };
        let (source, is_elsewhere) =
            slot.attempt(id).map_or((0, false), |attempt| (attempt.source, attempt.is_at_target));
        let Some(mut task) = slot.task.clone() else { return };
        if !is_elsewhere && !matches!(verdict, Verdict::Retry(..)) {
            self.note_fine(&task, source);
        }
        if disagrees(&verdict) && self.drop_one_of_many(key, id) {
            // The others go on with what they have; nodes of one site may differ, so that no more are asked.
            if let Some(slot) = self.slots.get_mut(key) {
                slot.more_after = Timestamp(u64::MAX);
            }
            return;
        }
        if source == 0 && is_of_aside(&verdict, &task, &arrived.head) {
            return self.go_back_to_aside(key, task);
        }
        if let Some(end) = task.end_shown(&verdict, &arrived.head)
            && !self.goes_on_behind(key, &mut task, &end)
        {
            return;
        }
        if is_doubtful(&verdict, &task) {
            // Before all bytes go once more, it is asked again: nodes of one site may differ.
            self.drop_attempts(key);
            return self.try_again(key, task, Vec::new(), TaskError::new(ErrorCode::TooManyRestarts), Wait::Backoff);
        }
        if self.leave_target(key, id, &verdict) {
            return;
        }
        if let Some(unexpected) = Unexpected::of(&verdict, &task, &arrived.head) {
            return self.wait_for_the_file(key, id, task, unexpected.error(&arrived.head));
        }
        match verdict {
            Verdict::Body { .. } if source == 0 && self.settle_range(key, &mut task, http::is_coded(&arrived.head)) => {
            }
            Verdict::Body { representation, start, end, restart } => {
                self.begin_body(key, id, task, arrived, (representation, start, end, restart));
            }
            Verdict::Empty(representation) => {
                self.drop_attempts(key);
                task.progress.answer = Some(answer_info(&task, &arrived.head));
                task.progress.representation = Some(representation);
                task.progress.expected = expected_of(&task, source, &arrived.head);
                self.finish(key, task, Vec::new());
            }
            Verdict::NotModified => self.keep_previous(key, task),
            Verdict::AskAgain { without_range, restart } => {
                let why = if http::is_bare_part(&arrived.head) { Ranges::Unproven } else { Ranges::Useless };
                self.ask_again(key, task, without_range.then_some(why), restart);
            }
            Verdict::Unauthorized(_) | Verdict::Fail(_) if self.drop_one_of_many(key, id) => {}
            Verdict::Unauthorized(error) | Verdict::Fail(error)
                if self.ask_without_range(key, source, &mut task, &error) => {}
            Verdict::Unauthorized(error) => {
                self.drop_attempts(key);
                self.refused(key, task, error);
            }
            Verdict::Retry(error, after) => {
                if !self.drop_one_of_many(key, id) {
                    let asked_ms = after.map(|after| after.delay_ms(self.now));
                    self.fail_source(key, id, task, error, Some(Wait::Busy(asked_ms)));
                }
            }
            Verdict::Fail(error) => self.fail_source(key, id, task, error, None),
            Verdict::NotTheSame => self.leave_mirror(key, id, source, task),
        }
    }

    /// A mirror does not serve the bytes that are kept: it is never asked again.
    fn leave_mirror(&mut self, key: &TaskKey, id: EffectId, source: usize, mut task: Task) {
        task.progress.bad_sources |= 1 << source;
        if let Some(slot) = self.slots.get_mut(key) {
            // Until that is durable.
            slot.failed_sources |= 1 << source;
        }
        self.drop_attempt(key, id);
        let changes = vec![Change::PutProgress(key.clone(), task.progress.clone())];
        self.commit_transfer(key, task, None, changes);
    }

    /// Where the server has redirected to does not give more of the version, or not now: the server is asked itself, at once
    /// if it was no trouble that passes, and its answer counts. Whether it is.
    fn leave_target(&mut self, key: &TaskKey, id: EffectId, verdict: &Verdict) -> bool {
        let Some(slot) = self.slots.get_mut(key) else { return false };
        let is_at_target = slot.attempt(id).is_some_and(|attempt| attempt.is_at_target);
        if !is_at_target || matches!(verdict, Verdict::Body { restart: None, .. }) {
            return false;
        }
        slot.target = None;
        let passes = matches!(verdict, Verdict::Retry(..));
        if !passes && !self.drop_one_of_many(key, id) {
            self.drop_attempts(key);
        }
        !passes
    }

    fn begin_body(
        &mut self,
        key: &TaskKey,
        id: EffectId,
        task: Task,
        arrived: &Arrived,
        (representation, start, end, restart): (Representation, u64, Option<u64>, Option<RestartReason>),
    ) {
        let (now, head) = (self.now, &arrived.head);
        let free_bytes = arrived.free_bytes.map(|free| free.saturating_sub(self.promised_bytes(key)));
        // If there is no room for both, what was set aside goes.
        let free_bytes = free_bytes.map(|free| free.saturating_add(task.progress.spare_bytes(restart.is_some())));
        let Some(slot) = self.slots.get_mut(key) else { return };
        let kept_nothing = task.progress.received.is_empty() && slot.staged.is_empty();
        let missing =
            representation.complete_length.or(task.record.expects.length).or(task.record.spec.expected_bytes).map(
                |length| {
                    let kept = if restart.is_some() { 0 } else { task.progress.received.len() };
                    length.saturating_sub(kept)
                },
            );
        let is_first = slot.attempts.len() == 1 && !slot.busy;
        if is_first && missing.zip(free_bytes).is_some_and(|(missing, free)| missing > free) {
            return self.handle_no_room(key, task);
        }
        if restart.is_some() {
            // The others fetch what is not wanted any more.
            let others: Vec<EffectId> =
                slot.attempts.iter().map(|attempt| attempt.id).filter(|other| *other != id).collect();
            others.into_iter().for_each(|other| self.drop_attempt(key, other));
            if let Some(slot) = self.slots.get_mut(key) {
                slot.current = None;
            }
        }
        let Some(slot) = self.slots.get_mut(key) else { return };
        if slot.current.is_none() {
            let source = slot.attempt(id).map_or(0, |attempt| attempt.source);
            let expected = expected_of(&task, source, head);
            let answer = Some(answer_info(&task, head));
            let replaces = restart.filter(|_| !kept_nothing).map(|_| task.progress.body);
            let told_elsewhere = source > 0 && (kept_nothing || task.progress.told_elsewhere);
            let (representation, length_is_assumed) = (representation.clone(), http::hides_length(head));
            slot.current =
                Some(Current { representation, answer, expected, replaces, told_elsewhere, length_is_assumed });
        }
        let attempt = slot.attempts.iter().find(|attempt| attempt.id == id);
        if attempt.is_some_and(|attempt| attempt.source == 0 && (!attempt.is_at_target || head.final_url.is_some())) {
            slot.target.clone_from(&head.final_url);
        }
        let hash = slot.hash_at(start, restart.is_some());
        if let Some(attempt) = slot.attempt(id) {
            let goes_on = restart.is_none() && start == attempt.start();
            let hash = hash.or(attempt.hash_before.take().filter(|_| goes_on));
            attempt.begin_body(start, end, hash, now);
            let round_trip_ms = now.since(attempt.began_at);
            slot.link.round_trip_ms = round_trip_ms;
        }
        self.bound(key, id);
        match restart {
            // What is read of it is stored after that: a task has one commit at a time.
            Some(reason) if !kept_nothing => self.restart(key, task, reason, Some(representation)),
            _ => self.publish_task(key),
        }
    }

    /// The file that was there is still the newest: it stays, and what was begun beside it goes.
    fn keep_previous(&mut self, key: &TaskKey, mut task: Task) {
        self.drop_attempts(key);
        let Some(unused) = task.progress.go_back() else { return };
        task.record.enter(TaskState::Completed, self.now);
        let changes = vec![
            Change::KillBody(unused),
            Change::PutTask(task.record.clone()),
            Change::PutProgress(key.clone(), task.progress.clone()),
        ];
        self.commit_transfer(key, task, Some(EventKind::NotModified), changes);
    }

    /// Asks once more, perhaps from now on without a range, and perhaps without what is kept.
    pub(super) fn ask_again(
        &mut self,
        key: &TaskKey,
        mut task: Task,
        without: Option<Ranges>,
        restart: Option<RestartReason>,
    ) {
        self.drop_attempts(key);
        let is_news = without.is_some_and(|ranges| ranges != task.progress.ranges);
        if without.is_some() && task.progress.ranges == Ranges::Parts {
            // That was the last way.
            return self.fail(key, task, Vec::new(), TaskError::new(ErrorCode::BadContentRange));
        }
        task.progress.ranges = without.unwrap_or(task.progress.ranges);
        let keeps_nothing = task.progress.received.is_empty();
        if let Some(reason) = restart.filter(|_| !keeps_nothing) {
            return self.restart(key, task, reason, None);
        }
        if keeps_nothing {
            task.progress.representation = None;
        }
        if is_news {
            let changes = vec![Change::PutProgress(key.clone(), task.progress.clone())];
            return self.commit_transfer(key, task, None, changes);
        }
        // That ranges are of no use is learnt once. All else could go on for ever.
        self.try_again(key, task, Vec::new(), TaskError::new(ErrorCode::BadContentRange), Wait::Backoff);
    }
}

/// Whether the answer is of no use to those that are being read, or for a request like theirs.
fn disagrees(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Body { restart: Some(_), .. } | Verdict::AskAgain { .. })
}

/// Whether the server has the version again whose bytes were set aside, and goes on with those.
fn is_of_aside(verdict: &Verdict, task: &Task, head: &Head) -> bool {
    let (Verdict::Body { restart, .. } | Verdict::AskAgain { restart, .. }) = verdict else { return false };
    let has_changed = *restart == Some(RestartReason::Changed);
    let is_new = head.status == 206 && task.progress.received.is_empty();
    let aside = task.progress.aside.as_ref().filter(|_| has_changed || is_new);
    aside.and_then(|aside| aside.representation.as_ref()).is_some_and(|known| http::same_version(known, head))
}

/// Whether the server seems to have another version once more.
fn is_doubtful(verdict: &Verdict, task: &Task) -> bool {
    let (Verdict::Body { restart, .. } | Verdict::AskAgain { restart, .. }) = verdict else { return false };
    let progress = &task.progress;
    let most = MOST_DOUBTS.min(task.record.spec.policy.max_failures.saturating_sub(1));
    let has_changed = *restart == Some(RestartReason::Changed) && !progress.received.is_empty();
    has_changed && progress.restarts_in_row > 0 && progress.failures < most
}

/// What the app may read of an answer afterwards.
fn answer_info(task: &Task, head: &Head) -> AnswerInfo {
    let wanted = |name: &str| task.record.spec.request.keep_headers.iter().any(|kept| kept.eq_ignore_ascii_case(name));
    AnswerInfo {
        status: head.status,
        final_url: head.final_url.as_deref().map(|url| without_query(url).into()),
        headers: head.chosen.iter().filter(|(name, _)| wanted(name)).cloned().collect(),
    }
}

/// What the digest of the version must be that a source serves, if it says so, and if its word counts: what a mirror says of
/// its own bytes counts for nothing where the app says what they are.
fn expected_of(task: &Task, source: usize, head: &Head) -> Option<Expected> {
    let proof = &task.record.spec.proof;
    let is_told = !(proof.ignore_server_digest || source > 0 && proof.is_of_the_app());
    is_told.then(|| server_digest(head)).flatten()
}

/// The digest that the server promises (RFC 9530): of the representation, in any answer; of the content, only where
/// the content is the representation. A digest of coded bytes says nothing about those that the browser hands out.
fn server_digest(head: &Head) -> Option<Expected> {
    let is_coded = http::is_coded(head);
    let of_content = head.content_digest.as_deref().filter(|_| head.status == 200);
    let field = head.repr_digest.as_deref().or(of_content).filter(|_| !is_coded);
    field.and_then(Expected::parse_digest_field)
}
