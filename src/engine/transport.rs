//! Transports: whether the worker alone fetches a task's bytes, or the browser itself as far as it can, what that has been
//! given, and what it calls that. What is done about it is in `external.rs`.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::id::{SessionId, TaskId, TaskKey};
use super::range_set::RangeSet;

/// What the browser's names for our registrations begin with.
const PREFIX: &str = "longhaul/";

/// How a task's bytes are to come, beside plain fetch. It is a part of the checkpoint, since it changes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// By the worker alone.
    #[default]
    Fetch,
    /// By the browser, as far as it can.
    External {
        /// Whether the task fails if the browser refuses.
        is_strict: bool,
        /// What the browser's own page of downloads is to show, as JSON text; never looked at.
        ui: Option<String>,
        /// What it has been given.
        out: Option<Out>,
    },
}

/// What the browser has been given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Out {
    /// The browser's name for it; see [`key_of`].
    pub registration: String,
    /// The bytes that it is to fetch.
    pub reserved: RangeSet,
    /// The most bytes of one of its requests.
    pub part_bytes: u64,
}

impl Transport {
    /// What the browser has been given, if anything.
    pub fn out(&self) -> Option<&Out> {
        match self {
            Self::External { out, .. } => out.as_ref(),
            Self::Fetch => None,
        }
    }

    /// Whether the browser is to fetch, and has been given nothing yet.
    pub fn is_wished(&self) -> bool {
        matches!(self, Self::External { out: None, .. })
    }

    /// The same wish, with other bytes given.
    pub fn with(&self, new: Option<Out>) -> Self {
        let mut changed = self.clone();
        if let Self::External { out, .. } = &mut changed {
            *out = new;
        }
        changed
    }
}

impl Out {
    /// The ranges of its requests.
    pub fn parts(&self) -> impl Iterator<Item = Range<u64>> {
        self.reserved.iter().flat_map(|range| {
            let starts = (range.start..range.end).step_by(self.part_bytes.max(1) as usize);
            starts.map(|start| start..range.end.min(start + self.part_bytes))
        })
    }
}

/// Whose registration has this name; `None` if it is not one of ours.
pub(super) fn key_of(registration: &str) -> Option<TaskKey> {
    let (_, rest) = registration.strip_prefix(PREFIX)?.split_once('/')?;
    let (length, names) = rest.split_once('/')?;
    let length: usize = length.parse().ok()?;
    let (session, task) = (names.get(..length)?, names.get(length..)?);
    Some(TaskKey { session: SessionId::new(session), task: TaskId::new(task) })
}

/// A new name for a registration of this task.
pub(super) fn new_name(key: &TaskKey, nonce: u64) -> String {
    let (session, task) = (key.session.as_str(), key.task.as_str());
    [PREFIX, &nonce.to_string(), "/", &session.len().to_string(), "/", session, task].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_is_named_after_its_task() {
        let key = TaskKey { session: SessionId::new("a/b"), task: TaskId::new("/é/1") };
        assert_eq!(key_of(&new_name(&key, 7)), Some(key));
        for foreign in ["", "longhaul/", "longhaul/7/99/ab", "longhaul/7/x/ab", "podcast-1"] {
            assert_eq!(key_of(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn the_parts_are_what_is_reserved() {
        let mut reserved = RangeSet::default();
        reserved.insert(10..35);
        reserved.insert(50..60);
        let out = Out { registration: String::new(), reserved, part_bytes: 10 };
        assert_eq!(out.parts().collect::<Vec<_>>(), [10..20, 20..30, 30..35, 50..60]);
    }
}
