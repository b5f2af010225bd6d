//! Commits on their way to storage. IndexedDB takes them one after the other in any case, and each transaction costs
//! some milliseconds whatever it holds: those that wait are put into one.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use super::indexeddb::IndexedDb;
use crate::engine::id::EffectId;
use crate::engine::input::CommitOutcome;
use crate::store::{Store, Write};

/// How many commits share a transaction: one that fails makes all of them be tried again.
const AT_A_TIME: usize = 32;

/// One commit.
struct Commit {
    id: EffectId,
    writes: Vec<Write<JsValue>>,
}

/// Hears how commits ended.
type Report = Box<dyn Fn(Vec<(EffectId, CommitOutcome)>)>;

/// The commits of one driver.
pub struct Commits {
    store: IndexedDb,
    epoch: u64,
    waiting: RefCell<VecDeque<Commit>>,
    is_writing: Cell<bool>,
    report: Report,
}

impl Commits {
    /// Writes under `epoch`; `report` hears how each commit ended.
    pub fn new(store: IndexedDb, epoch: u64, report: impl Fn(Vec<(EffectId, CommitOutcome)>) + 'static) -> Rc<Self> {
        let report = Box::new(report);
        Rc::new(Self { store, epoch, waiting: RefCell::default(), is_writing: Cell::new(false), report })
    }

    /// Takes in a commit.
    pub fn push(self: &Rc<Self>, id: EffectId, writes: Vec<Write<JsValue>>) {
        self.waiting.borrow_mut().push_back(Commit { id, writes });
        if !self.is_writing.replace(true) {
            let commits = Rc::clone(self);
            spawn_local(async move {
                while let Some(next) = commits.take() {
                    let outcomes = commits.write(next).await;
                    (commits.report)(outcomes);
                }
            });
        }
    }

    /// Those that share the next transaction; `None`, and no more writing, if there are none.
    fn take(&self) -> Option<Vec<Commit>> {
        let mut waiting = self.waiting.borrow_mut();
        let count = waiting.len().min(AT_A_TIME);
        let next: Vec<Commit> = waiting.drain(..count).collect();
        self.is_writing.set(!next.is_empty());
        Some(next).filter(|next| !next.is_empty())
    }

    async fn write(&self, commits: Vec<Commit>) -> Vec<(EffectId, CommitOutcome)> {
        if commits.len() > 1 {
            let all = commits.iter().flat_map(|commit| commit.writes.iter().cloned()).collect();
            let outcome = self.store.commit(self.epoch, all).await;
            // Nothing was written: perhaps one of them alone is to blame.
            if !matches!(outcome, CommitOutcome::Failed(_)) {
                return commits.into_iter().map(|commit| (commit.id, outcome)).collect();
            }
        }
        let mut outcomes = Vec::with_capacity(commits.len());
        for Commit { id, writes } in commits {
            outcomes.push((id, self.store.commit(self.epoch, writes).await));
        }
        outcomes
    }
}
