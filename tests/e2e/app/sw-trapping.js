// A worker that, at the message 'trap', sees a wasm trap as a crash in a timer or a microtask would show it.
importScripts('/longhaul/service-worker.classic.js', '/quiet.js');
longhaul.attach(self, { wasm: '/longhaul/longhaul.wasm', ...quiet });
addEventListener('message', ({ data }) => {
  if (data === 'trap') dispatchEvent(new ErrorEvent('error', { error: new WebAssembly.RuntimeError('unreachable') }));
});
