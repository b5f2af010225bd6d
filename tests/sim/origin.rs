//! The server: a few resources, each with versions over time, and the right answers by RFC 9110. What it does wrong
//! is in `faults`. Bodies are symbolic: a byte is known by its version and its offset.

use longhaul::engine::http::Head;

use super::faults::{Fault, Met};
use super::network::{Body, BodyEnd};
use super::random::Random;

/// Names one version of one resource; no two versions of a run share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionId(pub u64);

/// Bytes that belong to no version: an error page, or what comes behind the end.
pub const NO_VERSION: VersionId = VersionId(0);

/// Every length is a multiple of this, and no lie about a length is, so that a lie is never true by accident.
const LENGTH_STEP: u64 = 10;

/// The file at one time.
#[derive(Clone, Debug)]
pub struct Version {
    pub id: VersionId,
    pub length: u64,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

/// How a resource tells its versions apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tags {
    Strong,
    Weak,
    None,
}

/// A file on the server.
#[derive(Debug)]
pub struct Resource {
    pub url: String,
    pub host: String,
    /// Whether it has the worker's own origin.
    pub same_origin: bool,
    /// Whether CORS lets every header be read.
    exposes: bool,
    honours_ranges: bool,
    honours_if_range: bool,
    /// Sends no tag with an answer to `If-Range`.
    terse: bool,
    tells_length: bool,
    /// Sends no more than this many bytes for one range.
    longest_range: Option<u64>,
    tags: Tags,
    dates: bool,
    pub versions: Vec<Version>,
    current: usize,
    bytes_per_ms: u64,
    latency_ms: u64,
    /// What the tasks of this resource have met.
    pub met: Met,
}

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
}

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub start: Option<u64>,
    pub if_range: Option<&'a str>,
}

/// All resources.
#[derive(Debug, Default)]
pub struct Origin {
    pub resources: Vec<Resource>,
    last_version: u64,
}

impl Origin {
    /// A server with `count` files. Bursts want small ones.
    pub fn new(random: &mut Random, count: u64, small: bool) -> Self {
        let mut origin = Self::default();
        for number in 0..count {
            let host = format!("host{}.example", random.below(3));
            let slow = random.one_in(2) || small;
            let same_origin = random.one_in(2);
            let exposes = same_origin || random.one_in(2);
            let resource = Resource {
                url: format!("https://{host}/file{number}"),
                host,
                same_origin,
                exposes,
                honours_ranges: !random.one_in(8),
                honours_if_range: !random.one_in(4),
                terse: random.one_in(4),
                tells_length: !random.one_in(6),
                // Where CORS hides what a range is of, a server must not be frugal: no reader could know.
                longest_range: (exposes && slow && random.one_in(6)).then(|| random.within(1_000..=9_000)),
                tags: random.pick(&[Tags::Strong, Tags::Strong, Tags::Weak, Tags::None]),
                dates: !random.one_in(3),
                versions: Vec::new(),
                current: 0,
                // The slowest drip: a hundred commits for a small file.
                bytes_per_ms: match slow {
                    true if random.one_in(4) => 1,
                    true => random.within(1..=40),
                    false => random.within(500..=40_000),
                },
                latency_ms: random.pick(&[1, 20, 300]),
                met: Met::default(),
            };
            let longest = if slow { random.pick(&[100, 20_000, 400_000]) } else { 40_000_000 };
            let length = random_length(random, if small { 3_000 } else { longest });
            origin.resources.push(resource);
            origin.publish(number as usize, length);
        }
        origin
    }

    /// The resource of a URL.
    pub fn find(&mut self, url: &str) -> &mut Resource {
        self.resources.iter_mut().find(|resource| resource.url == url).expect("tasks have URLs of the server")
    }

    /// Another version takes the place of the current one: mostly a new one, sometimes an old one again.
    pub fn change(&mut self, random: &mut Random, number: usize) {
        let resource = &mut self.resources[number];
        resource.met.changed = true;
        if random.one_in(4) {
            resource.current = random.below(resource.versions.len() as u64) as usize;
            return;
        }
        let longest = resource.versions.iter().map(|version| version.length).max().unwrap_or(0);
        let same_length = resource.versions[resource.current].length;
        let length = if random.one_in(2) { same_length } else { random_length(random, longest + 100) };
        self.publish(number, length);
    }

    fn publish(&mut self, number: usize, length: u64) {
        self.last_version += 1;
        let id = VersionId(self.last_version);
        let resource = &mut self.resources[number];
        let etag = match resource.tags {
            Tags::Strong => Some(format!("\"{}\"", id.0)),
            // A weak tag may stay the same although bytes have changed.
            Tags::Weak => Some(format!("W/\"{}\"", id.0 / 2)),
            Tags::None => None,
        };
        // Only a strong tag that can be read proves anything; without one the date must not lie.
        let dates_matter = resource.tags != Tags::Strong || !resource.exposes;
        let last_modified = resource.dates.then(|| match resource.versions.first() {
            Some(first) if !dates_matter && id.0.is_multiple_of(2) => first.last_modified.clone().unwrap_or_default(),
            _ => format!("date {}", id.0),
        });
        resource.versions.push(Version { id, length, etag, last_modified });
        resource.current = resource.versions.len() - 1;
    }
}

fn random_length(random: &mut Random, longest: u64) -> u64 {
    match random.below(12) {
        0 => 0,
        1 => LENGTH_STEP,
        2 if longest > 8 << 20 => 5 * (8 << 20),
        _ => random.within(0..=longest) / LENGTH_STEP * LENGTH_STEP,
    }
}

impl Resource {
    /// The version that requests are answered with now.
    pub fn version(&self) -> &Version {
        &self.versions[self.current]
    }

    /// The answer of a server that does nothing wrong, or meets `fault`.
    pub fn answer(&mut self, random: &mut Random, now: u64, wanted: Wanted<'_>, fault: Option<Fault>) -> Answer {
        let mut answer = self.right_answer(random, now, wanted);
        if let Some(fault) = fault {
            self.spoil(random, &mut answer, wanted, fault);
        }
        if let Some(head) = answer.head.as_mut().filter(|_| !self.exposes) {
            // Fetch, "CORS-safelisted response-header name".
            head.content_range = None;
            head.content_encoding = None;
            head.etag = None;
            head.retry_after = None;
        }
        answer
    }

    fn right_answer(&self, random: &mut Random, now: u64, wanted: Wanted<'_>) -> Answer {
        let version = self.version();
        let matches = wanted.if_range.is_none_or(|tag| version.etag.as_deref() == Some(tag));
        match wanted.start.filter(|_| self.honours_ranges && (matches || !self.honours_if_range)) {
            Some(start) if start < version.length => {
                let end = self.longest_range.map_or(version.length, |most| version.length.min(start + most));
                let mut answer = self.part(random, now, start, end, end, version.length);
                if let Some(head) = answer.head.as_mut().filter(|_| self.terse && wanted.if_range.is_some() && matches)
                {
                    head.etag = None;
                }
                answer
            }
            // An empty file has no byte to begin at; servers differ.
            Some(0) if random.one_in(2) => self.whole(random, now),
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
            ..self.head(206)
        };
        self.with_body(random, now, head, start, end - start)
    }

    /// 200 with all bytes.
    pub fn whole(&self, random: &mut Random, now: u64) -> Answer {
        let length = self.version().length;
        let head = Head { content_length: self.tells_length.then(|| length.to_string()), ..self.head(200) };
        self.with_body(random, now, head, 0, length)
    }

    /// A status alone.
    pub fn without_body(&self, random: &mut Random, now: u64, status: u16, told_length: Option<u64>) -> Answer {
        let content_range = told_length.map(|length| format!("bytes */{length}"));
        self.with_body(random, now, Head { content_range, ..self.head(status) }, 0, 0)
    }

    fn head(&self, status: u16) -> Head {
        let version = self.version();
        Head {
            status,
            all_headers_readable: self.same_origin,
            content_type: Some("application/octet-stream".into()),
            etag: version.etag.clone(),
            last_modified: version.last_modified.clone(),
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
            bytes_per_ms: self.bytes_per_ms,
            begins_at,
            end: BodyEnd::Eof,
            tail_ms: random.pick(&[0, 0, 1, 100]),
            consumed: 0,
        };
        Answer { head: Some(head), after_ms: Some(after_ms), body, fault: None }
    }

    /// Whether the head's length of the body is one that a reader can hold the server to.
    pub fn is_length_believed(&self, head: &Head, wanted: Wanted<'_>) -> bool {
        self.tells_length
            && match head.status {
                206 => self.exposes,
                200 => self.same_origin || wanted.start.is_some(),
                _ => false,
            }
    }

    /// Whether a `Content-Range` reaches the page's origin.
    pub fn shows_ranges(&self) -> bool {
        self.exposes
    }
}
