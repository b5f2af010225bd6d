//! Odd servers, by their bodies: parts, cut and false ones, other things in their place, redirects, and networks that fail.

use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::http::Head;
use longhaul::engine::input::{FetchFailure, ReadEnd};
use longhaul::engine::output::FetchRequest;

use super::odd_servers::{
    Allowed, LEN, MIB, Named, OddServer, end_of, honest, in_turn, inside, nameless, odd, part, short, start_of, then,
    version, whole,
};
use super::world::{HOME, Reply};

pub fn parts() -> Vec<OddServer> {
    let mut all = Vec::new();
    for length in [MIB, 20_000, 1] {
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
    for by in [-1_i64, 1] {
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

pub fn cuts() -> Vec<OddServer> {
    let mut all = Vec::new();
    for bytes in [0, 511, 20_000] {
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

pub fn pages() -> Vec<OddServer> {
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
    let all_of = |(name, other): (&str, fn() -> Reply)| [then(name, move |_| other()), inside(name, move |_| other())];
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

pub fn redirects() -> Vec<OddServer> {
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

pub fn lies() -> Vec<OddServer> {
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

pub fn networks() -> Vec<OddServer> {
    let mut all = Vec::new();
    let failures: [(&str, fn() -> Reply); 3] =
        [("fails", || Reply::unreachable(true)), ("is offline", || Reply::unreachable(false)), ("hangs", halted)];
    for (name, fail) in failures {
        all.push(odd(format!("the network {name} for two requests of three"), move |request, number| {
            if number % 3 == 0 { honest(request).cut_after(MIB) } else { fail() }
        }));
        all.push(odd(format!("the network {name} for each fifth request, ranges ignored"), move |request, number| {
            if number % 5 == 4 { fail() } else { whole(request).cut_after(5 * MIB) }
        }));
        all.push(then(&format!("the network {name}"), move |_| fail()));
        all.push(inside(&format!("the network {name}"), move |_| fail()));
        all.push(odd(format!("the network {name}"), move |_, _| fail()));
    }
    all
}
