//! Storage as a browser has it: operations in flight, decided strictly in the order of issue (an IndexedDB
//! transaction that overlaps an older one waits for it), answered later in any order, sometimes never. What the rows
//! mean and what a commit does is left to the real `MemoryStore`.

use std::collections::VecDeque;
use std::ops::Range;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use longhaul::engine::Snapshot;
use longhaul::engine::id::{BodyId, EffectId, TaskKey};
use longhaul::engine::input::{CommitOutcome, Loaded, StoreFailure};
use longhaul::engine::output::{Change, Query};
use longhaul::integrity::HashState;
use longhaul::store::boot::boot;
use longhaul::store::memory::MemoryStore;
use longhaul::store::queries::load;
use longhaul::store::{Key, KeyRange, Reader, Table, Value, Write, changes};

use super::climate::Climate;
use super::content::{Chunk, update};
use super::random::Random;
use super::room::Room;
use super::worker::Worker;
use super::writing::Written;

/// How long storage can stand still: longer than the engine waits.
const STALL_MS: u64 = 70_000;

/// What an operation does.
#[derive(Debug)]
pub enum Work {
    Load(EffectId, Query),
    Write(Written),
    /// Whether so many bytes more can be stored.
    Room {
        effect: EffectId,
        bytes: u64,
    },
    Hash {
        effect: EffectId,
        key: TaskKey,
        body: BodyId,
        range: Range<u64>,
        state: HashState,
    },
}

/// How an operation is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// So long after it is decided.
    After(u64),
    /// By "unknown", so long after it is decided.
    Unknown(u64),
    Never,
}

/// A time when operations of a kind fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// The quota is used up: no bytes of files are taken.
    Full,
    /// The connection is lost: nothing is read or written.
    Down,
}

impl Outage {
    fn failure(self, work: &Work) -> Option<StoreFailure> {
        match (self, work) {
            (Self::Down, _) => Some(StoreFailure::Other),
            (Self::Full, Work::Write(transaction)) => {
                let mut changes = transaction.commits.iter().flat_map(|(_, commit)| &commit.changes);
                changes.any(|change| matches!(change, Change::Append { .. })).then_some(StoreFailure::Quota)
            }
            (Self::Full, Work::Room { .. }) => Some(StoreFailure::Quota),
            (Self::Full, Work::Load(..) | Work::Hash { .. }) => None,
        }
    }
}

/// An operation in flight.
#[derive(Debug)]
pub struct Operation {
    pub number: u64,
    pub worker: u64,
    pub epoch: u64,
    pub work: Work,
    /// It fails, and nothing is read or written.
    pub fails: Option<StoreFailure>,
    /// It is not done at all, and nobody is told.
    pub lost: bool,
    pub answered: Answered,
}

/// The storage of an origin.
#[derive(Debug, Default)]
pub struct Storage {
    pub store: MemoryStore<Chunk>,
    /// The newest epoch.
    pub epoch: u64,
    /// Why operations fail just now, if they do.
    pub outage: Option<Outage>,
    operations: VecDeque<Operation>,
    issued: u64,
    last_decided_at: u64,
    /// Whether anything has gone wrong, so that what follows from it can be explained.
    pub has_failed: bool,
    /// Whether the quota was said to be used up.
    pub has_hit_quota: bool,
    /// Whether a destination has refused a file.
    pub has_refused_file: bool,
    /// The quota, and chunks that cannot be read back.
    pub room: Room,
}

impl Storage {
    /// The storage of a seed.
    pub fn new(seed: u64, climate: &Climate) -> Self {
        Self { room: Room::new(seed, climate), ..Self::default() }
    }

    /// Sends an operation on its way; without a climate nothing goes wrong. Returns its number, and when it is decided.
    pub fn issue(
        &mut self,
        random: &mut Random,
        climate: Option<&Climate>,
        now: u64,
        worker: &Worker,
        work: Work,
    ) -> (u64, u64) {
        self.issued += 1;
        let mut at = now + random.delay_ms();
        let is_slow = climate.is_some_and(|climate| climate.slow_answers > 0);
        let mut answered = Answered::After(if is_slow { random.delay_ms() } else { 0 });
        let mut fails = self.outage.filter(|_| climate.is_some()).and_then(|outage| outage.failure(&work));
        let mut lost = false;
        if let Some(climate) = climate.filter(|_| fails.is_none()) {
            if random.one_in(climate.storage_stall_one_in) {
                at += random.pick(&[55_000, STALL_MS, STALL_MS, 2 * STALL_MS]);
                self.has_failed = true;
            }
            if random.per_mille(climate.lost_answers) {
                lost = random.one_in(2);
                let unknown = Answered::Unknown(random.delay_ms());
                answered = random.pick(&[Answered::Never, unknown, Answered::After(STALL_MS)]);
                // What was lost cannot be answered as if it had happened.
                if lost && matches!(answered, Answered::After(_)) {
                    answered = Answered::Never;
                }
            } else if random.per_mille(climate.storage_faults) {
                fails = Some(random.pick(&[StoreFailure::Quota, StoreFailure::Other]));
            }
        }
        self.has_failed |= lost || fails.is_some() || !is_prompt(answered);
        self.has_hit_quota |= fails == Some(StoreFailure::Quota);
        self.last_decided_at = self.last_decided_at.max(at);
        let (worker, epoch) = (worker.number, worker.epoch);
        self.operations.push_back(Operation { number: self.issued, worker, epoch, work, fails, lost, answered });
        (self.issued, self.last_decided_at)
    }

    /// So long an operation that is issued now waits for those before it.
    pub fn stands_still_ms(&self, now: u64) -> u64 {
        self.last_decided_at.saturating_sub(now)
    }

    /// Takes the operation of this number, which must be the oldest; `None` if it died with its worker.
    pub fn take(&mut self, number: u64) -> Option<Operation> {
        let is_next = self.operations.front().is_some_and(|operation| operation.number == number);
        if is_next { self.operations.pop_front() } else { None }
    }

    /// Aborts a worker's transaction, if it is not decided.
    pub fn abort_transaction(&mut self, worker: u64, number: u64) -> bool {
        let is_meant = |operation: &Operation| {
            operation.worker == worker && matches!(&operation.work, Work::Write(written) if written.number == number)
        };
        let before = self.operations.len();
        self.operations.retain(|operation| !is_meant(operation));
        self.operations.len() < before
    }

    /// Takes the oldest operation.
    pub fn take_oldest(&mut self) -> Option<Operation> {
        self.operations.pop_front()
    }

    /// A worker is killed: what it had issued happens, or does not.
    pub fn forget(&mut self, random: &mut Random, worker: u64) {
        self.operations.retain(|operation| operation.worker != worker || random.one_in(2));
    }

    /// Does what a load asks for.
    pub fn load(&self, operation: &Operation, query: &Query) -> Result<Loaded, StoreFailure> {
        match operation.fails {
            Some(failure) => Err(failure),
            None if is_prompt(operation.answered) => ready(load(&self.store.view(), query)),
            None => Err(StoreFailure::Other),
        }
    }

    /// Hashes the chunks that lie within a range, from its first byte on.
    pub fn hash(&self, operation: &Operation) -> Result<HashState, StoreFailure> {
        let Work::Hash { body, range, state, .. } = &operation.work else { unreachable!("only hashes are hashed") };
        match operation.fails {
            Some(failure) => return Err(failure),
            None if !is_prompt(operation.answered) => return Err(StoreFailure::Other),
            None => {}
        }
        let mut state = state.clone();
        let mut at = range.start;
        for (offset, chunk, len) in self.chunks(*body, range) {
            if offset != at || offset + len > range.end {
                break;
            }
            if self.room.lost_in(*body, &(at..at + len)).is_some() {
                return Err(StoreFailure::Other);
            }
            chunk.iter().for_each(|piece| update(&mut state, piece));
            at += len;
        }
        Ok(state)
    }

    /// The chunks of a body that begin in a range: each with its offset and length.
    pub fn chunks(&self, body: BodyId, range: &Range<u64>) -> Vec<(u64, Chunk, u64)> {
        let keys = KeyRange::chunks(body, range.start, range.end.saturating_sub(1));
        let view = self.store.view();
        let found = ready(view.scan_keys(Table::Chunks, &keys, u32::MAX)).expect("the store in memory answers");
        let offset = |key: &Key| key.last_number().expect("a chunk's key ends with its offset");
        let row = |key: &Key| match ready(view.get(Table::Chunks, key)).expect("the store in memory answers") {
            Some(Value::Chunk(chunk, len)) => (offset(key), chunk, len),
            _ => panic!("a record lies where a chunk should"),
        };
        found.iter().map(row).collect()
    }

    /// Whether anything is known of a body.
    pub fn has_body(&self, body: BodyId) -> bool {
        ready(self.store.view().get(Table::Bodies, &Key::body(body))).is_ok_and(|row| row.is_some())
    }

    /// The browser throws everything away.
    pub fn evict(&mut self) {
        let epoch = self.epoch;
        self.store = MemoryStore::default();
        // Nobody may mistake an old epoch for a new one; a real store has its own connections to tell them apart.
        while self.store.next_epoch() < epoch {}
        self.operations.clear();
    }

    /// Why an operation does not even begin, if it does not.
    pub fn refusal(&mut self, operation: &Operation) -> Option<CommitOutcome> {
        match operation.fails {
            Some(failure) => return Some(CommitOutcome::Failed(failure)),
            None if operation.lost => return Some(CommitOutcome::Unknown),
            None => {}
        }
        let Work::Write(transaction) = &operation.work else { return None };
        let len = transaction.commits.iter().map(|(_, commit)| Self::len_of(&commit.writes)).sum();
        let is_full = !self.has_room(len);
        self.has_hit_quota |= is_full;
        is_full.then_some(CommitOutcome::Failed(StoreFailure::Quota))
    }

    /// The rows of `changes`; the worker's buffers go with them.
    pub fn writes(changes: &[Change], worker: &mut Worker) -> Vec<Write<Chunk>> {
        changes::to_writes(changes, |buffer| {
            let taken = worker.buffers.remove(&buffer);
            assert!(taken.is_some(), "a commit names the buffer {buffer:?}, which the driver does not hold");
            taken.map(|buffer| buffer.chunk)
        })
    }

    /// Takes the lease and reads what an engine starts from.
    pub fn boot(&mut self) -> Snapshot {
        self.epoch = self.store.next_epoch();
        ready(boot(&self.store.view())).expect("storage holds nothing that this version cannot read")
    }
}

fn is_prompt(answered: Answered) -> bool {
    matches!(answered, Answered::After(delay_ms) if delay_ms < STALL_MS)
}

/// Runs a future whose every await is ready at once, as those of the store in memory are.
pub fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the store in memory never waits"),
    }
}
