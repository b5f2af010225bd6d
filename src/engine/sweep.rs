//! Sweeping: the chunks of dead bodies are deleted a few at a time, so that no commit ever waits long for it.

use super::id::BodyId;
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
            self.given_up.clear();
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
                // What is to be fetched again makes no room.
                let makes_room = dead.iter().any(|dead| !self.restarted.contains(&dead.body));
                let mut changes = Vec::new();
                // The time of some may have been over when somebody came for them, just now.
                for DeadBody { body, through, more } in
                    dead.into_iter().filter(|dead| !self.taken_up.contains(&dead.body))
                {
                    changes.extend(through.map(|through| Change::DeleteChunks { body, from: 0, through }));
                    changes.extend((!more).then_some(Change::DeleteBody(body)));
                    self.restarted.retain(|restarted| more || *restarted != body);
                }
                if changes.is_empty() {
                    self.is_sweeping = false;
                    self.sweep_at = Some(self.now.after(STORE_PAUSE_MS));
                } else {
                    self.commit(Purpose::CommitSweep { makes_room }, changes);
                }
            }
            // The row that asks for this look is deleted with its end, and asks for another by now.
            Ok(Loaded::Orphans { .. }) if self.given_up.contains(&BodyId::UNKNOWN) => {
                self.is_sweeping = false;
                self.sweep_at = Some(self.now);
            }
            Ok(Loaded::Orphans { dead, mut live, damaged }) if damaged.is_empty() => {
                live.retain(|body| !self.given_up.contains(body));
                let changes = dead.into_iter().map(Change::KillBody).chain(live.into_iter().map(Change::PutBody));
                let is_done = Change::DeleteBody(BodyId::UNKNOWN);
                self.commit(Purpose::CommitSweep { makes_room: false }, changes.chain([is_done]).collect());
            }
            Ok(Loaded::Orphans { damaged, .. }) => {
                self.is_sweeping = false;
                self.sweep_at = Some(self.now.after(STORE_PAUSE_MS));
                damaged.iter().for_each(|key| self.mend(key));
            }
            Ok(_) => self.is_sweeping = false,
            Err(_) => {
                self.is_sweeping = false;
                self.sweep_at = Some(self.now.after(STORE_PAUSE_MS));
            }
        }
    }

    /// While it is being looked up which bodies live, tasks may give up theirs.
    pub(super) fn note_given_up(&mut self, changes: &[Change]) {
        if self.is_sweeping {
            self.given_up.extend(changes.iter().filter_map(|change| match change {
                Change::KillBody(body) => Some(*body),
                Change::DetachBody(detached, _) => Some(detached.body),
                _ => None,
            }));
        }
    }

    pub(super) fn handle_swept(&mut self, makes_room: bool, outcome: CommitOutcome) {
        self.is_sweeping = false;
        if makes_room && outcome == CommitOutcome::Committed {
            self.room.is_made(self.now);
            self.look_for_room();
        }
        let pause_ms = if outcome == CommitOutcome::Committed { 0 } else { STORE_PAUSE_MS };
        self.sweep_at = Some(self.now.after(pause_ms));
    }
}
