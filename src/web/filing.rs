//! Files that leave the store for Cache Storage or the origin private file system, one stored chunk in memory at a time.
//! Neither shows anything of a file under its name before all of it is there.

use std::cell::Cell;
use std::ops::Range;

use js_sys::{Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use web_sys::{ReadableStream, Response};

use super::agent::stores_cut_bodies;
use super::error::{describe, is_named};
use super::files::{Loss, bytes, chunk};
use super::indexeddb::IndexedDb;
use super::messages::Message;
use crate::engine::error::{ErrorCode, TaskError};
use crate::engine::file::{FileLocation, Service};
use crate::engine::task::Destination;

#[wasm_bindgen]
extern "C" {
    type Storage;
    #[wasm_bindgen(thread_local_v2, js_namespace = navigator, js_name = storage)]
    static STORAGE: Storage;
    #[wasm_bindgen(method, catch, js_name = getDirectory)]
    fn directory(this: &Storage) -> Result<Promise, JsValue>;

    /// `FileSystemDirectoryHandle`, and its file handles.
    type Entry;
    #[wasm_bindgen(method, catch, js_name = getDirectoryHandle)]
    fn folder(this: &Entry, name: &str, options: &JsValue) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = getFileHandle)]
    fn file(this: &Entry, name: &str, options: &JsValue) -> Result<Promise, JsValue>;
    /// Not in every browser's workers.
    #[wasm_bindgen(method, catch, js_name = createWritable)]
    fn writable(this: &Entry) -> Result<Promise, JsValue>;
    /// What has the name is replaced.
    #[wasm_bindgen(method, catch, js_name = move)]
    fn rename(this: &Entry, folder: &Entry, name: &str) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = removeEntry)]
    fn remove(this: &Entry, name: &str) -> Result<Promise, JsValue>;

    type Caches;
    #[wasm_bindgen(thread_local_v2, js_name = caches)]
    static CACHES: Caches;
    #[wasm_bindgen(method, catch)]
    fn open(this: &Caches, name: &str) -> Result<Promise, JsValue>;
    type Cache;
    #[wasm_bindgen(method, catch)]
    fn put(this: &Cache, url: &str, response: &Response) -> Result<Promise, JsValue>;

    #[wasm_bindgen(js_name = TransformStream)]
    type Pipe;
    #[wasm_bindgen(constructor, catch, js_class = "TransformStream")]
    fn new() -> Result<Pipe, JsValue>;
    #[wasm_bindgen(method, getter)]
    fn readable(this: &Pipe) -> ReadableStream;
    #[wasm_bindgen(method, getter, js_name = writable)]
    fn inlet(this: &Pipe) -> Sink;

    /// `WritableStream`.
    type Sink;
    #[wasm_bindgen(method, catch, js_name = getWriter)]
    fn writer(this: &Sink) -> Result<Writer, JsValue>;
    type Writer;
    #[wasm_bindgen(method)]
    fn write(this: &Writer, bytes: &Uint8Array) -> Promise;
    #[wasm_bindgen(method)]
    fn close(this: &Writer) -> Promise;
    #[wasm_bindgen(method)]
    fn abort(this: &Writer) -> Promise;
}

/// What the name of a file that is being written ends with.
const PART: &str = ".part";
/// What Chromium puts behind that, for what is written and not closed. After a kill it stays.
const SWAP: &str = ".part.crswap";

/// Where the bytes go, and what else has to end well before they are there.
struct Target {
    writer: Writer,
    end: End,
}

enum End {
    Put(Promise),
    Part(Part),
}

/// A file that is being written beside its place: what has the name there stays until all of the new one has come.
struct Part {
    folder: Entry,
    name: String,
    file: Entry,
}

impl Part {
    async fn begin(folder: Entry, name: String, create: &JsValue) -> Result<(Self, Writer), JsValue> {
        match JsFuture::from(folder.file(&name, &Object::new())?).await {
            Err(exception) if !is_named(&exception, "NotFoundError") => return Err(exception),
            _ => clear(&folder, &name).await,
        }
        let file: Entry = JsFuture::from(folder.file(&(name.clone() + PART), create)?).await?.unchecked_into();
        let part = Self { folder, name, file };
        match part.writer().await {
            Ok(writer) => Ok((part, writer)),
            Err(exception) => {
                clear(&part.folder, &part.name).await;
                Err(exception)
            }
        }
    }

    async fn writer(&self) -> Result<Writer, JsValue> {
        let writable: Sink = JsFuture::from(self.file.writable()?).await?.unchecked_into();
        writable.writer()
    }

    async fn take_its_place(&self) -> Result<(), JsValue> {
        JsFuture::from(self.file.rename(&self.folder, &self.name)?).await.map(drop)
    }
}

/// Removes what is left of a file that was being written, if there is anything.
async fn clear(folder: &Entry, name: &str) {
    for ending in [PART, SWAP] {
        if let Ok(removed) = folder.remove(&[name, ending].concat()) {
            let _ = JsFuture::from(removed).await;
        }
    }
}

/// Writes the file to its destination, unless it `is_ended` before.
///
/// # Errors
/// `quota-exceeded`; `storage` if the chunks could not be read, of which `lost` hears where they lie; else `destination-failed` with what the browser said.
pub async fn file(
    store: &IndexedDb,
    service: &Service,
    destination: &Destination,
    is_ended: &Cell<bool>,
    lost: &dyn Fn(Range<u64>),
) -> Result<(), TaskError> {
    let Target { writer, end } = match destination {
        Destination::Cache { name, url } => into_cache(service, name, url).await,
        Destination::Opfs(path) => into_opfs(path).await,
    }
    .map_err(|exception| failure(&exception))?;
    let copied = match copy(store, &service.file, &writer, (is_ended, lost)).await {
        Ok(()) => JsFuture::from(writer.close()).await.map(drop).map_err(|exception| failure(&exception)),
        Err(error) => {
            // It may be broken already, and then says so again.
            let _ = JsFuture::from(writer.abort()).await;
            Err(error)
        }
    };
    match end {
        End::Part(part) => {
            let moved = match copied {
                Ok(()) => part.take_its_place().await.map_err(|exception| failure(&exception)),
                failed => failed,
            };
            if moved.is_err() {
                clear(&part.folder, &part.name).await;
            }
            moved
        }
        End::Put(put) => match (JsFuture::from(put).await, copied) {
            // What broke the pipe says more than the pipe.
            (Err(exception), Err(error)) if error.code == ErrorCode::DestinationFailed => Err(failure(&exception)),
            (Err(exception), Ok(())) => Err(failure(&exception)),
            (_, copied) => copied,
        },
    }
}

async fn copy(
    store: &IndexedDb,
    file: &FileLocation,
    to: &Writer,
    (is_ended, lost): (&Cell<bool>, &dyn Fn(Range<u64>)),
) -> Result<(), TaskError> {
    let unreadable = |loss| {
        if let Loss::Unreadable(range) = loss {
            lost(range);
        }
        TaskError::new(ErrorCode::Storage)
    };
    let mut offset = 0;
    while let Some(found) = chunk(store, (file.body, file.length), offset).await.map_err(unreadable)? {
        let end = found.1 + found.2;
        let bytes = bytes(store, file.body, found).await.map_err(unreadable)?;
        if is_ended.get() {
            return Err(TaskError::new(ErrorCode::DestinationFailed));
        }
        JsFuture::from(to.write(&Uint8Array::new(&bytes))).await.map_err(|exception| failure(&exception))?;
        offset = end;
    }
    Ok(())
}

async fn into_opfs(path: &str) -> Result<Target, JsValue> {
    let create = Object::new();
    Reflect::set(&create, &"create".into(), &true.into())?;
    let entry = |promise: Promise| async { JsFuture::from(promise).await.map(JsCast::unchecked_into::<Entry>) };
    let mut folder = entry(STORAGE.with(Storage::directory)?).await?;
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    for name in folders.split('/').filter(|name| !name.is_empty()) {
        folder = entry(folder.folder(name, &create)?).await?;
    }
    let (part, writer) = Part::begin(folder, name.to_owned(), &create).await?;
    Ok(Target { writer, end: End::Part(part) })
}

async fn into_cache(service: &Service, name: &str, url: &str) -> Result<Target, JsValue> {
    let Service { file, etag, last_modified, .. } = service;
    let cache: Cache = JsFuture::from(CACHES.with(|caches| caches.open(name))?).await?.unchecked_into();
    let pipe = Pipe::new()?;
    // Whoever answers with it from there: it is what its server said that it is, and runs nothing as the app.
    let headers = Message::new()
        .with("Content-Length", file.length.to_string())
        .with("Content-Security-Policy", "sandbox")
        .with("ETag", etag.as_str())
        .with("X-Content-Type-Options", "nosniff")
        .with_some("Content-Type", file.content_type.as_deref())
        .with_some("Last-Modified", last_modified.as_deref());
    let init = Message::new().with("headers", JsValue::from(headers));
    let (init, body, url) = (JsValue::from(init).unchecked_into(), pipe.readable(), url.to_owned());
    let put = future_to_promise(async move {
        let response = if stores_cut_bodies() {
            let whole = JsFuture::from(Response::new_with_opt_readable_stream(Some(&body))?.blob()?).await?;
            Response::new_with_opt_blob_and_init(Some(whole.unchecked_ref()), &init)?
        } else {
            Response::new_with_opt_readable_stream_and_init(Some(&body), &init)?
        };
        JsFuture::from(cache.put(&url, &response)?).await
    });
    Ok(Target { writer: pipe.inlet().writer()?, end: End::Put(put) })
}

fn failure(exception: &JsValue) -> TaskError {
    if is_named(exception, "QuotaExceededError") {
        return TaskError::new(ErrorCode::QuotaExceeded);
    }
    TaskError { code: ErrorCode::DestinationFailed, status: None, detail: Some(describe(exception)) }
}
