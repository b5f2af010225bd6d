//! Groups: many tasks that are one thing to the user, like the tiles of a map. A group has one aggregate progress and
//! one event when its last member has ended.

use serde::{Deserialize, Serialize};

use super::id::{GroupId, SessionId};

/// Where a group is stored: its session and its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupKey {
    /// The session it belongs to.
    pub session: SessionId,
    /// Its id in that session.
    pub group: GroupId,
}

/// A group as it is stored. How many members are in which state is told by their rows alone, so that no counter can
/// ever be wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRecord {
    /// Where it is stored.
    pub key: GroupKey,
    /// Whether all its members have been named.
    pub is_sealed: bool,
    /// Whether its event has been made.
    pub is_done: bool,
    /// Whether the failure of one member cancels the others.
    pub fails_together: bool,
}

/// How many members of a group are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupCounts {
    /// Not ended: to be fetched.
    pub active: u64,
    /// Stopped by the user.
    pub paused: u64,
    /// There.
    pub completed: u64,
    /// Given up.
    pub failed: u64,
    /// Ended by the user.
    pub cancelled: u64,
}

impl GroupCounts {
    /// The count of tasks in this state; see [`super::task::TaskState::rank`].
    pub fn of_rank(&mut self, rank: u8) -> &mut u64 {
        match rank {
            0 => &mut self.active,
            1 => &mut self.paused,
            2 => &mut self.completed,
            3 => &mut self.failed,
            _ => &mut self.cancelled,
        }
    }

    /// All members.
    pub fn total(&self) -> u64 {
        self.active + self.paused + self.completed + self.failed + self.cancelled
    }

    /// Whether every member has ended.
    pub fn have_all_ended(&self) -> bool {
        self.active == 0 && self.paused == 0
    }
}
