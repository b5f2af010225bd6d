//! Filters: which of a session's tasks a call is about.

use super::id::GroupId;
use super::task::TaskRecord;
use super::time::Timestamp;

/// Tasks that agree with all that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Members of this group.
    pub group: Option<GroupId>,
    /// Tasks with this mark.
    pub tag: Option<String>,
    /// Tasks in these states, as a set of bits; see [`super::task::TaskState::rank`]. 0 means any.
    pub states: u8,
    /// Tasks whose files are here, and have been finished, and not been read, since before this time.
    pub unused_since: Option<Timestamp>,
}

impl Filter {
    /// Whether the task is meant.
    pub fn matches(&self, record: &TaskRecord) -> bool {
        let spec = &record.spec;
        self.group.as_ref().is_none_or(|group| spec.group.as_ref() == Some(group))
            && self.tag.as_ref().is_none_or(|tag| spec.tag.as_ref() == Some(tag))
            && (self.states == 0 || self.states & (1 << record.state.rank()) != 0)
            && self.unused_since.is_none_or(|since| record.unused_since().is_some_and(|at| at <= since))
    }

    /// The same, but only for tasks in states that `states` holds, too.
    pub fn within(mut self, states: u8) -> Self {
        self.states = if self.states == 0 { states } else { self.states & states };
        // No state at all would mean any.
        self.states |= u8::from(self.states == 0) << 7;
        self
    }
}
