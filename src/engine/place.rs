//! Places: where the bytes of a task are, and where a finished file goes.

use serde::{Deserialize, Serialize};

use super::error::TaskError;

/// Where a finished file goes, in one step that happens or does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Destination {
    /// Into a cache of this name, as the answer to this URL.
    Cache {
        /// The cache.
        name: String,
        /// The URL.
        url: String,
    },
    /// Into the origin private file system, at this path: names with `/` between them.
    Opfs(String),
}

/// Where a task's bytes are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// In the store.
    #[default]
    Store,
    /// In the store, until all of them are at this destination.
    Leaving(Destination),
    /// In the store: for this reason they could not be moved.
    Staying(TaskError),
    /// Not here any more: moved, taken or let go.
    Gone,
}
