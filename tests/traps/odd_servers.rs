//! Odd servers, by name. Each is a function of the request and of how many came before it.

use std::sync::LazyLock;

use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::http::Head;
use longhaul::engine::input::{FetchFailure, ReadEnd};
use longhaul::engine::output::FetchRequest;

use super::world::{File, HOME, Reply};

/// The file's length: enough for four segments.
pub const LEN: usize = 6 * MIB;
const MIB: usize = 1 << 20;
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
    fn allowing(self, allowed: Allowed) -> Self {
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

fn odd(name: impl Into<String>, serve: impl Fn(&FetchRequest, usize) -> Reply + 'static) -> OddServer {
    OddServer { name: name.into(), serve: Box::new(serve), allowed: Allowed::Nothing }
}

fn honest(request: &FetchRequest) -> Reply {
    FILE.answer(request)
}

/// As from a server that knows no ranges.
fn whole(request: &FetchRequest) -> Reply {
    honest(&FetchRequest { range: None, if_range: None, ..request.clone() })
}

/// As from one that has no validators.
fn nameless(reply: Reply) -> Reply {
    reply.with(|head| (head.etag, head.last_modified) = (None, None))
}

fn start_of(request: &FetchRequest) -> usize {
    request.range.map_or(0, |(start, _)| start as usize)
}

fn end_of(request: &FetchRequest) -> usize {
    request.range.and_then(|(_, end)| end).map_or(LEN, |end| end as usize)
}

/// The bytes from `start` to `end`, as a part of a file of `total` bytes.
fn part(start: usize, end: usize, total: impl std::fmt::Display) -> Reply {
    let reply = Reply { body: FILE.bytes[start..end].to_vec(), ..whole(&FetchRequest::default()) };
    reply.with(|head| {
        head.status = 206;
        head.content_range = Some(format!("bytes {start}-{}/{total}", end.max(1) - 1));
        head.content_length = Some((end - start).to_string());
    })
}

/// At most so many bytes of what was asked for.
fn short(request: &FetchRequest, length: usize, total: impl std::fmt::Display) -> Reply {
    let start = start_of(request);
    part(start, end_of(request).min(start + length), total)
}

/// The server sends `first` once, as an honest one that breaks off after 1 MiB, and then something else.
fn then(name: &str, other: impl Fn(&FetchRequest) -> Reply + 'static) -> OddServer {
    odd(format!("{name} once 1 MiB has come"), move |request, number| match number {
        0 => honest(request).cut_after(MIB),
        _ => other(request),
    })
}

/// The same each second time.
fn in_turn(name: &str, other: impl Fn(&FetchRequest) -> Reply + 'static) -> OddServer {
    odd(format!("{name} each second time"), move |request, number| match number % 2 {
        0 => honest(request).cut_after(MIB),
        _ => other(request),
    })
}

/// The same for each range but that from the first byte.
fn inside(name: &str, other: impl Fn(&FetchRequest) -> Reply + 'static) -> OddServer {
    odd(format!("{name} to each range inside"), move |request, _| match start_of(request) {
        0 => honest(request).cut_after(MIB),
        _ => other(request),
    })
}

/// What names a version, and whether versions have the same bytes.
#[derive(Clone, Copy)]
enum Named {
    Tag { is_same: bool },
    WeakTag,
    Date,
}

/// The version `number`. If `If-Range` names another, all of it comes.
fn version(request: &FetchRequest, number: usize, named: Named) -> Reply {
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
        all.push(odd(format!("two nodes by {name}"), move |request, number| version(request, number % 2, named)));
        all.push(odd(format!("two nodes by {name}, cut"), move |request, number| {
            version(request, number % 2, named).cut_after(MIB)
        }));
        all.push(odd(format!("another version each time by {name}"), move |request, number| {
            version(request, number, named)
        }));
        all.push(odd(format!("another version each time by {name}, cut"), move |request, number| {
            version(request, number, named).cut_after(MIB)
        }));
    }
    for bytes in [600, 20_000] {
        all.push(odd(format!("another version each time, cut after {bytes}"), move |request, number| {
            version(request, number, OTHER).cut_after(bytes)
        }));
    }
    for times in [2, 5, 12] {
        let replaced = odd(format!("another version each {times} requests, cut"), move |request, number| {
            version(request, number / times, OTHER).cut_after(100_000)
        });
        all.push(replaced.allowing(if times > 2 { Allowed::LosesWhatWasKept } else { Allowed::Nothing }));
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
    for status in [304, 401, 403, 404, 416, 503] {
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

fn parts() -> Vec<OddServer> {
    let mut all = Vec::new();
    for length in [MIB, 20_000, 5_000, 1] {
        all.push(odd(format!("parts of {length}"), move |request, _| short(request, length, LEN)));
        all.push(odd(format!("parts of {length} without validators, 400 without a range"), move |request, _| {
            if request.range.is_some() { nameless(short(request, length, LEN)) } else { Reply::status(400) }
        }));
    }
    all.push(odd("parts of 1 MiB of an unknown length", |request, _| short(request, MIB, "*")));
    all.push(odd("206 of all without Content-Range, cut", |request, _| {
        whole(request).with(|head| head.status = 206).cut_after(5 * MIB)
    }));
    all.push(odd("206 of all, bytes 0-N/N, cut", |_, _| {
        let content_range = format!("bytes 0-{LEN}/{LEN}");
        part(0, LEN, LEN).with(|head| head.content_range = Some(content_range)).cut_after(MIB)
    }));
    for by in [-1_i64, 1, 512] {
        all.push(inside(&format!("ranges shifted by {by}"), move |request| {
            let start = start_of(request) as i64 + by;
            part(start as usize, end_of(request), LEN).cut_after(MIB)
        }));
    }
    all.push(odd("a total that is wrong, cut", |request, _| short(request, LEN, LEN + 1).cut_after(MIB)));
    all.push(odd("another total for each start, cut", |request, _| {
        short(request, LEN, LEN + start_of(request)).cut_after(MIB)
    }));
    all.push(odd("more than the range", |request, _| part(start_of(request), LEN, LEN)));
    all.push(odd("multipart, cut", |request, _| {
        let kind = Some("multipart/byteranges; boundary=x".into());
        honest(request).with(|head| head.content_type = kind).cut_after(MIB)
    }));
    all
}

/// A place that is another for each number.
fn somewhere(number: usize, length: usize) -> usize {
    number.wrapping_mul(2_654_435_761) % length.max(1)
}

fn cuts() -> Vec<OddServer> {
    let mut all = Vec::new();
    for bytes in [0, 1, 511, 512, 100_000] {
        all.push(odd(format!("each body is cut after {bytes}"), move |request, _| honest(request).cut_after(bytes)));
        all.push(odd(format!("each body halts after {bytes}"), move |request, _| Reply {
            stalls: true,
            ..honest(request).cut_after(bytes)
        }));
    }
    all.push(odd("each body ends after 3 MiB", |request, _| Reply {
        end: ReadEnd::Eof,
        ..honest(request).cut_after(3 * MIB)
    }));
    let kinds: [(&str, fn(&FetchRequest) -> Reply); 4] = [
        ("", honest),
        (", without validators", |request| nameless(honest(request))),
        (", ranges ignored", whole),
        (", without length", |request| whole(request).with(|head| head.content_length = None)),
    ];
    for (name, serve) in kinds {
        all.push(odd(format!("each body is cut somewhere{name}"), move |request, number| {
            let reply = serve(request);
            let length = reply.body.len();
            reply.cut_after(somewhere(number, length))
        }));
    }
    all.push(odd("each body is cut before its last byte, ranges ignored", |request, _| {
        whole(request).cut_after(LEN - 1)
    }));
    let often = odd("the first three bodies are cut after 5 MiB, ranges ignored", |request, number| match number {
        0..3 => whole(request).cut_after(5 * MIB),
        _ => whole(request),
    });
    all.push(often.allowing(Allowed::SendsAgain));
    all
}

fn page(length: usize) -> Reply {
    let head = Head {
        status: 200,
        content_type: Some("text/html".into()),
        content_length: Some(length.to_string()),
        ..Head::default()
    };
    Reply { body: vec![b'<'; length], head: Ok(head), ..Reply::status(200) }
}

fn pages() -> Vec<OddServer> {
    let kinds: [(&str, fn() -> Reply); 6] = [
        ("an empty 200", || page(0)),
        ("204", || Reply::status(204)),
        ("a page", || page(36)),
        ("a page of 1 MiB", || page(MIB)),
        ("a page without type or length", || {
            page(5_000).with(|head| (head.content_type, head.content_length) = (None, None))
        }),
        ("a redirect to a page", || page(36).with(|head| head.final_url = Some([HOME, "/login"].concat()))),
    ];
    let all_of = |(name, other): (&str, fn() -> Reply)| {
        [then(name, move |_| other()), in_turn(name, move |_| other()), inside(name, move |_| other())]
    };
    kinds.into_iter().flat_map(all_of).collect()
}

fn halted() -> Reply {
    Reply { stalls: true, ..Reply::status(200) }
}

fn unfollowed() -> Reply {
    let error = TaskError::new(ErrorCode::RedirectRefused);
    Reply { head: Err(FetchFailure { error, online: true }), ..Reply::unreachable(true) }
}

/// The number of the place to which the request goes, if it is one to which the server redirects.
fn place_of(request: &FetchRequest) -> Option<usize> {
    let (_, place) = request.url.split_once("/at/")?;
    place.parse().ok()
}

fn redirected(reply: Reply, number: usize) -> Reply {
    reply.with(|head| head.final_url = Some(format!("https://cdn.example/at/{number}")))
}

fn redirects() -> Vec<OddServer> {
    let mut all = Vec::new();
    for (name, named) in [
        ("the same file", Named::Tag { is_same: true }),
        ("another file", Named::Tag { is_same: false }),
        ("another date", Named::Date),
    ] {
        all.push(odd(format!("a redirect to {name} each time, cut"), move |request, number| match place_of(request) {
            Some(place) => version(request, place, named).cut_after(MIB),
            None => redirected(version(request, number, named).cut_after(MIB), number),
        }));
    }
    let targets: [(&str, fn() -> Reply); 7] = [
        ("has expired", || Reply::status(403)),
        ("is gone", || Reply::status(404)),
        ("is busy", || Reply::status(503)),
        ("cannot be reached", || Reply::unreachable(true)),
        ("hangs", halted),
        ("is a page", || page(36)),
        ("redirects home", || page(36).with(|head| head.final_url = Some([HOME, "/f"].concat()))),
    ];
    for (name, target) in targets {
        all.push(odd(format!("a redirect to a target that {name} the second time"), move |request, number| {
            if place_of(request).is_some() { target() } else { redirected(honest(request).cut_after(MIB), number) }
        }));
    }
    all.push(odd("redirects in a circle", |_, _| Reply::unreachable(true)));
    all.push(odd("redirects that may not be followed", |_, _| unfollowed()));
    all.push(in_turn("a redirect that may not be followed", |_| unfollowed()));
    all
}

fn lies() -> Vec<OddServer> {
    let mut all = Vec::new();
    for by in [-100_i64, 100, LEN as i64] {
        let longer = move |reply: &Reply| (reply.body.len() as i64 + by).max(0) as usize;
        let told = move |reply: Reply| {
            let length = longer(&reply).to_string();
            reply.with(|head| head.content_length = Some(length))
        };
        all.push(odd(format!("Content-Length {by:+}"), move |request, _| told(honest(request))));
        all.push(odd(format!("Content-Length {by:+}, ranges ignored"), move |request, _| {
            told(nameless(whole(request)))
        }));
        all.push(odd(format!("bodies of {by:+}"), move |request, _| {
            let mut reply = honest(request);
            reply.body.resize(longer(&reply), 0);
            reply
        }));
    }
    all.push(odd("another Content-Length each time, ranges ignored", |request, number| {
        whole(request).with(|head| head.content_length = Some((LEN + 1 + number).to_string()))
    }));
    all.push(odd("another digest each time, cut", |request, number| {
        let letter = char::from(b'A' + (number % 26) as u8).to_string();
        let digest = ["sha-256=:", &letter.repeat(42), "A=:"].concat();
        honest(request).with(|head| head.repr_digest = Some(digest)).cut_after(MIB)
    }));
    all
}

fn networks() -> Vec<OddServer> {
    let mut all = Vec::new();
    let failures: [(&str, fn() -> Reply); 3] =
        [("fails", || Reply::unreachable(true)), ("is offline", || Reply::unreachable(false)), ("hangs", halted)];
    for (name, fail) in failures {
        for nth in [2, 3] {
            all.push(odd(format!("the network {name} for each request but one of {nth}"), move |request, number| {
                if number % nth == 0 { honest(request).cut_after(MIB) } else { fail() }
            }));
        }
        all.push(odd(format!("the network {name} for each fifth request, ranges ignored"), move |request, number| {
            if number % 5 == 4 { fail() } else { whole(request).cut_after(5 * MIB) }
        }));
        all.push(then(&format!("the network {name}"), move |_| fail()));
        all.push(inside(&format!("the network {name}"), move |_| fail()));
        all.push(odd(format!("the network {name}"), move |_, _| fail()));
    }
    all
}
