//! Sessions: named groups of tasks with one configuration.

use serde::{Deserialize, Serialize};

use super::id::SessionId;
use super::time::Timestamp;

/// What a session is set to. Durable; replaced only by one with a higher version, or changed by its app while it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Rises whenever the app changes the rest.
    pub version: u32,
    /// How the session may use the network.
    pub limits: Limits,
}

/// How a session may use the network, and how long it keeps files. It holds for all tasks of the session, whatever they themselves allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// How many tasks of the session may be fetched at the same time.
    pub max_concurrent_tasks: u32,
    /// Connections to one host and port while a page can be seen, whose own requests must not starve. Of the sessions that
    /// have something to fetch there, the lowest limit holds for all.
    pub max_per_host_visible: u32,
    /// The same while none can be seen.
    pub max_per_host_hidden: u32,
    /// The most that all tasks together may take from the network, in bytes per second.
    pub max_bytes_per_second: Option<u64>,
    /// Whether a network that is known to be metered may be used.
    pub metered: bool,
    /// Whether a network that tells nothing of itself may be used.
    pub unknown_network: bool,
    /// How long finished files are kept, in milliseconds; `None` until they are taken.
    pub keep_ms: Option<u64>,
    /// Whether that is counted from when a file was last read, instead of when it was finished.
    pub keep_from_last_use: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_concurrent_tasks: 3,
            max_per_host_visible: 2,
            // HTTP/1.1 gives the whole browser six connections to a host; a page that is being opened needs some of them
            // before it can say so.
            max_per_host_hidden: 4,
            max_bytes_per_second: None,
            metered: true,
            unknown_network: true,
            keep_ms: None,
            keep_from_last_use: false,
        }
    }
}

impl Default for Configuration {
    fn default() -> Self {
        Self { version: 1, limits: Limits::default() }
    }
}

/// How many sessions there may be: every start reads all of them, and every input looks at each.
pub const MAX_SESSIONS: usize = 1_000;

/// A session as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Its identifier.
    pub id: SessionId,
    /// Its configuration.
    pub configuration: Configuration,
    /// When it was last looked for files that had been kept long enough.
    pub tidied_at: Timestamp,
    /// Whether a page that can supply headers has opened it in this version: a task that wants some waits for such a page.
    pub has_authorizer: bool,
    /// The limits that this version was opened with, if they were changed since.
    pub opened_with: Option<Limits>,
}

impl SessionRecord {
    /// A session as a page opens it.
    pub fn new(id: SessionId, configuration: Configuration, has_authorizer: bool) -> Self {
        Self { id, configuration, tidied_at: Timestamp(0), has_authorizer, opened_with: None }
    }

    /// The limits that its version was opened with.
    fn original_limits(&self) -> &Limits {
        self.opened_with.as_ref().unwrap_or(&self.configuration.limits)
    }

    /// Whether a page that names the same version means other limits by it.
    pub fn differs(&self, opened: &Self) -> bool {
        self.original_limits() != opened.original_limits()
    }

    /// With its limits changed.
    pub fn patched(&self, patch: &LimitsPatch) -> Self {
        let mut record = self.clone();
        record.opened_with = Some(self.original_limits().clone());
        record.configuration.limits = self.configuration.limits.patched(patch);
        record
    }
}

/// A change of some of a session's limits. What is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitsPatch {
    /// See [`Limits::max_concurrent_tasks`].
    pub max_concurrent_tasks: Option<u32>,
    /// See [`Limits::max_per_host_visible`].
    pub max_per_host_visible: Option<u32>,
    /// See [`Limits::max_per_host_hidden`].
    pub max_per_host_hidden: Option<u32>,
    /// See [`Limits::max_bytes_per_second`]; 0 lifts the limit.
    pub max_bytes_per_second: Option<u64>,
    /// See [`Limits::metered`].
    pub metered: Option<bool>,
    /// See [`Limits::unknown_network`].
    pub unknown_network: Option<bool>,
    /// See [`Limits::keep_ms`]; 0 keeps them until they are taken.
    pub keep_ms: Option<u64>,
    /// See [`Limits::keep_from_last_use`].
    pub keep_from_last_use: Option<bool>,
}

impl Limits {
    /// Connections to one host and port, while a page can be seen or not.
    pub fn max_per_host(&self, is_watched: bool) -> u32 {
        if is_watched { self.max_per_host_visible } else { self.max_per_host_hidden }
    }

    /// With the changes of `patch`.
    pub fn patched(&self, patch: &LimitsPatch) -> Self {
        let lift = |new: Option<u64>, old: Option<u64>| new.map_or(old, |new| Some(new).filter(|new| *new > 0));
        Self {
            max_concurrent_tasks: patch.max_concurrent_tasks.unwrap_or(self.max_concurrent_tasks),
            max_per_host_visible: patch.max_per_host_visible.unwrap_or(self.max_per_host_visible),
            max_per_host_hidden: patch.max_per_host_hidden.unwrap_or(self.max_per_host_hidden),
            max_bytes_per_second: lift(patch.max_bytes_per_second, self.max_bytes_per_second),
            metered: patch.metered.unwrap_or(self.metered),
            unknown_network: patch.unknown_network.unwrap_or(self.unknown_network),
            keep_ms: lift(patch.keep_ms, self.keep_ms),
            keep_from_last_use: patch.keep_from_last_use.unwrap_or(self.keep_from_last_use),
        }
    }
}
