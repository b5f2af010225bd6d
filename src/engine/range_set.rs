//! Which bytes are there: a sorted set of half-open ranges that never touch.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A set of byte positions, kept as few ranges as possible.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Range<u64>>")]
pub struct RangeSet(Vec<Range<u64>>);

/// Ranges that are empty, touch, or are out of order are no set.
#[derive(Clone, Copy, Debug)]
pub struct NotASet;

impl std::fmt::Display for NotASet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("not a set of ranges")
    }
}

impl TryFrom<Vec<Range<u64>>> for RangeSet {
    type Error = NotASet;

    fn try_from(ranges: Vec<Range<u64>>) -> Result<Self, NotASet> {
        let is_set = ranges.iter().all(|range| range.start < range.end)
            && ranges.windows(2).all(|pair| pair[0].end < pair[1].start);
        if is_set { Ok(Self(ranges)) } else { Err(NotASet) }
    }
}

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

    /// The first run of missing bytes at or behind `from` and before `length`.
    pub fn gap_from(&self, from: u64, length: u64) -> Option<Range<u64>> {
        let mut start = from;
        for kept in self.0.iter().filter(|kept| kept.end > from) {
            if kept.start > start {
                return Some(start..kept.start.min(length)).filter(|gap| gap.start < gap.end);
            }
            start = kept.end;
        }
        (start < length).then_some(start..length)
    }

    /// The run of missing bytes before `length` in which `position` lies; `None` if that is there.
    pub fn gap_around(&self, position: u64, length: u64) -> Option<Range<u64>> {
        let next = self.0.partition_point(|kept| kept.end <= position);
        let start = next.checked_sub(1).map_or(0, |before| self.0[before].end);
        let end = self.0.get(next).map_or(length, |kept| kept.start.min(length));
        (start <= position && position < end).then_some(start..end)
    }

    /// Takes `range` out.
    pub fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let kept = std::mem::take(&mut self.0);
        for part in kept {
            if part.end <= range.start || part.start >= range.end {
                self.0.push(part);
                continue;
            }
            self.0.extend(Some(part.start..range.start).filter(|left| !left.is_empty()));
            self.0.extend(Some(range.end..part.end).filter(|right| !right.is_empty()));
        }
    }

    /// Whether all of `range` is there.
    pub fn contains(&self, range: &Range<u64>) -> bool {
        range.is_empty() || self.0.iter().any(|kept| kept.start <= range.start && range.end <= kept.end)
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
#[allow(clippy::single_range_in_vec_init, clippy::reversed_empty_ranges, reason = "ranges are what is tested")]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_the_same_as_a_set_of_positions(ranges in prop::collection::vec((0u64..60, 0u64..12), 0..24)) {
            let mut set = RangeSet::default();
            let mut model = BTreeSet::new();
            for (number, (start, len)) in ranges.into_iter().enumerate() {
                if number % 4 == 3 {
                    set.remove(start..start + len);
                    model.retain(|at| !(start..start + len).contains(at));
                } else {
                    set.insert(start..start + len);
                    model.extend(start..start + len);
                }
            }
            prop_assert_eq!(set.len(), model.len() as u64);
            prop_assert_eq!(set.first_gap(), (0u64..).find(|at| !model.contains(at)).unwrap());
            prop_assert_eq!(set.iter().cloned().flatten().collect::<BTreeSet<_>>(), model.clone());
            prop_assert!(set.0.windows(2).all(|pair| pair[0].end < pair[1].start), "ranges touch: {:?}", set);
            let gap = set.gap_from(7, 70);
            let missing = (7..70).find(|at| !model.contains(at));
            prop_assert_eq!(gap.as_ref().map(|gap| gap.start), missing);
            if let Some(gap) = gap {
                prop_assert!(gap.clone().all(|at| !model.contains(&at)) && !set.contains(&gap));
                prop_assert!(gap.end == 70 || model.contains(&gap.end), "the gap goes on");
            }
            let full = model.len() as u64;
            prop_assert_eq!(set.is_exactly(full), model.iter().copied().eq(0..full));
        }
    }

    #[test]
    fn what_is_no_set_is_not_read_as_one() {
        for ranges in [vec![5..5], vec![9..3], vec![0..4, 4..6], vec![8..9, 0..2]] {
            assert!(RangeSet::try_from(ranges.clone()).is_err(), "{ranges:?}");
        }
        assert!(RangeSet::try_from(vec![0..4, 5..6]).is_ok());
    }

    #[test]
    fn an_empty_file_is_complete_at_once() {
        assert!(RangeSet::default().is_exactly(0));
        assert!(!RangeSet::default().is_exactly(1));
    }
}
