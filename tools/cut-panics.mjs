// A browser shows no message of a panic: std prints it to a stream that does not exist there, and then traps. So the functions
// that begin a panic become that trap, and the texts and the formatting that only they used go. So do those that make the
// texts, which tables of functions hold on to: `Debug` is for messages of panics only (`tests/rooms.rs`).
import fs from 'node:fs';

/** The functions of Rust's libraries that never return, by the ends of their paths, however the compiler writes those. */
const NAMES = new RegExp(
  '^[<]?(core|alloc|std|__rustc)\\b.*::(' +
    'panic|panic_fmt|panic_bounds_check|panic_const_\\w+|panic_already_\\w+|panic_access_error|panic_poisoned|panic_on_ord_violation|' +
    'assert_failed|assert_failed_inner|expect_failed|unwrap_failed|slice_\\w*fail\\w*|len_mismatch_fail|' +
    'handle_error|handle_alloc_error|capacity_overflow|rust_begin_unwind)(::<.*>|::h[0-9a-f]{16})?$',
);

/** The functions that make the texts of panics. */
const TEXTS = /\bcore(\[\w+\])?::fmt::(Debug>::fmt|builders::)|\bstd(\[\w+\])?::panicking::/;

/** Cuts them out of the module in this file. Throws if there are none: then the compiler has given them other names. */
export async function cutPanics(file) {
  const { default: binaryen } = await import('binaryen');
  binaryen.setDebugInfo(true);
  const module = binaryen.readBinary(fs.readFileSync(file));
  let found = 0;
  for (let index = 0; index < module.getNumFunctions(); index++) {
    const each = module.getFunctionByIndex(index);
    const { name, results } = binaryen.getFunctionInfo(each);
    if (!TEXTS.test(name) && (results !== binaryen.none || !NAMES.test(name))) continue;
    binaryen.Function.setBody(each, module.unreachable());
    found++;
  }
  if (found < 10) throw new Error(`${found} functions that panic were found in ${file}: see NAMES in tools/cut-panics.mjs`);
  fs.writeFileSync(file, module.emitBinary());
  module.dispose();
}
