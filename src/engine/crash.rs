//! Crashes of the component: who was being worked on, and how often in a row that has happened. A task that crashes it
//! again and again fails, instead of taking all others with it for ever.

use std::fmt::Debug;
use std::rc::Rc;

use super::Engine;
use super::error::{ErrorCode, TaskError};
use super::id::TaskKey;
use super::input::TaskCall;
use super::output::Change;
use super::slot::{Asker, Queued};
use super::task::Task;

/// With so many crashes in a row, and not a byte in between, a task fails.
const MOST_CRASHES: u32 = 3;

/// Keeps whose turn it is where it can be read when the engine itself cannot be asked any more.
pub trait Watch: Debug {
    /// It is this one's turn, or nobody's. Returns whose it was before.
    fn set(&self, key: Option<TaskKey>) -> Option<TaskKey>;
}

/// Tells whose turn it is: a crash ends nobody's [`Turn`]. By default nobody is told.
#[derive(Clone, Debug, Default)]
pub struct AtWork(Option<Rc<dyn Watch>>);

impl AtWork {
    /// Tells `watch`.
    pub fn new(watch: Rc<dyn Watch>) -> Self {
        Self(Some(watch))
    }

    /// It is this task's turn until the result is dropped.
    pub fn turn(&self, key: &TaskKey) -> Turn {
        Turn { before: self.set(Some(key.clone())), at_work: self.clone() }
    }

    fn set(&self, key: Option<TaskKey>) -> Option<TaskKey> {
        self.0.as_ref().and_then(|watch| watch.set(key))
    }
}

/// One task's turn.
#[derive(Debug)]
pub struct Turn {
    at_work: AtWork,
    before: Option<TaskKey>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.at_work.set(self.before.take());
    }
}

impl Engine {
    /// From now on `at_work` is told whose turn it is.
    pub fn tell(&mut self, at_work: AtWork) {
        self.at_work = at_work;
    }

    /// The engine before this one crashed when it was this task's turn. To be called before the first input: the task is
    /// not tried again before that is noted durably.
    pub fn blame(&mut self, key: &TaskKey) {
        self.enqueue(key, Asker::Engine, Queued::Task(TaskCall::CountCrash));
    }

    pub(super) fn count_crash(&mut self, key: &TaskKey, asker: Asker, mut task: Task) {
        task.progress.crashes += 1;
        if task.progress.crashes >= MOST_CRASHES {
            self.drop_attempts(key);
            return self.fail(key, task, Vec::new(), TaskError::new(ErrorCode::Crashed));
        }
        let changes = vec![Change::PutProgress(key.clone(), task.progress.clone())];
        self.commit_verb(key, asker, TaskCall::CountCrash, Some(task), None, changes);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::super::id::{SessionId, TaskId};
    use super::*;

    #[derive(Debug, Default)]
    struct Noted(RefCell<Option<TaskKey>>);

    impl Watch for Noted {
        fn set(&self, key: Option<TaskKey>) -> Option<TaskKey> {
            self.0.replace(key)
        }
    }

    #[test]
    fn a_turn_within_a_turn_gives_it_back() {
        let key = |id: &str| TaskKey { session: SessionId::new("s"), task: TaskId::new(id) };
        let noted = Rc::new(Noted::default());
        let at_work = AtWork::new(Rc::clone(&noted) as Rc<dyn Watch>);
        let outer = at_work.turn(&key("outer"));
        drop(at_work.turn(&key("inner")));
        assert_eq!(*noted.0.borrow(), Some(key("outer")));
        drop(outer);
        assert_eq!(*noted.0.borrow(), None);
    }
}
