//! Calls, read field by field, held against what `serde-wasm-bindgen` makes of the same messages; and messages that want to
//! break the reader.

use js_sys::{Array, Function, Reflect};
use longhaul::engine::error::ErrorCode;
use longhaul::engine::input::Call;
use longhaul::web::calls::read_call;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

use super::derived;

/// A message, what is odd about it, and the field that this is.
struct Case {
    what: String,
    message: JsValue,
    field: String,
}

/// The cases of this kind in `messages.js`.
fn cases(kind: &str) -> Vec<Case> {
    let all = Function::new_no_args(include_str!("messages.js")).call0(&JsValue::NULL).expect("the messages are made");
    let cases: Array = Reflect::get(&all, &kind.into()).expect("an ordinary object").unchecked_into();
    let case = |case: Array| Case {
        what: case.get(0).as_string().expect("a text"),
        message: case.get(1),
        field: case.get(2).as_string().expect("a text"),
    };
    let cases: Vec<Case> = cases.iter().map(|each| case(each.unchecked_into())).collect();
    assert!(!cases.is_empty(), "there are no cases of {kind}");
    cases
}

fn shown(call: Option<Call>) -> Option<String> {
    call.map(|call| format!("{call:?}"))
}

/// Each refusal names the field, or the option that has it as a part.
fn assert_names(case: &Case, code: ErrorCode, detail: Option<&str>) {
    let option = match case.field.as_str() {
        "sources" => "mirrors",
        "pieceLength" | "pieceDigests" => "pieces",
        "cache" | "url" | "opfs" => "destination",
        _ => "",
    };
    let is_named = detail.is_some_and(|detail| case.field.is_empty() || detail == case.field || detail == option);
    assert!(code == ErrorCode::BadArgument && is_named, "{} is refused by {code:?} {detail:?}", case.what);
}

/// Both take the message for the same call, or refuse it.
fn assert_agree(kind: &str) -> usize {
    let mut refused = 0;
    for case in cases(kind) {
        let read = read_call(case.message.clone());
        if let Err(error) = &read {
            assert_names(&case, error.code, error.detail.as_deref());
            refused += 1;
        }
        assert_eq!(shown(read.ok()), shown(derived::call(case.message)), "{}", case.what);
    }
    refused
}

#[wasm_bindgen_test]
fn whole_calls_are_read_as_derived_shapes_decode_them() {
    assert_eq!(assert_agree("whole"), 0);
}

#[wasm_bindgen_test]
fn a_field_that_is_missing_undefined_or_null_is_not_given() {
    for kind in ["missing", "undefined", "null"] {
        assert!(assert_agree(kind) > 0, "some fields may not be missing");
    }
}

#[wasm_bindgen_test]
fn a_field_of_another_type_is_refused_by_its_name() {
    assert!(assert_agree("ofOtherType") > 1_000);
}

#[wasm_bindgen_test]
fn what_throws_or_only_looks_like_a_call_is_refused() {
    for case in cases("hostile") {
        match read_call(case.message.clone()) {
            Ok(call) => panic!("{} is read as {call:?}", case.what),
            Err(error) => assert_names(&case, error.code, error.detail.as_deref()),
        }
    }
}

#[wasm_bindgen_test]
fn fields_of_other_calls_are_not_read() {
    for (case, whole) in cases("withOthers").into_iter().zip(cases("whole")) {
        assert_eq!(shown(read_call(case.message).ok()), shown(derived::call(whole.message)), "{}", case.what);
    }
}
