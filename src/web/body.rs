//! An attempt's body: collects what the network brings into one buffer per read, and reads no further than asked.
//! The bytes stay JS objects all the way to storage.

use std::cell::RefCell;
use std::rc::Rc;

use gloo_timers::callback::Timeout;
use js_sys::{Array, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, ReadableStreamDefaultReader, Response};

use super::fetch::online;
use super::indexeddb::ChunkKind;
use crate::engine::id::EffectId;
use crate::engine::input::ReadEnd;

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
}

struct Read {
    id: EffectId,
    up_to_bytes: u64,
    is_due: bool,
    _timer: Timeout,
}

/// The bytes of one answer.
pub struct Body {
    reader: Option<ReadableStreamDefaultReader>,
    kind: ChunkKind,
    state: RefCell<State>,
    report: Box<dyn Fn(Filled)>,
}

#[derive(Default)]
struct State {
    parts: Array,
    collected_bytes: u64,
    offset: u64,
    read: Option<Read>,
    end: Option<ReadEnd>,
    is_pumping: bool,
}

impl Body {
    /// The body of `response`; `report` is called once for every read.
    pub fn new(response: &Response, kind: ChunkKind, report: impl Fn(Filled) + 'static) -> Rc<Self> {
        let reader = response.body().map(|stream| stream.get_reader().unchecked_into());
        // No body at all is an empty one.
        let end = reader.is_none().then_some(ReadEnd::Eof);
        Rc::new(Self { reader, kind, state: RefCell::new(State { end, ..State::default() }), report: Box::new(report) })
    }

    /// Collects up to `up_to_bytes`, or what is there after `or_after_ms`, into a buffer. The last part of the network
    /// may make it a little longer.
    pub fn read(self: &Rc<Self>, id: EffectId, offset: u64, up_to_bytes: u64, or_after_ms: u64) {
        let body = Rc::clone(self);
        let timer = Timeout::new(or_after_ms as u32, move || {
            if let Some(read) = &mut body.state.borrow_mut().read {
                read.is_due = true;
            }
            body.report_if_filled();
        });
        {
            let mut state = self.state.borrow_mut();
            state.offset = offset;
            state.read = Some(Read { id, up_to_bytes, is_due: false, _timer: timer });
        }
        self.report_if_filled();
        self.pump();
    }

    /// The position behind the last byte that has arrived.
    pub fn live_offset(&self) -> u64 {
        let state = self.state.borrow();
        state.offset + state.collected_bytes
    }

    /// Reads from the network while a read wants more.
    fn pump(self: &Rc<Self>) {
        let Some(reader) = self.reader.clone() else { return };
        {
            let mut state = self.state.borrow_mut();
            if state.is_pumping || state.read.is_none() || state.end.is_some() {
                return;
            }
            state.is_pumping = true;
        }
        let body = Rc::clone(self);
        spawn_local(async move {
            loop {
                let part = JsFuture::from(reader.read()).await;
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

    fn take_in(&self, part: Result<JsValue, JsValue>) -> bool {
        let mut state = self.state.borrow_mut();
        let bytes = part.and_then(|part| Reflect::get(&part, &"value".into()));
        match bytes.map(JsCast::dyn_into::<Uint8Array>) {
            Ok(Ok(bytes)) => {
                state.collected_bytes += u64::from(bytes.length());
                state.parts.push(&bytes);
            }
            Ok(Err(_)) => state.end = Some(ReadEnd::Eof),
            Err(_) => state.end = Some(ReadEnd::Cut { online: online() }),
        }
        state.end.is_none()
    }

    fn report_if_filled(&self) {
        let filled = {
            let mut state = self.state.borrow_mut();
            let is_filled = state.read.as_ref().is_some_and(|read| {
                let enough = state.collected_bytes >= read.up_to_bytes;
                enough || state.end.is_some() || (read.is_due && state.collected_bytes > 0)
            });
            let Some(read) = is_filled.then(|| state.read.take()).flatten() else { return };
            let (parts, len) = (std::mem::take(&mut state.parts), std::mem::take(&mut state.collected_bytes));
            state.offset += len;
            let chunk = (len > 0).then(|| self.kind.join(&parts, len));
            Filled { read: read.id, chunk, len, end: state.end.unwrap_or(ReadEnd::More) }
        };
        (self.report)(filled);
    }
}

impl ChunkKind {
    /// The parts as one chunk.
    fn join(self, parts: &Array, len: u64) -> JsValue {
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
