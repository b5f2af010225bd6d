//! Whose turn it is while something is waited for: what is polled on a task's behalf is that task's turn.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

use crate::engine::crash::{AtWork, Watch};
use crate::engine::id::TaskKey;

#[derive(Debug, Default)]
struct Noted(RefCell<Option<TaskKey>>);

impl Watch for Noted {
    fn set(&self, key: Option<TaskKey>) -> Option<TaskKey> {
        self.0.replace(key)
    }
}

thread_local! {
    static NOTED: Rc<Noted> = Rc::default();
}

/// Whose turn it is, also after a crash.
pub fn whose() -> Option<TaskKey> {
    NOTED.with(|noted| noted.0.borrow().clone())
}

/// What tells that to [`whose`].
pub fn at_work() -> AtWork {
    AtWork::new(NOTED.with(Rc::clone))
}

/// `future`, each poll of which is the task's turn.
pub async fn during<T>(at_work: AtWork, key: TaskKey, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _turn = at_work.turn(&key);
        future.as_mut().poll(context)
    })
    .await
}
