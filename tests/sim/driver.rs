//! What a worker's driver does: hands inputs to the engine, drains its outputs, carries out its effects. A kill may
//! come between any two outputs.

use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::id::EffectId;
use longhaul::engine::input::{Call, Completion, FetchFailure, Input, ReadEnd};
use longhaul::engine::output::{Change, Effect, Output, Query};
use longhaul::engine::task::EventKind;

use super::faults::FAULTS;
use super::model::tasks_of;
use super::network::BodyEnd;
use super::origin::Wanted;
use super::pages::ToPage;
use super::stats::Group;
use super::storage::{Storage, Work};
use super::worker::{Attempt, Buffer, Worker};
use super::world::{Event, World, note};

impl World {
    /// Hands inputs to a worker, if it is still alive, and drains what follows from them.
    pub fn give(&mut self, number: u64, inputs: Vec<Input>) {
        let Some(at) = self.workers.iter().position(|worker| worker.number == number) else { return };
        let mut worker = self.workers.remove(at);
        let time = worker.time(self.now);
        for input in inputs {
            note!(self, "w{number} <- {input:?}");
            worker.engine.handle_input(time, input);
        }
        if let Some(worker) = self.drain(worker) {
            self.workers.insert(at, worker);
        }
    }

    /// Drains a worker's outputs. Returns the worker, if it lives on.
    pub fn drain(&mut self, mut worker: Worker) -> Option<Worker> {
        loop {
            if !self.is_calm && self.random.one_in(self.climate.kill_between_outputs_one_in) {
                self.stats.count(Group::Run, "kills between outputs");
                self.bury(&worker);
                return None;
            }
            let Some(output) = worker.engine.poll_output() else { break };
            note!(self, "w{} -> {output:?}", worker.number);
            if matches!(output, Output::Fenced) {
                assert!(!self.is_newest(&worker), "the newest engine was fenced");
                self.stats.count(Group::Engine, "fenced");
                self.bury(&worker);
                return None;
            }
            self.carry_out(&mut worker, output);
        }
        self.check_drained(&worker);
        Some(worker)
    }

    /// Whether a worker has the lease.
    pub fn is_newest(&self, worker: &Worker) -> bool {
        worker.epoch == self.storage.epoch
    }

    fn carry_out(&mut self, worker: &mut Worker, output: Output) {
        match output {
            Output::Start(id, Effect::Load(query)) => {
                self.count_load(&query);
                self.check_load(worker, id, &query);
                self.issue(worker, id, Work::Load(query));
            }
            Output::Start(id, Effect::Commit(changes)) => self.commit(worker, id, changes),
            Output::Start(id, Effect::Fetch { key, url, range_start, if_range }) => {
                self.check_fetch(worker, &key, range_start, if_range.as_deref());
                let wanted = Wanted { start: range_start, if_range: if_range.as_deref() };
                let (attempt, after_ms) = self.send(key, url, wanted);
                worker.attempts.insert(id, attempt);
                if let Some(after_ms) = after_ms {
                    self.schedule(after_ms, Event::Head { worker: worker.number, attempt: id });
                }
            }
            Output::Start(id, Effect::Read { attempt, offset, up_to_bytes, or_after_ms }) => {
                self.check_read(worker, attempt, offset);
                let reading = worker.attempts.get_mut(&attempt).expect("checked above");
                reading.read = Some((id, up_to_bytes));
                if let Some(at) = reading.body.read_done_at(self.now, up_to_bytes, or_after_ms) {
                    self.schedule_at(at, Event::Read { worker: worker.number, attempt, read: id });
                }
            }
            Output::Abort(id) => self.abort(worker, id),
            Output::Discard(id) => {
                assert!(worker.buffers.remove(&id).is_some(), "a buffer was let go that the driver does not hold");
                self.stats.count(Group::Engine, "buffers let go");
            }
            Output::Reply(id, result) => {
                let waiting = worker.calls.remove(&id).expect("a call was answered that is not waiting");
                if self.is_newest(worker) {
                    self.check_reply(worker, &waiting.call, &result);
                }
                self.post(waiting.page, ToPage::Reply(waiting.number, result.is_ok()));
            }
            Output::Deliver(client, session, events) => {
                let page = self.page_of(&client);
                self.check_delivery(worker, page, &session, &events);
                self.post(page, ToPage::Events(session, events));
            }
            Output::AllDelivered(client, session) => {
                let page = self.page_of(&client);
                self.check_all_delivered(worker, page, &session);
            }
            Output::Observe(_, session, event) => {
                let is_durable = self.model.events.get(&session).is_some_and(|all| all.contains_key(&event.seq));
                assert!(is_durable, "event {} was shown before it was durable", event.seq);
            }
            Output::Changed(_, snapshot) => {
                if self.is_newest(worker) {
                    self.check_snapshot(&snapshot);
                }
            }
            Output::Released(_, key) => {
                let is_gone = !self.model.tasks.contains_key(&key) || !self.is_newest(worker);
                assert!(is_gone, "{key:?} was said to be gone");
            }
            Output::Settle(wake) => {
                assert!(worker.wakes.remove(&wake.0), "a wake was settled that is not held");
                let is_needed = worker.is_working && wake.0 == worker.newest_wake;
                assert!(!is_needed, "the newest wake was settled although there is work");
            }
            Output::Working(is_working) => {
                assert_ne!(worker.is_working, is_working, "the engine said again what it had said");
                worker.is_working = is_working;
            }
            Output::Fenced => unreachable!("handled by the caller"),
        }
    }

    fn count_load(&mut self, query: &Query) {
        let name = match query {
            Query::Due { .. } => "loads of due tasks",
            Query::Task(_) => "loads of a task",
            Query::Outbox { .. } => "loads of an outbox",
            Query::DeadBody { .. } => "loads of a dead body",
            Query::Tasks { .. } | Query::History { .. } => "loads for a page",
        };
        self.stats.count(Group::Engine, name);
    }

    fn commit(&mut self, worker: &mut Worker, id: EffectId, changes: Vec<Change>) {
        for change in &changes {
            let name = match change {
                Change::PutEvent(_, event) => match &event.kind {
                    EventKind::Completed { .. } => "events: completed",
                    EventKind::Failed(_) => "events: failed",
                    EventKind::Cancelled => "events: cancelled",
                    EventKind::Restarted(_) => "events: restarted",
                },
                Change::DeleteEvents { .. } => "commits of an ack",
                Change::DeleteChunks { .. } => "commits of a sweep",
                Change::Append { .. } => "commits of a chunk",
                _ => continue,
            };
            self.stats.count(Group::Engine, name);
        }
        let writes = Storage::writes(&changes, worker);
        let keys = tasks_of(&changes);
        let concerns = |call: &Call| match call {
            Call::Open(record) => {
                changes.iter().any(|change| matches!(change, Change::PutSession(put) if put == record))
            }
            Call::Download { key, .. } | Call::Task(key, _) => keys.contains(key),
            Call::Tasks { .. } | Call::History { .. } => false,
        };
        let calls = worker.calls.values().map(|waiting| &waiting.call).filter(|call| concerns(call)).cloned().collect();
        self.issue(worker, id, Work::Commit { changes, writes, calls });
    }

    fn issue(&mut self, worker: &Worker, effect: EffectId, work: Work) {
        let climate = (!self.is_calm).then_some(&self.climate);
        let random = &mut self.random;
        let (number, at) = self.storage.issue(random, climate, self.now, worker, effect, work);
        self.schedule_at(at, Event::Decide(number));
    }

    /// Sends a request. Returns the attempt, and when its head comes; `None` for never.
    fn send(&mut self, key: longhaul::engine::id::TaskKey, url: String, wanted: Wanted<'_>) -> (Attempt, Option<u64>) {
        let is_faulty = !self.is_calm && self.random.per_mille(self.climate.origin_faults);
        let fault = is_faulty.then(|| self.random.pick(&FAULTS));
        let resource = self.origin.find(&url);
        let mut answer = resource.answer(&mut self.random, self.now, wanted, fault);
        if !self.is_online {
            resource.met.offline = true;
            (answer.head, answer.after_ms) = (None, Some(0));
        }
        if let Some(fault) = answer.fault.filter(|_| self.is_online) {
            self.stats.count(Group::Origin, fault.name());
        }
        self.stats.count(Group::Origin, "attempts");
        note!(self, "origin: {:?} {:?} {:?}", answer.fault, answer.head, answer.body);
        let head = answer.head.ok_or_else(|| self.network_failure());
        (Attempt { key, url, head: Some(head), body: answer.body, read: None, is_aborted: false }, answer.after_ms)
    }

    fn network_failure(&mut self) -> FetchFailure {
        FetchFailure { error: TaskError::new(ErrorCode::Network), online: self.says_online() }
    }

    /// What the browser says about being online. When it is not, it does not always know.
    pub fn says_online(&mut self) -> bool {
        self.is_online || self.random.one_in(3)
    }

    fn abort(&mut self, worker: &mut Worker, id: EffectId) {
        let Some(attempt) = worker.attempts.get_mut(&id) else { return };
        let is_expected = attempt.head.is_some() || attempt.read.is_some();
        // A completion that is under way already may still come.
        if is_expected && !self.is_calm && self.random.one_in(3) {
            attempt.is_aborted = true;
        } else {
            worker.attempts.remove(&id);
        }
    }

    pub(super) fn head_comes(&mut self, number: u64, id: EffectId) {
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.number == number) else { return };
        let Some(attempt) = worker.attempts.get_mut(&id) else { return };
        let Some(head) = attempt.head.take() else { return };
        if head.is_err() || attempt.is_aborted {
            worker.attempts.remove(&id);
        }
        self.give(number, vec![Input::Completed(id, Completion::Head(head))]);
    }

    pub(super) fn read_is_done(&mut self, number: u64, id: EffectId, read: EffectId) {
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.number == number) else { return };
        let Some(attempt) = worker.attempts.get_mut(&id) else { return };
        let Some((_, up_to_bytes)) = attempt.read.take_if(|(wanted, _)| *wanted == read) else { return };
        let last_part = self.random.below(65_536);
        let (chunk, len, end) = attempt.body.read(self.now, up_to_bytes, last_part);
        let end = match end {
            None | Some(BodyEnd::Stall) => ReadEnd::More,
            Some(BodyEnd::Eof) => ReadEnd::Eof,
            Some(BodyEnd::Cut { online }) => ReadEnd::Cut { online },
        };
        if len > 0 {
            worker.buffers.insert(read, Buffer { attempt: id, chunk });
        }
        if attempt.is_aborted {
            self.stats.count(Group::Engine, "reads that came late");
            worker.attempts.remove(&id);
        }
        self.give(number, vec![Input::Completed(read, Completion::Read { len, end })]);
    }
}
