//! The dependency rule, held against the sources: `integrity ← engine ← store ← web ← js/worker`; the page's client
//! knows the messages only, the demo the package only, the command Node only. And the purity of the first two: nothing
//! in them can look at a clock, roll dice, wait, or touch the browser.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::expect_used, clippy::panic, reason = "a test's helpers: panicking is how they report")]

use std::fs;
use std::path::{Path, PathBuf};

/// All files below `dir` with this extension, with their text.
fn sources(dir: &str, extension: &str) -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, extension: &str, found: &mut Vec<(PathBuf, String)>) {
        let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        for path in entries.map(|entry| entry.expect("the folder can be listed").path()) {
            if path.is_dir() {
                walk(&path, extension, found);
            } else if path.extension().is_some_and(|found| found == extension) {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(dir), extension, &mut found);
    assert!(!found.is_empty(), "{dir} has no .{extension} files");
    found
}

/// The text before the unit tests at the foot of a file, without comments.
fn code(text: &str) -> String {
    let body = text.split("\nmod tests {").next().unwrap_or_default();
    body.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn forbid(dir: &str, extension: &str, words: &[&str]) {
    for (path, text) in sources(dir, extension) {
        let code = code(&text);
        for word in words {
            assert!(!code.contains(word), "{} must not contain {word:?}", path.display());
        }
    }
}

/// What a pure room must not contain.
const IMPURE: [&str; 18] = [
    "wasm_bindgen",
    "js_sys",
    "web_sys",
    "idb",
    "gloo",
    "std::time",
    "Instant",
    "SystemTime",
    "HashMap",
    "HashSet",
    "async ",
    ".await",
    "thread",
    "static mut",
    "Cell<",
    "std::env",
    "std::fs",
    "println!",
];

#[test]
fn integrity_uses_no_other_room_and_nothing_impure() {
    let others = ["crate::engine", "crate::store", "crate::web", "super::super::"];
    forbid("src/integrity", "rs", &[others.as_slice(), &IMPURE].concat());
}

#[test]
fn the_engine_uses_integrity_only_and_nothing_impure() {
    let others = ["crate::store", "crate::web"];
    forbid("src/engine", "rs", &[others.as_slice(), &IMPURE].concat());
}

#[test]
fn http_knows_nothing_of_tasks() {
    forbid("src/engine/http", "rs", &["super::super::task", "super::super::download", "engine::task", "Engine"]);
}

#[test]
fn the_store_uses_the_engine_only() {
    forbid("src/store", "rs", &["crate::web", "wasm_bindgen", "js_sys", "web_sys", "idb::", "std::time", "HashMap"]);
}

#[test]
fn the_simulator_uses_engine_and_store_only() {
    forbid("tests/sim", "rs", &["longhaul::web", "std::time::SystemTime", "HashMap", "rand::"]);
}

/// The build cuts them out of the wasm (`tools/cut-panics.mjs`): the component would crash where it shows one.
#[test]
fn only_assertions_show_debug_texts() {
    for (path, text) in sources("src", "rs") {
        let code = code(&text);
        let mut lines = code.lines().filter(|line| !line.trim_start().starts_with("assert"));
        let shows = |line: &str| [":?}", ":#?}", "Debug::fmt", ".debug_"].iter().any(|word| line.contains(word));
        assert_eq!(lines.find(|line| shows(line)), None, "{}", path.display());
    }
}

/// The modules that a TypeScript or JavaScript file imports.
fn imports(text: &str) -> Vec<String> {
    let is_import =
        |line: &&str| line.starts_with("import ") || line.starts_with("export ") || line.starts_with("} from ");
    let from = text.lines().filter(is_import).filter_map(|line| line.split_once("from ").map(|(_, module)| module));
    from.map(|module| module.trim_matches(|mark: char| "'\";".contains(mark)).to_owned()).collect()
}

/// What the page's client and the worker both use, and what only the worker uses.
const SHARED: [&str; 26] = [
    "api",
    "types",
    "protocol",
    "wire",
    "given",
    "check",
    "errors",
    "network",
    "sync",
    "source",
    "authorization",
    "line",
    "session",
    "session-events",
    "task",
    "group",
    "view",
    "file",
    "file-bytes",
    "file-url",
    "destination",
    "stored",
    "download",
    "policy",
    "transport",
    "reopening",
];
const WORKER: [&str; 29] = [
    "worker",
    "host",
    "component-host",
    "database",
    "error-data",
    "explain",
    "instances",
    "component-file",
    "refusals",
    "installation",
    "options",
    "hook",
    "notices",
    "own-code",
    "own-line",
    "wakes",
    "marker",
    "records",
    "shelf",
    "serve",
    "native-body",
    "requests",
    "calls",
    "pages",
    "pings",
    "life",
    "csp",
    "body-ends",
    "background-fetch",
];

#[test]
fn the_protocol_imports_types_only_and_page_and_worker_share_only_what_is_named() {
    for (path, text) in sources("js", "ts") {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a file has a name");
        for module in imports(&text) {
            let own = module.strip_prefix("./").and_then(|module| module.strip_suffix(".js"));
            let is_shared = own.is_some_and(|own| SHARED.contains(&own));
            let is_worker = own.is_some_and(|own| WORKER.contains(&own));
            let allowed = match name {
                "types" | "given" | "network" | "sync" => false,
                "protocol" => own == Some("types"),
                "host" | "instances" | "own-code" => is_shared || is_worker || module == "../pkg/longhaul.js",
                shared if SHARED.contains(&shared) => is_shared,
                worker if WORKER.contains(&worker) => is_shared || is_worker,
                _ => own.is_some() && !is_worker,
            };
            assert!(allowed, "js/{name}.ts must not import {module}");
        }
    }
}

#[test]
fn the_command_uses_node_and_itself() {
    for (path, text) in sources("cli", "mjs") {
        for module in imports(&text) {
            assert!(
                module.starts_with("./") || module.starts_with("node:"),
                "{} must not import {module}",
                path.display()
            );
        }
    }
}

#[test]
fn the_demo_uses_the_package_and_itself() {
    for (path, text) in sources("www", "js") {
        for module in imports(&text) {
            let own = module.starts_with("./") && !module.contains("longhaul/");
            assert!(own || module == "longhaul", "{} must not import {module}", path.display());
        }
    }
}
