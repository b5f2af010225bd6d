// Cuts from the glue that wasm-bindgen makes what longhaul's worker never runs, and gives it the short names that wasm-opt has
// given to imports and exports. Each cut fails if wasm-bindgen writes its glue in another way by now.

/** `imports` and `exports`: how wasm-opt has named those that are left, as it prints them. */
export function cutGlue(glue, { imports, exports }) {
  let code = withArrows(glue);
  for (const [, name, short] of imports) code = code.replaceAll(new RegExp(`\\b${name}\\b`, 'g'), () => short);
  for (const [name, short] of exports) code = code.replaceAll(new RegExp(`\\bwasm\\.${name}\\b`, 'g'), () => `wasm.${short}`);
  code = code.replaceAll(`"${imports[0][0]}"`, '"a"');
  code = withoutUnused(code);
  // Two ways for long texts and for browsers without `encodeInto`: those here are short, and one way is enough.
  code = withBody(code, 'passStringToWasm0', `
    const bytes = cachedTextEncoder.encode(arg);
    const ptr = malloc(bytes.length, 1) >>> 0;
    getUint8ArrayMemory0().set(bytes, ptr);
    WASM_VECTOR_LEN = bytes.length;
    return ptr;`);
  code = replaced(code, /^if \(!\('encodeInto' in cachedTextEncoder\)\) \{\n[^]*?^\}\n/m, '');
  code = withoutCare(code);
  // `js/component-file.ts` hands in a response of the right type, and nothing else.
  code = withBody(code, '__wbg_load', 'return WebAssembly.instantiateStreaming(module, imports);');
  return withBody(code, '__wbg_init_once', `
    const { instance, module } = await __wbg_load(module_or_path.module_or_path, __wbg_get_imports());
    return __wbg_finalize_init(instance, module);`);
}

/** The same with imports as arrow functions. An import that may throw is wrapped once, and not in each of its calls. */
function withArrows(code) {
  const fallible = /: function\(\) \{ return handleError\(function \((.*)\) \{\n([^]*?)\n {8}\}, arguments\); \},$/gm;
  const wrappedOnce = replaced(code, fallible, ': handleError(($1) => {\n$2\n        }),');
  // Each of them, or the others would hand back a function.
  if (wrappedOnce.includes(', arguments)')) throw new Error('the glue wraps an import that may throw in another way');
  return withBody(replaced(wrappedOnce, /: function\((.*)\) \{$/gm, ': ($1) => {'), 'handleError', `
    return (...args) => {
      try {
        return f(...args);
      } catch (error) {
        wasm.__wbindgen_exn_store(addToExternrefTable0(error));
      }
    };`);
}

/** The same without the imports that wasm-opt has found unused: they are those that it gave no name. */
function withoutUnused(code) {
  return replaced(code, /\n {8}__wbg_\w+: .*\n(?: {12}.*\n)* {8}\}.*/g, '');
}

/** The same without care for what cannot happen here. */
function withoutCare(code) {
  // `instanceof` throws only where the class is missing: every browser that can run this has them all.
  let cut = replaced(code, /let result;\n +try \{\n +result = (arg0 instanceof \w+);\n[^]*?const ret = result;/g, 'const ret = $1;');
  // An argument that cannot be handed over ends the instance (`js/instances.ts`), and the arguments before it with that.
  cut = replaced(cut, /^ {8}try \{\n((?: {12}.*\n)+) {8}\} catch \(e\) \{\n(?: {12}if \(ptr.*\n)+.*\n {8}\}\n/gm, '$1');
  // Only the registry frees components, and every browser that can run this has one.
  cut = replaced(cut, /^ {4}__destroy_into_raw\(\) \{\n[^]*?^ {4}free\(\) \{\n[^]*?^ {4}\}\n/m, '');
  cut = replaced(cut, /^if \(Symbol\.dispose\).*\n/m, '');
  return replaced(cut, /\(typeof FinalizationRegistry === 'undefined'\)\n.*\n +: /g, '');
}

/** The same with this part in another form. */
function replaced(code, part, form) {
  if (!code.match(part)) throw new Error(`the glue has no ${part}`);
  return code.replace(part, form);
}

/** The same, with another body for the function of this name. */
function withBody(code, name, body) {
  const head = new RegExp(`^((?:async )?function ${name}\\(.*\\) \\{\\n)[^]*?^\\}$`, 'm');
  if (!head.test(code)) throw new Error(`the glue has no function ${name}`);
  return code.replace(head, (_, head) => `${head}${body}\n}`);
}
