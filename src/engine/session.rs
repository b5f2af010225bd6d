//! Sessions: named groups of tasks with one configuration.

use serde::{Deserialize, Serialize};

use super::id::SessionId;

/// What a session is set to. Durable; replaced only by one with a higher version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Rises whenever the app changes the rest.
    pub version: u32,
    /// How many tasks of the session may be fetched at the same time.
    pub max_concurrent_tasks: u32,
}

impl Default for Configuration {
    fn default() -> Self {
        Self { version: 1, max_concurrent_tasks: 3 }
    }
}

/// A session as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Its identifier.
    pub id: SessionId,
    /// Its configuration.
    pub configuration: Configuration,
}
