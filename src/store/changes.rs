//! What the engine's changes mean in rows.

use super::bodies::BodyRecord;
use super::{IndexKeys, Key, KeyRange, Table, Value, Write};
use crate::engine::codec::encode;
use crate::engine::id::EffectId;
use crate::engine::output::Change;

/// How many past events a session keeps.
pub const HISTORY_LIMIT: u64 = 1_000;

/// The rows of a commit. `take_buffer` hands over the bytes that a read collected.
pub fn to_writes<C>(changes: &[Change], mut take_buffer: impl FnMut(EffectId) -> Option<C>) -> Vec<Write<C>> {
    changes.iter().flat_map(|change| rows(change, &mut take_buffer)).flatten().collect()
}

/// A change is one row or a few.
fn rows<C>(change: &Change, take_buffer: &mut impl FnMut(EffectId) -> Option<C>) -> [Option<Write<C>>; 3] {
    let one = |write| [Some(write), None, None];
    match change {
        Change::PutSession(record) => one(put(Table::Sessions, Key::text(record.id.as_str()), encode(record))),
        Change::PutTask(record) => {
            let keys = IndexKeys { due: Key::due(record), group: Key::member(record), url: Key::url(record) };
            one(put_indexed(Table::Tasks, Key::task(&record.key), encode(record), keys))
        }
        Change::DeleteTask(key) => [
            Some(delete(Table::Tasks, KeyRange::only(Key::task(key)))),
            Some(delete(Table::Progress, KeyRange::only(Key::task(key)))),
            None,
        ],
        Change::PutProgress(key, progress) => one(put(Table::Progress, Key::task(key), encode(progress))),
        Change::PutGroup(record) => {
            let due = (!record.is_done).then(|| Key::text(record.key.session.as_str()));
            let keys = IndexKeys { due, ..IndexKeys::default() };
            one(put_indexed(Table::Groups, Key::group(&record.key), encode(record), keys))
        }
        Change::PutBody(body) => one(put_body(&BodyRecord::Live(*body))),
        Change::DetachBody(detached, until) => one(put_body(&BodyRecord::Detached(detached.clone(), *until))),
        Change::KillBody(body) => one(put_body(&BodyRecord::Dead(*body))),
        Change::DeleteBody(body) => one(delete(Table::Bodies, KeyRange::only(Key::body(*body)))),
        Change::Append { body, offset, len, buffer } => {
            let chunk = take_buffer(*buffer).map(|chunk| Value::Chunk(chunk, *len));
            let key = Key::chunk(*body, *offset);
            let keys = IndexKeys::default();
            [chunk.map(|value| Write::Put { table: Table::Chunks, key, value, keys }), None, None]
        }
        Change::DeleteChunks { body, from, through } => {
            one(delete(Table::Chunks, KeyRange::chunks(*body, *from, *through)))
        }
        Change::PutEvent(event) => {
            let key = Key::event(&event.session, event.seq);
            let expired = event.seq.checked_sub(HISTORY_LIMIT);
            [
                Some(put(Table::Outbox, key.clone(), encode(event))),
                Some(put(Table::History, key, encode(event))),
                expired.map(|last| delete(Table::History, KeyRange::events(&event.session, 0, last))),
            ]
        }
        Change::DeleteEvents { session, through } => one(delete(Table::Outbox, KeyRange::events(session, 0, *through))),
    }
}

fn put<C>(table: Table, key: Key, bytes: Vec<u8>) -> Write<C> {
    put_indexed(table, key, bytes, IndexKeys::default())
}

fn put_indexed<C>(table: Table, key: Key, bytes: Vec<u8>, keys: IndexKeys) -> Write<C> {
    Write::Put { table, key, value: Value::Bytes(bytes), keys }
}

fn put_body<C>(record: &BodyRecord) -> Write<C> {
    let keys = IndexKeys { due: record.dies_at().map(Key::time), ..IndexKeys::default() };
    put_indexed(Table::Bodies, Key::body(record.body()), encode(record), keys)
}

fn delete<C>(table: Table, range: KeyRange) -> Write<C> {
    Write::Delete { table, range }
}
