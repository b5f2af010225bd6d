//! Live progress: how far the running tasks have come, and how fast.

use js_sys::Array;

use super::messages::{Message, number};
use crate::engine::id::{SessionId, TaskKey};
use crate::engine::sorted_map::SortedMap;

/// Of each new measurement so much counts: smooth over about two seconds.
const SMOOTHING: f64 = 0.12;

/// The last bytes and speed of every task that is being fetched.
#[derive(Debug, Default)]
pub struct Speeds(SortedMap<TaskKey, (u64, f64)>);

impl Speeds {
    /// The messages for each session: a `TaskProgress` for every task. `read` says how many of its bytes have come.
    pub fn show(&mut self, read: Vec<(TaskKey, u64)>, interval_ms: u32) -> SortedMap<SessionId, Array> {
        let per_second = 1_000.0 / f64::from(interval_ms);
        let mut by_session: SortedMap<SessionId, Array> = SortedMap::default();
        let mut now = SortedMap::default();
        for (key, read) in read {
            let (before, speed) = self.0.get(&key).copied().unwrap_or((read, 0.0));
            let newest = number(read.saturating_sub(before)) * per_second;
            let smoothed = if speed == 0.0 { newest } else { speed + (newest - speed) * SMOOTHING };
            let message = Message::new()
                .with("id", key.task.as_str())
                .with("receivedBytes", number(read))
                .with("bytesPerSecond", smoothed.round());
            by_session.get_or_insert_with(key.session.clone(), Array::new).push(&message.into());
            now.insert(key, (read, smoothed));
        }
        self.0 = now;
        by_session
    }
}
