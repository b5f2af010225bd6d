//! Who may drive: a Web Lock, which the host holds for us, and a channel on which a newer worker asks for it. The channel
//! never carries commands.

use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BroadcastChannel, MessageEvent};

/// The one word that is said: whoever drives, let go.
const YIELD: &str = "yield";

/// Asks the worker that drives to let go.
///
/// # Errors
/// If the channel is closed.
pub fn ask_to_yield(channel: &BroadcastChannel) -> Result<(), JsValue> {
    channel.post_message(&YIELD.into())
}

/// Listens for a newer worker for as long as this one drives.
pub struct Lease {
    channel: BroadcastChannel,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
}

impl Lease {
    /// Calls `on_yield` when a newer worker asks.
    pub fn new(channel: BroadcastChannel, on_yield: impl Fn() + 'static) -> Self {
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if event.data() == YIELD {
                on_yield();
            }
        });
        channel.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        Self { channel, _on_message: on_message }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.channel.set_onmessage(None);
        self.channel.close();
    }
}
