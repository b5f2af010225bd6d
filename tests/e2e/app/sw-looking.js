// A worker that its pages' requests may wake, whether they know of longhaul or not, and no sync event.
importScripts('/longhaul/service-worker.classic.js', '/quiet.js');
longhaul.attach(self, { wasm: '/longhaul/longhaul.wasm' });
