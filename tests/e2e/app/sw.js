// The plainest worker that attaches longhaul, as a classic script.
importScripts('/longhaul/service-worker.classic.js');
longhaul.attach(self, { wasm: '/longhaul/longhaul.wasm' });
