//! The store on a real IndexedDB, in a real service worker: the same contract suite that the store in memory keeps,
//! and what only a browser can show. Calls of pages, which are JavaScript values. Run by `wasm-pack test` (see tools/test.mjs).
#![cfg(target_arch = "wasm32")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test's helpers: panicking is how they report")]

#[path = "web/calls.rs"]
mod calls;
#[path = "web/derived.rs"]
mod derived;

use idb::{DatabaseEvent, Factory, KeyPath, ObjectStoreParams};
use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use longhaul::engine::codec::decode;
use longhaul::engine::id::{BodyId, EffectId, SessionId};
use longhaul::engine::input::CommitOutcome;
use longhaul::engine::output::Change;
use longhaul::engine::session::{Configuration, SessionRecord};
use longhaul::engine::task::{FoundByUrl, Place, Progress, TaskRecord};
use longhaul::store::boot::boot;
use longhaul::store::changes::to_writes;
use longhaul::store::{Index, IndexKeys, Key, KeyRange, Reader, Store, Table, Value, Write, contract};
use longhaul::web::indexeddb::{ChunkKind, IndexedDb};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::Blob;

wasm_bindgen_test_configure!(run_in_service_worker);

fn blob(len: usize) -> JsValue {
    let parts = Array::of1(&Uint8Array::new_with_length(len as u32));
    Blob::new_with_u8_array_sequence(&parts).expect("blobs can be made").into()
}

fn buffer(len: usize) -> JsValue {
    Uint8Array::new_with_length(len as u32).buffer().into()
}

async fn open(name: &str) -> IndexedDb {
    let unique = format!("longhaul test {name} {}", js_sys::Math::random());
    IndexedDb::open(&unique).await.expect("the database opens")
}

#[wasm_bindgen_test]
async fn indexeddb_keeps_the_contract_with_blobs() {
    contract::all(&open("blobs").await, blob).await;
}

#[wasm_bindgen_test]
async fn indexeddb_keeps_the_contract_with_array_buffers() {
    contract::all(&open("buffers").await, buffer).await;
}

#[wasm_bindgen_test]
async fn the_probe_finds_blobs_and_leaves_nothing_behind() {
    let store = open("probe").await;
    assert_eq!(store.chunk_kind(), ChunkKind::Blob);
    let everything = KeyRange::all();
    let reader = store.reader().await.expect("the store opens");
    assert!(reader.scan_keys(Table::Chunks, &everything, 10).await.expect("the store answers").is_empty());
}

/// A value that cannot be stored throws in the middle of a commit; what was queued before it must not stay.
#[wasm_bindgen_test]
async fn a_commit_that_throws_leaves_no_row() {
    let store = open("throws").await;
    let epoch = store.advance_epoch().await.expect("the epoch advances");
    let body = BodyId(5);
    let unstorable: JsValue = js_sys::Function::new_no_args("").into();
    let changes = [
        Change::PutBody(body),
        Change::Append { body, offset: 0, len: 8, buffer: EffectId(1) },
        Change::Append { body, offset: 8, len: 8, buffer: EffectId(2) },
    ];
    let writes = to_writes(&changes, |id| Some(if id == EffectId(1) { buffer(8) } else { unstorable.clone() }));
    assert!(matches!(store.commit(epoch, writes).await, CommitOutcome::Failed(_)));
    let reader = store.reader().await.expect("the store opens");
    assert!(reader.get(Table::Bodies, &Key::body(body)).await.expect("the store answers").is_none());
    assert!(reader.get(Table::Chunks, &Key::chunk(body, 0)).await.expect("the store answers").is_none());
}

/// Records leave the wasm memory as small buffers of their own, not as views that would store all of it.
#[wasm_bindgen_test]
async fn a_record_is_stored_as_its_own_bytes() {
    let store = open("own bytes").await;
    let epoch = store.advance_epoch().await.expect("the epoch advances");
    let value = Value::Bytes(vec![1, 2, 3]);
    let write =
        Write::Put { table: Table::Sessions, key: Key::text("s"), value: value.clone(), keys: IndexKeys::default() };
    assert_eq!(store.commit(epoch, vec![write]).await, CommitOutcome::Committed);
    let reader = store.reader().await.expect("the store opens");
    let row = reader.get(Table::Sessions, &Key::text("s")).await.expect("the store answers");
    assert!(matches!(row, Some(Value::Bytes(bytes)) if bytes == [1, 2, 3]));
}

/// A second connection under a newer epoch fences the first, as two live workers would meet.
#[wasm_bindgen_test]
async fn two_connections_are_fenced_by_the_epoch() {
    let name = format!("longhaul test two {}", js_sys::Math::random());
    let (old, new) = (IndexedDb::open(&name).await.expect("opens"), IndexedDb::open(&name).await.expect("opens"));
    let old_epoch = old.advance_epoch().await.expect("the epoch advances");
    let new_epoch = new.advance_epoch().await.expect("the epoch advances");
    let change = to_writes(&[Change::PutBody(BodyId(1))], |_| None);
    assert_eq!(old.commit(old_epoch, change.clone()).await, CommitOutcome::Fenced);
    assert_eq!(new.commit(new_epoch, change).await, CommitOutcome::Committed);
}

/// Two callers that open the database at the same time share one connection: a second would block every upgrade.
#[wasm_bindgen_test]
async fn callers_that_open_at_the_same_time_leave_no_connection_behind() {
    let name = format!("longhaul test one {}", js_sys::Math::random());
    drop(IndexedDb::open(&name).await.expect("the database can be made"));
    let store = IndexedDb::as_it_is(&name);
    let readers = [store.clone(), store.clone()].map(|store| {
        future_to_promise(async move { store.reader().await.map(|_| JsValue::NULL).map_err(|_| JsValue::NULL) })
    });
    let readers = Promise::all(&Array::of2(&readers[0], &readers[1]));
    JsFuture::from(readers).await.expect("both read");
    let mut request = Factory::new().and_then(|factory| factory.open(&name, Some(99))).expect("it can be asked for");
    let blocked = Promise::new(&mut |_, reject| request.on_blocked(move |_| drop(reject.call0(&JsValue::NULL))));
    let opened = future_to_promise(async move { request.await.map(|_| JsValue::NULL).map_err(|_| JsValue::NULL) });
    let first = JsFuture::from(Promise::race(&Array::of2(&opened, &blocked))).await;
    assert!(first.is_ok(), "a connection was left open, and blocks the upgrade");
}

/// A row of which the browser has lost a part fails the request for all of them. The others are read all the same, and it
/// becomes one that cannot be read.
#[wasm_bindgen_test]
async fn a_row_that_the_browser_itself_cannot_read_hides_no_other() {
    let store = open("lost").await;
    let epoch = store.advance_epoch().await.expect("the epoch advances");
    let put = |id: &str| {
        let (id, configuration) = (SessionId::new(id), Configuration::default());
        Change::PutSession(SessionRecord::new(id, configuration, false))
    };
    let writes = to_writes(&["a", "lost", "z"].map(put), |_| None);
    assert_eq!(store.commit(epoch, writes).await, CommitOutcome::Committed);
    let break_reads = "const { get, getAll } = IDBObjectStore.prototype;
        const lost = () => new DOMException('Failed to read large IndexedDB value', 'DataError');
        IDBObjectStore.prototype.getAll = function () { this.transaction.abort(); throw lost(); };
        IDBObjectStore.prototype.get = function (key) {
            if (key[0] === 'lost') { this.transaction.abort(); throw lost(); }
            return get.call(this, key);
        };
        return () => Object.assign(IDBObjectStore.prototype, { get, getAll });";
    let mend = Function::new_no_args(break_reads).call0(&JsValue::NULL).expect("it runs");
    let snapshot = boot(&store.reader().await.expect("the store opens")).await;
    mend.unchecked_into::<Function>().call0(&JsValue::NULL).expect("it runs");
    let sessions = snapshot.expect("the store boots").sessions;
    let found = sessions.iter().map(|session| (session.record.id.as_str(), session.record.is_unreadable()));
    assert_eq!(found.collect::<Vec<_>>(), [("a", false), ("lost", true), ("z", false)]);
}

/// A database of version 1, which was never published, is emptied and made anew.
#[wasm_bindgen_test]
async fn a_database_of_the_first_version_is_made_anew() {
    let name = format!("longhaul test climb {}", js_sys::Math::random());
    let mut request = Factory::new().and_then(|factory| factory.open(&name, Some(1))).expect("the database opens");
    request.on_upgrade_needed(|event| {
        let database = event.database().expect("an upgrade has its database");
        for table in ["meta", "tasks", "gone"] {
            let store = database.create_object_store(table, ObjectStoreParams::new()).expect("stores can be made");
            store.put(&"old".into(), Some(&"epoch".into())).expect("rows can be put");
        }
    });
    request.await.expect("the database opens").close();
    let store = IndexedDb::open(&name).await.expect("the database climbs");
    assert_eq!(store.advance_epoch().await, Ok(1));
    contract::all(&store, buffer).await;
}

/// Databases of versions 2 and 3 keep their rows, whose records are of formats 1 and 2, and get the index by URL.
#[wasm_bindgen_test]
async fn databases_of_older_versions_keep_their_rows() {
    let of_format = [
        [
            include_bytes!("fixtures/records/1/session").as_slice(),
            include_bytes!("fixtures/records/1/progress").as_slice(),
            include_bytes!("fixtures/records/1/task-2").as_slice(),
        ],
        [
            include_bytes!("fixtures/records/2/session").as_slice(),
            include_bytes!("fixtures/records/2/progress").as_slice(),
            include_bytes!("fixtures/records/2/task-2").as_slice(),
        ],
    ];
    for (version, rows) in (2..).zip(of_format) {
        let name = format!("longhaul test climb {}", js_sys::Math::random());
        old_database(&name, version, rows).await;
        let store = IndexedDb::open(&name).await.expect("the database climbs");
        let reader = store.reader().await.expect("the store opens");
        let bytes = async |table| match reader.get(table, &Key::text("podcasts")).await {
            Ok(Some(Value::Bytes(bytes))) => bytes,
            other => panic!("{other:?} in {table:?}"),
        };
        let session: SessionRecord = decode(&bytes(Table::Sessions).await).expect("it is read");
        let progress: Progress = decode(&bytes(Table::Progress).await).expect("it is read");
        let crashes = if version == 2 { 0 } else { 2 };
        assert_eq!((session.id.as_str(), progress.restarts, progress.crashes), ("podcasts", 5, crashes));
        let mut record: TaskRecord = decode(&bytes(Table::Tasks).await).expect("it is read");
        assert_eq!((record.place.clone(), record.by_url), (Place::Store, FoundByUrl::Never));

        record.by_url = FoundByUrl::Anywhere;
        let epoch = store.advance_epoch().await.expect("the lease is taken");
        let writes = to_writes(&[Change::PutTask(record.clone())], |_| None);
        assert_eq!(store.commit(epoch, writes).await, CommitOutcome::Committed);
        let range = KeyRange::only(Key::text(record.spec.url()));
        let reader = store.reader().await.expect("the store opens");
        let found = reader.scan_index(Table::Tasks, Index::Url, &range, 2).await.expect("there is such an index");
        assert_eq!(found.len(), 1);
    }
}

/// Makes a database as an older version made it, with a session, a checkpoint and a task.
async fn old_database(name: &str, version: u32, rows: [&'static [u8]; 3]) {
    let mut request = Factory::new().and_then(|factory| factory.open(name, Some(version))).expect("the database opens");
    request.on_upgrade_needed(move |event| {
        let database = event.database().expect("an upgrade has its database");
        for table in Table::ALL {
            let params = ObjectStoreParams::new();
            let store = database.create_object_store(table.name(), params).expect("stores can be made");
            for index in table.indexes().iter().filter(|index| **index != Index::Url) {
                let property = KeyPath::new_single(index.name());
                store.create_index(index.name(), property, None).expect("indexes can be made");
            }
            let [session, progress, task] = rows.map(|row| Uint8Array::from(row).buffer());
            let row: JsValue = match table {
                Table::Sessions => session.into(),
                Table::Progress => progress.into(),
                Table::Tasks => {
                    let row = Object::new();
                    Reflect::set(&row, &"v".into(), &task).expect("an ordinary object");
                    row.into()
                }
                _ => continue,
            };
            let key = Array::of1(&"podcasts".into());
            store.put(&row, Some(&key)).expect("rows can be put");
        }
    });
    request.await.expect("the database opens").close();
}
