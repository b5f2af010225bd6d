//! Background Fetch: how a registration stands, and the answers that it has brought. What only the browser's own objects
//! can do is done by `background-fetch.ts`. No decisions.

use js_sys::Array;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

use super::error::describe;
use super::fetch::{head, online};
use super::host::Host;
use crate::engine::error::{ErrorCode, TaskError};
use crate::engine::http::Head;
use crate::engine::input::{FetchFailure, Look};
use crate::engine::output::RecordRequest;

/// How a registration stands. A browser that cannot say has none.
pub async fn look(host: &Host, registration: &str) -> Look {
    let found = JsFuture::from(host.fetches().look(registration)).await;
    let Ok(Ok(found)) = found.map(JsCast::dyn_into::<Array>) else { return Look::Gone };
    let is_over = found.shift().is_truthy();
    Look::Found { is_over, ready: found.iter().filter_map(|start| start.as_f64()).map(|start| start as u64).collect() }
}

/// One answer that the browser has stored.
///
/// # Errors
/// If it is not there any more.
pub async fn record(wanted: &RecordRequest, host: &Host) -> Result<(Head, Response), FetchFailure> {
    let answer = JsFuture::from(host.fetches().record(&wanted.registration, wanted.start as f64)).await;
    match answer.and_then(JsCast::dyn_into::<Response>) {
        Ok(response) => {
            // Such an answer is of no type that tells whether CORS has hidden anything.
            let all_headers_readable = response.url().starts_with(&[&host.origin(), "/"].concat());
            Ok((Head { all_headers_readable, ..head(&response, &wanted.keep_headers) }, response))
        }
        Err(exception) => {
            let error = TaskError { code: ErrorCode::Network, status: None, detail: Some(describe(&exception)) };
            Err(FetchFailure { error, online: online() })
        }
    }
}
