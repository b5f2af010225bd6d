//! What servers make of ranges and validators that is not in the books.

use super::answers::{Answer, Wanted};
use super::climate::Climate;
use super::origin::{Origin, Resource, Tags, target_parts};
use super::random::Random;

/// A server that gives parts only gives no shorter ones.
const LEAST_PART: u64 = 20_000;

/// The way of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// None of these.
    Usual,
    /// It refuses what has `Range`, with this status.
    RefusesRange(u16),
    /// It is busy for what has `Range`.
    BusyForRange,
    /// It sends its file in a content coding, which the browser does not hand out to a request with `Range`.
    Coded,
    /// It gives parts only, without a strong validator, and refuses what has no `Range`.
    PartsOnly,
    /// The same tag and date for every version.
    Constant,
}

impl Origin {
    /// Gives some servers a way of their own.
    pub fn speak(&mut self, mut random: Random, climate: &Climate) {
        for resource in &mut self.resources {
            let status = random.pick(&[400, 403, 404, 405, 406, 412, 501]);
            let dialects = [
                Dialect::RefusesRange(status),
                Dialect::BusyForRange,
                Dialect::Coded,
                Dialect::Constant,
                Dialect::PartsOnly,
                Dialect::Usual,
            ];
            let dialect = random.pick(&dialects);
            // Without a tag nothing would tell the parts of two versions of one length apart: what the app accepts, is told. Where
            // the page cannot read what a part is a part of, only a digest makes a file of them.
            let is_told = resource.tags != Tags::None || !resource.exposes;
            let has_parts = resource.honours_ranges && resource.tells_length && is_told;
            let dialect = if dialect == Dialect::PartsOnly && !has_parts { Dialect::Usual } else { dialect };
            if climate.dialects > 0 && random.one_in(2) {
                resource.dialect = dialect;
            }
        }
        let mut frugal = Random::new(random.next());
        for resource in self.resources.iter_mut().filter(|resource| !resource.exposes) {
            if climate.dialects > 0 && frugal.one_in(4) {
                resource.longest_range = Some(frugal.within(2..=LEAST_PART));
            }
        }
    }
}

impl Resource {
    /// Whether its parts look like whole files, since CORS hides what they are parts of.
    pub fn hides_that_there_is_more(&self) -> bool {
        !self.exposes && (self.longest_range.is_some() || self.dialect == Dialect::PartsOnly)
    }

    /// Whether a request with `Range` is of no use there.
    pub fn spurns_ranges(&self) -> bool {
        matches!(self.dialect, Dialect::RefusesRange(_) | Dialect::BusyForRange | Dialect::Coded)
    }

    /// Turns a right answer into the server's own.
    pub(super) fn in_dialect(&mut self, random: &mut Random, now: u64, wanted: Wanted<'_>, answer: Answer) -> Answer {
        let is_gone = target_parts(&wanted.request.url).is_some_and(|(_, version)| version != self.version().id.0);
        let has_range = wanted.start().is_some();
        let is_file = answer.head.as_ref().is_some_and(|head| matches!(head.status, 200 | 206));
        let mut answer = match self.dialect {
            _ if is_gone => self.without_body(random, now, 404, None),
            Dialect::RefusesRange(status) if has_range => self.without_body(random, now, status, None),
            Dialect::BusyForRange if has_range => self.without_body(random, now, 503, None),
            Dialect::Coded if has_range => {
                self.met.unreachable = true;
                Answer { head: None, ..answer }
            }
            Dialect::PartsOnly if !has_range => self.without_body(random, now, 400, None),
            Dialect::PartsOnly if is_file => self.longest_part(random, now, wanted),
            _ => answer,
        };
        let Some(head) = answer.head.as_mut() else { return answer };
        if self.dialect == Dialect::Coded && is_file {
            head.content_encoding = Some("gzip".into());
            head.content_length = head.content_length.as_ref().map(|_| "77".into());
            head.repr_digest = None;
        }
        if self.dialect == Dialect::Constant {
            head.etag = head.etag.as_ref().map(|_| "\"0\"".into());
            head.last_modified = head.last_modified.as_ref().map(|_| "Tue, 01 Jan 1980 00:00:00 GMT".into());
        }
        answer
    }

    /// As much of what is wanted as it gives at a time.
    fn longest_part(&self, random: &mut Random, now: u64, wanted: Wanted<'_>) -> Answer {
        let length = self.version().length;
        let (start, end) = wanted.request.range.unwrap_or_default();
        if start >= length {
            return self.without_body(random, now, 416, Some(length));
        }
        let most = length.min(start + (length / 4).max(LEAST_PART));
        let end = end.map_or(most, |end| end.min(most));
        let mut answer = self.part(random, now, start, end, end, length);
        if let Some(head) = &mut answer.head {
            head.etag = head.etag.take().map(|tag| if tag.starts_with("W/") { tag } else { ["W/", &tag].concat() });
            head.last_modified = None;
        }
        answer
    }
}
