//! Requests and bodies, as the driver and the browser deal with them.

use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::http::Head;
use longhaul::engine::id::{EffectId, TaskKey};
use longhaul::engine::input::{Arrived, Completion, FetchFailure, Input, ReadEnd};
use longhaul::engine::output::FetchRequest;
use longhaul::engine::request::OnRedirect;
use longhaul::integrity::HashState;

use super::answers::Wanted;
use super::content::update;
use super::faults::{FAULTS, Fault};
use super::network::BodyEnd;
use super::origin::Reach;
use super::stats::Group;
use super::worker::{Attempt, Buffer, Wish, Worker};
use super::world::{Event, World, note};

/// Answers of a host in maintenance, of a node with tags of its own, and of a server that sends one byte.
pub const BUSY: &str = "answers during maintenance";
pub const OTHER_NODE: &str = "answers of another node";
pub const CRUMB: &str = "answers of one byte";

/// What a fetch that brings no head says.
pub fn unreachable(online: bool) -> FetchFailure {
    FetchFailure { error: TaskError::new(ErrorCode::Network), online }
}

impl World {
    pub(super) fn fetch(&mut self, worker: &mut Worker, id: EffectId, key: TaskKey, request: &FetchRequest) {
        self.check_fetch(worker, &key, request);
        self.check_asked(worker, &key, &request.url);
        self.check_blamed(worker, &key);
        self.check_room(worker, &key);
        let is_newest = self.is_newest(worker);
        let (attempt, after_ms) = self.send(key, request, is_newest);
        worker.note_request(id, &attempt, self.model.tasks.get(&attempt.key), self.now);
        worker.attempts.insert(id, attempt);
        if let Some(after_ms) = after_ms {
            self.schedule(after_ms, Event::Head { worker: worker.number, attempt: id });
        }
    }

    /// Sends a request. Returns the attempt, and when its head comes; `None` for never.
    fn send(&mut self, key: TaskKey, request: &FetchRequest, is_newest: bool) -> (Attempt, Option<u64>) {
        let is_faulty = !self.is_calm && self.random.per_mille(self.climate.origin_faults);
        let fault = is_faulty.then(|| self.random.pick(FAULTS));
        let fault = fault.filter(|fault| self.climate.allows(fault.name()));
        let record = self.model.tasks.get(&key).map(|task| &task.record);
        let (proof, known) = (record.map(|record| &record.spec.proof), record.map(|record| &record.expects));
        let is_proven = proof.is_some_and(|proof| proof.expected.is_some() || proof.pieces.is_some());
        let resource = self.origin.find(&request.url);
        let (is_typed, is_counted) =
            known.map_or((false, false), |known| (!known.accept.is_empty(), known.length.is_some()));
        let wanted = Wanted { request, is_proven, is_typed, is_counted };
        let mut answer = resource.answer(&mut self.random, self.now, wanted, fault);
        if !self.is_online {
            resource.met.offline = true;
            (answer.head, answer.after_ms) = (None, Some(0));
        }
        let is_busy = self.now < resource.busy_until;
        let (is_other_node, is_crumb) = (resource.node > 0, resource.longest_range == Some(1));
        let host = resource.host.clone();
        if let Some(fault) = answer.fault.filter(|_| self.is_online) {
            self.stats.count(Group::Origin, fault.name());
        }
        self.stats.count(Group::Origin, "attempts");
        for (is_so, name) in [(is_busy, BUSY), (is_other_node, OTHER_NODE), (is_crumb, CRUMB)] {
            if is_so {
                self.stats.count(Group::Origin, name);
            }
        }
        note!(self, "origin: {:?} {:?} {:?}", answer.fault, answer.head, answer.body);
        let is_refused = answer.head.as_ref().is_some_and(|head| self.is_redirect_refused(head, request));
        if answer.head.as_ref().is_some_and(|head| head.final_url.is_some()) && !is_refused && is_newest {
            self.check_redirect(&key, request);
        }
        answer.head = answer.head.filter(|_| !is_refused);
        let code = match answer.fault {
            _ if is_refused => ErrorCode::RedirectRefused,
            Some(Fault::Forbidden) if self.is_online => ErrorCode::CspBlocked,
            _ => ErrorCode::Network,
        };
        let head = match answer.head {
            Some(head) => Ok(Arrived { head, free_bytes: answer.free_bytes.or(self.storage.estimate()) }),
            None => Err(FetchFailure { error: TaskError::new(code), online: self.says_online() }),
        };
        let (url, range) = (request.url.clone(), request.range);
        let claimed = answer.body.start..answer.body.start;
        let body = answer.body;
        (
            Attempt {
                key,
                url,
                host,
                range,
                head: Some(head),
                body,
                wish: None,
                claimed,
                heard_at: self.now,
                is_aborted: false,
            },
            answer.after_ms,
        )
    }

    /// Whether the browser does not follow the redirect that leads to this head.
    fn is_redirect_refused(&self, head: &Head, request: &FetchRequest) -> bool {
        let stays = head.final_url.as_ref().is_some_and(|url| url.starts_with("https://app.example/"));
        match request.on_redirect {
            OnRedirect::Follow => false,
            OnRedirect::StayHome => head.final_url.is_some() && !stays,
            OnRedirect::Refuse => head.final_url.is_some(),
        }
    }

    pub(super) fn read(
        &mut self,
        worker: &mut Worker,
        id: EffectId,
        (attempt, offset, up_to_bytes): (EffectId, u64, u64),
        or_after_ms: Option<u64>,
        hash: Option<HashState>,
    ) {
        worker.note_read(attempt);
        let reading = worker.attempts.get_mut(&attempt).expect("checked before");
        let as_whole = or_after_ms.is_none();
        reading.wish = Some(Wish { read: id, up_to_bytes, as_whole, hash });
        reading.claimed = offset..offset + up_to_bytes;
        let body = &reading.body;
        let done_at = match or_after_ms {
            Some(or_after_ms) => body.read_done_at(self.now, up_to_bytes, or_after_ms),
            None => body.ends_at().map(|at| at.max(self.now)),
        };
        if as_whole {
            self.stats.count(Group::Engine, "bodies read as a whole");
        }
        if let Some(at) = done_at {
            self.schedule_at(at, Event::Read { worker: worker.number, attempt, read: id });
        }
    }

    /// The read in flight brings what has come, or what comes first.
    pub(super) fn hasten(&mut self, worker: &Worker, id: EffectId) {
        let Some(attempt) = worker.attempts.get(&id) else { return };
        let Some(wish) = attempt.wish.as_ref().filter(|wish| !wish.as_whole) else { return };
        if let Some(at) = attempt.body.read_done_at(self.now, wish.up_to_bytes, 0) {
            self.schedule_at(at, Event::Read { worker: worker.number, attempt: id, read: wish.read });
        }
    }

    pub(super) fn abort(&mut self, worker: &mut Worker, id: EffectId) {
        worker.filings.remove(&id);
        let Some(attempt) = worker.attempts.get_mut(&id) else { return };
        let (has_head, is_read) = (attempt.head.is_none(), worker.read.contains(&attempt.key));
        worker.note_abort(id, has_head, is_read, self.now);
        let Some(attempt) = worker.attempts.get_mut(&id) else { return };
        let is_expected = attempt.head.is_some() || attempt.wish.is_some();
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
        attempt.heard_at = self.now;
        if head.is_err() || attempt.is_aborted {
            worker.attempts.remove(&id);
        }
        worker.note_answer(id, &head, self.now);
        self.give(number, vec![Input::Completed(id, Completion::Head(head))]);
    }

    pub(super) fn read_is_done(&mut self, number: u64, id: EffectId, read: EffectId) {
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.number == number) else { return };
        let Some(attempt) = worker.attempts.get_mut(&id) else { return };
        let Some(wish) = attempt.wish.take_if(|wish| wish.read == read) else { return };
        let (chunk, len, end) =
            match attempt.body.read(self.now, if wish.as_whole { u64::MAX / 2 } else { wish.up_to_bytes }) {
                // Of a whole that is cut nothing is left.
                (_, _, end @ Some(BodyEnd::Cut { .. })) if wish.as_whole => {
                    self.stats.count(Group::Engine, "wholes cut");
                    (Vec::new(), 0, end)
                }
                read => read,
            };
        attempt.claimed.end = attempt.claimed.start + len;
        if len > 0 {
            self.steps_at_once = (self.now, 0);
        }
        attempt.heard_at = self.now;
        let end = match end {
            None | Some(BodyEnd::Stall) => ReadEnd::More,
            Some(BodyEnd::Eof) => ReadEnd::Eof,
            Some(BodyEnd::Cut { online }) => ReadEnd::Cut { online },
        };
        let hash = wish.hash.map(|mut state| {
            chunk.iter().for_each(|piece| update(&mut state, piece));
            state
        });
        let key = attempt.key.clone();
        if len > 0 {
            worker.buffers.insert(read, Buffer { attempt: id, chunk });
        }
        if attempt.is_aborted {
            self.stats.count(Group::Engine, "reads that came late");
            worker.attempts.remove(&id);
        } else {
            self.check_pace(number, &key, len, wish.up_to_bytes);
        }
        self.give(number, vec![Input::Completed(read, Completion::Read { len, end, hash })]);
    }

    pub(super) fn probe(&mut self, worker: &mut Worker, id: EffectId, url: &str) {
        let resource = self.origin.find(url);
        worker.note_probe(id, &resource.host, self.now);
        let reach = resource.reach;
        let is_lucky = self.is_calm || !self.random.one_in(10);
        let is_reached = self.is_online && reach != Reach::Dead && is_lucky;
        let name = match (is_reached, reach) {
            (true, Reach::Blocked) => "probe says CORS",
            (true, _) => "probe finds a server that can be read",
            (false, _) => "probe finds nobody",
        };
        self.stats.count(Group::Engine, name);
        worker.probes.insert(id);
        // Later than its deadline, at times.
        let delay_ms = if !self.is_calm && self.random.one_in(10) { 20_000 } else { self.random.delay_ms() };
        self.schedule(delay_ms, Event::Probed { worker: worker.number, probe: id, is_reached });
    }

    pub(super) fn probe_is_done(&mut self, number: u64, probe: EffectId, is_reached: bool) {
        if let Some(worker) = self.workers.iter_mut().find(|worker| worker.number == number) {
            worker.probes.remove(&probe);
            worker.note_probed(probe, self.now);
        }
        self.give(number, vec![Input::Completed(probe, Completion::Probed(is_reached))]);
    }
}
