// A classic service worker.
importScripts('/node_modules/longhaul/dist/service-worker.classic.js');
longhaul.attach(self, { wasm: '/node_modules/longhaul/dist/longhaul.wasm' });
