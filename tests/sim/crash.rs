//! Crashes: a kill that was the component's own fault, at a task that it was working on. The next worker notes that before
//! it tries the task again, and after three in a row does not.

use longhaul::engine::Engine;
use longhaul::engine::id::TaskKey;

use super::stats::Group;
use super::worker::Worker;
use super::world::{World, note};

/// A task that a worker has to count a crash of before it goes on with it.
#[derive(Debug)]
pub struct Blamed {
    pub key: TaskKey,
    /// Which call had made it.
    pub token: String,
    /// How often a crash of it had been counted before.
    pub counted: u64,
}

impl World {
    /// The worker is about to be killed: perhaps by a crash at one of its tasks, often the one of the last time.
    pub(super) fn may_crash(&mut self, worker: &Worker) {
        if !self.random.one_in(self.climate.crash_one_in) {
            return;
        }
        let running: Vec<TaskKey> = worker.live_attempts().map(|attempt| attempt.key.clone()).collect();
        let again = self.crashed_at.take().filter(|key| running.contains(key) && !self.random.one_in(5));
        let Some(key) = again.or_else(|| (!running.is_empty()).then(|| self.random.pick(&running))) else { return };
        note!(self, "w{} crashes at {key:?}", worker.number);
        self.stats.count(Group::Run, "crashes");
        self.model.crashed.insert(key.clone());
        self.crashed_at = Some(key.clone());
        self.blamed = Some(key);
    }

    /// Tells a new engine of the crash before it, if there was one.
    pub(super) fn blame(&mut self, engine: &mut Engine) -> Option<Blamed> {
        let key = self.blamed.take()?;
        engine.blame(&key);
        let task = self.model.tasks.get(&key).filter(|task| task.record.state.is_active())?;
        Some(Blamed { token: task.record.spec.call_token.clone(), counted: self.model.crashes_counted(&key), key })
    }

    /// A task that has crashed the component is not fetched before that is counted.
    pub(super) fn check_blamed(&self, worker: &mut Worker, key: &TaskKey) {
        if !self.is_newest(worker) {
            return;
        }
        let Some(blamed) = worker.blamed.take_if(|blamed| blamed.key == *key) else { return };
        let task = self.model.tasks.get(key).expect("only durable tasks are fetched");
        let is_another = task.record.spec.call_token != blamed.token;
        let is_counted = self.model.crashes_counted(key) > blamed.counted;
        assert!(
            is_counted || is_another || self.storage.has_failed,
            "{key:?} is fetched, but its crash was not counted"
        );
    }
}
