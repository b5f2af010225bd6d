//! Which bytes the next attempts should fetch: gaps first, then the tails of the segments that would take longest.
//! Knows nothing of servers or storage.

use std::ops::Range;

use super::range_set::RangeSet;

/// No segment is made smaller than this while nothing is known of the connection.
const SMALLEST: u64 = 2 << 20;
/// A new segment should be worth at least this much time of one connection…
const WORTH_MS: u64 = 1_000;
/// …and this many round trips, of which the request alone costs one or two.
const WORTH_ROUND_TRIPS: u64 = 8;
/// What nobody would call a segment, and what nobody would wait for to be split.
const MINIMUM: Range<u64> = 1 << 20..256 << 20;
/// Segments begin at multiples of this, or of the length of a piece.
const ALIGNMENT: u64 = 64 << 10;

/// A segment that is being fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The first byte it was asked for.
    pub start: u64,
    /// The first byte that may still be given to another: behind what is read and what is being read.
    pub free_from: u64,
    /// Behind its last byte.
    pub end: u64,
    /// Its speed, or 0 if it is not known.
    pub bytes_per_second: u64,
}

/// What is known of the connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Link {
    /// From a request to its head, in milliseconds.
    pub round_trip_ms: u64,
    /// What one connection brings; 0 if unknown.
    pub bytes_per_second: u64,
}

impl Link {
    /// The smallest segment that is worth a request.
    pub fn smallest_segment(self) -> u64 {
        if self.bytes_per_second == 0 {
            return SMALLEST;
        }
        let worth_ms = WORTH_MS.max(self.round_trip_ms.saturating_mul(WORTH_ROUND_TRIPS));
        (self.bytes_per_second.saturating_mul(worth_ms) / 1_000).clamp(MINIMUM.start, MINIMUM.end)
    }
}

/// Where segments begin and end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Grid {
    /// The length of a piece, if the file has pieces: segments begin where pieces do.
    pub piece: Option<u64>,
    /// How long a segment may be that is not one piece.
    pub longest: Option<u64>,
}

impl Grid {
    fn unit(self) -> u64 {
        self.piece.unwrap_or(ALIGNMENT)
    }

    /// The smallest segment that is worth a request. Where all are bounded, there is always one more to be made.
    pub fn smallest_segment(self, link: Link) -> u64 {
        link.smallest_segment().min(self.longest.unwrap_or(u64::MAX))
    }

    /// As much of `gap`, from its beginning, as one segment may have.
    pub fn bound(self, gap: Range<u64>) -> Range<u64> {
        let Some(longest) = self.longest else { return gap };
        let unit = self.unit();
        let end = (gap.start + longest) / unit * unit;
        let end = if end > gap.start { end } else { (gap.start / unit + 1) * unit };
        gap.start..end.min(gap.end)
    }
}

/// The gap from `from` on, or else the first of all.
pub fn next_gap(taken: &RangeSet, from: u64, length: u64) -> Option<Range<u64>> {
    taken.gap_from(from, length).or_else(|| taken.gap_from(0, length))
}

/// Plans up to `lanes` new segments of a file of `length` bytes. `running` is shortened where a tail is given away.
pub fn plan(
    length: u64,
    received: &RangeSet,
    running: &mut Vec<Running>,
    lanes: u32,
    link: Link,
    grid: Grid,
) -> Vec<Range<u64>> {
    let known = running.len();
    let smallest = link.smallest_segment();
    for lane in 0..lanes {
        let mut taken = received.clone();
        running.iter().for_each(|segment| taken.insert(segment.start..segment.end));
        let gap = taken.gap_from(0, length).or_else(|| donate(running, lanes - lane, smallest, grid.unit()));
        let next = gap.map(|gap| grid.bound(gap));
        let Some(next) = next else { break };
        let bytes_per_second = link.bytes_per_second;
        running.push(Running { start: next.start, free_from: next.start, end: next.end, bytes_per_second });
    }
    running.drain(known..).map(|segment| segment.start..segment.end).collect()
}

/// Takes the tail of the segment that would take longest, if it is worth it. `lanes` more are to share it with.
fn donate(running: &mut [Running], lanes: u32, smallest: u64, unit: u64) -> Option<Range<u64>> {
    let remaining = |segment: &Running| segment.end.saturating_sub(segment.free_from);
    let duration = |segment: &&mut Running| remaining(segment) / segment.bytes_per_second.max(1);
    let slowest = running.iter_mut().filter(|segment| remaining(segment) >= smallest * 2).max_by_key(duration)?;
    let keeps = remaining(slowest) / (u64::from(lanes) + 1);
    let at = (slowest.free_from + keeps.max(smallest)).next_multiple_of(unit);
    let end = slowest.end;
    if at + smallest / 2 > end {
        return None;
    }
    slowest.end = at;
    Some(at..end)
}

#[cfg(all(test, not(target_arch = "wasm32")))]
#[allow(clippy::single_range_in_vec_init, clippy::reversed_empty_ranges, reason = "ranges are what is tested")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn running(start: u64, free_from: u64, end: u64) -> Running {
        Running { start, free_from, end, bytes_per_second: 0 }
    }

    #[test]
    fn the_first_segment_is_shared_in_equal_parts() {
        let mut all = vec![running(0, 0, 400 * MIB)];
        let new = plan(400 * MIB, &RangeSet::default(), &mut all, 3, Link::default(), Grid::default());
        assert_eq!(all[0].end, 100 * MIB);
        assert_eq!(new, [100 * MIB..200 * MIB, 200 * MIB..300 * MIB, 300 * MIB..400 * MIB]);
    }

    #[test]
    fn gaps_come_before_tails() {
        let mut received = RangeSet::default();
        received.insert(10 * MIB..20 * MIB);
        let mut all = vec![running(20 * MIB, 30 * MIB, 100 * MIB)];
        let new = plan(100 * MIB, &received, &mut all, 1, Link::default(), Grid::default());
        assert_eq!(new, vec![0..10 * MIB]);
        assert_eq!(all[0].end, 100 * MIB, "nobody had to give anything away");
    }

    #[test]
    fn the_slowest_gives_its_tail() {
        let slow = Running { bytes_per_second: MIB, ..running(0, 10 * MIB, 60 * MIB) };
        let fast = Running { bytes_per_second: 10 * MIB, ..running(60 * MIB, 60 * MIB, 160 * MIB) };
        let mut all = vec![slow, fast];
        let link = Link { round_trip_ms: 10, bytes_per_second: MIB };
        let new = plan(160 * MIB, &RangeSet::default(), &mut all, 1, link, Grid::default());
        assert_eq!(new, [35 * MIB..60 * MIB]);
        assert_eq!((all[0].end, all[1].end), (35 * MIB, 160 * MIB));
    }

    #[test]
    fn what_is_small_or_almost_done_is_left_alone() {
        let small =
            plan(3 * MIB, &RangeSet::default(), &mut vec![running(0, 0, 3 * MIB)], 3, Link::default(), Grid::default());
        assert_eq!(small, []);
        let fast = Link { round_trip_ms: 5, bytes_per_second: 100 * MIB };
        let soon = plan(150 * MIB, &RangeSet::default(), &mut vec![running(0, 0, 150 * MIB)], 3, fast, Grid::default());
        assert_eq!(soon, [], "one connection is done with it in a second and a half");
    }

    #[test]
    fn segments_begin_where_pieces_begin() {
        let mut all = vec![running(0, 0, 100 * MIB)];
        let new = plan(
            100 * MIB,
            &RangeSet::default(),
            &mut all,
            2,
            Link::default(),
            Grid { piece: Some(7 * MIB), longest: None },
        );
        assert!(new.iter().all(|segment| segment.start % (7 * MIB) == 0), "{new:?}");
    }

    #[test]
    fn a_bounded_segment_is_no_longer_than_it_may_be_and_ends_where_another_can_begin() {
        let bound = |piece, gap: Range<u64>| Grid { piece, longest: Some(8 * MIB) }.bound(gap);
        assert_eq!(bound(None, 0..100 * MIB), 0..8 * MIB);
        assert_eq!(bound(None, 5..100 * MIB), 5..8 * MIB);
        assert_eq!(bound(None, 3 * MIB..4 * MIB), 3 * MIB..4 * MIB);
        assert_eq!(bound(Some(3 * MIB), MIB..100 * MIB), MIB..9 * MIB, "pieces are not cut");
        assert_eq!(bound(Some(20 * MIB), 20 * MIB..100 * MIB), 20 * MIB..40 * MIB, "not even long ones");
        assert_eq!(Grid::default().bound(0..100 * MIB), 0..100 * MIB);
        let mut all = vec![running(0, 0, 8 * MIB)];
        let grid = Grid { piece: None, longest: Some(8 * MIB) };
        let new = plan(20 * MIB, &RangeSet::default(), &mut all, 2, Link::default(), grid);
        assert_eq!(new, [8 * MIB..16 * MIB, 16 * MIB..20 * MIB], "gaps come first here, too");
    }

    proptest! {
        #[test]
        fn no_byte_is_planned_twice_and_none_is_forgotten(
            length in 1u64..400,
            kept in prop::collection::vec((0u64..400, 1u64..60), 0..6),
            lanes in 1u32..6,
            read in 0u64..50,
            speed in 0u64..200,
            longest in prop::option::of(1u64..40),
        ) {
            let length = length * MIB;
            let mut received = RangeSet::default();
            for (start, len) in kept {
                received.insert(start.saturating_mul(MIB).min(length)..((start + len) * MIB).min(length));
            }
            let mut all = Vec::new();
            let link = Link { round_trip_ms: 20, bytes_per_second: speed * MIB };
            for lane in 0..lanes {
                let before = all.clone();
                let grid = Grid { piece: None, longest: longest.map(|longest| longest * MIB) };
                let new = plan(length, &received, &mut all, lane, link, grid);
                prop_assert!(new.iter().all(|range| longest.is_none_or(|most| range.end - range.start <= most * MIB)));
                for (old, now) in before.iter().zip(&all) {
                    prop_assert!(now.end <= old.end && now.end >= now.free_from, "{old:?} became {now:?}");
                }
                all.extend(new.into_iter().map(|range| {
                    let free_from = (range.start + read * MIB).min(range.end);
                    running(range.start, free_from, range.end)
                }));
                let mut seen = received.clone();
                for segment in &all {
                    prop_assert!(segment.start < segment.end, "an empty segment");
                    let before = seen.len();
                    seen.insert(segment.start..segment.end);
                    prop_assert_eq!(seen.len() - before, segment.end - segment.start, "bytes planned twice");
                }
                if !all.is_empty() && seen.len() < length {
                    prop_assert!(new_gaps(&seen, length) > 0);
                }
            }
        }
    }

    fn new_gaps(seen: &RangeSet, length: u64) -> u64 {
        length - seen.len()
    }
}
