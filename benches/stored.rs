//! What storage holds before a benchmark begins.

use longhaul::engine::RangeSet;
use longhaul::engine::group::GroupKey;
use longhaul::engine::id::{BodyId, GroupId, SessionId, TaskId, TaskKey};
use longhaul::engine::input::Call;
use longhaul::engine::output::Change;
use longhaul::engine::policy::Policy;
use longhaul::engine::request::Source;
use longhaul::engine::session::{Configuration, Limits, SessionRecord};
use longhaul::engine::task::{Expects, FoundByUrl, Place, Progress, TaskRecord, TaskSpec, TaskState};
use longhaul::engine::time::Timestamp;
use longhaul::store::changes::to_writes;
use longhaul::store::memory::MemoryStore;

/// The length of a file whose download never ends within a benchmark: 1 PiB.
pub const ENDLESS: u64 = 1 << 50;
/// The length of a map tile in bytes.
pub const TILE_BYTES: u64 = 15_000;

/// The session of all tasks.
pub fn session_id() -> SessionId {
    SessionId::new("maps")
}

/// A session that may use all six connections of the worker.
fn session() -> SessionRecord {
    let limits = Limits { max_concurrent_tasks: 6, max_per_host_hidden: 6, ..Limits::default() };
    SessionRecord::new(session_id(), Configuration { version: 1, limits }, false)
}

fn spec(n: usize, max_segments: u32) -> TaskSpec {
    let source = Source {
        url: format!("https://files.example/archive/{n}.bin"),
        host: "files.example:443".into(),
        origin: "https://files.example".into(),
    };
    let policy = Policy { max_segments, ..Policy::default() };
    TaskSpec { sources: vec![source], policy, call_token: "a call's token".into(), ..TaskSpec::default() }
}

fn task(n: usize, max_segments: u32, state: TaskState) -> [Change; 3] {
    let key = TaskKey { session: session_id(), task: TaskId::new(&format!("task {n:06}")) };
    let mut progress = Progress::new(BodyId(n as u128));
    if state.has_ended() {
        progress.received.insert(0..TILE_BYTES);
    }
    let since = Timestamp(n as u64);
    let ended_at = state.has_ended().then_some(since);
    let spec = spec(n, max_segments);
    let record = TaskRecord {
        key: key.clone(),
        spec,
        state,
        since,
        created_at: since,
        ended_at,
        place: Place::Store,
        fails_when_full: false,
        used_at: Timestamp(0),
        by_url: FoundByUrl::Never,
        expects: Expects::default(),
    };
    [Change::PutBody(progress.body), Change::PutTask(record), Change::PutProgress(key, progress)]
}

/// A store that holds a session of `count` tasks: the first of them are ready to run, the others are in the state
/// `others`.
pub fn tasks(count: usize, ready: usize, max_segments: u32, others: &TaskState) -> MemoryStore<()> {
    let store = MemoryStore::default();
    let epoch = store.next_epoch();
    store.apply(epoch, to_writes(&[Change::PutSession(session())], |_| None));
    for n in 0..count {
        let state = if n < ready { &TaskState::READY } else { others };
        store.apply(epoch, to_writes(&task(n, max_segments, state.clone()), |_| None));
    }
    store
}

/// A call for the tiles of one map with these numbers.
pub fn tiles(numbers: std::ops::Range<usize>, is_last: bool) -> Call {
    let group = GroupKey { session: session_id(), group: GroupId::new("a map") };
    let member = |n| {
        let spec = TaskSpec { group: Some(group.group.clone()), ..spec(n, Policy::default().max_segments) };
        (TaskId::new(&format!("tile {n:06}")), spec)
    };
    let members = numbers.map(member).collect();
    Call::DownloadAll { group: group.clone(), fails_together: false, members, is_last }
}

/// A set of so many ranges of 1 MiB, each with a gap of 1 MiB before it.
pub fn ranges(count: u64) -> RangeSet {
    let mut set = RangeSet::default();
    for n in 0..count {
        set.insert((2 * n + 1) << 20..(2 * n + 2) << 20);
    }
    set
}
