//! The schema, as a ladder: every version adds its step, and a database of any age climbs from where it is.

use idb::event::VersionChangeEvent;
use idb::{DatabaseEvent, Event, IndexParams, KeyPath, ObjectStoreParams, Request};

use crate::engine::codec::FORMAT_VERSION;
use crate::store::{Index, Table};

/// The database's version: it rises with the tables and with the format of the records, so that an older longhaul that
/// would write what a newer one cannot read, or misread what that has written, is kept out by the browser itself.
pub const VERSION: u32 = 4;
const _: () = assert!(VERSION == FORMAT_VERSION as u32 + 1, "another format is another version of the database");

/// Brings an opened database up to [`VERSION`]. A step that fails aborts the upgrade, and with it the opening.
pub fn upgrade(event: &VersionChangeEvent) {
    let steps = || -> Result<(), idb::Error> {
        let from = event.old_version()?;
        let database = event.database()?;
        // Version 1 was never published: nothing of it is kept.
        if from < 2 {
            for old in database.store_names() {
                database.delete_object_store(&old)?;
            }
            for table in Table::ALL {
                let store = database.create_object_store(table.name(), ObjectStoreParams::new())?;
                for index in table.indexes() {
                    let property = KeyPath::new_single(index.name());
                    store.create_index(index.name(), property, Some(IndexParams::new()))?;
                }
            }
        }
        // Version 3 has the tables of version 2. Records of older formats are read as they are, and written anew when they
        // change.
        if (2..4).contains(&from) {
            let upgrading = event.target()?.transaction().ok_or(idb::Error::EventTargetNotFound)?;
            let (index, tasks) = (Index::Url.name(), upgrading.object_store(Table::Tasks.name())?);
            tasks.create_index(index, KeyPath::new_single(index), Some(IndexParams::new()))?;
        }
        Ok(())
    };
    // The browser aborts the upgrade if this callback throws; a table that could not be made shows at its first use.
    if steps().is_err() {
        wasm_bindgen::throw_str("longhaul: the database could not be made");
    }
}
