//! One attempt at a download: from the request to the end of its body. It dies with the worker; what it brought
//! lives on in the task's checkpoint. Knows nothing of other tasks, storage or time.

use super::http::{Asked, AskedRange, Head, Representation, Source, Verdict, if_range, judge};
use super::id::EffectId;
use super::input::ReadEnd;
use super::task::Progress;

/// Bytes that were read and are not durable yet. The driver holds them under the read's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// The read that filled it.
    pub id: EffectId,
    /// The position of its first byte.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
}

/// The request of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The first byte of `Range: bytes=start-`, or no `Range`.
    pub range_start: Option<u64>,
    /// `If-Range`.
    pub if_range: Option<String>,
}

impl Request {
    /// What to ask for, given what is there. The first request asks for `bytes=0-`: its answer tells at once
    /// whether ranges are honoured, how long the file is and which version.
    pub fn next(progress: &Progress) -> Self {
        let start = progress.received.first_gap();
        let condition = progress.representation.as_ref().filter(|_| start > 0);
        Self {
            range_start: (!progress.without_range).then_some(start),
            if_range: condition.and_then(if_range).map(Into::into),
        }
    }
}

/// Where a body's bytes go and how far they have come.
#[derive(Debug)]
pub struct Reading {
    /// What the bytes are of.
    pub representation: Representation,
    /// The position of the next byte to come.
    pub next_offset: u64,
    /// How the body ended, once it has.
    pub ended: Option<Ended>,
    end: Option<u64>,
    read: Option<EffectId>,
    ready: Option<Buffer>,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As HTTP says it should.
    Eof,
    /// The connection was cut.
    Cut {
        /// What `navigator.onLine` said.
        online: bool,
    },
    /// More bytes came than can be right.
    TooLong,
}

impl Reading {
    /// Whether there is room for another buffer: one may be on its way to storage while the next is being filled,
    /// and no more.
    pub fn wants_read(&self) -> bool {
        self.read.is_none() && self.ready.is_none() && self.ended.is_none()
    }

    /// Notes the read that was asked for.
    pub fn read_started(&mut self, read: EffectId) {
        self.read = Some(read);
    }

    /// Takes in what a read brought. Returns its buffer if it is not wanted.
    pub fn read_done(&mut self, len: u64, end: ReadEnd) -> Option<EffectId> {
        let buffer = self.read.take().map(|id| Buffer { id, offset: self.next_offset, len });
        let limit = self.end.or(self.representation.complete_length);
        if limit.is_some_and(|limit| self.next_offset + len > limit) {
            self.ended = Some(Ended::TooLong);
            return buffer.map(|buffer| buffer.id);
        }
        self.next_offset += len;
        self.ended = match end {
            ReadEnd::More => None,
            ReadEnd::Eof => Some(Ended::Eof),
            ReadEnd::Cut { online } => Some(Ended::Cut { online }),
        };
        self.ready = buffer.filter(|buffer| buffer.len > 0);
        None
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
        self.read
    }

    /// Whether the body is over and makes the representation complete.
    pub fn is_complete(&self) -> bool {
        let whole = self.representation.complete_length.is_none_or(|length| length == self.next_offset);
        self.ended == Some(Ended::Eof) && whole
    }
}

/// An attempt.
#[derive(Debug)]
pub struct Download {
    /// The fetch's effect.
    pub attempt: EffectId,
    /// The body, once its head was accepted.
    pub reading: Option<Reading>,
    request: Request,
}

impl Download {
    /// An attempt whose fetch has just been asked for.
    pub fn new(attempt: EffectId, request: Request) -> Self {
        Self { attempt, reading: None, request }
    }

    /// Holds the answer's head against the request and what is kept.
    pub fn judge(&self, progress: &Progress, head: &Head) -> Verdict {
        let asked = Asked {
            range: self.request.range_start.map(|start| AskedRange { start, end: None }),
            if_range: self.request.if_range.is_some(),
            conditional: false,
            kept: progress.representation.as_ref(),
            source: Source::Origin,
        };
        judge(&asked, head)
    }

    /// The head was accepted: the body's bytes begin at `start`.
    pub fn begin_body(&mut self, representation: Representation, start: u64, end: Option<u64>) {
        self.reading = Some(Reading { representation, next_offset: start, ended: None, end, read: None, ready: None });
    }
}

#[cfg(test)]
mod tests {
    use super::super::http::Resumability;
    use super::super::id::BodyId;
    use super::*;

    fn representation(complete_length: Option<u64>) -> Representation {
        Representation {
            complete_length,
            etag: Some("\"a\"".into()),
            resumability: Resumability::Resumable,
            same_origin: true,
            ..Representation::default()
        }
    }

    fn reading(complete_length: Option<u64>, end: Option<u64>) -> Download {
        let mut download = Download::new(EffectId(1), Request { range_start: Some(0), if_range: None });
        download.begin_body(representation(complete_length), 0, end);
        download
    }

    #[test]
    fn asks_for_what_is_missing_and_only_of_the_same_version() {
        let mut progress = Progress::new(BodyId(1));
        assert_eq!(Request::next(&progress), Request { range_start: Some(0), if_range: None });
        progress.received.insert(0..70);
        progress.representation = Some(representation(Some(100)));
        let resume = Request::next(&progress);
        assert_eq!(resume, Request { range_start: Some(70), if_range: Some("\"a\"".into()) });
        progress.representation = Some(Representation { same_origin: false, ..representation(Some(100)) });
        assert_eq!(Request::next(&progress).if_range, None);
        progress.without_range = true;
        assert_eq!(Request::next(&progress).range_start, None);
    }

    #[test]
    fn holds_at_most_one_buffer_beside_the_one_being_stored() {
        let mut download = reading(Some(100), Some(100));
        let body = download.reading.as_mut().unwrap();
        assert!(body.wants_read());
        body.read_started(EffectId(2));
        assert!(!body.wants_read());
        assert_eq!(body.read_done(60, ReadEnd::More), None);
        assert!(!body.wants_read(), "a buffer is ready");
        assert_eq!(body.take_ready(), Some(Buffer { id: EffectId(2), offset: 0, len: 60 }));
        assert!(body.wants_read());
        body.read_started(EffectId(3));
        assert_eq!(body.read_done(40, ReadEnd::Eof), None);
        assert_eq!(body.take_ready(), Some(Buffer { id: EffectId(3), offset: 60, len: 40 }));
        assert!(body.is_complete() && !body.wants_read());
    }

    #[test]
    fn a_body_that_is_too_long_or_too_short_is_never_complete() {
        let mut long = reading(Some(100), Some(100));
        let body = long.reading.as_mut().unwrap();
        body.read_started(EffectId(2));
        assert_eq!(body.read_done(101, ReadEnd::Eof), Some(EffectId(2)), "the buffer is not wanted");
        assert_eq!(body.ended, Some(Ended::TooLong));
        assert!(!body.is_complete());
        let mut short = reading(Some(100), Some(100));
        let body = short.reading.as_mut().unwrap();
        body.read_started(EffectId(2));
        assert_eq!(body.read_done(99, ReadEnd::Eof), None);
        assert!(!body.is_complete());
        let mut beyond_the_range = reading(Some(100), Some(50));
        let body = beyond_the_range.reading.as_mut().unwrap();
        body.read_started(EffectId(2));
        assert_eq!(body.read_done(51, ReadEnd::More), Some(EffectId(2)));
        assert_eq!(body.ended, Some(Ended::TooLong));
    }

    #[test]
    fn without_a_length_only_the_end_of_the_body_completes() {
        let mut download = reading(None, None);
        let body = download.reading.as_mut().unwrap();
        body.read_started(EffectId(2));
        assert_eq!(body.read_done(10, ReadEnd::More), None);
        assert!(!body.is_complete());
        body.take_ready();
        body.read_started(EffectId(3));
        assert_eq!(body.read_done(0, ReadEnd::Cut { online: true }), None);
        assert!(!body.is_complete());
    }
}
