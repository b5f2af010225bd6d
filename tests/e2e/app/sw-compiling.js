// A worker whose wasm is compiled only when a page says so.
const told = new Promise((resolve) => addEventListener('message', ({ data }) => data === 'compile' && resolve()));
for (const name of ['instantiate', 'instantiateStreaming']) {
  const original = WebAssembly[name];
  WebAssembly[name] = async (...args) => (await told, original(...args));
}
importScripts('/longhaul/service-worker.classic.js', '/quiet.js');
longhaul.attach(self, { wasm: '/longhaul/longhaul.wasm', ...quiet });
