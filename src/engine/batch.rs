//! Calls about many tasks: a batch of new members of a group, or the same verb for all that a filter names. Each task is
//! treated as if it had been called upon alone; the call is answered when all of them are durable.

use super::error::{ErrorCode, TaskError};
use super::filter::Filter;
use super::group::GroupKey;
use super::groups::Group;
use super::id::{CallId, SessionId, TaskId, TaskKey};
use super::input::{BulkAction, IfExists, Loaded, StoreFailure, TaskCall};
use super::output::{Answer, Query};
use super::slot::{Asker, Queued, Slot};
use super::task::TaskSpec;
use super::{Engine, Purpose};

/// How many tasks of a filter are called upon at a time.
const AT_A_TIME: u32 = 64;

/// What follows when all tasks of a batch are done.
#[derive(Debug)]
enum Then {
    /// The group has been given these members; perhaps they were the last.
    Joined { group: GroupKey, is_last: bool },
    /// The next page of the filter, behind this id; `None` if that was the last.
    Page { session: SessionId, filter: Filter, action: BulkAction, after: Option<TaskId>, is_last: bool },
}

/// A call that is waiting for many tasks.
#[derive(Debug)]
pub struct Batch {
    /// `None` if the engine itself wants it.
    call: Option<CallId>,
    /// Tasks that are not done yet.
    open: u32,
    /// Tasks that were made, or meant.
    count: u64,
    error: Option<TaskError>,
    then: Then,
    /// Tasks that have left memory since its last load was asked for, which may bring what they were before.
    left: Vec<TaskKey>,
}

impl BulkAction {
    fn call(self) -> TaskCall {
        match self {
            Self::Pause => TaskCall::Pause,
            Self::Resume => TaskCall::Resume,
            Self::Cancel => TaskCall::Cancel { keep: false },
            Self::Release => TaskCall::Release,
            Self::ReleaseFile => TaskCall::ReleaseFile,
        }
    }

    /// The states that it makes sense for; see [`super::task::TaskState::rank`].
    fn states(self) -> u8 {
        match self {
            Self::Pause => 0b0_0001,
            Self::Resume => 0b0_1011,
            Self::Cancel => 0b0_0011,
            Self::Release => 0b1_1100,
            Self::ReleaseFile => 0b0_0100,
        }
    }
}

impl Engine {
    /// A task leaves memory.
    pub(super) fn note_left(&mut self, key: &TaskKey) {
        self.batches.iter_mut().for_each(|(_, batch)| batch.left.push(key.clone()));
    }

    fn new_batch(&mut self, call: Option<CallId>, then: Then) -> u64 {
        self.last_batch += 1;
        let batch = Batch { call, open: 0, count: 0, error: None, then, left: Vec::new() };
        self.batches.insert(self.last_batch, batch);
        self.last_batch
    }

    /// Makes new members of a group; those that exist stay as they are.
    pub(super) fn download_all(
        &mut self,
        call: CallId,
        group: &GroupKey,
        fails_together: bool,
        members: Vec<(TaskId, TaskSpec)>,
        is_last: bool,
    ) {
        let batch = self.new_batch(Some(call), Then::Joined { group: group.clone(), is_last });
        let members: Vec<(TaskKey, TaskSpec)> =
            members.into_iter().map(|(task, spec)| (TaskKey { session: group.session.clone(), task }, spec)).collect();
        let keys = members.iter().map(|(key, _)| key.clone()).collect();
        // The group's row comes first: members of a group that nobody knows of would never be counted.
        if self.open_group(group, fails_together) {
            self.load(Purpose::LoadMembers(batch, members), Query::TasksByKey(keys));
        } else if let Some(known) = self.groups.get_mut(group) {
            known.waiting.push((batch, members));
        }
    }

    /// The group's row is durable: its members may come.
    pub(super) fn load_members(&mut self, batch: u64, members: Vec<(TaskKey, TaskSpec)>) {
        let keys = members.iter().map(|(key, _)| key.clone()).collect();
        self.load(Purpose::LoadMembers(batch, members), Query::TasksByKey(keys));
    }

    /// The batch cannot be carried out.
    pub(super) fn abandon_batch(&mut self, batch: u64, error: TaskError) {
        if let Some(Batch { call: Some(call), .. }) = self.batches.remove(&batch) {
            self.reply(call, Err(error));
        }
    }

    pub(super) fn handle_members(
        &mut self,
        batch: u64,
        members: Vec<(TaskKey, TaskSpec)>,
        loaded: Result<Loaded, StoreFailure>,
    ) {
        let Ok(Loaded::Tasks(existing)) = loaded else {
            return self.abandon_batch(batch, TaskError::new(ErrorCode::Storage));
        };
        let mut left = Vec::new();
        if let Some(batch) = self.batches.get_mut(&batch) {
            batch.open = 1 + members.len() as u32;
            left = std::mem::take(&mut batch.left);
        }
        for (key, spec) in members {
            if left.contains(&key) {
                self.enqueue(&key, Asker::Batch(batch), Queued::Download(spec, Vec::new(), IfExists::Keep));
                continue;
            }
            let is_known = existing.iter().any(|task| task.record.key == key);
            if !self.slots.contains_key(&key) {
                if is_known {
                    self.batch_advanced(batch, Ok(false));
                    continue;
                }
                // What the load has just said need not be asked again.
                self.slots.insert(key.clone(), Slot::default());
            }
            let queued = Queued::Download(spec, Vec::new(), IfExists::Keep);
            self.enqueue_known(&key, Asker::Batch(batch), queued);
        }
        self.batch_advanced(batch, Ok(false));
    }

    /// Calls upon all tasks that a filter names, page by page.
    pub(super) fn call_upon_all(
        &mut self,
        call: Option<CallId>,
        session: SessionId,
        filter: Filter,
        action: BulkAction,
    ) {
        let filter = filter.within(action.states());
        let batch = self.new_batch(call, Then::Page { session, filter, action, after: None, is_last: false });
        self.next_page(batch);
    }

    fn next_page(&mut self, batch: u64) {
        let Some(Batch { then: Then::Page { session, filter, after, .. }, .. }) = self.batches.get(&batch) else {
            return;
        };
        let query =
            Query::Select { session: session.clone(), filter: filter.clone(), after: after.clone(), limit: AT_A_TIME };
        self.load(Purpose::LoadPage(batch), query);
    }

    pub(super) fn handle_page(&mut self, number: u64, loaded: Result<Loaded, StoreFailure>) {
        let Some(batch) = self.batches.get_mut(&number) else { return };
        let Then::Page { action, after, is_last, .. } = &mut batch.then else { return };
        let Ok(Loaded::Page(tasks, next)) = loaded else {
            return self.abandon_batch(number, TaskError::new(ErrorCode::Storage));
        };
        let call = action.call();
        *is_last = next.is_none();
        *after = next;
        batch.open = 1 + tasks.len() as u32;
        let left = std::mem::take(&mut batch.left);
        for task in tasks {
            let key = task.record.key.clone();
            let queued = Queued::AsNamed(call.clone(), task.record.spec.call_token.clone());
            if left.contains(&key) {
                self.enqueue(&key, Asker::Batch(number), queued);
                continue;
            }
            self.slots.get_or_insert_with(key.clone(), || Slot::resident(task));
            self.enqueue_known(&key, Asker::Batch(number), queued);
        }
        self.batch_advanced(number, Ok(false));
    }

    /// Whether a batch's filter still names the task. Since it was found other calls may have changed it, or have put
    /// another in its place.
    pub(super) fn is_named(&self, key: &TaskKey, asker: Asker, token: &str) -> bool {
        let Asker::Batch(number) = asker else { return false };
        let Some(Batch { then: Then::Page { filter, .. }, .. }) = self.batches.get(&number) else { return false };
        let task = self.slots.get(key).and_then(|slot| slot.task.as_ref());
        task.is_some_and(|task| task.record.spec.call_token == token && filter.matches(&task.record))
    }

    /// Whether the engine itself is calling upon all members of a group.
    pub(super) fn is_called_upon(&self, group: &GroupKey) -> bool {
        self.batches.iter().any(|(_, batch)| {
            let Then::Page { session, filter, .. } = &batch.then else { return false };
            batch.call.is_none() && *session == group.session && filter.group.as_ref() == Some(&group.group)
        })
    }

    /// One task of a batch is done: whether it was new, or what was wrong.
    pub(super) fn batch_advanced(&mut self, number: u64, result: Result<bool, TaskError>) {
        let Some(batch) = self.batches.get_mut(&number) else { return };
        batch.open = batch.open.saturating_sub(1);
        match result {
            Ok(counts) => batch.count += u64::from(counts),
            // A task that has gone meanwhile, or has ended, is nothing that a call about many should fail for.
            Err(error)
                if matches!(
                    error.code,
                    ErrorCode::TaskNotFound | ErrorCode::NotFinished | ErrorCode::RecordDamaged
                ) => {}
            Err(error) => batch.error = batch.error.take().or(Some(error)),
        }
        if batch.open > 0 {
            return;
        }
        match &batch.then {
            Then::Page { is_last: false, .. } if batch.error.is_none() => self.next_page(number),
            Then::Joined { group, is_last: true } if batch.error.is_none() => {
                let group = group.clone();
                self.seal_group(&group, number);
            }
            _ => self.answer_batch(number),
        }
    }

    /// All that the call was about is durable, or something was wrong.
    pub(super) fn answer_batch(&mut self, number: u64) {
        let Some(Batch { call: Some(call), count, error, then, .. }) = self.batches.remove(&number) else { return };
        let answer = match then {
            Then::Joined { group, .. } => {
                Answer::Accepted(count as u32, self.groups.get(&group).and_then(Group::counts))
            }
            Then::Page { .. } => Answer::Done(count),
        };
        self.reply(call, error.map_or(Ok(answer), Err));
    }
}
