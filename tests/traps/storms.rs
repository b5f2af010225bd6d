//! No server, however odd, is asked more than twenty times a minute in vain, and none sends a file's bytes more than twice
//! unless the task ends in an error whose code says why. What it really sends is more than what is read here by what is on its
//! way when an attempt ends.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;
use std::sync::LazyLock;

use longhaul::engine::error::ErrorCode;
use longhaul::engine::id::BodyId;
use longhaul::engine::task::{EventKind, TaskSpec, TaskState};
use longhaul::integrity::Expected;

use super::odd_servers::{Allowed, FILE, LEN, OddServer, all};
use super::proof::expected;
use super::world::{HOME, Reply, World, source};

const MINUTE_MS: u64 = 60_000;
/// A task that has not ended is left alone after three days.
const PATIENCE_MS: u64 = 3 * 24 * 60 * MINUTE_MS;
/// So many requests in vain within a minute are no storm.
const MOST_IN_VAIN: usize = 20;

static DIGEST: LazyLock<Option<Expected>> = LazyLock::new(|| expected(&FILE.bytes));

/// A request, or a probe.
struct Asked {
    at: u64,
    /// Where it went: also the target of a redirect was asked.
    hosts: BTreeSet<String>,
    /// The task's body when it was made.
    body: BodyId,
    /// When bytes of it were stored, and in which body.
    stored: Vec<(u64, BodyId)>,
}

/// A play, and what came of it.
struct Row {
    name: String,
    allowed: Allowed,
    asked: Vec<Asked>,
    /// Since when the task has had which body.
    bodies: Vec<(u64, BodyId)>,
    sent: u64,
    /// How many restarts events have told of.
    told: usize,
    state: TaskState,
    lasted_ms: u64,
}

/// What CORS hides of an answer.
fn hide(reply: Reply) -> Reply {
    reply.with(|head| {
        head.all_headers_readable = false;
        (head.content_range, head.content_encoding, head.content_disposition) = (None, None, None);
        (head.etag, head.date, head.retry_after) = (None, None, None);
        (head.repr_digest, head.content_digest) = (None, None);
    })
}

fn host_of(url: &str) -> String {
    source(url).host
}

/// Where requests were redirected to, by their numbers.
type Targets = Rc<RefCell<Vec<Option<String>>>>;

/// A world whose server is this one, behind what CORS hides of other origins.
fn world_of(server: OddServer) -> (World, Targets) {
    let targets = Targets::default();
    let noted = targets.clone();
    let world = World::new(move |request, number| {
        let reply = (server.serve)(request, number);
        let target = reply.head.as_ref().ok().and_then(|head| head.final_url.clone());
        let is_home = request.url.starts_with(HOME) && target.as_ref().is_none_or(|url| url.starts_with(HOME));
        noted.borrow_mut().push(target);
        if is_home { reply.with(|head| head.all_headers_readable = true) } else { hide(reply) }
    });
    (world, targets)
}

/// Plays a download of the URL to its end, or for three days.
fn play(server: OddServer, url: &str, has_digest: bool) -> Row {
    let digest = if has_digest { " (digest)" } else { "" };
    let (name, allowed) = (format!("{}, {}{digest}", server.name, host_of(url)), server.allowed);
    let (mut world, targets) = world_of(server);
    // A page that could be asked for headers, and never gives any.
    world.attach("page", true);
    let mut spec = TaskSpec { sources: vec![source(url)], ..TaskSpec::default() };
    spec.proof.expected = DIGEST.clone().filter(|_| has_digest);
    let begun_at = world.now;
    world.download(spec).expect("accepted");
    let (mut asked, mut bodies) = (Vec::new(), Vec::new());
    // Where among all that was asked the requests are: the others are probes.
    let mut numbers = Vec::new();
    let (mut probes, mut stored) = (0, 0);
    let state = loop {
        let now = world.now;
        let task = world.task().expect("it is stored");
        let new = |hosts| Asked { at: now, hosts, body: task.progress.body, stored: Vec::new() };
        for request in &world.requests[numbers.len()..] {
            let target = targets.borrow()[numbers.len()].as_deref().map(host_of);
            numbers.push(asked.len());
            asked.push(new(target.into_iter().chain([host_of(&request.url)]).collect()));
        }
        asked.extend(world.probes[probes..].iter().map(|probe| new([host_of(probe)].into())));
        probes = world.probes.len();
        for (number, body) in &world.brought[stored..] {
            asked[numbers[*number]].stored.push((now, *body));
        }
        stored = world.brought.len();
        if bodies.last().is_none_or(|(_, body)| *body != task.progress.body) {
            bodies.push((now, task.progress.body));
        }
        let is_over = task.record.state.has_ended() || now - begun_at > PATIENCE_MS;
        if is_over || !world.step() {
            break task.record.state;
        }
    };
    world.drain_all();
    if has_digest && state == TaskState::Completed {
        assert!(world.file() == FILE.bytes, "{name}: the digest has let pass another file");
    }
    let told = world.kinds().iter().filter(|kind| matches!(kind, EventKind::Restarted(_))).count();
    let lasted_ms = world.now - begun_at;
    Row { name, allowed, asked, bodies, sent: world.bytes_sent, told, state, lasted_ms }
}

impl Row {
    /// How many requests of a minute were in vain when the next was made to the same host, and that with them, at the worst: none
    /// of their bytes is kept by then, or comes later.
    fn most_in_vain(&self) -> usize {
        let is_in_vain = |asked: &&Asked, last: &Asked| {
            let was_kept = self.allowed == Allowed::LosesWhatWasKept;
            !asked.stored.iter().any(|(at, into)| was_kept || *at > last.at || *into == last.body)
        };
        let at_the_time_of = |last: &Asked| {
            let first = self.asked.partition_point(|asked| asked.at + MINUTE_MS <= last.at);
            let within = self.asked[first..].iter().take_while(|asked| asked.at <= last.at);
            within.filter(|asked| !asked.hosts.is_disjoint(&last.hosts) && is_in_vain(asked, last)).count()
        };
        self.asked.iter().map(at_the_time_of).max().unwrap_or(0)
    }

    /// How often its bytes were given up for those of another body. What was set aside is taken back without that.
    fn restarts(&self) -> usize {
        let is_new = |at: &usize| self.bodies[..*at].iter().all(|(_, body)| *body != self.bodies[*at].1);
        (1..self.bodies.len()).filter(is_new).count()
    }

    /// Whether each restart was told. A file that is not what its digest says, or longer than its server says, is dropped by the
    /// failure itself, unless an older version was set aside.
    fn is_told(&self) -> bool {
        let TaskState::Failed(error) = &self.state else { return self.restarts() == self.told };
        let is_dropped = matches!(error.code, ErrorCode::DigestMismatch | ErrorCode::BodyTooLong);
        self.restarts() == self.told || (is_dropped && self.restarts() == self.told + 1)
    }

    /// Whether its server has sent no more than it may.
    fn is_frugal(&self) -> bool {
        let most = if self.allowed == Allowed::SendsAgain { 1 + self.told } else { 2 };
        match &self.state {
            _ if self.sent <= (most * LEN) as u64 => true,
            // A file whose length is not told is fetched once more: it may have been cut.
            TaskState::Failed(error) if error.code == ErrorCode::DigestMismatch => self.sent <= (3 * LEN) as u64,
            // The connection broke, or the body ended, before all was there, and nothing could continue it; it was another
            // file each time; or its ranges are of no use.
            TaskState::Failed(error) => matches!(
                error.code,
                ErrorCode::Network
                    | ErrorCode::LengthMismatch
                    | ErrorCode::TooManyRestarts
                    | ErrorCode::BadContentRange
            ),
            _ => false,
        }
    }

    fn is_right(&self) -> bool {
        self.most_in_vain() <= MOST_IN_VAIN && self.is_told() && self.is_frugal()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (requests, in_vain, times) = (self.asked.len(), self.most_in_vain(), self.sent as f64 / LEN as f64);
        let (restarts, told, lasted_s) = (self.restarts(), self.told, self.lasted_ms / 1_000);
        write!(to, "{}: {requests} requests, {in_vain} in vain within a minute; sent {times:.2} times; ", self.name)?;
        write!(to, "{restarts} restarts, {told} told; {:?} after {lasted_s} s", self.state)
    }
}

fn check(url: &str, has_digest: bool) {
    let rows = all().into_iter().map(|server| play(server, url, has_digest));
    let wrong: Vec<String> = rows.filter(|row| !row.is_right()).map(|row| row.to_string()).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_server_at_home_is_stormed() {
    check("https://app.example/f", false);
}

#[test]
fn no_server_at_home_is_stormed_for_a_file_with_a_digest() {
    check("https://app.example/f", true);
}

#[test]
fn no_server_elsewhere_is_stormed() {
    check("https://files.example/f", false);
}

#[test]
fn no_server_elsewhere_is_stormed_for_a_file_with_a_digest() {
    check("https://files.example/f", true);
}
