//! The order in which a driver's operations reach storage, the same for every store and for the simulator.
//!
//! One transaction is written at a time. Commits that wait together share one, since a transaction costs some
//! milliseconds whatever it holds. A load sees every commit that was asked for before it: it begins when none of them is
//! left in the queue. An operation that its engine has given up is withdrawn: a commit that has not begun is never
//! written, and the transaction of one that has begun is to be ended.

use std::collections::VecDeque;

use crate::engine::id::EffectId;
use crate::engine::input::CommitOutcome;

/// How many commits share a transaction: if it fails, each of them is tried again by itself.
const MAX_COMMITS_PER_TRANSACTION: usize = 32;

/// Operations of one driver: `C` is what a commit writes, `L` what a load asks for.
#[derive(Debug)]
pub struct StorageQueue<C, L> {
    waiting: VecDeque<Operation<C, L>>,
    writing: Option<Transaction<C>>,
    last_transaction: u64,
}

#[derive(Debug)]
enum Operation<C, L> {
    Commit {
        id: EffectId,
        commit: C,
        /// It was part of a transaction that failed.
        is_alone: bool,
    },
    Load(EffectId, L),
}

/// Commits that are written together, all or nothing.
#[derive(Clone, Debug)]
pub struct Transaction<C> {
    /// Names the transaction within its queue.
    pub number: u64,
    /// The commits, in order.
    pub commits: Vec<(EffectId, C)>,
}

/// What a driver does next.
#[derive(Debug)]
pub enum Next<C, L> {
    /// Write this transaction, and report its outcome to [`StorageQueue::handle_outcome`].
    Write(Transaction<C>),
    /// Read this.
    Load(EffectId, L),
}

/// A withdrawn commit had begun: the transaction is to be aborted if it still can be, and its outcome is not wanted.
#[derive(Debug, PartialEq, Eq)]
pub struct Abandoned {
    /// The number of the transaction.
    pub transaction: u64,
    /// The other commits in it. Whether they are written is not known.
    pub others: Vec<EffectId>,
}

impl<C, L> Default for StorageQueue<C, L> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), writing: None, last_transaction: 0 }
    }
}

impl<C: Clone, L> StorageQueue<C, L> {
    /// Adds a commit.
    pub fn push_commit(&mut self, id: EffectId, commit: C) {
        self.waiting.push_back(Operation::Commit { id, commit, is_alone: false });
    }

    /// Adds a load.
    pub fn push_load(&mut self, id: EffectId, load: L) {
        self.waiting.push_back(Operation::Load(id, load));
    }

    /// What can begin now. Called until it returns `None`, after every other call.
    pub fn poll_next(&mut self) -> Option<Next<C, L>> {
        if self.writing.is_some() {
            return None;
        }
        if matches!(self.waiting.front(), Some(Operation::Load(..))) {
            let Some(Operation::Load(id, load)) = self.waiting.pop_front() else { return None };
            return Some(Next::Load(id, load));
        }
        let commits = self.take_commits();
        if commits.is_empty() {
            return None;
        }
        self.last_transaction += 1;
        let transaction = Transaction { number: self.last_transaction, commits };
        self.writing = Some(transaction.clone());
        Some(Next::Write(transaction))
    }

    /// The commits at the front of the queue that share the next transaction.
    fn take_commits(&mut self) -> Vec<(EffectId, C)> {
        let mut commits = Vec::new();
        while commits.len() < MAX_COMMITS_PER_TRANSACTION {
            match self.waiting.front() {
                Some(Operation::Commit { is_alone, .. }) if commits.is_empty() || !is_alone => {}
                _ => break,
            }
            let Some(Operation::Commit { id, commit, is_alone }) = self.waiting.pop_front() else { break };
            commits.push((id, commit));
            if is_alone {
                break;
            }
        }
        commits
    }

    /// Takes in how a transaction ended. Returns what to tell the engine of each commit; nothing yet if the commits are
    /// tried one by one, and nothing of a transaction that was abandoned.
    pub fn handle_outcome(&mut self, transaction: u64, outcome: CommitOutcome) -> Vec<(EffectId, CommitOutcome)> {
        let Some(written) = self.writing.take_if(|writing| writing.number == transaction) else { return Vec::new() };
        if written.commits.len() > 1 && matches!(outcome, CommitOutcome::Failed(_)) {
            // Nothing was written: perhaps one commit alone is to blame.
            for (id, commit) in written.commits.into_iter().rev() {
                self.waiting.push_front(Operation::Commit { id, commit, is_alone: true });
            }
            return Vec::new();
        }
        written.commits.into_iter().map(|(id, _)| (id, outcome)).collect()
    }

    /// Withdraws an operation. One that has not begun never will.
    pub fn withdraw(&mut self, withdrawn: EffectId) -> Option<Abandoned> {
        self.waiting.retain(|operation| match operation {
            Operation::Commit { id, .. } | Operation::Load(id, _) => *id != withdrawn,
        });
        let holds = |writing: &mut Transaction<C>| writing.commits.iter().any(|(id, _)| *id == withdrawn);
        let Transaction { number, commits } = self.writing.take_if(holds)?;
        let others = commits.into_iter().map(|(id, _)| id).filter(|id| *id != withdrawn).collect();
        Some(Abandoned { transaction: number, others })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::input::StoreFailure;

    type Queue = StorageQueue<&'static str, &'static str>;

    fn id(number: u64) -> EffectId {
        EffectId(number)
    }

    /// The commits of the transaction that begins now.
    fn written(queue: &mut Queue) -> (u64, Vec<&'static str>) {
        match queue.poll_next() {
            Some(Next::Write(transaction)) => {
                (transaction.number, transaction.commits.into_iter().map(|(_, commit)| commit).collect())
            }
            other => panic!("no transaction begins: {other:?}"),
        }
    }

    #[test]
    fn commits_that_wait_together_share_a_transaction() {
        let mut queue = Queue::default();
        queue.push_commit(id(1), "a");
        let (first, commits) = written(&mut queue);
        assert_eq!(commits, ["a"]);
        queue.push_commit(id(2), "b");
        queue.push_commit(id(3), "c");
        assert!(queue.poll_next().is_none(), "one transaction is written at a time");
        assert_eq!(queue.handle_outcome(first, CommitOutcome::Committed), [(id(1), CommitOutcome::Committed)]);
        let (second, commits) = written(&mut queue);
        assert_eq!(commits, ["b", "c"]);
        assert_eq!(queue.handle_outcome(second, CommitOutcome::Committed).len(), 2);
        assert!(queue.poll_next().is_none());
    }

    #[test]
    fn a_transaction_is_bounded() {
        let mut queue = Queue::default();
        (0..40).for_each(|number| queue.push_commit(id(number), "x"));
        assert_eq!(written(&mut queue).1.len(), MAX_COMMITS_PER_TRANSACTION);
    }

    #[test]
    fn a_load_sees_the_commits_before_it_and_none_behind_it() {
        let mut queue = Queue::default();
        queue.push_commit(id(1), "a");
        queue.push_load(id(2), "look");
        queue.push_commit(id(3), "b");
        let (first, commits) = written(&mut queue);
        assert_eq!(commits, ["a"]);
        assert!(queue.poll_next().is_none(), "the commit before the load is not answered");
        queue.handle_outcome(first, CommitOutcome::Committed);
        assert!(matches!(queue.poll_next(), Some(Next::Load(found, "look")) if found == id(2)));
        assert_eq!(written(&mut queue).1, ["b"]);
    }

    #[test]
    fn the_commits_of_a_failed_transaction_are_tried_one_by_one() {
        let mut queue = Queue::default();
        let full = CommitOutcome::Failed(StoreFailure::Quota);
        ["a", "b"].into_iter().zip(1..).for_each(|(commit, number)| queue.push_commit(id(number), commit));
        let (both, _) = written(&mut queue);
        queue.push_commit(id(3), "c");
        assert!(queue.handle_outcome(both, full).is_empty(), "it is not known yet which of them has failed");
        let (first, commits) = written(&mut queue);
        assert_eq!(commits, ["a"]);
        assert_eq!(queue.handle_outcome(first, full), [(id(1), full)]);
        let (second, commits) = written(&mut queue);
        assert_eq!(commits, ["b"], "what came later does not join a commit that is tried again");
        assert_eq!(queue.handle_outcome(second, CommitOutcome::Committed), [(id(2), CommitOutcome::Committed)]);
        assert_eq!(written(&mut queue).1, ["c"]);
    }

    #[test]
    fn a_commit_that_is_withdrawn_before_it_begins_is_never_written() {
        let mut queue = Queue::default();
        ["a", "b", "c"].into_iter().zip(1..).for_each(|(commit, number)| {
            queue.push_commit(id(number), commit);
            queue.poll_next();
        });
        assert_eq!(queue.withdraw(id(2)), None);
        queue.handle_outcome(1, CommitOutcome::Committed);
        assert_eq!(written(&mut queue).1, ["c"]);
    }

    #[test]
    fn the_transaction_of_a_withdrawn_commit_is_abandoned_and_the_queue_goes_on() {
        let mut queue = Queue::default();
        ["a", "b"].into_iter().zip(1..).for_each(|(commit, number)| queue.push_commit(id(number), commit));
        let (both, _) = written(&mut queue);
        queue.push_load(id(3), "look");
        assert_eq!(queue.withdraw(id(1)), Some(Abandoned { transaction: both, others: vec![id(2)] }));
        assert!(matches!(queue.poll_next(), Some(Next::Load(..))), "storage itself lets the load wait for it");
        assert!(queue.handle_outcome(both, CommitOutcome::Committed).is_empty(), "its outcome comes too late");
        assert_eq!(queue.withdraw(id(1)), None);
    }
}
