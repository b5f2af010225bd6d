//! Keys: lists of texts and numbers, ordered as IndexedDB orders arrays.

use crate::engine::id::{BodyId, SessionId, TaskKey};

/// One part of a key. Numbers sort before texts, as in IndexedDB.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A whole number below 2^53.
    Number(u64),
    /// A text.
    Text(String),
}

/// A row's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub Vec<Part>);

/// The keys from `first` to `last`, both included.
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

impl Key {
    /// A key of one text.
    pub fn text(text: &str) -> Self {
        Self(vec![Part::Text(text.into())])
    }

    /// A task's key.
    pub fn task(key: &TaskKey) -> Self {
        Self(vec![Part::Text(key.session.as_str().into()), Part::Text(key.task.as_str().into())])
    }

    /// An event's key.
    pub fn event(session: &SessionId, seq: u64) -> Self {
        Self(vec![Part::Text(session.as_str().into()), Part::Number(seq)])
    }

    /// A body's key: 32 hexadecimal digits.
    pub fn body(body: BodyId) -> Self {
        Self(vec![Part::Text(body_text(body))])
    }

    /// A chunk's key.
    pub fn chunk(body: BodyId, offset: u64) -> Self {
        Self(vec![Part::Text(body_text(body)), Part::Number(offset)])
    }

    /// The last part, if it is a number.
    pub fn last_number(&self) -> Option<u64> {
        match self.0.last() {
            Some(Part::Number(number)) => Some(*number),
            _ => None,
        }
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

    /// All session records.
    pub fn all_texts() -> Self {
        Self::between(Key(vec![Part::Text(String::new())]), Key(vec![Part::Text("\u{ffff}".into())]))
    }

    /// A session's tasks behind an id.
    pub fn tasks_after(session: &SessionId, after: Option<&str>) -> Self {
        let session = Part::Text(session.as_str().into());
        Self {
            first: Key(vec![session.clone(), Part::Text(after.unwrap_or_default().into())]),
            last: Key(vec![session, Part::Text("\u{ffff}".into())]),
            first_is_open: after.is_some(),
        }
    }

    /// A session's events from one number to another.
    pub fn events(session: &SessionId, first: u64, last: u64) -> Self {
        Self::between(Key::event(session, first), Key::event(session, last.min(LAST_NUMBER)))
    }

    /// A body's chunks up to an offset.
    pub fn chunks(body: BodyId, through: u64) -> Self {
        Self::between(Key::chunk(body, 0), Key::chunk(body, through.min(LAST_NUMBER)))
    }

    /// Whether `key` lies in the range.
    pub fn contains(&self, key: &Key) -> bool {
        let behind_first = if self.first_is_open { *key > self.first } else { *key >= self.first };
        behind_first && *key <= self.last
    }
}

fn body_text(body: BodyId) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    (0..32).rev().map(|digit| char::from(DIGITS[(body.0 >> (digit * 4)) as usize & 15])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let key = |session, task: &str| Key(vec![Part::Text(String::from(session)), Part::Text(task.into())]);
        assert!(!tasks.contains(&key("a", "1")) && tasks.contains(&key("a", "2")) && !tasks.contains(&key("b", "2")));
        assert!(KeyRange::chunks(BodyId(1), 8).contains(&Key::chunk(BodyId(1), 8)));
        assert!(!KeyRange::chunks(BodyId(1), 8).contains(&Key::chunk(BodyId(1), 9)));
    }
}
