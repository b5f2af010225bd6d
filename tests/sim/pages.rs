//! Pages, as the reference client behaves: they open sessions, say hello, take turns as the delegate, handle events
//! in order and once each, acknowledge late, send unanswered calls again to a new worker, and close at any time.

use std::collections::{BTreeMap, VecDeque};

use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::id::{CallId, ClientId, SessionId, TaskKey};
use longhaul::engine::input::{Call, Input, TaskCall};
use longhaul::engine::output::{Answer, BeginRequest};
use longhaul::engine::policy::Conditions;
use longhaul::engine::task::TaskEvent;

use super::stats::Group;
use super::worker::{Delegate, WaitingCall, Wake};
use super::world::{Event, World, note};

/// How many pages are opened in one run.
const MOST_PAGES: usize = 20;

/// What a page sends.
#[derive(Clone, Debug)]
pub enum ToWorker {
    Call(u64, Call),
    Hello {
        session: SessionId,
        delegate: bool,
    },
    Bye,
    Ack(SessionId, u64),
    Conditions(Conditions),
    /// Things may have changed for the better.
    Kick,
    /// It is the time for which the worker wanted to be woken.
    Due,
    /// Nobody waits for the reply to this call any more.
    Forget(u64),
}

/// What a page is sent.
#[derive(Debug)]
pub enum ToPage {
    /// A call is answered.
    Reply(u64, Result<Answer, TaskError>),
    /// A server wants to know who asks.
    Ask(TaskKey),
    /// The browser itself is to fetch.
    Begin(TaskKey, BeginRequest),
    Events(SessionId, Vec<TaskEvent>),
    /// A new worker is at work, after so many evictions.
    Booted(u64, u64),
}

/// A page.
#[derive(Debug)]
pub struct Page {
    pub client: ClientId,
    pub is_open: bool,
    pub attached: BTreeMap<SessionId, Attached>,
    /// Calls without a reply, and the worker that has them; `None` while the message is under way.
    pub calls: BTreeMap<u64, (Call, Option<u64>)>,
    pub calls_left: u64,
    /// Whether it can supply headers.
    pub can_authorize: bool,
    /// How many evictions it has seen.
    pub evictions: u64,
    /// Messages do not overtake each other.
    sent_at: u64,
    posted_at: u64,
}

/// A page's part in a session.
#[derive(Debug, Default)]
pub struct Attached {
    /// The session was opened, so hello can be said.
    is_opened: bool,
    /// It holds the session's lock, so it is the delegate.
    pub is_delegate: bool,
    /// The last event that it has taken, and the last that it has handled.
    taken: u64,
    handled: u64,
    /// The last that the present worker has delivered: no other is acknowledged to it.
    delivered: u64,
    waiting: VecDeque<u64>,
}

/// Who may hold a session's lock: a page, or the hook of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    Page(usize),
    Hook(u64),
}

/// A session's lock, which makes its holder the delegate.
#[derive(Debug, Default)]
pub struct Lock {
    pub holder: Option<Holder>,
    pub waiting: VecDeque<Holder>,
    /// When all that its last holder has sent is there. The next holder's hello comes behind that.
    free_at: u64,
}

impl World {
    /// The page of that name.
    pub fn page_of(&self, client: &ClientId) -> usize {
        self.pages.iter().position(|page| page.client == *client).expect("the engine knows only pages that are there")
    }

    /// A page is opened, attaches to every session, and waits for its turn as the delegate.
    pub fn open_page(&mut self) {
        let number = self.pages.len();
        self.stats.count(Group::Page, "pages");
        let can_authorize = self.is_calm || self.random.one_in(2);
        self.pages.push(Page {
            client: ClientId::new(&format!("page{number}")),
            is_open: true,
            attached: BTreeMap::new(),
            calls: BTreeMap::new(),
            calls_left: if self.is_calm { 0 } else { self.climate.calls_per_page },
            can_authorize,
            evictions: self.evictions,
            sent_at: 0,
            posted_at: 0,
        });
        self.tell_conditions(number);
        // Who has no handler for events only watches.
        let has_handler = self.climate.hook_events == 0 || self.random.one_in(3);
        for (session, _) in self.sessions.clone() {
            self.pages[number].attached.insert(session.clone(), Attached::default());
            let lock = self.locks.entry(session.clone()).or_default();
            if has_handler {
                lock.waiting.push_back(Holder::Page(number));
            }
            if lock.holder.is_none() {
                self.schedule(0, Event::Grant(session.clone()));
            }
            let call = self.open_call(number, &session);
            self.call(number, call);
        }
        let delay_ms = self.random.delay_ms();
        self.schedule(delay_ms, Event::Act(number));
    }

    /// The lock goes to who has waited longest.
    pub fn grant(&mut self, session: &SessionId) {
        let lock = self.locks.get_mut(session).expect("a page waits for it");
        if lock.holder.is_some() || self.now < lock.free_at {
            return;
        }
        lock.holder = lock.waiting.pop_front();
        match lock.holder {
            Some(Holder::Page(page)) => {
                self.attached(page, session).is_delegate = true;
                self.say_hello(page, session);
            }
            Some(Holder::Hook(worker)) => self.elect_hook(worker, session),
            None => {}
        }
    }

    /// Who holds the lock does so no longer. It may wait for it again already.
    pub(super) fn let_go(&mut self, who: Holder, session: &SessionId) {
        let lock = self.locks.get_mut(session).expect("somebody waits for it");
        if lock.holder == Some(who) {
            lock.holder = None;
            let at = lock.free_at;
            self.schedule_at(at, Event::Grant(session.clone()));
        }
    }

    pub(super) fn attached(&mut self, page: usize, session: &SessionId) -> &mut Attached {
        self.pages[page].attached.get_mut(session).expect("pages attach to every session")
    }

    fn say_hello(&mut self, page: usize, session: &SessionId) {
        let attached = self.attached(page, session);
        if attached.is_opened {
            let delegate = attached.is_delegate;
            self.send_message(page, ToWorker::Hello { session: session.clone(), delegate });
        }
    }

    /// A page closes; sometimes it gets to say so.
    pub fn close(&mut self, number: usize) {
        if !self.pages[number].is_open {
            return;
        }
        note!(self, "page{number} closes");
        self.stats.count(Group::Page, "pages closed");
        // Who does not say so is found missing some time later.
        let missed_after_ms = if self.random.one_in(2) { 0 } else { self.random.within(1_000..=90_000) };
        let at = self.now + missed_after_ms;
        let at = at.max(self.pages[number].sent_at);
        self.schedule_at(at, Event::Receive(number, ToWorker::Bye));
        self.pages[number].sent_at = if missed_after_ms == 0 { at } else { self.pages[number].sent_at };
        self.pages[number].is_open = false;
        self.pages[number].calls.clear();
        let mut freed = Vec::new();
        for (session, lock) in &mut self.locks {
            lock.waiting.retain(|other| *other != Holder::Page(number));
            if lock.holder == Some(Holder::Page(number)) {
                lock.holder = None;
                lock.free_at = self.pages[number].sent_at + 1;
                freed.push((session.clone(), lock.free_at));
            }
        }
        for (session, free_at) in freed {
            let at = (self.now + self.random.delay_ms()).max(free_at);
            self.schedule_at(at, Event::Grant(session));
        }
        if !self.is_calm && self.pages.len() < MOST_PAGES {
            let delay_ms = self.random.delay_ms() * 10;
            self.schedule(delay_ms, Event::OpenPage);
        }
    }

    /// A page makes a call.
    pub fn call(&mut self, page: usize, call: Call) {
        let number = self.name();
        self.pages[page].calls.insert(number, (call.clone(), None));
        if waits_for_bytes(&call) && self.random.one_in(3) {
            let delay_ms = self.random.within(0..=20_000);
            self.schedule(delay_ms, Event::Leave(page, number));
        }
        self.send_message(page, ToWorker::Call(number, call));
    }

    /// A reader of a file has seen enough.
    pub fn leave(&mut self, page: usize, number: u64) {
        let is_waiting = self.pages[page].is_open && self.pages[page].calls.remove(&number).is_some();
        if is_waiting {
            self.stats.count(Group::Page, "readers that leave");
            self.send_message(page, ToWorker::Forget(number));
        }
    }

    /// A page sends a message.
    pub fn send_message(&mut self, page: usize, message: ToWorker) {
        let at = (self.now + self.random.delay_ms()).max(self.pages[page].sent_at);
        self.pages[page].sent_at = at;
        self.schedule_at(at, Event::Receive(page, message));
    }

    /// A worker sends a message.
    pub fn post(&mut self, page: usize, message: ToPage) {
        let at = (self.now + self.random.delay_ms()).max(self.pages[page].posted_at);
        self.pages[page].posted_at = at;
        self.schedule_at(at, Event::Post(page, message));
    }

    /// A message reaches the newest worker, which the browser starts for it if there is none.
    pub fn receive(&mut self, page: usize, message: ToWorker) {
        self.start_worker();
        let wake = self.name();
        let client = self.pages[page].client.clone();
        let ends = (!self.is_calm && self.climate.wakes_end > 0).then(|| self.random.within(2_000..=60_000));
        let (now, events) = (self.now, &self.model.events);
        let worker = self.workers.last_mut().expect("booted above");
        let ends_at = ends.map(|ends| worker.time(now).after(ends));
        worker.open_wake(wake, Wake { ends_at, is_repeated: false });
        let kick = matches!(message, ToWorker::Kick);
        let input = match message {
            ToWorker::Call(number, call) => {
                if let Some((_, given_to)) = self.pages[page].calls.get_mut(&number) {
                    *given_to = Some(worker.number);
                }
                let id = CallId(wake);
                worker.read.extend(demanded(&call).cloned());
                worker.calls.insert(id, WaitingCall { page, number, call: call.clone() });
                Some(Input::Call(id, call))
            }
            ToWorker::Hello { session, delegate } => {
                // A delegate that says hello again has what it was sent.
                if delegate
                    && worker.sessions.contains_key(&session)
                    && worker.delegates.get(&session).is_none_or(|delegate| delegate.page != page)
                {
                    let backlog = events.get(&session).and_then(|all| all.keys().next_back().copied()).unwrap_or(0);
                    let (since, posted) = (self.now, Default::default());
                    let delegate = Delegate { page, since, posted, acked: 0, backlog, told_all_delivered: false };
                    worker.hook.owed.remove(&session);
                    worker.delegates.insert(session.clone(), delegate);
                }
                let can_authorize = self.pages[page].can_authorize;
                Some(Input::Hello { client, session, delegate, can_authorize })
            }
            ToWorker::Conditions(conditions) => Some(Input::Conditions { observer: Some(client), conditions }),
            ToWorker::Bye => Some(Input::Bye { client, session: None }),
            ToWorker::Ack(session, seq) => {
                let delegate = worker.delegates.get_mut(&session).filter(|delegate| delegate.page == page);
                if let Some(delegate) = delegate.filter(|delegate| delegate.posted.contains(&seq)) {
                    delegate.acked = delegate.acked.max(seq);
                }
                Some(Input::Ack { client, session, seq })
            }
            ToWorker::Kick | ToWorker::Due => None,
            ToWorker::Forget(number) => {
                let of_this = |(_, waiting): &(&CallId, &WaitingCall)| waiting.page == page && waiting.number == number;
                let id = worker.calls.iter().find(of_this).map(|(id, _)| *id);
                id.inspect(|id| drop(worker.calls.remove(id))).map(Input::Forget)
            }
        };
        let number = worker.number;
        let wake = Input::Wake { wake: longhaul::engine::id::WakeId(wake), ends_at, is_repeated: false, kick };
        let is_about_surroundings = matches!(input, Some(Input::Conditions { .. } | Input::Bye { .. }));
        if !is_about_surroundings && !kick {
            return self.give(number, std::iter::once(wake).chain(input).collect());
        }
        if kick {
            return self.kick(number, wake);
        }
        self.give(number, vec![wake]);
        // What the wake has begun was begun before this was known.
        if let Some(worker) = self.workers.iter_mut().find(|worker| worker.number == number) {
            match &input {
                Some(Input::Conditions { observer, conditions }) => {
                    worker.told.insert(observer.clone(), *conditions);
                }
                Some(Input::Bye { client, .. }) => {
                    worker.told.remove(&Some(client.clone()));
                    worker.delegates.retain(|_, delegate| delegate.page != page);
                }
                _ => {}
            }
        }
        self.give(number, input.into_iter().collect());
    }

    /// A message reaches a page.
    pub fn take_post(&mut self, page: usize, message: ToPage) {
        if !self.pages[page].is_open {
            return;
        }
        match message {
            ToPage::Reply(number, result) => self.take_reply(page, number, result),
            ToPage::Events(session, events) => self.take_events(page, &session, &events),
            ToPage::Ask(key) => self.take_ask(page, key),
            ToPage::Begin(key, request) => self.page_begins(page, key, request),
            ToPage::Booted(worker, evictions) => {
                self.begin_anew(page, evictions);
                self.tell_conditions(page);
                for session in self.sessions.clone().into_iter().map(|(session, _)| session) {
                    self.say_hello(page, &session);
                }
                let is_lost = |given_to: &Option<u64>| given_to.is_some_and(|given_to| given_to != worker);
                let calls = &mut self.pages[page].calls;
                let lost: Vec<_> = calls.iter_mut().filter(|(_, (_, given_to))| is_lost(given_to)).collect();
                let mut again = Vec::new();
                for (number, (call, given_to)) in lost {
                    *given_to = None;
                    again.push(ToWorker::Call(*number, call.clone()));
                }
                for message in again {
                    self.stats.count(Group::Page, "calls sent again");
                    self.send_message(page, message);
                }
            }
        }
    }

    /// Everything that was stored is gone, and with it the numbers of events: the page opens its sessions again.
    fn begin_anew(&mut self, page: usize, evictions: u64) {
        if self.pages[page].evictions == evictions {
            return;
        }
        self.pages[page].evictions = evictions;
        for session in self.sessions.clone().into_iter().map(|(session, _)| session) {
            let attached = self.attached(page, &session);
            let is_delegate = attached.is_delegate;
            *attached = Attached { is_delegate, ..Attached::default() };
            let call = self.open_call(page, &session);
            self.call(page, call);
        }
    }

    /// A page tries again to open a session.
    pub fn reopen(&mut self, page: usize, session: &SessionId) {
        if self.pages[page].is_open && !self.attached(page, session).is_opened {
            let call = self.open_call(page, session);
            self.call(page, call);
        }
    }

    /// A page tells what it sees of the surroundings.
    pub fn tell_conditions(&mut self, page: usize) {
        let conditions = self.conditions(true);
        self.send_message(page, ToWorker::Conditions(conditions));
    }

    fn take_reply(&mut self, page: usize, number: u64, result: Result<Answer, TaskError>) {
        // An old and a new worker may both answer.
        let Some((call, _)) = self.pages[page].calls.remove(&number) else { return };
        match &result {
            Ok(Answer::ResumeData(_, Some(data))) => self.resume_data.push(data.clone()),
            Ok(Answer::Chunk(file, offset)) => {
                self.last_read = Some(file.name.clone());
                if let Call::Task(key, _) = &call {
                    self.read_chunk(page, key.clone(), file, *offset);
                }
            }
            Ok(Answer::Serve(service)) => self.last_read = Some(service.file.name.clone()),
            _ => {}
        }
        let is_good = result.is_ok();
        if let Call::Open(record) = call {
            if is_good {
                self.attached(page, &record.id).is_opened = true;
                self.say_hello(page, &record.id);
            } else if !self.attached(page, &record.id).is_opened {
                let delay_ms = self.random.within(100..=3_000);
                self.schedule(delay_ms, Event::Reopen(page, record.id));
            }
        } else if let Err(TaskError { code: ErrorCode::AuthorizationNotDurable, .. }) = result {
            self.stats.count(Group::Page, "secrets refused");
        }
    }

    fn take_events(&mut self, page: usize, session: &SessionId, events: &[TaskEvent]) {
        let attached = self.attached(page, session);
        let was_idle = attached.waiting.is_empty();
        attached.delivered = events.last().map_or(0, |event| event.seq);
        for event in events {
            if event.seq > attached.taken {
                attached.taken = event.seq;
                attached.waiting.push_back(event.seq);
            }
        }
        if !attached.waiting.is_empty() && was_idle {
            let delay_ms = self.random.delay_ms();
            self.schedule(delay_ms, Event::Handled(page, session.clone()));
        } else if attached.waiting.is_empty() {
            // All of it was handled before, and its acknowledgement may be lost.
            self.schedule(0, Event::Acknowledge(page, session.clone()));
        }
    }

    /// The handler's promise is resolved. The page may be gone before it can say so.
    pub fn event_handled(&mut self, page: usize, session: &SessionId) {
        if !self.pages[page].is_open {
            return;
        }
        let attached = self.attached(page, session);
        let Some(seq) = attached.waiting.pop_front() else { return };
        assert!(seq > attached.handled, "page{page} handles event {seq} after event {}", attached.handled);
        attached.handled = seq;
        let is_last = attached.waiting.is_empty();
        if self.pages[page].evictions == self.evictions {
            self.model.handled(session, seq);
        }
        self.stats.count(Group::Page, "events handled");
        if !self.is_calm && self.random.one_in(15) {
            self.stats.count(Group::Page, "pages closed before an ack");
            return self.close(page);
        }
        if is_last || self.random.one_in(3) {
            let delay_ms = self.random.delay_ms();
            self.schedule(delay_ms, Event::Acknowledge(page, session.clone()));
        }
        if !is_last {
            let delay_ms = self.random.delay_ms();
            self.schedule(delay_ms, Event::Handled(page, session.clone()));
        }
    }

    /// A page acknowledges what it has handled by now.
    pub fn acknowledge(&mut self, page: usize, session: &SessionId) {
        let attached = self.attached(page, session);
        let through = attached.handled.min(attached.delivered);
        if !self.pages[page].is_open {
            return;
        }
        // A page may not know yet that the event it has handled is gone, with all that was stored.
        if self.pages[page].evictions == self.evictions {
            self.model.acked(session, through);
        }
        self.send_message(page, ToWorker::Ack(session.clone(), through));
    }
}

/// The task whose bytes the call waits for.
pub fn demanded(call: &Call) -> Option<&TaskKey> {
    if let Call::Task(key, TaskCall::Chunk { waits: true, .. }) = call { Some(key) } else { None }
}

/// Whether the call is answered only when bytes have come, which may be never.
pub fn waits_for_bytes(call: &Call) -> bool {
    matches!(call, Call::Task(_, TaskCall::Chunk { waits: true, .. } | TaskCall::Serve { .. }))
}
