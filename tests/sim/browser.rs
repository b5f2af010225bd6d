//! The browser's own fetches: pages begin them, they go on whatever happens to workers and pages, and their end wakes a
//! worker, which has what they brought for as long as it lives. What the server answers them is drawn as for any
//! request. Their chances come from a source of their own.

use std::collections::BTreeMap;
use std::ops::Range;

use longhaul::engine::http::Head;
use longhaul::engine::id::{EffectId, TaskKey, WakeId};
use longhaul::engine::input::{Arrived, Call, Completion, Input, Look, TaskCall};
use longhaul::engine::output::{BeginRequest, FetchRequest, RecordRequest};
use longhaul::engine::request::Redirects;

use super::answers::Wanted;
use super::faults::FAULTS;
use super::network::{Body, BodyEnd};
use super::pages::ToPage;
use super::random::Random;
use super::stats::Group;
use super::worker::{Attempt, Wake, Worker};
use super::world::{Event, World, note};

/// What stands for the host of what comes from the browser itself.
pub const BROWSER: &str = "the browser itself";
/// How fast a stored answer is read.
const BYTES_PER_MS: u64 = 1 << 20;

/// One registration.
#[derive(Debug)]
pub struct Registration {
    key: TaskKey,
    request: BeginRequest,
    /// The parts that were not asked for yet.
    left: Vec<Range<u64>>,
    /// By their first byte.
    records: BTreeMap<u64, (Head, Body)>,
    is_over: bool,
    /// The worker that was told of its end: what it brought goes with the event.
    told: Option<u64>,
}

/// All that the browser has to do with it.
#[derive(Debug)]
pub struct Browser {
    pub random: Random,
    /// Whether downloads use it at all in this run.
    pub is_used: bool,
    pub registrations: BTreeMap<String, Registration>,
}

impl Browser {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(!seed);
        let is_used = random.one_in(2);
        Self { random, is_used, registrations: BTreeMap::new() }
    }
}

impl World {
    /// A page is asked to have the browser fetch.
    pub(super) fn ask_to_begin(&mut self, worker: &Worker, page: usize, key: TaskKey, request: BeginRequest) {
        if self.is_newest(worker) {
            let task = self.model.tasks.get(&key).expect("only durable tasks are handed over");
            let out = task.progress.transport.out().expect("what is handed over is reserved first");
            assert_eq!(out.registration, request.registration, "another registration is reserved");
            let is_missing =
                |part: &Range<u64>| task.progress.received.gap_from(part.start, part.end) == Some(part.clone());
            assert!(request.parts.iter().all(is_missing), "the browser is asked for bytes that are durable");
            // It follows every redirect, with all of them.
            let may_go_along = task.record.spec.request.redirects == Redirects::FollowWithHeaders;
            assert!(request.headers.is_empty() || may_go_along, "the browser is told {:?}", request.headers);
        }
        self.stats.count(Group::Engine, "handed over");
        self.post(page, ToPage::Begin(key, request));
    }

    /// A page does as it was asked, or the browser refuses, or the page has other things to do.
    pub(super) fn page_begins(&mut self, page: usize, key: TaskKey, request: BeginRequest) {
        let registration = request.registration.clone();
        let refusal = match self.browser.random.below(8) {
            0 if !self.is_calm => return,
            1 | 2 => Some("NotAllowedError".into()),
            _ => None,
        };
        if refusal.is_none() {
            let left = request.parts.clone();
            let new =
                Registration { key: key.clone(), request, left, records: BTreeMap::new(), is_over: false, told: None };
            let old = self.browser.registrations.insert(registration.clone(), new);
            assert!(old.is_none(), "a registration is begun twice");
            self.schedule_part(&registration);
        } else {
            self.stats.count(Group::Engine, "refused by the browser");
        }
        // The page may be gone before it can say so.
        if self.is_calm || !self.browser.random.one_in(6) {
            self.call(page, Call::Task(key, TaskCall::ExternalBegun { registration, refusal }));
        }
    }

    fn schedule_part(&mut self, registration: &str) {
        let delay_ms = self.browser.random.pick(&[5, 300, 3_000, 20_000]);
        self.schedule(delay_ms, Event::Part(registration.into()));
    }

    /// The browser has the answer to its next request, or ends.
    pub(super) fn part_comes(&mut self, name: &str) {
        let Some(registration) = self.browser.registrations.get_mut(name).filter(|one| !one.is_over) else { return };
        let by_user = !self.is_calm && self.browser.random.one_in(12);
        let part = registration.left.pop().filter(|_| !by_user);
        let Some(part) = part else {
            registration.is_over = true;
            let key = registration.key.clone();
            if by_user {
                self.model.stopped.insert(key);
            }
            self.stats.count(Group::Engine, if by_user { "stopped by the user" } else { "ended by the browser" });
            return self.tell_of_end(name, by_user);
        };
        let request = FetchRequest {
            url: registration.request.url.clone(),
            range: Some((part.start, Some(part.end))),
            headers: registration.request.headers.clone(),
            ..FetchRequest::default()
        };
        if let Some(record) = self.answer_in_background(&request) {
            let registration = self.browser.registrations.get_mut(name).expect("seen above");
            registration.records.insert(part.start, record);
        }
        self.schedule_part(name);
    }

    fn answer_in_background(&mut self, request: &FetchRequest) -> Option<(Head, Body)> {
        let is_faulty = !self.is_calm && self.browser.random.per_mille(self.climate.origin_faults);
        let fault =
            is_faulty.then(|| self.browser.random.pick(FAULTS)).filter(|fault| self.climate.allows(fault.name()));
        let resource = self.origin.find(&request.url);
        let answer = resource.answer(
            &mut self.browser.random,
            self.now,
            Wanted { request, is_proven: false, is_typed: false, is_counted: false },
            fault,
        );
        note!(self, "browser: {:?} {:?} {:?}", answer.fault, answer.head, answer.body);
        let head = answer.head.filter(|_| self.is_online && answer.after_ms.is_some())?;
        // It stores whole answers. One that is cut is asked for again, or given up; or stored as it is, for all we know.
        let is_stored =
            answer.body.end == BodyEnd::Eof || (answer.body.end != BodyEnd::Stall && self.browser.random.one_in(3));
        is_stored.then_some((head, answer.body))
    }

    fn tell_of_end(&mut self, name: &str, by_user: bool) {
        self.start_worker();
        let wake = self.name();
        let worker = self.workers.last_mut().expect("booted above");
        worker.open_wake(wake, Wake { ends_at: None, is_repeated: false });
        let number = worker.number;
        if let Some(registration) = self.browser.registrations.get_mut(name) {
            registration.told = Some(number);
        }
        let told = Input::External { registration: name.into(), by_user };
        self.give(
            number,
            vec![told, Input::Wake { wake: WakeId(wake), ends_at: None, is_repeated: false, kick: false }],
        );
    }

    /// Nothing more is wanted of a registration. One that goes on is aborted, and a worker hears of that.
    pub(super) fn let_go_of_registration(&mut self, worker: &Worker, name: &str) {
        let Some(registration) = self.browser.registrations.remove(name) else { return };
        self.stats.count(Group::Engine, "registrations let go");
        if self.is_newest(worker) {
            let task = self.model.tasks.get(&registration.key);
            let out = task.and_then(|task| task.progress.transport.out());
            // The browser's event does not wait for storage that cannot say whose registration that is.
            let is_right = out.is_none_or(|out| out.registration != name) || self.storage.has_failed;
            assert!(is_right, "what is reserved was let go");
        }
        if !registration.is_over {
            self.stats.count(Group::Engine, "registrations aborted");
            self.schedule(5, Event::Aborted(name.into()));
        }
    }

    /// The end of what we have aborted ourselves.
    pub(super) fn registration_aborted(&mut self, name: &str) {
        self.tell_of_end(name, true);
    }

    /// With the worker goes the event, and with that what was brought.
    pub(super) fn bury_registrations(&mut self, worker: u64) {
        let before = self.browser.registrations.len();
        self.browser.registrations.retain(|_, registration| registration.told != Some(worker));
        if self.browser.registrations.len() < before {
            self.stats.count(Group::Engine, "records lost with the worker");
        }
    }

    pub(super) fn look(&mut self, worker: &Worker, effect: EffectId, registration: String) {
        // At times later than its deadline.
        let delay_ms = if !self.is_calm && self.browser.random.one_in(12) { 20_000 } else { 5 };
        self.schedule(delay_ms, Event::Looked { worker: worker.number, effect, registration });
    }

    pub(super) fn look_is_done(&mut self, worker: u64, effect: EffectId, name: &str) {
        let found = self.browser.registrations.get(name).filter(|one| !one.is_over || one.told == Some(worker));
        let look = found.map_or(Look::Gone, |registration| Look::Found {
            is_over: registration.is_over,
            ready: registration.records.keys().copied().collect(),
        });
        self.give(worker, vec![Input::Completed(effect, Completion::Looked(look))]);
    }

    pub(super) fn take_record(&mut self, worker: &mut Worker, id: EffectId, key: TaskKey, wanted: &RecordRequest) {
        let RecordRequest { registration: name, start, .. } = wanted;
        self.stats.count(Group::Engine, "records taken");
        self.check_blamed(worker, &key);
        let others = worker.live_attempts().filter(|attempt| attempt.key == key).count();
        assert_eq!(others, 0, "{key:?} is fetched although the browser has it");
        let record = self.browser.registrations.get(name).and_then(|registration| registration.records.get(start));
        let (head, body) = match record.cloned() {
            Some((head, body)) => {
                let body = Body { begins_at: self.now, bytes_per_ms: BYTES_PER_MS, tail_ms: 0, consumed: 0, ..body };
                (Ok(Arrived { head, free_bytes: None }), body)
            }
            None => {
                let failure = super::fetching::unreachable(true);
                (Err(failure), Body::nothing(*start))
            }
        };
        let claimed = body.start..body.start;
        let (url, host, range) = (String::new(), BROWSER.into(), Some((*start, None)));
        let (head, heard_at) = (Some(head), self.now);
        worker.attempts.insert(
            id,
            Attempt { key, url, host, range, head, body, wish: None, claimed, heard_at, is_aborted: false },
        );
        self.schedule(1, Event::Head { worker: worker.number, attempt: id });
    }
}
