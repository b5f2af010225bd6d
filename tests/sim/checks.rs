//! What must hold of an engine's outputs, at the moment it gives them: what it asks for, what it tells pages, and
//! that it never just sits there.

use longhaul::engine::id::{EffectId, SessionId, TaskKey};
use longhaul::engine::input::{Call, Completion, Loaded};
use longhaul::engine::output::{Activity, Outcome, Query, TaskSnapshot};
use longhaul::engine::task::{Place, Task, TaskEvent, TaskState, WaitReason};
use longhaul::store::{Index, KeyRange, Reader, Table};

use super::pages::{Holder, Lock, waits_for_bytes};
use super::stats::Group;
use super::steps::is_subset;
use super::storage::ready;
use super::worker::{DueAnswer, Wake, Worker};
use super::world::{Event, World};

/// Loads of due tasks that begin so soon after the last, and find the same, so many times, are a loop.
const TOO_SOON_MS: u64 = 1_000;
/// One for each piece that is fetched again, and some.
const MOST_REPEATS: u32 = 20;
/// What is to be done in this time is worth to be waited for.
const SOON_MS: u64 = 60_000;
/// After how long the engine gives up a load.
pub const LOST_AFTER_MS: u64 = 60_000;

impl World {
    /// Tasks that are due, and dead bodies, are looked for once at a time.
    pub(super) fn check_load(&self, worker: &mut Worker, id: EffectId, query: &Query) {
        let kind = match query {
            Query::Due { session, .. } => ("due tasks", Some(session.clone())),
            Query::DeadBodies { .. } => ("dead bodies", None),
            _ => return,
        };
        let other = worker.single_loads.insert(kind.clone(), (id, self.now));
        let is_only = other.is_none_or(|(_, began_at)| self.now - began_at >= LOST_AFTER_MS);
        assert!(is_only, "two loads of {kind:?} at a time");
    }

    /// Whoever finds the same tasks due, again and again, does not ask at once.
    pub(super) fn check_load_answer(&mut self, number: u64, effect: EffectId, completion: &Completion) {
        let now = self.now;
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.number == number) else { return };
        let mut of_due = None;
        worker.single_loads.retain(|(_, session), (load, began_at)| {
            if *load == effect {
                of_due = session.clone().map(|session| (session, *began_at));
            }
            *load != effect
        });
        if let (Some((session, began_at)), Completion::Loaded(Ok(Loaded::Due { tasks, .. }))) = (of_due, completion) {
            let keys: Vec<TaskKey> = tasks.iter().map(|task| task.record.key.clone()).collect();
            let last = worker.due_answers.entry(session).or_default();
            let is_repeated = last.keys == keys && began_at - last.at < TOO_SOON_MS;
            let repeats = if is_repeated { last.repeats + 1 } else { 0 };
            *last = DueAnswer { at: now, keys, repeats };
            assert!(repeats < MOST_REPEATS, "the tasks that are due are loaded in a loop");
        }
    }

    /// Events go to the delegate, in order, none left out, each once for each time it attaches.
    pub(super) fn check_delivery(
        &mut self,
        worker: &mut Worker,
        page: usize,
        session: &SessionId,
        events: &[TaskEvent],
    ) {
        let is_newest = self.is_newest(worker);
        let delegate = worker.delegates.get_mut(session).filter(|delegate| delegate.page == page);
        let delegate = delegate.expect("events are delivered to the delegate only");
        for event in events {
            assert!(delegate.posted.insert(event.seq), "event {} was delivered twice to one delegate", event.seq);
        }
        if !is_newest {
            return;
        }
        let outbox = &self.model.outbox[session];
        for event in events {
            assert_eq!(outbox.get(&event.seq), Some(event), "an event was delivered that is not in the outbox");
        }
        let last = events.last().map_or(0, |event| event.seq);
        for (seq, _) in outbox.range(..=last) {
            let is_known = delegate.posted.contains(seq) || self.model.events[session][seq].is_acked;
            assert!(is_known, "event {last} was delivered before event {seq}");
        }
    }

    pub(super) fn check_all_delivered(&mut self, worker: &mut Worker, page: usize, session: &SessionId) {
        self.stats.count(Group::Engine, "all events delivered");
        let is_newest = self.is_newest(worker);
        let delegate = worker.delegates.get_mut(session).filter(|delegate| delegate.page == page);
        let delegate = delegate.expect("only the delegate is told that all is delivered");
        assert!(!delegate.told_all_delivered, "the delegate was told twice that all is delivered");
        delegate.told_all_delivered = true;
        let first = self.model.outbox.get(session).and_then(|outbox| outbox.keys().next().copied());
        let is_true = first.is_none_or(|first| first > delegate.backlog);
        assert!(is_true || !is_newest, "all events were said to be delivered, but {first:?} was not");
    }

    /// A task that is active and is not being fetched has exactly one reason; no other has one.
    fn check_waiting(&mut self, snapshot: &TaskSnapshot) {
        let is_active = snapshot.record.state.is_active();
        let is_running = snapshot.activity == Activity::Running;
        assert!(is_active || !is_running, "a task that is not active is shown as running");
        assert_eq!(snapshot.waiting.is_some(), is_active && !is_running, "the reason to wait of {snapshot:?}");
        assert!(is_running || snapshot.segments == 0 || !is_active, "a task that waits has segments");
        if let Some(waiting) = snapshot.waiting {
            self.stats.count(Group::Waits, waiting.reason.as_str());
        }
        if let Some(kept) = &snapshot.progress.representation {
            self.stats.count(Group::Verdicts, kept.reason.as_str());
        }
    }

    /// What pages see is durable.
    pub(super) fn check_snapshot(&mut self, snapshot: &TaskSnapshot) {
        self.check_waiting(snapshot);
        let key = &snapshot.record.key;
        let stored = self.model.tasks.get(key).expect("only durable tasks are shown");
        if stored.record.created_at != snapshot.record.created_at {
            return;
        }
        let is_visible = snapshot.record.state == stored.record.state || !snapshot.record.state.has_ended();
        assert!(is_visible, "{key:?} was shown as {:?} before that was durable", snapshot.record.state);
        // A piece that was bad is gone with a commit of which the engine has not heard yet.
        let is_repaired = stored.progress.repairs > snapshot.progress.repairs || stored.record.place == Place::Gone;
        if stored.progress.body == snapshot.progress.body && !is_repaired {
            let (shown, durable) = (&snapshot.progress.received, &stored.progress.received);
            assert!(
                is_subset(shown, durable),
                "{key:?} was shown with {shown:?}, of which only {durable:?} is durable"
            );
        }
    }

    /// An engine that waits for nothing has delivered what there is, deleted what is acknowledged, and swept.
    fn check_idle(&self, worker: &Worker) {
        for (session, delegate) in &worker.delegates {
            // Behind events that the delegate is handling, others may have to wait.
            let Some(first) = self.model.outbox.get(session).and_then(|all| all.keys().next()) else { continue };
            assert!(*first > delegate.acked, "event {first} is acknowledged, but will never be deleted");
            assert!(delegate.posted.contains(first), "event {first} will never be delivered");
        }
        for (session, outbox) in self.model.outbox.iter().filter(|(_, outbox)| !outbox.is_empty()) {
            let has_taker = self.climate.hook_events == 0 || worker.delegates.contains_key(session);
            let hook = Holder::Hook(worker.number);
            let stands = |lock: &Lock| lock.holder == Some(hook) || lock.waiting.contains(&hook);
            assert!(has_taker || self.locks.get(session).is_some_and(stands), "nobody takes {:?}", outbox.keys());
        }
        let dead = self.storage.store.view();
        let dead = ready(dead.scan_index(Table::Bodies, Index::Due, &KeyRange::all(), 1));
        assert!(dead.expect("the store in memory answers").is_empty(), "a dead body will never be swept");
    }

    /// A wake is let go if nothing is left to do, if another ends later, or before it is cut: then what has come is in
    /// storage, and nothing more is being fetched.
    pub(super) fn check_settled(&mut self, worker: &mut Worker, name: u64, outcome: Outcome) {
        let is_last = worker.last_wake() == Some(name);
        let wake = worker.wakes.remove(&name).expect("a wake was settled that is not held");
        // What is due in fifteen minutes may be done when the browser repeats the event.
        let in_time = worker.time(self.now).after(900_000);
        let is_worth = wake.is_repeated && worker.wanted_at.is_some_and(|at| at <= in_time);
        let is_again = worker.is_working || is_worth;
        assert_eq!(outcome == Outcome::Again, is_again, "{wake:?} was settled as {outcome:?}");
        let left_ms = wake.ends_at.map_or(u64::MAX, |ends_at| ends_at.since(worker.time(self.now)));
        let is_ending = left_ms <= 500;
        assert!(!worker.is_working || is_ending || !(is_last || wake.is_repeated), "{wake:?} was let go too early");
        if worker.is_working && is_last {
            self.stats.count(Group::Engine, "wakes ended before they are cut");
            worker.has_ended_early = true;
            let live = worker.live_attempts().next();
            assert!(live.is_none(), "its last wake has ended, but an attempt goes on: {live:?}");
            assert!(worker.buffers.is_empty(), "its last wake has ended, and what was read is nowhere");
        }
        if is_again && wake.is_repeated {
            self.stats.count(Group::Engine, "wakes to be repeated");
            let delay_ms = self.random.pick(&[1_000, 300_000]);
            self.schedule(delay_ms, Event::Sync);
        }
    }

    /// Who reads a file that stands still waits until it goes on.
    pub(super) fn may_wait_for_ever(&self, call: &Call) -> bool {
        let Call::Task(key, _) = call else { return false };
        let task = self.model.tasks.get(key);
        waits_for_bytes(call) && task.is_some_and(|task| task.record.state != TaskState::Completed)
    }

    /// When all outputs are drained: no more wakes are held than should be, and whatever is unfinished will go on.
    pub(super) fn check_drained(&self, worker: &Worker) {
        let last = worker.last_wake();
        let is_right = |(name, wake): (&u64, &Wake)| worker.is_working && (Some(*name) == last || wake.is_repeated);
        assert!(worker.wakes.iter().all(is_right), "the wakes {:?} are held", worker.wakes);
        let hook = &worker.hook;
        // Who is held has something under way, or soon to be done.
        let is_at_work = worker.attempts.len() + worker.filings.len() + worker.probes.len() + hook.batches.len() > 0;
        let soon = worker.time(self.now).after(SOON_MS);
        let is_soon = worker.engine.poll_timeout().is_some_and(|at| at <= soon);
        let is_idle = worker.is_working && !is_at_work && !is_soon && !worker.has_ended_early;
        assert!(!is_idle, "the worker is held, but nothing is to be done before {:?}", worker.engine.poll_timeout());
        assert!(worker.is_working || hook.batches.is_empty(), "the hook handles {hook:?}, and no wake is held for it");
        if self.is_newest(worker) && worker.engine.poll_timeout().is_none() && !worker.has_ended_early {
            let waiting: Vec<_> =
                worker.calls.values().filter(|waiting| !self.may_wait_for_ever(&waiting.call)).collect();
            assert!(waiting.is_empty(), "calls wait for nothing: {waiting:?}");
            // Some only wait for news, which wake the worker by themselves.
            let needs_more = |state: &TaskState| match state {
                TaskState::Active { reason, .. } => *reason != Some(WaitReason::Authorization),
                _ => false,
            };
            let is_blocked = |task: &Task| self.blocks(worker, task).is_some();
            let stuck = self.model.tasks.values().find(|task| needs_more(&task.record.state) && !is_blocked(task));
            assert!(stuck.is_none(), "nothing will ever go on with {stuck:?}");
            let moves = |task: &&Task| {
                let is_held = self.blocks(worker, task) == Some(WaitReason::SessionDamaged);
                task.record.state == TaskState::Completed && task.record.due().is_some() && !is_held
            };
            let left = self.model.tasks.values().find(moves);
            assert!(left.is_none(), "nothing will ever move the file of {left:?}");
            let open = self
                .model
                .groups
                .values()
                .filter(|group| !self.model.has_damaged_member(&group.key))
                .find(|group| group.is_sealed && !group.is_done && self.model.counts(&group.key).have_all_ended());
            assert!(open.is_none(), "nothing will ever end {open:?}");
            self.check_idle(worker);
        }
    }
}
