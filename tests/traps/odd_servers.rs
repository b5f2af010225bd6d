//! Odd servers, by name. Each is a function of the request and of how many came before it.

use std::sync::LazyLock;

use longhaul::engine::output::FetchRequest;

use super::odd_bodies::{cuts, lies, networks, pages, parts, redirects};
use super::world::{File, Reply};

/// The file's length: enough for four segments.
pub const LEN: usize = 6 * MIB;
pub const MIB: usize = 1 << 20;
const MONDAY: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

/// The file that most of them serve.
pub static FILE: LazyLock<File> = LazyLock::new(|| File { last_modified: Some(MONDAY), ..File::new(0, LEN) });

/// What one of them may do beyond the rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Allowed {
    Nothing,
    /// Each version lasts for several requests, each of which keeps bytes until the file is really replaced: nothing could
    /// know that before. Restarts are told, ten at the most, and their pauses grow.
    LosesWhatWasKept,
    /// A connection that breaks now and then, and a file that nothing can continue: the app would rather have it than an
    /// error. It is told each time that the file is sent once more, ten times at the most.
    SendsAgain,
}

/// A server, and what it is called.
pub struct OddServer {
    pub name: String,
    pub serve: Box<dyn Fn(&FetchRequest, usize) -> Reply>,
    pub allowed: Allowed,
}

impl OddServer {
    pub fn allowing(self, allowed: Allowed) -> Self {
        Self { allowed, ..self }
    }
}

/// The table.
pub fn all() -> Vec<OddServer> {
    let mut all = without_mixtures();
    all.extend([1, 7, 11, 29].map(mixture));
    all
}

fn without_mixtures() -> Vec<OddServer> {
    let families = [versions, refusals, busy, codings, parts, cuts, pages, redirects, lies, networks];
    families.into_iter().flat_map(|family| family()).collect()
}

/// Each request meets another oddity.
fn mixture(step: usize) -> OddServer {
    let others = without_mixtures();
    odd(format!("another oddity each time, {step} apart"), move |request, number| {
        (others[number * step % others.len()].serve)(request, number)
    })
}

pub fn odd(name: impl Into<String>, serve: impl Fn(&FetchRequest, usize) -> Reply + 'static) -> OddServer {
    OddServer { name: name.into(), serve: Box::new(serve), allowed: Allowed::Nothing }
}

pub fn honest(request: &FetchRequest) -> Reply {
    FILE.answer(request)
}

/// As from a server that knows no ranges.
pub fn whole(request: &FetchRequest) -> Reply {
    honest(&FetchRequest { range: None, if_range: None, ..request.clone() })
}

/// As from one that has no validators.
pub fn nameless(reply: Reply) -> Reply {
    reply.with(|head| (head.etag, head.last_modified) = (None, None))
}

pub fn start_of(request: &FetchRequest) -> usize {
    request.range.map_or(0, |(start, _)| start as usize)
}

pub fn end_of(request: &FetchRequest) -> usize {
    request.range.and_then(|(_, end)| end).map_or(LEN, |end| LEN.min(end as usize))
}

/// The bytes from `start` to `end`, as a part of a file of `total` bytes.
pub fn part(start: usize, end: usize, total: impl std::fmt::Display) -> Reply {
    let reply = Reply { body: FILE.bytes[start..end].to_vec(), ..whole(&FetchRequest::default()) };
    reply.with(|head| {
        head.status = 206;
        head.content_range = Some(format!("bytes {start}-{}/{total}", end.max(1) - 1));
        head.content_length = Some((end - start).to_string());
    })
}

/// At most so many bytes of what was asked for.
pub fn short(request: &FetchRequest, length: usize, total: impl std::fmt::Display) -> Reply {
    let start = start_of(request);
    part(start, end_of(request).min(start + length), total)
}

/// The server sends `first` once, as an honest one that breaks off after 1 MiB, and then something else.
pub fn then(name: &str, other: impl Fn(&FetchRequest) -> Reply + 'static) -> OddServer {
    odd(format!("{name} once 1 MiB has come"), move |request, number| match number {
        0 => honest(request).cut_after(MIB),
        _ => other(request),
    })
}

/// The same each second time.
pub fn in_turn(name: &str, other: impl Fn(&FetchRequest) -> Reply + 'static) -> OddServer {
    odd(format!("{name} each second time"), move |request, number| match number % 2 {
        0 => honest(request).cut_after(MIB),
        _ => other(request),
    })
}

/// The same for each range but that from the first byte.
pub fn inside(name: &str, other: impl Fn(&FetchRequest) -> Reply + 'static) -> OddServer {
    odd(format!("{name} to each range inside"), move |request, _| match start_of(request) {
        0 => honest(request).cut_after(MIB),
        _ => other(request),
    })
}

/// What names a version, and whether versions have the same bytes.
#[derive(Clone, Copy)]
pub enum Named {
    Tag { is_same: bool },
    WeakTag,
    Date,
}

/// The version `number`. If `If-Range` names another, all of it comes.
pub fn version(request: &FetchRequest, number: usize, named: Named) -> Reply {
    let name = match named {
        Named::Tag { .. } => format!("\"n{number}\""),
        Named::WeakTag => format!("W/\"n{number}\""),
        Named::Date => format!("Mon, 07 Nov 1994 {:02}:{:02}:37 GMT", number / 60 % 24, number % 60),
    };
    let range = request.range.filter(|_| request.if_range.as_ref().is_none_or(|of| *of == name));
    let mut reply = honest(&FetchRequest { range, if_range: None, ..request.clone() });
    if !matches!(named, Named::Tag { is_same: true }) {
        reply.body.iter_mut().step_by(MIB / 4).for_each(|byte| *byte = number as u8);
    }
    reply.with(|head| match named {
        Named::Date => (head.etag, head.last_modified) = (None, Some(name)),
        _ => head.etag = Some(name),
    })
}

/// One that ignores `If-Range`.
fn unconditional(request: &FetchRequest) -> FetchRequest {
    FetchRequest { if_range: None, ..request.clone() }
}

fn versions() -> Vec<OddServer> {
    const SAME: Named = Named::Tag { is_same: true };
    const OTHER: Named = Named::Tag { is_same: false };
    let mut all = Vec::new();
    for (name, named) in
        [("tag, same bytes", SAME), ("tag, other bytes", OTHER), ("weak tag", Named::WeakTag), ("date", Named::Date)]
    {
        all.push(odd(format!("two nodes by {name}, cut"), move |request, number| {
            version(request, number % 2, named).cut_after(MIB)
        }));
        all.push(odd(format!("another version each time by {name}, cut"), move |request, number| {
            version(request, number, named).cut_after(MIB)
        }));
    }
    all.push(odd("two nodes", |request, number| version(request, number % 2, OTHER)));
    all.push(odd("another version each time", |request, number| version(request, number, OTHER)));
    all.push(odd("another version each time, cut after 20 kB", |request, number| {
        version(request, number, OTHER).cut_after(20_000)
    }));
    for times in [5, 12] {
        let replaced = odd(format!("another version each {times} requests, cut"), move |request, number| {
            version(request, number / times, OTHER).cut_after(100_000)
        });
        all.push(replaced.allowing(Allowed::LosesWhatWasKept));
    }
    all.push(odd("another version each time, If-Range ignored, cut", |request, number| {
        version(&unconditional(request), number, OTHER).cut_after(MIB)
    }));
    all.push(odd("another length each time, cut", |request, number| {
        part(start_of(request), LEN, LEN + number).cut_after(MIB)
    }));
    all.push(in_turn("no validators", |request| nameless(honest(request)).cut_after(MIB)));
    for (name, etag, date) in [
        ("an empty tag", Some("\"\""), None),
        ("the tag 0", Some("\"0\""), None),
        ("1970", None, Some("Thu, 01 Jan 1970 00:00:00 GMT")),
    ] {
        all.push(odd(format!("{name} for each version, cut"), move |request, number| {
            version(&unconditional(request), number, OTHER)
                .cut_after(MIB)
                .with(|head| (head.etag, head.last_modified) = (etag.map(Into::into), date.map(Into::into)))
        }));
    }
    all
}

fn refusals() -> Vec<OddServer> {
    let mut all = Vec::new();
    for status in [400, 403, 404, 405, 406, 412, 416, 500, 501, 503] {
        all.push(odd(format!("{status} to a range, 200 without"), move |request, _| match request.range {
            Some(_) => Reply::status(status),
            None => whole(request),
        }));
    }
    for status in [403, 416, 503] {
        all.push(odd(format!("{status} to a range, 200 without that is cut"), move |request, _| match request.range {
            Some(_) => Reply::status(status),
            None => whole(request).cut_after(5 * MIB),
        }));
    }
    for status in [304, 403, 416, 503] {
        let name = status.to_string();
        all.push(odd(format!("{name} to everything"), move |_, _| Reply::status(status)));
        all.push(in_turn(&name, move |_| Reply::status(status)));
        all.push(then(&name, move |_| Reply::status(status)));
    }
    for told in [0, LEN, LEN + 1] {
        let refuse =
            move || Reply::status(416).with(|head| head.content_range = Some(["bytes */", &told.to_string()].concat()));
        all.push(odd(format!("416 of {told} to everything"), move |_, _| refuse()));
        all.push(then(&format!("416 of {told}"), move |_| refuse()));
    }
    all
}

fn busy() -> Vec<OddServer> {
    let mut all = Vec::new();
    for (name, after) in [("0", "0"), ("a past date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("huge", "999999999999")] {
        let busy = move || Reply::status(429).with(|head| head.retry_after = Some(after.into()));
        all.push(odd(format!("429, Retry-After {name}"), move |_, _| busy()));
        all.push(in_turn(&format!("429, Retry-After {name}"), move |_| busy()));
    }
    all.push(odd("429 to each range inside", |request, _| match start_of(request) {
        0 => honest(request),
        _ => Reply::status(429),
    }));
    all
}

fn gzipped(reply: Reply) -> Reply {
    reply.with(|head| {
        head.content_encoding = Some("gzip".into());
        head.content_length = Some((LEN / 5).to_string());
    })
}

fn codings() -> Vec<OddServer> {
    let mut all = vec![
        odd("gzip whatever is asked", |request, _| gzipped(whole(request))),
        odd("gzip in ranges", |request, _| gzipped(honest(request))),
        in_turn("gzip", |request| gzipped(whole(request))),
    ];
    for bytes in [5 * MIB, LEN] {
        // Chromium.
        all.push(odd(format!("gzip of {bytes} bytes, a range is a network error"), move |request, _| {
            match request.range {
                Some(_) => Reply::unreachable(true),
                None if bytes == LEN => gzipped(whole(request)),
                None => gzipped(whole(request)).cut_after(bytes),
            }
        }));
    }
    all
}
