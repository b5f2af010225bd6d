//! What pages say of tasks and sessions: specs, policies and limits, checked.

use super::fields::{Fields, NAME};
use crate::engine::error::ErrorCode;
use crate::engine::id::{GroupId, TaskId};
use crate::engine::policy::{Policy, PolicyPatch, Priority};
use crate::engine::request::{Credentials, Redirects, RequestFields, Source};
use crate::engine::session::LimitsPatch;
use crate::engine::task::{Destination, Expects, Proof, TaskSpec};
use crate::engine::transport::Transport;
use crate::integrity::{Expected, Pieces};

/// The longest metadata and description, in bytes.
const LONGEST_METADATA: usize = 64 << 10;
/// A task's own URL and its mirrors: a checkpoint notes in one number which of them have proved to be bad.
const MOST_SOURCES: usize = 16;
/// The most media types that a file may have.
const MOST_MEDIA_RANGES: usize = 32;
/// The lowest speed that may be set, in bytes per second.
const LOWEST_SPEED: u64 = 1_024;
/// The shortest time-out, in milliseconds.
const SHORTEST_TIMEOUT_MS: u64 = 1_000;
/// The most segments of one task.
const MOST_SEGMENTS: u32 = 16;
/// The most tasks or connections that a session may be set to.
const MOST_AT_A_TIME: u32 = 256;
/// The most failures in a row that may be set.
const MOST_FAILURES: u32 = 1_000;
/// The shortest time for which finished files may be kept, in milliseconds: they are looked at once a day or so.
const SHORTEST_KEPT_MS: u64 = 60_000;
/// Referrer Policy, section 3.
const REFERRER_POLICIES: [&str; 8] = [
    "no-referrer",
    "no-referrer-when-downgrade",
    "same-origin",
    "origin",
    "strict-origin",
    "origin-when-cross-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
];

/// A URL as the page's browser parsed it.
pub fn source(fields: &Fields<'_>) -> Option<Source> {
    let url = fields.required_text("url");
    if !url.starts_with("https://") && !url.starts_with("http://") {
        fields.refuse_with(ErrorCode::UnsupportedScheme);
    }
    let host = fields.required_text("host");
    Some(Source { url, host, origin: fields.required_text("origin") })
}

/// `DestinationFields`.
pub fn destination(fields: &Fields<'_>) -> Option<Destination> {
    let is_name = |name: &str| !name.is_empty() && name != "." && name != "..";
    match (fields.text("cache"), fields.text("url"), fields.text("opfs")) {
        (Some(name), Some(url), None) => Some(Destination::Cache { name, url }),
        (None, None, Some(path)) if path.split('/').all(is_name) => Some(Destination::Opfs(path)),
        _ => fields.refuse("destination"),
    }
}

/// `SpecFields`: the task's id and its spec. A member of `group` need not name it.
pub fn spec(fields: &Fields<'_>, token: &str, group: Option<&GroupId>) -> (TaskId, TaskSpec) {
    let id = TaskId::new(&fields.required_name("id"));
    let sources = fields.objects("sources", source).filter(|all| (1..=MOST_SOURCES).contains(&all.len()));
    let own_group = fields.name("group").as_deref().map(GroupId::new);
    let patch = fields.object("policy").as_ref().map(policy).unwrap_or_default();
    let spec = TaskSpec {
        sources: fields.required(sources, "mirrors"),
        request: RequestFields {
            headers: fields.pairs("headers").unwrap_or_default(),
            has_secrets: false,
            credentials: credentials(fields),
            referrer_policy: referrer_policy(fields),
            redirects: redirects(fields),
            keep_headers: field_names(fields),
        },
        policy: Policy::default().patched(&patch),
        proof: proof(fields),
        expected_bytes: fields.whole("expectedBytes", 0, u64::MAX),
        strong_only: fields.is("strongOnly"),
        group: group.cloned().or(own_group),
        tag: fields.short_text("tag", NAME),
        call_token: token.into(),
        description: fields.short_text("description", LONGEST_METADATA),
        metadata: fields.short_text("metadata", LONGEST_METADATA),
        destination: fields.object("destination").as_ref().and_then(destination),
        fails_when_full: fields.is("failsWhenFull"),
        serves_url: fields.is("servesUrl"),
        expects: Expects { length: fields.whole("exactBytes", 0, u64::MAX), accept: media_ranges(fields) },
        transport: transport(fields),
    };
    (id, spec)
}

fn proof(fields: &Fields<'_>) -> Proof {
    let expected = |sri: String| Expected::parse_sri(&sri).or_else(|| fields.refuse("integrity"));
    let pieces = match (fields.whole("pieceLength", 1, u64::MAX), fields.bytes("pieceDigests")) {
        (None, None) => None,
        (Some(length), Some(digests)) => Pieces::new(length, &digests.to_vec()).or_else(|| fields.refuse("pieces")),
        _ => fields.refuse("pieces"),
    };
    Proof {
        expected: fields.text("integrity").and_then(expected),
        pieces,
        ignore_server_digest: fields.is("ignoreServerDigest"),
    }
}

fn credentials(fields: &Fields<'_>) -> Credentials {
    match fields.text("credentials").as_deref() {
        None | Some("same-origin") => Credentials::SameOrigin,
        Some("include") => Credentials::Include,
        Some("omit") => Credentials::Omit,
        Some(_) => fields.refuse("credentials"),
    }
}

fn redirects(fields: &Fields<'_>) -> Redirects {
    match fields.text("redirects").as_deref() {
        None | Some("follow") => Redirects::Follow,
        Some("error") => Redirects::Refuse,
        Some("follow-with-headers") => Redirects::FollowWithHeaders,
        Some(_) => fields.refuse("redirects"),
    }
}

fn transport(fields: &Fields<'_>) -> Transport {
    let ui = fields.short_text("ui", LONGEST_METADATA);
    match fields.text("transport").as_deref() {
        None => Transport::Fetch,
        Some("auto") => Transport::External { is_strict: false, ui, out: None },
        Some("background-fetch") => Transport::External { is_strict: true, ui, out: None },
        Some(_) => fields.refuse("transport"),
    }
}

fn referrer_policy(fields: &Fields<'_>) -> Option<String> {
    let word = fields.text("referrerPolicy")?;
    if REFERRER_POLICIES.contains(&word.as_str()) { Some(word) } else { fields.refuse("referrerPolicy") }
}

/// Media types and ranges of them (RFC 9110 section 12.5.1), in lower case.
fn media_ranges(fields: &Fields<'_>) -> Vec<String> {
    let mut ranges = fields.texts("accept").unwrap_or_default();
    ranges.iter_mut().for_each(|range| range.make_ascii_lowercase());
    let is_usable = |range: &String| {
        let (kind, subtype) = range.split_once('/').unwrap_or_default();
        is_token(kind) && is_token(subtype) && (!kind.contains('*') || subtype == "*")
    };
    let are_usable = ranges.len() <= MOST_MEDIA_RANGES && ranges.iter().all(is_usable);
    if are_usable { ranges } else { fields.refuse("accept") }
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_of_token)
}

/// Names that `Headers.get` accepts (RFC 9110 section 5.6.2).
fn field_names(fields: &Fields<'_>) -> Vec<String> {
    let names = fields.texts("keepHeaders").unwrap_or_default();
    let are_usable = names.iter().all(|name| is_token(name));
    if are_usable { names } else { fields.refuse("keepHeaders") }
}

/// `PolicyFields`: the changes.
pub fn policy(fields: &Fields<'_>) -> PolicyPatch {
    let priority = |word: String| {
        let known = Priority::ALL.into_iter().find(|priority| priority.as_str() == word);
        known.or_else(|| fields.refuse("priority"))
    };
    PolicyPatch {
        priority: fields.text("priority").and_then(priority),
        metered: fields.flag("metered"),
        unknown_network: fields.flag("unknownNetwork"),
        discretionary_until: fields.limit("discretionaryUntil", 1),
        begin_at: fields.limit("beginAt", 1),
        max_bytes_per_second: fields.limit("maxBytesPerSecond", LOWEST_SPEED),
        max_segments: fields.count("maxSegments", MOST_SEGMENTS),
        stall_timeout_ms: fields.whole("stallTimeoutMs", SHORTEST_TIMEOUT_MS, u64::MAX),
        resource_timeout_ms: fields.limit("resourceTimeoutMs", SHORTEST_TIMEOUT_MS),
        max_failures: fields.count("maxFailures", MOST_FAILURES),
    }
}

/// `LimitFields`: the changes.
pub fn limits(fields: &Fields<'_>) -> LimitsPatch {
    LimitsPatch {
        max_concurrent_tasks: fields.count("maxConcurrentTasks", MOST_AT_A_TIME),
        max_per_host_visible: fields.count("maxPerHostVisible", MOST_AT_A_TIME),
        max_per_host_hidden: fields.count("maxPerHostHidden", MOST_AT_A_TIME),
        max_bytes_per_second: fields.limit("maxBytesPerSecond", LOWEST_SPEED),
        metered: fields.flag("metered"),
        unknown_network: fields.flag("unknownNetwork"),
        keep_ms: fields.limit("keepMs", SHORTEST_KEPT_MS),
        keep_from_last_use: fields.flag("keepFromLastUse"),
    }
}
