//! Carries out what the engine asks of storage, in the order that [`StorageQueue`] decides.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use super::indexeddb::{IndexedDb, Writing};
use crate::engine::id::EffectId;
use crate::engine::input::{CommitOutcome, Completion};
use crate::engine::output::Query;
use crate::store::queries::load;
use crate::store::queue::{Next, StorageQueue, Transaction};
use crate::store::{Store, Write};

/// Shared with the queue, which keeps it in case that the transaction fails.
type Writes = Rc<Vec<Write<JsValue>>>;
/// Hears how operations ended.
type Report = Box<dyn Fn(Vec<(EffectId, Completion)>)>;

/// The operations of one driver.
pub struct Operations {
    store: IndexedDb,
    epoch: u64,
    queue: RefCell<StorageQueue<Writes, Query>>,
    /// The transaction that is being written.
    writing: RefCell<Rc<Writing>>,
    report: Report,
}

impl Operations {
    /// Writes under `epoch`; `report` hears how each operation ended.
    pub fn new(store: IndexedDb, epoch: u64, report: impl Fn(Vec<(EffectId, Completion)>) + 'static) -> Rc<Self> {
        let (queue, writing) = (RefCell::default(), RefCell::default());
        Rc::new(Self { store, epoch, queue, writing, report: Box::new(report) })
    }

    /// Queues a commit.
    pub fn commit(self: &Rc<Self>, id: EffectId, writes: Vec<Write<JsValue>>) {
        self.queue.borrow_mut().push_commit(id, Rc::new(writes));
        self.go_on();
    }

    /// Queues a load.
    pub fn load(self: &Rc<Self>, id: EffectId, query: Query) {
        self.queue.borrow_mut().push_load(id, query);
        self.go_on();
    }

    /// The engine has given this operation up: what has not begun never will, and a transaction is aborted. Where that
    /// comes too late, the browser lets every later load wait for the transaction.
    pub fn withdraw(self: &Rc<Self>, id: EffectId) {
        let abandoned = self.queue.borrow_mut().withdraw(id);
        if let Some(abandoned) = abandoned {
            self.writing.borrow().give_up();
            let unknown = |id| (id, Completion::Committed(CommitOutcome::Unknown));
            let others = abandoned.others.into_iter().map(unknown).collect();
            let operations = Rc::clone(self);
            // The engine is being drained just now.
            spawn_local(async move { (operations.report)(others) });
        }
        self.go_on();
    }

    /// Begins nothing more: what waits is lost, as if the worker had been killed.
    pub fn stop(&self) {
        self.queue.take();
    }

    fn go_on(self: &Rc<Self>) {
        loop {
            let next = self.queue.borrow_mut().poll_next();
            let operations = Rc::clone(self);
            match next {
                None => return,
                Some(Next::Load(id, query)) => spawn_local(async move {
                    let loaded = match operations.store.reader().await {
                        Ok(reader) => load(&reader, &query).await,
                        Err(failure) => Err(failure),
                    };
                    (operations.report)(vec![(id, Completion::Loaded(loaded))]);
                }),
                Some(Next::Write(transaction)) => spawn_local(async move { operations.write(transaction).await }),
            }
        }
    }

    async fn write(self: Rc<Self>, Transaction { number, commits }: Transaction<Writes>) {
        let writes: Vec<Write<JsValue>> = commits.iter().flat_map(|(_, writes)| writes.iter().cloned()).collect();
        let writing = Rc::new(Writing::default());
        self.writing.replace(Rc::clone(&writing));
        let outcome = self.store.write(self.epoch, &writes, &writing).await;
        let outcomes = self.queue.borrow_mut().handle_outcome(number, outcome);
        (self.report)(outcomes.into_iter().map(|(id, outcome)| (id, Completion::Committed(outcome))).collect());
        self.go_on();
    }
}
