//! Whose turn it is while something is waited for: what is polled on a task's behalf is that task's turn.

use std::future::poll_fn;
use std::pin::pin;

use crate::engine::crash::AtWork;
use crate::engine::id::TaskKey;

/// `future`, each poll of which is the task's turn.
pub async fn during<T>(at_work: AtWork, key: TaskKey, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _turn = at_work.turn(&key);
        future.as_mut().poll(context)
    })
    .await
}
