//! The file in the app's hands: where its bytes are, and with which of them a request for its URL is answered.

use super::error::{ErrorCode, TaskError};
use super::http::{Representation, Selection, if_range_holds, is_strong_tag, name_of, select};
use super::id::BodyId;
use super::task::{Place, Task, TaskState};

/// A finished file's place in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLocation {
    /// Its body.
    pub body: BodyId,
    /// What readers know this version by: the body, and what its bytes were said to be. Of a version of which nothing has
    /// become durable the body may be another version's by now.
    pub name: String,
    /// Its length in bytes.
    pub length: u64,
    /// Its media type, as the server sent it.
    pub content_type: Option<String>,
}

/// With what a request for a file's URL is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Where its bytes are.
    pub file: FileLocation,
    /// Which of them are sent.
    pub selection: Selection,
    /// What tells this version from others: the server's tag if it is strong, else one of our own.
    pub etag: String,
    /// `Last-Modified`, as the server sent it.
    pub last_modified: Option<String>,
    /// The name that the server suggests, or its URL has, safe to use as a file's name.
    pub file_name: Option<String>,
}

/// A file that can be read, or will be, and what it is.
struct Found<'a> {
    file: FileLocation,
    known: Option<&'a Representation>,
}

impl FileLocation {
    fn new(body: BodyId, length: u64, known: Option<&Representation>) -> Self {
        let content_type = known.and_then(|known| known.content_type.clone());
        Self { body, name: name(body, length, known), length, content_type }
    }

    /// Whether it is what a reader has `begun` to read. The body alone names a finished file to who cannot tell more of it.
    fn is_what(&self, begun: Option<&str>) -> Result<(), TaskError> {
        match begun {
            Some(begun) if begun != self.name && begun != self.body.to_text() => {
                Err(TaskError::new(ErrorCode::FileChanged))
            }
            _ => Ok(()),
        }
    }
}

/// Where the task's finished file is. Who has `begun` to read one, as [`FileLocation::name`], is shown no other.
///
/// # Errors
/// `not-finished`, `file-released`, or `file-changed` if that body is not the file any more.
pub fn file_location(task: &Task, begun: Option<&str>) -> Result<FileLocation, TaskError> {
    let Found { file, .. } = finished(task).ok_or(TaskError::new(no_file(task)))?;
    file.is_what(begun).map(|()| file)
}

/// With what a request for the URL of the task's finished file is answered, by its `Range` and `If-Range`.
///
/// # Errors
/// `not-finished` or `file-released`.
pub fn service(task: &Task, range: Option<&str>, if_range: Option<&str>) -> Result<Service, TaskError> {
    finished(task).map(|found| serve(task, found, range, if_range)).ok_or(TaskError::new(no_file(task)))
}

/// All of the bytes that a task has, of which none is missing.
pub(super) fn whole_file(task: &Task) -> Service {
    let progress = &task.progress;
    let known = progress.representation.as_ref();
    let file = FileLocation::new(progress.body, progress.received.len(), known);
    serve(task, Found { file, known }, None, None)
}

fn no_file(task: &Task) -> ErrorCode {
    let is_gone = task.record.state == TaskState::Completed && task.record.place == Place::Gone;
    if is_gone { ErrorCode::FileReleased } else { ErrorCode::NotFinished }
}

/// [`file_location`] for one who waits for a file that is still on its way, of which `known` is known; `None` until that
/// tells its length.
///
/// # Errors
/// Why the task failed; or as there.
pub(super) fn file_to_come(
    task: &Task,
    known: Option<&Representation>,
    begun: Option<&str>,
) -> Result<Option<FileLocation>, TaskError> {
    let file = to_come(task, known)?.map(|found| found.file);
    match (&file, begun) {
        (Some(file), begun) => file.is_what(begun)?,
        // What is not known yet may still turn out to be the same.
        (None, Some(begun)) if !begun.starts_with(&task.progress.body.to_text()) => {
            return Err(TaskError::new(ErrorCode::FileChanged));
        }
        (None, _) => {}
    }
    Ok(file)
}

/// [`service`] for one who waits.
///
/// # Errors
/// Why the task failed.
pub(super) fn service_to_come(
    task: &Task,
    known: Option<&Representation>,
    range: Option<&str>,
    if_range: Option<&str>,
) -> Result<Option<Service>, TaskError> {
    Ok(to_come(task, known)?.map(|found| serve(task, found, range, if_range)))
}

fn finished(task: &Task) -> Option<Found<'_>> {
    let progress = &task.progress;
    let (body, length, known) = match &progress.previous {
        Some(previous) => (previous.body, previous.length, Some(&previous.representation)),
        None if task.record.state == TaskState::Completed && task.record.place != Place::Gone => {
            (progress.body, progress.received.len(), progress.representation.as_ref())
        }
        None => return None,
    };
    Some(Found { file: FileLocation::new(body, length, known), known })
}

fn to_come<'a>(task: &'a Task, known: Option<&'a Representation>) -> Result<Option<Found<'a>>, TaskError> {
    if let Some(found) = finished(task) {
        return Ok(Some(found));
    }
    match &task.record.state {
        TaskState::Failed(error) => Err(error.clone()),
        state if state.has_ended() => Err(TaskError::new(no_file(task))),
        _ => Ok(known.and_then(|known| known.complete_length).map(|length| {
            let file = FileLocation::new(task.progress.body, length, known);
            Found { file, known }
        })),
    }
}

fn serve(task: &Task, Found { file, known }: Found<'_>, range: Option<&str>, if_range: Option<&str>) -> Service {
    let known = known.cloned().unwrap_or_default();
    let file_name = name_of(&known, task.record.spec.url());
    // A name stands for one version, so it is as good as a strong tag.
    let own = || ["\"", &file.name, "\""].concat();
    let etag = known.etag.filter(|etag| is_strong_tag(etag)).unwrap_or_else(own);
    let last_modified = known.last_modified;
    let holds = if_range.is_none_or(|condition| if_range_holds(condition, &etag, last_modified.as_deref()));
    let selection = range.filter(|_| holds).map_or(Selection::Whole, |range| select(range, file.length));
    Service { file, selection, etag, last_modified, file_name }
}

/// The body, and a hash (FNV-1a) of what a reader is told of the version.
fn name(body: BodyId, length: u64, known: Option<&Representation>) -> String {
    let told = known.map(|known| [&known.etag, &known.last_modified, &known.content_type]).into_iter().flatten();
    let texts = told.flat_map(|told| told.as_deref().unwrap_or_default().bytes().chain([0]));
    let hash = length
        .to_le_bytes()
        .into_iter()
        .chain(texts)
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    [&body.to_text(), "-", &BodyId(hash.into()).to_text()[16..]].concat()
}
