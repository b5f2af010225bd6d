//! Calls as `serde-wasm-bindgen` decodes them by derived shapes, which are those of `js/protocol.ts`. Bounds are not checked.

use js_sys::Uint8Array;
use longhaul::engine::filter::Filter;
use longhaul::engine::group::GroupKey;
use longhaul::engine::id::{GroupId, SessionId, TaskId, TaskKey};
use longhaul::engine::input::{BulkAction, Call, IfExists, TaskCall};
use longhaul::engine::policy::{Policy, PolicyPatch, Priority};
use longhaul::engine::request::{Credentials, Header, Redirects, RequestFields, Source};
use longhaul::engine::session::{Configuration, Limits, LimitsPatch, SessionRecord};
use longhaul::engine::task::{Destination, Expects, Proof, TaskSpec};
use longhaul::engine::transport::Transport;
use longhaul::integrity::{Expected, Pieces};
use serde::Deserialize;
use wasm_bindgen::JsValue;

#[derive(Deserialize)]
struct Bytes(#[serde(with = "serde_wasm_bindgen::preserve")] Uint8Array);

#[derive(Deserialize)]
struct SourceShape {
    url: String,
    host: String,
    origin: String,
}

#[derive(Deserialize)]
struct DestinationShape {
    cache: Option<String>,
    url: Option<String>,
    opfs: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PolicyShape {
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LimitsShape {
    max_concurrent_tasks: Option<f64>,
    max_per_host_visible: Option<f64>,
    max_per_host_hidden: Option<f64>,
    max_bytes_per_second: Option<f64>,
    metered: Option<bool>,
    unknown_network: Option<bool>,
    keep_ms: Option<f64>,
    keep_from_last_use: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecShape {
    id: String,
    sources: Vec<SourceShape>,
    headers: Option<Vec<Header>>,
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
    policy: Option<PolicyShape>,
    transport: Option<String>,
    ui: Option<String>,
    destination: Option<DestinationShape>,
    fails_when_full: Option<bool>,
    serves_url: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallShape {
    r#type: String,
    session: Option<String>,
    id: Option<String>,
    url: Option<String>,
    group: Option<String>,
    tag: Option<String>,
    states: Option<Vec<String>>,
    token: Option<String>,
    if_exists: Option<String>,
    spec: Option<SpecShape>,
    members: Option<Vec<SpecShape>>,
    secrets: Option<Vec<Header>>,
    headers: Option<Vec<Header>>,
    source: Option<SourceShape>,
    data: Option<Bytes>,
    version: Option<f64>,
    limits: Option<LimitsShape>,
    can_authorize: Option<bool>,
    policy: Option<PolicyShape>,
    action: Option<String>,
    fails_together: Option<bool>,
    last: Option<bool>,
    persist: Option<bool>,
    origin: Option<String>,
    keep: Option<bool>,
    after: Option<String>,
    before: Option<f64>,
    limit: Option<f64>,
    offset: Option<f64>,
    body: Option<String>,
    range: Option<String>,
    if_range: Option<String>,
    waits: Option<bool>,
    destination: Option<DestinationShape>,
    registration: Option<String>,
    refusal: Option<String>,
}

/// The call that this message is, unless it cannot be decoded or lacks a field.
pub fn call(message: JsValue) -> Option<Call> {
    serde_wasm_bindgen::from_value::<CallShape>(message).ok()?.into_call()
}

fn whole(number: Option<f64>) -> Option<u64> {
    number.map(|number| number as u64)
}

fn small(number: Option<f64>) -> Option<u32> {
    number.map(|number| number as u32)
}

fn flag(value: Option<bool>) -> bool {
    value.unwrap_or(false)
}

fn source(SourceShape { url, host, origin }: SourceShape) -> Source {
    Source { url, host, origin }
}

/// The inner `None`: it was given, and is none.
fn destination(shape: Option<DestinationShape>) -> Option<Option<Destination>> {
    match shape {
        None => Some(None),
        Some(DestinationShape { cache: Some(name), url: Some(url), opfs: None }) => {
            Some(Some(Destination::Cache { name, url }))
        }
        Some(DestinationShape { cache: None, url: None, opfs: Some(path) }) => Some(Some(Destination::Opfs(path))),
        Some(_) => None,
    }
}

fn policy(shape: PolicyShape) -> PolicyPatch {
    PolicyPatch {
        priority: shape.priority.and_then(|word| Priority::ALL.into_iter().find(|each| each.as_str() == word)),
        metered: shape.metered,
        unknown_network: shape.unknown_network,
        discretionary_until: whole(shape.discretionary_until),
        begin_at: whole(shape.begin_at),
        max_bytes_per_second: whole(shape.max_bytes_per_second),
        max_segments: small(shape.max_segments),
        stall_timeout_ms: whole(shape.stall_timeout_ms),
        resource_timeout_ms: whole(shape.resource_timeout_ms),
        max_failures: small(shape.max_failures),
    }
}

fn limits(shape: &LimitsShape) -> LimitsPatch {
    LimitsPatch {
        max_concurrent_tasks: small(shape.max_concurrent_tasks),
        max_per_host_visible: small(shape.max_per_host_visible),
        max_per_host_hidden: small(shape.max_per_host_hidden),
        max_bytes_per_second: whole(shape.max_bytes_per_second),
        metered: shape.metered,
        unknown_network: shape.unknown_network,
        keep_ms: whole(shape.keep_ms),
        keep_from_last_use: shape.keep_from_last_use,
    }
}

impl SpecShape {
    fn into_spec(self, token: &str, group: Option<&str>, has_secrets: bool) -> Option<(TaskId, TaskSpec)> {
        let pieces = match (whole(self.piece_length), self.piece_digests) {
            (None, None) => None,
            (length, digests) => Some(Pieces::new(length?, &digests?.0.to_vec())?),
        };
        let external = |is_strict| Transport::External { is_strict, ui: self.ui.clone(), out: None };
        let spec = TaskSpec {
            sources: self.sources.into_iter().map(source).collect(),
            request: RequestFields {
                headers: self.headers.unwrap_or_default(),
                has_secrets,
                credentials: match self.credentials.as_deref() {
                    Some("include") => Credentials::Include,
                    Some("omit") => Credentials::Omit,
                    _ => Credentials::SameOrigin,
                },
                referrer_policy: self.referrer_policy,
                redirects: match self.redirects.as_deref() {
                    Some("error") => Redirects::Refuse,
                    Some("follow-with-headers") => Redirects::FollowWithHeaders,
                    _ => Redirects::Follow,
                },
                keep_headers: self.keep_headers.unwrap_or_default(),
            },
            policy: Policy::default().patched(&policy(self.policy.unwrap_or_default())),
            proof: Proof {
                expected: self.integrity.and_then(|sri| Expected::parse_sri(&sri)),
                pieces,
                ignore_server_digest: flag(self.ignore_server_digest),
            },
            expected_bytes: whole(self.expected_bytes),
            strong_only: flag(self.strong_only),
            group: group.or(self.group.as_deref()).map(GroupId::new),
            tag: self.tag,
            call_token: token.into(),
            description: self.description,
            metadata: self.metadata,
            transport: match self.transport.as_deref() {
                Some("auto") => external(false),
                Some("background-fetch") => external(true),
                _ => Transport::Fetch,
            },
            destination: destination(self.destination)?,
            fails_when_full: flag(self.fails_when_full),
            serves_url: flag(self.serves_url),
            expects: Expects { length: whole(self.exact_bytes), accept: self.accept.unwrap_or_default() },
        };
        Some((TaskId::new(&self.id), spec))
    }
}

impl CallShape {
    fn into_call(self) -> Option<Call> {
        let session = self.session.as_deref().map(SessionId::new);
        if self.r#type == "find" {
            return Some(Call::Find(self.url?, session));
        }
        let session = session?;
        Some(match self.r#type.as_str() {
            "open" => {
                let version = small(self.version).unwrap_or(Configuration::default().version);
                let limits = Limits::default().patched(&limits(&self.limits?));
                Call::Open(SessionRecord::new(session, Configuration { version, limits }, flag(self.can_authorize)))
            }
            "update-session" => Call::UpdateSession(session, limits(&self.limits?)),
            "download" | "resume-from" => return self.into_new_task(session),
            "download-all" => {
                let (group, token) = (self.group?, self.token?);
                let members = self.members?.into_iter().map(|spec| spec.into_spec(&token, Some(&group), false));
                Call::DownloadAll {
                    members: members.collect::<Option<_>>()?,
                    group: GroupKey { session, group: GroupId::new(&group) },
                    fails_together: flag(self.fails_together),
                    is_last: flag(self.last),
                }
            }
            "select" => Call::Select {
                session,
                limit: small(self.limit).unwrap_or(100),
                after: self.after.as_deref().map(TaskId::new),
                filter: self.filter(),
            },
            "bulk" => Call::Bulk { session, filter: self.filter(), action: action(&self.action?)? },
            "group" => Call::Group(GroupKey { session, group: GroupId::new(&self.group?) }),
            "history" => Call::History { session, before: whole(self.before), limit: small(self.limit).unwrap_or(100) },
            _ => Call::Task(TaskKey { session, task: TaskId::new(self.id.as_deref()?) }, self.into_task_call()?),
        })
    }

    fn into_new_task(self, session: SessionId) -> Option<Call> {
        let secrets = self.secrets.unwrap_or_default();
        let (task, spec) = self.spec?.into_spec(&self.token?, None, !secrets.is_empty())?;
        let key = TaskKey { session, task };
        if self.r#type == "resume-from" {
            return Some(Call::ResumeFrom { key, spec, secrets, data: self.data?.0.to_vec() });
        }
        let if_exists = match self.if_exists.as_deref() {
            Some("replace") => IfExists::Replace,
            Some("refresh") => IfExists::Refresh,
            Some("error") => IfExists::Error,
            _ => IfExists::Keep,
        };
        Some(Call::Download { key, spec, secrets, if_exists })
    }

    fn into_task_call(self) -> Option<TaskCall> {
        Some(match self.r#type.as_str() {
            "task" => TaskCall::Get,
            "pause" => TaskCall::Pause,
            "resume" => TaskCall::Resume,
            "cancel" => TaskCall::Cancel { keep: flag(self.keep) },
            "resume-data" => TaskCall::ResumeData,
            "release" => TaskCall::Release,
            "release-file" => TaskCall::ReleaseFile,
            "move" => TaskCall::MoveTo(destination(self.destination)??),
            "chunk" => TaskCall::Chunk { offset: whole(self.offset)?, body: self.body, waits: flag(self.waits) },
            "check" => TaskCall::Check { offset: whole(self.offset)?, body: self.body },
            "serve" => TaskCall::Serve { range: self.range, if_range: self.if_range },
            "update" => TaskCall::Update(policy(self.policy?)),
            "begun" => TaskCall::ExternalBegun { registration: self.registration?, refusal: self.refusal },
            "authorize" => TaskCall::Authorize {
                origin: self.origin?,
                headers: self.headers,
                persist: flag(self.persist),
                source: self.source.map(source),
            },
            _ => return None,
        })
    }

    fn filter(&self) -> Filter {
        let rank = |state: &String| {
            ["active", "paused", "completed", "failed", "cancelled"].iter().position(|word| word == state)
        };
        Filter {
            group: self.group.as_deref().map(GroupId::new),
            tag: self.tag.clone(),
            states: self.states.iter().flatten().filter_map(rank).fold(0, |states, rank| states | 1 << rank),
            unused_since: None,
        }
    }
}

fn action(word: &str) -> Option<BulkAction> {
    Some(match word {
        "pause" => BulkAction::Pause,
        "resume" => BulkAction::Resume,
        "cancel" => BulkAction::Cancel,
        "release" => BulkAction::Release,
        "release-file" => BulkAction::ReleaseFile,
        _ => return None,
    })
}
