//! The worker's own code as the delegate: it stands in line for a session's lock among the pages, handles one batch,
//! acknowledges it or fails, and lets go. It dies with its worker at any point.

use std::collections::{BTreeMap, BTreeSet};

use longhaul::engine::id::{ClientId, SessionId};
use longhaul::engine::input::Input;
use longhaul::engine::task::TaskEvent;

use super::pages::Holder;
use super::stats::Group;
use super::worker::Worker;
use super::world::{Event, World};

/// The hook's part in one worker.
#[derive(Debug, Default)]
pub struct Hook {
    /// By session, the batch that it has begun.
    pub batches: BTreeMap<SessionId, Vec<u64>>,
    /// By session, the last event that it has handled.
    handled: BTreeMap<SessionId, u64>,
    /// Sessions of which it has handled events and was not told since that none waits.
    pub owed: BTreeSet<SessionId>,
}

impl World {
    /// The engine wants the hook to be the delegate.
    pub(super) fn hook_stands(&mut self, worker: &Worker, session: SessionId) {
        assert!(self.climate.hook_events > 0, "the engine has no hook for events, but wants it");
        // A page may have become it between the input that made the hook stand and the look at what came of that.
        let is_late = worker.delegates.get(&session).is_none_or(|delegate| delegate.since == self.now);
        assert!(is_late, "the hook stands although a page is the delegate");
        let lock = self.locks.entry(session.clone()).or_default();
        let holder = Holder::Hook(worker.number);
        let handles = lock.holder == Some(holder) && worker.hook.batches.contains_key(&session);
        assert!(!handles && !lock.waiting.contains(&holder), "the hook stands twice for one lock");
        if matches!(lock.holder, Some(Holder::Page(_))) {
            self.stats.count(Group::Engine, "hook waits behind a page");
        }
        lock.waiting.push_back(holder);
        self.schedule(0, Event::Grant(session));
    }

    /// The hook of that worker was granted the lock.
    pub(super) fn elect_hook(&mut self, number: u64, session: &SessionId) {
        let worker = self.workers.iter_mut().find(|worker| worker.number == number);
        worker.expect("who is gone waits for nothing").delegates.remove(session);
        let client = ClientId::hook();
        let hello = Input::Hello { client, session: session.clone(), delegate: true, can_authorize: false };
        self.give(number, vec![hello]);
    }

    /// The hook is given a batch, or nothing.
    pub(super) fn hook_takes(&mut self, worker: &mut Worker, session: SessionId, events: &[TaskEvent]) {
        let holder = self.locks[&session].holder;
        assert_eq!(holder, Some(Holder::Hook(worker.number)), "the hook is given events, but has no lock");
        let Some(last) = events.last() else {
            self.stats.count(Group::Engine, "hook elected for nothing");
            return self.let_go(Holder::Hook(worker.number), &session);
        };
        let batch: Vec<u64> = events.iter().map(|event| event.seq).collect();
        assert!(batch.is_sorted_by(|one, next| one < next), "the hook's batch is not in order: {batch:?}");
        let handled = worker.hook.handled.get(&session).copied().unwrap_or(0);
        assert!(batch.iter().all(|seq| *seq > handled), "the hook handled {handled}, and is given {batch:?}");
        if self.is_newest(worker) {
            let outbox = &self.model.outbox[&session];
            for event in events {
                assert_eq!(outbox.get(&event.seq), Some(event), "the hook is given an event that is not in the outbox");
            }
            for (seq, _) in outbox.range(..=last.seq) {
                let is_known = batch.contains(seq) || self.model.events[&session][seq].is_acked;
                assert!(is_known, "event {} is given to the hook before event {seq}", last.seq);
            }
        }
        let other = worker.hook.batches.insert(session.clone(), batch);
        assert!(other.is_none(), "the hook is given a second batch while it handles {other:?}");
        let longest = if self.is_calm { 10 } else { self.random.pick(&[10, 2_000, 120_000]) };
        let delay_ms = self.random.within(0..=longest);
        self.schedule(delay_ms, Event::HookHandled(worker.number, session));
    }

    /// The hook's promise is settled, if its worker has lived so long.
    pub(super) fn hook_is_done(&mut self, number: u64, session: &SessionId) {
        let is_killed = !self.is_calm && self.random.one_in(15);
        let fails = !self.is_calm && self.random.one_in(5);
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.number == number) else {
            return self.stats.count(Group::Engine, "killed while the hook handles");
        };
        let batch = worker.hook.batches.remove(session).expect("the hook handles a batch");
        if fails && !is_killed {
            self.stats.count(Group::Engine, "hook failed");
            let failed = Input::Ack { client: ClientId::hook(), session: session.clone(), seq: 0 };
            self.give(number, vec![failed]);
            return self.let_go(Holder::Hook(number), session);
        }
        let last = *batch.last().expect("a batch has events");
        worker.hook.handled.insert(session.clone(), last);
        worker.hook.owed.insert(session.clone());
        batch.iter().for_each(|seq| self.model.handled(session, *seq));
        self.stats.count(Group::Engine, "events handled by the hook");
        if is_killed {
            self.stats.count(Group::Engine, "killed before the hook's ack");
            return self.kill(number);
        }
        self.model.acked(session, last);
        let ack = Input::Ack { client: ClientId::hook(), session: session.clone(), seq: last };
        self.give(number, vec![ack]);
        self.let_go(Holder::Hook(number), session);
    }

    /// The hook is told that no event waits.
    pub(super) fn hook_has_all(&mut self, worker: &mut Worker, session: &SessionId) {
        assert!(worker.hook.owed.remove(session), "the hook was told again that nothing waits");
        let first = self.model.outbox.get(session).and_then(|outbox| outbox.keys().next());
        assert!(first.is_none() || !self.is_newest(worker), "the hook was told that nothing waits, but {first:?} does");
        self.stats.count(Group::Engine, "hook told that nothing waits");
    }

    /// With its worker goes what its hook holds, and what it waits for.
    pub(super) fn bury_hook(&mut self, number: u64) {
        for session in self.locks.keys().cloned().collect::<Vec<_>>() {
            self.locks.get_mut(&session).expect("named above").waiting.retain(|other| *other != Holder::Hook(number));
            self.let_go(Holder::Hook(number), &session);
        }
    }
}
