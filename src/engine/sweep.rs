//! Sweeping: the chunks of dead bodies are deleted a few at a time, so that no commit ever waits long for it.

use super::input::{CommitOutcome, DeadBody, Loaded, StoreFailure};
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
            let query = Query::DeadBodies { now: self.now, chunks: CHUNKS_PER_COMMIT };
            self.load(Purpose::FindDeadBodies, query);
        }
    }

    pub(super) fn handle_dead_bodies(&mut self, loaded: Result<Loaded, StoreFailure>) {
        match loaded {
            Ok(Loaded::DeadBodies(dead, next_at)) if dead.is_empty() => {
                self.is_sweeping = false;
                // Something may have died while this was being looked up.
                self.sweep_at = self.sweep_at.into_iter().chain(next_at).min();
            }
            Ok(Loaded::DeadBodies(dead, _)) => {
                let mut changes = Vec::new();
                // The time of some may have been over when somebody came for them, just now.
                for DeadBody { body, through, more } in
                    dead.into_iter().filter(|dead| !self.taken_up.contains(&dead.body))
                {
                    changes.extend(through.map(|through| Change::DeleteChunks { body, from: 0, through }));
                    changes.extend((!more).then_some(Change::DeleteBody(body)));
                }
                if changes.is_empty() {
                    self.is_sweeping = false;
                    self.sweep_at = Some(self.now.after(STORE_PAUSE_MS));
                } else {
                    self.commit(Purpose::CommitSweep, changes);
                }
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
        if outcome == CommitOutcome::Committed {
            self.look_for_room();
        }
        let pause_ms = if outcome == CommitOutcome::Committed { 0 } else { STORE_PAUSE_MS };
        self.sweep_at = Some(self.now.after(pause_ms));
    }
}
