//! Web Locks (W3C Web Locks API): held until the worker dies, whatever it dies of.

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = ["navigator", "locks"], js_name = request, catch)]
    fn request(name: &str, options: &JsValue, callback: &Function) -> Result<Promise, JsValue>;
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct Lock {
    release: Function,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A function that resolves a promise cannot fail.
        let _ = self.release.call0(&JsValue::UNDEFINED);
    }
}

/// Takes the lock, or returns `None` if another holds it.
pub async fn try_take(name: &str) -> Option<Lock> {
    take_with(name, true).await
}

/// Waits for the lock.
pub async fn take(name: &str) -> Option<Lock> {
    take_with(name, false).await
}

async fn take_with(name: &str, if_available: bool) -> Option<Lock> {
    let options = Object::new();
    Reflect::set(&options, &"ifAvailable".into(), &if_available.into()).ok()?;
    let mut granted_resolve = None;
    let granted = Promise::new(&mut |resolve, _| granted_resolve = Some(resolve));
    let granted_resolve = granted_resolve?;
    // The lock is held for as long as the promise that the callback returns is pending.
    let callback = Closure::once_into_js(move |lock: JsValue| -> JsValue {
        if lock.is_null() {
            let _ = granted_resolve.call1(&JsValue::UNDEFINED, &JsValue::NULL);
            return JsValue::UNDEFINED;
        }
        Promise::new(&mut |release, _| {
            let _ = granted_resolve.call1(&JsValue::UNDEFINED, &release);
        })
        .into()
    });
    let _held = request(name, &options, callback.unchecked_ref()).ok()?;
    let release = JsFuture::from(granted).await.ok()?.dyn_into().ok()?;
    Some(Lock { release })
}
