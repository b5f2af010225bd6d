//! Servers in trouble: one that cannot be reached, or says again and again that it is busy, is left alone by all tasks
//! for a while, and then asked by one of them first. Its answer lets the others go on, at once.

use super::Engine;
use super::id::TaskKey;
use super::output::Change;
use super::retry::backoff_ms;
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
}

impl Engine {
    /// What is known of a host, if it was ever in trouble.
    fn host(&mut self, name: &str) -> Option<&mut Host> {
        self.hosts.iter_mut().find(|host| host.name == name)
    }

    /// When the host may be asked, if it is in trouble, as far as is known.
    pub(super) fn closed_until(&self, name: &str) -> Option<Timestamp> {
        self.hosts.iter().find(|host| host.name == name)?.closed_until
    }

    /// The task that met the last trouble of this one's host.
    pub(super) fn met_trouble(&self, task: &Task) -> Option<&TaskKey> {
        let is_its = |host: &&Host| task.record.spec.sources.iter().any(|source| source.host == host.name);
        self.hosts.iter().filter(|host| host.closed_until.is_some()).find(is_its)?.met_by.as_ref()
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

    /// No source of the task is asked before.
    pub(super) fn sources_closed_until(&self, task: &Task) -> Timestamp {
        self.closed_sources(task).unwrap_or_default()
    }

    /// A request of the task brought nothing of use: the host could not be reached, or is busy, and has said for how long.
    pub(super) fn note_trouble(&mut self, task: &Task, source: usize, asked_ms: Option<u64>) {
        let (now, name) = (self.now, task.record.spec.host(source));
        if self.host(name).is_none() {
            self.hosts.push(Host { name: name.into(), ..Host::default() });
        }
        let Some(host) = self.hosts.iter_mut().find(|host| host.name == name) else { return };
        // If others were answered since it failed last, the trouble may be the task's own.
        let has_failed = task.progress.busy + task.progress.failures > 0;
        let may_be_own = has_failed && host.closed_until.is_none() && host.fine_at > task.record.since;
        host.troubles = host.troubles.saturating_add(1);
        if host.met_by.as_ref() == Some(&task.record.key) {
            // Of others nothing is known: a new one need not wait.
            host.closed_until = host.closed_until.map(|until| until.min(now));
            return;
        }
        if may_be_own && host.troubles <= MOST_OWN {
            return;
        }
        host.met_by = Some(task.record.key.clone());
        host.is_asked_to_wait = asked_ms.is_some();
        // Once may be an accident.
        if host.troubles > 1 || host.is_asked_to_wait {
            host.pause_ms = backoff_ms(host.troubles, &mut self.random).max(asked_ms.unwrap_or(0).min(MAX_CLOSED_MS));
            host.closed_until = Some(now.after(host.pause_ms));
        }
    }

    /// The host has answered as it should: all that wait for it go on.
    pub(super) fn note_fine(&mut self, task: &Task, source: usize) {
        let now = self.now;
        let Some(host) = self.host(task.record.spec.host(source)) else { return };
        host.fine_at = now;
        host.troubles = 0;
        host.met_by = None;
        if host.closed_until.take().is_some() {
            self.end_waits_for_hosts();
        }
    }

    /// Things may be better: hosts that have not named a time themselves may be asked.
    pub(super) fn ask_hosts_again(&mut self) {
        let now = self.now;
        for host in self.hosts.iter_mut().filter(|host| !host.is_asked_to_wait) {
            host.closed_until = host.closed_until.map(|_| now);
        }
        self.end_waits_for_hosts();
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

    /// Those whose host is still in trouble are put off again.
    fn end_waits_for_hosts(&mut self) {
        let now = self.now;
        for (_, slot) in self.slots.iter_mut() {
            if let Some(TaskState::Active { not_before, reason: REASON }) =
                slot.task.as_mut().map(|task| &mut task.record.state)
            {
                *not_before = now.min(*not_before);
            }
        }
    }

    /// Whether a task that is about to begin may ask the host: one in trouble is asked by one task first.
    pub(super) fn may_ask(&mut self, name: &str) -> bool {
        let now = self.now;
        let Some(host) = self.host(name) else { return true };
        let is_open = host.closed_until.is_none_or(|until| until <= now);
        if is_open {
            host.closed_until = host.closed_until.map(|_| now.after(FIRST_MS));
        }
        is_open
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
        let Some(slot) = self.slots.get_mut(key) else { return };
        let Some(task) = &mut slot.task else { return };
        let lane = task.record.lane();
        let session = self.sessions.get(&key.session);
        let others_wait = session.is_some_and(|session| session.backlog.has_more(lane, not_before));
        if others_wait {
            not_before = not_before.after(spread_ms);
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
