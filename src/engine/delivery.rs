//! Delivery: every event reaches its session's delegate at least once and in order, and leaves the outbox only when
//! the delegate has handled it. Other pages watch.

use super::backlog::Backlog;
use super::hook::Hook;
use super::id::{ClientId, SessionId};
use super::input::{CommitOutcome, Loaded, StoreFailure};
use super::outbox::{Outbox, WINDOW};
use super::output::{Change, Output, Query};
use super::pace::Pace;
use super::session::SessionRecord;
use super::sorted_map::SortedMap;
use super::task::TaskEvent;
use super::time::Timestamp;
use super::{Engine, Purpose, STORE_PAUSE_MS, SessionSnapshot};

/// The page whose acknowledgements count.
#[derive(Debug)]
pub(super) struct Delegate {
    client: ClientId,
    /// The last event posted to it.
    sent: u64,
    /// The last event that waited when it attached, until all those are acknowledged.
    backlog: Option<u64>,
}

/// A session in memory.
#[derive(Debug)]
pub struct Session {
    /// As it is stored.
    pub record: SessionRecord,
    /// Its unacknowledged events.
    pub outbox: Outbox,
    /// When to try storage again, after it failed.
    pub retry_at: Option<Timestamp>,
    /// What it has in storage only.
    pub backlog: Backlog,
    /// How far ahead of its bandwidth limit it is.
    pub pace: Pace,
    /// How many of its tasks have failed or were cancelled since the boot.
    pub ended: u32,
    /// The attached pages, each with whether it can supply headers.
    clients: SortedMap<ClientId, bool>,
    /// The page that holds the session's lock.
    pub(super) delegate: Option<Delegate>,
    /// Who takes the events while no page does.
    pub(super) hook: Hook,
    loading: bool,
    deleting: bool,
}

impl Session {
    /// A new session, without a past.
    pub fn new(record: SessionRecord, now: Timestamp) -> Self {
        let due = Loaded::Tasks(Vec::new());
        let (outbox, groups) = (Vec::new(), Vec::new());
        Self::restore(SessionSnapshot { record, outbox, more_events: false, last_seq: 0, groups, due }, now)
    }

    /// A session as storage holds it.
    pub fn restore(snapshot: SessionSnapshot, now: Timestamp) -> Self {
        // The first number is the time: pages know those of events that the browser may have thrown away by now, and would
        // take new ones with the same numbers for handled.
        let last_seq = if snapshot.last_seq == 0 { now.0 } else { snapshot.last_seq };
        Self {
            record: snapshot.record,
            outbox: Outbox::restore(snapshot.outbox, snapshot.more_events, last_seq),
            retry_at: None,
            backlog: Backlog::default(),
            pace: Pace::default(),
            ended: 0,
            clients: SortedMap::default(),
            delegate: None,
            hook: Hook::default(),
            loading: false,
            deleting: false,
        }
    }

    /// The pages that are attached.
    pub fn clients(&self) -> impl Iterator<Item = &ClientId> {
        self.clients.keys()
    }

    /// The attached pages that can supply headers, the delegate first.
    pub fn clients_that_authorize(&self) -> impl Iterator<Item = &ClientId> {
        let delegate = self.delegate.as_ref().map(|delegate| &delegate.client);
        let first = delegate.filter(|client| self.clients.get(client) == Some(&true));
        first.into_iter().chain(self.clients.iter().filter(|(_, can)| **can).map(|(client, _)| client))
    }

    fn observers(&self) -> impl Iterator<Item = &ClientId> {
        let delegate = self.delegate.as_ref().map(|delegate| &delegate.client);
        self.clients.keys().filter(move |client| Some(*client) != delegate)
    }
}

impl Engine {
    pub(super) fn handle_hello(&mut self, client: &ClientId, id: &SessionId, delegate: bool, can_authorize: bool) {
        if delegate && client.is_hook() {
            return self.begin_hook_turn(id);
        }
        let Some(session) = self.sessions.get_mut(id) else { return };
        // The same page says hello again after a boot; what it was sent it still has.
        if delegate && session.delegate.as_ref().is_none_or(|delegate| delegate.client != *client) {
            let backlog = Some(session.outbox.last_seq());
            session.delegate = Some(Delegate { client: client.clone(), sent: 0, backlog });
            session.take_over_from_hook();
        }
        let is_new = session.clients.get(client) != Some(&can_authorize);
        session.clients.insert(client.clone(), can_authorize);
        if can_authorize && is_new {
            self.ask_authorization_again(id, Some(client));
        }
    }

    pub(super) fn handle_bye(&mut self, client: &ClientId, id: Option<&SessionId>) {
        if id.is_none() {
            self.surroundings.forget(client);
        }
        let mut was_asked = Vec::new();
        for (key, session) in self.sessions.iter_mut().filter(|(session, _)| id.is_none_or(|id| id == *session)) {
            if session.clients.remove(client) == Some(true) {
                was_asked.push(key.clone());
            }
            if session.delegate.as_ref().is_some_and(|delegate| delegate.client == *client) {
                session.delegate = None;
            }
        }
        was_asked.iter().for_each(|session| self.ask_authorization_again(session, None));
    }

    pub(super) fn handle_ack(&mut self, client: &ClientId, id: &SessionId, seq: u64) {
        if client.is_hook() {
            return self.end_hook_turn(id, seq);
        }
        let Some(session) = self.sessions.get_mut(id) else { return };
        if session.delegate.as_ref().is_some_and(|delegate| delegate.client == *client && seq <= delegate.sent) {
            session.outbox.ack(seq);
        }
    }

    /// Shows a committed event to the pages that only watch, and puts it into the outbox.
    pub(super) fn publish_event(&mut self, event: TaskEvent) {
        let Some(session) = self.sessions.get_mut(&event.session) else { return };
        for client in session.observers() {
            self.outputs.push_back(Output::Observe(client.clone(), event.session.clone(), event.clone()));
        }
        session.outbox.committed(event);
    }

    /// Deletes what is acknowledged, loads what memory lacks, delivers what is next: for every session.
    pub(super) fn tend_sessions(&mut self) {
        let ids: Vec<SessionId> = self.sessions.keys().cloned().collect();
        for id in ids {
            self.delete_acked(&id);
            self.load_outbox(&id);
            self.deliver(&id);
            self.tend_hook(&id);
        }
    }

    /// The session, unless its storage is to be left alone for a while.
    fn session_with_storage(&mut self, id: &SessionId) -> Option<&mut Session> {
        let now = self.now;
        let session = self.sessions.get_mut(id)?;
        if session.retry_at.is_some_and(|at| at <= now) {
            session.retry_at = None;
        }
        Some(session).filter(|session| session.retry_at.is_none())
    }

    fn delete_acked(&mut self, id: &SessionId) {
        let Some(session) = self.session_with_storage(id).filter(|session| !session.deleting) else { return };
        if let Some(through) = session.outbox.acked_and_stored() {
            session.deleting = true;
            let change = Change::DeleteEvents { session: id.clone(), through };
            self.commit(Purpose::CommitAck(id.clone(), through), vec![change]);
        }
    }

    pub(super) fn handle_ack_committed(&mut self, id: &SessionId, through: u64, outcome: CommitOutcome) {
        let retry_at = self.now.after(STORE_PAUSE_MS);
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.deleting = false;
        match outcome {
            CommitOutcome::Committed => session.outbox.deleted(through),
            // Deleting twice does no harm, so a lost answer is the same as a failure.
            _ => session.retry_at = Some(retry_at),
        }
    }

    fn load_outbox(&mut self, id: &SessionId) {
        let hook_handles_events = self.hook_handles_events;
        let Some(session) = self.session_with_storage(id) else { return };
        if session.loading || (session.delegate.is_none() && !hook_handles_events) {
            return;
        }
        if let Some(after) = session.outbox.begin_load() {
            session.loading = true;
            let query = Query::Outbox { session: id.clone(), after, limit: WINDOW as u32 };
            self.load(Purpose::LoadOutbox(id.clone()), query);
        }
    }

    pub(super) fn handle_outbox(&mut self, id: &SessionId, loaded: Result<Loaded, StoreFailure>) {
        let retry_at = self.now.after(STORE_PAUSE_MS);
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.loading = false;
        match loaded {
            Ok(Loaded::Events(events)) => {
                let more = events.len() >= WINDOW;
                session.outbox.loaded(events, more);
            }
            _ => session.retry_at = Some(retry_at),
        }
    }

    fn deliver(&mut self, id: &SessionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(delegate) = &mut session.delegate else { return };
        let events = session.outbox.to_deliver(delegate.sent);
        if let Some(last) = events.last() {
            delegate.sent = last.seq;
            self.outputs.push_back(Output::Deliver(delegate.client.clone(), id.clone(), events));
        }
        if delegate.backlog.is_some_and(|backlog| session.outbox.is_drained_through(backlog)) {
            delegate.backlog = None;
            self.outputs.push_back(Output::AllDelivered(delegate.client.clone(), id.clone()));
        }
    }
}
