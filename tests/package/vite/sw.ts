// The service worker of a Vite project: a module, bundled as an entry of its own (see vite.config.ts).
import { type AttachOptions, attach } from 'longhaul/service-worker';
import wasm from 'longhaul/longhaul.wasm?url';

declare const self: ServiceWorkerGlobalScope;

// @ts-expect-error it must be told where the wasm is
const nowhere: AttachOptions = {};

const { openSession } = attach(self, {
  ...nowhere,
  wasm,
  wakeOnFetch: false,
  onEvents: async (session, events) => {
    for (const { taskId } of events) if (taskId) await (await openSession(session)).task(taskId);
  },
});

self.addEventListener('push', (event) => event.waitUntil(pushed()));

async function pushed(): Promise<void> {
  const session = await openSession('podcasts', { version: 1 });
  // @ts-expect-error only a page can tell
  void session.setConditions;
  await session.download('/file.bin');
}
