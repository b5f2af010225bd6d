// A service worker that is a module.
import { attach } from '/node_modules/longhaul/dist/service-worker.js';

attach(self, { wasm: '/node_modules/longhaul/dist/longhaul.wasm' });
