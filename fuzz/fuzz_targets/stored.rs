//! Rows as a damaged disk or a hostile resume file would hold them. What can be read must be a record like any other:
//! written again, it is read back as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use longhaul::engine::codec::{FORMAT_VERSION, decode, encode};
use longhaul::engine::http::Representation;
use longhaul::engine::group::GroupRecord;
use longhaul::engine::resume_data::{self, Detached};
use longhaul::engine::session::SessionRecord;
use longhaul::engine::task::{Progress, TaskEvent, TaskRecord};
use longhaul::integrity::HashState;
use longhaul::store::bodies::BodyRecord;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn read<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Some(record) = decode::<T>(bytes) {
        assert_eq!(decode::<T>(&encode(&record)), Some(record));
    }
}

fuzz_target!(|bytes: &[u8]| {
    // Almost all inputs would end at the version: it is given, and the bytes as they are, too.
    let versioned = [&[FORMAT_VERSION], bytes].concat();
    for bytes in [bytes, versioned.as_slice()] {
        read::<TaskRecord>(bytes);
        read::<TaskEvent>(bytes);
        read::<Progress>(bytes);
        read::<SessionRecord>(bytes);
        read::<Representation>(bytes);
        read::<Detached>(bytes);
        read::<GroupRecord>(bytes);
        read::<BodyRecord>(bytes);
        let _ = resume_data::read(bytes);
        let _ = HashState::from_bytes(bytes);
    }
});
