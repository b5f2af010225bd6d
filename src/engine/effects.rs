//! What is in flight: every effect's owner and deadline. A completion that is not in this table is late (its task
//! was paused, its attempt aborted, its deadline passed) and ends here.

use super::id::EffectId;
use super::sorted_map::SortedMap;
use super::time::Timestamp;

/// Effects in flight, each with the purpose `P` that its completion serves.
#[derive(Debug)]
pub struct Effects<P> {
    last: u64,
    in_flight: SortedMap<EffectId, (P, Timestamp)>,
}

impl<P> Default for Effects<P> {
    fn default() -> Self {
        Self { last: 0, in_flight: SortedMap::default() }
    }
}

impl<P> Effects<P> {
    /// Notes a new effect and names it.
    pub fn start(&mut self, purpose: P, deadline: Timestamp) -> EffectId {
        self.last += 1;
        let id = EffectId(self.last);
        self.in_flight.insert(id, (purpose, deadline));
        id
    }

    /// Brings a deadline forward.
    pub fn hasten(&mut self, id: EffectId, deadline: Timestamp) {
        if let Some((_, due)) = self.in_flight.get_mut(&id) {
            *due = deadline.min(*due);
        }
    }

    /// Takes the effect that `id` completes; `None` if it is late.
    pub fn finish(&mut self, id: EffectId) -> Option<P> {
        self.in_flight.remove(&id).map(|(purpose, _)| purpose)
    }

    /// Takes the first effect whose deadline has come.
    pub fn take_overdue(&mut self, now: Timestamp) -> Option<(EffectId, P)> {
        let id = self.in_flight.iter().find(|(_, (_, deadline))| *deadline <= now).map(|(id, _)| *id)?;
        self.finish(id).map(|purpose| (id, purpose))
    }

    /// The earliest deadline.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.in_flight.values().map(|(_, deadline)| *deadline).min()
    }

    /// Whether an effect in flight serves such a purpose.
    pub fn any(&self, wanted: impl FnMut(&P) -> bool) -> bool {
        self.in_flight.values().map(|(purpose, _)| purpose).any(wanted)
    }

    /// Whether nothing is in flight.
    pub fn is_empty(&self) -> bool {
        self.in_flight.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_completion_counts_once_and_never_after_its_deadline() {
        let mut effects = Effects::default();
        let early = effects.start("early", Timestamp(10));
        let late = effects.start("late", Timestamp(20));
        assert_eq!(effects.next_deadline(), Some(Timestamp(10)));
        assert_eq!(effects.take_overdue(Timestamp(9)), None);
        assert_eq!(effects.take_overdue(Timestamp(15)), Some((early, "early")));
        assert_eq!(effects.finish(early), None, "its deadline had passed");
        assert_eq!(effects.finish(late), Some("late"));
        assert_eq!(effects.finish(late), None, "it was answered already");
        assert!(effects.is_empty());
    }
}
