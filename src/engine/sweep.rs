//! Sweeping: the chunks of dead bodies are deleted a few at a time, so that no commit ever waits long for it.

use super::input::{CommitOutcome, Loaded, StoreFailure};
use super::output::{Change, Query};
use super::{Engine, Purpose, STORE_PAUSE_MS};

/// Chunks deleted by one commit.
const CHUNKS_PER_COMMIT: u32 = 64;

impl Engine {
    /// Looks for a dead body if there may be one.
    pub(super) fn sweep(&mut self) {
        if !self.is_sweeping && self.sweep_at.is_some_and(|at| at <= self.now) {
            self.sweep_at = None;
            self.is_sweeping = true;
            let query = Query::DeadBody { now: self.now, chunks: CHUNKS_PER_COMMIT };
            self.load(Purpose::FindDeadBody, query);
        }
    }

    pub(super) fn handle_dead_body(&mut self, loaded: &Result<Loaded, StoreFailure>) {
        match loaded {
            Ok(Loaded::DeadBody(Some(dead), _)) if self.taken_up.contains(&dead.body) => {
                // Its time was over, but somebody has come for it just now.
                self.is_sweeping = false;
                self.sweep_at = Some(self.now.after(STORE_PAUSE_MS));
            }
            Ok(Loaded::DeadBody(Some(dead), _)) => {
                let chunks = dead.through.map(|through| Change::DeleteChunks { body: dead.body, from: 0, through });
                let last = (!dead.more).then_some(Change::DeleteBody(dead.body));
                self.commit(Purpose::CommitSweep, chunks.into_iter().chain(last).collect());
            }
            Ok(Loaded::DeadBody(None, next_at)) => {
                self.is_sweeping = false;
                // Something may have died while this was being looked up.
                self.sweep_at = self.sweep_at.into_iter().chain(*next_at).min();
            }
            Ok(_) => self.is_sweeping = false,
            Err(_) => {
                self.is_sweeping = false;
                self.sweep_at = Some(self.now.after(STORE_PAUSE_MS));
            }
        }
    }

    pub(super) fn handle_swept(&mut self, outcome: CommitOutcome) {
        self.is_sweeping = false;
        let pause_ms = if outcome == CommitOutcome::Committed { 0 } else { STORE_PAUSE_MS };
        self.sweep_at = Some(self.now.after(pause_ms));
    }
}
