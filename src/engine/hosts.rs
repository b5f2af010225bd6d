//! Servers in trouble: one that cannot be reached, or says again and again that it is busy, is left alone by all tasks
//! for a while, and then asked by one of them first. Its answer lets the others go on, at once. If its request ends without
//! one, the next task asks.

use super::Engine;
use super::id::TaskKey;
use super::output::Change;
use super::retry::{OFFLINE_RECHECK_MS, backoff_ms};
use super::slot::Slot;
use super::task::{Task, TaskState, WaitReason};
use super::time::Timestamp;

/// For how long a server's own word keeps all tasks from it: it may hold for one of its files only.
const MAX_CLOSED_MS: u64 = 60 * 60_000;
/// How long the one that asks first is waited for.
const FIRST_MS: u64 = 60_000;
/// Tasks whose turn comes in storage only are spread over so many times the pause.
const SPREAD: u64 = 4;
/// If so many tasks in a row are in trouble that may be their own, it is the next one's host that is.
const MOST_OWN: u32 = 3;
/// Why they wait.
const REASON: Option<WaitReason> = Some(WaitReason::HostBusy);

/// A host and port that was in trouble.
#[derive(Debug, Default)]
pub struct Host {
    name: String,
    /// How often in a row.
    troubles: u32,
    /// Set while it is: no task asks it before.
    closed_until: Option<Timestamp>,
    /// Whether it has named the time itself.
    is_asked_to_wait: bool,
    pause_ms: u64,
    /// When it last answered as it should.
    fine_at: Timestamp,
    /// The task that met its last trouble.
    met_by: Option<TaskKey>,
    /// The task that asks it first, while the others wait for that.
    first: Option<TaskKey>,
    /// Whether all of its troubles may be about ranges: then the first asker goes without one, and that settles it.
    is_range_in_doubt: bool,
}

impl Engine {
    /// What is known of a host, if it was ever in trouble.
    fn host(&mut self, name: &str) -> Option<&mut Host> {
        self.hosts.iter_mut().find(|host| host.name == name)
    }

    /// Those of a task's hosts that were ever in trouble.
    fn hosts_of<'a>(&'a self, task: &'a Task) -> impl Iterator<Item = &'a Host> {
        let sources = &task.record.spec.sources;
        self.hosts.iter().filter(|host| sources.iter().any(|source| source.host == host.name))
    }

    /// The tasks in memory of which nothing but trouble of their hosts keeps the engine from going on, each with until when.
    pub fn waits_for_hosts(&self) -> impl Iterator<Item = (&Task, Timestamp)> {
        let waiting = self.slots.values().filter(|slot| !slot.busy && slot.queue.is_empty() && !slot.is_running());
        waiting.filter_map(|slot| slot.task.as_ref()).filter_map(|task| match task.record.state {
            TaskState::Active { not_before, reason: REASON } if not_before > self.now => Some((task, not_before)),
            _ => None,
        })
    }

    /// When the host may be asked, if it is in trouble, as far as is known.
    pub(super) fn closed_until(&self, name: &str) -> Option<Timestamp> {
        self.hosts.iter().find(|host| host.name == name)?.closed_until
    }

    /// The task that met the last trouble of this one's host.
    pub(super) fn met_trouble<'a>(&'a self, task: &'a Task) -> Option<&'a TaskKey> {
        self.hosts_of(task).find(|host| host.closed_until.is_some())?.met_by.as_ref()
    }

    /// No source of the task is asked before. Otherwise, which are not asked now, as a set of bits.
    fn closed_sources(&self, task: &Task) -> Result<Timestamp, u32> {
        let (mut closed, mut first, mut all) = (0, Timestamp(u64::MAX), true);
        for (nth, source) in task.record.spec.sources.iter().enumerate() {
            if task.usable_sources() & (1 << nth) == 0 {
                continue;
            }
            match self.closed_until(&source.host) {
                Some(until) if until > self.now => {
                    closed |= 1 << nth;
                    first = first.min(until);
                }
                _ => all = false,
            }
        }
        if all && closed > 0 { Ok(first) } else { Err(closed) }
    }

    /// No source of the task is asked before by one that has failed. For a first asker it waits later, if there still is one.
    pub(super) fn sources_closed_until(&self, task: &Task) -> Timestamp {
        let is_asked = self.hosts_of(task).any(|host| host.first.is_some());
        if is_asked { Timestamp::default() } else { self.closed_sources(task).unwrap_or_default() }
    }

    /// A request of the task brought nothing of use: the host could not be reached, or is busy, and has said for how long.
    /// If its range may be to blame, no other task waits for more than the answer to a request without one.
    pub(super) fn note_trouble(&mut self, task: &Task, source: usize, asked_ms: Option<u64>, may_be_range: bool) {
        let (now, name) = (self.now, task.record.spec.host(source));
        if self.host(name).is_none() {
            self.hosts.push(Host { name: name.into(), ..Host::default() });
        }
        let Some(host) = self.hosts.iter_mut().find(|host| host.name == name) else { return };
        // If others were answered since it failed last, the trouble may be the task's own.
        let has_failed = task.progress.busy + task.progress.failures > 0;
        let may_be_own = has_failed && host.closed_until.is_none() && host.fine_at > task.record.since;
        host.is_range_in_doubt = may_be_range && (host.troubles == 0 || host.is_range_in_doubt);
        host.troubles = host.troubles.saturating_add(1);
        let is_of = |found: &Option<TaskKey>| found.as_ref() == Some(&task.record.key);
        // Of others nothing is known, or the first asker is about to find out.
        let says_nothing_new =
            is_of(&host.met_by) || (host.is_range_in_doubt && host.first.is_some() && !is_of(&host.first));
        if says_nothing_new || (may_be_own && host.troubles <= MOST_OWN) {
            return;
        }
        host.met_by = Some(task.record.key.clone());
        host.is_asked_to_wait = asked_ms.is_some();
        // Once may be an accident.
        if host.troubles > 1 || host.is_asked_to_wait {
            let pause_ms = backoff_ms(host.troubles, &mut self.random).max(asked_ms.unwrap_or(0).min(MAX_CLOSED_MS));
            host.pause_ms = if host.is_range_in_doubt { 0 } else { pause_ms };
            let waited_until = host.closed_until.replace(now.after(host.pause_ms));
            if host.first.take().is_some() {
                // Those that let others have their turn wait for longer than it, or not for it.
                self.end_waits_for_hosts(waited_until);
            }
        }
    }

    /// The task could not ask, since the browser is offline. The host that it was to ask first is left alone as long as the
    /// task waits: no other would fare better.
    pub(super) fn note_offline(&mut self, task: &Task, source: usize) {
        let until = self.now.after(OFFLINE_RECHECK_MS);
        let host = self.host(task.record.spec.host(source));
        if let Some(host) = host.filter(|host| host.first.as_ref() == Some(&task.record.key)) {
            host.first = None;
            host.closed_until = Some(until);
        }
    }

    /// The host has answered as it should: all that wait for it go on.
    pub(super) fn note_fine(&mut self, task: &Task, source: usize) {
        let now = self.now;
        let Some(host) = self.host(task.record.spec.host(source)) else { return };
        host.fine_at = now;
        host.troubles = 0;
        host.met_by = None;
        host.first = None;
        host.is_range_in_doubt = false;
        if host.closed_until.take().is_some() {
            self.end_waits_for_hosts(None);
        }
    }

    /// Things may be better: hosts that have not named a time themselves may be asked.
    pub(super) fn ask_hosts_again(&mut self) {
        let now = self.now;
        for host in self.hosts.iter_mut().filter(|host| !host.is_asked_to_wait) {
            host.closed_until = host.closed_until.map(|_| now);
        }
        self.end_waits_for_hosts(None);
    }

    /// The app wants this task to ask now, whatever its hosts have said.
    pub(super) fn open_hosts_of(&mut self, task: &Task) {
        let now = self.now;
        for source in &task.record.spec.sources {
            if let Some(host) = self.host(&source.host) {
                host.closed_until = host.closed_until.map(|until| until.min(now));
            }
        }
    }

    /// Frees the hosts whose first asker asks no more. That can end in many ways: it is cancelled, paused, replaced or
    /// preempted, its time is over, or it has gone on elsewhere.
    pub(super) fn free_hosts(&mut self) {
        let now = self.now;
        let mut is_news = false;
        for host in &mut self.hosts {
            let first = host.first.as_ref().map(|key| self.slots.get(key).is_some_and(|slot| slot.asks(&host.name)));
            if first == Some(false) {
                host.first = None;
                host.closed_until = host.closed_until.map(|until| until.min(now));
                is_news = true;
            }
        }
        if is_news {
            self.end_waits_for_hosts(None);
        }
    }

    /// Those whose host is still in trouble are put off again. `until` is when those wait to that are meant, or all are.
    fn end_waits_for_hosts(&mut self, until: Option<Timestamp>) {
        let now = self.now;
        self.slots.iter_mut().for_each(|(_, slot)| end_wait(slot, until, now));
    }

    /// Ends the task's wait if its hosts were freed while it was on its way to storage, or lay there. Of hosts that this worker
    /// has not met, what was stored stands.
    pub(super) fn end_wait_for_open_host(&mut self, key: &TaskKey) {
        let now = self.now;
        let Some(task) = self.slots.get(key).and_then(|slot| slot.task.as_ref()) else { return };
        let is_open = self.hosts_of(task).next().is_some() && self.closed_sources(task).is_err();
        if let Some(slot) = self.slots.get_mut(key).filter(|_| is_open) {
            end_wait(slot, None, now);
        }
    }

    /// Whether a task that is about to begin may ask the host: one in trouble is asked by one task first. `Some(true)` if that
    /// is to find out whether ranges are the trouble.
    pub(super) fn may_ask(&mut self, key: &TaskKey, name: &str) -> Option<bool> {
        let now = self.now;
        let Some(host) = self.host(name) else { return Some(false) };
        let Some(until) = host.closed_until else { return Some(false) };
        if until > now {
            return None;
        }
        host.closed_until = Some(now.after(FIRST_MS));
        host.first = Some(key.clone());
        Some(host.is_range_in_doubt)
    }

    /// Puts off tasks that would ask a host that is in trouble. They wait in memory; where others lie in storage behind
    /// them, which may be of other hosts, they wait there, so that those get their turn.
    pub(super) fn put_off(&mut self) {
        if self.hosts.iter().all(|host| host.closed_until.is_none()) {
            return;
        }
        let ready = self.slots.iter().filter(|(_, slot)| self.may_start(slot));
        let ready: Vec<TaskKey> = ready.map(|(key, _)| key.clone()).collect();
        for key in ready {
            let Some(task) = self.slots.get(&key).and_then(|slot| slot.task.as_ref()) else { continue };
            let closed = self.closed_sources(task);
            let usable = task.usable_sources();
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            match closed {
                Ok(until) => self.put_off_until(&key, until),
                Err(0) => {}
                // Of several sources those are taken whose hosts are open.
                Err(closed) if (slot.failed_sources | closed) & usable == usable => slot.failed_sources = closed,
                Err(closed) => slot.failed_sources |= closed,
            }
        }
    }

    fn put_off_until(&mut self, key: &TaskKey, mut not_before: Timestamp) {
        let pause_ms = self.hosts.iter().map(|host| host.pause_ms).max().unwrap_or(0);
        let spread_ms = self.random.below(pause_ms.saturating_mul(SPREAD));
        let now = self.now;
        let Some(task) = self.slots.get(key).and_then(|slot| slot.task.as_ref()) else { return };
        let (mut is_asked, mut is_short) = (false, false);
        for host in self.hosts_of(task) {
            is_asked |= host.first.is_some();
            is_short |= host.is_range_in_doubt;
        }
        let lane = task.record.lane();
        let session = self.sessions.get(&key.session);
        // What is about ranges is settled by the next answer, and the others can wait for that.
        let others_wait = !is_short && session.is_some_and(|session| session.backlog.has_more(lane, not_before));
        let Some(task) = self.slots.get_mut(key).and_then(|slot| slot.task.as_mut()) else { return };
        if others_wait {
            // A first asker may be gone long before it is waited for no more, and dies with the worker.
            let until = if is_asked { now.after(pause_ms) } else { not_before };
            not_before = until.after(spread_ms);
        }
        let is_news = !matches!(task.record.state, TaskState::Active { reason: REASON, .. });
        let since = if is_news { now } else { task.record.since };
        task.record.enter(TaskState::Active { not_before, reason: REASON }, since);
        if others_wait {
            let task = task.clone();
            let changes = vec![Change::PutTask(task.record.clone())];
            self.commit_transfer(key, task, None, changes);
        }
        if is_news {
            self.publish_task(key);
        }
    }
}

/// Ends the wait for a host; if `until` is known, only one until then.
fn end_wait(slot: &mut Slot, until: Option<Timestamp>, now: Timestamp) {
    if let Some(TaskState::Active { not_before, reason: REASON }) =
        slot.task.as_mut().map(|task| &mut task.record.state)
        && until.is_none_or(|until| until == *not_before)
    {
        *not_before = now.min(*not_before);
    }
}

impl Slot {
    /// Whether the task waits for the host to answer: a request of its own, or one that finds out why there was none.
    fn asks(&self, host: &str) -> bool {
        let Some(task) = self.task.as_ref().filter(|task| task.record.state.is_active()) else { return false };
        let is_there = |source| task.record.spec.host(source) == host;
        let mut open = self.attempts.iter().filter(|attempt| attempt.reading.is_none() && !attempt.is_at_target);
        open.any(|attempt| is_there(attempt.source)) || (self.probe.is_some() && is_there(self.probed_source))
    }
}
