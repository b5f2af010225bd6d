//! A worker's operations on their way to storage, in the order of the queue that the browser's driver runs as well.

use std::rc::Rc;

use longhaul::engine::id::EffectId;
use longhaul::engine::input::{Call, CommitOutcome, Completion, Input};
use longhaul::engine::output::{Change, Query};
use longhaul::store::Write;
use longhaul::store::queue::{Next, StorageQueue, Transaction};

use super::content::Chunk;
use super::stats::Group;
use super::storage::Work;
use super::worker::Worker;
use super::world::{Event, World, note};

/// A commit, and what was the case when the engine asked for it.
#[derive(Debug)]
pub struct Commit {
    pub changes: Vec<Change>,
    pub writes: Vec<Write<Chunk>>,
    /// The calls that were not answered.
    pub calls: Vec<Call>,
    /// What the worker's clock showed.
    pub time: u64,
}

/// The queue of one worker.
pub type Queue = StorageQueue<Rc<Commit>, Query>;
/// Commits in one transaction.
pub type Written = Transaction<Rc<Commit>>;

impl World {
    /// Begins what can begin.
    pub(super) fn begin_operations(&mut self, worker: &mut Worker) {
        while let Some(next) = worker.queue.poll_next() {
            match next {
                Next::Load(id, query) => self.issue(worker, Work::Load(id, query)),
                Next::Write(transaction) => {
                    if transaction.commits.len() > 1 {
                        self.stats.count(Group::Storage, "commits merged");
                    }
                    self.issue(worker, Work::Write(transaction));
                }
            }
        }
    }

    /// The engine has given an operation up. A transaction that has begun is aborted, or is being committed already.
    pub(super) fn withdraw(&mut self, worker: &mut Worker, id: EffectId) {
        if let Some(abandoned) = worker.queue.withdraw(id) {
            self.stats.count(Group::Storage, "transactions abandoned");
            let is_too_late = self.random.one_in(3);
            if !is_too_late && self.storage.abort_transaction(worker.number, abandoned.transaction) {
                note!(self, "w{} aborts transaction {}", worker.number, abandoned.transaction);
                self.stats.count(Group::Storage, "transactions aborted");
            }
            for effect in abandoned.others {
                let completion = Completion::Committed(CommitOutcome::Unknown);
                self.schedule(0, Event::Answer { worker: worker.number, effect, completion });
            }
        }
        self.begin_operations(worker);
    }

    /// A worker hears how a transaction ended.
    pub(super) fn transaction_ended(&mut self, number: u64, transaction: u64, outcome: CommitOutcome) {
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.number == number) else { return };
        let ended = worker.queue.handle_outcome(transaction, outcome);
        // One by one: what the first makes possible is begun before the engine hears of the second.
        for (id, outcome) in ended {
            let completion = Completion::Committed(outcome);
            self.hear_of_room(number, id, &completion);
            self.note_session(number, id, &completion);
            self.give(number, vec![Input::Completed(id, completion)]);
        }
        if let Some(at) = self.workers.iter().position(|worker| worker.number == number) {
            let mut worker = self.workers.remove(at);
            self.begin_operations(&mut worker);
            self.workers.insert(at, worker);
        }
    }
}
