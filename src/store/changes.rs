//! What the engine's changes mean in rows.

use super::{Key, KeyRange, Table, Value, Write};
use crate::engine::codec::encode;
use crate::engine::id::EffectId;
use crate::engine::output::Change;

/// How many past events a session keeps.
pub const HISTORY_LIMIT: u64 = 1_000;

/// The rows of a commit. `take_buffer` hands over the bytes that a read collected.
pub fn to_writes<C>(changes: &[Change], mut take_buffer: impl FnMut(EffectId) -> Option<C>) -> Vec<Write<C>> {
    changes.iter().flat_map(|change| rows(change, &mut take_buffer)).flatten().collect()
}

/// A change is one row or two.
fn rows<C>(change: &Change, take_buffer: &mut impl FnMut(EffectId) -> Option<C>) -> [Option<Write<C>>; 3] {
    let one = |write| [Some(write), None, None];
    match change {
        Change::PutSession(record) => one(put(Table::Sessions, Key::text(record.id.as_str()), encode(record), None)),
        Change::PutTask(record) => {
            let due = record.due().map(|due| due.0);
            one(put(Table::Tasks, Key::task(&record.key), encode(record), due))
        }
        Change::DeleteTask(key) => [
            Some(delete(Table::Tasks, KeyRange::only(Key::task(key)))),
            Some(delete(Table::Progress, KeyRange::only(Key::task(key)))),
            None,
        ],
        Change::PutProgress(key, progress) => one(put(Table::Progress, Key::task(key), encode(progress), None)),
        Change::PutBody(body) => one(put(Table::Bodies, Key::body(*body), encode(body), None)),
        Change::KillBody(body) => one(put(Table::Bodies, Key::body(*body), encode(body), Some(0))),
        Change::DeleteBody(body) => one(delete(Table::Bodies, KeyRange::only(Key::body(*body)))),
        Change::Append { body, offset, len, buffer } => {
            let chunk = take_buffer(*buffer).map(|chunk| Value::Chunk(chunk, *len));
            let key = Key::chunk(*body, *offset);
            [chunk.map(|value| Write::Put { table: Table::Chunks, key, value, index: None }), None, None]
        }
        Change::DeleteChunks { body, through } => one(delete(Table::Chunks, KeyRange::chunks(*body, *through))),
        Change::PutEvent(session, event) => {
            let key = Key::event(session, event.seq);
            let expired = event.seq.checked_sub(HISTORY_LIMIT);
            [
                Some(put(Table::Outbox, key.clone(), encode(event), None)),
                Some(put(Table::History, key, encode(event), None)),
                expired.map(|last| delete(Table::History, KeyRange::events(session, 0, last))),
            ]
        }
        Change::DeleteEvents { session, through } => one(delete(Table::Outbox, KeyRange::events(session, 0, *through))),
    }
}

fn put<C>(table: Table, key: Key, bytes: Vec<u8>, index: Option<u64>) -> Write<C> {
    Write::Put { table, key, value: Value::Bytes(bytes), index }
}

fn delete<C>(table: Table, range: KeyRange) -> Write<C> {
    Write::Delete { table, range }
}
