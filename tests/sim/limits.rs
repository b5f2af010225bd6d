//! Limits that fall while transfers are under way, and rise again: an app sees that too much runs. In some runs only, with
//! chances from a source of their own.

use std::collections::{BTreeMap, BTreeSet};

use longhaul::engine::id::{SessionId, TaskKey};
use longhaul::engine::input::Call;
use longhaul::engine::session::LimitsPatch;

use super::browser::BROWSER;
use super::random::Random;
use super::world::{Event, World};

impl World {
    /// Begins it, in one run of four.
    pub(super) fn begin_limits(&mut self, seed: u64) {
        self.limiting = Random::new(seed.rotate_left(32));
        if self.limiting.one_in(4) {
            self.schedule(1_000, Event::Limits);
        }
    }

    /// Where several tasks of a session run, it allows one from now on; where few do, four.
    pub(super) fn change_limits(&mut self) {
        if self.is_calm {
            return;
        }
        let pause_ms = self.limiting.pick(&[300, 3_000, 30_000]);
        let delay_ms = self.limiting.within(1..=pause_ms);
        self.schedule(delay_ms, Event::Limits);
        let open = self.pages.iter().position(|page| page.is_open);
        let Some((page, worker)) = open.zip(self.workers.last()) else { return };
        let mut running: BTreeMap<SessionId, BTreeSet<TaskKey>> = BTreeMap::new();
        for attempt in worker.live_attempts().filter(|attempt| attempt.host != BROWSER) {
            running.entry(attempt.key.session.clone()).or_default().insert(attempt.key.clone());
        }
        let (session, _) = self.limiting.pick(&self.sessions);
        let count = running.get(&session).map_or(0, BTreeSet::len);
        let most = if count > 1 { 1 } else { 4 };
        let patch = LimitsPatch { max_concurrent_tasks: Some(most), ..LimitsPatch::default() };
        self.call(page, Call::UpdateSession(session, patch));
    }
}
