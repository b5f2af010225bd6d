// The plainest worker that attaches longhaul, as a classic script, and is woken by its pages only.
importScripts('/longhaul/service-worker.classic.js', '/quiet.js');
longhaul.attach(self, { wasm: '/longhaul/longhaul.wasm', ...quiet });
