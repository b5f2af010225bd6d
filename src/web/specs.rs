//! What pages say of tasks and sessions: specs, policies and limits, checked.

use serde::Deserialize;

use super::values::{Bytes, NAME, bad, flag, limit, name, required, text, whole};
use crate::engine::error::{ErrorCode, TaskError};
use crate::engine::id::{GroupId, TaskId};
use crate::engine::policy::{Policy, PolicyPatch, Priority};
use crate::engine::request::{Credentials, Header, Redirects, RequestFields, Source};
use crate::engine::session::LimitsPatch;
use crate::engine::task::{Destination, Proof, TaskSpec};
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
const MOST_SEGMENTS: u64 = 16;
/// The most tasks or connections that a session may be set to.
const MOST_AT_A_TIME: u64 = 256;
/// The most failures in a row that may be set.
const MOST_FAILURES: u64 = 1_000;
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

/// A header's name and value.
#[derive(Deserialize)]
pub struct HeaderMessage(String, String);

impl HeaderMessage {
    /// The header.
    pub fn into_header(self) -> Header {
        (self.0, self.1)
    }
}

/// A URL as the page's browser parsed it.
#[derive(Deserialize)]
pub struct SourceMessage {
    url: String,
    host: String,
    origin: String,
}

impl SourceMessage {
    /// The source.
    pub fn into_source(self) -> Result<Source, TaskError> {
        if !self.url.starts_with("https://") && !self.url.starts_with("http://") {
            return Err(TaskError::new(ErrorCode::UnsupportedScheme));
        }
        Ok(Source { url: self.url, host: self.host, origin: self.origin })
    }
}

/// `SpecFields`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpecMessage {
    id: String,
    sources: Vec<SourceMessage>,
    headers: Option<Vec<HeaderMessage>>,
    credentials: Option<String>,
    referrer_policy: Option<String>,
    redirects: Option<String>,
    keep_headers: Option<Vec<String>>,
    integrity: Option<String>,
    piece_length: Option<f64>,
    piece_digests: Option<Bytes>,
    ignore_server_digest: Option<bool>,
    expected_bytes: Option<f64>,
    exact_bytes: Option<f64>,
    accept: Option<Vec<String>>,
    strong_only: Option<bool>,
    group: Option<String>,
    tag: Option<String>,
    description: Option<String>,
    metadata: Option<String>,
    policy: Option<PolicyMessage>,
    transport: Option<String>,
    ui: Option<String>,
    destination: Option<DestinationMessage>,
    fails_when_full: Option<bool>,
    serves_url: Option<bool>,
}

/// `DestinationFields`.
#[derive(Deserialize)]
pub struct DestinationMessage {
    cache: Option<String>,
    url: Option<String>,
    opfs: Option<String>,
}

impl DestinationMessage {
    /// The destination.
    pub fn into_destination(self) -> Result<Destination, TaskError> {
        let is_name = |name: &str| !name.is_empty() && name != "." && name != "..";
        match self {
            Self { cache: Some(name), url: Some(url), opfs: None } => Ok(Destination::Cache { name, url }),
            Self { cache: None, url: None, opfs: Some(path) } if path.split('/').all(is_name) => {
                Ok(Destination::Opfs(path))
            }
            _ => Err(bad("destination")),
        }
    }
}

impl SpecMessage {
    /// The task's id and its spec. A member of `group` need not name it.
    pub fn into_spec(self, token: &str, group: Option<&GroupId>) -> Result<(TaskId, TaskSpec), TaskError> {
        let id = TaskId::new(name(&self.id, "id")?);
        if !(1..=MOST_SOURCES).contains(&self.sources.len()) {
            return Err(bad("mirrors"));
        }
        let own_group = self.group.as_deref().map(|group| name(group, "group")).transpose()?.map(GroupId::new);
        let expected = self.integrity.map(|sri| required(Expected::parse_sri(&sri), "integrity")).transpose()?;
        let pieces = match (self.piece_length, self.piece_digests) {
            (None, None) => None,
            (length, digests) => {
                let length = required(whole(length, 1, u64::MAX, "pieces")?, "pieces")?;
                let digests = required(digests, "pieces")?;
                Some(required(Pieces::new(length, &digests.0), "pieces")?)
            }
        };
        let patch = self.policy.map(PolicyMessage::into_patch).transpose()?.unwrap_or_default();
        let spec = TaskSpec {
            sources: self.sources.into_iter().map(SourceMessage::into_source).collect::<Result<_, _>>()?,
            request: RequestFields {
                headers: self.headers.into_iter().flatten().map(HeaderMessage::into_header).collect(),
                has_secrets: false,
                credentials: credentials(self.credentials.as_deref())?,
                referrer_policy: referrer_policy(self.referrer_policy)?,
                redirects: redirects(self.redirects.as_deref())?,
                keep_headers: field_names(self.keep_headers)?,
            },
            policy: Policy::default().patched(&patch),
            proof: Proof {
                expected,
                pieces,
                ignore_server_digest: flag(self.ignore_server_digest),
                length: whole(self.exact_bytes, 0, u64::MAX, "exactBytes")?,
                accept: media_ranges(self.accept)?,
            },
            expected_bytes: whole(self.expected_bytes, 0, u64::MAX, "expectedBytes")?,
            strong_only: flag(self.strong_only),
            group: group.cloned().or(own_group),
            tag: text(self.tag, NAME, "tag")?,
            call_token: token.into(),
            description: text(self.description, LONGEST_METADATA, "description")?,
            metadata: text(self.metadata, LONGEST_METADATA, "metadata")?,
            destination: self.destination.map(DestinationMessage::into_destination).transpose()?,
            fails_when_full: flag(self.fails_when_full),
            serves_url: flag(self.serves_url),
            transport: transport(self.transport.as_deref(), text(self.ui, LONGEST_METADATA, "ui")?)?,
        };
        Ok((id, spec))
    }
}

fn credentials(word: Option<&str>) -> Result<Credentials, TaskError> {
    match word {
        None | Some("same-origin") => Ok(Credentials::SameOrigin),
        Some("include") => Ok(Credentials::Include),
        Some("omit") => Ok(Credentials::Omit),
        Some(_) => Err(bad("credentials")),
    }
}

fn redirects(word: Option<&str>) -> Result<Redirects, TaskError> {
    match word {
        None | Some("follow") => Ok(Redirects::Follow),
        Some("error") => Ok(Redirects::Refuse),
        Some("follow-with-headers") => Ok(Redirects::FollowWithHeaders),
        Some(_) => Err(bad("redirect")),
    }
}

fn transport(word: Option<&str>, ui: Option<String>) -> Result<Transport, TaskError> {
    match word {
        None => Ok(Transport::Fetch),
        Some("auto") => Ok(Transport::External { is_strict: false, ui, out: None }),
        Some("background-fetch") => Ok(Transport::External { is_strict: true, ui, out: None }),
        Some(_) => Err(bad("transport")),
    }
}

fn referrer_policy(word: Option<String>) -> Result<Option<String>, TaskError> {
    match word {
        Some(word) if !REFERRER_POLICIES.contains(&word.as_str()) => Err(bad("referrerPolicy")),
        word => Ok(word),
    }
}

/// Media types and ranges of them (RFC 9110 section 12.5.1), in lower case.
fn media_ranges(ranges: Option<Vec<String>>) -> Result<Vec<String>, TaskError> {
    let mut ranges = ranges.unwrap_or_default();
    ranges.iter_mut().for_each(|range| range.make_ascii_lowercase());
    let is_usable = |range: &String| {
        let (kind, subtype) = range.split_once('/').unwrap_or_default();
        is_token(kind) && is_token(subtype) && (!kind.contains('*') || subtype == "*")
    };
    let are_usable = ranges.len() <= MOST_MEDIA_RANGES && ranges.iter().all(is_usable);
    if are_usable { Ok(ranges) } else { Err(bad("accept")) }
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_of_token)
}

/// Names that `Headers.get` accepts (RFC 9110 section 5.6.2).
fn field_names(names: Option<Vec<String>>) -> Result<Vec<String>, TaskError> {
    let names = names.unwrap_or_default();
    let are_usable = names.iter().all(|name| is_token(name));
    if are_usable { Ok(names) } else { Err(bad("keepHeaders")) }
}

/// `PolicyFields`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyMessage {
    priority: Option<String>,
    metered: Option<bool>,
    unknown_network: Option<bool>,
    discretionary_until: Option<f64>,
    begin_at: Option<f64>,
    max_bytes_per_second: Option<f64>,
    max_segments: Option<f64>,
    stall_timeout_ms: Option<f64>,
    resource_timeout_ms: Option<f64>,
    max_failures: Option<f64>,
}

impl PolicyMessage {
    /// The changes.
    pub fn into_patch(self) -> Result<PolicyPatch, TaskError> {
        let priority = self.priority.map(|word| {
            let known = Priority::ALL.into_iter().find(|priority| priority.as_str() == word);
            required(known, "priority")
        });
        Ok(PolicyPatch {
            priority: priority.transpose()?,
            metered: self.metered,
            unknown_network: self.unknown_network,
            discretionary_until: limit(self.discretionary_until, 1, "discretionary")?,
            begin_at: limit(self.begin_at, 1, "earliestBegin")?,
            max_bytes_per_second: limit(self.max_bytes_per_second, LOWEST_SPEED, "maxBytesPerSecond")?,
            max_segments: count(self.max_segments, MOST_SEGMENTS, "maxSegments")?,
            stall_timeout_ms: whole(self.stall_timeout_ms, SHORTEST_TIMEOUT_MS, u64::MAX, "stallTimeout")?,
            resource_timeout_ms: limit(self.resource_timeout_ms, SHORTEST_TIMEOUT_MS, "resourceTimeout")?,
            max_failures: count(self.max_failures, MOST_FAILURES, "maxFailures")?,
        })
    }
}

/// `LimitFields`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitsMessage {
    max_concurrent_tasks: Option<f64>,
    max_per_host_visible: Option<f64>,
    max_per_host_hidden: Option<f64>,
    max_bytes_per_second: Option<f64>,
    metered: Option<bool>,
    unknown_network: Option<bool>,
    keep_ms: Option<f64>,
    keep_from_last_use: Option<bool>,
}

impl LimitsMessage {
    /// The changes.
    pub fn into_patch(self) -> Result<LimitsPatch, TaskError> {
        let per_host = |value| count(value, MOST_AT_A_TIME, "maxConnectionsPerHost");
        Ok(LimitsPatch {
            max_concurrent_tasks: count(self.max_concurrent_tasks, MOST_AT_A_TIME, "maxConcurrentTasks")?,
            max_per_host_visible: per_host(self.max_per_host_visible)?,
            max_per_host_hidden: per_host(self.max_per_host_hidden)?,
            max_bytes_per_second: limit(self.max_bytes_per_second, LOWEST_SPEED, "maxBytesPerSecond")?,
            metered: self.metered,
            unknown_network: self.unknown_network,
            keep_ms: limit(self.keep_ms, SHORTEST_KEPT_MS, "retention")?,
            keep_from_last_use: self.keep_from_last_use,
        })
    }
}

/// At least one.
fn count(value: Option<f64>, most: u64, field: &str) -> Result<Option<u32>, TaskError> {
    Ok(whole(value, 1, most, field)?.map(|count| count as u32))
}
