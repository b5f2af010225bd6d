//! What the server and the way to it do wrong. A fault turns the right answer into a wrong one; what a resource's
//! tasks have met is noted, so that their failures and restarts can be explained.

use std::collections::BTreeSet;

use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::http::{Head, RestartReason};

use super::network::BodyEnd;
use super::origin::{Answer, NO_VERSION, Resource, Wanted};
use super::random::Random;

/// One thing that goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// 200 with everything, although ranges are honoured at other times.
    IgnoresRange,
    /// A range that begins or ends elsewhere, and says so.
    ShiftedRange,
    /// A part whose complete length is wrong.
    WrongTotal,
    /// 416, with the length.
    Unsatisfiable,
    /// 416, without.
    UnsatisfiableBare,
    /// 206 in several parts.
    Multipart,
    /// Coded with gzip, whether the request wanted that or not.
    Gzip,
    /// 503 or 429, mostly with `Retry-After`.
    Busy,
    /// 404 or 403.
    Refused,
    /// No length told.
    LengthUntold,
    /// Ends early as if all were well.
    Short,
    /// Goes on behind its end.
    Long,
    /// The connection breaks in the body.
    Cut,
    /// Nothing more comes in the body.
    StalledBody,
    /// No head comes.
    StalledHead,
    /// No connection.
    Unreachable,
}

/// All of them.
pub const FAULTS: [Fault; 16] = [
    Fault::IgnoresRange,
    Fault::ShiftedRange,
    Fault::WrongTotal,
    Fault::Unsatisfiable,
    Fault::UnsatisfiableBare,
    Fault::Multipart,
    Fault::Gzip,
    Fault::Busy,
    Fault::Refused,
    Fault::LengthUntold,
    Fault::Short,
    Fault::Long,
    Fault::Cut,
    Fault::StalledBody,
    Fault::StalledHead,
    Fault::Unreachable,
];

impl Fault {
    /// Its name in the summary.
    pub fn name(self) -> &'static str {
        match self {
            Self::IgnoresRange => "ignores-range",
            Self::ShiftedRange => "shifted-range",
            Self::WrongTotal => "wrong-total",
            Self::Unsatisfiable => "416",
            Self::UnsatisfiableBare => "416-bare",
            Self::Multipart => "multipart",
            Self::Gzip => "gzip",
            Self::Busy => "busy",
            Self::Refused => "refused",
            Self::LengthUntold => "length-untold",
            Self::Short => "short",
            Self::Long => "long",
            Self::Cut => "cut",
            Self::StalledBody => "stalled-body",
            Self::StalledHead => "stalled-head",
            Self::Unreachable => "unreachable",
        }
    }
}

/// What the tasks of one resource have met so far.
#[derive(Debug, Default)]
pub struct Met {
    pub faults: BTreeSet<Fault>,
    pub statuses: BTreeSet<u16>,
    pub changed: bool,
    /// A request or body found the browser offline.
    pub offline: bool,
}

impl Met {
    /// Whether the server or the network gave reason for this failure.
    pub fn explains_failure(&self, error: &TaskError) -> bool {
        let met = |faults: &[Fault]| faults.iter().any(|fault| self.faults.contains(fault));
        match error.code {
            ErrorCode::HttpStatus => error.status.is_some_and(|status| self.statuses.contains(&status)),
            ErrorCode::Network => {
                self.offline || met(&[Fault::Cut, Fault::StalledBody, Fault::StalledHead, Fault::Unreachable])
            }
            ErrorCode::LengthMismatch => met(&[Fault::Short, Fault::WrongTotal]),
            ErrorCode::BodyTooLong => met(&[Fault::Long]),
            ErrorCode::BadContentRange => {
                self.changed || met(&[Fault::ShiftedRange, Fault::WrongTotal, Fault::Unsatisfiable, Fault::Multipart])
            }
            _ => false,
        }
    }

    /// Whether the server gave reason to begin again.
    pub fn explains_restart(&self, reason: RestartReason) -> bool {
        let met = |faults: &[Fault]| faults.iter().any(|fault| self.faults.contains(fault));
        match reason {
            RestartReason::Changed => {
                self.changed || met(&[Fault::WrongTotal, Fault::LengthUntold, Fault::Gzip, Fault::IgnoresRange])
            }
            RestartReason::RangesRefused => {
                let lies = [Fault::IgnoresRange, Fault::ShiftedRange, Fault::WrongTotal, Fault::Gzip];
                let refusals = [Fault::Unsatisfiable, Fault::UnsatisfiableBare, Fault::Multipart];
                self.changed || met(&lies) || met(&refusals)
            }
            // Only the task's own record can tell.
            RestartReason::NotResumable => true,
        }
    }
}

impl Resource {
    /// Whether the fault can happen to this answer, and in a way that a reader can find out.
    pub fn can_meet(&self, head: &Head, wanted: Wanted<'_>, fault: Fault) -> bool {
        let has_body = matches!(head.status, 200 | 206) && self.version().length > 0;
        match fault {
            Fault::IgnoresRange | Fault::Unsatisfiable | Fault::UnsatisfiableBare => wanted.start.is_some(),
            Fault::ShiftedRange | Fault::WrongTotal => head.status == 206 && self.shows_ranges(),
            Fault::Multipart => head.status == 206,
            // Where CORS hides the coding and a length is believed, no browser could tell.
            Fault::Gzip | Fault::LengthUntold => has_body,
            Fault::Short => has_body && self.is_length_believed(head, wanted),
            Fault::Long => has_body && self.is_length_believed(head, wanted),
            Fault::Cut | Fault::StalledBody => has_body,
            Fault::Busy | Fault::Refused | Fault::StalledHead | Fault::Unreachable => true,
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
                let start = wanted.start.unwrap_or(0);
                let shifted = if start > 0 && random.one_in(2) { start - 1 } else { (start + 1).min(length - 1) };
                *answer = self.part(random, now, shifted, length, length, length);
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
            Fault::Busy => {
                let status = random.pick(&[503, 429]);
                *answer = self.without_body(random, now, status, None);
                if let Some(head) = &mut answer.head {
                    head.retry_after = match random.below(4) {
                        0 => None,
                        1 => Some(imf_fixdate(random.within(0..=90) + (super::worker::EPOCH_MS + now) / 1_000)),
                        2 => Some(random.pick(&["0", "5", "600"]).into()),
                        _ => Some(random.pick(&["200000", "soon", "-3"]).into()),
                    };
                }
            }
            Fault::Refused => {
                let status = random.pick(&[404, 403]);
                *answer = self.without_body(random, now, status, None);
            }
            Fault::LengthUntold => {
                head.content_length = None;
                if let Some((range, _)) = head.content_range.as_deref().and_then(|range| range.split_once('/')) {
                    head.content_range = Some(format!("{range}/*"));
                }
            }
            Fault::Short => answer.body.len = random.below(answer.body.len.max(1)),
            Fault::Long => answer.body.garbage = random.within(1..=2_000),
            Fault::Cut | Fault::StalledBody => {
                // Also in front of the first byte, and behind the last.
                let len = answer.body.len;
                answer.body.len = random.pick(&[0, len / 2, len / 3, len]);
                answer.body.end = if fault == Fault::Cut { BodyEnd::Cut { online: true } } else { BodyEnd::Stall };
            }
            Fault::StalledHead => answer.after_ms = None,
            Fault::Unreachable => answer.head = None,
        }
        self.met.statuses.extend(answer.head.as_ref().map(|head| head.status));
        answer.fault = Some(fault);
    }
}

/// A date as HTTP writes it (RFC 9110 section 5.6.7).
fn imf_fixdate(seconds: u64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, clock) = (seconds / 86_400, seconds % 86_400);
    // Days from 0000-03-01, in years that begin in March and in periods of 400 years.
    let days = days + 719_468;
    let (period, day_of_period) = (days / 146_097, days % 146_097);
    let year = (day_of_period - day_of_period / 1_460 + day_of_period / 36_524 - day_of_period / 146_096) / 365;
    let day_of_year = day_of_period - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = period * 400 + year + u64::from(month >= 10);
    let name = MONTHS[(month as usize + 2) % 12];
    let (hours, minutes) = (clock / 3_600, clock / 60 % 60);
    format!("Day, {day:02} {name} {year} {hours:02}:{minutes:02}:{:02} GMT", clock % 60)
}
