//! What an effect in flight is for: who takes its completion.

use std::ops::Range;

use super::calls::StagedSession;
use super::group::GroupKey;
use super::groups::StagedGroup;
use super::id::{CallId, EffectId, SessionId, TaskKey};
use super::slot::Staged;
use super::task::TaskSpec;
use super::verbs::TakeUp;

/// What an effect in flight is for.
#[derive(Debug)]
pub(super) enum Purpose {
    LoadTask(TaskKey),
    LoadMembers(u64, Vec<(TaskKey, TaskSpec)>),
    LoadPage(u64),
    LoadTasks(CallId),
    LoadHistory(CallId),
    FindByUrl(CallId),
    LoadOutbox(SessionId),
    LoadDetached(TaskKey, Box<TakeUp>),
    LoadCounts(GroupKey),
    LoadEnded(SessionId),
    Refill(SessionId),
    FindDeadBodies,
    CommitTask(TaskKey, Box<Staged>),
    CommitSession(Box<StagedSession>),
    CommitGroup(GroupKey, Box<StagedGroup>),
    CommitAck(SessionId, u64),
    CommitSweep { makes_room: bool },
    CommitTidied,
    Fetch(TaskKey),
    Read(TaskKey, EffectId),
    HashFile(TaskKey),
    HashPiece(TaskKey, Range<u64>),
    File(TaskKey),
    Probe(TaskKey),
    TryRoom,
    Look(TaskKey),
}
