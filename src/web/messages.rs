//! What the engine says, as pages see it: the shapes of `js/protocol.ts`.

use std::ops::Range;

use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::engine::error::TaskError;
use crate::engine::file::{FileLocation, Service};
use crate::engine::group::{GroupCounts, GroupKey};
use crate::engine::http::{Selection, name_of};
use crate::engine::id::TaskKey;
use crate::engine::output::{Activity, Answer, AuthorizationNeed, BeginRequest, TaskSnapshot};
use crate::engine::request::{AnswerInfo, Header};
use crate::engine::task::{EventKind, Place, Subject, TaskEvent, TaskState};

#[wasm_bindgen]
extern "C" {
    /// An `ErrorData`: `js/error-data.ts`, which the build gives to the glue by this name.
    #[wasm_bindgen(js_name = errorData)]
    fn error_data(code: &str, status: Option<u16>, detail: Option<&str>) -> Object;
}

/// Builds an object property by property. Small and flat messages need no serializer.
pub struct Message(Object);

impl Message {
    /// An empty object.
    pub fn new() -> Self {
        Self(Object::new())
    }

    /// A message to a page.
    pub fn of_type(kind: &str) -> Self {
        Self::new().with("type", kind)
    }

    /// With a property.
    pub fn with(self, name: &str, value: impl Into<JsValue>) -> Self {
        // Setting a property of an ordinary object cannot fail.
        let _ = Reflect::set(&self.0, &name.into(), &value.into());
        self
    }

    /// With a property, if there is a value.
    pub fn with_some(self, name: &str, value: Option<impl Into<JsValue>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

impl From<Message> for JsValue {
    fn from(message: Message) -> Self {
        message.0.into()
    }
}

/// A whole number as JavaScript has them.
pub fn number(value: u64) -> f64 {
    value as f64
}

/// An `ErrorData`.
pub fn error(error: &TaskError) -> Message {
    Message(error_data(error.code.as_str(), error.status, error.detail.as_deref()))
}

/// A `TaskSnapshot`.
pub fn task(snapshot: &TaskSnapshot) -> Message {
    let TaskSnapshot { record, progress, activity, waiting, last_error, .. } = snapshot;
    let spec = &record.spec;
    let known = progress.representation.as_ref();
    let state = match (&record.state, activity) {
        (TaskState::Active { .. }, Activity::Running) => "running",
        (TaskState::Active { .. }, Activity::Waiting) => "waiting",
        (TaskState::Active { .. }, _) => "pending",
        (TaskState::Paused, _) => "paused",
        (TaskState::Completed, _) => "completed",
        (TaskState::Failed(_), _) => "failed",
        (TaskState::Cancelled, _) => "cancelled",
    };
    let failure = match &record.state {
        TaskState::Failed(failure) => Some(error(failure)),
        _ => None,
    };
    let is_complete = record.state == TaskState::Completed;
    let (file, file_failure) = match &record.place {
        Place::Leaving(_) if is_complete => (Some("moving"), None),
        Place::Gone => (Some("gone"), None),
        Place::Staying(failure) => (None, Some(error(failure))),
        _ => (None, None),
    };
    Message::new()
        .with("id", record.key.task.as_str())
        .with("url", spec.url())
        .with("state", state)
        .with_some("reason", waiting.map(|waiting| waiting.reason.as_str()))
        .with_some("waitingSince", waiting.map(|waiting| number(waiting.since.0)))
        .with_some("waitUntil", waiting.and_then(|waiting| waiting.until).map(|until| number(until.0)))
        .with("receivedBytes", number(progress.received.len()))
        .with_some("completeLength", progress.complete_length().map(number))
        .with("resumability", known.map_or("unknown", |known| known.resumability.as_str()))
        .with_some("resumabilityReason", known.map(|known| known.reason.as_str()))
        .with_some("contentType", known.and_then(|known| known.content_type.as_deref()))
        .with_some("fileName", known.and_then(|known| name_of(known, spec.url())))
        .with_some("answer", progress.answer.as_ref().map(answer_info))
        .with_some("group", spec.group.as_ref().map(|group| group.as_str()))
        .with_some("tag", spec.tag.as_deref())
        .with_some("description", spec.description.as_deref())
        .with_some("metadata", spec.metadata.as_deref())
        .with("priority", spec.policy.priority.as_str())
        .with("segments", snapshot.segments)
        .with("hasPreviousFile", progress.previous.is_some())
        .with("createdAt", number(record.created_at.0))
        .with_some("endedAt", record.ended_at.map(|at| number(at.0)))
        .with("restarts", progress.restarts)
        .with("repairs", progress.repairs)
        .with_some("lastError", last_error.as_ref().map(|(last, at)| error(last).with("at", number(at.0))))
        .with_some("error", failure)
        .with_some("file", file)
        .with_some("fileError", file_failure)
}

/// An `AnswerInfo`.
fn answer_info(info: &AnswerInfo) -> Message {
    Message::new()
        .with("status", info.status)
        .with_some("finalUrl", info.final_url.as_deref())
        .with("headers", pairs(&info.headers))
}

/// A `GroupCounts`.
pub fn counts(counts: &GroupCounts) -> Message {
    Message::new()
        .with("active", number(counts.active))
        .with("paused", number(counts.paused))
        .with("completed", number(counts.completed))
        .with("failed", number(counts.failed))
        .with("cancelled", number(counts.cancelled))
        .with("total", number(counts.total()))
}

/// A `TaskEvent`.
pub fn event(event: &TaskEvent) -> Message {
    let kind = match event.kind {
        EventKind::Completed { .. } => "completed",
        EventKind::NotModified => "not-modified",
        EventKind::Failed(_) => "failed",
        EventKind::RefreshFailed(_) => "refresh-failed",
        EventKind::Cancelled => "cancelled",
        EventKind::Restarted(_) => "restarted",
        EventKind::GroupEnded(_) => "group-ended",
        EventKind::Moved => "moved",
        EventKind::MoveFailed(_) => "move-failed",
        EventKind::Damaged => "damaged",
    };
    let message = Message::of_type(kind).with("seq", number(event.seq)).with("at", number(event.at.0));
    let message = match &event.subject {
        Subject::Task(task) => message.with("taskId", task.as_str()),
        Subject::Group(group) => message.with("groupId", group.as_str()),
        Subject::Session => message,
    };
    match &event.kind {
        EventKind::Completed { bytes } => message.with("bytes", number(*bytes)),
        EventKind::Failed(failure) | EventKind::RefreshFailed(failure) | EventKind::MoveFailed(failure) => {
            message.with("error", error(failure))
        }
        EventKind::NotModified | EventKind::Cancelled | EventKind::Moved | EventKind::Damaged => message,
        EventKind::Restarted(reason) => message.with("reason", reason.as_str()),
        EventKind::GroupEnded(ended) => message.with("counts", counts(ended)),
    }
}

/// A group's new counts, for a page.
pub fn group(key: &GroupKey, now: &GroupCounts) -> Message {
    Message::of_type("group")
        .with("session", key.session.as_str())
        .with("id", key.group.as_str())
        .with("counts", counts(now))
}

/// An `AuthorizeMessage`.
pub fn authorize(key: &TaskKey, need: &AuthorizationNeed) -> Message {
    Message::of_type("authorize")
        .with("session", key.session.as_str())
        .with("id", key.task.as_str())
        .with("url", need.url.as_str())
        .with_some("status", need.status)
}

/// A `BeginMessage`.
pub fn begin(key: &TaskKey, request: &BeginRequest) -> Message {
    let BeginRequest { registration, url, headers, credentials, parts, title, ui } = request;
    // As `Range` has them: both ends are inside.
    Message::of_type("begin")
        .with("session", key.session.as_str())
        .with("id", key.task.as_str())
        .with("registration", registration.as_str())
        .with("url", url.as_str())
        .with("headers", pairs(headers))
        .with("credentials", credentials.as_str())
        .with("ranges", parts.iter().map(format_range).collect::<Array>())
        .with_some("title", title.as_deref())
        .with_some("ui", ui.as_deref())
}

fn format_range(range: &Range<u64>) -> JsValue {
    ["bytes=", &range.start.to_string(), "-", &(range.end - 1).to_string()].concat().into()
}

fn pairs(headers: &[Header]) -> Array {
    headers.iter().map(|(name, value)| JsValue::from(Array::of2(&name.into(), &value.into()))).collect()
}

/// What a call is answered with, but for a chunk, whose bytes the driver has to fetch first.
pub fn answer(answer: Answer) -> Message {
    let message = Message::new();
    match answer {
        Answer::Opened { version, differs } => message.with("version", version).with("differs", differs),
        Answer::Download(made, created) => message.with("task", task(&made)).with("created", created),
        Answer::Accepted(created, now) => {
            message.with("created", created).with_some("counts", now.as_ref().map(counts))
        }
        Answer::Task(found) => message.with("task", task(&found)),
        Answer::ResumeData(found, data) => message
            .with("task", task(&found))
            .with_some("resumeData", data.map(|data| Uint8Array::from(data.as_slice()).buffer())),
        Answer::Tasks(tasks, next) => {
            message.with("tasks", list(&tasks, task)).with_some("next", next.as_ref().map(|id| id.as_str()))
        }
        Answer::Done(count) => message.with("count", number(count)),
        Answer::Group(now) => message.with("counts", counts(&now)),
        Answer::History(events) => message.with("events", list(&events, event)),
        Answer::Serve(service) => serve(&service),
        Answer::Found(None) => message,
        Answer::Found(Some(key)) => message.with("session", key.session.as_str()).with("id", key.task.as_str()),
        Answer::Released | Answer::Chunk(..) | Answer::Check(..) => message,
    }
}

/// A chunk of a file, and where it lies; none at the file's end.
pub fn chunk(found: Option<(JsValue, u64, u64)>, file: &FileLocation) -> Message {
    let (chunk, start, len) = found.map_or((None, 0, 0), |(chunk, start, len)| (Some(chunk), start, len));
    Message::new()
        .with("start", number(start))
        .with_some("chunk", chunk)
        .with("length", number(len))
        .with("body", file.name.as_str())
        .with_some("contentType", file.content_type.as_deref())
}

/// The answer to a request for a file's URL.
fn serve(service: &Service) -> Message {
    let Service { file, selection, etag, last_modified, file_name } = service;
    let whole = 0..file.length;
    let (status, parts): (u16, &[Range<u64>]) = match selection {
        Selection::Whole => (200, std::slice::from_ref(&whole)),
        Selection::One(part) => (206, std::slice::from_ref(part)),
        Selection::Many(parts) => (206, parts),
        Selection::Unsatisfiable => (416, &[]),
    };
    let part = |part: &Range<u64>| JsValue::from(Array::of2(&number(part.start).into(), &number(part.end).into()));
    Message::new()
        .with("status", status)
        .with("parts", parts.iter().map(part).collect::<Array>())
        .with("length", number(file.length))
        .with("body", file.name.as_str())
        .with("etag", etag.as_str())
        .with_some("lastModified", last_modified.as_deref())
        .with_some("contentType", file.content_type.as_deref())
        .with_some("fileName", file_name.as_deref())
}

/// An array of messages.
pub fn list<T>(items: &[T], message: impl Fn(&T) -> Message) -> Array {
    items.iter().map(|item| JsValue::from(message(item))).collect()
}
