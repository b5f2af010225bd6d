//! An attempt's body: collects what the network brings into one buffer per read, and reads no further than asked.
//! The bytes stay JS objects all the way to storage; only where they are hashed does Rust look at them.

use std::cell::RefCell;
use std::rc::Rc;

use gloo_timers::callback::Timeout;
use js_sys::{Array, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, ReadableStreamDefaultReader, Response};

use super::fetch::online;
use super::host::Host;
use super::indexeddb::ChunkKind;
use crate::engine::crash::Turn;
use crate::engine::id::EffectId;
use crate::engine::input::ReadEnd;
use crate::integrity::HashState;

/// How many bytes are copied at a time to be hashed.
const HASH_STEP: u32 = 1 << 20;

/// A filled buffer.
pub struct Filled {
    /// The read that asked for it.
    pub read: EffectId,
    /// The bytes, as storage takes them; `None` if there are none.
    pub chunk: Option<JsValue>,
    /// How many there are.
    pub len: u64,
    /// How the body stands.
    pub end: ReadEnd,
    /// The hash up to its end, if the read was given one to go on with.
    pub hash: Option<HashState>,
}

/// What a read wants.
pub struct Wanted {
    /// Its effect.
    pub id: EffectId,
    /// Never more bytes than this.
    pub up_to_bytes: u64,
    /// What is there after this time, if there is anything.
    pub or_after_ms: u64,
    /// Or else all of it, when it has ended, and nothing before that or if it is cut. Only for the first read of a body.
    pub as_whole: bool,
    /// The hash of all bytes before, to go on with.
    pub hash: Option<HashState>,
}

struct Read {
    wanted: Wanted,
    is_due: bool,
    _timer: Timeout,
}

/// The bytes of one answer.
pub struct Body {
    /// Its stream is made when it is first read: one that was made is what the browser reads the whole through, too.
    response: Response,
    host: Host,
    kind: ChunkKind,
    state: RefCell<State>,
    turn: Box<dyn Fn() -> Turn>,
    report: Box<dyn Fn(Filled)>,
}

#[derive(Default)]
struct State {
    reader: Option<ReadableStreamDefaultReader>,
    parts: Array,
    collected_bytes: u64,
    /// All that the stream has handed out.
    streamed_bytes: u64,
    read: Option<Read>,
    end: Option<ReadEnd>,
    is_pumping: bool,
}

impl Body {
    /// The body of `response`; `report` is called once for every read, and `turn` when its bytes are dealt with.
    pub fn new(
        response: Response,
        host: Host,
        kind: ChunkKind,
        turn: impl Fn() -> Turn + 'static,
        report: impl Fn(Filled) + 'static,
    ) -> Rc<Self> {
        let state = RefCell::default();
        Rc::new(Self { response, host, kind, state, turn: Box::new(turn), report: Box::new(report) })
    }

    /// Collects up to so many bytes, or what is there after a while, into a buffer.
    pub fn read(self: &Rc<Self>, wanted: Wanted) {
        let body = Rc::clone(self);
        if wanted.as_whole {
            return spawn_local(async move { body.read_whole(wanted).await });
        }
        let timer = Timeout::new(wanted.or_after_ms as u32, move || body.hasten());
        self.state.borrow_mut().read = Some(Read { wanted, is_due: false, _timer: timer });
        self.report_if_filled();
        self.pump();
    }

    /// The read under way brings what has come, or will come first.
    pub fn hasten(&self) {
        if let Some(read) = &mut self.state.borrow_mut().read {
            read.is_due = true;
        }
        self.report_if_filled();
    }

    /// Bytes that have come and that no read has handed on yet.
    pub fn collected_bytes(&self) -> u64 {
        self.state.borrow().collected_bytes
    }

    /// Has the browser collect all of the body, which it keeps where it likes: Firefox on disk.
    async fn read_whole(&self, wanted: Wanted) {
        let read = wanted.id;
        let cut = |_| Filled { read, chunk: None, len: 0, end: ReadEnd::Cut { online: online() }, hash: None };
        (self.report)(self.whole(wanted).await.unwrap_or_else(cut));
    }

    async fn whole(&self, wanted: Wanted) -> Result<Filled, JsValue> {
        let chunk = JsFuture::from(self.kind.collect(&self.response)?).await?;
        let buffer = match chunk.dyn_ref::<Blob>() {
            Some(blob) if wanted.hash.is_some() => JsFuture::from(blob.array_buffer()).await?,
            _ => chunk.clone(),
        };
        let size = |blob: &Blob| blob.size() as u64;
        let len = chunk.dyn_ref().map_or_else(|| Uint8Array::new(&chunk).length().into(), size);
        let _turn = (self.turn)();
        let hash = wanted.hash.map(|state| hash_parts(state, &in_steps(&Uint8Array::new(&buffer))));
        Ok(Filled { read: wanted.id, chunk: (len > 0).then_some(chunk), len, end: ReadEnd::Eof, hash })
    }

    /// The stream's reader, made at first use; `None` if there is no body at all, which is an empty one.
    fn reader(&self) -> Option<ReadableStreamDefaultReader> {
        let mut state = self.state.borrow_mut();
        if state.reader.is_none() {
            state.reader = self.response.body().map(|stream| stream.get_reader().unchecked_into());
        }
        state.reader.clone()
    }

    /// Reads from the network while a read wants more.
    fn pump(self: &Rc<Self>) {
        {
            let state = self.state.borrow();
            if state.is_pumping || state.read.is_none() || state.end.is_some() {
                return;
            }
        }
        let Some(reader) = self.reader() else {
            self.state.borrow_mut().end = Some(ReadEnd::Eof);
            return self.report_if_filled();
        };
        self.state.borrow_mut().is_pumping = true;
        let body = Rc::clone(self);
        spawn_local(async move {
            loop {
                let part = body.next_part(&reader).await;
                let goes_on = body.take_in(part);
                body.report_if_filled();
                // The report may have brought the next read.
                if !goes_on || body.state.borrow().read.is_none() {
                    break;
                }
            }
            body.state.borrow_mut().is_pumping = false;
            // A read that was asked for just now found the pump still running.
            body.pump();
        });
    }

    /// The stream's next bytes; `None` at the end of a body that is whole.
    async fn next_part(&self, reader: &ReadableStreamDefaultReader) -> Result<Option<Uint8Array>, JsValue> {
        let part = JsFuture::from(reader.read()).await?;
        if let Ok(bytes) = Reflect::get(&part, &"value".into())?.dyn_into() {
            return Ok(Some(bytes));
        }
        // No borrow is held while this waits.
        let streamed_bytes = self.state.borrow().streamed_bytes;
        let is_cut = JsFuture::from(self.host.is_cut(&self.response, streamed_bytes as f64)).await?;
        if is_cut.is_truthy() { Err(is_cut) } else { Ok(None) }
    }

    fn take_in(&self, part: Result<Option<Uint8Array>, JsValue>) -> bool {
        let mut state = self.state.borrow_mut();
        match part {
            Ok(Some(bytes)) => {
                let len = u64::from(bytes.length());
                state.collected_bytes += len;
                state.streamed_bytes += len;
                state.parts.push(&bytes);
            }
            Ok(None) => state.end = Some(ReadEnd::Eof),
            Err(_) => state.end = Some(ReadEnd::Cut { online: online() }),
        }
        state.end.is_none()
    }

    fn report_if_filled(&self) {
        let filled = {
            let _turn = (self.turn)();
            let mut state = self.state.borrow_mut();
            let is_filled = state.read.as_ref().is_some_and(|read| {
                let enough = state.collected_bytes >= read.wanted.up_to_bytes;
                enough || state.end.is_some() || (read.is_due && state.collected_bytes > 0)
            });
            let Some(read) = is_filled.then(|| state.read.take()).flatten() else { return };
            let len = state.collected_bytes.min(read.wanted.up_to_bytes);
            let parts = state.take(len);
            // What is left belongs to the next read, and so does how the body ended.
            let end = state.end.filter(|_| state.collected_bytes == 0).unwrap_or(ReadEnd::More);
            let hash = read.wanted.hash.map(|state| hash_parts(state, &parts));
            let chunk = (len > 0).then(|| self.kind.join(&parts, len));
            Filled { read: read.wanted.id, chunk, len, end, hash }
        };
        (self.report)(filled);
    }
}

impl State {
    /// Takes the first `len` of the bytes that are there.
    fn take(&mut self, len: u64) -> Array {
        let all = std::mem::take(&mut self.parts);
        self.collected_bytes -= len;
        if self.collected_bytes == 0 {
            return all;
        }
        let (first, mut missing) = (Array::new(), len as u32);
        for part in all.iter().map(JsCast::unchecked_into::<Uint8Array>) {
            let cut = missing.min(part.length());
            missing -= cut;
            if cut > 0 {
                first.push(&part.subarray(0, cut));
            }
            if cut < part.length() {
                self.parts.push(&part.subarray(cut, part.length()));
            }
        }
        first
    }
}

/// Views of the bytes, none of them so long that the wasm memory would grow for it.
fn in_steps(bytes: &Uint8Array) -> Array {
    let all = bytes.length();
    (0..all).step_by(HASH_STEP as usize).map(|at| bytes.subarray(at, all.min(at + HASH_STEP))).collect()
}

fn hash_parts(mut state: HashState, parts: &Array) -> HashState {
    let mut bytes = Vec::new();
    for part in parts.iter().map(JsCast::unchecked_into::<Uint8Array>) {
        bytes.resize(part.length() as usize, 0);
        part.copy_to(&mut bytes);
        state.update(&bytes);
    }
    state
}

impl ChunkKind {
    /// All of a body as one chunk, once it has ended.
    fn collect(self, response: &Response) -> Result<Promise, JsValue> {
        match self {
            Self::Blob => response.blob(),
            Self::ArrayBuffer => response.array_buffer(),
        }
    }

    /// The parts as one chunk.
    pub fn join(self, parts: &Array, len: u64) -> JsValue {
        let blob = || Blob::new_with_u8_array_sequence(parts);
        match self {
            Self::Blob => blob().map_or_else(|_| concatenate(parts, len), Into::into),
            Self::ArrayBuffer => concatenate(parts, len),
        }
    }
}

fn concatenate(parts: &Array, len: u64) -> JsValue {
    let all = Uint8Array::new_with_length(len as u32);
    let mut at = 0;
    for part in parts.iter().map(JsCast::unchecked_into::<Uint8Array>) {
        all.set(&part, at);
        at += part.length();
    }
    all.buffer().into()
}
