//! A resident task: what is committed of it, what is being done with it, and who waits for it. One load or commit at
//! a time, so that commands and checkpoints of a task never race.

use std::collections::VecDeque;

use super::attempt::Attempt;
use super::demand::Demand;
use super::external::External;
use super::filing::Filing;
use super::http::Representation;
use super::id::{BodyId, CallId, EffectId};
use super::input::{IfExists, TaskCall};
use super::output::LastError;
use super::pace::Pace;
use super::plan::Link;
use super::range_set::RangeSet;
use super::request::{AnswerInfo, Header};
use super::resume_data::Claim;
use super::task::{Task, TaskEvent, TaskSpec};
use super::time::Timestamp;
use crate::integrity::{Expected, HashState};

/// A call about one task, waiting for its turn.
#[derive(Clone, Debug)]
pub enum Queued {
    /// Make it.
    Download(TaskSpec, Vec<Header>, IfExists),
    /// Make it from the bytes that resume data names.
    ResumeFrom(TaskSpec, Vec<Header>, Claim),
    /// Do something with it.
    Task(TaskCall),
    /// Do it as one of the many that a filter has named, provided that it still is the task, made by the call with this
    /// token, that was found.
    AsNamed(TaskCall, String),
}

/// Who asked, and is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A page's call.
    Call(CallId),
    /// A call about many tasks.
    Batch(u64),
    /// The engine itself.
    Engine,
}

/// What the attempts at hand are fetching, as the first answer told. It is committed with the first bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// The representation.
    pub representation: Representation,
    /// What the answer said.
    pub answer: Option<AnswerInfo>,
    /// What the digest must be.
    pub expected: Option<Expected>,
    /// The body of the version before, if there are bytes of it: until the restart is durable the checkpoint is still of that.
    pub replaces: Option<BodyId>,
    /// See [`super::progress::Progress::told_elsewhere`].
    pub told_elsewhere: bool,
    /// See [`super::progress::Progress::length_is_assumed`].
    pub length_is_assumed: bool,
}

/// The task's place in memory.
#[derive(Debug, Default)]
pub struct Slot {
    /// As the last commit left it; `None` if it is not known to exist.
    pub task: Option<Task>,
    /// Whether a load or commit of it is in flight.
    pub busy: bool,
    /// Calls that wait for that.
    pub queue: VecDeque<(Asker, Queued)>,
    /// The attempts that run.
    pub attempts: Vec<Attempt>,
    /// What they are fetching.
    pub current: Option<Current>,
    /// How often in a row storage has not done what the task needed.
    pub refusals: u32,
    /// Until then the engine asks for nothing that storage would only refuse again.
    pub hold_until: Timestamp,
    /// Bytes whose commit is in flight.
    pub staged: RangeSet,
    /// Hashing of stored bytes, while it goes on.
    pub hashing: Option<EffectId>,
    /// What it brought and is not committed yet.
    pub hashed: Option<HashState>,
    /// Pieces that were found to be right, or wrong, since the last commit.
    pub judged_pieces: Vec<(std::ops::Range<u64>, bool)>,
    /// Whether the commit in flight makes any of that durable: until it is answered, storage is behind what is known.
    pub stages_checks: bool,
    /// What is known of its connections.
    pub link: Link,
    /// Whether a connection of its was cut while it was here.
    pub was_cut: bool,
    /// How many segments the server bears at the same time: falls when one of several is refused or cut, rises with
    /// every checkpoint.
    pub bearable_segments: u32,
    /// No more segments before: the server did not bear them.
    pub more_after: Timestamp,
    /// Silent attempts are not replaced before, whatever gets better.
    pub replace_after: Timestamp,
    /// Sources that failed since the last progress, as a set of bits.
    pub failed_sources: u32,
    /// Where its own server has redirected to: all bytes of a version come from there. It may be signed, and is never stored.
    pub target: Option<String>,
    /// Whether its last attempt has ended with all that its answer promised.
    pub has_part: bool,
    /// How far ahead of its bandwidth limit it is.
    pub pace: Pace,
    /// When reading may go on, if a bandwidth limit holds it.
    pub read_at: Option<Timestamp>,
    /// The status with which the server refused it, while it waits for authorisation.
    pub refused_with: Option<u16>,
    /// How often in a row no answer could be read from a server that can be reached, or no redirect followed.
    pub suspicions: u32,
    /// What finds out about that, while it is under way…
    pub probe: Option<EffectId>,
    /// …and of which source.
    pub probed_source: usize,
    /// What went wrong last, and when. In memory only: whether it still says why the task waits tells `Engine::last_error`.
    pub last_error: Option<LastError>,
    /// What becomes of it once it is complete, if it is to leave the store.
    pub filing: Filing,
    /// Who waits for bytes of it.
    pub demands: Vec<Demand>,
    /// What is known of it while it is with the browser.
    pub external: External,
}

impl Slot {
    /// A task that storage has just told about.
    pub fn resident(task: Task) -> Self {
        Self { task: Some(task), ..Self::default() }
    }

    /// Whether an attempt at it or a check of its bytes is going on, or they are being filed.
    pub fn is_running(&self) -> bool {
        !self.attempts.is_empty() || self.hashing.is_some() || self.probe.is_some() || self.filing.is_at_work()
    }

    /// When something is to be done with the task that is not being done.
    pub fn due(&self) -> Option<Timestamp> {
        self.task.as_ref().filter(|_| !self.is_running()).and_then(|task| task.record.due())
    }

    /// When something is to be done about it, if nothing happens before.
    pub fn next_time(&self, now: Timestamp) -> Option<Timestamp> {
        let due = self.due().filter(|due| !self.busy && *due > now);
        let active = self.task.as_ref().filter(|task| !self.busy && task.record.state.is_active());
        let moment = active.and_then(|task| task.record.spec.policy.discretionary_until).filter(|until| *until > now);
        let held = Some(self.hold_until).filter(|until| *until > now);
        [due, self.ends_at(), moment, held, self.read_at, self.look_time()].into_iter().flatten().min()
    }

    /// When the transfer has taken longer than it may, and that can be noted.
    pub fn ends_at(&self) -> Option<Timestamp> {
        let task = self.task.as_ref().filter(|task| !self.busy && task.record.state.is_active())?;
        let limit_ms = task.record.spec.policy.resource_timeout_ms?;
        Some(task.record.created_at.after(limit_ms).max(self.hold_until))
    }

    /// What the bytes that are kept, or being fetched, are bytes of.
    pub fn known(&self) -> Option<&Representation> {
        let kept = self.task.as_ref().and_then(|task| task.progress.representation.as_ref());
        self.current.as_ref().map(|current| &current.representation).or(kept)
    }

    /// Whether its attempts can be ended without losing what they have brought.
    pub fn can_go_on(&self) -> bool {
        self.known().is_none_or(Representation::is_resumable)
            || self.attempts.iter().all(|attempt| attempt.reading.is_none())
    }

    /// What the digest must be: the app's word, or the server's of the version that is being fetched.
    pub fn expected(&self) -> Option<&Expected> {
        let task = self.task.as_ref()?;
        let current = self.current.as_ref().filter(|_| task.progress.received.is_empty() || self.is_restarting());
        let told = current.map_or(&task.progress.expected, |current| &current.expected);
        task.record.spec.proof.expected.as_ref().or(told.as_ref())
    }

    /// Whether another version is being fetched than the checkpoint is of.
    pub fn is_restarting(&self) -> bool {
        let replaced = self.current.as_ref().and_then(|current| current.replaces);
        replaced.is_some() && replaced == self.task.as_ref().map(|task| task.progress.body)
    }

    /// The commit in flight is answered.
    pub fn nothing_is_staged(&mut self) {
        self.staged = RangeSet::default();
        self.stages_checks = false;
    }

    /// The attempt with this id.
    pub fn attempt(&mut self, id: EffectId) -> Option<&mut Attempt> {
        self.attempts.iter_mut().find(|attempt| attempt.id == id)
    }

    /// Whether there is no reason to keep it in memory.
    pub fn is_idle(&self) -> bool {
        let has_work = self.task.as_ref().is_some_and(|task| task.record.due().is_some());
        self.can_wait_in_storage() && !has_work
    }

    /// Whether nothing would be lost by finding it in storage again.
    pub fn can_wait_in_storage(&self) -> bool {
        self.is_quiet() && self.demands.is_empty()
    }

    /// Whether nothing is being done about it, nor is to be done; somebody may wait for its bytes all the same.
    pub fn is_quiet(&self) -> bool {
        !self.busy && self.queue.is_empty() && !self.is_running() && !self.external.is_at_work()
    }
}

/// What a commit will make true. Until it is answered this lives here, not in the [`Slot`].
#[derive(Debug, Default)]
pub struct Staged {
    /// The task afterwards; `None` if it is deleted.
    pub task: Option<Task>,
    /// The event that is committed with it.
    pub event: Option<TaskEvent>,
    /// The call that asked for it.
    pub call: Option<(Asker, Queued)>,
    /// Whether it leaves a dead body behind: noted when it is sent.
    pub leaves_dead_body: bool,
    /// Headers that are not stored and take the place of those before: they must not meet the URL that was before.
    pub secrets: Option<Vec<Header>>,
}
