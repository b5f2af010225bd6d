//! Stored records against bytes that older versions wrote: `tests/fixtures/records/V` holds one file for each kind of
//! record of format `V`. What those versions wrote must stay readable, and today's format must be the newest there: a
//! change of a record that no longer reads or writes these bytes needs a new format and a rung in `engine/codec.rs`.
//!
//! `LONGHAUL_WRITE_FIXTURES=1 cargo test --test records` writes the files of a new format. Those of a published one are
//! never written again.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::expect_used, reason = "a test's helper: panicking is how it reports")]

use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

use longhaul::engine::RangeSet;
use longhaul::engine::codec::{FORMAT_VERSION, decode, encode};
use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::group::{GroupCounts, GroupKey, GroupRecord};
use longhaul::engine::http::{Representation, RestartReason, Resumability, VerdictReason};
use longhaul::engine::id::{BodyId, GroupId, SessionId, TaskId, TaskKey};
use longhaul::engine::policy::{Policy, Priority};
use longhaul::engine::ranges::Ranges;
use longhaul::engine::request::{AnswerInfo, Credentials, Redirects, RequestFields, Source};
use longhaul::engine::resume_data::{self, Detached};
use longhaul::engine::session::{Configuration, Limits, SessionRecord};
use longhaul::engine::task::{
    Adopted, Destination, EventKind, Expects, FoundByUrl, Kept, Place, Progress, Proof, Subject, TaskEvent, TaskRecord,
    TaskSpec, TaskState, WaitReason,
};
use longhaul::engine::time::Timestamp;
use longhaul::engine::transport::{Out, Transport};
use longhaul::integrity::{Algorithm, Expected, HashState, Pieces};
use longhaul::store::bodies::BodyRecord;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn session_id() -> SessionId {
    SessionId::new("podcasts")
}

fn key() -> TaskKey {
    TaskKey { session: session_id(), task: TaskId::new("episode 1") }
}

fn ranges(of: &[(u64, u64)]) -> RangeSet {
    let mut set = RangeSet::default();
    of.iter().for_each(|(start, end)| set.insert(*start..*end));
    set
}

fn expected() -> Option<Expected> {
    Expected::parse_sri("sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
}

fn hash() -> HashState {
    let mut state = HashState::new(Algorithm::Sha256);
    state.update(&[7; 100]);
    state
}

fn representation() -> Representation {
    Representation {
        complete_length: Some(1 << 33),
        etag: Some("\"one\"".into()),
        last_modified: Some("Sat, 21 Nov 2026 10:00:00 GMT".into()),
        last_modified_is_strong: true,
        content_type: Some("audio/mpeg".into()),
        file_name: Some("ep\u{ef}sode.mp3".into()),
        resumability: Resumability::ResumableByComparison,
        reason: VerdictReason::DateAndLength,
        same_origin: true,
    }
}

fn answer() -> AnswerInfo {
    AnswerInfo {
        status: 206,
        final_url: Some("https://b.example/1".into()),
        headers: vec![("x-kept".into(), "yes".into())],
    }
}

fn session(format: u8) -> SessionRecord {
    let is_new = format >= 3;
    let limits = Limits {
        max_concurrent_tasks: 4,
        max_per_host_visible: 3,
        max_per_host_hidden: 5,
        max_bytes_per_second: Some(1 << 20),
        metered: false,
        unknown_network: true,
        keep_ms: is_new.then_some(86_400_000),
        keep_from_last_use: is_new,
    };
    let tidied_at = if is_new { Timestamp(1_763_700_000_000) } else { Timestamp(0) };
    let opened_with = is_new.then(|| Limits { metered: true, ..limits.clone() });
    let configuration = Configuration { version: 300, limits };
    SessionRecord { id: session_id(), configuration, tidied_at, has_authorizer: is_new, opened_with }
}

fn task(state: TaskState, format: u8) -> TaskRecord {
    let source = |origin: &str| Source {
        url: format!("{origin}/1?sig=2"),
        host: origin.replace("https://", ""),
        origin: origin.into(),
    };
    let spec = TaskSpec {
        sources: vec![source("https://a.example"), source("https://b.example:8443")],
        request: RequestFields {
            headers: vec![("accept".into(), "audio/*".into())],
            has_secrets: true,
            credentials: Credentials::Include,
            referrer_policy: Some("no-referrer".into()),
            redirects: Redirects::Refuse,
            keep_headers: vec!["x-kept".into()],
        },
        policy: Policy {
            priority: Priority::High,
            metered: false,
            unknown_network: false,
            discretionary_until: Some(Timestamp(1_800_000_000_000)),
            begin_at: Some(Timestamp(1_700_000_000_000)),
            max_bytes_per_second: Some(70_000),
            max_segments: 3,
            stall_timeout_ms: 30_000,
            resource_timeout_ms: Some(86_400_000),
            max_failures: 7,
        },
        proof: Proof { expected: expected(), pieces: Pieces::new(1 << 18, &[9; 64]), ignore_server_digest: true },
        expected_bytes: Some(123_456),
        strong_only: true,
        group: Some(GroupId::new("map")),
        tag: Some("tag".into()),
        call_token: "token".into(),
        description: Some("for people".into()),
        metadata: Some("{}".into()),
        // It is not stored with the record.
        transport: Transport::Fetch,
        destination: None,
        fails_when_full: false,
        serves_url: false,
        expects: Expects::default(),
    };
    let since = Timestamp(1_763_700_000_000);
    let is_new = format >= 3;
    let destination = Destination::Cache { name: "files".into(), url: "https://a.example/1".into() };
    TaskRecord {
        key: key(),
        spec,
        state,
        since,
        created_at: Timestamp(5),
        ended_at: Some(since),
        place: if is_new { Place::Leaving(destination) } else { Place::Store },
        fails_when_full: is_new,
        used_at: if is_new { since } else { Timestamp(0) },
        by_url: if is_new { FoundByUrl::Anywhere } else { FoundByUrl::Never },
        expects: if is_new {
            Expects { length: Some(123_456), accept: vec!["audio/*".into()] }
        } else {
            Expects::default()
        },
    }
}

fn progress(format: u8) -> Progress {
    let kept = Kept { body: BodyId(3), representation: representation(), length: 77, answer: Some(answer()) };
    Progress {
        representation: Some(representation()),
        answer: Some(answer()),
        received: ranges(&[(0, 1 << 20), (1 << 32, 1 << 33)]),
        verified: ranges(&[(0, 1 << 18)]),
        hash: Some(hash()),
        expected: expected(),
        ranges: Ranges::Useless,
        bad_sources: 2,
        failures: 3,
        busy: 4,
        restarts: 5,
        repairs: 6,
        previous: Some(kept),
        resume_data: Some(resume_data::write(&detached())),
        crashes: if format == 1 { 0 } else { 2 },
        transport: if format == 1 { Transport::Fetch } else { external() },
        busy_since: Timestamp(if format < 3 { 0 } else { 1_763_700_000_000 }),
        restarts_in_row: if format < 3 { 0 } else { 5 },
        brought: if format < 3 { Vec::new() } else { vec![ranges(&[(1 << 32, 1 << 33)]), ranges(&[])] },
        told_elsewhere: format >= 3,
        length_is_assumed: format >= 3,
        aside: (format >= 3).then(|| Box::new(Progress::new(BodyId(4)))),
        adopted: (format >= 3).then_some(Adopted { piece_length: Some(1 << 18) }),
        ..Progress::new(BodyId(u128::MAX - 1))
    }
}

fn external() -> Transport {
    let out = Out { registration: "longhaul/1".into(), reserved: ranges(&[(1 << 20, 1 << 21)]), part_bytes: 1 << 18 };
    Transport::External { is_strict: true, ui: Some("{}".into()), out: Some(out) }
}

fn detached() -> Detached {
    Detached {
        body: BodyId(0x0123_4567_89ab_cdef),
        representation: representation(),
        received: ranges(&[(0, 70)]),
        hash: Some(hash()),
        expected: expected(),
        piece_length: Some(1 << 18),
    }
}

fn event(seq: u64, kind: EventKind) -> TaskEvent {
    let subject = match seq {
        7 => Subject::Group(GroupId::new("map")),
        10 => Subject::Session,
        _ => Subject::Task(TaskId::new("episode 1")),
    };
    TaskEvent { seq, session: session_id(), subject, at: Timestamp(1_763_700_000_000), kind }
}

fn error() -> TaskError {
    TaskError { code: ErrorCode::HttpStatus, status: Some(404), detail: Some("said so".into()) }
}

/// Names in the order of the numbers by which they are stored.
fn names<T: DeserializeOwned + Debug>(format: u8) -> String {
    let named = (0..=u8::MAX).map_while(|place| decode::<T>(&[format, place]));
    named.map(|value| format!("{value:?}")).collect::<Vec<_>>().join(" ")
}

struct Fixtures {
    format: u8,
    folder: PathBuf,
    writes: bool,
}

impl Fixtures {
    fn of(format: u8) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/records/{format}"));
        let writes = format == FORMAT_VERSION && std::env::var_os("LONGHAUL_WRITE_FIXTURES").is_some();
        Self { format, folder, writes }
    }

    fn file(&self, name: &str, today: &[u8]) -> Vec<u8> {
        let path = self.folder.join(name);
        if self.writes {
            fs::create_dir_all(&self.folder).expect("the folder can be made");
            fs::write(&path, today).expect("the fixture can be written");
        }
        fs::read(&path).expect("there is a fixture of every kind of record in every format")
    }

    /// The stored bytes are read as `value`, and, if they are of today's format, written so.
    fn hold<T: Serialize + DeserializeOwned + PartialEq + Debug>(&self, name: &str, value: &T) {
        let stored = self.file(name, &encode(value));
        assert_eq!(stored.first(), Some(&self.format), "{name}");
        assert_eq!(decode::<T>(&stored).as_ref(), Some(value), "{name} of format {}", self.format);
        if self.format == FORMAT_VERSION {
            assert_eq!(stored, encode(value), "{name} is written otherwise: that is a new format");
        }
    }

    /// The words of an enum keep their places; new ones are at the end.
    fn hold_names<T: DeserializeOwned + Debug>(&self, name: &str) {
        let today = names::<T>(self.format);
        let stored = String::from_utf8(self.file(name, today.as_bytes())).expect("names are text");
        let stored = stored.trim_end();
        let kept = today.strip_prefix(stored).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        assert!(kept, "{name} of format {}: {stored:?} must be the beginning of {today:?}", self.format);
    }
}

#[test]
fn records_of_every_format_are_read() {
    for format in 1..=FORMAT_VERSION {
        let fixtures = Fixtures::of(format);
        fixtures.hold("session", &session(format));
        let waiting = TaskState::Active { not_before: Timestamp(9), reason: Some(WaitReason::ServerAsked) };
        let states =
            [waiting, TaskState::Paused, TaskState::Completed, TaskState::Failed(error()), TaskState::Cancelled];
        for (at, state) in states.into_iter().enumerate() {
            fixtures.hold(&format!("task-{at}"), &task(state, format));
        }
        fixtures.hold("progress", &progress(format));
        fixtures.hold("progress-new", &Progress::new(BodyId(1)));
        fixtures.hold("body-live", &BodyRecord::Live(BodyId(1)));
        fixtures.hold("body-detached", &BodyRecord::Detached(detached(), Timestamp(6)));
        fixtures.hold("body-dead", &BodyRecord::Dead(BodyId(1)));
        let group = GroupKey { session: session_id(), group: GroupId::new("map") };
        fixtures.hold("group", &GroupRecord { key: group, is_sealed: true, is_done: false, fails_together: true });
        let counts = GroupCounts { active: 1, paused: 2, completed: 300, failed: 4, cancelled: 5 };
        let kinds = [
            EventKind::Completed { bytes: 1 << 33 },
            EventKind::NotModified,
            EventKind::Failed(error()),
            EventKind::RefreshFailed(error()),
            EventKind::Cancelled,
            EventKind::Restarted(RestartReason::NotResumable),
            EventKind::GroupEnded(counts),
        ];
        let since_3 = [EventKind::Moved, EventKind::MoveFailed(error()), EventKind::Damaged];
        let kinds = kinds.into_iter().chain(since_3.into_iter().filter(|_| format >= 3));
        for (seq, kind) in (1..).zip(kinds) {
            fixtures.hold(&format!("event-{seq}"), &event(seq, kind));
        }
    }
}

#[test]
fn what_stands_for_a_word_never_changes() {
    for format in 1..=FORMAT_VERSION {
        let fixtures = Fixtures::of(format);
        fixtures.hold_names::<ErrorCode>("codes.txt");
        fixtures.hold_names::<WaitReason>("wait-reasons.txt");
        fixtures.hold_names::<RestartReason>("restart-reasons.txt");
        fixtures.hold_names::<Resumability>("resumabilities.txt");
        fixtures.hold_names::<VerdictReason>("verdict-reasons.txt");
        fixtures.hold_names::<Priority>("priorities.txt");
        fixtures.hold_names::<Credentials>("credentials.txt");
    }
}

/// Resume data lies with the app, and so outlives every version of the store.
#[test]
fn resume_data_of_every_version_is_read() {
    let fixtures = Fixtures::of(FORMAT_VERSION);
    let stored = fixtures.file("../resume-data-1", &resume_data::write(&detached()));
    let claim = resume_data::read(&stored).expect("it can be read");
    assert_eq!((claim.body, claim.complete_length), (detached().body, detached().representation.complete_length));
}
