// An app that has a service worker already, and gets longhaul with its next deploy.
import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { startApp } from '../deployed.mjs';
import { download, MIB, outcome } from '../support.mjs';

const WORKER = '?idle&worker=/sw-existing.js';
const LONGHAUL = `importScripts('/longhaul/service-worker.classic.js', '/quiet.js');
longhaul.attach(self, { wasm: '/longhaul/longhaul.wasm', ...quiet });`;

/** An app whose worker has no longhaul, in a page that it controls; `bringIn()` deploys one that has, and waits. */
async function startExisting(t) {
  const next = (dist) => path.join(dist, 'next-deploy.js');
  const app = await startApp(t, { deploy: (dist) => fs.writeFile(next(dist), '// not yet') });
  const first = await app.open(WORKER);
  await first.evaluate(async () => (await navigator.serviceWorker.register('/sw-existing.js'), await navigator.serviceWorker.ready));
  await first.close();
  const page = await app.open(WORKER);
  const bringIn = async () => {
    await fs.writeFile(next(app.dist), LONGHAUL);
    await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      do await registration.update();
      while (!registration.waiting && !registration.installing);
      while (!registration.waiting) await new Promise((resolve) => setTimeout(resolve, 20));
    });
  };
  return { ...app, page, bringIn };
}

test('a worker without attach() is told from one whose wasm is still being compiled', async (t) => {
  const { page } = await startExisting(t);
  const found = await page.evaluate(async () => {
    const serviceWorker = await navigator.serviceWorker.register('/sw-compiling.js', { scope: '/compiling/' });
    const slow = open({ serviceWorker }).then(() => 'opened', ({ code }) => code);
    const { code } = await errorOf(open());
    const meanwhile = await Promise.race([slow, 'still waits']);
    serviceWorker.active.postMessage('compile');
    return [code, meanwhile, await slow];
  });
  assert.deepEqual(found, ['not-attached', 'still waits', 'opened']);
});

test('while the worker that brings longhaul waits, a session says so, and opens when the app lets that worker take over', async (t) => {
  const { origin, page, bringIn } = await startExisting(t);
  const file = origin.add('/f.bin', { length: MIB, seed: 1 });
  await bringIn();
  assert.equal((await page.evaluate(() => errorOf(open()))).code, 'update-waiting');
  await page.goto(`${origin.url}/${WORKER}`);
  await page.evaluate(async () => {
    await ready;
    window.session = await open({ onWaiting: (waiting) => waiting.postMessage('skip') });
  });
  await download(page, '/f.bin', { id: 'f' });
  assert.equal((await outcome(page, 'f')).sha256, file.sha256);
});
