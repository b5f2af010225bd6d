//! What came instead of the file: a page to log in, a captive portal, an error with status 200. What the app knows of its
//! file, and what is kept of it, tell. Nothing is lost for such an answer.

use super::Engine;
use super::ending::Wait;
use super::error::{ErrorCode, TaskError};
use super::http::{self, Head, Resumability, Verdict};
use super::id::{EffectId, TaskKey};
use super::output::Change;
use super::task::Task;

/// What speaks against an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unexpected {
    /// It is what a page that stands before the file looks like.
    Page,
    /// It has another length than the app says.
    Length(u64),
}

impl Unexpected {
    /// What speaks against the file that an answer brings, if it is not known by its validators to be the one that is kept.
    pub fn of(verdict: &Verdict, task: &Task, head: &Head) -> Option<Self> {
        let (length, restarts) = match verdict {
            Verdict::Body { representation, restart, .. } => (representation.complete_length, restart.is_some()),
            Verdict::Empty(_) => (Some(0), false),
            Verdict::AskAgain { restart: Some(_), .. } if http::is_empty(head) => (Some(0), true),
            _ => return None,
        };
        let expects = &task.record.expects;
        let kept = task.progress.representation.as_ref().filter(|_| !task.progress.received.is_empty());
        if kept.is_some() && !restarts {
            return None;
        }
        let is_other = kept.is_some_and(|kept| http::is_interposed(kept, head, length));
        if is_other || !http::is_accepted(&expects.accept, head) {
            return Some(Self::Page);
        }
        length.filter(|length| expects.length.is_some_and(|told| told != *length)).map(Self::Length)
    }

    /// As the app is told of it.
    pub fn error(self, head: &Head) -> (Self, TaskError) {
        let detail = match self {
            Self::Page => head.content_type.clone(),
            Self::Length(length) => Some([&length.to_string(), " bytes"].concat()),
        };
        (self, TaskError { code: ErrorCode::UnexpectedContent, status: Some(head.status), detail })
    }
}

/// The verdict under the task's own demands: strong validators only, or a length that the app knows.
pub(super) fn demand(task: &Task, verdict: Verdict, head: &Head) -> Verdict {
    let Verdict::Body { mut representation, start, mut end, restart } = verdict else { return verdict };
    if task.record.spec.strong_only {
        representation = representation.demand_strong();
        if !representation.is_resumable() && end != representation.complete_length {
            // A part that nothing may continue is of no use.
            return Verdict::AskAgain { without_range: true, restart };
        }
    }
    let expected = task.record.expects.length;
    if let Some(length) = expected {
        let is_whole = start == 0 && end == representation.complete_length;
        match representation.complete_length {
            // Where the server tells no length, the app's word tells a cut from the end.
            None if is_whole => {
                (representation.complete_length, end) = (expected, expected);
                representation.resumability = Resumability::RestartOnly;
            }
            // It may be that of coded bytes, whose coding CORS hides.
            Some(told) if told != length && !head.all_headers_readable && !task.progress.ranges.go_without() => {
                return Verdict::AskAgain { without_range: true, restart };
            }
            _ => {}
        }
    }
    Verdict::Body { representation, start, end, restart }
}

impl Engine {
    /// All bytes of another version have come, but they are hardly that: what was set aside is taken back, and the task waits.
    /// `changes` are not made.
    pub(super) fn refuse_a_fraction(&mut self, key: &TaskKey, mut task: Task, changes: &[Change]) {
        self.discard(changes);
        self.drop_attempts(key);
        let detail = task.progress.representation.as_ref().and_then(|known| known.content_type.clone());
        let unused = task.progress.take_back().map(Change::KillBody);
        let error = TaskError { code: ErrorCode::UnexpectedContent, status: None, detail };
        self.try_again(key, task, unused.into_iter().collect(), error, Wait::Backoff);
    }

    /// The task waits until the app has said who asks, or for a while: then the file may be there.
    pub(super) fn wait_for_the_file(
        &mut self,
        key: &TaskKey,
        id: EffectId,
        task: Task,
        (what, error): (Unexpected, TaskError),
    ) {
        let is_own = self.slots.get_mut(key).and_then(|slot| slot.attempt(id)).is_some_and(|one| one.source == 0);
        if is_own && what == Unexpected::Page && self.can_ask(&key.session) {
            self.drop_attempts(key);
            return self.refused(key, task, error);
        }
        self.fail_source(key, id, task, error, Some(Wait::Backoff));
    }
}
