//! A body on its way: when its bytes come, and how it ends. All in closed form; nothing happens until a read asks.

use std::ops::Range;

use super::content::{Chunk, NO_VERSION, Piece, VersionId};

/// What comes after the last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    Eof,
    Cut {
        online: bool,
    },
    /// Nothing, ever.
    Stall,
}

/// A body on its way.
#[derive(Clone, Debug)]
pub struct Body {
    pub version: VersionId,
    /// The offset of its first byte in the version.
    pub start: u64,
    /// How many bytes of the version come.
    pub len: u64,
    /// How many bytes come behind them that belong to no version.
    pub garbage: u64,
    /// Offsets whose bytes come damaged.
    pub damaged: Range<u64>,
    pub bytes_per_ms: u64,
    pub begins_at: u64,
    pub end: BodyEnd,
    /// How long after the last byte the end comes.
    pub tail_ms: u64,
    /// How many bytes have been read.
    pub consumed: u64,
}

impl Body {
    /// One of which nothing ever comes.
    pub fn nothing(start: u64) -> Self {
        let (version, end) = (NO_VERSION, BodyEnd::Eof);
        Self {
            version,
            start,
            len: 0,
            garbage: 0,
            damaged: 0..0,
            bytes_per_ms: 1,
            begins_at: 0,
            end,
            tail_ms: 0,
            consumed: 0,
        }
    }

    fn total(&self) -> u64 {
        self.len + self.garbage
    }

    /// When the first `bytes` are there.
    fn arrives_at(&self, bytes: u64) -> u64 {
        self.begins_at + bytes.div_ceil(self.bytes_per_ms)
    }

    fn arrived(&self, now: u64) -> u64 {
        self.total().min(now.saturating_sub(self.begins_at).saturating_mul(self.bytes_per_ms))
    }

    /// When it ends; `None` for never.
    pub fn ends_at(&self) -> Option<u64> {
        (self.end != BodyEnd::Stall).then(|| self.arrives_at(self.total()) + self.tail_ms)
    }

    /// When a read that begins now is answered; `None` for never.
    pub fn read_done_at(&self, now: u64, up_to_bytes: u64, or_after_ms: u64) -> Option<u64> {
        let full = Some(self.consumed + up_to_bytes).filter(|bytes| *bytes <= self.total());
        let some = Some(self.consumed + 1).filter(|bytes| *bytes <= self.total());
        let full = full.map(|bytes| self.arrives_at(bytes));
        let some = some.map(|bytes| self.arrives_at(bytes).max(now + or_after_ms));
        [full, some, self.ends_at()].into_iter().flatten().min().map(|at| at.max(now))
    }

    /// Takes what is there, but no more than `up_to_bytes`. Returns the end as well, if nothing is left before it.
    pub fn read(&mut self, now: u64, up_to_bytes: u64) -> (Chunk, u64, Option<BodyEnd>) {
        let first = self.consumed;
        let last = self.arrived(now).min(first + up_to_bytes).max(first);
        self.consumed = last;
        let mut chunk = Vec::new();
        let mut push = |version, range: Range<u64>| {
            if !range.is_empty() {
                chunk.push(Piece { version, range });
            }
        };
        let good = self.start + first.min(self.len)..self.start + last.min(self.len);
        let [from, to] = [self.damaged.start, self.damaged.end].map(|at| at.clamp(good.start, good.end));
        push(self.version, good.start..from);
        push(self.version.damaged(), from..to);
        push(self.version, to..good.end);
        push(NO_VERSION, self.start + first.max(self.len)..self.start + last);
        let is_over = last == self.total() && self.ends_at().is_some_and(|at| at <= now);
        (chunk, last - first, is_over.then_some(self.end))
    }

    /// The connection breaks now.
    pub fn cut(&mut self, now: u64, online: bool) {
        let arrived = self.arrived(now).max(self.consumed);
        self.garbage = arrived.saturating_sub(self.len);
        self.len = self.len.min(arrived);
        self.end = BodyEnd::Cut { online };
        self.tail_ms = 0;
    }
}
