//! One attempt: from a request for one segment to the end of its body. It dies with the worker; what it brought lives
//! on in the task's checkpoint. Knows nothing of other tasks, storage or retries.

use super::http::{Asked, judge};
use std::ops::Range;

use super::http::{AskedRange, Head, Representation, Source, Verdict};
use super::id::EffectId;
use super::input::{Arrived, FetchFailure, ReadEnd};
use super::plan::Running;
use super::time::Timestamp;
use crate::integrity::HashState;

/// Bytes that were read and are not durable yet. The driver holds them under the read's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// The read that filled it.
    pub id: EffectId,
    /// The position of its first byte.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
    /// The hash of all bytes from 0 to its end, if it was hashed on the way.
    pub hash: Option<HashState>,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As HTTP says it should.
    Eof,
    /// It went on, but the rest belongs to another segment.
    Full,
    /// The connection was cut.
    Cut {
        /// What `navigator.onLine` said.
        online: bool,
    },
    /// More bytes came than can be right.
    TooLong,
}

/// Where a body's bytes go and how far they have come.
#[derive(Debug)]
pub struct Reading {
    /// The position of the next byte to come.
    pub next_offset: u64,
    /// How the body ended, once it has.
    pub ended: Option<Ended>,
    /// The hash of all bytes before `next_offset`, while it is made on the way.
    pub hash: Option<HashState>,
    /// Where to stop: the segment's end or the body's, whichever comes first.
    end: Option<u64>,
    /// Where the body ends, as the answer said.
    body_end: Option<u64>,
    began: (Timestamp, u64),
    /// The speed at which the last read was filled.
    last_speed: Option<u64>,
    /// The read in flight, with what it asked for and when it began.
    read: Option<(EffectId, u64, Timestamp)>,
    /// Whether that is to bring what has come, and no more.
    is_hastened: bool,
    ready: Option<Buffer>,
}

impl Reading {
    /// How many bytes the next read should bring at most; `None` if there is no room for another buffer: one may be
    /// on its way to storage while the next is being filled, and no more.
    pub fn next_read(&self, chunk_bytes: u64) -> Option<u64> {
        if self.read.is_some() || self.ready.is_some() || self.ended.is_some() {
            return None;
        }
        let Some(end) = self.end else { return Some(chunk_bytes) };
        // One byte more than there should be shows a body that is too long.
        let beyond = u64::from(self.body_end == self.end);
        Some((end.saturating_sub(self.next_offset) + beyond).min(chunk_bytes))
    }

    /// How many bytes are to come, if none has been asked for yet and all that the answer brings is wanted.
    pub fn untouched(&self) -> Option<u64> {
        let (_, start) = self.began;
        let is_untouched = self.next_offset == start && self.read.is_none() && self.ended.is_none();
        self.end.filter(|_| is_untouched && self.end == self.body_end).map(|end| end - start)
    }

    /// Notes the read that was asked for.
    pub fn read_started(&mut self, read: EffectId, up_to_bytes: u64, now: Timestamp) {
        self.read = Some((read, up_to_bytes, now));
        self.is_hastened = false;
    }

    /// The read in flight is to bring what has come. Whether there is one that does not know yet.
    pub fn hasten(&mut self) -> bool {
        let is_news = self.read.is_some() && !self.is_hastened;
        self.is_hastened = true;
        is_news
    }

    /// Takes in what a read brought. Returns its buffer if it is not wanted.
    pub fn read_done(&mut self, len: u64, end: ReadEnd, hash: Option<HashState>, now: Timestamp) -> Option<EffectId> {
        let (id, _, begun_at) = self.read.take()?;
        self.last_speed = Some(len.saturating_mul(1_000) / now.since(begun_at).max(1));
        if self.end.is_some_and(|limit| self.next_offset + len > limit) {
            self.ended = Some(Ended::TooLong);
            return Some(id).filter(|_| len > 0);
        }
        // A hash that was given up while the read was under way is not taken up again.
        if len > 0 {
            self.hash = self.hash.take().and(hash);
        }
        if len > 0 {
            self.ready = Some(Buffer { id, offset: self.next_offset, len, hash: self.hash.clone() });
        }
        self.next_offset += len;
        self.ended = match end {
            ReadEnd::Eof => Some(Ended::Eof),
            ReadEnd::Cut { online } => Some(Ended::Cut { online }),
            ReadEnd::More => None,
        };
        self.end_if_full();
        None
    }

    fn end_if_full(&mut self) {
        let is_full = self.end == Some(self.next_offset) && self.end != self.body_end;
        if is_full && matches!(self.ended, None | Some(Ended::Cut { .. })) && self.read.is_none() {
            self.ended = Some(Ended::Full);
        }
    }

    /// Takes the buffer that is ready to be made durable.
    pub fn take_ready(&mut self) -> Option<Buffer> {
        self.ready.take()
    }

    /// Whether a buffer is ready to be made durable.
    pub fn has_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// The read in flight, if any.
    pub fn read_in_flight(&self) -> Option<EffectId> {
        self.read.map(|(read, ..)| read)
    }

    /// Whether the body ended where its answer, or the representation, said that it would.
    pub fn is_whole(&self) -> bool {
        match self.ended {
            Some(Ended::Full) => true,
            Some(Ended::Eof) => self.body_end.is_none_or(|end| end == self.next_offset),
            _ => false,
        }
    }

    /// What it can be relied upon for just now, in bytes per second: a connection may have become slow.
    pub fn reliable_speed(&self, now: Timestamp) -> u64 {
        let speed = self.bytes_per_second(now);
        self.last_speed.map_or(speed, |last| last.min(speed))
    }

    /// The speed since its first byte, in bytes per second; 0 if nothing has come yet.
    pub fn bytes_per_second(&self, now: Timestamp) -> u64 {
        let (began_at, from) = self.began;
        (self.next_offset - from).saturating_mul(1_000) / now.since(began_at).max(1)
    }
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `Range`, or no `Range`.
    pub range: Option<AskedRange>,
    /// Whether `If-Range` was sent.
    pub if_range: bool,
    /// Whether a conditional header was sent.
    pub conditional: bool,
}

/// An attempt.
#[derive(Debug)]
pub struct Attempt {
    /// The fetch's effect.
    pub id: EffectId,
    /// Which of the task's sources it asks.
    pub source: usize,
    /// When it began.
    pub began_at: Timestamp,
    /// The head, or the failure, until it is decided what it means.
    pub arrived: Option<Result<Arrived, FetchFailure>>,
    /// The body, once its head was accepted.
    pub reading: Option<Reading>,
    /// The hash of all bytes before its first, if that was made by the attempt before it and is not durable yet.
    pub hash_before: Option<HashState>,
    /// Whether it ends because others come first: however it ends, that is no failure.
    pub gives_way: bool,
    /// Whether it was begun for a reader, and so may be more than the limits allow.
    pub is_extra: bool,
    /// Whether it asks where the source has redirected to, and not the source itself.
    pub is_at_target: bool,
    /// Whether it reads what the browser itself has fetched: however it ends, that says nothing of the server.
    pub is_record: bool,
    request: Request,
    start: u64,
    end: Option<u64>,
}

impl Attempt {
    /// An attempt at the bytes from `start` to `end` whose fetch has just been asked for.
    pub fn new(id: EffectId, source: usize, request: Request, segment: (u64, Option<u64>), now: Timestamp) -> Self {
        let (start, end) = segment;
        Self {
            id,
            source,
            began_at: now,
            arrived: None,
            reading: None,
            hash_before: None,
            gives_way: false,
            is_extra: false,
            is_at_target: false,
            is_record: false,
            request,
            start,
            end,
        }
    }

    /// The same for a record of an external attempt.
    pub fn of_record(id: EffectId, request: Request, segment: (u64, Option<u64>), now: Timestamp) -> Self {
        Self { is_record: true, ..Self::new(id, 0, request, segment, now) }
    }

    /// Its first byte.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Holds the answer's head against the request and what is kept or being fetched.
    pub fn judge(&self, kept: Option<&Representation>, only_parts: bool, source: Source, head: &Head) -> Verdict {
        let Request { range, if_range, conditional } = self.request.clone();
        judge(&Asked { range, if_range, conditional, kept, only_parts, source }, head)
    }

    /// The head was accepted: the body's bytes begin at `start` and end at `body_end`. `hash` is that of all bytes
    /// before `start`, if it is to be made on the way.
    pub fn begin_body(&mut self, start: u64, body_end: Option<u64>, hash: Option<HashState>, now: Timestamp) {
        // A body that begins elsewhere is all of the file, and so is the segment.
        if start != self.start {
            (self.start, self.end) = (start, None);
        }
        let end = match (self.end, body_end) {
            (Some(segment), Some(body)) => Some(segment.min(body)),
            (segment, body) => segment.or(body),
        };
        let began = (now, start);
        self.reading = Some(Reading {
            next_offset: start,
            ended: None,
            hash,
            end,
            body_end,
            began,
            last_speed: None,
            read: None,
            is_hastened: false,
            ready: None,
        });
    }

    /// The hash is not made on the way any more.
    pub fn forget_hash(&mut self) {
        self.hash_before = None;
        if let Some(reading) = &mut self.reading {
            reading.hash = None;
            if let Some(buffer) = &mut reading.ready {
                buffer.hash = None;
            }
        }
    }

    /// The bytes that it has read.
    pub fn read_range(&self) -> Option<Range<u64>> {
        self.reading.as_ref().map(|reading| self.start..reading.next_offset)
    }

    /// Since when it has been waiting for its head, or for the bytes of a read; `None` if it waits for neither, or has
    /// bytes that are not on their way to storage.
    pub fn waits_since(&self) -> Option<Timestamp> {
        match &self.reading {
            None => self.arrived.is_none().then_some(self.began_at),
            Some(reading) => reading.read.filter(|_| !reading.has_ready()).map(|(_, _, since)| since),
        }
    }

    /// The segment as the planner sees it, in a file of `length` bytes.
    pub fn running(&self, length: u64, now: Timestamp) -> Running {
        let end = self.reading.as_ref().and_then(|reading| reading.end).or(self.end).unwrap_or(length);
        let free_from = match &self.reading {
            // What is over has no tail to give away, whatever it did not bring.
            Some(reading) if reading.ended.is_some() => end,
            Some(reading) => reading.next_offset + reading.read.map_or(0, |(_, up_to_bytes, _)| up_to_bytes),
            None => self.start,
        };
        let bytes_per_second = self.reading.as_ref().map_or(0, |reading| reading.bytes_per_second(now));
        Running { start: self.start, free_from: free_from.min(end), end, bytes_per_second }
    }

    /// The bytes that the server's answer has, if that is fewer than it was asked for in a file of `length` bytes. How
    /// much of them is read does not matter: an attempt that gives way reads little of a long answer.
    pub fn offered_too_little(&self, length: Option<u64>) -> Option<u64> {
        let asked = self.request.range.and_then(|range| range.end.or(length))?;
        let answered = self.reading.as_ref().and_then(|reading| reading.body_end)?;
        (answered < asked).then(|| answered.saturating_sub(self.start))
    }

    /// Its first byte, and where it ends, if that is known.
    pub fn segment(&self) -> (u64, Option<u64>) {
        (self.start, self.end)
    }

    /// The segment behind it has failed: its bytes are read here, if this answer has them.
    pub fn take_back(&mut self, (start, end): (u64, Option<u64>)) {
        let Some(reading) = self.reading.as_mut().filter(|reading| reading.ended.is_none()) else { return };
        let goes_on = reading.body_end.is_some_and(|body| body > start) && !self.gives_way;
        if goes_on && reading.end == Some(start) {
            self.end = end;
            reading.end = reading.body_end.min(end.or(reading.body_end));
        }
    }

    /// The bytes from `end` on belong to another segment.
    pub fn shorten(&mut self, end: u64) {
        self.end = Some(end);
        if let Some(reading) = self.reading.as_mut().filter(|reading| reading.end.is_none_or(|old| end < old)) {
            reading.end = Some(end);
            reading.end_if_full();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrity::Algorithm;

    fn reading(segment: (u64, Option<u64>), body_end: Option<u64>) -> Reading {
        let range = Some(AskedRange { start: segment.0, end: segment.1 });
        let request = Request { range, if_range: false, conditional: false };
        let mut attempt = Attempt::new(EffectId(1), 0, request, segment, Timestamp(0));
        attempt.begin_body(segment.0, body_end, None, Timestamp(0));
        attempt.reading.unwrap()
    }

    fn read(reading: &mut Reading, id: u64, len: u64, end: ReadEnd) -> Option<EffectId> {
        reading.read_started(EffectId(id), len, Timestamp(0));
        reading.read_done(len, end, None, Timestamp(0))
    }

    #[test]
    fn holds_at_most_one_buffer_beside_the_one_being_stored() {
        let mut body = reading((0, None), Some(100));
        assert_eq!(body.next_read(60), Some(60));
        body.read_started(EffectId(2), 60, Timestamp(0));
        assert_eq!(body.next_read(60), None);
        assert_eq!(body.read_done(60, ReadEnd::More, None, Timestamp(0)), None);
        assert_eq!(body.next_read(60), None, "a buffer is ready");
        let buffer = body.take_ready().unwrap();
        assert_eq!((buffer.id, buffer.offset, buffer.len), (EffectId(2), 0, 60));
        assert_eq!(body.next_read(60), Some(41), "one byte more than there should be");
        assert_eq!(read(&mut body, 3, 40, ReadEnd::Eof), None);
        assert!(body.is_whole() && body.next_read(60).is_none());
    }

    #[test]
    fn a_body_that_is_too_long_or_too_short_is_never_whole() {
        let mut long = reading((0, None), Some(100));
        assert_eq!(read(&mut long, 2, 101, ReadEnd::More), Some(EffectId(2)), "the buffer is not wanted");
        assert_eq!(long.ended, Some(Ended::TooLong));
        assert!(!long.is_whole());
        let mut short = reading((0, None), Some(100));
        assert_eq!(read(&mut short, 2, 99, ReadEnd::Eof), None);
        assert!(!short.is_whole());
    }

    #[test]
    fn a_segment_ends_where_another_begins() {
        let mut body = reading((0, Some(50)), Some(100));
        assert_eq!(body.next_read(80), Some(50), "not a byte of the other's");
        read(&mut body, 2, 50, ReadEnd::More);
        assert_eq!(body.ended, Some(Ended::Full));
        assert!(body.is_whole());
    }

    #[test]
    fn a_tail_can_be_given_away_while_reading() {
        let request = Request { range: None, if_range: false, conditional: false };
        let mut attempt = Attempt::new(EffectId(1), 0, request, (0, None), Timestamp(0));
        attempt.begin_body(0, Some(100), None, Timestamp(0));
        attempt.reading.as_mut().unwrap().read_started(EffectId(2), 30, Timestamp(0));
        assert_eq!(attempt.running(100, Timestamp(1)).free_from, 30, "what is being read is not free");
        attempt.shorten(30);
        let body = attempt.reading.as_mut().unwrap();
        assert_eq!(body.ended, None, "its read is still to come");
        body.read_done(30, ReadEnd::More, None, Timestamp(0));
        assert_eq!(body.ended, Some(Ended::Full));
    }

    #[test]
    fn a_hash_that_is_given_up_is_not_gone_on_with_whether_its_bytes_have_begun_to_come_or_not() {
        let request = Request { range: None, if_range: false, conditional: false };
        let hash = || Some(HashState::new(Algorithm::Sha256));
        let mut attempt = Attempt::new(EffectId(1), 0, request, (0, None), Timestamp(0));
        attempt.hash_before = hash();
        attempt.forget_hash();
        assert_eq!(attempt.hash_before, None, "no head has come yet");
        attempt.begin_body(0, Some(100), hash(), Timestamp(0));
        attempt.reading.as_mut().unwrap().read_started(EffectId(2), 30, Timestamp(0));
        attempt.reading.as_mut().unwrap().read_done(30, ReadEnd::More, hash(), Timestamp(0));
        attempt.forget_hash();
        let reading = attempt.reading.as_mut().unwrap();
        assert_eq!((reading.hash.take(), reading.take_ready().unwrap().hash), (None, None));
    }

    #[test]
    fn without_a_length_only_the_end_of_the_body_makes_it_whole() {
        let mut body = reading((0, None), None);
        read(&mut body, 2, 10, ReadEnd::More);
        assert!(!body.is_whole());
        body.take_ready();
        read(&mut body, 3, 0, ReadEnd::Cut { online: true });
        assert!(!body.is_whole());
    }
}
