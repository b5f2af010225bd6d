//! TRIMMED for the store's work: the types only. The real one replaces this file.

pub mod codec;
pub mod error;
pub mod filter;
pub mod group;
pub mod http;
pub mod id;
pub mod input;
pub mod output;
pub mod plan;
pub mod policy;
pub mod random;
pub mod range_set;
pub mod request;
pub mod resume_data;
pub mod schedule;
pub mod session;
pub mod sorted_map;
pub mod task;
pub mod time;

use group::GroupRecord;
use input::Loaded;
pub use range_set::RangeSet;
use session::SessionRecord;
use task::TaskEvent;

/// How many events one load of an outbox brings.
pub const OUTBOX_WINDOW: usize = 64;
/// How many active tasks of one lane are held in memory, beside those that run.
pub const RESIDENT_PER_LANE: u32 = 32;

/// What a boot finds in storage: never all tasks, only what is active and due.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// All sessions.
    pub sessions: Vec<SessionSnapshot>,
}

/// A session as a boot finds it.
#[derive(Debug)]
pub struct SessionSnapshot {
    /// The session.
    pub record: SessionRecord,
    /// The first unacknowledged events.
    pub outbox: Vec<TaskEvent>,
    /// Whether there are more of them.
    pub more_events: bool,
    /// The last sequence number that was ever committed.
    pub last_seq: u64,
    /// The groups whose event has not been made.
    pub groups: Vec<GroupRecord>,
    /// Its active tasks that are due first: always [`Loaded::Due`], with no lane blocked.
    pub due: Loaded,
}
