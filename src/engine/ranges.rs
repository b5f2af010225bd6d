//! Whether requests carry `Range`. Servers, and what stands before them, do odd things to one that does: refuse it with a status
//! that says something else, or answer in a way that the browser does not hand out (Chromium: a content coding). One request
//! without settles whether it was the range. It is made at the first refusal, and ever more rarely while nothing answers.

use serde::{Deserialize, Serialize};

use super::Engine;
use super::ending::Wait;
use super::error::TaskError;
use super::id::TaskKey;
use super::output::Change;
use super::task::{Progress, Task};

/// After so many requests in a row that brought no answer the range is in doubt.
const DOUBTFUL_AFTER: u32 = 2;

/// What is known of the server's ranges (RFC 9110 section 14.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ranges {
    /// Nothing speaks against them.
    #[default]
    Open,
    /// They are not honoured: no request carries one any more.
    Useless,
    /// A part came, and nothing proves that another is of the same version: the next request goes without.
    Unproven,
    /// A request with one was refused: the next one goes without.
    Refused,
    /// Requests with one brought no answer, or that the server is busy: the next one goes without.
    Doubted,
    /// The one without was answered: the next one with a range decides.
    Answered,
    /// They are not to blame.
    Settled,
    /// A request without one is refused, and nothing proves that two parts are of one version: the parts are taken as they
    /// come, one after the other.
    Parts,
}

impl Ranges {
    /// Whether the next request carries none.
    pub fn go_without(self) -> bool {
        matches!(self, Self::Useless | Self::Unproven | Self::Refused | Self::Doubted)
    }

    /// Whether the next answer decides.
    pub(super) fn is_in_question(self) -> bool {
        matches!(self, Self::Refused | Self::Doubted)
    }

    /// After a request was refused with a status that may be about its range; `None` if it is not, as far as is known.
    fn refused(self) -> Option<Self> {
        match self {
            Self::Open => Some(Self::Refused),
            Self::Answered => Some(Self::Useless),
            Self::Unproven => Some(Self::Parts),
            _ => None,
        }
    }

    /// After `times` requests in a row that brought no answer of use; `None` if it says nothing new.
    fn unanswered(self, times: u32) -> Option<Self> {
        match self {
            // What settled it may have been an accident as well.
            Self::Open | Self::Settled if times >= DOUBTFUL_AFTER && times.is_power_of_two() => Some(Self::Doubted),
            Self::Answered => Some(Self::Useless),
            _ => None,
        }
    }

    /// After an answer that brings the file, perhaps in a content coding. `keeps`: bytes are kept, which are worth a request.
    fn answered(self, is_coded: bool, keeps: bool) -> Self {
        match self {
            Self::Refused if keeps => Self::Answered,
            Self::Refused | Self::Unproven => Self::Useless,
            Self::Doubted if is_coded => Self::Useless,
            Self::Doubted => Self::Answered,
            Self::Open | Self::Answered => Self::Settled,
            known => known,
        }
    }

    /// The request without a range fared no better.
    fn in_vain(self) -> Self {
        if matches!(self, Self::Refused | Self::Doubted) { Self::Settled } else { self }
    }
}

/// Whether the status may be about the range: what filters and servers send that do not know it. 416 is judged by itself.
fn may_be_about_range(status: Option<u16>) -> bool {
    matches!(status, Some(400 | 403 | 404 | 405 | 406 | 412 | 501))
}

impl Engine {
    /// The answer was a refusal. Asks once without a range, if that may be the cause; the task's bytes stay until then.
    pub(super) fn ask_without_range(
        &mut self,
        key: &TaskKey,
        source: usize,
        task: &mut Task,
        error: &TaskError,
    ) -> bool {
        if source > 0 {
            return false;
        }
        let ranges = task.progress.ranges;
        let next = ranges.refused().filter(|_| may_be_about_range(error.status));
        task.progress.ranges = next.unwrap_or(ranges.in_vain());
        if next.is_some() {
            self.ask_anew(key, task.clone());
        }
        next.is_some()
    }

    /// No head came that could be used, and the task is about to wait. Whether it asks at once instead, the range being to blame.
    pub(super) fn doubt_range(&mut self, key: &TaskKey, task: &mut Task, wait: Wait) -> bool {
        let ranges = task.progress.ranges;
        let times = 1 + if matches!(wait, Wait::Busy(_)) { task.progress.busy } else { task.progress.failures };
        if ranges == Ranges::Doubted {
            task.progress.ranges = ranges.in_vain();
        }
        // Nor is it the range if the network is down.
        let may_be = task.progress.knows_no_range() && matches!(wait, Wait::Backoff | Wait::Busy(_));
        let Some(next) = ranges.unanswered(times).filter(|_| may_be) else { return false };
        task.progress.ranges = next;
        if next == Ranges::Useless {
            self.ask_anew(key, task.clone());
        }
        next == Ranges::Useless
    }

    /// The task is about to ask its host first, whose troubles may all be about ranges. If it has nothing to lose by that, it
    /// goes without one: an answer lets all tasks go on, and without one it is the host.
    pub(super) fn doubt_range_first(&mut self, key: &TaskKey, task: &mut Task) {
        if task.progress.received.is_empty() && task.progress.ranges == Ranges::Open {
            task.progress.ranges = Ranges::Doubted;
            if let Some(known) = self.slots.get_mut(key).and_then(|slot| slot.task.as_mut()) {
                // Durable with what comes of it.
                known.progress.ranges = task.progress.ranges;
            }
        }
    }

    /// What an answer with the file says of ranges. Whether it is let go, since the next one decides.
    pub(super) fn settle_range(&mut self, key: &TaskKey, task: &mut Task, is_coded: bool) -> bool {
        let before = task.progress.ranges;
        task.progress.ranges = before.answered(is_coded, !task.progress.received.is_empty());
        if let Some(known) = self.slots.get_mut(key).and_then(|slot| slot.task.as_mut()) {
            // Durable with the first bytes.
            known.progress.ranges = task.progress.ranges;
        }
        if before.go_without() && task.progress.ranges == Ranges::Answered {
            self.ask_anew(key, task.clone());
            return true;
        }
        false
    }

    /// More bytes came than were announced. Whether a coding that CORS hides may be why: the length was that of the coded bytes.
    pub(super) fn may_be_coded(&self, task: &Task) -> bool {
        let hides = task.progress.representation.as_ref().is_some_and(|known| !known.same_origin);
        hides && !task.progress.ranges.go_without()
    }

    /// Answers from another origin cannot be read, again and again. Asks without a range, as often, before CORS is blamed.
    pub(super) fn doubt_range_before_cors(&mut self, key: &TaskKey, source: usize, task: &Task) -> bool {
        let may_be = source == 0 && task.progress.received.is_empty();
        let ranges = task.progress.ranges;
        if !may_be || (ranges.go_without() && ranges != Ranges::Doubted) || ranges == Ranges::Answered {
            return false;
        }
        if let Some(slot) = self.slots.get_mut(key) {
            slot.suspicions = 0;
        }
        let mut task = task.clone();
        // The server was reached each time, so that an answer to the one without settles it.
        task.progress.ranges = Ranges::Refused;
        self.ask_anew(key, task);
        true
    }

    fn ask_anew(&mut self, key: &TaskKey, task: Task) {
        self.drop_attempts(key);
        let changes = vec![Change::PutProgress(key.clone(), task.progress.clone())];
        self.commit_transfer(key, task, None, changes);
    }
}

impl Progress {
    /// Whether no bytes are kept that its own server has brought: those came by a range.
    fn knows_no_range(&self) -> bool {
        self.received.is_empty() || self.told_elsewhere
    }

    /// Whether a request that brought no answer had a range that may be to blame.
    pub(super) fn may_be_range(&self) -> bool {
        self.knows_no_range() && matches!(self.ranges, Ranges::Open | Ranges::Answered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_without_settles_it() {
        assert_eq!(Ranges::Open.refused(), Some(Ranges::Refused));
        assert_eq!(Ranges::Refused.answered(false, false), Ranges::Useless);
        assert_eq!(Ranges::Refused.answered(false, true), Ranges::Answered, "once may be an accident");
        assert_eq!(Ranges::Refused.in_vain(), Ranges::Settled);
        for settled in [Ranges::Settled, Ranges::Useless, Ranges::Parts, Ranges::Refused, Ranges::Doubted] {
            assert_eq!((settled.refused(), settled.unanswered(9)), (None, None), "{settled:?}");
        }
        assert_eq!(Ranges::Unproven.refused(), Some(Ranges::Parts), "what came by ranges is all there is");
        let asked = (0..41).filter(|times| Ranges::Settled.unanswered(*times).is_some()).count();
        assert_eq!(asked, 5, "of forty");
    }

    #[test]
    fn a_network_that_was_down_is_not_taken_for_a_range_that_is_refused() {
        assert_eq!((Ranges::Open.unanswered(1), Ranges::Open.unanswered(2)), (None, Some(Ranges::Doubted)));
        assert_eq!(Ranges::Doubted.answered(false, false), Ranges::Answered, "it may only have been the network");
        assert_eq!(Ranges::Answered.answered(false, false), Ranges::Settled);
        assert_eq!(
            Ranges::Open.answered(false, false),
            Ranges::Settled,
            "what was answered once is not to blame later"
        );
        assert_eq!(Ranges::Answered.unanswered(1), Some(Ranges::Useless));
        assert_eq!(Ranges::Doubted.answered(true, false), Ranges::Useless, "that explains it");
        assert_eq!(Ranges::Doubted.in_vain(), Ranges::Settled);
    }
}
