//! Requests, and what their answers' heads say. No decisions.

use js_sys::{Object, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, Response, ResponseType};

use super::error::describe;
use super::host::Host;
use crate::engine::error::{ErrorCode, TaskError};
use crate::engine::http::Head;
use crate::engine::input::FetchFailure;
use crate::engine::output::FetchRequest;
use crate::engine::request::OnRedirect;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = fetch)]
    fn global_fetch(url: &str, init: &JsValue) -> js_sys::Promise;

    #[wasm_bindgen(thread_local_v2, js_name = navigator)]
    static NAVIGATOR: JsValue;
}

/// Sends a GET.
///
/// # Errors
/// If no head came: offline, refused, cut, or forbidden by CORS; the browser does not say which.
pub async fn fetch(
    request: &FetchRequest,
    signal: &AbortSignal,
    host: &Host,
) -> Result<(Head, Response), FetchFailure> {
    let send = async |mode: &str, redirect: &str| {
        let init = init(&[
            // The HTTP cache would store every byte twice, and answer or splice ranges by itself.
            ("cache", "no-store".into()),
            ("headers", headers(request)?.into()),
            ("signal", signal.into()),
            ("mode", mode.into()),
            ("credentials", request.credentials.as_str().into()),
            ("redirect", redirect.into()),
            ("referrerPolicy", request.referrer_policy.as_deref().unwrap_or_default().into()),
        ]);
        JsFuture::from(global_fetch(&request.url, &init)).await?.dyn_into::<Response>()
    };
    let follows = request.on_redirect == OnRedirect::Follow;
    let mut response = send("cors", if follows { "follow" } else { "manual" }).await;
    let is_redirected = response.as_ref().is_ok_and(|response| response.type_() == ResponseType::Opaqueredirect);
    if is_redirected && request.on_redirect == OnRedirect::StayHome {
        // To where it leads is not shown: in this mode the browser follows it no further than it may be followed.
        response = send("same-origin", "follow").await;
    }
    let failure = match response {
        Ok(response) if response.type_() != ResponseType::Opaqueredirect => {
            return Ok((head(&response, &request.keep_headers), response));
        }
        Ok(_) => None,
        Err(exception) => Some(describe(&exception)),
    };
    let code = match failure {
        _ if is_redirected => ErrorCode::RedirectRefused,
        _ if host.csp_blocks(&request.url) => ErrorCode::CspBlocked,
        _ => ErrorCode::Network,
    };
    Err(FetchFailure { error: TaskError { code, status: None, detail: failure }, online: online() })
}

/// Whether the server can be reached at all, whatever it lets this origin read.
pub async fn probe(url: &str) -> bool {
    let init = init(&[
        ("method", "HEAD".into()),
        ("mode", "no-cors".into()),
        ("cache", "no-store".into()),
        ("credentials", "omit".into()),
        ("referrerPolicy", "no-referrer".into()),
    ]);
    JsFuture::from(global_fetch(url, &init)).await.is_ok()
}

/// Whether the browser believes to be online.
pub fn online() -> bool {
    let on_line = NAVIGATOR.with(|navigator| Reflect::get(navigator, &"onLine".into()));
    on_line.ok().and_then(|on_line| on_line.as_bool()).unwrap_or(true)
}

fn init(options: &[(&str, JsValue)]) -> JsValue {
    let init = Object::new();
    for (name, value) in options {
        // Setting a property of an ordinary object cannot fail.
        let _ = Reflect::set(&init, &(*name).into(), value);
    }
    init.into()
}

fn headers(request: &FetchRequest) -> Result<Headers, JsValue> {
    let headers = Headers::new()?;
    for (name, value) in &request.headers {
        headers.set(name, value)?;
    }
    if let Some((start, end)) = request.range {
        let last = end.map(|end| (end - 1).to_string()).unwrap_or_default();
        headers.set("Range", &["bytes=", &start.to_string(), "-", &last].concat())?;
    }
    let conditions = [
        ("If-Range", &request.if_range),
        ("If-None-Match", &request.if_none_match),
        ("If-Modified-Since", &request.if_modified_since),
    ];
    for (name, value) in conditions {
        if let Some(value) = value {
            headers.set(name, value)?;
        }
    }
    Ok(headers)
}

/// What the head of an answer says.
pub fn head(response: &Response, keep_headers: &[String]) -> Head {
    let headers = response.headers();
    let get = |name: &str| headers.get(name).ok().flatten();
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
        chosen: keep_headers.iter().filter_map(|name| Some((name.clone(), get(name)?))).collect(),
    }
}
