//! What a long run has to meet, since what is never met is not tested.

use super::faults::FAULTS;
use super::stats::{Group, Stats};

const RUN: &[&str] = &["boots", "kills", "kills between outputs", "crashes", "overlaps", "evictions"];
const ORIGIN: &[&str] = &["files changed", "offline periods", "changes of the network", "passes expired"];
const STORAGE: &[&str] = &["committed", "failed", "fenced", "lost", "outages"];
const PAGE: &[&str] = &[
    "calls: open",
    "calls: update a session",
    "calls: download",
    "calls: refresh",
    "calls: download all",
    "calls: resume from",
    "calls: about one task",
    "calls: update",
    "calls: read a file",
    "calls: select",
    "calls: bulk",
    "calls: about a group",
    "calls: history",
    "calls sent again",
    "pages closed before an ack",
    "authorization-not-durable",
    "id-in-use",
    "not-finished",
    "quota-exceeded",
    "session-not-open",
    "storage",
    "task-exists",
    "task-not-found",
    "version-too-low",
];
const ENGINE: &[&str] = &[
    "all events delivered",
    "authorisation asked",
    "authorisation not given",
    "authorised by the hook",
    "authorised with another URL",
    "batches accepted",
    "buffers let go",
    "bulk calls done",
    "bytes given up to resume data",
    "commits of a sweep",
    "conditional requests",
    "events: restarted",
    "fenced",
    "group completed",
    "events handled by the hook",
    "hook elected for nothing",
    "hook failed",
    "hook told that nothing waits",
    "hook waits behind a page",
    "killed before the hook's ack",
    "killed while the hook handles",
    "further segments",
    "tail donated",
    "loads of an outbox",
    "loads of ended tasks",
    "old files read during a refresh",
    "piece repaired",
    "probe says CORS",
    "probe finds nobody",
    "probe finds a server that can be read",
    "reads that came late",
    "reads within a limit",
    "refresh failed",
    "refresh not modified",
    "refresh swapped",
    "mirror dropped",
    "requests with a token",
    "resume data given",
    "resume data invalid",
    "resume data stale",
    "resume data taken up",
    "resumed attempts",
    "stored bytes hashed",
];
const WAITS: &[&str] = &[
    "retry",
    "offline",
    "server-asked",
    "storage",
    "authorization",
    "earliest-begin",
    "metered",
    "unknown-network",
    "discretionary",
    "host-busy",
    "session-busy",
    "worker-busy",
];
const ERRORS: &[&str] = &[
    "bad-content-range",
    "body-too-long",
    "cors-blocked",
    "crashed",
    "csp-blocked",
    "digest-mismatch",
    "http-status",
    "length-mismatch",
    "network",
    "quota-exceeded",
    "storage",
    "timed-out",
    "unauthorized",
];
const VERDICTS: &[&str] = &[
    "strong-tag",
    "strong-date",
    "weak-tag",
    "date-and-length",
    "ranges-ignored",
    "no-validator",
    "weak-validator",
    "coded",
    "length-untold",
    "empty",
];

/// What was never met.
pub fn missing(stats: &Stats) -> Vec<&'static str> {
    let faults: Vec<&str> = FAULTS.iter().map(|fault| fault.name()).collect();
    let all = [
        (Group::Run, RUN),
        (Group::Origin, ORIGIN),
        (Group::Origin, &faults),
        (Group::Storage, STORAGE),
        (Group::Page, PAGE),
        (Group::Engine, ENGINE),
        (Group::Waits, WAITS),
        (Group::Errors, ERRORS),
        (Group::Verdicts, VERDICTS),
    ];
    let is_missing = |group, name: &&&'static str| stats.get(group, name) == 0;
    all.iter().flat_map(|(group, names)| names.iter().filter(move |name| is_missing(*group, name)).copied()).collect()
}
