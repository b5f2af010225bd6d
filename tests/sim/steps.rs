//! One commit's change to one task: which changes are right, and what explains them.

use std::collections::{BTreeMap, BTreeSet};

use longhaul::engine::RangeSet;
use longhaul::engine::error::{ErrorCode, TaskError};
use longhaul::engine::group::{GroupKey, GroupRecord};
use longhaul::engine::http::Resumability;
use longhaul::engine::id::{BodyId, TaskKey};
use longhaul::engine::input::{Call, TaskCall};
use longhaul::engine::output::Change;
use longhaul::engine::request::Source;
use longhaul::engine::resume_data::Detached;
use longhaul::engine::task::{
    EventKind, Expects, FoundByUrl, Place, Progress, Task, TaskEvent, TaskRecord, TaskSpec, TaskState, WaitReason,
};
use longhaul::engine::transport::Transport;

use super::driver::verb;
use super::origin::{Origin, Resource};
use super::storage::Storage;
use super::trouble::is_given_up;

/// One commit's change to one task.
pub struct Step<'a> {
    pub key: &'a TaskKey,
    pub before: Option<&'a Task>,
    pub after: Option<&'a Task>,
    pub event: Option<&'a TaskEvent>,
    pub calls: &'a [Call],
    pub changes: &'a [Change],
    /// Whether its bytes were taken up by resume data: what another URL serves may be anything.
    pub is_adopted: bool,
    /// Whether the component has crashed at it.
    pub has_crashed: bool,
    /// Whether the user has stopped it in the browser's own list.
    pub is_stopped: bool,
    /// How long its session keeps finished files, at the least.
    pub keep_ms: Option<u64>,
    /// Bodies of which all bytes are at a destination.
    pub filed: &'a BTreeSet<BodyId>,
    pub groups: &'a BTreeMap<GroupKey, GroupRecord>,
    pub detached: &'a BTreeMap<BodyId, (Detached, u64)>,
}

impl Step<'_> {
    pub fn check(&self, origin: &Origin, storage: &Storage, time: u64) {
        let is_own = self.event.is_none_or(
            |event| matches!(&event.subject, longhaul::engine::task::Subject::Task(task) if *task == self.key.task),
        );
        assert!(is_own, "an event of another task: {:?}", self.event);
        let unproven =
            self.before.filter(|before| before.progress.adopted.is_some()).map(|before| before.progress.body);
        let is_thrown_away = |change: &Change| matches!(change, Change::KillBody(body) if Some(*body) == unproven);
        let is_complete = self.after.is_some_and(|after| after.record.state == TaskState::Completed);
        let is_lost = !is_complete && self.changes.iter().any(is_thrown_away);
        assert!(!is_lost, "{:?} throws away what resume data has brought and no server has agreed with", self.key);
        match (self.before, self.after) {
            (Some(before), Some(after)) if before.is_damaged() && after.record.spec == before.record.spec => {
                self.check_mended(before, after);
            }
            (Some(before), Some(after)) if before.record.spec.call_token == after.record.spec.call_token => {
                assert_eq!(
                    before.record.created_at, after.record.created_at,
                    "one call made its task twice: {:?}",
                    self.key
                );
                self.check_spec(&before.record.spec, &after.record.spec);
                self.check_state(before, after, origin, storage, time);
                self.check_progress(before, after, origin);
            }
            (_, Some(after)) => self.check_created(after),
            (Some(before), None) => {
                assert!(before.record.state.has_ended(), "a task was deleted before it ended");
                self.require(&[TaskCall::Release]);
            }
            (None, None) => panic!("a task was deleted that does not exist: {:?}", self.key),
        }
    }

    fn is_asked(&self, wanted: impl Fn(&TaskCall) -> bool) -> bool {
        self.calls.iter().any(|call| match call {
            Call::Task(key, call) => key == self.key && wanted(call),
            Call::Bulk { session, action, filter } => {
                let is_named = self.before.is_some_and(|before| filter.matches(&before.record));
                *session == self.key.session && is_named && wanted(&verb(*action))
            }
            _ => false,
        })
    }

    fn require(&self, any_of: &[TaskCall]) {
        let is_asked = self.is_asked(|call| any_of.contains(call));
        assert!(is_asked, "{any_of:?} happened to {:?}, but no open call asks for it", self.key);
    }

    /// What cannot be read is given up, and that is said; all else stays.
    fn check_mended(&self, before: &Task, after: &Task) {
        assert!(!after.is_damaged(), "{:?} is damaged, and stays so: {after:?}", self.key);
        let is_member = after.record.spec.group.is_some();
        let is_lost = before.progress.body == BodyId::UNKNOWN;
        let is_looked_for = self.changes.iter().any(|change| matches!(change, Change::KillBody(BodyId::UNKNOWN)));
        assert_eq!(is_lost, is_looked_for, "whether the body of {:?} is looked for", self.key);
        let restarted = EventKind::Restarted(longhaul::engine::http::RestartReason::Damaged);
        let failed = EventKind::Failed(TaskError::new(ErrorCode::RecordDamaged));
        let expected = if before.record.is_unnoted() {
            assert!(matches!(after.record.state, TaskState::Failed(_)), "{:?} is damaged, and goes on", self.key);
            Some(failed)
        } else {
            // Its wait in memory may have become another: a clock that was set back shortens it, and storage that has not
            // answered, or a host that is busy, begins one.
            let (state, since) = (before.record.state.clone(), before.record.since);
            assert_eq!(after.record.state.rank(), state.rank(), "a state was changed that can be read");
            let reason = if let TaskState::Active { reason, .. } = after.record.state { reason } else { None };
            let begins =
                matches!(reason, Some(WaitReason::Storage | WaitReason::HostBusy)) && after.record.state != state;
            assert!(begins || after.record.since == since, "no wait has begun, but since when it lasts was changed");
            let kept = TaskRecord { state, since, ..after.record.clone() };
            assert_eq!(before.record, kept, "a record was changed that can be read");
            (!before.record.state.has_ended()).then_some(restarted)
        };
        let kind = self.event.map(|event| event.kind.clone());
        assert_eq!(kind, expected.filter(|_| !is_member), "the event of {:?}", self.key);
        if is_lost {
            assert!(after.progress.received.is_empty(), "what was lost is claimed");
        } else {
            let transport = before.progress.transport.clone();
            let kept = Progress { transport, ..after.progress.clone() };
            assert_eq!(before.progress, kept, "a checkpoint was changed that can be read");
        }
    }

    /// What a task is changes only as a call says.
    fn check_spec(&self, old: &TaskSpec, new: &TaskSpec) {
        if old == new {
            return;
        }
        let is_updated = self.is_asked(|call| {
            matches!(call, TaskCall::Update(patch)
                if TaskSpec { policy: old.policy.patched(patch), ..old.clone() } == *new)
        });
        let is_authorized = self.is_asked(|call| {
            let TaskCall::Authorize { source, headers, .. } = call else { return false };
            let first: Option<&Source> = source.as_ref().or(old.sources.first());
            let mut request = old.request.clone();
            (request.headers, request.has_secrets) = (new.request.headers.clone(), new.request.has_secrets);
            let mut sources = old.sources.clone();
            // What stands in for a task that could not be read has none, and nothing is authorized of it.
            let (Some(own), Some(first)) = (sources.first_mut(), first) else { return false };
            own.clone_from(first);
            let is_theirs = new.request.headers.is_empty()
                || new.request.headers == old.request.headers
                || headers.as_ref() == Some(&new.request.headers);
            is_theirs && TaskSpec { request, sources, ..old.clone() } == *new
        });
        assert!(is_updated || is_authorized, "a task's specification changed from {old:?} to {new:?}");
    }

    fn check_created(&self, after: &Task) {
        let spec = &after.record.spec;
        let is_wanted = |wanted: &TaskSpec| {
            let transport = wanted.transport == after.progress.transport;
            let record = &after.record;
            let place = wanted.destination.clone().map_or(Place::Store, Place::Leaving);
            let rest = (place, wanted.fails_when_full, wanted.serves_url);
            let kept = TaskSpec { transport: Transport::Fetch, destination: None, ..wanted.clone() };
            let kept = TaskSpec { fails_when_full: false, serves_url: false, expects: Expects::default(), ..kept };
            transport
                && rest == (record.place.clone(), record.fails_when_full, record.by_url != FoundByUrl::Never)
                && record.expects == wanted.expects
                && kept == *spec
        };
        let is_asked = self.calls.iter().any(|call| match call {
            Call::Download { spec: wanted, .. } | Call::ResumeFrom { spec: wanted, .. } => is_wanted(wanted),
            Call::DownloadAll { members, .. } => members.iter().any(|(_, wanted)| is_wanted(wanted)),
            _ => false,
        });
        assert!(is_asked, "a task was made that no open call asks for: {:?}", after.record);
        assert!(after.record.state.is_active(), "a new task is not active");
        assert!(self.event.is_none(), "a new task has an event");
        let progress = &after.progress;
        if let Some(previous) = &progress.previous {
            let old = self.before.expect("a refresh is of a file that is there");
            assert_eq!(old.record.state, TaskState::Completed, "a refresh of an unfinished file");
            assert_ne!(old.record.place, Place::Gone, "a refresh of a file that has left");
            assert_eq!((previous.body, previous.length), (old.progress.body, old.progress.received.len()));
        }
        if !progress.received.is_empty() {
            let (left, _) = self.detached.get(&progress.body).expect("a new task has bytes that nobody left");
            assert_eq!(left.received, progress.received, "a new task has other bytes than were left");
            assert_eq!(left.expected, progress.expected, "the digest did not come with the bytes");
        }
    }

    fn check_state(&self, before: &Task, after: &Task, origin: &Origin, storage: &Storage, time: u64) {
        use TaskState::{Active, Cancelled, Completed, Failed, Paused};
        let is_member = after.record.spec.group.is_some();
        let kind = self.event.map(|event| &event.kind);
        let expect = |wanted: &EventKind| {
            let is_right = if is_member { kind.is_none() } else { kind == Some(wanted) };
            assert!(is_right, "{wanted:?} of {:?} has the event {kind:?}", self.key);
        };
        let cancels = [TaskCall::Cancel { keep: false }, TaskCall::Cancel { keep: true }];
        match (&before.record.state, &after.record.state) {
            (Active { .. }, Active { .. }) => {
                let is_right = matches!(kind, None | Some(EventKind::Restarted(_)));
                assert!(is_right, "an active task has the event {kind:?}");
            }
            (Active { .. }, Paused) if self.is_stopped => {}
            (Active { .. }, Paused) => self.require(&[TaskCall::Pause]),
            (Paused | Failed(_), Active { .. }) => self.require(&[TaskCall::Resume]),
            (Completed, Completed) => self.check_place(before, after, time),
            (Completed, Active { .. }) if storage.room.is_damaged(before.progress.body) => {
                let is_right = matches!(kind, None | Some(EventKind::Restarted(_)));
                assert!(is_right, "a file that is repaired has the event {kind:?}");
                assert_ne!(before.record.place, Place::Gone, "a file that has left is repaired");
            }
            (Completed, Failed(error)) if storage.room.is_damaged(before.progress.body) => {
                expect(&EventKind::Failed(error.clone()));
            }
            (Paused, Paused) | (Failed(_), Failed(_)) | (Cancelled, Cancelled) => {
                assert!(kind.is_none(), "a task that is not active has an event");
            }
            (Active { .. } | Paused, Completed) if before.progress.previous.is_some() => {
                self.check_refreshed(before, after);
            }
            (Active { .. } | Paused, Cancelled) => {
                let fails_together = after.record.spec.group.clone().is_some_and(|group| {
                    let key = GroupKey { session: self.key.session.clone(), group };
                    self.groups.get(&key).is_some_and(|record| record.fails_together)
                });
                if !fails_together {
                    self.require(&cancels);
                }
                expect(&EventKind::Cancelled);
                assert!(after.progress.received.is_empty(), "a cancelled task has bytes");
            }
            (Active { .. }, Completed) if after.record.place == Place::Gone => {
                let length = before.progress.received.len();
                expect(&EventKind::Completed { bytes: length });
                assert!(before.progress.received.is_exactly(length), "filed with holes");
                self.check_left(before, after);
            }
            (Active { .. }, Completed) => {
                let length = after.progress.received.len();
                assert_eq!(after.record.place, Place::Store, "a file is complete, but not where it belongs");
                expect(&EventKind::Completed { bytes: length });
                assert!(after.progress.received.is_exactly(length), "completed with holes");
            }
            (Active { .. }, Failed(error)) => {
                expect(&EventKind::Failed(error.clone()));
                self.check_failure((before, after), error, origin, storage, time);
            }
            (before, after) => panic!("{:?} went from {before:?} to {after:?}", self.key),
        }
    }

    /// A finished file moves as a call says, and is not let go before it has arrived, or is wanted no more.
    fn check_place(&self, before: &Task, after: &Task, time: u64) {
        let kind = self.event.map(|event| &event.kind);
        let is_member = after.record.spec.group.is_some();
        match (&before.record.place, &after.record.place) {
            (old, new) if old == new => assert!(kind.is_none(), "a finished file has the event {kind:?}"),
            (Place::Gone, _) => panic!("{:?} has a file again", self.key),
            (_, Place::Leaving(destination)) => self.require(&[TaskCall::MoveTo(destination.clone())]),
            (Place::Leaving(_), Place::Staying(error)) => {
                let is_right = is_member || kind == Some(&EventKind::MoveFailed(error.clone()));
                assert!(is_right, "a failed move has the event {kind:?}");
            }
            (_, Place::Gone) if self.is_asked(|call| *call == TaskCall::ReleaseFile) && kind.is_none() => {
                assert!(after.progress.received.is_empty(), "a file was taken and kept");
            }
            (Place::Store | Place::Staying(_), Place::Gone) if self.is_kept_long_enough(before, time) => {}
            (Place::Leaving(_), Place::Gone) => {
                assert!(is_member || kind == Some(&EventKind::Moved), "a move has the event {kind:?}");
                self.check_left(before, after);
            }
            (old, new) => panic!("{:?} went from {old:?} to {new:?}", self.key),
        }
    }

    fn is_kept_long_enough(&self, before: &Task, time: u64) -> bool {
        let unused_since = before.record.unused_since();
        unused_since.zip(self.keep_ms).is_some_and(|(since, keep_ms)| since.after(keep_ms).0 <= time)
    }

    /// What has left the store is somewhere else.
    fn check_left(&self, before: &Task, after: &Task) {
        assert!(matches!(before.record.place, Place::Leaving(_)), "a file left that was to stay");
        assert!(self.filed.contains(&before.progress.body), "a file left the store, but arrived nowhere");
        assert!(after.progress.received.is_empty(), "a file has left, and is claimed to be here");
        let is_killed =
            self.changes.iter().any(|change| matches!(change, Change::KillBody(body) if *body == before.progress.body));
        assert!(is_killed, "a file has left, and its bytes stay for ever");
    }

    /// A refresh ends with the new file, or with the old one.
    fn check_refreshed(&self, before: &Task, after: &Task) {
        let kind = self.event.map(|event| &event.kind);
        let previous = before.progress.previous.as_ref().expect("seen by the caller");
        assert!(after.progress.previous.is_none(), "a completed task keeps an old file");
        if after.progress.body == previous.body {
            assert!(after.progress.received.is_exactly(previous.length), "the old file is not whole");
            let is_right = matches!(kind, None | Some(EventKind::NotModified | EventKind::RefreshFailed(_)));
            assert!(is_right, "the old file stays with {kind:?}");
            let is_cancelled = self.is_asked(|call| matches!(call, TaskCall::Cancel { .. }));
            assert!(
                kind.is_some() || is_cancelled || after.record.spec.group.is_some(),
                "a refresh ended without event"
            );
        } else {
            match after.record.place {
                Place::Gone => self.check_left(before, after),
                _ => {
                    let length = after.progress.received.len();
                    assert!(after.progress.received.is_exactly(length), "completed with holes");
                }
            }
            let is_killed =
                self.changes.iter().any(|change| matches!(change, Change::KillBody(body) if *body == previous.body));
            assert!(is_killed, "the old file was neither kept nor dropped");
        }
    }

    fn check_failure(
        &self,
        (before, after): (&Task, &Task),
        error: &longhaul::engine::error::TaskError,
        origin: &Origin,
        storage: &Storage,
        time: u64,
    ) {
        let spec = &after.record.spec;
        let by_servers = || origin.family(spec.url()).any(|resource| resource.explains_failure(error));
        let is_explained = match error.code {
            ErrorCode::QuotaExceeded => {
                // What one task was told of room that is missing holds for all.
                let is_told = || origin.resources.iter().any(|resource| resource.explains_failure(error));
                storage.has_hit_quota || storage.has_refused_file || storage.room.was_limited || is_told()
            }
            ErrorCode::DestinationFailed => matches!(before.record.place, Place::Leaving(_)),
            ErrorCode::Storage => storage.has_failed || storage.has_refused_file,
            ErrorCode::FileDamaged => storage.room.is_damaged(before.progress.body),
            ErrorCode::Crashed => self.has_crashed && after.progress.crashes >= 3,
            ErrorCode::BackgroundFetchRefused => {
                matches!(before.progress.transport, Transport::External { is_strict: true, out: Some(_), .. })
            }
            ErrorCode::TimedOut => {
                let limit = spec.policy.resource_timeout_ms;
                limit.is_some_and(|limit| after.record.created_at.after(limit).0 <= time)
            }
            ErrorCode::HttpStatus => is_given_up(before, error, time) && by_servers(),
            ErrorCode::DigestMismatch => {
                let came_with_digest = self.is_adopted && before.progress.expected.is_some();
                // What the app's own digests prove, mirrors cannot spoil for good.
                let is_its_own = |resource: &&Resource| !spec.proof.is_of_the_app() || resource.serves(spec.url());
                let mut own = origin.family(spec.url()).filter(is_its_own);
                came_with_digest || own.any(|own| own.explains_failure(error)) || is_promised_wrongly(spec, origin)
            }
            ErrorCode::UnexpectedContent | ErrorCode::LengthMismatch | ErrorCode::BodyTooLong => {
                let versions = origin.family(spec.url()).flat_map(|resource: &Resource| &resource.versions);
                let is_other = |length: u64| versions.into_iter().any(|version| version.length != length);
                // A version that is much shorter looks like a page.
                let is_short = error.detail.as_deref() == Some("application/octet-stream");
                by_servers() || is_short || after.record.expects.length.is_some_and(is_other)
            }
            _ => by_servers(),
        };
        // What resume data brought, or a mirror that was asked first, may not be what the server has.
        let may_differ = self.is_adopted || has_other_versions(spec, origin);
        let is_explained = is_explained || (may_differ && error.code == ErrorCode::BadContentRange);
        assert!(is_explained, "nothing explains that {:?} failed with {error:?}", self.key);
    }

    fn check_progress(&self, before: &Task, after: &Task, origin: &Origin) {
        let (old, new) = (&before.progress, &after.progress);
        let is_asked_to_give_up = self.is_asked(|call| *call == TaskCall::ResumeData);
        let is_cancelled = after.record.state == TaskState::Cancelled || after.record.place == Place::Gone;
        if new.body != old.body && old.previous.as_ref().is_some_and(|previous| previous.body == new.body) {
            return;
        }
        // What was set aside is the task's own again, and is gone on with, or given up to resume data in the same commit.
        let is_given_up = new.body != old.body && is_asked_to_give_up && self.event.is_none();
        let back = old.aside.as_deref().filter(|aside| new.body == aside.body || is_given_up);
        if let Some(aside) = back {
            let is_gone = |change: &Change| matches!(change, Change::KillBody(body) if *body == old.body);
            assert!(self.changes.iter().any(is_gone), "two bodies of {:?} stay", self.key);
            if new.body == aside.body {
                let is_kept = is_cancelled || new.received == aside.received;
                return assert!(is_kept && new.aside.is_none(), "bytes that were set aside are lost");
            }
        }
        let old = back.unwrap_or(old);
        if new.body != old.body && is_asked_to_give_up && self.event.is_none() {
            assert!(new.received.is_empty(), "bytes were given up and kept");
            let is_detached = self.changes.iter().any(
                |change| matches!(change, Change::DetachBody(left, _) if left.body == old.body && left.received == old.received),
            );
            let kept = old.representation.as_ref().is_some_and(|kept| kept.is_resumable());
            // With a record, the digest is lost that may be all that tells whether they are of one version.
            let is_proof_lost = before.record.spec.sources.is_empty() && old.adopted.is_none();
            assert!(!is_detached || !is_proof_lost, "bytes were given away without what proves them");
            return assert!(is_detached || !kept || is_proof_lost, "bytes were given up to nobody");
        }
        if new.restarts == old.restarts {
            assert_eq!(old.body, new.body, "another body without a restart");
            let is_restart = matches!(self.event.map(|event| &event.kind), Some(EventKind::Restarted(_)));
            assert!(!is_restart, "the event of a restart without one");
            let is_kept = is_cancelled || is_subset(&old.received, &new.received) || self.is_repair(old.body);
            return assert!(is_kept, "progress fell without a restart: {:?} to {:?}", old.received, new.received);
        }
        assert_eq!(old.restarts + 1, new.restarts, "a restart that is not counted");
        assert_ne!(old.body, new.body, "a restart into the same body");
        assert!(new.received.is_empty(), "bytes survived a restart");
        let reason = match self.event.map(|event| &event.kind) {
            Some(EventKind::Restarted(reason)) => *reason,
            _ => {
                let has_failed = matches!(after.record.state, TaskState::Failed(_));
                let is_silent = before.record.spec.group.is_some() || has_failed;
                return assert!(is_silent, "a restart without its event");
            }
        };
        let is_repair = reason == longhaul::engine::http::RestartReason::DigestMismatch;
        assert!(is_repair || !old.received.is_empty(), "a restart of a task without bytes");
        let kept = old.representation.as_ref().map(|kept| kept.resumability);
        let is_explained = match kept {
            _ if is_repair || self.is_adopted || has_other_versions(&before.record.spec, origin) => true,
            Some(Resumability::RestartOnly | Resumability::SizeUnknown) | None => true,
            Some(_) => origin.family(before.record.spec.url()).any(|resource| resource.explains_restart(reason)),
        };
        assert!(is_explained, "nothing explains that {:?} restarted: {reason:?}", self.key);
    }

    /// Whether the commit drops a piece whose digest was wrong.
    fn is_repair(&self, body: BodyId) -> bool {
        self.changes.iter().any(|change| matches!(change, Change::DeleteChunks { body: of, .. } if *of == body))
    }
}

/// Whether one of the task's mirrors serves, or has served, what the server of its URL never told of, or tells more of
/// it: asked first, it says what the file is, until that server is heard.
fn has_other_versions(spec: &TaskSpec, origin: &Origin) -> bool {
    let told = |resource: &Resource| {
        let versions = resource.versions.iter().map(|version| (version.id, version.length, version.etag.clone()));
        (resource.same_origin || resource.exposes, resource.tells_length, versions.collect::<Vec<_>>())
    };
    let mut all = origin.family(spec.url()).map(told);
    let first = all.next();
    all.any(|other| Some(other) != first)
}

/// Whether the app's digests are not those of all that the servers have.
fn is_promised_wrongly(spec: &TaskSpec, origin: &Origin) -> bool {
    let versions = origin.family(spec.url()).flat_map(|resource: &Resource| &resource.versions);
    let proof = &spec.proof;
    versions.into_iter().any(|version| {
        let by_digest =
            proof.expected.as_ref().is_some_and(|expected| !expected.matches(&version.digest(expected.algorithm())));
        by_digest || proof.pieces.as_ref().is_some_and(|pieces| !super::specs::are_pieces_of(pieces, version))
    })
}

/// Whether all of `part` is in `whole`.
pub fn is_subset(part: &RangeSet, whole: &RangeSet) -> bool {
    part.iter().all(|part| whole.iter().any(|whole| whole.start <= part.start && part.end <= whole.end))
}
