//! What must hold of requests and reads, at the moment the engine asks for them.

use std::collections::BTreeSet;

use longhaul::engine::http::Representation;
use longhaul::engine::id::{EffectId, TaskKey};
use longhaul::engine::output::FetchRequest;
use longhaul::engine::ranges::Ranges;
use longhaul::engine::request::{Redirects, origin_of};
use longhaul::engine::schedule::MAX_CONNECTIONS;
use longhaul::engine::task::{Task, WaitReason};
use longhaul::integrity::HashState;
use longhaul::store::{Value, Write};

use super::browser::BROWSER;
use super::content::Chunk;
use super::origin::target_parts;
use super::pages::demanded;
use super::stats::Group;
use super::worker::{Meter, Worker};
use super::world::World;

/// The smallest read that a bandwidth limit leads to.
const SMALLEST_READ: u64 = 16 << 10;

/// How long it may take until a lower limit holds: a chunk has to end, and storage may be slow.
const CROWDED_MS: u64 = 200_000;

/// Whether a commit that drops the task's bytes is under way, as far as the worker knows.
fn is_dying(worker: &Worker, task: &Task) -> bool {
    worker.killing.values().flatten().any(|body| *body == task.progress.body)
}

impl World {
    /// A request asks for bytes that are missing and that nobody else is fetching, and only for what may be fetched now.
    pub(super) fn check_fetch(&mut self, worker: &Worker, key: &TaskKey, request: &FetchRequest) {
        self.check_headers(request);
        self.check_connections(worker, key, &request.url);
        if !self.is_newest(worker) {
            return;
        }
        let task = self.model.tasks.get(key).expect("only durable tasks are fetched");
        assert!(task.record.state.is_active(), "{key:?} is fetched, but is {:?}", task.record.state);
        assert!(task.progress.transport.out().is_none(), "{key:?} is fetched although the browser has it");
        let spec = &task.record.spec;
        if !request.headers.is_empty() {
            self.model.private.0.insert(spec.call_token.clone());
            self.model.private.1.insert(task.progress.body);
        }
        let is_target = target_parts(&request.url).is_some();
        let first = spec.sources.first().map_or("", |source| source.url.as_str());
        let home = if is_target { first } else { request.url.as_str() };
        let is_own = !is_target || self.origin.find(&request.url).is_at(first);
        assert!(is_own && spec.sources.iter().any(|source| source.url == home), "a URL that {key:?} does not have");
        let may_ask = |source: usize| source == 0 || task.progress.bad_sources & (1 << source) == 0;
        let mut asked = spec.sources.iter().enumerate().filter(|(_, source)| source.url == home);
        assert!(asked.any(|(source, _)| may_ask(source)), "a mirror that was found out is asked again");
        // What is stored may be newer than what the engine knows.
        let is_updated = worker.calls.values().any(|waiting| {
            matches!(&waiting.call, longhaul::engine::input::Call::Task(of, longhaul::engine::input::TaskCall::Update(_)) if of == key)
        });
        let blocked = self.blocks(worker, task).filter(|_| !is_updated);
        assert!(blocked.is_none(), "{key:?} is fetched, but has to wait: {blocked:?}");
        let (received, kept) = (&task.progress.received, task.progress.representation.as_ref());
        let others: Vec<_> = worker.live_attempts().filter(|attempt| attempt.key == *key).collect();
        let readers = u32::from(worker.calls.values().any(|waiting| demanded(&waiting.call) == Some(key)));
        assert!((others.len() as u32) < spec.policy.max_segments.max(1) + readers, "{key:?} has too many segments");
        // The last byte once more, to see whether another follows.
        let is_last = |start: u64| task.progress.complete_length() == Some(start + 1) && task.progress.has_every_byte();
        let shows_end = task.progress.length_is_assumed && request.range.is_some_and(|(start, _)| is_last(start));
        match request.range {
            _ if shows_end => self.stats.count(Group::Engine, "ends shown"),
            Some((start, end)) => {
                // What is held against another URL's word may have to show how long its file is; what is read of it is checked later.
                let shows_length = spec.sources.len() > 1 || task.progress.told_elsewhere;
                let wanted = start..end.unwrap_or(if shows_length { start + 1 } else { u64::MAX });
                let double = received.iter().find(|range| range.start < wanted.end && wanted.start < range.end);
                let double = double.filter(|_| !is_dying(worker, task));
                assert!(double.is_none(), "{key:?} asks for {wanted:?}, of which {double:?} is durable");
            }
            None => {
                // Whether it was the range that was refused is asked while what came by ranges is kept.
                let may_ask = received.is_empty() || task.progress.ranges.go_without();
                assert!(may_ask && others.is_empty(), "{key:?} asks for everything");
            }
        }
        if request.range.is_some_and(|(start, _)| start > 0 && !shows_end) && others.is_empty() {
            let in_parts = task.progress.ranges == Ranges::Parts;
            let may_go_on = in_parts || kept.is_some_and(Representation::is_resumable);
            assert!(may_go_on, "{key:?} continues what cannot be continued");
            self.stats.count(Group::Engine, "resumed attempts");
        }
        self.stats.count(Group::Engine, if others.is_empty() { "first segments" } else { "further segments" });
        if let Some((start, _)) = request.range.filter(|_| !others.is_empty()) {
            let is_tail = others
                .iter()
                .any(|other| other.range.is_some_and(|(from, end)| from <= start && start < end.unwrap_or(u64::MAX)));
            if is_tail {
                self.stats.count(Group::Engine, "tail donated");
            }
        }
        if let Some(tag) = &request.if_range {
            let is_ours =
                kept.is_none_or(|kept| kept.etag.as_ref() == Some(tag) || kept.last_modified.as_ref() == Some(tag));
            let is_ours = is_ours || !others.is_empty() || is_dying(worker, task);
            assert!(is_ours && !tag.starts_with("W/"), "If-Range {tag} is not strong, or not that of what is kept");
            assert!(origin_of(&request.url) == "https://app.example", "If-Range across origins needs a preflight");
        }
        if request.if_none_match.is_some() || request.if_modified_since.is_some() {
            assert!(origin_of(&request.url) == "https://app.example", "a condition across origins needs a preflight");
            self.stats.count(Group::Engine, "conditional requests");
        }
    }

    /// Why a task may not be fetched now, as far as the worker was told.
    pub(super) fn blocks(&self, worker: &Worker, task: &Task) -> Option<WaitReason> {
        let policy = &task.record.spec.policy;
        let session = worker.sessions.get(&task.record.key.session)?;
        if session.is_unreadable() {
            return Some(WaitReason::SessionDamaged);
        }
        let limits = &session.configuration.limits;
        let metered = worker.metered();
        let says = |wanted, of: fn(&longhaul::engine::policy::Conditions) -> Option<bool>| {
            worker.told.values().any(|told| of(told) == Some(wanted))
        };
        let is_good =
            (says(true, |told| told.idle) || says(true, |told| told.charging) || says(false, |told| told.metered))
                && !says(false, |told| told.idle)
                && metered != Some(true);
        let may_wait = policy.discretionary_until.is_some_and(|until| until > worker.time(self.now));
        if !(policy.metered && limits.metered) && metered == Some(true) {
            Some(WaitReason::Metered)
        } else if !(policy.unknown_network && limits.unknown_network) && metered.is_none() {
            Some(WaitReason::UnknownNetwork)
        } else if may_wait && !is_good {
            Some(WaitReason::Discretionary)
        } else {
            None
        }
    }

    /// Headers go to the origin that they were given for, and to no other.
    fn check_headers(&mut self, request: &FetchRequest) {
        let origin = origin_of(&request.url);
        for (at, (name, value)) in request.headers.iter().enumerate() {
            assert!(request.headers[..at].iter().all(|(other, _)| other != name), "a header is sent twice");
            let of = value.split(' ').nth(1);
            assert_eq!(of, Some(origin), "a header is told to another origin");
            self.stats.count(Group::Engine, "requests with a token");
        }
    }

    /// A redirect has been followed: the browser has taken along every header but one. Those that the app gave for one
    /// origin may reach another only if it says so.
    pub(super) fn check_redirect(&mut self, key: &TaskKey, request: &FetchRequest) {
        let resource = self.origin.find(&request.url);
        let target = resource.target().expect("it has redirected");
        if target.starts_with(&resource.origin()) {
            return;
        }
        let spec = self.model.tasks.get(key).map(|task| &task.record.spec.request);
        let is_allowed = spec.is_some_and(|spec| spec.redirects == Redirects::FollowWithHeaders);
        let mut carried = request.headers.iter().filter(|(name, _)| name != "authorization");
        assert!(carried.clone().count() == 0 || is_allowed, "{key:?} lets {:?} go along to {target}", carried.next());
        let name = if carried.next().is_some() { "headers that may go along" } else { "redirects without headers" };
        self.stats.count(Group::Engine, name);
    }

    /// Secrets are never stored.
    pub(super) fn check_secrets(&self, writes: &[Write<Chunk>]) {
        const SECRET: &[u8] = b"secret ";
        for write in writes {
            if let Write::Put { value: Value::Bytes(bytes), table, .. } = write {
                let is_told = bytes.windows(SECRET.len()).any(|bytes| bytes == SECRET);
                assert!(!is_told, "a secret was stored in {table:?}");
                let is_told = bytes.windows(10).any(|bytes| bytes == b"key=hidden");
                assert!(!is_told, "the query of a redirect was stored in {table:?}");
            }
        }
    }

    /// Connections stay within the limits of the host, the session and the worker.
    fn check_connections(&self, worker: &Worker, key: &TaskKey, url: &str) {
        let Some(session) = worker.sessions.get(&key.session) else { return };
        let limits = &session.configuration.limits;
        let host = url.split('/').nth(2).unwrap_or_default();
        let all = worker.live_attempts().filter(|attempt| attempt.host != BROWSER).count() as u32;
        // For each file that somebody waits for it may have one more.
        let mut read: Vec<&TaskKey> = worker.calls.values().filter_map(|waiting| demanded(&waiting.call)).collect();
        read.sort_unstable();
        read.dedup();
        let readers = read.len() as u32;
        assert!(all < MAX_CONNECTIONS + readers, "a worker has more than {MAX_CONNECTIONS} connections");
        let of_host = worker.live_attempts().filter(|attempt| attempt.host == host).count() as u32;
        // Where several sessions use a host, each looks at its own limit when its turn comes.
        let all_limits = worker.sessions.values().map(|session| &session.configuration.limits);
        let most = all_limits
            .map(|limits| if worker.is_watched() { limits.max_per_host_visible } else { limits.max_per_host_hidden });
        let most = most.max().unwrap_or(0);
        // When fewer are allowed than before, the first connections of tasks stay.
        let mut tasks: Vec<&TaskKey> =
            worker.live_attempts().filter(|attempt| attempt.host == host).map(|attempt| &attempt.key).collect();
        tasks.sort_unstable();
        tasks.dedup();
        let most = most.max(tasks.len() as u32);
        // The first for a reader is begun although others had more than they may have by now.
        let is_first = read.contains(&key) && worker.live_attempts().all(|attempt| attempt.key != *key);
        assert!(
            is_first || of_host < most + readers,
            "{host} has {of_host} connections, not {most} and {readers} for readers"
        );
        let mut keys: Vec<&TaskKey> =
            worker.live_attempts().map(|attempt| &attempt.key).filter(|other| other.session == key.session).collect();
        keys.sort_unstable();
        keys.dedup();
        let is_more = !keys.contains(&key) && keys.len() as u32 >= limits.max_concurrent_tasks + readers;
        assert!(!is_more, "a session runs more than {} tasks", limits.max_concurrent_tasks);
    }

    /// Lower limits reach what runs: soon a session runs no more tasks than it may, except tasks with readers and tasks that
    /// could not be continued.
    pub(super) fn check_crowd(&mut self, worker: &mut Worker) {
        for (id, session) in &worker.sessions {
            let may_be_more = |key: &TaskKey| {
                let kept = self.model.tasks.get(key).and_then(|task| task.progress.representation.as_ref());
                worker.read.contains(key) || !kept.is_some_and(Representation::is_resumable)
            };
            let of_session =
                worker.live_attempts().filter(|attempt| attempt.host != BROWSER && attempt.key.session == *id);
            let tasks: BTreeSet<&TaskKey> = of_session.map(|attempt| &attempt.key).collect();
            let count = tasks.into_iter().filter(|key| !may_be_more(key)).count() as u32;
            if count <= session.configuration.limits.max_concurrent_tasks {
                worker.crowded.remove(id);
                continue;
            }
            if !worker.crowded.contains_key(id) {
                self.stats.count(Group::Engine, "more tasks than a lower limit allows");
            }
            let since = *worker.crowded.entry(id.clone()).or_insert(self.now);
            let limit = session.configuration.limits.max_concurrent_tasks;
            assert!(self.now - since < CROWDED_MS, "{id:?} runs {count} tasks for long, and may run {limit}");
        }
    }

    /// A read takes the next bytes, one buffer at a time, and never bytes that are durable or being read by another.
    pub(super) fn check_read(
        &self,
        worker: &Worker,
        id: EffectId,
        offset: u64,
        up_to_bytes: u64,
        hash: Option<&HashState>,
    ) {
        let attempt = worker.attempts.get(&id).filter(|attempt| !attempt.is_aborted);
        let attempt = attempt.expect("only live attempts are read");
        assert!(attempt.head.is_none(), "a body is read before its head has come");
        assert!(attempt.wish.is_none(), "an attempt has two reads at a time");
        assert!(up_to_bytes > 0, "a read of nothing");
        let held = worker.buffers.values().filter(|buffer| buffer.attempt == id).count();
        assert_eq!(held, 0, "an attempt reads on although a buffer is ready");
        let at = attempt.body.start + attempt.body.consumed;
        assert_eq!(at, offset, "a read is taken for other bytes than it will bring");
        assert!(hash.is_none_or(|hash| hash.hashed_bytes() == offset), "a hash goes on at the wrong byte");
        // The last byte may only be there to find a body that is too long.
        let wanted = offset..offset + up_to_bytes - 1;
        let double = worker.live_attempts().find(|other| {
            let is_other = other.key == attempt.key && !std::ptr::eq(*other, attempt) && other.head.is_none();
            is_other && other.claimed.start < wanted.end && wanted.start < other.claimed.end.saturating_sub(1)
        });
        assert!(double.is_none(), "{:?} reads {wanted:?} twice: {double:?}", attempt.key);
        if self.is_newest(worker)
            && let Some(task) = self.model.tasks.get(&attempt.key)
        {
            let received = &task.progress.received;
            let double = received
                .iter()
                .find(|range| !wanted.is_empty() && range.start < wanted.end && wanted.start < range.end);
            // What is read of a new version is stored behind the commit that drops the old one.
            let double = double.filter(|_| !is_dying(worker, task));
            assert!(double.is_none(), "{:?} reads {wanted:?}, of which {double:?} is durable", attempt.key);
            if let Some(pieces) = &task.record.spec.proof.pieces {
                let is_inside = pieces.piece_of(offset) == pieces.piece_of(offset + up_to_bytes - 1);
                assert!(is_inside, "a read of {wanted:?} goes over the end of a piece");
            }
        }
    }

    /// Over any time, a task brings no more than its limit allows, but for one read of each connection and for what
    /// is lost in whole milliseconds.
    pub(super) fn check_pace(&mut self, number: u64, key: &TaskKey, len: u64, up_to_bytes: u64) {
        let now = self.now;
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.number == number) else { return };
        let limit = self.model.tasks.get(key).and_then(|task| task.record.spec.policy.max_bytes_per_second);
        let Some(limit) = limit else {
            worker.meters.remove(key);
            return;
        };
        let meter = worker.meters.entry(key.clone()).or_insert(Meter { since: now, bytes: 0, limit });
        if meter.limit != limit {
            *meter = Meter { since: now, bytes: 0, limit };
        }
        let most = (limit / 2).max(SMALLEST_READ);
        if up_to_bytes > most {
            // It began before the limit was set.
            return;
        }
        let allowed = limit * (now - meter.since) / 1_000 + most * 6 + meter.bytes / 200;
        meter.bytes += len;
        assert!(meter.bytes <= allowed, "{key:?} took {} bytes although {allowed} are allowed", meter.bytes);
        self.stats.count(Group::Engine, "reads within a limit");
    }
}
