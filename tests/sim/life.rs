//! How a run goes: it begins, workers live, die and overlap, things go wrong, and then all is calm and everything
//! that was begun must come to its end.

use longhaul::engine::id::{EffectId, TaskKey, WakeId};
use longhaul::engine::input::Input;
use longhaul::engine::retry::MAX_BACKOFF_MS;
use longhaul::engine::schedule::MAX_CONNECTIONS;
use longhaul::engine::task::{Place, Task, TaskState};
use longhaul::engine::{Engine, Setting};

use super::invariants::check_storage;
use super::origin::OWN_HOST;
use super::pages::{ToPage, ToWorker, demanded};
use super::stats::Group;
use super::worker::{EPOCH_MS, Wake, Worker};
use super::world::{Event, World, note};

/// How often a run loses all that was stored.
const MOST_EVICTIONS: u64 = 5;
const HOUR_MS: u64 = 3_600_000;
const YEAR_MS: u64 = 365 * 24 * HOUR_MS;
/// How long the calm may last: no wait that the engine believes in is longer than a day, but several may follow one
/// another. What resume data names is kept for a week, by a clock that may have shown next year.
const CALM_MS: u64 = 240 * HOUR_MS + YEAR_MS;
/// More steps than this and so many for each task, when all is calm, are no progress: a host that never answers is asked
/// up to forty times by each of its tasks, and others are put off in storage meanwhile.
const MOST_CALM_STEPS: [u64; 2] = [200_000, 10_000];

impl World {
    pub(super) fn begin(&mut self) {
        for _ in 0..self.climate.pages {
            let delay_ms = self.random.delay_ms();
            self.schedule(delay_ms, Event::OpenPage);
        }
        self.schedule(self.climate.busy_ms, Event::Calm);
        self.schedule_again(30_000, Event::PeriodicSync);
        self.schedule_again(self.climate.change_every_ms, Event::Change);
        self.schedule_again(self.climate.offline_every_ms, Event::Online(false));
        self.schedule_again(self.climate.overlap_every_ms, Event::Overlap);
        self.schedule_again(self.climate.network_every_ms, Event::Network);
        self.schedule_again(self.climate.expiry_every_ms, Event::Expire);
        self.schedule_outage();
        self.schedule_maintenance();
    }

    /// Runs to the end, or so many steps. Panics with what was broken.
    pub fn run(&mut self, most_steps: u64) {
        while self.step() {
            if self.steps >= most_steps {
                return;
            }
            let most = MOST_CALM_STEPS[0] + self.model.tasks.len() as u64 * MOST_CALM_STEPS[1];
            let is_ending = !self.is_calm || self.steps - self.calm_from < most;
            assert!(is_ending, "all is calm, but the run does not come to an end");
            let calm_ms = self.now.saturating_sub(self.climate.busy_ms);
            let is_over = calm_ms >= CALM_MS && calm_ms >= CALM_MS + self.failing_ms();
            assert!(!is_over, "something is still going on after days of calm");
        }
        self.check_end();
    }

    /// How long it may take until all have failed: of a host that never answers one task asks at a time, after the
    /// longest pause that the engine chooses itself, and each must have failed so often before it is given up.
    fn failing_ms(&self) -> u64 {
        let fails = |task: &&Task| task.record.state.is_active() || matches!(task.record.state, TaskState::Failed(_));
        let failures = |task: &Task| u64::from(task.record.spec.policy.max_failures);
        self.model.tasks.values().filter(fails).map(failures).sum::<u64>() * MAX_BACKOFF_MS
    }

    /// A worker starts: it takes the lease and takes up what storage holds.
    pub fn boot(&mut self) {
        // The lease is taken by a write, and that waits for all that were issued before it.
        while let Some(operation) = self.storage.take_oldest() {
            self.decide(operation);
        }
        if !self.is_calm && self.evictions < MOST_EVICTIONS && self.random.one_in(self.climate.eviction_one_in) {
            self.evict();
        }
        self.may_damage();
        let snapshot = self.storage.boot();
        check_storage(&self.storage, &self.model, &self.origin);
        self.booted += 1;
        self.stats.count(Group::Run, "boots");
        // The user may have set the clock. Each time costs a wait of a day, so that it must be right some time.
        let clock_ms = match self.random.below(30) {
            _ if self.is_calm => EPOCH_MS,
            _ if self.clock.one_in(self.climate.next_year_one_in) => {
                self.stats.count(Group::Run, "boots in next year");
                EPOCH_MS + YEAR_MS
            }
            0 => EPOCH_MS - 30 * HOUR_MS,
            1 => EPOCH_MS + 30 * HOUR_MS,
            _ => EPOCH_MS,
        };
        let seed = (u128::from(self.random.next()) << 64) | u128::from(self.random.next());
        let time = longhaul::engine::time::Timestamp(clock_ms + self.now);
        note!(self, "w{} boots in epoch {}", self.booted, self.storage.epoch);
        let sessions = snapshot.sessions.iter().map(|session| (session.record.id.clone(), session.record.clone()));
        let sessions = sessions.collect();
        let origin = format!("https://{OWN_HOST}");
        let most_held_bytes = Some(self.climate.most_held_bytes).filter(|most| *most > 0);
        let setting = Setting { seed, origin, max_connections: MAX_CONNECTIONS, most_held_bytes };
        let mut engine = Engine::restore(time, setting, snapshot);
        let blamed = self.blame(&mut engine);
        let mut worker = Worker::new(self.booted, self.storage.epoch, clock_ms, engine, sessions);
        worker.blamed = blamed;
        let conditions = self.conditions(false);
        worker.told.insert(None, conditions);
        worker.engine.handle_input(time, Input::Conditions { observer: None, conditions });
        let (can_authorize, handles_events) = (self.climate.hook > 0, self.climate.hook_events > 0);
        worker.engine.handle_input(time, Input::Hook { can_authorize, handles_events });
        for page in 0..self.pages.len() {
            self.post(page, ToPage::Booted(self.booted, self.evictions));
        }
        if let Some(worker) = self.drain(worker) {
            self.workers.push(worker);
        }
    }

    /// The browser throws away all that is stored. That ends every worker.
    fn evict(&mut self) {
        note!(self, "everything is thrown away");
        self.stats.count(Group::Run, "evictions");
        for worker in std::mem::take(&mut self.workers) {
            self.bury(&worker);
        }
        self.storage.evict();
        self.model = super::model::Model::default();
        self.evictions += 1;
    }

    /// Starts a worker if the newest one is not alive. An older one is never handed anything again.
    pub fn start_worker(&mut self) {
        while self.workers.last().is_none_or(|worker| !self.is_newest(worker)) {
            self.boot();
        }
    }

    /// A worker is gone, and everything it had in flight.
    pub fn bury(&mut self, worker: &Worker) {
        self.bury_quietly(worker);
        if self.is_newest(worker) {
            self.stats.count(Group::Run, "kills");
            let delay_ms = self.random.delay_ms() * 50;
            self.schedule(delay_ms, Event::Sync);
        }
    }

    fn bury_quietly(&mut self, worker: &Worker) {
        note!(self, "w{} is gone", worker.number);
        self.storage.forget(&mut self.random, worker.number);
        self.bury_hook(worker.number);
        self.bury_registrations(worker.number);
    }

    pub(super) fn kill_newest(&mut self) {
        if let Some(worker) = self.workers.pop() {
            self.may_crash(&worker);
            self.bury(&worker);
        }
    }

    /// The browser ends a worker that nothing holds. A page wakes the next when the time has come.
    pub(super) fn rest(&mut self, number: u64) {
        let rests = |worker: &Worker| worker.number == number && worker.rests_at.is_some_and(|at| at <= self.now);
        let Some(at) = self.workers.iter().position(rests) else { return };
        let worker = &self.workers[at];
        if self.is_calm && worker.wanted_at.is_none() {
            return;
        }
        let wanted_at = worker.wanted_at.map(|at| at.0.saturating_sub(worker.clock_ms));
        let worker = self.workers.remove(at);
        self.stats.count(Group::Run, "workers let go");
        self.bury_quietly(&worker);
        if let Some(at) = wanted_at {
            self.schedule_at(at, Event::Due(number));
        }
    }

    pub(super) fn wake_when_due(&mut self, number: u64) {
        let page = self.pages.iter().position(|page| page.is_open);
        if let Some(page) = page.filter(|_| self.booted == number) {
            self.stats.count(Group::Page, "workers woken when due");
            self.send_message(page, ToWorker::Due);
        }
    }

    pub(super) fn kill(&mut self, number: u64) {
        if let Some(at) = self.workers.iter().position(|worker| worker.number == number).filter(|_| !self.is_calm) {
            let worker = self.workers.remove(at);
            self.bury(&worker);
        }
    }

    /// The browser wakes the worker, and may set it an end.
    pub(super) fn sync(&mut self) {
        self.start_worker();
        let wake = self.name();
        let has_end = !self.is_calm && (self.climate.wakes_end > 0 || self.random.one_in(3));
        let ends = has_end.then(|| self.random.within(100..=30_000));
        let kick = self.is_calm || self.random.one_in(3);
        let is_repeated = self.random.one_in(2);
        let now = self.now;
        let worker = self.workers.last_mut().expect("booted above");
        let number = worker.number;
        let ends_at = ends.map(|ends| worker.time(now).after(ends));
        worker.open_wake(wake, Wake { ends_at, is_repeated });
        if let Some(ends) = ends.filter(|_| self.random.one_in(2)) {
            self.schedule(ends, Event::Kill(number));
        }
        let input = Input::Wake { wake: WakeId(wake), ends_at, is_repeated, kick };
        if kick { self.kick(number, input) } else { self.give(number, vec![input]) }
    }

    /// Things may be better now: what is silent is begun anew, and what brings bytes goes on.
    pub(super) fn kick(&mut self, number: u64, wake: Input) {
        let live = |world: &Self| -> Vec<(EffectId, TaskKey, u64, bool)> {
            let worker = world.workers.iter().find(|worker| worker.number == number);
            let attempts = worker.into_iter().flat_map(|worker| &worker.attempts);
            let live = attempts.filter(|(_, attempt)| !attempt.is_aborted);
            live.map(|(id, attempt)| (*id, attempt.key.clone(), attempt.heard_at, attempt.head.is_none())).collect()
        };
        let before = live(self);
        self.give(number, vec![wake]);
        let after = live(self);
        let Some(worker) = self.workers.iter().find(|worker| worker.number == number) else { return };
        let ends_at = worker.last_wake().and_then(|wake| worker.wakes[&wake].ends_at);
        let is_ending = ends_at.is_some_and(|ends_at| ends_at.since(worker.time(self.now)) <= 1_000);
        if worker.has_ended_early || is_ending {
            return;
        }
        for (id, key, heard_at, has_head) in &before {
            let is_silent = self.now - heard_at >= 5_000;
            if after.iter().all(|(other, ..)| other != id) {
                // One of several connections of a task makes room for the first of another, whose wait may have ended now.
                let is_second = before.iter().any(|(other, of, ..)| of == key && other != id);
                let had_none = |key: &TaskKey| before.iter().all(|(_, of, ..)| of != key);
                let mut tasks = self.model.tasks.values();
                let gave_way =
                    is_second && tasks.any(|task| task.record.state.is_active() && had_none(&task.record.key));
                // So does one whose task somebody reads elsewhere, which may have had to wait until now.
                let is_read = worker.calls.values().any(|waiting| demanded(&waiting.call) == Some(key));
                // And one whose task the browser itself is to have, as soon as there may be room for it.
                let goes_out = self.model.tasks.get(key).is_some_and(|task| task.progress.transport.is_wished());
                assert!(
                    is_silent || gave_way || is_read || goes_out || !has_head,
                    "{id:?} was ended although it brings bytes"
                );
                self.stats
                    .count(Group::Engine, if is_silent { "silent attempts replaced" } else { "gave way to others" });
            }
        }
    }

    /// A second worker starts although the first is alive: the lease decides.
    pub(super) fn overlap(&mut self) {
        if !self.is_calm {
            while self.workers.len() > 1 {
                let oldest = self.workers.remove(0);
                self.bury(&oldest);
            }
            self.stats.count(Group::Run, "overlaps");
            self.boot();
            self.schedule_again(self.climate.overlap_every_ms, Event::Overlap);
        }
    }

    /// Nothing goes wrong from now on, and one more page is there to take all events.
    pub(super) fn calm_down(&mut self) {
        note!(self, "calm");
        self.is_calm = true;
        self.storage.room.quota = None;
        self.calm_from = self.steps;
        self.is_online = true;
        let (newest, old) = std::mem::take(&mut self.workers).into_iter().partition(|worker| self.is_newest(worker));
        self.workers = newest;
        let _: () = Vec::into_iter(old).for_each(|worker| self.bury(&worker));
        self.tell_all();
        for page in &mut self.pages {
            page.can_authorize = true;
        }
        self.open_page();
        self.schedule(0, Event::Sync);
        self.schedule(60_000, Event::ReadAll);
    }

    /// What must be true when nothing is left to do.
    fn check_end(&mut self) {
        check_storage(&self.storage, &self.model, &self.origin);
        for task in self.model.tasks.values() {
            let is_active = matches!(task.record.state, TaskState::Active { .. });
            assert!(!is_active, "nothing is left to do, but a task has not ended: {task:?}");
            assert!(task.record.due().is_none(), "nothing is left to do, but a file has not moved: {task:?}");
        }
        for (key, group) in &self.model.groups {
            let counts = self.model.counts(key);
            // Who is resumed after the group has ended is on its own.
            // A member that cannot be read fails, and the others with it, once an engine has met it.
            let fails = group.fails_together && self.model.have_failed(key) && !group.is_done;
            assert!(!fails || counts.paused == 0, "{key:?} fails together, but has {counts:?}");
            let has_ended = group.is_sealed && counts.have_all_ended() && !self.model.has_damaged_member(key);
            assert!(!has_ended || group.is_done, "all members of {key:?} have ended, but no event says so");
        }
        for (session, outbox) in &self.model.outbox {
            assert!(outbox.is_empty(), "{session:?} still has events: {:?}", outbox.keys());
        }
        for (seq, fate) in self.model.events.values().flatten() {
            assert!(fate.is_handled && fate.is_acked, "nobody has handled event {seq}");
        }
        for page in self.pages.iter().filter(|page| page.is_open) {
            let waiting = page.calls.values().find(|(call, _)| !self.may_wait_for_ever(call));
            assert!(waiting.is_none(), "{:?} waits for a reply: {waiting:?}", page.client);
        }
        let [worker] = &self.workers[..] else { panic!("one worker is left, not {}", self.workers.len()) };
        assert!(!worker.is_working && worker.wakes.is_empty(), "nothing is left to do, but the worker is held");
        let live = worker.attempts.values().find(|attempt| !attempt.is_aborted);
        assert!(live.is_none(), "an attempt goes on: {live:?}");
        assert!(worker.buffers.is_empty(), "buffers were never let go: {:?}", worker.buffers);
        let waiting = worker.calls.values().find(|waiting| !self.may_wait_for_ever(&waiting.call));
        assert!(waiting.is_none(), "a call was never answered: {waiting:?}");
        for (session, delegate) in &worker.delegates {
            assert!(delegate.told_all_delivered, "the delegate of {session:?} was never told that all is delivered");
        }
        let hook = &worker.hook;
        assert!(hook.batches.is_empty() && hook.owed.is_empty(), "the hook was left alone: {hook:?}");
        let registrations = &self.browser.registrations;
        assert!(registrations.is_empty(), "the browser still fetches for nobody: {registrations:?}");
        let is_whole = |task: &&Task| task.record.state == TaskState::Completed && task.record.place != Place::Gone;
        let files = self.model.tasks.values().filter(is_whole).map(|task| task.progress.body).collect();
        let lost = self.storage.room.still_claimed(&files);
        assert!(lost.is_empty(), "files that cannot be read are shown as complete: {lost:?}");
        check_swept(self);
    }
}

fn check_swept(world: &World) {
    // What was not looked at is not known to be damaged.
    if world.model.tasks.values().any(Task::is_damaged) {
        return;
    }
    let bodies = world.storage.store.rows(longhaul::store::Table::Bodies).len();
    let tasks = || world.model.tasks.values();
    let is_here = |task: &&Task| task.record.state != TaskState::Cancelled && task.record.place != Place::Gone;
    let live = tasks().filter(is_here).count();
    let old = tasks().filter(|task| task.progress.previous.is_some()).count();
    let aside = tasks().filter(|task| task.progress.aside.is_some()).count();
    assert_eq!(bodies, live + old + aside, "dead bodies were never swept");
}
