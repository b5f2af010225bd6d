//! One request: sends it and reports the head of its answer. The body is read in `body`.

use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, RequestCache, RequestInit, Response, ResponseType};

use super::error::describe;
use crate::engine::error::{ErrorCode, TaskError};
use crate::engine::http::Head;
use crate::engine::input::FetchFailure;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = fetch)]
    fn global_fetch(url: &str, init: &RequestInit) -> js_sys::Promise;

    #[wasm_bindgen(thread_local_v2, js_name = navigator)]
    static NAVIGATOR: JsValue;
}

/// Sends a GET.
///
/// # Errors
/// If no head came: offline, refused, cut, or forbidden by CORS; the browser does not say which.
pub async fn fetch(
    url: &str,
    range_start: Option<u64>,
    if_range: Option<&str>,
    signal: &AbortSignal,
) -> Result<(Head, Response), FetchFailure> {
    let response = async {
        let headers = Headers::new()?;
        if let Some(start) = range_start {
            headers.set("Range", &["bytes=", &start.to_string(), "-"].concat())?;
        }
        if let Some(validator) = if_range {
            headers.set("If-Range", validator)?;
        }
        let init = RequestInit::new();
        // The HTTP cache would store every byte twice, and answer or splice ranges by itself.
        init.set_cache(RequestCache::NoStore);
        init.set_headers(&headers);
        init.set_signal(Some(signal));
        JsFuture::from(global_fetch(url, &init)).await?.dyn_into::<Response>()
    };
    match response.await {
        Ok(response) => Ok((head(&response), response)),
        Err(exception) => Err(FetchFailure {
            error: TaskError { code: ErrorCode::Network, status: None, detail: Some(describe(&exception)) },
            online: online(),
        }),
    }
}

/// Whether the browser believes to be online.
pub fn online() -> bool {
    let on_line = NAVIGATOR.with(|navigator| js_sys::Reflect::get(navigator, &"onLine".into()));
    on_line.ok().and_then(|on_line| on_line.as_bool()).unwrap_or(true)
}

fn head(response: &Response) -> Head {
    let headers = response.headers();
    let get = |name| headers.get(name).ok().flatten();
    Head {
        status: response.status(),
        all_headers_readable: response.type_() == ResponseType::Basic,
        date: get("date"),
        content_range: get("content-range"),
        content_length: get("content-length"),
        content_encoding: get("content-encoding"),
        content_type: get("content-type"),
        content_disposition: get("content-disposition"),
        etag: get("etag"),
        last_modified: get("last-modified"),
        retry_after: get("retry-after"),
        repr_digest: get("repr-digest"),
        content_digest: get("content-digest"),
        final_url: response.redirected().then(|| response.url()),
        chosen: Vec::new(),
    }
}
