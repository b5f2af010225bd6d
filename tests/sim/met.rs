//! What the tasks of a resource have met, so that their failures and restarts can be explained.

use std::collections::BTreeSet;

use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::http::RestartReason;

use super::dialects::Dialect;
use super::faults::Fault;
use super::origin::{DigestField, Kind, Reach, Resource, Tags};

/// What the tasks of one resource have met so far.
#[derive(Debug, Default)]
pub struct Met {
    pub faults: BTreeSet<Fault>,
    pub statuses: BTreeSet<u16>,
    pub changed: bool,
    /// A node with tags of its own has answered.
    pub nodes: bool,
    /// A request found that there is no such server, or that it may not be read.
    pub unreachable: bool,
    /// A request or body found the browser offline.
    pub offline: bool,
}

impl Resource {
    fn met(&self, faults: &[Fault]) -> bool {
        faults.iter().any(|fault| self.met.faults.contains(fault))
    }

    /// Whether the server or the network gave reason for this failure.
    pub fn explains_failure(&self, error: &TaskError) -> bool {
        let met = |faults: &[Fault]| self.met(faults);
        match error.code {
            ErrorCode::HttpStatus | ErrorCode::Unauthorized => {
                error.status.is_some_and(|status| self.met.statuses.contains(&status))
            }
            ErrorCode::Network => {
                self.met.offline
                    || self.met.unreachable
                    || met(&[Fault::Cut, Fault::StalledBody, Fault::StalledHead, Fault::Unreachable])
            }
            // A mirror is not asked without a range.
            ErrorCode::CorsBlocked if self.dialect == Dialect::Coded && self.kind != Kind::Primary => true,
            ErrorCode::CorsBlocked => self.reach == Reach::Blocked || met(&[Fault::Unreachable, Fault::StalledHead]),
            ErrorCode::RedirectRefused => self.redirects,
            ErrorCode::CspBlocked => met(&[Fault::Forbidden]),
            ErrorCode::LengthMismatch => met(&[Fault::Short, Fault::WrongTotal]),
            ErrorCode::BodyTooLong => met(&[Fault::Long]),
            ErrorCode::BadContentRange => {
                let lies = [
                    Fault::ShiftedRange,
                    Fault::ShorterRange,
                    Fault::WrongTotal,
                    Fault::Unsatisfiable,
                    Fault::Multipart,
                ];
                let is_odd = self.met.changed || self.met.nodes || self.longest_range == Some(1);
                let is_odd = is_odd || self.dialect == Dialect::PartsOnly;
                is_odd || met(&lies) || met(&[Fault::UnsatisfiableBare, Fault::LengthUntold, Fault::Gzip])
            }
            ErrorCode::DigestMismatch => self.explains_mismatch(),
            ErrorCode::TooManyRestarts => {
                self.explains_restart(RestartReason::Changed) || self.explains_restart(RestartReason::RangesRefused)
            }
            ErrorCode::UnexpectedContent => met(&[Fault::Page, Fault::WrongTotal]),
            ErrorCode::QuotaExceeded => met(&[Fault::NoSpace]),
            _ => false,
        }
    }

    fn explains_mismatch(&self) -> bool {
        // A strong tag that can be read tells the bytes of one version from those of the next.
        (self.met.changed && (self.tags != Tags::Strong || !self.exposes))
            || self.digest_field == DigestField::Wrong
            || matches!(self.kind, Kind::OtherContent | Kind::OtherLength)
            || self.met(&[Fault::Damaged, Fault::WrongDigest])
    }

    /// Whether the server gave reason to begin again.
    pub fn explains_restart(&self, reason: RestartReason) -> bool {
        let met = |faults: &[Fault]| self.met(faults);
        match reason {
            RestartReason::Changed => {
                let lies = [Fault::WrongTotal, Fault::LengthUntold, Fault::Gzip, Fault::IgnoresRange];
                self.met.changed
                    || self.met.nodes
                    || met(&lies)
                    || self.kind != Kind::Primary
                    || self.hides_that_there_is_more()
                    || matches!(self.dialect, Dialect::Coded | Dialect::Constant | Dialect::PartsOnly)
            }
            RestartReason::RangesRefused => {
                let lies = [Fault::IgnoresRange, Fault::ShiftedRange, Fault::WrongTotal, Fault::Gzip];
                let refusals =
                    [Fault::Unsatisfiable, Fault::UnsatisfiableBare, Fault::Multipart, Fault::Gone, Fault::Refused];
                // More than was announced, where CORS may hide a coding.
                let is_long = !self.same_origin && met(&[Fault::Long]);
                // What is sent for the last byte and one more tells by its length where the file ends.
                let hides_end = !self.exposes && met(&[Fault::LengthUntold]);
                self.met.changed
                    || hides_end
                    || met(&lies)
                    || met(&refusals)
                    || is_long
                    || !self.honours_ranges
                    || self.hides_that_there_is_more()
                    || self.spurns_ranges()
            }
            // Only the task's own record can tell.
            RestartReason::NotResumable => true,
            RestartReason::DigestMismatch => self.explains_mismatch(),
            RestartReason::Damaged => false,
        }
    }
}
