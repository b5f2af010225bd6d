//! The engine's verdicts on first answers, from the table that `npx longhaul check` is held to as well: the command must
//! not promise what the engine does not do.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::expect_used, clippy::panic, reason = "a test's helpers: panicking is how they report")]

use longhaul::engine::http::{Asked, AskedRange, Head, Source, Verdict, drop_constants, judge};

/// A head from `home 206 | Name: value | …`.
fn head(text: &str) -> Head {
    let mut parts = text.split(" | ");
    let (place, status) = parts.next().and_then(|first| first.split_once(' ')).expect("place and status come first");
    let mut head = Head {
        all_headers_readable: place == "home",
        status: status.trim().parse().expect("a status is a number"),
        ..Head::default()
    };
    for field in parts {
        let (name, value) = field.split_once(": ").expect("a field has a name and a value");
        let place = match name {
            "Content-Encoding" => &mut head.content_encoding,
            "Content-Length" => &mut head.content_length,
            "Content-Range" => &mut head.content_range,
            "Content-Type" => &mut head.content_type,
            "Date" => &mut head.date,
            "ETag" => &mut head.etag,
            "Last-Modified" => &mut head.last_modified,
            "Retry-After" => &mut head.retry_after,
            other => panic!("{other} is not read"),
        };
        *place = Some(value.trim().to_owned());
    }
    head
}

/// The verdict in words.
fn words(verdict: Verdict) -> String {
    match verdict {
        Verdict::Body { representation, .. } | Verdict::Empty(representation) => {
            format!("{} {}", representation.resumability.as_str(), representation.reason.as_str())
        }
        Verdict::AskAgain { without_range: true, .. } => "again".into(),
        Verdict::Unauthorized(_) => "waiting authorization".into(),
        Verdict::Retry(_, None) => "waiting retry".into(),
        Verdict::Retry(_, Some(_)) => "waiting server-asked".into(),
        other => format!("{other:?}"),
    }
}

#[test]
fn first_answers_are_judged_as_the_table_says() {
    let lines = include_str!("fixtures/verdicts.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let range = Some(AskedRange { start: 0, end: None });
    for line in lines {
        let (text, expected) = line.split_once(" => ").expect("a line says what is expected");
        let asked =
            Asked { range, if_range: false, conditional: false, kept: None, only_parts: false, source: Source::Origin };
        let mut head = head(text);
        drop_constants(&mut head);
        assert_eq!(words(judge(&asked, &head)), expected, "{text}");
    }
}
