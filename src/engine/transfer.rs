//! Transfers, their beginning: which tasks get a connection, for which bytes, and what is asked of the server.

use std::ops::Range;

use super::attempt::{Attempt, Request};
use super::error::{ErrorCode, TaskError};
use super::http::{AskedRange, Representation, RestartReason, if_range};
use super::id::TaskKey;
use super::output::{Effect, FetchRequest, Output};
use super::plan::{Grid, plan};
use super::ranges::Ranges;
use super::request::{Header, Redirects, origin_of};
use super::schedule::{Candidate, Load, choose};
use super::slot::Slot;
use super::sorted_map::SortedMap;
use super::task::{Progress, Task, TaskRecord, TaskSpec};
use super::time::Timestamp;
use super::{Engine, Purpose};

impl Engine {
    /// Gives connections to the tasks whose turn it is.
    pub(super) fn start_what_may_run(&mut self) {
        if self.wakes.are_ending(self.now) {
            return self.end_with_the_wake();
        }
        // What has just ended may have been what others wait for.
        self.free_hosts();
        // Most inputs come while every connection is in use: then there is nobody to choose.
        let connections: usize = self.slots.values().map(|slot| slot.attempts.len()).sum();
        if connections >= self.max_connections as usize {
            return;
        }
        let is_watched = self.surroundings.is_watched();
        let mut candidates = Vec::new();
        let mut sources = Vec::new();
        for slot in self.slots.values() {
            let Some(task) = &slot.task else { continue };
            let wanted = match self.outer_reason(task) {
                Some(_) => 0,
                None if self.is_to_go_out(slot) || (slot.is_running() && self.is_leaving(task)) => 0,
                None if slot.is_running() => slot.more_segments(self.now, |length| self.grid(task, length)),
                None => u32::from(self.may_start(slot)),
            };
            for nth in 0..wanted as usize {
                let source = slot.source_for(nth);
                let Some(candidate) = self.candidate(&task.record, source) else { continue };
                if slot.is_running() && self.closed_until(candidate.host).is_some() {
                    continue;
                }
                candidates.push(Candidate { is_running: slot.is_running(), ..candidate });
                sources.push(source);
            }
        }
        let mut chosen: SortedMap<TaskKey, Vec<usize>> = SortedMap::default();
        for at in choose(self.network_load(), &candidates, is_watched) {
            chosen.get_or_insert_with(candidates[at].key.clone(), Vec::new).push(sources[at]);
        }
        for (key, sources) in chosen.iter() {
            if self.slots.get(key).is_some_and(Slot::is_running) {
                self.start_segments(key, sources);
            } else {
                self.start_task(key, sources[0]);
            }
        }
        // The others wait for the one that asks first.
        self.put_off();
    }

    /// A task that would like its first connection, to one of its sources.
    pub(super) fn candidate<'a>(&'a self, record: &'a TaskRecord, source: usize) -> Option<Candidate<'a>> {
        let session = self.sessions.get(&record.key.session)?;
        Some(Candidate {
            key: &record.key,
            host: record.spec.host(source),
            limits: &session.record.configuration.limits,
            priority: record.spec.policy.priority,
            created_at: record.created_at,
            is_running: false,
        })
    }

    /// What runs, and how many connections hosts may have. Where sessions differ, the most careful one of those decides
    /// that have something to do there: else its tasks would wait for as long as others fill the host.
    pub(super) fn network_load(&self) -> Load<'_> {
        let is_watched = self.surroundings.is_watched();
        let mut load = self.running_load();
        for slot in self.slots.values() {
            let Some(task) = &slot.task else { continue };
            let Some(candidate) = self.candidate(&task.record, slot.source_for(0)) else { continue };
            let is_next = || self.may_start(slot) && self.outer_reason(task).is_none();
            let is_busy = load.is_session_busy(&task.record.key.session, candidate.limits);
            if slot.is_running() || (!is_busy && is_next()) {
                load.hold(candidate.host, candidate.limits.max_per_host(is_watched));
            }
        }
        load
    }

    /// The connections and tasks that run.
    pub(super) fn running_load(&self) -> Load<'_> {
        let mut load = Load::of(self.max_connections);
        for (key, slot) in self.slots.iter().filter(|(_, slot)| slot.is_running()) {
            load.add_task(&key.session);
            let spec = slot.task.as_ref().map(|task| &task.record.spec);
            for attempt in &slot.attempts {
                load.add_connection(spec.map_or("", |spec| spec.host(attempt.source)));
            }
        }
        load
    }

    /// Whether nothing about the task itself keeps it from being started.
    pub(super) fn may_start(&self, slot: &Slot) -> bool {
        let is_active = slot.task.as_ref().is_some_and(|task| task.record.state.is_active());
        is_active && !slot.busy && slot.queue.is_empty() && slot.due().is_some_and(|due| due <= self.now)
    }

    fn start_task(&mut self, key: &TaskKey, source: usize) {
        let _turn = self.at_work.turn(key);
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.bearable_segments = slot.bearable_segments.max(1);
        let is_resumable = slot.known().is_some_and(Representation::is_resumable);
        let goes_on = std::mem::take(&mut slot.has_part);
        let Some(mut task) = slot.task.clone() else { return };
        let asks_elsewhere = slot.known().is_some() && slot.target_of(&task, source).is_some();
        if task.record.fails_when_full && slot.refusals > 0 && self.room.is_missing() {
            return self.fail(key, task, Vec::new(), TaskError::new(ErrorCode::QuotaExceeded));
        }
        let end = task.assumed_end();
        if task.progress.has_every_byte() && end.is_none() {
            // What was left to do when the worker died: to check the bytes, or only to say that they are there.
            return self.finish(key, task, Vec::new());
        }
        // Parts that nothing ties together belong together if one came after the other, or if a digest will say so.
        let in_parts = task.progress.ranges == Ranges::Parts;
        let may_go_on = is_resumable || (in_parts && (goes_on || task.record.spec.proof.is_of_the_app()));
        if !task.progress.received.is_empty() && !may_go_on && end.is_none() {
            return self.restart(key, task, RestartReason::NotResumable, None);
        }
        if task.record.spec.request.has_secrets && self.secrets_of(&task.record).is_empty() {
            return self.wait_for_authorization(key, task, None);
        }
        let length = task.progress.complete_length();
        let gap = length.and_then(|length| task.progress.received.gap_from(0, length));
        let segment = end.unwrap_or_else(|| match gap.zip(length) {
            // An answer of which nothing is kept yet may have to tell how long the file is by now.
            Some((gap, _)) if task.progress.received.is_empty() => (gap.start, Some(gap.end)),
            Some((gap, length)) => (gap.start, Some(self.grid(&task, length).bound(gap).end)),
            None => (0, None),
        });
        let settles_range = if asks_elsewhere { Some(false) } else { self.may_ask(key, task.record.spec.host(source)) };
        let Some(settles_range) = settles_range else { return };
        if settles_range && source == 0 {
            self.doubt_range_first(key, &mut task);
        }
        self.start_attempt(key, &task, source, segment);
        self.publish_task(key);
    }

    /// More segments of a task that is running.
    fn start_segments(&mut self, key: &TaskKey, sources: &[usize]) {
        let _turn = self.at_work.turn(key);
        let now = self.now;
        let Some(task) = self.slots.get(key).and_then(|slot| slot.task.clone()) else { return };
        let length = self.slots.get(key).and_then(Slot::known).and_then(|known| known.complete_length);
        let Some(length) = length else { return };
        let grid = self.grid(&task, length);
        let Some(slot) = self.slots.get_mut(key) else { return };
        let mut taken = task.progress.received.clone();
        slot.staged.iter().for_each(|range| taken.insert(range.clone()));
        let mut running: Vec<_> = slot.attempts.iter().map(|attempt| attempt.running(length, now)).collect();
        let new = plan(length, &taken, &mut running, sources.len() as u32, slot.link, grid);
        for (attempt, planned) in slot.attempts.iter_mut().zip(&running) {
            if planned.end < attempt.running(length, now).end {
                attempt.shorten(planned.end);
            }
        }
        for (segment, source) in new.into_iter().zip(sources) {
            self.start_attempt(key, &task, *source, (segment.start, Some(segment.end)));
        }
    }

    /// A segment that somebody waits for. It comes before the others: whatever has to end, it is not that.
    pub(super) fn start_first(&mut self, key: &TaskKey, task: &Task, segment: Range<u64>) {
        let _turn = self.at_work.turn(key);
        let now = self.now;
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.bearable_segments = slot.bearable_segments.max(1);
        for attempt in &mut slot.attempts {
            let running = attempt.running(task.progress.complete_length().unwrap_or(u64::MAX), now);
            if running.start < segment.start && segment.start < running.end {
                attempt.shorten(segment.start);
            }
        }
        let source = slot.source_for(0);
        let length = slot.known().and_then(|known| known.complete_length);
        let segment = length.map_or(segment.clone(), |length| self.grid(task, length).bound(segment));
        self.start_attempt(key, task, source, (segment.start, Some(segment.end)));
        if let Some(slot) = self.slots.get_mut(key) {
            slot.attempts.rotate_right(1);
            slot.attempts.iter_mut().take(1).for_each(|attempt| attempt.is_extra = true);
        }
        self.publish_task(key);
    }

    pub(super) fn start_attempt(&mut self, key: &TaskKey, task: &Task, source: usize, segment: (u64, Option<u64>)) {
        let Some(slot) = self.slots.get(key) else { return };
        let known = slot.known();
        let told_elsewhere =
            source > 0 || slot.current.as_ref().map_or(task.progress.told_elsewhere, |current| current.told_elsewhere);
        let target = slot.target_of(task, source).filter(|_| known.is_some()).map(ToOwned::to_owned);
        let origin = target.as_deref().map(origin_of).or_else(|| Some(&task.record.spec.sources.get(source)?.origin));
        let is_own = origin == Some(&*self.origin);
        let asked = (source, segment, is_own, told_elsewhere);
        let mut request = fetch_request(&task.record.spec, &task.progress, known, self.secrets_of(&task.record), asked);
        let is_at_target = target.is_some();
        request.url = target.unwrap_or(request.url);
        let range = request.range.map(|(start, end)| AskedRange { start, end });
        let conditional = request.if_none_match.is_some() || request.if_modified_since.is_some();
        let asked = Request { range, if_range: request.if_range.is_some(), conditional };
        let deadline = self.now.after(task.record.spec.policy.stall_timeout_ms);
        let id = self.effects.start(Purpose::Fetch(key.clone()), deadline);
        let Some(slot) = self.slots.get_mut(key) else { return };
        let mut attempt = Attempt::new(id, source, asked, segment, self.now);
        attempt.is_at_target = is_at_target;
        slot.attempts.push(attempt);
        self.outputs.push_back(Output::Start(id, Effect::Fetch { key: key.clone(), request }));
    }
}

/// The request for a segment. The first asks for `bytes=0-`: its answer tells at once whether ranges are honoured, how
/// long the file is and which version.
fn fetch_request(
    spec: &TaskSpec,
    progress: &Progress,
    known: Option<&Representation>,
    secrets: &[Header],
    (source, (start, end), is_own, told_elsewhere): (usize, (u64, Option<u64>), bool, bool),
) -> FetchRequest {
    let (Some(first), Some(from)) = (spec.sources.first(), spec.sources.get(source)) else {
        return FetchRequest::default();
    };
    // The last slice is open-ended: a server that says nothing of a range's end is asked what it can answer. So is any
    // that is held against what another has told, across origins: CORS may show no more than the length of the body, and
    // only one that runs to the end of the file tells how long that file is.
    let is_last = end.is_some() && known.and_then(|known| known.complete_length) == end;
    let must_tell_length = told_elsewhere && !is_own && !spec.proof.is_of_the_app();
    let end = end.filter(|_| !is_last && !must_tell_length);
    // What is in question is settled with the task's own server.
    let is_of_no_use = matches!(progress.ranges, Ranges::Useless | Ranges::Unproven);
    let goes_without = is_of_no_use || (source == 0 && progress.ranges.go_without());
    let range = (!goes_without).then_some((start, end));
    // A redirect to another origin makes the field need a preflight, which looks like a broken network: after one
    // failure the next goes without.
    // Across origins it would need one anyway, whatever origin the bytes at hand came from.
    let may_condition = source == 0 && is_own && progress.failures.is_multiple_of(2);
    let previous = progress.previous.as_ref().map(|previous| &previous.representation);
    let previous = previous.filter(|previous| known.is_none() && may_condition && previous.same_origin);
    let request = &spec.request;
    // Headers belong to the origin that they were given for.
    let is_home = from.origin == first.origin;
    let headers: Vec<Header> = request.headers.iter().chain(secrets).filter(|_| is_home).cloned().collect();
    FetchRequest {
        url: from.url.clone(),
        range,
        if_range: known.filter(|_| may_condition && range.is_some()).and_then(if_range).map(Into::into),
        if_none_match: previous.and_then(|previous| previous.etag.clone()),
        if_modified_since: previous.and_then(|previous| previous.last_modified.clone()),
        on_redirect: request.on_redirect(&headers, is_own),
        headers,
        credentials: request.credentials,
        referrer_policy: request.referrer_policy.clone(),
        keep_headers: request.keep_headers.clone(),
    }
}

impl Slot {
    /// How many more segments it could use.
    fn more_segments(&self, now: Timestamp, grid: impl Fn(u64) -> Grid) -> u32 {
        let Some(task) = self.task.as_ref().filter(|task| task.record.state.is_active()) else { return 0 };
        let running = self.attempts.len() as u32;
        let most = task.record.spec.policy.max_segments.min(self.bearable_segments);
        let known = self.known().filter(|known| known.is_resumable());
        let has_begun = self.attempts.iter().any(|attempt| attempt.reading.is_some());
        let is_split = known.and_then(|known| known.complete_length).is_some_and(|length| {
            // Cheaper than a plan, and true for all that are worth one.
            length > task.progress.received.len() + grid(length).smallest_segment(self.link)
        });
        let may_split = has_begun && is_split && !task.progress.ranges.go_without() && self.queue.is_empty();
        // The nodes of a site that differ once differ again.
        let may_split = may_split && self.more_after <= now && task.progress.restarts_in_row == 0;
        if may_split { most.saturating_sub(running) } else { 0 }
    }

    /// Where the source has redirected to, if further requests go there. Headers belong to the origin that they were given for.
    fn target_of(&self, task: &Task, source: usize) -> Option<&str> {
        let target = self.target.as_deref().filter(|_| source == 0)?;
        let request = &task.record.spec.request;
        let is_home = origin_of(target) == task.record.spec.origin();
        let has_headers = request.has_secrets || !request.headers.is_empty();
        Some(target).filter(|_| request.redirects != Redirects::Refuse && (is_home || !has_headers))
    }

    /// The source to ask next, when `nth` others are being asked in the same round: one that works, and among those the
    /// one that is least in use.
    pub(super) fn source_for(&self, nth: usize) -> usize {
        let Some(task) = &self.task else { return 0 };
        let count = task.record.spec.sources.len();
        let is_good = |set: u32, source: usize| set & (1 << source) == 0;
        let usable = |source: &usize| !is_good(task.usable_sources(), *source);
        let in_use = |source: usize| self.attempts.iter().filter(|attempt| attempt.source == source).count();
        let works = |source: &usize| usable(source) && is_good(self.failed_sources, *source);
        let of_those_that_work = (0..count).filter(works).count();
        let all = || (0..count).filter(|source| if of_those_that_work > 0 { works(source) } else { usable(source) });
        let nth = nth % all().count().max(1);
        // In the order of their use, the `nth` from the first.
        let rank = |source: usize| all().filter(|other| (in_use(*other), *other) < (in_use(source), source)).count();
        all().find(|source| rank(*source) == nth).unwrap_or(0)
    }
}

impl Task {
    /// The sources that may be asked, as a set of bits: its own server, if all have proved to serve something else.
    pub(super) fn usable_sources(&self) -> u32 {
        let good = ((1_u32 << self.record.spec.sources.len()) - 1) & !self.progress.bad_sources;
        if good == 0 { 1 } else { good }
    }
}
