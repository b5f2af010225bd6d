//! External attempts: what is missing of a file is handed over to the browser itself (Background Fetch), which goes on
//! without any worker. Until it is over nobody else fetches those bytes. What it brings comes as records, each an answer
//! to a request for one range, and is read like any other body; a record that is not what is wanted is left alone, and
//! its bytes are fetched as usual afterwards.

use std::ops::Range;

use super::attempt::{Attempt, Request};
use super::error::{ErrorCode, TaskError};
use super::http::{AskedRange, Head, Verdict, name_of};
use super::id::{ClientId, EffectId, TaskKey};
use super::input::{Arrived, FetchFailure, Look, TaskCall};
use super::output::{BeginRequest, Change, Effect, Output, RecordRequest};
use super::range_set::RangeSet;
use super::slot::{Asker, Queued, Slot};
use super::task::Task;
use super::time::Timestamp;
use super::transport::{Out, Transport, key_of, new_name};
use super::{Engine, Purpose};

/// How many requests a file is divided into, so that a kill in the middle of one costs little…
const PARTS: u64 = 64;
/// …but none is smaller or larger than this.
const PART_BYTES: Range<u64> = 4 << 20..16 << 20;
/// How many tasks are with the browser at a time. It fetches one after the other anyway.
const MOST_OUT: usize = 8;
/// How often to look what has come, while the worker is awake.
const LOOK_MS: u64 = 30_000;
/// How long a page that was asked may take to begin.
const BEGIN_MS: u64 = 30_000;
/// After how long a look counts as unanswered.
const LOOK_DEADLINE_MS: u64 = 15_000;

/// What this worker knows of a task that is with the browser.
#[derive(Debug, Default)]
pub struct External {
    /// The page to be asked to begin, once the reservation is durable.
    to_ask: Option<ClientId>,
    /// Until then it may still be about to begin.
    asked_until: Timestamp,
    /// Whether what has come is known.
    has_looked: bool,
    looking: Option<EffectId>,
    /// When to look again.
    look_at: Timestamp,
    /// Where the records begin that have come and were not taken.
    ready: Vec<u64>,
    /// Where those begin that were.
    taken: Vec<u64>,
    /// Whether no more will come.
    is_over: bool,
    /// Calls that have to wait for its end.
    after: Vec<(Asker, Queued)>,
}

impl External {
    /// Whether something is being done about it.
    pub(super) fn is_at_work(&self) -> bool {
        self.looking.is_some() || !self.after.is_empty()
    }

    /// Whether the browser has brought all that it will, and it is in storage or was of no use.
    pub(super) fn has_given_all(&self) -> bool {
        self.is_over && self.has_looked && self.ready.is_empty()
    }

    /// The calls that wait for its end.
    pub(super) fn take_calls(&mut self) -> Vec<(Asker, Queued)> {
        std::mem::take(&mut self.after)
    }

    /// The record that begins here has been read, as far as it goes.
    pub(super) fn taken(&mut self, start: u64) {
        self.taken.push(start);
    }

    /// What has come may be more than is known, unless no more could come even then.
    pub(super) fn look_again(&mut self) {
        self.has_looked &= self.is_over;
    }
}

impl Slot {
    /// What of the task the browser has been given.
    pub(super) fn out(&self) -> Option<&Out> {
        self.task.as_ref().and_then(|task| task.progress.transport.out())
    }

    /// When to look what the browser has brought.
    pub(super) fn look_time(&self) -> Option<Timestamp> {
        let is_waiting = self.out().is_some() && !self.busy && !self.is_running() && self.external.looking.is_none();
        is_waiting.then(|| self.due().unwrap_or_default().max(self.external.look_at))
    }
}

impl Engine {
    /// The browser says that a registration has ended. `by_user`: somebody has stopped it in the browser's own page.
    pub(super) fn handle_external(&mut self, registration: String, by_user: bool) {
        match key_of(&registration).filter(|key| self.sessions.contains_key(&key.session)) {
            Some(key) => {
                let call = TaskCall::ExternalEnded { registration, by_user };
                self.enqueue(&key, Asker::Engine, Queued::Task(call));
            }
            None => self.outputs.push_back(Output::LetGo(registration)),
        }
    }

    /// See [`Engine::handle_external`].
    pub(super) fn external_ended(&mut self, key: &TaskKey, registration: String, by_user: bool) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        if slot.out().is_none_or(|out| out.registration != registration) {
            return self.outputs.push_back(Output::LetGo(registration));
        }
        slot.external.look_again();
        slot.external.is_over = true;
        if by_user {
            return slot.external.after.push((Asker::Engine, Queued::Task(TaskCall::Pause)));
        }
        let transport = slot.task.as_ref().map(|task| &task.progress.transport);
        if let Some(Transport::External { ui: Some(ui), .. }) = transport {
            self.outputs.push_back(Output::ShowEnd(registration, ui.clone()));
        }
    }

    /// A page that was asked says whether the browser has begun.
    pub(super) fn external_begun(
        &mut self,
        key: &TaskKey,
        asker: Asker,
        mut task: Task,
        (registration, refusal): (&str, Option<&str>),
    ) {
        let now = self.now;
        let Some(slot) = self.slots.get_mut(key) else { return };
        match (task.progress.transport.out(), refusal) {
            (Some(out), None) if out.registration == registration => {
                slot.external.asked_until = Timestamp(0);
                slot.external.look_at = now.after(LOOK_MS);
                self.answer_task(asker, key);
            }
            (Some(out), Some(refusal)) if out.registration == registration => {
                let is_strict = matches!(task.progress.transport, Transport::External { is_strict: true, .. });
                self.drop_attempts(key);
                self.answer_task(asker, key);
                if is_strict {
                    let code = ErrorCode::BackgroundFetchRefused;
                    let error = TaskError { code, status: None, detail: Some(refusal.into()) };
                    return self.fail(key, task, Vec::new(), error);
                }
                task.progress.transport = Transport::Fetch;
                let changes = vec![Change::PutProgress(key.clone(), task.progress.clone())];
                self.commit_transfer(key, task, None, changes);
            }
            // Something else has happened meanwhile: nobody wants what it brings.
            _ => {
                if refusal.is_none() {
                    self.outputs.push_back(Output::LetGo(registration.into()));
                }
                self.answer_task(asker, key);
            }
        }
    }

    /// Whether a call has to wait until the browser has given back what has come: it would be lost otherwise.
    pub(super) fn must_come_back_first(&self, key: &TaskKey, queued: &Queued) -> bool {
        let (Queued::Task(call) | Queued::AsNamed(call, _)) = queued else { return false };
        let ends = matches!(call, TaskCall::Pause | TaskCall::Cancel { .. });
        ends && self.slots.get(key).is_some_and(|slot| slot.out().is_some())
    }

    pub(super) fn wait_for_external(&mut self, key: &TaskKey, asker: Asker, queued: Queued) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.external.look_again();
        slot.external.after.push((asker, queued));
    }

    /// Whether the task is to be handed over to the browser, as soon as nothing else is at work on it.
    pub(super) fn is_to_go_out(&self, slot: &Slot) -> bool {
        let Some(task) = &slot.task else { return false };
        let known = task.progress.representation.as_ref().filter(|known| known.is_resumable());
        let has_begun = known.is_some() && !task.progress.received.is_empty() && !task.progress.ranges.go_without();
        let is_missing = task.progress.complete_length().is_some() && !task.progress.has_every_byte();
        self.is_leaving(task)
            && has_begun
            && is_missing
            && slot.queue.is_empty()
            && task.record.state.is_active()
            && self.outer_reason(task).is_none()
    }

    /// Whether the browser is going to fetch the rest, once anything is durable.
    pub(super) fn is_leaving(&self, task: &Task) -> bool {
        task.progress.transport.is_wished()
            && task.record.spec.request.may_go_out()
            && self.surroundings.beginner().is_some()
            && self.slots.values().filter(|slot| slot.out().is_some()).count() < MOST_OUT
    }

    /// Hands over what is to go out, and sees to what is out.
    pub(super) fn tend_external(&mut self) {
        // Most tasks have nothing to do with it, and this is asked at every input.
        let goes_out = |task: &Task| matches!(task.progress.transport, Transport::External { .. });
        let is_meant =
            |slot: &Slot| !slot.busy && (slot.task.as_ref().is_some_and(goes_out) || !slot.external.after.is_empty());
        let meant = self.slots.iter().filter(|(_, slot)| is_meant(slot));
        for key in meant.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            let Some(slot) = self.slots.get(&key) else { continue };
            if slot.out().is_some() {
                self.tend_out(&key);
            } else if !slot.external.after.is_empty() {
                self.serve_what_waited(&key);
            } else if !slot.is_running() && self.is_to_go_out(slot) {
                self.hand_over(&key);
            }
        }
    }

    fn serve_what_waited(&mut self, key: &TaskKey) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        for waiting in slot.external.take_calls().into_iter().rev() {
            slot.queue.push_front(waiting);
        }
        self.serve_queue(key);
    }

    fn hand_over(&mut self, key: &TaskKey) {
        let registration = new_name(key, self.random.next());
        let page = self.surroundings.beginner();
        let Some(slot) = self.slots.get_mut(key) else { return };
        let Some(mut task) = slot.task.clone() else { return };
        let Some(length) = task.progress.complete_length() else { return };
        let mut reserved = RangeSet::default();
        let mut at = 0;
        while let Some(gap) = task.progress.received.gap_from(at, length) {
            at = gap.end;
            reserved.insert(gap);
        }
        let part_bytes = (reserved.len() / PARTS).clamp(PART_BYTES.start, PART_BYTES.end);
        let out = Out { registration, reserved, part_bytes };
        task.progress.transport = task.progress.transport.with(Some(out));
        slot.external = External { to_ask: page, has_looked: true, ..External::default() };
        let changes = vec![Change::PutProgress(key.clone(), task.progress.clone())];
        self.commit_transfer(key, task, None, changes);
    }

    fn tend_out(&mut self, key: &TaskKey) {
        let now = self.now;
        let Some(slot) = self.slots.get_mut(key) else { return };
        // Storage, or the clock, has something against it.
        if !slot.attempts.is_empty() || slot.external.looking.is_some() || slot.due().is_some_and(|due| due > now) {
            return;
        }
        let Some(task) = slot.task.clone().filter(|task| task.record.state.is_active()) else { return };
        if let Some(page) = slot.external.to_ask.take() {
            slot.external.asked_until = now.after(BEGIN_MS);
            slot.external.look_at = slot.external.asked_until;
            self.outputs.extend(begin_request(&task).map(|request| Output::Begin(page, key.clone(), request)));
            return self.publish_task(key);
        }
        if !slot.external.has_looked || slot.external.look_at <= now {
            return self.look(key);
        }
        while let Some(start) = slot.external.ready.pop() {
            let part = task.progress.transport.out().and_then(|out| out.parts().find(|part| part.start == start));
            // One of which a part is durable was being read when a worker died. What is missing of it is fetched afterwards.
            let is_missing =
                |part: &Range<u64>| task.progress.received.gap_from(part.start, part.end).as_ref() == Some(part);
            if let Some(part) = part.filter(is_missing) {
                return self.take_record(key, part);
            }
        }
        if slot.external.is_over || !slot.external.after.is_empty() || task.progress.has_every_byte() {
            self.take_back(key, task);
        }
    }

    fn look(&mut self, key: &TaskKey) {
        let id = self.effects.start(Purpose::Look(key.clone()), self.now.after(LOOK_DEADLINE_MS));
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.external.looking = Some(id);
        let registration = slot.out().map(|out| out.registration.clone()).unwrap_or_default();
        self.outputs.push_back(Output::Start(id, Effect::Look { registration }));
    }

    pub(super) fn handle_looked(&mut self, key: &TaskKey, id: EffectId, look: Look) {
        let now = self.now;
        let Some(slot) = self.slots.get_mut(key).filter(|slot| slot.external.looking == Some(id)) else { return };
        let external = &mut slot.external;
        (external.looking, external.has_looked) = (None, true);
        let may_still_begin = external.asked_until > now;
        external.look_at = if may_still_begin { external.asked_until } else { now.after(LOOK_MS) };
        if let Look::Found { is_over, ready } = look {
            external.is_over |= is_over;
            external.ready = ready;
            // The first is taken first, so that the hash is made on the way.
            external.ready.reverse();
            external.ready.retain(|start| !external.taken.contains(start));
        } else if look == Look::Gone && !may_still_begin {
            external.is_over = true;
        }
    }

    fn take_record(&mut self, key: &TaskKey, part: Range<u64>) {
        let now = self.now;
        let Some(slot) = self.slots.get_mut(key) else { return };
        let Some(task) = &slot.task else { return };
        let Some(out) = task.progress.transport.out() else { return };
        let (registration, start) = (out.registration.clone(), part.start);
        let keep_headers = task.record.spec.request.keep_headers.clone();
        let deadline = now.after(task.record.spec.policy.stall_timeout_ms);
        let id = self.effects.start(Purpose::Fetch(key.clone()), deadline);
        let range = Some(AskedRange { start, end: Some(part.end) });
        let asked = Request { range, if_range: false, conditional: false };
        slot.attempts.push(Attempt::of_record(id, asked, (start, Some(part.end)), now));
        let record = RecordRequest { registration, start, keep_headers };
        self.outputs.push_back(Output::Start(id, Effect::TakeRecord { key: key.clone(), record }));
    }

    /// A record's head. Whatever is not the range that was asked for, of the version that is kept, is left alone: what
    /// that means for the task is told by the server, when it is asked for these bytes.
    pub(super) fn record_arrived(&mut self, key: &TaskKey, id: EffectId, arrived: Result<Arrived, FetchFailure>) {
        let start = self.slots.get_mut(key).and_then(|slot| slot.attempt(id)).map(|attempt| attempt.start());
        let verdict = arrived.as_ref().ok().and_then(|arrived| self.judge(key, id, &arrived.head));
        match (arrived, verdict) {
            (Ok(arrived), Some(verdict)) if is_wanted(&verdict, start, &arrived.head) => {
                self.follow(key, id, &arrived, verdict);
            }
            _ => {
                if let Some(slot) = self.slots.get_mut(key) {
                    start.into_iter().for_each(|start| slot.external.taken(start));
                }
                self.drop_attempt(key, id);
            }
        }
    }

    /// The reservation is lifted: the rest is fetched as usual, unless a call that has waited says otherwise.
    fn take_back(&mut self, key: &TaskKey, mut task: Task) {
        let is_done = self.slots.get(key).is_some_and(|slot| slot.external.after.is_empty());
        // It has been tried, and what is left is fetched here and now. A call that ends it only interrupts it.
        task.progress.transport = if is_done { Transport::Fetch } else { task.progress.transport.with(None) };
        let changes = vec![Change::PutProgress(key.clone(), task.progress.clone())];
        self.commit_transfer(key, task, None, changes);
    }

    /// A commit is durable: what the browser still has of the task and nobody wants is let go.
    pub(super) fn let_go_of_external(&mut self, before: Option<&Task>, after: Option<&Task>) {
        let name = |task: Option<&Task>| {
            task.and_then(|task| task.progress.transport.out()).map(|out| out.registration.clone())
        };
        let before = name(before);
        if before != name(after) {
            self.outputs.extend(before.map(Output::LetGo));
        }
    }
}

fn is_wanted(verdict: &Verdict, asked: Option<u64>, head: &Head) -> bool {
    let is_part = head.status == 206;
    is_part && matches!(verdict, Verdict::Body { start, restart: None, .. } if Some(*start) == asked)
}

fn begin_request(task: &Task) -> Option<BeginRequest> {
    let spec = &task.record.spec;
    let Transport::External { ui, out: Some(out), .. } = &task.progress.transport else { return None };
    let file_name = task.progress.representation.as_ref().and_then(|known| name_of(known, spec.url()));
    Some(BeginRequest {
        registration: out.registration.clone(),
        url: spec.url().into(),
        headers: spec.request.headers.clone(),
        credentials: spec.request.credentials,
        parts: out.parts().collect(),
        title: spec.description.clone().or(file_name),
        ui: ui.clone(),
    })
}
