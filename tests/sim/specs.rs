//! What downloads are made of: sources, proofs, policies and the rest, drawn.

use longhaul::engine::id::GroupId;
use longhaul::engine::policy::{Policy, PolicyPatch, Priority};
use longhaul::engine::request::{Header, Redirects, RequestFields};
use longhaul::engine::session::LimitsPatch;
use longhaul::engine::task::{Proof, TaskSpec};
use longhaul::engine::time::Timestamp;
use longhaul::engine::transport::Transport;
use longhaul::integrity::{Algorithm, Digest, Expected, Pieces};

use super::authorization::pass_header;
use super::content::digest;
use super::origin::{Guard, Kind, LONGEST_PROVEN, Version};
use super::worker::EPOCH_MS;
use super::world::World;

/// The shortest piece that there may be.
const PIECE: u64 = 256 << 10;

impl World {
    /// A specification, and headers that must not be stored.
    pub(super) fn draw_spec(&mut self) -> (TaskSpec, Vec<Header>) {
        let number = self.random.below(self.origin.primaries as u64) as usize;
        let is_special = self.random.per_mille(self.climate.special_specs);
        let call_token = format!("token{}", self.name());
        let resource = &self.origin.resources[number];
        let is_stale = self.random.one_in(6);
        let pass = if is_stale { resource.pass - 1 } else { resource.pass };
        let mut request = RequestFields::default();
        let mut secrets = Vec::new();
        if resource.guard == Guard::Token {
            match self.random.below(3) {
                0 => {}
                1 => request.headers.push(pass_header(resource, pass, true)),
                _ => secrets.push(pass_header(resource, pass, false)),
            }
        }
        request.has_secrets = !secrets.is_empty();
        request.redirects = match self.chance.below(8) {
            0 | 1 => Redirects::FollowWithHeaders,
            2 => Redirects::Refuse,
            _ => Redirects::Follow,
        };
        let sources = vec![resource.source(pass)];
        let mut spec = TaskSpec { sources, request, call_token, ..TaskSpec::default() };
        if is_special {
            spec.proof = self.draw_proof(number);
            spec.policy = self.draw_policy();
            let is_proven = spec.proof.expected.is_some() || spec.proof.pieces.is_some();
            for mirror in &self.origin.resources {
                let fits = mirror.family == number && mirror.kind != Kind::Primary;
                let is_allowed = self.climate.allows("mirrors") && (is_proven || mirror.kind != Kind::OtherContent);
                if fits && is_allowed {
                    spec.sources.push(mirror.source(mirror.pass));
                }
            }
            if self.random.one_in(4) {
                spec.expects.accept = vec!["audio/*".into(), "application/octet-stream".into()];
            }
            spec.strong_only = self.random.one_in(6);
            spec.tag = self.random.one_in(3).then(|| "tag".into());
            let length = self.origin.resources[number].version().length;
            spec.expects.length = self.random.one_in(6).then_some(length).filter(|length| *length > 0);
            spec.expected_bytes = self.random.one_in(3).then_some(length);
            spec.destination = self.random.one_in(4).then(|| self.draw_destination());
            spec.fails_when_full = self.random.one_in(3);
            spec.serves_url = self.random.one_in(4);
        }
        let is_plain = spec.sources.len() == 1 && secrets.is_empty() && spec.request.redirects != Redirects::Refuse;
        let may_go_out = self.browser.is_used && is_plain;
        if may_go_out && self.climate.allows("background-fetch") && self.browser.random.one_in(2) {
            spec.transport = Transport::External { is_strict: self.browser.random.one_in(2), ui: None, out: None };
        }
        (spec, secrets)
    }

    fn draw_proof(&mut self, number: usize) -> Proof {
        let version = self.origin.resources[number].version();
        let ignore_server_digest = self.random.one_in(4);
        let mut proof = Proof { ignore_server_digest, ..Proof::default() };
        if version.length > LONGEST_PROVEN || !self.climate.allows("proofs") {
            return proof;
        }
        if self.random.one_in(2) {
            let algorithm =
                self.random.pick(&[Algorithm::Sha256, Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512]);
            let right = version.digest(algorithm);
            let wrong = Digest::new(algorithm, vec![1; algorithm.digest_length()]).expect("it has the right length");
            proof.expected = Expected::strongest_of(match self.random.below(12) {
                0 => vec![wrong],
                1 => vec![wrong, right],
                _ => vec![right],
            });
        }
        if self.random.one_in(2) {
            proof.pieces = Some(pieces_of(version, PIECE * self.random.within(1..=3)));
        }
        proof
    }

    fn draw_policy(&mut self) -> Policy {
        let random = &mut self.random;
        let now = Timestamp(EPOCH_MS + self.now);
        let later = |ms: Option<u64>| ms.map(|ms| now.after(ms));
        Policy {
            priority: random.pick(&Priority::ALL),
            metered: !random.one_in(3),
            unknown_network: !random.one_in(5),
            discretionary_until: later(random.one_in(4).then(|| random.within(1_000..=600_000))),
            begin_at: later(random.one_in(6).then(|| random.within(1_000..=120_000))),
            max_bytes_per_second: random.one_in(5).then(|| random.pick(&[20_000, 200_000, 4_000_000])),
            max_segments: random.within(1..=6) as u32,
            stall_timeout_ms: random.pick(&[5_000, 30_000, 60_000]),
            resource_timeout_ms: random.one_in(6).then(|| random.within(5_000..=3_600_000)),
            max_failures: random.within(1..=10) as u32,
        }
    }

    pub(super) fn draw_policy_patch(&mut self) -> PolicyPatch {
        let drawn = self.draw_policy();
        let random = &mut self.random;
        PolicyPatch {
            priority: random.one_in(3).then_some(drawn.priority),
            metered: random.one_in(3).then_some(drawn.metered),
            unknown_network: random.one_in(3).then_some(drawn.unknown_network),
            discretionary_until: random.one_in(3).then(|| drawn.discretionary_until.map_or(0, |until| until.0)),
            begin_at: random.one_in(4).then(|| drawn.begin_at.map_or(0, |at| at.0)),
            max_bytes_per_second: random.one_in(3).then(|| drawn.max_bytes_per_second.unwrap_or(0)),
            max_segments: random.one_in(3).then_some(drawn.max_segments),
            stall_timeout_ms: random.one_in(3).then_some(drawn.stall_timeout_ms),
            resource_timeout_ms: random.one_in(3).then(|| drawn.resource_timeout_ms.unwrap_or(0)),
            max_failures: random.one_in(3).then_some(drawn.max_failures),
        }
    }

    pub(super) fn draw_limits_patch(&mut self) -> LimitsPatch {
        let random = &mut self.random;
        LimitsPatch {
            max_concurrent_tasks: random.one_in(3).then(|| random.within(1..=6).saturating_sub(2).max(1) as u32),
            max_per_host_visible: random.one_in(3).then(|| random.within(1..=4) as u32),
            max_per_host_hidden: random.one_in(3).then(|| random.within(1..=8) as u32),
            max_bytes_per_second: random.one_in(3).then(|| random.pick(&[0, 0, 50_000, 4_000_000])),
            metered: random.one_in(3).then(|| random.one_in(2)),
            unknown_network: random.one_in(3).then(|| random.one_in(2)),
            keep_ms: random.one_in(3).then(|| random.pick(&[0, 60_000, 600_000])),
            keep_from_last_use: random.one_in(3).then(|| random.one_in(2)),
        }
    }

    pub(super) fn draw_group(&mut self) -> GroupId {
        GroupId::new(&format!("group{}", self.random.below(2)))
    }
}

fn pieces_of(version: &Version, piece_length: u64) -> Pieces {
    let piece = |from| digest(Algorithm::Sha256, version.id, from..version.length.min(from + piece_length));
    let starts = (0..version.length).step_by(piece_length as usize);
    let digests: Vec<u8> = starts.flat_map(|from| piece(from).bytes().to_vec()).collect();
    Pieces::new(piece_length, &digests).expect("pieces are long enough")
}

/// Whether these are the pieces of this version.
pub fn are_pieces_of(pieces: &Pieces, version: &Version) -> bool {
    let is_right = |index| {
        let range = pieces.range(index, version.length);
        pieces.matches(index, &digest(Algorithm::Sha256, version.id, range))
    };
    pieces.fit(version.length) && (0..pieces.count_for(version.length)).all(is_right)
}
