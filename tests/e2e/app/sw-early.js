// A worker that opens a session as early as it can, and says by requests what comes of it and which databases there are.
importScripts('/longhaul/service-worker.classic.js');
const { openSession } = longhaul.attach(self, { wasm: '/longhaul/longhaul.wasm' });

async function tryAt(when) {
  const outcome = await openSession('podcasts').then(() => 'opened', ({ code }) => code);
  await fetch(`/said/${when}-${outcome}-${(await indexedDB.databases()).length}`);
}

addEventListener('install', (event) => event.waitUntil(tryAt('install')));
addEventListener('activate', (event) => event.waitUntil(tryAt('activate')));
