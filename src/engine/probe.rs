//! CORS told from being offline. A fetch that the server answers without CORS headers fails exactly like one that it
//! never heard of. A request in mode `no-cors` gets through to a server that can be reached, whatever it allows.

use super::ending::Wait;
use super::error::{ErrorCode, TaskError};
use super::id::{EffectId, TaskKey};
use super::output::{Effect, Output};
use super::task::Task;
use super::{Engine, Purpose};

/// How often in a row a server must be reached without its answer being readable. Once may be an accident.
const SUSPICIONS: u32 = 2;
/// After how long a probe counts as unanswered.
const PROBE_DEADLINE_MS: u64 = 15_000;

impl Engine {
    /// Whether the failure may be the want of CORS headers: another origin, none of whose answers was ever read.
    pub(super) fn may_be_cors(&self, key: &TaskKey, id: EffectId, task: &Task) -> bool {
        let Some(slot) = self.slots.get(key) else { return false };
        let attempt = slot.attempts.iter().find(|attempt| attempt.id == id);
        let source = attempt.and_then(|attempt| task.record.spec.sources.get(attempt.source));
        source.is_some_and(|source| {
            source.origin != self.origin
                && !self.readable_origins.contains_key(&source.origin)
                && task.progress.representation.is_none()
        })
    }

    /// Remembers that answers of the attempt's origin can be read.
    pub(super) fn note_readable(&mut self, key: &TaskKey, id: EffectId) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.cors_suspicions = 0;
        let source = slot.attempt(id).map(|attempt| attempt.source);
        let sources = slot.task.as_ref().map(|task| &task.record.spec.sources);
        if let Some(source) = source.zip(sources).and_then(|(source, sources)| sources.get(source))
            && !self.readable_origins.contains_key(&source.origin)
        {
            self.readable_origins.insert(source.origin.clone(), ());
        }
    }

    pub(super) fn probe(&mut self, key: &TaskKey, id: EffectId) {
        let deadline = self.now.after(PROBE_DEADLINE_MS);
        let Some(slot) = self.slots.get_mut(key) else { return };
        let source = slot.attempt(id).map_or(0, |attempt| attempt.source);
        let url = slot.task.as_ref().and_then(|task| task.record.spec.sources.get(source)).map(|from| from.url.clone());
        slot.probed_source = source;
        self.drop_attempts(key);
        let probe = self.effects.start(Purpose::Probe(key.clone()), deadline);
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.probe = Some(probe);
        self.outputs.push_back(Output::Start(probe, Effect::Probe { url: url.unwrap_or_default() }));
    }

    pub(super) fn handle_probed(&mut self, key: &TaskKey, reachable: bool) {
        let Some(slot) = self.slots.get_mut(key).filter(|slot| slot.probe.is_some()) else { return };
        slot.probe = None;
        if slot.busy {
            return;
        }
        let Some(task) = slot.task.clone().filter(|task| task.record.state.is_active()) else { return };
        slot.cors_suspicions = if reachable { slot.cors_suspicions + 1 } else { 0 };
        let is_sure = slot.cors_suspicions >= SUSPICIONS;
        let source = slot.probed_source;
        if is_sure {
            self.fail_this_source(key, source, task, TaskError::new(ErrorCode::CorsBlocked), None);
        } else {
            self.fail_this_source(key, source, task, TaskError::new(ErrorCode::Network), Some(Wait::Backoff));
        }
    }
}
