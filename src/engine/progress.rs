//! A task's checkpoint: what every commit of bytes rewrites.

use serde::{Deserialize, Serialize};

use super::http::Representation;
use super::id::BodyId;
use super::range_set::RangeSet;
use super::ranges::Ranges;
use super::request::AnswerInfo;
use super::time::Timestamp;
use super::transport::Transport;
use crate::integrity::{Expected, HashState};

/// A finished file that stays while a newer version is being fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Where its chunks are.
    pub body: BodyId,
    /// What they are chunks of.
    pub representation: Representation,
    /// Its length in bytes.
    pub length: u64,
    /// What its answer said.
    pub answer: Option<AnswerInfo>,
}

/// A task's checkpoint: what is durable of its file, and how the transfer is faring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Where its chunks are.
    pub body: BodyId,
    /// What they are chunks of, once an answer told.
    pub representation: Option<Representation>,
    /// What the first answer said.
    pub answer: Option<AnswerInfo>,
    /// Which bytes are durable.
    pub received: RangeSet,
    /// Which of them have been found to be what their pieces' digests say.
    pub verified: RangeSet,
    /// The hash of the bytes from 0 on, as far as they were hashed.
    pub hash: Option<HashState>,
    /// What the digest must be: the app's word, or the server's.
    pub expected: Option<Expected>,
    /// What is known of the server's ranges.
    pub ranges: Ranges,
    /// Sources that proved to serve something else, as a set of bits.
    pub bad_sources: u32,
    /// Failures in a row, by the network, the server or storage.
    pub failures: u32,
    /// Answers in a row that said that the server is busy.
    pub busy: u32,
    /// How often the transfer went back to byte 0.
    pub restarts: u32,
    /// How often a piece or the whole file had to be fetched again because its digest was wrong.
    pub repairs: u32,
    /// The file that stays until this one is there.
    pub previous: Option<Kept>,
    /// What names the bytes that were given up, so that a repeated call is answered as the first.
    pub resume_data: Option<Vec<u8>>,
    /// How often in a row the component crashed while it was at work on this task.
    pub crashes: u32,
    /// How its bytes are to come, and what of them the browser itself is fetching.
    pub transport: Transport,
    /// Since when the server has been busy.
    pub busy_since: Timestamp,
    /// How often the transfer went back to byte 0 since the app last had it begun.
    pub restarts_in_row: u32,
    /// Which bytes each source has brought, in the order of the sources, so far as their pieces are not verified. Only
    /// where there are pieces, and several sources.
    pub brought: Vec<RangeSet>,
    /// Set while its bytes are those that resume data has brought and no server has agreed with.
    pub adopted: Option<Adopted>,
    /// Whether another URL than the task's own has told what the representation is: a mirror, what resume data names, or the URL
    /// before. What the own one does not tell is not taken from that then.
    pub told_elsewhere: bool,
    /// The bytes of the version before, as they were, until the new one has proved itself: by its digest if it has one,
    /// else by bringing as many.
    pub aside: Option<Box<Self>>,
    /// Whether the complete length is that of an answer of which CORS hides whether it was a part.
    pub length_is_assumed: bool,
}

/// What is known of adopted bytes beside what the checkpoint says: enough to give them back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// See [`super::resume_data::Detached::piece_length`].
    pub piece_length: Option<u64>,
}

impl Progress {
    /// Nothing received yet.
    pub fn new(body: BodyId) -> Self {
        Self {
            body,
            representation: None,
            answer: None,
            received: RangeSet::default(),
            verified: RangeSet::default(),
            hash: None,
            expected: None,
            ranges: Ranges::Open,
            bad_sources: 0,
            failures: 0,
            busy: 0,
            restarts: 0,
            repairs: 0,
            previous: None,
            resume_data: None,
            crashes: 0,
            transport: Transport::Fetch,
            busy_since: Timestamp(0),
            restarts_in_row: 0,
            brought: Vec::new(),
            adopted: None,
            told_elsewhere: false,
            aside: None,
            length_is_assumed: false,
        }
    }

    /// What went wrong before counts no more.
    pub fn begin_to_count(&mut self) {
        (self.failures, self.busy, self.restarts_in_row, self.crashes) = (0, 0, 0, 0);
        if self.ranges == Ranges::Settled {
            self.ranges = Ranges::Open;
        }
    }

    /// The server says that it is busy.
    pub fn note_busy(&mut self, now: Timestamp) {
        // A clock that was put back does not put off the end.
        if self.busy == 0 || self.busy_since > now {
            self.busy_since = now;
        }
        self.busy = self.busy.saturating_add(1);
    }

    /// The complete length, if known.
    pub fn complete_length(&self) -> Option<u64> {
        self.representation.as_ref().and_then(|known| known.complete_length)
    }

    /// Whether nothing is missing of a file whose length is known.
    pub fn has_every_byte(&self) -> bool {
        self.complete_length().is_some_and(|length| self.received.is_exactly(length))
    }

    /// Gives up the newer version: the file that stayed is the task's own again. Returns the body that nobody wants any
    /// more; `None`, and no change, if there was no such file.
    pub fn go_back(&mut self) -> Option<BodyId> {
        let Kept { body, representation, length, answer } = self.previous.take()?;
        let unused = self.body;
        *self = Self { representation: Some(representation), answer, ..Self::new(body) };
        self.received.insert(0..length);
        Some(unused)
    }

    /// Nothing received any more: what a restart leaves.
    pub fn restarted(&self, body: BodyId) -> Self {
        let (previous, aside) = (self.previous.clone(), self.aside.clone());
        self.counted_on(Self { ranges: self.ranges, restarts: self.restarts + 1, previous, aside, ..Self::new(body) })
    }

    /// These bytes, as they are to be set aside; `None` if nothing would be gained by that.
    pub fn to_set_aside(&self) -> Option<Box<Self>> {
        let may_go_on = self.representation.as_ref().is_some_and(Representation::is_resumable);
        let is_free = self.aside.is_none() && self.previous.is_none() && self.adopted.is_none();
        let may_go_on = may_go_on && !self.ranges.go_without();
        (may_go_on && is_free && !self.received.is_empty()).then(|| Box::new(self.clone()))
    }

    /// Takes back what was set aside. Returns the body that nobody wants any more; `None`, and no change, if there is nothing.
    pub fn take_back(&mut self) -> Option<BodyId> {
        let aside = *self.aside.take()?;
        let unused = self.body;
        *self = self.counted_on(Self { restarts: self.restarts, ranges: self.ranges, ..aside });
        Some(unused)
    }

    /// The new version has proved itself: as many bytes are kept of it, or it is complete. Returns the old one's body.
    pub fn prove(&mut self, is_complete: bool) -> Option<BodyId> {
        let has_as_many = |aside: &mut Box<Self>| is_complete || aside.received.len() <= self.received.len();
        self.aside.take_if(has_as_many).map(|aside| aside.body)
    }

    /// How many bytes may be deleted for the sake of those to come.
    pub fn spare_bytes(&self, restarts: bool) -> u64 {
        let aside = self.aside.as_ref().map_or(0, |aside| aside.received.len());
        if restarts { aside + self.received.len() } else { aside }
    }

    /// Goes on with how the transfer is faring.
    fn counted_on(&self, next: Self) -> Self {
        Self {
            bad_sources: self.bad_sources,
            failures: self.failures,
            busy: self.busy,
            busy_since: self.busy_since,
            restarts_in_row: self.restarts_in_row,
            repairs: self.repairs,
            crashes: self.crashes,
            transport: self.transport.with(None),
            ..next
        }
    }
}
