//! What the engine says, as pages see it: the shapes of `js/protocol.ts`.

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::JsValue;

use crate::engine::error::TaskError;
use crate::engine::http::{Representation, Resumability};
use crate::engine::output::{Activity, TaskSnapshot};
use crate::engine::task::{EventKind, TaskEvent, TaskState};

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
    Message::new()
        .with("code", error.code.as_str())
        .with_some("status", error.status)
        .with_some("detail", error.detail.as_deref())
}

/// A `TaskSnapshot`.
pub fn task(snapshot: &TaskSnapshot) -> Message {
    let TaskSnapshot { record, progress, activity, .. } = snapshot;
    let representation = progress.representation.as_ref();
    let state = match (&record.state, activity) {
        (TaskState::Active { .. }, Activity::Running) => "running",
        (TaskState::Active { .. }, Activity::Waiting) => "waiting",
        (TaskState::Active { .. }, _) => "pending",
        (TaskState::Paused, _) => "paused",
        (TaskState::Completed, _) => "completed",
        (TaskState::Failed(_), _) => "failed",
        (TaskState::Cancelled, _) => "cancelled",
    };
    let wait = match &record.state {
        TaskState::Active { not_before, reason: Some(reason) } if *activity == Activity::Waiting => {
            Some((*not_before, *reason))
        }
        _ => None,
    };
    let failure = match &record.state {
        TaskState::Failed(failure) => Some(error(failure)),
        _ => None,
    };
    Message::new()
        .with("id", record.key.task.as_str())
        .with("url", record.spec.url.as_str())
        .with("state", state)
        .with_some("reason", wait.map(|(_, reason)| reason.as_str()))
        .with_some("waitUntil", wait.map(|(until, _)| number(until.0)))
        .with("receivedBytes", number(progress.received.len()))
        .with_some("completeLength", representation.and_then(|known| known.complete_length).map(number))
        .with("resumability", representation.map_or("unknown", resumability))
        .with_some("contentType", representation.and_then(|known| known.content_type.as_deref()))
        .with_some("description", record.spec.description.as_deref())
        .with_some("metadata", record.spec.metadata.as_deref())
        .with("createdAt", number(record.created_at.0))
        .with_some("endedAt", record.ended_at.map(|at| number(at.0)))
        .with("restarts", progress.restarts)
        .with_some("error", failure)
}

fn resumability(known: &Representation) -> &'static str {
    Resumability::as_str(known.resumability)
}

/// A `TaskEvent`.
pub fn event(event: &TaskEvent) -> Message {
    let kind = match event.kind {
        EventKind::Completed { .. } => "completed",
        EventKind::Failed(_) => "failed",
        EventKind::Cancelled => "cancelled",
        EventKind::Restarted(_) => "restarted",
    };
    let message = Message::of_type(kind)
        .with("seq", number(event.seq))
        .with("taskId", event.task.task.as_str())
        .with("at", number(event.at.0));
    match &event.kind {
        EventKind::Completed { bytes } => message.with("bytes", number(*bytes)),
        EventKind::Failed(failure) => message.with("error", error(failure)),
        EventKind::Cancelled => message,
        EventKind::Restarted(reason) => message.with("reason", reason.as_str()),
    }
}

/// An array of messages.
pub fn list<T>(items: &[T], message: impl Fn(&T) -> Message) -> Array {
    items.iter().map(|item| JsValue::from(message(item))).collect()
}
