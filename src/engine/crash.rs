//! Crashes of the component: who was being worked on, and how often in a row that has happened. A task that crashes it
//! again and again fails, instead of taking all others with it for ever.

use std::cell::RefCell;
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

/// The task that is being worked on at this moment. It is read from outside when the engine itself cannot be asked any
/// more: a crash ends nobody's [`Turn`].
#[derive(Clone, Debug, Default)]
pub struct AtWork(Rc<RefCell<Option<TaskKey>>>);

impl AtWork {
    /// It is this task's turn until the result is dropped.
    pub fn turn(&self, key: &TaskKey) -> Turn {
        Turn { at_work: self.clone(), before: self.0.replace(Some(key.clone())) }
    }

    /// Whose turn it is, if it is anybody's.
    pub fn key(&self) -> Option<TaskKey> {
        self.0.borrow().clone()
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
        self.at_work.0.replace(self.before.take());
    }
}

impl Engine {
    /// Tells whose turn it is, also after a crash.
    pub fn at_work(&self) -> AtWork {
        self.at_work.clone()
    }

    /// The engine before this one crashed when it was this task's turn. To be called before the first input: the task is
    /// not tried again before that is noted durably.
    pub fn blame(&mut self, key: &TaskKey) {
        self.enqueue(key, Asker::Nobody, Queued::Task(TaskCall::CountCrash));
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
    use super::super::id::{SessionId, TaskId};
    use super::*;

    #[test]
    fn a_turn_within_a_turn_gives_it_back() {
        let key = |id: &str| TaskKey { session: SessionId::new("s"), task: TaskId::new(id) };
        let at_work = AtWork::default();
        let outer = at_work.turn(&key("outer"));
        drop(at_work.turn(&key("inner")));
        assert_eq!(at_work.key(), Some(key("outer")));
        drop(outer);
        assert_eq!(at_work.key(), None);
    }
}
