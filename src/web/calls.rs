//! Calls as pages send them (`Call` in `js/protocol.ts`) become the engine's. Fields that belong to one kind of call
//! only are all here side by side: one flat shape decodes in less code than one shape for each kind.

use serde::Deserialize;

use super::specs::{DestinationMessage, HeaderMessage, LimitsMessage, PolicyMessage, SourceMessage, SpecMessage};
use super::values::{Bytes, NAME, bad, flag, name, required, text, whole};
use crate::engine::error::TaskError;
use crate::engine::filter::Filter;
use crate::engine::group::GroupKey;
use crate::engine::id::{GroupId, SessionId, TaskId, TaskKey};
use crate::engine::input::{BulkAction, Call, IfExists, TaskCall};
use crate::engine::session::{Configuration, Limits, SessionRecord};

/// The most members in one batch: all of them are written in one commit.
const LARGEST_BATCH: usize = 1_024;
/// The most tasks, or events, in one answer.
const LARGEST_PAGE: u64 = 1_000;
/// How many there are in an answer if the page does not say.
const USUAL_PAGE: u64 = 100;
/// The longest resume data, in bytes: it names a body and a list of ranges, and is far shorter.
const LONGEST_RESUME_DATA: usize = 64 << 10;

/// A call as it comes from a page.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallMessage {
    r#type: String,
    session: Option<String>,
    url: Option<String>,
    id: Option<String>,
    group: Option<String>,
    tag: Option<String>,
    states: Option<Vec<String>>,
    token: Option<String>,
    if_exists: Option<String>,
    spec: Option<SpecMessage>,
    members: Option<Vec<SpecMessage>>,
    secrets: Option<Vec<HeaderMessage>>,
    headers: Option<Vec<HeaderMessage>>,
    source: Option<SourceMessage>,
    data: Option<Bytes>,
    version: Option<f64>,
    limits: Option<LimitsMessage>,
    can_authorize: Option<bool>,
    policy: Option<PolicyMessage>,
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
    destination: Option<DestinationMessage>,
    registration: Option<String>,
    refusal: Option<String>,
}

impl CallMessage {
    /// The call.
    ///
    /// # Errors
    /// `bad-argument` with the name of the field that cannot be used, or `unsupported-scheme`.
    pub fn into_call(mut self) -> Result<Call, TaskError> {
        if self.r#type == "find" {
            let session = self.session.as_deref().map(|session| name(session, "session")).transpose()?;
            return Ok(Call::Find(required(self.url, "url")?, session.map(SessionId::new)));
        }
        let session = SessionId::new(name(&required(self.session.take(), "session")?, "session")?);
        match self.r#type.as_str() {
            "open" => {
                let default = Configuration::default();
                let version = whole(self.version, 1, u32::MAX.into(), "version")?;
                let limits = Limits::default().patched(&required(self.limits, "limits")?.into_patch()?);
                let version = version.map_or(default.version, |version| version as u32);
                let configuration = Configuration { version, limits };
                Ok(Call::Open(SessionRecord::new(session, configuration, flag(self.can_authorize))))
            }
            "update-session" => Ok(Call::UpdateSession(session, required(self.limits, "limits")?.into_patch()?)),
            "download" | "resume-from" => self.into_download(session),
            "download-all" => self.into_download_all(session),
            "select" => {
                let filter = self.filter()?;
                let after = self.after.as_deref().map(|id| name(id, "after")).transpose()?.map(TaskId::new);
                Ok(Call::Select { session, filter, after, limit: self.limit()? })
            }
            "bulk" => {
                let action = match self.action.as_deref() {
                    Some("pause") => BulkAction::Pause,
                    Some("resume") => BulkAction::Resume,
                    Some("cancel") => BulkAction::Cancel,
                    Some("release") => BulkAction::Release,
                    Some("release-file") => BulkAction::ReleaseFile,
                    _ => return Err(bad("action")),
                };
                Ok(Call::Bulk { session, filter: self.filter()?, action })
            }
            "group" => Ok(Call::Group(GroupKey { session, group: required(self.group()?, "group")? })),
            "history" => {
                let before = whole(self.before, 0, u64::MAX, "before")?;
                Ok(Call::History { session, before, limit: self.limit()? })
            }
            _ => {
                let task = TaskId::new(name(&required(self.id.take(), "id")?, "id")?);
                Ok(Call::Task(TaskKey { session, task }, self.into_task_call()?))
            }
        }
    }

    fn into_task_call(self) -> Result<TaskCall, TaskError> {
        Ok(match self.r#type.as_str() {
            "task" => TaskCall::Get,
            "pause" => TaskCall::Pause,
            "resume" => TaskCall::Resume,
            "cancel" => TaskCall::Cancel { keep: flag(self.keep) },
            "resume-data" => TaskCall::ResumeData,
            "release" => TaskCall::Release,
            "release-file" => TaskCall::ReleaseFile,
            "move" => TaskCall::MoveTo(required(self.destination, "destination")?.into_destination()?),
            "chunk" => TaskCall::Chunk {
                offset: required(whole(self.offset, 0, u64::MAX, "offset")?, "offset")?,
                body: self.body,
                waits: flag(self.waits),
            },
            "check" => TaskCall::Check {
                offset: required(whole(self.offset, 0, u64::MAX, "offset")?, "offset")?,
                body: self.body,
            },
            "serve" => TaskCall::Serve { range: self.range, if_range: self.if_range },
            "update" => TaskCall::Update(required(self.policy, "policy")?.into_patch()?),
            "begun" => TaskCall::ExternalBegun {
                registration: required(self.registration, "registration")?,
                refusal: self.refusal,
            },
            "authorize" => TaskCall::Authorize {
                origin: required(self.origin, "origin")?,
                headers: self.headers.map(|headers| headers.into_iter().map(HeaderMessage::into_header).collect()),
                persist: flag(self.persist),
                source: self.source.map(SourceMessage::into_source).transpose()?,
            },
            _ => return Err(bad("type")),
        })
    }

    fn into_download(self, session: SessionId) -> Result<Call, TaskError> {
        let token = required(self.token, "token")?;
        let (id, mut spec) = required(self.spec, "spec")?.into_spec(&token, None)?;
        let secrets: Vec<_> = self.secrets.into_iter().flatten().map(HeaderMessage::into_header).collect();
        spec.request.has_secrets = !secrets.is_empty();
        let key = TaskKey { session, task: id };
        if self.r#type == "resume-from" {
            let data = required(self.data, "data")?.0;
            let is_usable = data.len() <= LONGEST_RESUME_DATA;
            return if is_usable { Ok(Call::ResumeFrom { key, spec, secrets, data }) } else { Err(bad("data")) };
        }
        let if_exists = match self.if_exists.as_deref() {
            None | Some("keep") => IfExists::Keep,
            Some("replace") => IfExists::Replace,
            Some("refresh") => IfExists::Refresh,
            Some("error") => IfExists::Error,
            Some(_) => return Err(bad("ifExists")),
        };
        Ok(Call::Download { key, spec, secrets, if_exists })
    }

    fn into_download_all(self, session: SessionId) -> Result<Call, TaskError> {
        let group = required(self.group()?, "group")?;
        let token = required(self.token, "token")?;
        let members = required(self.members, "members")?;
        if members.len() > LARGEST_BATCH {
            return Err(bad("members"));
        }
        let members = members.into_iter().map(|member| member.into_spec(&token, Some(&group)));
        Ok(Call::DownloadAll {
            members: members.collect::<Result<_, _>>()?,
            group: GroupKey { session, group },
            fails_together: flag(self.fails_together),
            is_last: flag(self.last),
        })
    }

    fn filter(&self) -> Result<Filter, TaskError> {
        let mut states = 0;
        for state in self.states.iter().flatten() {
            let rank = ["active", "paused", "completed", "failed", "cancelled"].iter().position(|word| word == state);
            states |= 1_u8 << required(rank, "state")?;
        }
        // No state at all would mean any.
        if states == 0 && self.states.is_some() {
            return Err(bad("state"));
        }
        Ok(Filter { group: self.group()?, tag: text(self.tag.clone(), NAME, "tag")?, states, unused_since: None })
    }

    fn group(&self) -> Result<Option<GroupId>, TaskError> {
        Ok(self.group.as_deref().map(|group| name(group, "group")).transpose()?.map(GroupId::new))
    }

    fn limit(&self) -> Result<u32, TaskError> {
        Ok(whole(self.limit, 1, LARGEST_PAGE, "limit")?.unwrap_or(USUAL_PAGE) as u32)
    }
}
