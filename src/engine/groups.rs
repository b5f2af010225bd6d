//! Groups at work: who has joined, how many have ended, and the one event when all have.

use super::delivery::Session;
use super::error::{ErrorCode, TaskError};
use super::filter::Filter;
use super::group::{GroupCounts, GroupKey, GroupRecord};
use super::id::{CallId, TaskKey};
use super::input::{BulkAction, CommitOutcome, Loaded, StoreFailure};
use super::output::{Answer, Change, Output, Query};
use super::task::{EventKind, Subject, Task, TaskEvent, TaskRecord, TaskSpec};
use super::time::Timestamp;
use super::{Engine, Purpose, STORE_PAUSE_MS};

/// How often pages are told how a group stands, at most.
const SHOW_EVERY_MS: u64 = 250;

/// A group in memory: one that is not done, or that somebody has just asked about.
#[derive(Debug)]
pub struct Group {
    record: GroupRecord,
    /// Whether the row is in storage.
    is_stored: bool,
    /// How many members are in which state, if that is known.
    counts: Option<GroupCounts>,
    is_counting: bool,
    /// Whether a member has changed while they were being counted, or was about to.
    is_miscounted: bool,
    /// Whether the counts are true: they were made while no member's commit was in flight, which they may hold or not.
    is_exact: bool,
    is_committing: bool,
    /// Set once pages have to be told; when they were told last.
    is_news: bool,
    shown_at: Timestamp,
    retry_at: Option<Timestamp>,
    /// When its members were last cancelled for the failure of one.
    failed_at: Option<Timestamp>,
    /// Calls that want to know how it stands.
    askers: Vec<CallId>,
    /// Batches of members that wait for the row.
    pub waiting: Vec<(u64, Vec<(TaskKey, TaskSpec)>)>,
    /// The batch whose answer waits for the seal.
    sealing: Vec<u64>,
}

/// What a group's commit will make true.
#[derive(Debug)]
pub(super) struct StagedGroup {
    record: GroupRecord,
    event: Option<TaskEvent>,
}

impl Group {
    /// A group that storage holds.
    pub fn restore(record: GroupRecord) -> Self {
        Self { is_stored: true, ..Self::new(record) }
    }

    fn new(record: GroupRecord) -> Self {
        Self {
            record,
            is_stored: false,
            counts: None,
            is_counting: false,
            is_miscounted: false,
            is_exact: false,
            is_committing: false,
            is_news: false,
            shown_at: Timestamp(0),
            retry_at: None,
            failed_at: None,
            askers: Vec::new(),
            waiting: Vec::new(),
            sealing: Vec::new(),
        }
    }

    /// How many members are in which state, if that is known.
    pub fn counts(&self) -> Option<GroupCounts> {
        self.counts
    }

    /// When something is to be done about it, if nothing happens before.
    pub fn next_time(&self) -> Option<Timestamp> {
        let can_show = self.is_news && self.counts.is_some();
        let show_at = can_show.then(|| self.shown_at.after(SHOW_EVERY_MS));
        let fail_at = self.failed_at.filter(|_| self.has_to_fail()).map(|at| at.after(STORE_PAUSE_MS));
        [show_at, self.retry_at, fail_at].into_iter().flatten().min()
    }

    /// Whether one member has failed and others, which should fail with it, have not ended.
    fn has_to_fail(&self) -> bool {
        let is_known = |counts: &GroupCounts| counts.failed > 0 && counts.active + counts.paused > 0;
        self.record.fails_together && self.is_exact && self.counts.as_ref().is_some_and(is_known)
    }

    fn is_done(&self) -> bool {
        let is_asked = !self.askers.is_empty() || !self.waiting.is_empty() || !self.sealing.is_empty();
        self.record.is_done && !self.is_news && !is_asked && !self.is_counting && !self.is_committing
    }
}

impl Engine {
    /// Makes sure that the group is known and open for members. False if its row is still on its way.
    pub(super) fn open_group(&mut self, key: &GroupKey, fails_together: bool) -> bool {
        let record = GroupRecord { key: key.clone(), is_sealed: false, is_done: false, fails_together };
        // What its row is going to say counts once it is stored: that may fail, and another row be there.
        let unknown = GroupRecord { fails_together: false, ..record.clone() };
        let group = self.groups.get_or_insert_with(key.clone(), || Group::new(unknown));
        let is_open = group.is_stored && !group.record.is_done && !group.is_committing;
        if !is_open && !group.is_committing {
            // One that was done has new members, and is not done any more.
            self.commit_group(key, record, None);
        }
        is_open
    }

    /// All members have been named.
    pub(super) fn seal_group(&mut self, key: &GroupKey, batch: u64) {
        let Some(group) = self.groups.get_mut(key) else { return self.answer_batch(batch) };
        if group.record.is_sealed {
            return self.answer_batch(batch);
        }
        group.sealing.push(batch);
        self.seal_if_asked(key);
    }

    fn seal_if_asked(&mut self, key: &GroupKey) {
        let Some(group) = self.groups.get(key) else { return };
        if !group.sealing.is_empty() && !group.is_committing && !group.record.is_sealed {
            let record = GroupRecord { is_sealed: true, ..group.record.clone() };
            self.commit_group(key, record, None);
        }
    }

    fn commit_group(&mut self, key: &GroupKey, record: GroupRecord, event: Option<TaskEvent>) {
        let Some(group) = self.groups.get_mut(key) else { return };
        group.is_committing = true;
        // A row that is being read meanwhile may be the one before.
        group.is_miscounted |= group.is_counting;
        let mut changes = vec![Change::PutGroup(record.clone())];
        changes.extend(event.iter().map(|event| Change::PutEvent(event.clone())));
        self.commit(Purpose::CommitGroup(key.clone(), Box::new(StagedGroup { record, event })), changes);
    }

    pub(super) fn handle_group_committed(&mut self, key: &GroupKey, staged: StagedGroup, outcome: CommitOutcome) {
        let retry_at = self.now.after(STORE_PAUSE_MS);
        let Some(group) = self.groups.get_mut(key) else { return };
        group.is_committing = false;
        group.is_miscounted |= group.is_counting;
        if outcome == CommitOutcome::Committed {
            group.is_stored = true;
            group.record = staged.record;
            // A load that is under way may bring the row as it was before.
            group.is_miscounted |= group.is_counting;
            let waiting = std::mem::take(&mut group.waiting);
            let sealed = if group.record.is_sealed { std::mem::take(&mut group.sealing) } else { Vec::new() };
            for (batch, members) in waiting {
                self.load_members(batch, members);
            }
            sealed.into_iter().for_each(|batch| self.answer_batch(batch));
            if let Some(event) = staged.event {
                self.publish_event(event);
            }
            return self.seal_if_asked(key);
        }
        // Whether it happened, only storage knows: the count brings the row, too.
        group.counts = None;
        group.is_exact = false;
        group.retry_at = Some(retry_at);
        let batches: Vec<u64> =
            group.waiting.drain(..).map(|(batch, _)| batch).chain(group.sealing.drain(..)).collect();
        for batch in batches {
            self.abandon_batch(batch, super::commits::storage_error(outcome));
        }
        if let Some(session) = self.sessions.get_mut(&key.session)
            && let Some(event) = &staged.event
        {
            if outcome == CommitOutcome::Unknown {
                session.outbox.abandoned(event.seq);
                session.outbox.forget_resident();
            } else {
                session.outbox.failed(event.seq);
            }
        }
    }

    /// A page asks how a group stands.
    pub(super) fn ask_group(&mut self, call: CallId, key: GroupKey) {
        let record = GroupRecord { key: key.clone(), is_sealed: true, is_done: true, fails_together: false };
        let group = self.groups.get_or_insert_with(key, || Group::restore(record));
        match group.counts.filter(|_| !group.is_counting) {
            Some(counts) => self.reply(call, Ok(Answer::Group(counts))),
            None => group.askers.push(call),
        }
    }

    pub(super) fn handle_counts(&mut self, key: &GroupKey, loaded: Result<Loaded, StoreFailure>) {
        let retry_at = self.now.after(STORE_PAUSE_MS);
        let is_quiet = !self.is_changing(key);
        let Some(group) = self.groups.get_mut(key) else { return };
        group.is_counting = false;
        let Ok(Loaded::Counts(record, counts)) = loaded else {
            group.retry_at = Some(retry_at);
            let askers = std::mem::take(&mut group.askers);
            askers.into_iter().for_each(|call| self.reply(call, Err(TaskError::new(ErrorCode::Storage))));
            return;
        };
        let is_miscounted = std::mem::take(&mut group.is_miscounted);
        group.is_exact = !is_miscounted && is_quiet;
        match record {
            _ if group.is_committing || is_miscounted => {}
            Some(record) => {
                group.record = record;
                group.is_stored = true;
            }
            // Its row never was, or is not yet: nobody waits for its end.
            None => group.record.is_done = true,
        }
        group.counts = Some(counts);
        group.is_news = true;
        let askers = std::mem::take(&mut group.askers);
        askers.into_iter().for_each(|call| self.reply(call, Ok(Answer::Group(counts))));
    }

    /// A task has become durable in another state than before.
    pub(super) fn count_member(&mut self, before: Option<&TaskRecord>, after: Option<&TaskRecord>) {
        let group_of = |record: Option<&TaskRecord>| record.and_then(|record| record.spec.group.clone());
        if before.is_some() && after.is_some() && group_of(before) != group_of(after) {
            // Another download took its id: it leaves one group and may join another.
            self.count_member(before, None);
            return self.count_member(None, after);
        }
        let Some(group) = after.or(before).and_then(|record| record.spec.group.clone()) else { return };
        let Some(record) = after.or(before) else { return };
        let key = GroupKey { session: record.key.session.clone(), group };
        let rank = |record: Option<&TaskRecord>| record.map(|record| record.state.rank());
        if rank(before) == rank(after) {
            return;
        }
        let Some(group) = self.groups.get_mut(&key) else { return };
        group.is_news = true;
        group.is_miscounted |= group.is_counting;
        if let Some(counts) = &mut group.counts {
            if let Some(rank) = rank(before) {
                let count = counts.of_rank(rank);
                *count = count.saturating_sub(1);
            }
            if let Some(rank) = rank(after) {
                *counts.of_rank(rank) += 1;
            }
        }
        let has_failed = after.is_some_and(|after| matches!(after.state, super::task::TaskState::Failed(_)));
        if has_failed && group.record.fails_together {
            self.fail_group(&key);
        }
    }

    /// Cancels the members that have not ended.
    fn fail_group(&mut self, key: &GroupKey) {
        let now = self.now;
        if let Some(group) = self.groups.get_mut(key) {
            group.failed_at = Some(now);
        }
        if self.is_called_upon(key) {
            return;
        }
        let filter = Filter { group: Some(key.group.clone()), ..Filter::default() };
        self.call_upon_all(None, key.session.clone(), filter, BulkAction::Cancel);
    }

    /// Cancels what a kill, or storage, has kept from being cancelled, and what has joined since.
    fn fail_group_again(&mut self, key: &GroupKey) {
        let now = self.now;
        let is_due = |group: &&Group| group.failed_at.is_none_or(|at| at.after(STORE_PAUSE_MS) <= now);
        if self.groups.get(key).filter(is_due).is_some_and(Group::has_to_fail) {
            self.fail_group(key);
        }
    }

    /// Whether a member's commit happened only storage knows: its group is counted anew.
    pub(super) fn recount_group_of(&mut self, record: &TaskRecord) {
        let Some(group) = record.spec.group.clone() else { return };
        let key = GroupKey { session: record.key.session.clone(), group };
        if let Some(group) = self.groups.get_mut(&key) {
            group.counts = None;
            group.is_exact = false;
            group.is_news = true;
            group.is_miscounted |= group.is_counting;
        }
    }

    /// Counts, shows and ends groups.
    pub(super) fn tend_groups(&mut self) {
        let keys: Vec<GroupKey> = self.groups.keys().cloned().collect();
        for key in keys {
            self.count_group(&key);
            self.fail_group_again(&key);
            self.end_group(&key);
            self.show_group(&key);
        }
        self.groups.retain(|_, group| !group.is_done());
    }

    /// Whether a commit in flight changes the counts of a group. What is counted meanwhile may or may not include it.
    fn is_changing(&self, group: &GroupKey) -> bool {
        self.effects.any(|purpose| {
            let Purpose::CommitTask(key, staged) = purpose else { return false };
            let before = self.slots.get(key).and_then(|slot| slot.task.as_ref());
            // Of one that is being mended it is not known as what it is counted.
            let is_mended = before.is_some_and(Task::is_damaged);
            let before = before.map(|task| &task.record);
            let after = staged.task.as_ref().map(|task| &task.record);
            let place = |record: &TaskRecord| (record.spec.group.clone(), record.state.rank());
            let is_member = |record: &&TaskRecord| record.spec.group.as_ref() == Some(&group.group);
            key.session == group.session
                && before.iter().chain(&after).any(is_member)
                && (is_mended || before.map(place) != after.map(place))
        })
    }

    fn count_group(&mut self, key: &GroupKey) {
        let now = self.now;
        let is_quiet = !self.is_changing(key);
        let Some(group) = self.groups.get_mut(key) else { return };
        if group.retry_at.is_some_and(|at| at > now) {
            return;
        }
        group.retry_at = None;
        let is_wanted = group.counts.is_none() || (is_quiet && !group.is_exact);
        if is_wanted && !group.is_counting && !group.is_committing {
            group.is_counting = true;
            group.is_miscounted = !is_quiet;
            self.load(Purpose::LoadCounts(key.clone()), Query::Counts(key.clone()));
        }
    }

    fn end_group(&mut self, key: &GroupKey) {
        let Some(group) = self.groups.get(key) else { return };
        let is_open = group.record.is_sealed && !group.record.is_done && !group.is_committing && !group.is_counting;
        let is_open = is_open && group.is_exact;
        let Some(counts) = group.counts.filter(|counts| is_open && counts.have_all_ended()) else { return };
        if self.is_changing(key) {
            // It would be stored first, and the event would not be true any more.
            return;
        }
        let Some(group) = self.groups.get(key) else { return };
        let record = GroupRecord { is_done: true, ..group.record.clone() };
        if self.is_changing(key) {
            return;
        }
        let event = self.new_event(&key.session, Subject::Group(key.group.clone()), EventKind::GroupEnded(counts));
        self.commit_group(key, record, event);
    }

    fn show_group(&mut self, key: &GroupKey) {
        let now = self.now;
        let Some(group) = self.groups.get_mut(key) else { return };
        let is_due = group.is_news && group.shown_at.after(SHOW_EVERY_MS) <= now;
        let Some(counts) = group.counts.filter(|_| is_due) else {
            // What cannot be said yet is said when it is known.
            group.is_news &= group.counts.is_some() || group.is_counting || group.retry_at.is_some();
            return;
        };
        group.is_news = false;
        group.shown_at = now;
        let clients = self.sessions.get(&key.session).into_iter().flat_map(Session::clients);
        self.outputs.extend(clients.map(|client| Output::GroupChanged(client.clone(), key.clone(), counts)));
    }
}
