//! Keys: lists of texts and numbers, ordered as IndexedDB orders arrays.

use std::cmp::Ordering;

use crate::engine::group::GroupKey;
use crate::engine::id::{BodyId, SessionId, TaskKey};
use crate::engine::schedule::Lane;
use crate::engine::task::{FoundByUrl, Place, TaskRecord, TaskState};
use crate::engine::time::Timestamp;

/// One part of a key. Numbers sort before texts, and both before [`Part::End`], as in IndexedDB.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A whole number below 2^53.
    Number(u64),
    /// A text.
    Text(Text),
    /// What sorts behind every number and text; never stored. IndexedDB's empty array.
    End,
}

/// A text, ordered by its UTF-16 code units as IndexedDB orders texts; Rust orders them by code points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(pub String);

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        text_order(&self.0, &other.0)
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The order of two texts in IndexedDB.
pub fn text_order(one: &str, other: &str) -> Ordering {
    // Surrogates, which begin the code points from U+10000 on (0xF0 in UTF-8), lie below U+E000 (0xEE).
    let weight = |byte: u8| if byte == 0xEE || byte == 0xEF { byte + 0x10 } else { byte };
    let differing = one.bytes().zip(other.bytes()).find(|(one, other)| one != other);
    differing.map_or(one.len().cmp(&other.len()), |(one, other)| weight(one).cmp(&weight(other)))
}

/// A row's key, or its key in an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub Vec<Part>);

/// The keys from `first` to `last`, both included. `first` must not lie behind `last`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key.
    pub first: Key,
    /// The last key.
    pub last: Key,
    /// Whether `first` itself is left out.
    pub first_is_open: bool,
}

/// The largest number a key may hold.
const LAST_NUMBER: u64 = (1 << 53) - 1;

/// In the index [`super::Index::Due`], behind a session's lanes: its tasks that failed or were cancelled.
const ENDED_LANE: u64 = 1_000;

fn text(text: &str) -> Part {
    Part::Text(Text(text.into()))
}

fn number(number: u64) -> Part {
    Part::Number(number.min(LAST_NUMBER))
}

impl Key {
    /// A key of one text.
    pub fn text(of: &str) -> Self {
        Self(vec![text(of)])
    }

    /// A key of one time.
    pub fn time(time: Timestamp) -> Self {
        Self(vec![number(time.0)])
    }

    /// A task's key.
    pub fn task(key: &TaskKey) -> Self {
        Self(vec![text(key.session.as_str()), text(key.task.as_str())])
    }

    /// A group's key.
    pub fn group(key: &GroupKey) -> Self {
        Self(vec![text(key.session.as_str()), text(key.group.as_str())])
    }

    /// An event's key.
    pub fn event(session: &SessionId, seq: u64) -> Self {
        Self(vec![text(session.as_str()), number(seq)])
    }

    /// A body's key: 32 hexadecimal digits.
    pub fn body(body: BodyId) -> Self {
        Self(vec![body_text(body)])
    }

    /// A chunk's key.
    pub fn chunk(body: BodyId, offset: u64) -> Self {
        Self(vec![body_text(body), number(offset)])
    }

    /// A task's key in the index [`super::Index::Due`]: its session, its lane and its place there. A task that failed
    /// or was cancelled has it in a lane of its own, by the time when it ended, so that the oldest can be forgotten;
    /// but not members of groups, whose counts are made of their rows.
    pub fn due(record: &TaskRecord) -> Option<Self> {
        let may_be_forgotten =
            matches!(record.state, TaskState::Failed(_) | TaskState::Cancelled) && record.spec.group.is_none();
        let (lane, place) = match record.place_in_lane() {
            Some(place) => (record.lane().number(), place),
            None if may_be_forgotten => (ENDED_LANE, record.ended_at?),
            None => return None,
        };
        Some(Self(vec![text(record.key.session.as_str()), number(lane), number(place.0)]))
    }

    /// A task's key in the index [`super::Index::Group`], if it is a member of a group: its session, its group, its
    /// state and its id. The id is there so that a page can begin behind it.
    pub fn member(record: &TaskRecord) -> Option<Self> {
        let group = record.spec.group.as_ref()?.as_str();
        let (session, task) = (record.key.session.as_str(), record.key.task.as_str());
        Some(Self(vec![text(session), text(group), number(record.state.rank().into()), text(task)]))
    }

    /// A task's key in the index [`super::Index::Url`], if its finished file is to be found so and is here.
    pub fn url(record: &TaskRecord) -> Option<Self> {
        let is_here = record.state == TaskState::Completed && record.place != Place::Gone;
        (record.by_url != FoundByUrl::Never && is_here).then(|| Self::text(record.spec.url()))
    }

    /// The last part, if it is a number.
    pub fn last_number(&self) -> Option<u64> {
        match self.0.last() {
            Some(Part::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// The part at this place, if it is a text.
    pub fn text_at(&self, place: usize) -> Option<&str> {
        match self.0.get(place) {
            Some(Part::Text(Text(text))) => Some(text),
            _ => None,
        }
    }

    fn with(mut self, part: Part) -> Self {
        self.0.push(part);
        self
    }
}

impl KeyRange {
    /// One key.
    pub fn only(key: Key) -> Self {
        Self { first: key.clone(), last: key, first_is_open: false }
    }

    /// From `first` to `last`.
    pub fn between(first: Key, last: Key) -> Self {
        Self { first, last, first_is_open: false }
    }

    /// All keys.
    pub fn all() -> Self {
        Self::within(Key(Vec::new()))
    }

    /// Of the index [`super::Index::Due`] of bodies: those that are dead by `now`…
    pub fn dead_by(now: Timestamp) -> Self {
        Self::between(Key(Vec::new()), Key::time(now))
    }

    /// …and those that will be.
    pub fn dead_after(now: Timestamp) -> Self {
        Self { first: Key::time(now), first_is_open: true, ..Self::all() }
    }

    /// All keys that begin with the parts of `prefix`.
    fn within(prefix: Key) -> Self {
        Self::between(prefix.clone(), prefix.with(Part::End))
    }

    /// All keys that begin with the parts of `prefix` and go on behind `after`.
    fn within_after(prefix: Key, after: Option<&str>) -> Self {
        let first_is_open = after.is_some();
        let first = prefix.clone().with(text(after.unwrap_or_default()));
        Self { first, last: prefix.with(Part::End), first_is_open }
    }

    /// A session's tasks behind an id.
    pub fn tasks_after(session: &SessionId, after: Option<&str>) -> Self {
        Self::within_after(Key::text(session.as_str()), after)
    }

    /// Of the index [`super::Index::Group`]: a group's members in the state of this rank, behind an id.
    pub fn members_after(group: &GroupKey, rank: u8, after: Option<&str>) -> Self {
        Self::within_after(Key::group(group).with(number(rank.into())), after)
    }

    /// Of the index [`super::Index::Due`]: a session's lanes from the one with this number on.
    pub fn lanes_from(session: &SessionId, lane: u64) -> Self {
        let session = Key::text(session.as_str());
        Self::between(session.clone().with(number(lane)), session.with(number(ENDED_LANE)))
    }

    /// Of the index [`super::Index::Due`]: what has its place in a lane later than `time`.
    pub fn lane_behind(session: &SessionId, lane: Lane, time: Timestamp) -> Self {
        let lane = Key::text(session.as_str()).with(number(lane.number()));
        Self { first: lane.clone().with(number(time.0)), last: lane.with(Part::End), first_is_open: true }
    }

    /// Of the index [`super::Index::Due`]: a session's tasks that failed or were cancelled.
    pub fn ended(session: &SessionId) -> Self {
        Self::within(Key::text(session.as_str()).with(number(ENDED_LANE)))
    }

    /// A session's events from one number to another.
    pub fn events(session: &SessionId, first: u64, last: u64) -> Self {
        Self::between(Key::event(session, first), Key::event(session, last))
    }

    /// A body's chunks from one offset to another, both included.
    pub fn chunks(body: BodyId, from: u64, through: u64) -> Self {
        Self::between(Key::chunk(body, from), Key::chunk(body, through))
    }
}

fn body_text(body: BodyId) -> Part {
    Part::Text(Text(body.to_text()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::id::{GroupId, TaskId};

    impl KeyRange {
        fn contains(&self, key: &Key) -> bool {
            let behind_first = if self.first_is_open { *key > self.first } else { *key >= self.first };
            behind_first && *key <= self.last
        }
    }

    #[test]
    fn bodies_are_spelt_in_full() {
        assert_eq!(Key::body(BodyId(0xabc)), Key::text("00000000000000000000000000000abc"));
        assert_eq!(Key::body(BodyId(u128::MAX)), Key::text("ffffffffffffffffffffffffffffffff"));
    }

    #[test]
    fn ranges_keep_sessions_and_bodies_apart() {
        let session = SessionId::new("a");
        let events = KeyRange::events(&session, 0, u64::MAX);
        assert!(events.contains(&Key::event(&session, 5)));
        assert!(!events.contains(&Key::event(&SessionId::new("b"), 5)));
        let tasks = KeyRange::tasks_after(&session, Some("1"));
        let task =
            |session, task: &str| Key::task(&TaskKey { session: SessionId::new(session), task: TaskId::new(task) });
        assert!(!tasks.contains(&task("a", "1")) && tasks.contains(&task("a", "2")));
        assert!(!tasks.contains(&task("b", "2")) && !tasks.contains(&task("aa", "2")));
        assert!(tasks.contains(&task("a", "\u{ffff}\u{ffff}")), "no text is too late");
        let chunks = KeyRange::chunks(BodyId(1), 4, 8);
        assert!([4, 8].iter().all(|offset| chunks.contains(&Key::chunk(BodyId(1), *offset))));
        assert!(![3, 9].iter().any(|offset| chunks.contains(&Key::chunk(BodyId(1), *offset))));
    }

    #[test]
    fn the_ended_lie_behind_all_lanes() {
        let session = SessionId::new("a");
        let at = |lane, time| Key::text("a").with(number(lane)).with(number(time));
        let lanes = KeyRange::lanes_from(&session, 3);
        let last = Lane::all().map(Lane::number).max().unwrap();
        assert!(lanes.contains(&at(3, 0)) && lanes.contains(&at(last, u64::MAX)));
        assert!(!lanes.contains(&at(2, u64::MAX)) && !lanes.contains(&at(ENDED_LANE, 0)));
        assert!(KeyRange::ended(&session).contains(&at(ENDED_LANE, 0)) && last < ENDED_LANE);
        assert!(!KeyRange::ended(&session).contains(&at(last, 0)));
    }

    #[test]
    fn members_are_kept_apart_by_group_and_state() {
        let group = |group: &str| GroupKey { session: SessionId::new("a"), group: GroupId::new(group) };
        let at = |of: &str, rank: u8, task: &str| Key::group(&group(of)).with(number(rank.into())).with(text(task));
        let range = KeyRange::members_after(&group("g"), 1, Some("m"));
        assert!(range.contains(&at("g", 1, "n")) && !range.contains(&at("g", 1, "m")));
        assert!(!range.contains(&at("g", 2, "n")) && !range.contains(&at("h", 1, "n")));
        assert!(KeyRange::members_after(&group("g"), 1, None).contains(&at("g", 1, "")));
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod text_tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_are_ordered_by_utf_16(
            one in "[a\u{e9}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}]{0,4}",
            other in "[a\u{e9}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}]{0,4}",
        ) {
            prop_assert_eq!(text_order(&one, &other), one.encode_utf16().cmp(other.encode_utf16()));
        }
    }
}
