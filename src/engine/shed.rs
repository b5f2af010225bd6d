//! Giving way: what runs and may not run any more, because a policy, a limit or the surroundings have changed, ends with
//! the chunk that it is reading. Nothing that has come is lost.

use super::Engine;
use super::attempt::{Attempt, Reading};
use super::id::{EffectId, SessionId, TaskKey};
use super::slot::Slot;
use super::sorted_map::SortedMap;
use super::task::{Task, WaitReason};

/// How long a chunk may take to end.
const PATIENCE_MS: u64 = 4_000;

impl Engine {
    /// Ends what may not go on.
    pub(super) fn give_way(&mut self) {
        let mut ending: Vec<(TaskKey, EffectId)> = Vec::new();
        for (key, slot) in self.slots.iter().filter(|(_, slot)| !slot.attempts.is_empty()) {
            let Some(task) = &slot.task else { continue };
            let blocks = |reason: WaitReason| reason.needs_no_worker() && reason != WaitReason::BackgroundFetch;
            let is_blocked = self.outer_reason(task).is_some_and(blocks) || self.is_to_go_out(slot);
            // Of segments beyond what the task allows, the youngest go.
            let most = if is_blocked { 0 } else { task.record.spec.policy.max_segments as usize };
            let beyond = slot.attempts.iter().skip(most).filter(|attempt| is_blocked || !slot.is_awaited(attempt));
            ending.extend(beyond.map(|attempt| (key.clone(), attempt.id)));
        }
        ending.extend(self.beyond_limits());
        ending.extend(self.in_the_way_of_others());
        for (key, id) in ending {
            self.end_with_this_chunk(&key, id);
        }
    }

    /// Connections beyond those that hosts may have now, and those of tasks beyond how many their sessions may run. Of the
    /// tasks that come last, a session's or a host's first connections end only if all that they brought can be continued.
    /// One whose answer has not come yet stays until it has: to end it would be to ask once more.
    fn beyond_limits(&self) -> Vec<(TaskKey, EffectId)> {
        let rank =
            |slot: &Slot, task: &Task| (slot.can_go_on(), task.record.spec.policy.priority, task.record.created_at);
        // In the order in which they stay. A sort would weigh more in the wasm.
        let mut running = SortedMap::default();
        for (key, slot) in self.slots.iter().filter(|(_, slot)| !slot.attempts.is_empty()) {
            if let Some(task) = &slot.task {
                running.insert((rank(slot, task), key), (slot, task));
            }
        }
        if running.values().map(|(slot, _): &(&Slot, &Task)| slot.attempts.len()).sum::<usize>() < 2 {
            return Vec::new();
        }
        let is_watched = self.surroundings.is_watched();
        let load = self.network_load();
        let mut tasks: SortedMap<&SessionId, u32> = SortedMap::default();
        // First connections, and all.
        let mut by_host: SortedMap<&str, (u32, u32)> = SortedMap::default();
        let mut beyond = Vec::new();
        // First connections count first, whichever task has them.
        for is_first in [true, false] {
            for ((_, key), (slot, task)) in running.iter() {
                let Some(session) = self.sessions.get(&key.session) else { continue };
                let limits = &session.record.configuration.limits;
                let is_kept = |attempt: &Attempt| attempt.is_extra || attempt.is_record || slot.is_awaited(attempt);
                let is_asking = |attempt: &Attempt| attempt.reading.is_none();
                let stays = !slot.can_go_on() || slot.attempts.iter().any(|one| is_kept(one) || is_asking(one));
                if is_first && !slot.attempts.iter().any(is_kept) && slot.attempts.iter().any(|one| !one.gives_way) {
                    let count = tasks.get_or_insert_with(&key.session, || 0);
                    *count += 1;
                    if *count > limits.max_concurrent_tasks && !stays {
                        beyond.extend(slot.attempts.iter().map(|attempt| ((*key).clone(), attempt.id)));
                    }
                }
                let attempts = slot.attempts.iter().enumerate().filter(|(nth, _)| (*nth == 0) == is_first);
                for (_, attempt) in attempts.filter(|(_, attempt)| !attempt.gives_way) {
                    let host = task.record.spec.host(attempt.source);
                    let (firsts, all) = by_host.get_or_insert_with(host, || (0, 0));
                    *all += 1;
                    *firsts += u32::from(is_first && !is_kept(attempt));
                    let count = if is_first { *firsts } else { *all };
                    let may_end = if is_first { !stays } else { !is_kept(attempt) && !is_asking(attempt) };
                    if count > load.most_of_host(host, limits, is_watched) && may_end {
                        beyond.push(((*key).clone(), attempt.id));
                    }
                }
            }
        }
        beyond
    }

    /// Second and further segments that keep other tasks from their first connections.
    fn in_the_way_of_others(&self) -> Vec<(TaskKey, EffectId)> {
        if self.slots.values().all(|slot| slot.attempts.len() < 2) {
            return Vec::new();
        }
        let (mut leaving, mut spare) = (Vec::new(), Vec::new());
        for (key, slot) in self.slots.iter() {
            let Some(task) = &slot.task else { continue };
            for (nth, attempt) in slot.attempts.iter().enumerate() {
                let host = task.record.spec.host(attempt.source);
                if attempt.gives_way {
                    leaving.push(host);
                } else if nth > 0 {
                    spare.push((host, (key.clone(), attempt.id)));
                }
            }
        }
        let is_watched = self.surroundings.is_watched();
        let mut load = self.network_load();
        let mut ending = Vec::new();
        for slot in self.slots.values().filter(|slot| self.may_start(slot)) {
            let Some(task) = &slot.task else { continue };
            let record = &task.record;
            let Some(candidate) = self.candidate(record, slot.source_for(0)) else { continue };
            // What has to ask for its headers first needs no connection for that.
            let lacks_secrets = record.spec.request.has_secrets && self.secrets_of(record).is_empty();
            if lacks_secrets || self.outer_reason(task).is_some() {
                continue;
            }
            let is_in_the_way: &dyn Fn(&str) -> bool = match load.refuses(&candidate, is_watched) {
                Some(WaitReason::HostBusy) => &|host| host == candidate.host,
                Some(WaitReason::WorkerBusy) => &|_| true,
                _ => continue,
            };
            if let Some(at) = leaving.iter().position(|host| is_in_the_way(host)) {
                leaving.swap_remove(at);
            } else if let Some(at) = spare.iter().position(|(host, _)| is_in_the_way(host)) {
                ending.push(spare.swap_remove(at).1);
            } else {
                continue;
            }
            load.add_task(&candidate.key.session);
        }
        ending
    }

    pub(super) fn end_with_this_chunk(&mut self, key: &TaskKey, id: EffectId) {
        let now = self.now;
        let Some(slot) = self.slots.get_mut(key) else { return };
        let length = slot.known().and_then(|known| known.complete_length).unwrap_or(u64::MAX);
        let Some(attempt) = slot.attempt(id) else { return };
        if attempt.reading.is_some() {
            let end = attempt.running(length, now).free_from;
            if !attempt.gives_way {
                attempt.gives_way = true;
                attempt.shorten(end);
                // A read to which nothing comes would hold on to it for as long as a stall is borne.
                if let Some(read) = attempt.reading.as_ref().and_then(Reading::read_in_flight) {
                    self.effects.hasten(read, now.after(PATIENCE_MS));
                }
                self.advance(key);
            }
        } else {
            self.drop_attempt(key, id);
            if self.slots.get(key).is_some_and(|slot: &Slot| slot.attempts.is_empty()) {
                self.publish_task(key);
            }
        }
    }
}
