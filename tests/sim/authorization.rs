//! Whoever supplies what a server wants: a page, or the worker's own code. In time, late, never, and not always right.

use longhaul::engine::id::{CallId, ClientId, TaskKey};
use longhaul::engine::input::{Call, Input, TaskCall};
use longhaul::engine::request::{Header, Source};

use super::origin::{Guard, Kind, Reach, Resource};
use super::pages::ToPage;
use super::stats::Group;
use super::worker::WaitingCall;
use super::world::{Event, World};

/// The "page" of calls that the worker's own code makes.
pub const HOOK: usize = usize::MAX;

impl World {
    pub(super) fn ask_authorization(&mut self, client: Option<&ClientId>, key: TaskKey) {
        self.stats.count(Group::Engine, "authorisation asked");
        match client {
            Some(client) => {
                let page = self.page_of(client);
                self.post(page, ToPage::Ask(key));
            }
            None if !self.is_calm && self.random.one_in(4) => {
                self.stats.count(Group::Engine, "authorisation not given")
            }
            None => {
                let delay_ms = self.random.delay_ms();
                self.schedule(delay_ms, Event::HookAnswers(key));
            }
        }
    }

    /// A page is asked.
    pub(super) fn take_ask(&mut self, page: usize, key: TaskKey) {
        if !self.is_calm && self.random.one_in(4) {
            return self.stats.count(Group::Engine, "authorisation not given");
        }
        let longest = if self.is_calm { 10 } else { self.random.pick(&[10, 2_000, 120_000]) };
        let delay_ms = self.random.within(0..=longest);
        self.schedule(delay_ms, Event::PageAnswers(page, key));
    }

    pub(super) fn page_answers(&mut self, page: usize, key: TaskKey) {
        if let Some(call) = self.authorize_call(key).filter(|_| self.pages[page].is_open) {
            self.call(page, call);
        }
    }

    pub(super) fn hook_answers(&mut self, key: TaskKey) {
        let Some(call) = self.authorize_call(key) else { return };
        let name = self.name();
        let Some(worker) = self.workers.last_mut() else { return };
        let (number, id) = (worker.number, CallId(name));
        worker.calls.insert(id, WaitingCall { page: HOOK, number: name, call: call.clone() });
        self.stats.count(Group::Engine, "authorised by the hook");
        self.give(number, vec![Input::Call(id, call)]);
    }

    fn authorize_call(&mut self, key: TaskKey) -> Option<Call> {
        let url = self.model.tasks.get(&key)?.record.spec.sources.first()?.url.clone();
        let is_wrong = !self.is_calm && self.random.one_in(6);
        let moves = !self.is_calm && self.random.one_in(5);
        let persist = self.random.one_in(3);
        let elsewhere = self
            .origin
            .family(&url)
            .find(|other| other.kind == Kind::Same && other.reach == Reach::Open && !url.starts_with(&other.url));
        let elsewhere = elsewhere.map(|other| other.source(other.pass)).filter(|_| moves);
        let resource = self.origin.find(&url);
        let pass = if is_wrong { resource.pass - 1 } else { resource.pass };
        let (guard, origin, source) = (resource.guard, resource.origin(), resource.source(pass));
        self.stats.count(Group::Engine, if elsewhere.is_some() { "authorised with another URL" } else { "authorised" });
        let (headers, source) = match (elsewhere, guard) {
            (Some(elsewhere), _) => (None, Some(elsewhere)),
            (None, Guard::Token) => (Some(vec![pass_header(resource, pass, persist)]), None),
            (None, Guard::Signature) => (None, Some(source)),
            (None, Guard::None) => (None, None::<Source>),
        };
        Some(Call::Task(key, TaskCall::Authorize { origin, headers, persist, source }))
    }

    /// Tokens and signatures expire.
    pub(super) fn expire_passes(&mut self) {
        if self.is_calm {
            return;
        }
        let guarded = self.origin.resources.iter_mut().filter(|resource| resource.guard != Guard::None);
        let mut expired = 0;
        for resource in guarded {
            if self.random.one_in(2) {
                resource.pass += 1;
                expired += 1;
            }
        }
        (0..expired).for_each(|_| self.stats.count(Group::Origin, "passes expired"));
        self.schedule_again(self.climate.expiry_every_ms, Event::Expire);
    }
}

/// The header that a guarded resource wants. Its value says whether it may be stored, and for whom it is.
pub fn pass_header(resource: &Resource, pass: u64, may_be_stored: bool) -> Header {
    let kind = if may_be_stored { "storable" } else { "secret" };
    (resource.key_name().into(), format!("{kind} {} {pass}", resource.origin()))
}
