// Cuts from the glue that wasm-bindgen makes what longhaul's worker never runs, and gives it the short names that wasm-opt has
// given to imports and exports. Each cut fails if wasm-bindgen writes its glue in another way by now.

/** `imports` and `exports`: how wasm-opt has named those that are left, as it prints them. */
export function cutGlue(glue, { imports, exports }) {
  let code = glue;
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
  code = without(code, /^if \(!\('encodeInto' in cachedTextEncoder\)\) \{\n[^]*?^\}\n/m);
  // `js/component-file.ts` hands in a response of the right type, and nothing else.
  code = withBody(code, '__wbg_load', 'return WebAssembly.instantiateStreaming(module, imports);');
  return withBody(code, '__wbg_init_once', `
    const { instance, module } = await __wbg_load(module_or_path.module_or_path, __wbg_get_imports());
    return __wbg_finalize_init(instance, module);`);
}

/** The same without the imports that wasm-opt has found unused: they are those that it gave no name. */
function withoutUnused(code) {
  return code.replaceAll(/\n {8}__wbg_\w+: function\(.*\n(?: {12}.*\n)* {8}\}.*/g, '');
}

/** The same without this part. */
function without(code, part) {
  if (!part.test(code)) throw new Error(`the glue has no ${part}`);
  return code.replace(part, '');
}

/** The same, with another body for the function of this name. */
function withBody(code, name, body) {
  const head = new RegExp(`^((?:async )?function ${name}\\(.*\\) \\{\\n)[^]*?^\\}$`, 'm');
  if (!head.test(code)) throw new Error(`the glue has no function ${name}`);
  return code.replace(head, (_, head) => `${head}${body}\n}`);
}
