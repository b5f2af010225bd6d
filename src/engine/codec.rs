//! Records as versioned bytes: one byte of format version, then the record in postcard's format. Stores see bytes
//! only, so what is written today is read by tomorrow's version here and nowhere else. `tests/records.rs` holds it
//! against bytes of every format that there was.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version that [`encode`] writes.
pub const FORMAT_VERSION: u8 = 3;
/// What a newer longhaul may have written that this one can still read.
const NEXT_VERSION: u8 = FORMAT_VERSION + 1;
/// What older records lack at their end. All of it reads as nothing: how often a task crashed, and that it comes by plain
/// fetch, is in a checkpoint since format 2; where a task's bytes are, how long a session keeps them, since when a server
/// has been busy, who brought what, whether it was adopted, who told of it, and whether its length is assumed, in theirs since
/// format 3. What lies behind a record's end is not looked at.
const NOTHING: [u8; 9] = [0; 9];

/// The stored bytes of `record`.
pub fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    postcard::to_extend(record, vec![FORMAT_VERSION])
        .unwrap_or_else(|_| unreachable!("records have no values that postcard refuses"))
}

/// Reads what [`encode`] wrote; `None` if the bytes are of a much newer version or damaged. Records of the next version can
/// be read, to be shown and never to be written back: it adds fields at their end, or else is called the one after.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    match bytes.split_first()? {
        (&(FORMAT_VERSION | NEXT_VERSION), record) => postcard::from_bytes(record).ok(),
        (1..FORMAT_VERSION, record) => postcard::from_bytes(&[record, &NOTHING].concat()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::id::{BodyId, SessionId, TaskId, TaskKey};
    use super::super::request::Source;
    use super::super::task::{Expects, FoundByUrl, Place, Progress, TaskRecord, TaskSpec, TaskState};
    use super::super::time::Timestamp;
    use super::*;

    fn record() -> TaskRecord {
        TaskRecord {
            key: TaskKey { session: SessionId::new("podcasts"), task: TaskId::new("episode 1") },
            spec: TaskSpec {
                sources: vec![Source {
                    url: "https://a.example/1".into(),
                    host: "a.example".into(),
                    origin: "https://a.example".into(),
                }],
                call_token: "t".into(),
                metadata: Some("{}".into()),
                ..TaskSpec::default()
            },
            state: TaskState::Active { not_before: Timestamp(5), reason: None },
            since: Timestamp(4),
            created_at: Timestamp(4),
            ended_at: None,
            place: Place::Store,
            fails_when_full: false,
            used_at: Timestamp(0),
            by_url: FoundByUrl::Never,
            expects: Expects::default(),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(decode::<TaskRecord>(&encode(&record())), Some(record()));
        let mut progress = Progress::new(BodyId(u128::MAX));
        progress.received.insert(3..1 << 52);
        assert_eq!(decode::<Progress>(&encode(&progress)), Some(progress));
    }

    #[test]
    fn what_older_versions_wrote_is_read() {
        let mut progress = Progress::new(BodyId(7));
        progress.received.insert(0..5);
        progress.resume_data = Some(vec![1, 2]);
        let mut bytes = encode(&progress);
        let end = bytes.split_off(bytes.len() - 7);
        assert_eq!(
            end,
            NOTHING[..7],
            "the assumed length, what was set aside, when it was busy, restarts in a row, and who brought what, came with version 3"
        );
        bytes[0] = 2;
        assert_eq!(decode::<Progress>(&bytes), Some(progress.clone()));
        let end = bytes.split_off(bytes.len() - 2);
        assert_eq!(end, NOTHING[..2], "crashes and the transport came with version 2");
        bytes[0] = 1;
        assert_eq!(decode::<Progress>(&bytes), Some(progress));
        let mut bytes = encode(&record());
        let end = bytes.split_off(bytes.len() - 6);
        assert_eq!(end, NOTHING[..6], "the place, what is expected, and what is done without room came with version 3");
        for version in [1, 2] {
            bytes[0] = version;
            assert_eq!(decode::<TaskRecord>(&bytes), Some(record()));
        }
    }

    #[test]
    fn damaged_and_much_newer_bytes_are_refused() {
        let bytes = encode(&record());
        let newer = |by: u8| [&[FORMAT_VERSION + by], &bytes[1..], b"what came to it"].concat();
        assert_eq!(decode::<TaskRecord>(&newer(1)), Some(record()));
        assert_eq!(decode::<TaskRecord>(&newer(2)), None);
        for cut in 0..bytes.len() {
            assert_eq!(decode::<TaskRecord>(&bytes[..cut]), None, "cut at {cut}");
        }
    }
}
