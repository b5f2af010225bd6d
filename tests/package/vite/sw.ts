// The service worker of a Vite project: a module, bundled as an entry of its own (see vite.config.ts).
import { type AttachOptions, attach } from 'longhaul/service-worker';
import wasm from 'longhaul/longhaul.wasm?url';

declare const self: ServiceWorkerGlobalScope;

// @ts-expect-error it must be told where the wasm is
const nowhere: AttachOptions = {};

attach(self, { ...nowhere, wasm });
