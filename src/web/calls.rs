//! Calls as pages send them (`Call` in `js/protocol.ts`) become the engine's. Of each call the fields of its kind are read, and
//! no others.

use wasm_bindgen::JsValue;

use super::fields::{Fields, NAME, Read, bad, required};
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
    call(&Fields::of(message)).map_err(Into::into)
}

fn call(fields: &Fields) -> Read<Call> {
    let kind = required(fields.text("type")?, "type")?;
    if kind == "find" {
        let session = fields.name("session")?.as_deref().map(SessionId::new);
        return Ok(Call::Find(required(fields.text("url")?, "url")?, session));
    }
    let session = SessionId::new(&required(fields.name("session")?, "session")?);
    match kind.as_str() {
        "open" => open(fields, session),
        "update-session" => Ok(Call::UpdateSession(session, limits(&required(fields.object("limits")?, "limits")?)?)),
        "download" => download(fields, session),
        "resume-from" => resume_from(fields, session),
        "download-all" => download_all(fields, session),
        "select" => Ok(Call::Select {
            session,
            filter: filter(fields)?,
            after: fields.name("after")?.as_deref().map(TaskId::new),
            limit: page(fields)?,
        }),
        "bulk" => Ok(Call::Bulk { session, filter: filter(fields)?, action: action(fields)? }),
        "group" => Ok(Call::Group(GroupKey { session, group: required(group(fields)?, "group")? })),
        "history" => Ok(Call::History { session, before: fields.whole("before", 0, u64::MAX)?, limit: page(fields)? }),
        _ => {
            let task = TaskId::new(&required(fields.name("id")?, "id")?);
            Ok(Call::Task(TaskKey { session, task }, task_call(&kind, fields)?))
        }
    }
}

fn task_call(kind: &str, fields: &Fields) -> Read<TaskCall> {
    let offset = || required(fields.whole("offset", 0, u64::MAX)?, "offset");
    Ok(match kind {
        "task" => TaskCall::Get,
        "pause" => TaskCall::Pause,
        "resume" => TaskCall::Resume,
        "cancel" => TaskCall::Cancel { keep: fields.is("keep")? },
        "resume-data" => TaskCall::ResumeData,
        "release" => TaskCall::Release,
        "release-file" => TaskCall::ReleaseFile,
        "move" => TaskCall::MoveTo(destination(&required(fields.object("destination")?, "destination")?)?),
        "chunk" => TaskCall::Chunk { offset: offset()?, body: fields.text("body")?, waits: fields.is("waits")? },
        "check" => TaskCall::Check { offset: offset()?, body: fields.text("body")? },
        "serve" => TaskCall::Serve { range: fields.text("range")?, if_range: fields.text("ifRange")? },
        "update" => TaskCall::Update(policy(&required(fields.object("policy")?, "policy")?)?),
        "begun" => TaskCall::ExternalBegun {
            registration: required(fields.text("registration")?, "registration")?,
            refusal: fields.text("refusal")?,
        },
        "authorize" => TaskCall::Authorize {
            origin: required(fields.text("origin")?, "origin")?,
            headers: fields.pairs("headers")?,
            persist: fields.is("persist")?,
            source: fields.object("source")?.as_ref().map(source).transpose()?,
        },
        _ => return Err(bad("type")),
    })
}

fn open(fields: &Fields, session: SessionId) -> Read<Call> {
    let default = Configuration::default();
    let version = fields.count("version", u32::MAX)?.unwrap_or(default.version);
    let limits = Limits::default().patched(&limits(&required(fields.object("limits")?, "limits")?)?);
    let can_authorize = fields.is("canAuthorize")?;
    Ok(Call::Open(SessionRecord::new(session, Configuration { version, limits }, can_authorize)))
}

fn download(fields: &Fields, session: SessionId) -> Read<Call> {
    let if_exists = match fields.text("ifExists")?.as_deref() {
        None | Some("keep") => IfExists::Keep,
        Some("replace") => IfExists::Replace,
        Some("refresh") => IfExists::Refresh,
        Some("error") => IfExists::Error,
        Some(_) => return Err(bad("ifExists")),
    };
    let (key, spec, secrets) = new_task(fields, session)?;
    Ok(Call::Download { key, spec, secrets, if_exists })
}

fn resume_from(fields: &Fields, session: SessionId) -> Read<Call> {
    let data = required(fields.bytes("data")?.filter(|data| data.length() <= LONGEST_RESUME_DATA), "data")?.to_vec();
    let (key, spec, secrets) = new_task(fields, session)?;
    Ok(Call::ResumeFrom { key, spec, secrets, data })
}

fn new_task(fields: &Fields, session: SessionId) -> Read<(TaskKey, TaskSpec, Vec<Header>)> {
    let (task, mut spec) = spec(&required(fields.object("spec")?, "spec")?, &token(fields)?, None)?;
    let secrets = fields.pairs("secrets")?.unwrap_or_default();
    spec.request.has_secrets = !secrets.is_empty();
    Ok((TaskKey { session, task }, spec, secrets))
}

fn download_all(fields: &Fields, session: SessionId) -> Read<Call> {
    let group = required(group(fields)?, "group")?;
    let token = token(fields)?;
    let members = fields.objects("members", |member| spec(member, &token, Some(&group)))?;
    Ok(Call::DownloadAll {
        members: required(members, "members")?,
        group: GroupKey { session, group },
        fails_together: fields.is("failsTogether")?,
        is_last: fields.is("last")?,
    })
}

fn action(fields: &Fields) -> Read<BulkAction> {
    match fields.text("action")?.as_deref() {
        Some("pause") => Ok(BulkAction::Pause),
        Some("resume") => Ok(BulkAction::Resume),
        Some("cancel") => Ok(BulkAction::Cancel),
        Some("release") => Ok(BulkAction::Release),
        Some("release-file") => Ok(BulkAction::ReleaseFile),
        _ => Err(bad("action")),
    }
}

fn filter(fields: &Fields) -> Read<Filter> {
    let given = fields.texts("states")?;
    let mut states = 0;
    for state in given.iter().flatten() {
        let rank = ["active", "paused", "completed", "failed", "cancelled"].iter().position(|word| word == state);
        states |= 1_u8 << required(rank, "states")?;
    }
    // No state at all would mean any.
    if states == 0 && given.is_some() {
        return Err(bad("states"));
    }
    Ok(Filter { group: group(fields)?, tag: fields.short_text("tag", NAME)?, states, unused_since: None })
}

fn group(fields: &Fields) -> Read<Option<GroupId>> {
    Ok(fields.name("group")?.as_deref().map(GroupId::new))
}

fn token(fields: &Fields) -> Read<String> {
    required(fields.text("token")?, "token")
}

fn page(fields: &Fields) -> Read<u32> {
    Ok(fields.count("limit", LARGEST_PAGE)?.unwrap_or(USUAL_PAGE))
}
