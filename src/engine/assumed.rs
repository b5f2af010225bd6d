//! A length that is only assumed. Some servers answer `bytes=0-` with no more than so many bytes. Where CORS hides
//! `Content-Range`, such a part looks like a whole file. So before a file is complete whose length nothing else tells, its
//! last byte is asked for once more, together with the one behind it: if one byte comes, it is the last.

use super::Engine;
use super::http::{self, Head, Verdict};
use super::id::TaskKey;
use super::ranges::Ranges;
use super::task::Task;

impl Task {
    /// Where the file ends if it is as long as was assumed; `None` if its length is known, or not even assumed.
    pub(super) fn assumed_length(&self) -> Option<u64> {
        let length = self.progress.complete_length().filter(|_| self.progress.length_is_assumed)?;
        (self.record.expects.length != Some(length)).then_some(length)
    }

    /// The segment that shows whether the file goes on behind its last byte, if that is all that is missing. Not every server
    /// lets a page read that nothing is there, so one byte is asked for that is. Where parts are all that can be had, and a digest
    /// will prove that they belong together, the next part is.
    pub(super) fn assumed_end(&self) -> Option<(u64, Option<u64>)> {
        let length = self.assumed_length().filter(|_| self.progress.has_every_byte())?;
        let is_in_parts = self.progress.ranges == Ranges::Parts && self.record.spec.proof.is_of_the_app();
        Some(if is_in_parts { (length, None) } else { (length.saturating_sub(1), Some(length.saturating_add(1))) })
    }

    /// What the answer to the request for that segment shows; `None` if it is about something else.
    pub(super) fn end_shown(&self, verdict: &Verdict, head: &Head) -> Option<End> {
        let (_, behind) = self.assumed_end()?;
        let known = self.progress.representation.as_ref()?;
        let agrees = matches!(verdict, Verdict::Body { restart: None, .. });
        let is_end = http::ends(known, behind.is_none(), agrees, head)?;
        match verdict {
            _ if is_end => Some(End::Here),
            Verdict::Body { representation, .. } if behind.is_none() => {
                Some(End::Later(representation.complete_length))
            }
            // A part again, although no range was asked for: nothing tells the length.
            _ if self.progress.ranges.go_without() => None,
            _ => Some(End::Hidden),
        }
    }
}

/// Where a file ends of which all was there that its length promised.
pub(super) enum End {
    /// There.
    Here,
    /// Behind this part, or one that follows.
    Later(Option<u64>),
    /// Somewhere behind.
    Hidden,
}

impl Engine {
    /// The file is complete, or what is kept was a part of it. Whether the answer's body is read, as the next part.
    pub(super) fn goes_on_behind(&mut self, key: &TaskKey, task: &mut Task, end: &End) -> bool {
        match end {
            End::Here => {
                task.progress.length_is_assumed = false;
                self.drop_attempts(key);
                self.finish(key, task.clone(), Vec::new());
                false
            }
            End::Later(length) => {
                let known = self.slots.get_mut(key).and_then(|slot| slot.task.as_mut());
                // Durable with the first bytes.
                for task in known.into_iter().chain([task]) {
                    let known = task.progress.representation.iter_mut();
                    known.for_each(|known| known.complete_length = *length);
                }
                true
            }
            End::Hidden => {
                // Its length tells whether that is all of the file.
                self.ask_again(key, task.clone(), Some(Ranges::Unproven), None);
                false
            }
        }
    }
}
