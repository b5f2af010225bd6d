//! What the servers and the way to them do wrong. A fault turns the right answer into a wrong one.

use longhaul::engine::http::Head;

use super::answers::{Answer, Wanted};
use super::content::NO_VERSION;
use super::network::BodyEnd;
use super::origin::Resource;
use super::random::Random;
use super::text::{base64, imf_fixdate};

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// One thing that goes wrong with one request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[$doc])* $name,)*
        }

        /// All of them.
        pub const FAULTS: &[Fault] = &[$(Fault::$name,)*];

        impl Fault {
            /// Its name in the summary.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

faults! {
    /// 200 with everything, although ranges are honoured at other times.
    IgnoresRange = "ignores-range",
    /// A range that begins elsewhere, and says so.
    ShiftedRange = "shifted-range",
    /// A range that ends earlier, and says so.
    ShorterRange = "shorter-range",
    /// A part whose complete length is wrong.
    WrongTotal = "wrong-total",
    /// 416, with the length.
    Unsatisfiable = "416",
    /// 416, without.
    UnsatisfiableBare = "416-bare",
    /// 206 in several parts.
    Multipart = "multipart",
    /// Coded with gzip, whether the request wanted that or not.
    Gzip = "gzip",
    /// 503 or 429, mostly with `Retry-After`.
    Busy = "busy",
    /// 404 or 410.
    Gone = "gone",
    /// 401 or 403.
    Refused = "refused",
    /// A page in place of the file, with 200.
    Page = "page",
    /// 304 to whatever was asked.
    NotModified = "not-modified",
    /// No length told.
    LengthUntold = "length-untold",
    /// Ends early as if all were well.
    Short = "short",
    /// Goes on behind its end.
    Long = "long",
    /// Some bytes are not those of the file. Only a digest can tell.
    Damaged = "damaged",
    /// A digest of other bytes.
    WrongDigest = "wrong-digest",
    /// The browser says that there is no room for it.
    NoSpace = "no-space",
    /// The connection breaks in the body.
    Cut = "cut",
    /// Nothing more comes in the body.
    StalledBody = "stalled-body",
    /// No head comes.
    StalledHead = "stalled-head",
    /// No connection.
    Unreachable = "unreachable",
    /// The app's own policy forbids the request.
    Forbidden = "forbidden",
}

impl Resource {
    /// Whether the fault can happen to this answer, and in a way that a reader can find out.
    pub fn can_meet(&self, head: &Head, wanted: Wanted<'_>, fault: Fault) -> bool {
        let has_body = matches!(head.status, 200 | 206) && self.version().length > 0;
        match fault {
            Fault::IgnoresRange | Fault::Unsatisfiable | Fault::UnsatisfiableBare => wanted.start().is_some(),
            Fault::ShiftedRange | Fault::ShorterRange | Fault::WrongTotal => head.status == 206 && self.shows_ranges(),
            Fault::Multipart => head.status == 206,
            // Where CORS hides the coding and a length is believed, no browser could tell.
            Fault::Gzip | Fault::LengthUntold => has_body,
            Fault::Short => has_body && self.is_length_believed(head, wanted),
            // Where only the app tells a length, nothing tells what comes behind a shorter file from the file.
            Fault::Long => has_body && self.is_told_length_believed(head, wanted),
            Fault::Damaged => has_body && wanted.is_proven,
            Fault::Page => wanted.is_typed,
            Fault::WrongDigest | Fault::NoSpace | Fault::Cut | Fault::StalledBody => has_body,
            Fault::Busy
            | Fault::Gone
            | Fault::Refused
            | Fault::NotModified
            | Fault::StalledHead
            | Fault::Unreachable
            | Fault::Forbidden => true,
        }
    }

    pub(super) fn spoil(&mut self, random: &mut Random, answer: &mut Answer, wanted: Wanted<'_>, fault: Fault) {
        let Some(head) = answer.head.as_mut().filter(|head| self.can_meet(head, wanted, fault)) else { return };
        self.met.faults.insert(fault);
        let now = answer.body.begins_at;
        let length = self.version().length;
        match fault {
            Fault::IgnoresRange => *answer = self.whole(random, now),
            Fault::ShiftedRange => {
                let start = wanted.start().unwrap_or(0);
                let shifted = if start > 0 && random.one_in(2) { start - 1 } else { (start + 1).min(length - 1) };
                *answer = self.part(random, now, shifted, length, length, length);
            }
            Fault::ShorterRange => {
                let (start, len) = (answer.body.start, random.within(1..=answer.body.len));
                *answer = self.part(random, now, start, start + len, start + len, length);
            }
            Fault::WrongTotal => {
                let end = answer.body.start + answer.body.len;
                let told = length + random.within(1..=3);
                *answer = self.part(random, now, answer.body.start, end, end, told);
            }
            Fault::Unsatisfiable => *answer = self.without_body(random, now, 416, Some(length)),
            Fault::UnsatisfiableBare => *answer = self.without_body(random, now, 416, None),
            Fault::Multipart => head.content_type = Some("multipart/byteranges; boundary=x".into()),
            Fault::Gzip => {
                head.content_encoding = Some("gzip".into());
                head.content_length = None;
                // Only from its first byte on can a coded body be decoded.
                if answer.body.start > 0 {
                    answer.body.version = NO_VERSION;
                }
            }
            Fault::Busy => *answer = self.busy(random, now),
            Fault::Gone => *answer = self.refusal(random, now, &[404, 410]),
            Fault::Refused => *answer = self.refusal(random, now, &[401, 403]),
            Fault::Page => *answer = self.page(random, now),
            Fault::NotModified => *answer = self.without_body(random, now, 304, None),
            Fault::LengthUntold => {
                head.content_length = None;
                if let Some((range, _)) = head.content_range.as_deref().and_then(|range| range.split_once('/')) {
                    head.content_range = Some(format!("{range}/*"));
                }
            }
            Fault::Short => answer.body.len = random.below(answer.body.len.max(1)),
            Fault::Long => answer.body.garbage = random.within(1..=2_000),
            Fault::Damaged => {
                let at = answer.body.start + random.below(answer.body.len);
                answer.body.damaged = at..at + random.pick(&[1, 1_000, 300_000]);
            }
            Fault::WrongDigest => head.repr_digest = Some(format!("sha-256=:{}:", base64(&[7; 32]))),
            Fault::NoSpace => answer.free_bytes = Some(random.below(answer.body.len)),
            Fault::Cut | Fault::StalledBody => {
                // Also in front of the first byte, and behind the last.
                let len = answer.body.len;
                answer.body.len = random.pick(&[0, len / 2, len / 3, len]);
                answer.body.end = if fault == Fault::Cut { BodyEnd::Cut { online: true } } else { BodyEnd::Stall };
            }
            Fault::StalledHead => answer.after_ms = None,
            Fault::Unreachable | Fault::Forbidden => answer.head = None,
        }
        answer.fault = Some(fault);
    }

    fn refusal(&self, random: &mut Random, now: u64, statuses: &[u16]) -> Answer {
        let status = random.pick(statuses);
        self.without_body(random, now, status, None)
    }

    /// What a portal answers in the server's place.
    fn page(&self, random: &mut Random, now: u64) -> Answer {
        let mut answer = self.whole(random, now);
        answer.body = super::network::Body { version: NO_VERSION, len: 36, ..answer.body };
        if let Some(head) = &mut answer.head {
            head.content_length = head.content_length.as_ref().map(|_| "36".into());
            head.content_type = Some("text/html".into());
            (head.etag, head.last_modified, head.repr_digest) = (None, None, None);
        }
        answer
    }

    fn busy(&self, random: &mut Random, now: u64) -> Answer {
        let mut answer = self.refusal(random, now, &[503, 429, 500, 408]);
        if let Some(head) = &mut answer.head {
            head.retry_after = match random.below(4) {
                0 => None,
                1 => Some(imf_fixdate(random.within(0..=90) + (super::worker::EPOCH_MS + now) / 1_000)),
                2 => Some(random.pick(&["0", "5", "600"]).into()),
                _ => Some(random.pick(&["200000", "soon", "-3"]).into()),
            };
        }
        answer
    }
}
