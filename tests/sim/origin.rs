//! The servers: a few resources, each with versions over time, and mirrors of them. How they answer is in `answers`,
//! what they do wrong in `faults`.

use std::cell::RefCell;
use std::collections::BTreeMap;

use longhaul::engine::request::Source;
use longhaul::integrity::{Algorithm, Digest};

use super::climate::Climate;
use super::content::{VersionId, digest};
use super::dialects::Dialect;
use super::met::Met;
use super::random::Random;
use super::text::imf_fixdate;

/// Every length is a multiple of this, and no lie about a length is, so that a lie is never true by accident.
const LENGTH_STEP: u64 = 10;
/// The worker's own host.
pub const OWN_HOST: &str = "app.example";
/// Longer files are never hashed: that would take too long.
pub const LONGEST_PROVEN: u64 = 6_000_000;
/// Longer files are not sent in parts of a few kilobytes.
const LONGEST_FRUGAL: u64 = 400_000;
/// When files were changed, in seconds: long before any run.
const MODIFIED_FROM: u64 = 1_690_000_000;

/// The file at one time.
#[derive(Clone, Debug)]
pub struct Version {
    pub id: VersionId,
    pub length: u64,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    /// In seconds.
    pub modified_at: u64,
    digests: RefCell<BTreeMap<Algorithm, Digest>>,
}

impl Version {
    /// What it hashes to.
    pub fn digest(&self, algorithm: Algorithm) -> Digest {
        let mut digests = self.digests.borrow_mut();
        digests.entry(algorithm).or_insert_with(|| digest(algorithm, self.id, 0..self.length)).clone()
    }
}

/// How a resource tells its versions apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tags {
    Strong,
    Weak,
    None,
}

/// What a resource says of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dates {
    None,
    /// `Last-Modified` without `Date`.
    Undated,
    /// Answers that are hardly older than the file.
    Fresh,
    /// Answers long after the file's last change.
    Rested,
}

/// Whether pages may read a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Open,
    /// No CORS headers.
    Blocked,
    /// No such server.
    Dead,
}

/// What a resource wants of whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    None,
    /// A header with the current pass, else 401.
    Token,
    /// A query with the current pass, else 403.
    Signature,
}

/// The digest that a resource sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestField {
    None,
    Right,
    Wrong,
}

/// What a mirror serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is no mirror.
    Primary,
    /// The very same.
    Same,
    /// The same bytes and dates, but tags of its own.
    OtherTags,
    /// Something of another length.
    OtherLength,
    /// Other bytes that look the same. Only a digest can tell.
    OtherContent,
}

/// A file on a server.
#[derive(Debug)]
pub struct Resource {
    pub url: String,
    pub host: String,
    /// Whether it has the worker's own origin.
    pub same_origin: bool,
    /// Whether CORS lets every header be read.
    pub exposes: bool,
    pub reach: Reach,
    pub guard: Guard,
    /// The pass that is good now.
    pub pass: u64,
    pub redirects: bool,
    pub honours_ranges: bool,
    pub honours_if_range: bool,
    pub honours_conditions: bool,
    /// Leaves out of an answer to `If-Range` what the asker has.
    pub terse: bool,
    pub tells_length: bool,
    /// Sends no more than this many bytes for one range.
    pub longest_range: Option<u64>,
    pub tags: Tags,
    pub dates: Dates,
    pub digest_field: DigestField,
    pub versions: Vec<Version>,
    current: usize,
    pub bytes_per_ms: u64,
    pub latency_ms: u64,
    /// The number of the resource that it is, or is a mirror of.
    pub family: usize,
    pub kind: Kind,
    /// What the tasks of this resource have met.
    pub met: Met,
    /// How many nodes it has, each with tags of its own…
    pub nodes: u64,
    /// …and the one that answers.
    pub node: u64,
    /// Until then it serves nothing.
    pub busy_until: u64,
    pub chance: Random,
    /// What it makes of ranges and validators.
    pub dialect: Dialect,
}

/// All resources.
#[derive(Debug, Default)]
pub struct Origin {
    pub resources: Vec<Resource>,
    /// How many of them are no mirrors.
    pub primaries: usize,
    last_version: u64,
}

impl Origin {
    /// Servers as the climate wants them. Bursts want small files.
    pub fn new(random: &mut Random, climate: &Climate) -> Self {
        let mut origin = Self { primaries: climate.resources as usize, ..Self::default() };
        let small = climate.bursts > 0;
        let mut lengths = Vec::new();
        for number in 0..origin.primaries {
            let (resource, longest) = draw_resource(random, climate, number, small);
            lengths.push(random_length(random, longest));
            origin.resources.push(resource);
        }
        for family in 0..origin.primaries {
            for nth in 0..random.below(climate.mirrors + 1) {
                let kinds =
                    [Kind::Same, Kind::Same, Kind::Same, Kind::OtherTags, Kind::OtherLength, Kind::OtherContent];
                let kind = random.pick(&kinds);
                let number = origin.resources.len();
                let (resource, _) = draw_resource(random, climate, number, small);
                let base = &origin.resources[family];
                origin.resources.push(Resource {
                    url: format!("https://{}/mirror{nth}/file{family}", resource.host),
                    reach: if random.one_in(6) { Reach::Dead } else { Reach::Open },
                    guard: Guard::None,
                    tags: base.tags,
                    dates: base.dates,
                    digest_field: DigestField::None,
                    // Forty megabytes in parts of two kilobytes would be all that the run does.
                    longest_range: resource.longest_range.filter(|_| lengths[family] <= LONGEST_FRUGAL),
                    bytes_per_ms: if random.one_in(4) { 1 + base.bytes_per_ms / 10 } else { base.bytes_per_ms },
                    family,
                    kind,
                    ..resource
                });
            }
        }
        for (family, length) in lengths.into_iter().enumerate() {
            origin.publish(random, family, length);
        }
        origin
    }

    /// The resource of a URL.
    pub fn find(&mut self, url: &str) -> &mut Resource {
        let is_here = |resource: &&mut Resource| resource.is_at(url);
        self.resources.iter_mut().find(is_here).expect("tasks have URLs of the servers")
    }

    /// All resources that serve, or say that they serve, what the one with this URL does.
    pub fn family(&self, url: &str) -> impl Iterator<Item = &Resource> {
        let family = self.resources.iter().find(|resource| resource.is_at(url)).map(|resource| resource.family);
        self.resources.iter().filter(move |resource| Some(resource.family) == family)
    }

    /// Another version takes the place of the current one: mostly a new one, sometimes an old one again.
    pub fn change(&mut self, random: &mut Random, family: usize) {
        for resource in self.resources.iter_mut().filter(|resource| resource.family == family) {
            resource.met.changed = true;
        }
        let resource = &mut self.resources[family];
        if random.one_in(4) {
            resource.current = random.below(resource.versions.len() as u64) as usize;
            return;
        }
        let longest = resource.versions.iter().map(|version| version.length).max().unwrap_or(0);
        let same_length = resource.versions[resource.current].length;
        let length = if random.one_in(2) { same_length } else { random_length(random, longest + 100) };
        self.publish(random, family, length);
    }

    fn publish(&mut self, random: &mut Random, family: usize, length: u64) {
        self.last_version += 1;
        let number = self.last_version;
        let has_mirrors = self.resources.iter().filter(|resource| resource.family == family).count() > 1;
        let base = &self.resources[family];
        let etag = match base.tags {
            Tags::Strong => Some(format!("\"{number}\"")),
            // A weak tag may stay the same although bytes have changed.
            Tags::Weak => Some(format!("W/\"{}\"", number / 2)),
            Tags::None => None,
        };
        // Only a strong tag that can be read proves anything; without one the date must not lie.
        let dates_matter = base.tags != Tags::Strong || !base.exposes || has_mirrors;
        let modified_at = match base.versions.first() {
            Some(first) if !dates_matter && number.is_multiple_of(2) => first.modified_at,
            _ => MODIFIED_FROM + number * 100,
        };
        let last_modified = (base.dates != Dates::None).then(|| imf_fixdate(modified_at));
        let id = VersionId(number * 2);
        let version = Version { id, length, etag, last_modified, modified_at, digests: RefCell::default() };
        for resource in self.resources.iter_mut().filter(|resource| resource.family == family) {
            // A mirror may lag behind.
            let is_late = resource.kind != Kind::Primary && !resource.versions.is_empty() && random.one_in(3);
            if is_late {
                continue;
            }
            let version = match resource.kind {
                Kind::Primary | Kind::Same => version.clone(),
                Kind::OtherTags => Version { etag: Some(format!("\"mirror {number}\"")), ..version.clone() },
                Kind::OtherLength => {
                    let etag = Some(format!("\"mirror {number}\""));
                    Version { id: VersionId(id.0 + 1), length: length + LENGTH_STEP, etag, ..version.clone() }
                }
                Kind::OtherContent => Version { id: VersionId(id.0 + 1), ..version.clone() },
            };
            resource.versions.push(Version { digests: RefCell::default(), ..version });
            resource.current = resource.versions.len() - 1;
        }
    }
}

fn draw_resource(random: &mut Random, climate: &Climate, number: usize, small: bool) -> (Resource, u64) {
    let host = random.pick(&[OWN_HOST, "a.example", "b.example:8443"]).to_owned();
    let same_origin = host == OWN_HOST;
    let exposes = same_origin || random.one_in(2);
    let size = if small { 0 } else { random.below(6) };
    let (longest, bytes_per_ms) = match size {
        0..3 => {
            let speed = if random.one_in(4) { 1 } else { random.within(1..=40) };
            (random.pick(&[100, 20_000, 400_000]), speed)
        }
        3 => (LONGEST_PROVEN, random.within(100..=3_000)),
        _ => (40_000_000, random.within(500..=40_000)),
    };
    let is_slow = size < 3;
    let reach = random.below(30);
    let guard = random.below(12);
    let digest_field = random.below(12);
    let resource = Resource {
        url: format!("https://{host}/file{number}"),
        host,
        same_origin,
        exposes,
        reach: match reach {
            0 if !same_origin && climate.allows("cors") => Reach::Blocked,
            1 if climate.allows("dead") => Reach::Dead,
            _ => Reach::Open,
        },
        guard: match guard {
            0 | 1 if climate.allows("guards") => Guard::Token,
            2 | 3 if climate.allows("guards") => Guard::Signature,
            _ => Guard::None,
        },
        pass: 1,
        redirects: random.one_in(6),
        honours_ranges: !random.one_in(8),
        honours_if_range: !random.one_in(4),
        honours_conditions: !random.one_in(4),
        terse: random.one_in(4),
        tells_length: !random.one_in(6),
        // Where CORS hides what a range is of, a server must not be frugal: no reader could know.
        longest_range: (exposes && is_slow && random.one_in(6)).then(|| random.within(1_000..=9_000)),
        tags: random.pick(&[Tags::Strong, Tags::Strong, Tags::Weak, Tags::None]),
        dates: random.pick(&[Dates::None, Dates::Undated, Dates::Undated, Dates::Fresh, Dates::Rested, Dates::Rested]),
        digest_field: match digest_field {
            0 | 1 if size < 4 && climate.allows("digest-field") => DigestField::Right,
            2 if size < 4 && climate.allows("digest-field") => DigestField::Wrong,
            _ => DigestField::None,
        },
        versions: Vec::new(),
        current: 0,
        bytes_per_ms,
        latency_ms: random.pick(&[1, 20, 300]),
        family: number,
        kind: Kind::Primary,
        met: Met::default(),
        nodes: 1,
        node: 0,
        busy_until: 0,
        chance: Random::new(0),
        dialect: Dialect::Usual,
    };
    (resource, if small { 3_000 } else { longest })
}

/// A resource's name in the URLs to which it redirects.
fn place_of(url: &str) -> String {
    url.trim_start_matches("https://").replace(['/', ':'], "~")
}

/// Of a URL to which a resource has redirected: the resource's name, and the version that it is for.
pub fn target_parts(url: &str) -> Option<(&str, u64)> {
    let (place, version) = url.split_once("/at/")?.1.split_once('/')?;
    Some((place, version.split('?').next()?.parse().ok()?))
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
    /// Whether this is its URL.
    pub fn serves(&self, url: &str) -> bool {
        url.split('?').next() == Some(&self.url)
    }

    /// The version that requests are answered with now.
    pub fn version(&self) -> &Version {
        &self.versions[self.current]
    }

    /// It as a task names it, with a pass if it wants a signature.
    pub fn source(&self, pass: u64) -> Source {
        let query = if self.guard == Guard::Signature { format!("?signature={pass}") } else { String::new() };
        Source { url: format!("{}{query}", self.url), host: self.host.clone(), origin: self.origin() }
    }

    /// The name of the header that it wants a pass in.
    pub fn key_name(&self) -> &'static str {
        if self.family.is_multiple_of(2) { "x-api-key" } else { "authorization" }
    }

    /// Where it redirects to, if it does: another origin, or another place of the worker's own.
    pub fn target(&self) -> Option<String> {
        let host = if self.same_origin && self.version().length.is_multiple_of(3) { OWN_HOST } else { "cdn.example" };
        let (place, version) = (place_of(&self.url), self.version().id.0);
        self.redirects.then(|| format!("https://{host}/at/{place}/{version}?key=hidden"))
    }

    /// Whether this URL is its own, or one to which it redirects.
    pub fn is_at(&self, url: &str) -> bool {
        let path = url.split('?').next().unwrap_or_default();
        self.url == path || target_parts(url).is_some_and(|(place, _)| place == place_of(&self.url))
    }

    /// Its origin.
    pub fn origin(&self) -> String {
        format!("https://{}", self.host)
    }
}
