//! A length that is only assumed. Some servers answer `bytes=0-` with no more than so many bytes. Where CORS hides
//! `Content-Range`, such a part looks like a whole file. So before a file is complete whose length nothing else tells, its
//! last byte is asked for once more, together with the one behind it: if one byte comes, it is the last.

use super::Engine;
use super::http::{self, Head, RestartReason, Verdict};
use super::id::TaskKey;
use super::ranges::Ranges;
use super::task::Task;

impl Task {
    /// Where the file ends if it is as long as was assumed; `None` if its length is known, or not even assumed.
    pub(super) fn assumed_length(&self) -> Option<u64> {
        let length = self.progress.complete_length().filter(|_| self.progress.length_is_assumed)?;
        (self.record.expects.length != Some(length)).then_some(length)
    }

    /// The segment that shows whether the file goes on behind its last byte, if that is all that is missing.
    pub(super) fn assumed_end(&self) -> Option<(u64, Option<u64>)> {
        let length = self.assumed_length().filter(|_| self.progress.has_every_byte())?;
        Some((length.saturating_sub(1), Some(length.saturating_add(1))))
    }

    /// Whether the answer to the request for that segment shows that the file ends there; `None` if it is about something else.
    pub(super) fn is_at_its_end(&self, verdict: &Verdict, head: &Head) -> Option<bool> {
        self.assumed_end()?;
        let agrees = matches!(verdict, Verdict::Body { restart: None, .. });
        http::shows_end(self.progress.representation.as_ref()?, agrees, head)
    }
}

impl Engine {
    /// The file ends where it was assumed to, or what came was a part of it: then it is asked for without a range.
    pub(super) fn end_is_shown(&mut self, key: &TaskKey, mut task: Task, is_end: bool) {
        if !is_end {
            return self.ask_again(key, task, Some(Ranges::Unproven), Some(RestartReason::RangesRefused));
        }
        task.progress.length_is_assumed = false;
        self.drop_attempts(key);
        self.finish(key, task, Vec::new());
    }
}
