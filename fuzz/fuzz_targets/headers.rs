//! Heads of answers as a hostile server would write them, held against requests of every kind. Whatever comes, the
//! verdict must be one that a download can act on.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use longhaul::engine::http::{
    Asked, AskedRange, ContentRange, Head, Representation, RetryAfter, Source, Verdict, file_name, if_range, judge,
    same_version,
};
use longhaul::engine::time::Timestamp;

/// 2^53: what a page can count to.
const LARGEST_POSITION: u64 = 1 << 53;

/// One field, or none. Blind bytes seldom have the shape that leads anywhere, so most fields are given one.
type Field = Option<Text>;

#[derive(Arbitrary, Debug)]
enum Text {
    /// Each byte one character, as `fetch` gives them.
    Bytes(Vec<u8>),
    Number(u64),
    Range(u8, u8, Option<u8>),
    WideRange(u64, u64, Option<u64>),
    Unsatisfied(u8),
    Tag(bool, u8),
    Date(u8, u8),
    Name(Vec<u8>),
    Coding(bool),
}

impl Text {
    fn write(self) -> String {
        fn range(first: u64, last: u64, total: Option<u64>) -> String {
            let total = total.map_or_else(|| "*".into(), |total| total.to_string());
            format!("bytes {first}-{last}/{total}")
        }
        let chars = |bytes: Vec<u8>| bytes.into_iter().map(char::from).collect::<String>();
        match self {
            Self::Bytes(bytes) => chars(bytes),
            Self::Number(number) => number.to_string(),
            Self::Range(first, last, total) => range(first.into(), last.into(), total.map(Into::into)),
            Self::WideRange(first, last, total) => range(first, last, total),
            Self::Unsatisfied(total) => format!("bytes */{total}"),
            Self::Tag(weak, name) => format!("{}\"{}\"", if weak { "W/" } else { "" }, name % 4),
            Self::Date(minute, second) => format!("Sun, 06 Nov 1994 08:{:02}:{:02} GMT", minute % 64, second % 64),
            Self::Name(name) => format!("attachment; filename=\"{}\"", chars(name)),
            Self::Coding(coded) => if coded { "gzip" } else { "identity" }.into(),
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Answer {
    status: Status,
    all_headers_readable: bool,
    date: Field,
    content_range: Field,
    content_length: Field,
    content_encoding: Field,
    content_type: Field,
    content_disposition: Field,
    etag: Field,
    last_modified: Field,
    retry_after: Field,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Status {
    Whole,
    Empty,
    Partial,
    NotModified,
    Unsatisfiable,
    Busy,
    Other(u16),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Position {
    Small(u8),
    Large(u64),
}

impl Position {
    fn value(self) -> u64 {
        match self {
            Self::Small(position) => position.into(),
            Self::Large(position) => position % LARGEST_POSITION,
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Question {
    range: Option<(Position, Option<Position>)>,
    /// Asks for the start that is answered, should there be one.
    as_answered: bool,
    if_range: bool,
    conditional: bool,
    source: u8,
}

/// The answer that what is kept came from.
#[derive(Arbitrary, Debug)]
enum Before {
    Nothing,
    Answer(Answer),
    /// One of the same version, if that has this length.
    Same(u8),
}

#[derive(Arbitrary, Debug)]
struct Exchange {
    before: Before,
    question: Question,
    answer: Answer,
}

impl Answer {
    fn head(self) -> Head {
        let text = |field: Field| field.map(Text::write);
        let status = match self.status {
            Status::Whole => 200,
            Status::Empty => 204,
            Status::Partial => 206,
            Status::NotModified => 304,
            Status::Unsatisfiable => 416,
            Status::Busy => 503,
            Status::Other(status) => status,
        };
        Head {
            status,
            all_headers_readable: self.all_headers_readable,
            date: text(self.date),
            content_range: text(self.content_range),
            content_length: text(self.content_length),
            content_encoding: text(self.content_encoding),
            content_type: text(self.content_type),
            content_disposition: text(self.content_disposition),
            etag: text(self.etag),
            last_modified: text(self.last_modified),
            retry_after: text(self.retry_after),
            ..Head::default()
        }
    }
}

/// Every parser by itself, on one text.
fn parse(text: &str) {
    match ContentRange::parse(text) {
        Some(ContentRange::Satisfied { range, complete_length }) => {
            assert!(range.start < range.end && range.end <= LARGEST_POSITION);
            assert!(complete_length.is_none_or(|length| range.end <= length));
        }
        Some(ContentRange::Unsatisfied { complete_length }) => assert!(complete_length < LARGEST_POSITION),
        None => {}
    }
    if let Some(after) = RetryAfter::parse(text) {
        after.delay_ms(Timestamp(0));
    }
    if let Some(name) = file_name(text) {
        assert!(!name.is_empty() && name.len() <= 255);
        assert!(!name.contains(['/', '\\', ':', '\0', '\u{202E}']) && !name.starts_with('.') && !name.ends_with('.'));
    }
}

fn check(asked: &Asked<'_>, verdict: &Verdict) {
    match verdict {
        Verdict::Body { representation, start, end, restart } => {
            let asked_start = asked.range.map_or(0, |range| range.start);
            assert!(*start == asked_start || (*start == 0 && restart.is_some()));
            assert!(end.is_none_or(|end| *start < end && end <= LARGEST_POSITION));
            let length = representation.complete_length;
            assert!(length.is_none_or(|length| end.is_none_or(|end| end <= length)));
            assert!(length.is_some() || !representation.is_resumable());
            if let Some(kept) = asked.kept.filter(|_| restart.is_none()) {
                assert!(kept == representation || (*start == 0 && !kept.is_resumable()), "bytes of two versions");
            }
        }
        Verdict::Empty(representation) => assert_eq!(representation.complete_length, Some(0)),
        Verdict::NotModified => assert!(asked.conditional),
        Verdict::AskAgain { without_range, .. } => assert!(!without_range || asked.range.is_some()),
        Verdict::NotTheSame => assert_ne!(asked.source, Source::Origin),
        Verdict::Unauthorized(_) | Verdict::Retry(..) | Verdict::Fail(_) => {}
    }
}

/// What a first answer leaves to be kept, if its body can be used.
fn kept_after(first: &Head) -> Option<Representation> {
    let range = Some(AskedRange { start: 0, end: None });
    let asked = Asked { range, if_range: false, conditional: false, kept: None, source: Source::Origin };
    let verdict = judge(&asked, first);
    check(&asked, &verdict);
    match verdict {
        Verdict::Body { representation, .. } | Verdict::Empty(representation) => Some(representation),
        _ => None,
    }
}

fuzz_target!(|exchange: Exchange| {
    let head = exchange.answer.head();
    let fields = [&head.content_range, &head.retry_after, &head.content_disposition];
    fields.into_iter().flatten().for_each(|text| parse(text));
    let kept = match exchange.before {
        Before::Nothing => None,
        Before::Answer(first) => kept_after(&first.head()),
        Before::Same(length) => {
            let content_range = Some(format!("bytes 0-{}/{length}", length.saturating_sub(1)));
            kept_after(&Head { status: 206, content_range, content_length: None, ..head.clone() })
        }
    };
    if let Some(kept) = &kept {
        let tag = if_range(kept);
        assert!(tag.is_none_or(|tag| kept.same_origin && !tag.starts_with("W/")));
        assert!(!same_version(kept, &head) || kept.etag.is_some() || kept.last_modified.is_some());
    }
    let Question { range, as_answered, if_range, conditional, source } = exchange.question;
    let answered = match head.content_range.as_deref().and_then(ContentRange::parse) {
        Some(ContentRange::Satisfied { range, .. }) if as_answered => Some(range.start),
        _ => None,
    };
    let range = range.map(|(start, len)| {
        let start = answered.unwrap_or(start.value());
        AskedRange { start, end: len.map(|len| start + 1 + len.value()) }
    });
    let source = [Source::Origin, Source::Mirror, Source::Proven][usize::from(source % 3)];
    let asked = Asked { range, if_range, conditional, kept: kept.as_ref(), source };
    check(&asked, &judge(&asked, &head));
});
