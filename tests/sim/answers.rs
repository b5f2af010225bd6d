//! The right answers, by RFC 9110.

use longhaul::engine::http::Head;
use longhaul::engine::output::FetchRequest;
use longhaul::integrity::Algorithm;

use super::dialects::Dialect;
use super::faults::Fault;
use super::network::{Body, BodyEnd};
use super::origin::{Dates, DigestField, Guard, Reach, Resource, target_parts};
use super::random::Random;
use super::text::{base64, imf_fixdate};
use super::worker::EPOCH_MS;

/// What a request is answered with.
#[derive(Debug)]
pub struct Answer {
    /// The head; `None` if the connection breaks first.
    pub head: Option<Head>,
    /// When it comes; `None` for never.
    pub after_ms: Option<u64>,
    pub body: Body,
    /// What is wrong with it.
    pub fault: Option<Fault>,
    /// How much may still be stored, as the browser says.
    pub free_bytes: Option<u64>,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub request: &'a FetchRequest,
    /// Whether a digest or pieces will prove the bytes.
    pub is_proven: bool,
    /// Whether the app has said of what media type they are.
    pub is_typed: bool,
    /// Whether the app has said how many they are.
    pub is_counted: bool,
}

impl Wanted<'_> {
    /// The first byte of the range that is wanted, if one is.
    pub fn start(&self) -> Option<u64> {
        self.request.range.map(|(start, _)| start)
    }

    /// The pass that it carries.
    fn pass(&self) -> Option<u64> {
        let header = self.request.headers.iter().find(|(name, _)| name == "authorization" || name == "x-api-key");
        let of_header = header.and_then(|(_, value)| value.rsplit(' ').next());
        let of_query = self.request.url.split_once("?signature=").map(|(_, pass)| pass);
        of_header.or(of_query)?.parse().ok()
    }
}

impl Resource {
    /// The answer of a server that does nothing wrong, or meets `fault`.
    pub fn answer(&mut self, random: &mut Random, now: u64, wanted: Wanted<'_>, fault: Option<Fault>) -> Answer {
        self.turn();
        let answer = self.right_answer(random, now, wanted);
        let mut answer = self.in_dialect(random, now, wanted, answer);
        if self.reach != Reach::Open {
            answer.head = None;
            self.met.unreachable = true;
        } else if now < self.busy_until {
            answer = self.without_body(random, now, 503, None);
            if let Some(head) = &mut answer.head {
                head.retry_after = self.come_back(now);
            }
        } else if let Some(fault) = fault {
            self.spoil(random, &mut answer, wanted, fault);
        }
        let is_at_target = target_parts(&wanted.request.url).is_some();
        answer.head.iter_mut().filter(|_| is_at_target).for_each(|head| head.final_url = None);
        self.met.statuses.extend(answer.head.as_ref().map(|head| head.status));
        if let Some(head) = answer.head.as_mut().filter(|_| !self.exposes) {
            // Fetch, "CORS-safelisted response-header name".
            head.content_range = None;
            head.content_encoding = None;
            head.etag = None;
            head.date = None;
            head.retry_after = None;
            head.repr_digest = None;
        }
        answer
    }

    fn right_answer(&self, random: &mut Random, now: u64, wanted: Wanted<'_>) -> Answer {
        let (version, request) = (self.version(), wanted.request);
        // Where it redirects to, the URL is the pass.
        let is_let_in = target_parts(&request.url).is_some();
        if self.guard != Guard::None && !is_let_in && wanted.pass() != Some(self.pass) {
            let mut refusal = self.without_body(random, now, if self.guard == Guard::Token { 401 } else { 403 }, None);
            refusal.head.iter_mut().for_each(|head| head.final_url = None);
            return refusal;
        }
        let same_tag = request.if_none_match.is_some() && request.if_none_match == self.etag();
        let same_date = request.if_none_match.is_none()
            && request.if_modified_since.is_some()
            && request.if_modified_since == version.last_modified;
        if self.honours_conditions && (same_tag || same_date) {
            return self.without_body(random, now, 304, None);
        }
        let condition = request.if_range.as_deref();
        let etag = self.etag();
        let is_ours = |tag: &str| etag.as_deref() == Some(tag) || version.last_modified.as_deref() == Some(tag);
        let matches = condition.is_none_or(is_ours);
        match request.range.filter(|_| self.honours_ranges && (matches || !self.honours_if_range)) {
            Some((start, end)) if start < version.length => {
                let most = self.longest_range.map_or(version.length, |most| version.length.min(start + most));
                let end = end.map_or(most, |end| end.min(most));
                let mut answer = self.part(random, now, start, end, end, version.length);
                if let Some(head) = answer.head.as_mut().filter(|_| self.terse && condition.is_some() && matches) {
                    head.etag = None;
                    head.last_modified = head.last_modified.take().filter(|date| Some(date.as_str()) != condition);
                }
                answer
            }
            // An empty file has no byte to begin at; servers differ.
            Some((0, _)) if random.one_in(2) => self.whole(random, now),
            Some(_) => self.without_body(random, now, 416, Some(version.length)),
            None if version.length == 0 && random.one_in(3) => self.without_body(random, now, 204, None),
            None => self.whole(random, now),
        }
    }

    /// 206 with the bytes from `start` to `end`, of which the head says that they run to `told_end` of `told_length`.
    pub fn part(&self, random: &mut Random, now: u64, start: u64, end: u64, told_end: u64, told_length: u64) -> Answer {
        let total = if self.tells_length { told_length.to_string() } else { "*".into() };
        let head = Head {
            content_range: Some(format!("bytes {start}-{}/{total}", told_end - 1)),
            content_length: self.tells_length.then(|| (told_end - start).to_string()),
            ..self.head(206, now)
        };
        self.with_body(random, now, head, start, end - start)
    }

    /// 200 with all bytes.
    pub fn whole(&self, random: &mut Random, now: u64) -> Answer {
        let length = self.version().length;
        let head = Head { content_length: self.tells_length.then(|| length.to_string()), ..self.head(200, now) };
        self.with_body(random, now, head, 0, length)
    }

    /// A status alone.
    pub fn without_body(&self, random: &mut Random, now: u64, status: u16, told_length: Option<u64>) -> Answer {
        let content_range = told_length.map(|length| format!("bytes */{length}"));
        self.with_body(random, now, Head { content_range, ..self.head(status, now) }, 0, 0)
    }

    fn head(&self, status: u16, now: u64) -> Head {
        let version = self.version();
        let sha_256 = |id| format!("sha-256=:{}:", base64(super::content::digest(Algorithm::Sha256, id, 0..9).bytes()));
        Head {
            status,
            all_headers_readable: self.same_origin,
            date: match self.dates {
                Dates::None | Dates::Undated => None,
                Dates::Fresh => Some(imf_fixdate(version.modified_at + 30)),
                Dates::Rested => Some(imf_fixdate((EPOCH_MS + now) / 1_000)),
            },
            content_type: Some("application/octet-stream".into()),
            content_disposition: Some("attachment; filename=file".into()),
            etag: self.etag(),
            last_modified: version.last_modified.clone(),
            repr_digest: match self.digest_field {
                DigestField::None => None,
                DigestField::Right => {
                    // Every other version is published with another algorithm.
                    let is_odd = (version.id.0 / 2) % 2 == 1;
                    let (name, algorithm) =
                        if is_odd { ("sha-512", Algorithm::Sha512) } else { ("sha-256", Algorithm::Sha256) };
                    Some(format!("{name}=:{}:", base64(version.digest(algorithm).bytes())))
                }
                DigestField::Wrong => Some(sha_256(version.id)),
            },
            final_url: self.target(),
            ..Head::default()
        }
    }

    fn with_body(&self, random: &mut Random, now: u64, head: Head, start: u64, len: u64) -> Answer {
        let after_ms = random.within(0..=self.latency_ms);
        let begins_at = now + after_ms + random.within(0..=self.latency_ms);
        let body = Body {
            version: self.version().id,
            start,
            len,
            garbage: 0,
            damaged: 0..0,
            bytes_per_ms: self.bytes_per_ms,
            begins_at,
            end: BodyEnd::Eof,
            tail_ms: random.pick(&[0, 0, 1, 100]),
            consumed: 0,
        };
        Answer { head: Some(head), after_ms: Some(after_ms), body, fault: None, free_bytes: None }
    }

    /// Whether a reader can tell that the body has another length than the file.
    pub fn is_length_believed(&self, head: &Head, wanted: Wanted<'_>) -> bool {
        wanted.is_counted || self.is_told_length_believed(head, wanted)
    }

    /// The same by the head alone.
    pub fn is_told_length_believed(&self, head: &Head, wanted: Wanted<'_>) -> bool {
        self.tells_length
            && self.dialect != Dialect::Coded
            && match head.status {
                206 => self.exposes,
                200 => self.same_origin || wanted.start().is_some(),
                _ => false,
            }
    }

    /// Whether a `Content-Range` reaches the page's origin.
    pub fn shows_ranges(&self) -> bool {
        self.exposes
    }
}
