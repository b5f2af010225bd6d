//! Which bytes are there: a sorted set of half-open ranges that never touch.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A set of byte positions, kept as few ranges as possible.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeSet(Vec<Range<u64>>);

impl RangeSet {
    /// Adds `range`; what is already there stays there once. An empty range adds nothing.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        // Everything that overlaps or touches the new range becomes one with it.
        let first = self.0.partition_point(|kept| kept.end < range.start);
        let last = self.0.partition_point(|kept| kept.start <= range.end);
        let merged =
            self.0[first..last].iter().fold(range, |all, kept| all.start.min(kept.start)..all.end.max(kept.end));
        self.0.splice(first..last, [merged]);
    }

    /// How many bytes are in the set.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// Whether no byte is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first byte that is missing.
    pub fn first_gap(&self) -> u64 {
        match self.0.first() {
            Some(range) if range.start == 0 => range.end,
            _ => 0,
        }
    }

    /// Whether exactly the bytes `0..length` are there.
    pub fn is_exactly(&self, length: u64) -> bool {
        match self.0.as_slice() {
            [] => length == 0,
            [only] => *only == (0..length),
            _ => false,
        }
    }

    /// The ranges in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = &Range<u64>> {
        self.0.iter()
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_the_same_as_a_set_of_positions(ranges in prop::collection::vec((0u64..60, 0u64..12), 0..24)) {
            let mut set = RangeSet::default();
            let mut model = BTreeSet::new();
            for (start, len) in ranges {
                set.insert(start..start + len);
                model.extend(start..start + len);
            }
            prop_assert_eq!(set.len(), model.len() as u64);
            prop_assert_eq!(set.first_gap(), (0u64..).find(|at| !model.contains(at)).unwrap());
            prop_assert_eq!(set.iter().cloned().flatten().collect::<BTreeSet<_>>(), model.clone());
            prop_assert!(set.0.windows(2).all(|pair| pair[0].end < pair[1].start), "ranges touch: {:?}", set);
            let full = model.len() as u64;
            prop_assert_eq!(set.is_exactly(full), model.iter().copied().eq(0..full));
        }
    }

    #[test]
    fn an_empty_file_is_complete_at_once() {
        assert!(RangeSet::default().is_exactly(0));
        assert!(!RangeSet::default().is_exactly(1));
    }
}
