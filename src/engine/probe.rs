//! CORS told from being offline. A fetch that the server answers without CORS headers fails exactly like one that it
//! never heard of. A request in mode `no-cors` gets through to a server that can be reached, whatever it allows.

use super::ending::Wait;
use super::error::{ErrorCode, TaskError};
use super::id::{EffectId, TaskKey};
use super::output::{Effect, Output};
use super::ranges::Ranges;
use super::request::{Credentials, is_open};
use super::task::Task;
use super::{Engine, Purpose};

/// How often in a row a server must be reached without its answer being readable, or redirect without that being followed.
/// Once may be an accident.
pub(super) const SUSPICIONS: u32 = 2;
/// After how long a probe counts as unanswered.
const PROBE_DEADLINE_MS: u64 = 15_000;

impl Engine {
    /// Whether the failure may be the want of CORS headers: another origin, of which this URL was never read. Where others of it
    /// were, once may be an accident.
    pub(super) fn may_be_cors(&self, key: &TaskKey, id: EffectId, task: &Task) -> bool {
        let Some(slot) = self.slots.get(key) else { return false };
        let attempt = slot.attempts.iter().find(|attempt| attempt.id == id);
        let source = attempt.and_then(|attempt| task.record.spec.sources.get(attempt.source));
        source.is_some_and(|source| {
            source.origin != self.origin
                && task.progress.representation.is_none()
                // An answer to a request without a range was read.
                && !matches!(task.progress.ranges, Ranges::Answered | Ranges::Useless)
                && (task.progress.failures > 0 || !self.readable_origins.contains_key(&source.origin))
        })
    }

    /// Remembers that answers of the attempt's origin can be read.
    pub(super) fn note_readable(&mut self, key: &TaskKey, id: EffectId) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        let source = slot.attempt(id).map(|attempt| attempt.source);
        // What one source answers says nothing of another.
        if source == Some(slot.probed_source) {
            slot.suspicions = 0;
        }
        let sources = slot.task.as_ref().map(|task| &task.record.spec.sources);
        if let Some(source) = source.zip(sources).and_then(|(source, sources)| sources.get(source))
            && !self.readable_origins.contains_key(&source.origin)
        {
            self.readable_origins.insert(source.origin.clone(), ());
        }
    }

    /// What the server would have to send: more than its consent where the request carries more than any page may send.
    fn cors_error(&self, task: &Task, source: usize) -> TaskError {
        let (spec, request) = (&task.record.spec, &task.record.spec.request);
        let is_home = spec.sources.get(source).is_some_and(|from| from.origin == spec.origin());
        let all = request.headers.iter().chain(self.secrets_of(&task.record));
        let names = all.map(|(name, _)| name.as_str()).filter(|name| is_home && !is_open(name));
        let names = names.collect::<Vec<_>>().join(", ");
        let mut needs = ["Access-Control-Allow-Origin: ", &self.origin].concat();
        let has_cookies = request.credentials == Credentials::Include;
        if has_cookies {
            needs += "; Access-Control-Allow-Credentials: true";
        }
        if !names.is_empty() {
            needs = [&needs, "; in the answer to OPTIONS also Access-Control-Allow-Headers: ", &names].concat();
        }
        let needs_more = has_cookies || !names.is_empty();
        TaskError { detail: needs_more.then_some(needs), ..TaskError::new(ErrorCode::CorsBlocked) }
    }

    /// Finds out whether it is the want of CORS headers that has led to `error`.
    pub(super) fn probe(&mut self, key: &TaskKey, id: EffectId, error: TaskError) {
        self.note_error(key, error);
        let deadline = self.now.after(PROBE_DEADLINE_MS);
        let Some(slot) = self.slots.get_mut(key) else { return };
        let source = slot.attempt(id).map_or(0, |attempt| attempt.source);
        let url = slot.task.as_ref().and_then(|task| task.record.spec.sources.get(source)).map(|from| from.url.clone());
        if slot.probed_source != source {
            (slot.suspicions, slot.probed_source) = (0, source);
        }
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
        slot.suspicions = if reachable { slot.suspicions + 1 } else { 0 };
        let is_sure = slot.suspicions >= SUSPICIONS;
        let source = slot.probed_source;
        let met = slot.last_error.clone().map_or(TaskError::new(ErrorCode::Network), |(error, _)| error);
        if is_sure && self.doubt_range_before_cors(key, source, &task) {
            return;
        }
        if is_sure {
            let error = self.cors_error(&task, source);
            self.fail_this_source(key, source, task, error, None);
        } else {
            self.fail_this_source(key, source, task, met, Some(Wait::Backoff));
        }
    }
}
