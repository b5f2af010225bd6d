//! What stands for records that cannot be read, until something better is stored: see [`crate::store`]'s `damage.rs`, which
//! puts it in their place, and `mend.rs`, which stores it.

use super::error::{ErrorCode, TaskError};
use super::group::{GroupKey, GroupRecord};
use super::id::{BodyId, GroupId, SessionId, TaskKey};
use super::session::{Configuration, SessionRecord};
use super::task::{Expects, FoundByUrl, Place, Progress, Task, TaskRecord, TaskSpec, TaskState};
use super::time::Timestamp;

impl TaskRecord {
    /// What stands for a task whose record cannot be read, until it is noted.
    pub fn unreadable(key: TaskKey, group: Option<GroupId>) -> Self {
        Self {
            key,
            spec: TaskSpec { group, ..TaskSpec::default() },
            state: TaskState::Failed(TaskError::new(ErrorCode::RecordDamaged)),
            since: Timestamp(0),
            created_at: Timestamp(0),
            ended_at: Some(Timestamp(0)),
            place: Place::Store,
            fails_when_full: false,
            used_at: Timestamp(0),
            by_url: FoundByUrl::Never,
            expects: Expects::default(),
        }
    }

    /// Whether it says only that something cannot be read, and storage does not say so yet.
    pub fn is_unnoted(&self) -> bool {
        let is_damaged = matches!(&self.state, TaskState::Failed(error) if error.code == ErrorCode::RecordDamaged);
        is_damaged && self.since == Timestamp(0)
    }
}

impl Task {
    /// A task whose checkpoint cannot be read. A file that was there is lost; what was to be fetched begins anew.
    pub fn without_progress(mut record: TaskRecord) -> Self {
        if record.state == TaskState::Completed && record.place != Place::Gone {
            let TaskRecord { state, since, place, .. } = TaskRecord::unreadable(record.key.clone(), None);
            record = TaskRecord { state, since, place, ..record };
        }
        Self { record, progress: Progress::new(BodyId::UNKNOWN) }
    }

    /// Whether something of it could not be read, and storage does not say so yet.
    pub fn is_damaged(&self) -> bool {
        self.progress.body == BodyId::UNKNOWN || self.record.is_unnoted()
    }
}

impl SessionRecord {
    /// What stands for a session whose record cannot be read: its tasks wait until the app says anew what it allows.
    pub fn unreadable(id: SessionId) -> Self {
        let configuration = Configuration { version: 0, ..Configuration::default() };
        Self::new(id, configuration, false)
    }

    /// Whether it is that. No app has a version 0.
    pub fn is_unreadable(&self) -> bool {
        self.configuration.version == 0
    }
}

impl GroupRecord {
    /// What stands for a group whose row cannot be read: it ends with the members that it has.
    pub fn unreadable(key: GroupKey, is_done: bool) -> Self {
        Self { key, is_sealed: true, is_done, fails_together: false }
    }
}
