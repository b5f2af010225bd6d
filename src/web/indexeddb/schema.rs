//! The schema, as a ladder: every version adds its step, and a database of any age climbs from where it is.

use idb::event::VersionChangeEvent;
use idb::{DatabaseEvent, IndexParams, KeyPath, ObjectStoreParams};

use crate::store::Table;

/// The schema that this version writes.
pub const VERSION: u32 = 1;
/// The property of a row by which its table is indexed.
pub const INDEX: &str = "i";

/// Brings an opened database up to [`VERSION`]. A step that fails aborts the upgrade, and with it the opening.
pub fn upgrade(event: &VersionChangeEvent) {
    let steps = || -> Result<(), idb::Error> {
        let from = event.old_version()?;
        let database = event.database()?;
        if from < 1 {
            for table in Table::ALL {
                let store = database.create_object_store(table.name(), ObjectStoreParams::new())?;
                if table.is_indexed() {
                    store.create_index(INDEX, KeyPath::new_single(INDEX), Some(IndexParams::new()))?;
                }
            }
        }
        Ok(())
    };
    // The browser aborts the upgrade if this callback throws; a table that could not be made shows at its first use.
    if steps().is_err() {
        wasm_bindgen::throw_str("longhaul: the database could not be made");
    }
}
