//! Calls as pages send them (`Call` in `js/protocol.ts`) become the engine's. Of each call the fields of its kind are read, and
//! no others.

use wasm_bindgen::JsValue;

use super::fields::{Fields, NAME, read};
use super::specs::{destination, limits, policy, source, spec};
use crate::engine::error::TaskError;
use crate::engine::filter::Filter;
use crate::engine::group::GroupKey;
use crate::engine::id::{GroupId, SessionId, TaskId, TaskKey};
use crate::engine::input::{BulkAction, Call, IfExists, TaskCall};
use crate::engine::request::Header;
use crate::engine::session::{Configuration, Limits, SessionRecord};
use crate::engine::task::TaskSpec;

/// The most tasks, or events, in one answer.
const LARGEST_PAGE: u32 = 1_000;
/// How many there are in an answer if the page does not say.
const USUAL_PAGE: u32 = 100;
/// The longest resume data, in bytes: it names a body and a list of ranges, and is far shorter.
const LONGEST_RESUME_DATA: u32 = 64 << 10;

/// The call that this message is.
///
/// # Errors
/// `bad-argument` with the name of the field that cannot be used, or `unsupported-scheme`.
pub fn read_call(message: JsValue) -> Result<Call, TaskError> {
    read(message, call)
}

fn call(fields: &Fields<'_>) -> Option<Call> {
    let kind = fields.required_text("type");
    if kind == "find" {
        let session = fields.name("session").as_deref().map(SessionId::new);
        return Some(Call::Find(fields.required_text("url"), session));
    }
    let session = SessionId::new(&fields.required_name("session"));
    Some(match kind.as_str() {
        "open" => open(fields, session),
        "update-session" => Call::UpdateSession(session, limits(&fields.required_object("limits"))),
        "download" => download(fields, session),
        "resume-from" => resume_from(fields, session),
        "download-all" => download_all(fields, session),
        "select" => {
            let after = fields.name("after").as_deref().map(TaskId::new);
            Call::Select { session, filter: filter(fields), after, limit: page(fields) }
        }
        "bulk" => Call::Bulk { session, filter: filter(fields), action: action(fields)? },
        "group" => Call::Group(GroupKey { session, group: GroupId::new(&fields.required_name("group")) }),
        "history" => Call::History { session, before: fields.whole("before", 0, u64::MAX), limit: page(fields) },
        _ => {
            let task = TaskId::new(&fields.required_name("id"));
            Call::Task(TaskKey { session, task }, task_call(&kind, fields)?)
        }
    })
}

fn task_call(kind: &str, fields: &Fields<'_>) -> Option<TaskCall> {
    let offset = || fields.required(fields.whole("offset", 0, u64::MAX), "offset");
    Some(match kind {
        "task" => TaskCall::Get,
        "pause" => TaskCall::Pause,
        "resume" => TaskCall::Resume,
        "cancel" => TaskCall::Cancel { keep: fields.is("keep") },
        "resume-data" => TaskCall::ResumeData,
        "release" => TaskCall::Release,
        "release-file" => TaskCall::ReleaseFile,
        "move" => TaskCall::MoveTo(destination(&fields.required_object("destination"))?),
        "chunk" => TaskCall::Chunk { offset: offset(), body: fields.text("body"), waits: fields.is("waits") },
        "check" => TaskCall::Check { offset: offset(), body: fields.text("body") },
        "serve" => TaskCall::Serve { range: fields.text("range"), if_range: fields.text("ifRange") },
        "update" => TaskCall::Update(policy(&fields.required_object("policy"))),
        "begun" => TaskCall::ExternalBegun {
            registration: fields.required_text("registration"),
            refusal: fields.text("refusal"),
        },
        "authorize" => TaskCall::Authorize {
            origin: fields.required_text("origin"),
            headers: fields.pairs("headers"),
            persist: fields.is("persist"),
            source: fields.object("source").as_ref().and_then(source),
        },
        _ => return fields.refuse("type"),
    })
}

fn open(fields: &Fields<'_>, session: SessionId) -> Call {
    let default = Configuration::default();
    let version = fields.count("version", u32::MAX).unwrap_or(default.version);
    let limits = Limits::default().patched(&limits(&fields.required_object("limits")));
    Call::Open(SessionRecord::new(session, Configuration { version, limits }, fields.is("canAuthorize")))
}

fn download(fields: &Fields<'_>, session: SessionId) -> Call {
    let if_exists = match fields.text("ifExists").as_deref() {
        None | Some("keep") => IfExists::Keep,
        Some("replace") => IfExists::Replace,
        Some("refresh") => IfExists::Refresh,
        Some("error") => IfExists::Error,
        Some(_) => fields.refuse("ifExists"),
    };
    let (key, spec, secrets) = new_task(fields, session);
    Call::Download { key, spec, secrets, if_exists }
}

fn resume_from(fields: &Fields<'_>, session: SessionId) -> Call {
    let data = fields.bytes("data").filter(|data| data.length() <= LONGEST_RESUME_DATA);
    let data = fields.required(data.map(|data| data.to_vec()), "data");
    let (key, spec, secrets) = new_task(fields, session);
    Call::ResumeFrom { key, spec, secrets, data }
}

fn new_task(fields: &Fields<'_>, session: SessionId) -> (TaskKey, TaskSpec, Vec<Header>) {
    let (task, mut spec) = spec(&fields.required_object("spec"), &fields.required_text("token"), None);
    let secrets = fields.pairs("secrets").unwrap_or_default();
    spec.request.has_secrets = !secrets.is_empty();
    (TaskKey { session, task }, spec, secrets)
}

fn download_all(fields: &Fields<'_>, session: SessionId) -> Call {
    let group = GroupId::new(&fields.required_name("group"));
    let token = fields.required_text("token");
    let members = fields.objects("members", |member| Some(spec(member, &token, Some(&group))));
    Call::DownloadAll {
        members: fields.required(members, "members"),
        group: GroupKey { session, group },
        fails_together: fields.is("failsTogether"),
        is_last: fields.is("last"),
    }
}

fn action(fields: &Fields<'_>) -> Option<BulkAction> {
    match fields.text("action").as_deref() {
        Some("pause") => Some(BulkAction::Pause),
        Some("resume") => Some(BulkAction::Resume),
        Some("cancel") => Some(BulkAction::Cancel),
        Some("release") => Some(BulkAction::Release),
        Some("release-file") => Some(BulkAction::ReleaseFile),
        _ => fields.refuse("action"),
    }
}

fn filter(fields: &Fields<'_>) -> Filter {
    let given = fields.texts("states");
    let mut states = 0;
    for state in given.iter().flatten() {
        let rank = ["active", "paused", "completed", "failed", "cancelled"].iter().position(|word| word == state);
        states |= 1_u8 << fields.required(rank, "states");
    }
    // No state at all would mean any.
    if states == 0 && given.is_some() {
        fields.refuse::<()>("states");
    }
    let group = fields.name("group").as_deref().map(GroupId::new);
    Filter { group, tag: fields.short_text("tag", NAME), states, unused_since: None }
}

fn page(fields: &Fields<'_>) -> u32 {
    fields.count("limit", LARGEST_PAGE).unwrap_or(USUAL_PAGE)
}
