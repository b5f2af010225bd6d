// A worker that takes over the pages that were there before it, once it is told to.
importScripts('/longhaul/service-worker.classic.js', '/quiet.js');
longhaul.attach(self, { wasm: '/longhaul/longhaul.wasm', ...quiet });
addEventListener('message', (event) => event.data === 'claim' && event.waitUntil(clients.claim()));
