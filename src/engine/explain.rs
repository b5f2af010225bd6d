//! Why a task is not being fetched: exactly one reason for each that waits.

use super::Engine;
use super::attempt::Attempt;
use super::error::TaskError;
use super::id::TaskKey;
use super::output::{Activity, LastError, TaskSnapshot, Waiting};
use super::task::{Task, TaskState, WaitReason};

impl WaitReason {
    /// Whether the wait ends by news that wake the worker by themselves, so that it need not be kept alive.
    pub(super) fn needs_no_worker(self) -> bool {
        matches!(
            self,
            Self::Authorization
                | Self::BackgroundFetch
                | Self::EarliestBegin
                | Self::Metered
                | Self::UnknownNetwork
                | Self::Discretionary
                | Self::SessionDamaged
        )
    }

    /// Whether news end the wait, however often it is looked.
    pub(super) fn waits_for_news(self) -> bool {
        matches!(self, Self::Offline | Self::Quota | Self::BackgroundFetch)
    }

    /// Whether the worker is kept alive until the wait is over, which is soon or not.
    pub(super) fn is_worth_waiting(self, is_soon: bool) -> bool {
        is_soon && !self.needs_no_worker() && !self.waits_for_news()
    }
}

impl Engine {
    /// What keeps an active task from running, but for its turn: its time, or the surroundings.
    pub(super) fn outer_reason(&self, task: &Task) -> Option<WaitReason> {
        let record = &task.record;
        let TaskState::Active { not_before, reason } = record.state else { return None };
        if not_before > self.now {
            return Some(reason.unwrap_or(WaitReason::EarliestBegin));
        }
        if task.progress.transport.out().is_some() {
            return Some(WaitReason::BackgroundFetch);
        }
        let session = &self.sessions.get(&record.key.session)?.record;
        if session.is_unreadable() {
            return Some(WaitReason::SessionDamaged);
        }
        let limits = &session.configuration.limits;
        let mut policy = record.spec.policy.clone();
        // The stricter of the two counts.
        policy.metered &= limits.metered;
        policy.unknown_network &= limits.unknown_network;
        policy.discretionary_until = policy.discretionary_until.filter(|until| *until > self.now);
        // Last, since what runs goes on without room for others, but not against its policy.
        let is_full = self.room.is_missing() && !record.fails_when_full;
        self.surroundings.blocks(policy.needs()).or(is_full.then_some(WaitReason::Quota))
    }

    fn waiting(&self, task: &Task) -> Option<Waiting> {
        let record = &task.record;
        let TaskState::Active { not_before, .. } = record.state else { return None };
        let policy = &record.spec.policy;
        let reason = self.outer_reason(task).or_else(|| {
            let candidate = self.candidate(record, 0)?;
            self.running_load().refuses(&candidate, self.surroundings.is_watched())
        });
        // Others that are to be started with it come first.
        let reason = reason.unwrap_or(WaitReason::WorkerBusy);
        let until = match reason {
            WaitReason::Discretionary => policy.discretionary_until,
            WaitReason::Quota if not_before <= self.now => self.room.next_time(),
            _ => Some(not_before).filter(|until| *until > self.now),
        };
        Some(Waiting { reason, since: record.since, until })
    }

    /// An attempt at the task has met this.
    pub(super) fn note_error(&mut self, key: &TaskKey, error: TaskError) {
        let now = self.now;
        if let Some(slot) = self.slots.get_mut(key) {
            slot.last_error = Some((error, now));
        }
    }

    /// What went wrong last, if that says why the task waits: it has not got on since, or its host is in trouble.
    fn last_error(&self, task: &Task, reason: WaitReason) -> Option<&LastError> {
        let of = |key: &TaskKey| self.slots.get(key).and_then(|slot| slot.last_error.as_ref());
        let Task { record, progress } = task;
        let has_not_got_on = progress.failures + progress.busy > 0;
        let own = of(&record.key).filter(|(_, at)| has_not_got_on || *at >= record.since);
        own.or_else(|| of(self.met_trouble(task).filter(|_| reason == WaitReason::HostBusy)?))
    }

    /// How many of a running task's bytes have been read, durable or not.
    pub fn read_bytes(&self, key: &TaskKey) -> u64 {
        let Some(slot) = self.slots.get(key) else { return 0 };
        let mut read = slot.task.as_ref().map_or_else(Default::default, |task| task.progress.received.clone());
        slot.staged.iter().for_each(|range| read.insert(range.clone()));
        slot.attempts.iter().filter_map(Attempt::read_range).for_each(|range| read.insert(range));
        read.len()
    }

    /// The task as pages see it.
    pub(super) fn snapshot(&self, task: &Task) -> TaskSnapshot {
        let slot = self.slots.get(&task.record.key);
        let is_running = slot.is_some_and(|slot| slot.is_running()) && task.record.state.is_active();
        let mut progress = task.progress.clone();
        if let Some(current) = slot.and_then(|slot| slot.current.as_ref()).filter(|_| is_running) {
            progress.representation = Some(current.representation.clone());
        }
        let waiting = if is_running { None } else { self.waiting(task) };
        let activity = match waiting {
            _ if is_running => Activity::Running,
            Some(Waiting {
                reason: WaitReason::HostBusy | WaitReason::SessionBusy | WaitReason::WorkerBusy, ..
            }) => Activity::Pending,
            Some(_) => Activity::Waiting,
            None => Activity::Idle,
        };
        let segments = slot.map_or(0, |slot| slot.attempts.len() as u32);
        let last_error = waiting.and_then(|waiting| self.last_error(task, waiting.reason)).cloned();
        TaskSnapshot { record: task.record.clone(), progress, activity, waiting, last_error, segments, at: self.now }
    }
}
