// One driver: whatever workers there are, one of them writes. An update in the middle of a transfer, two registrations on
// one origin, and a worker that is revived while another is ending.
import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { startApp } from '../deployed.mjs';
import { download, holdUntilDurable, ledgerFor, MIB, outcome, requestsFor } from '../support.mjs';

const LENGTH = 40 * MIB;

/** Deploys another version of the worker, which takes over without waiting for pages to go. */
const deployUpdate = ({ dist }) => fs.appendFile(path.join(dist, 'service-worker.classic.js'), '\naddEventListener("install", () => skipWaiting());\n');

/** Resolves when the update is active. */
const takeUpdate = (page) =>
  page.evaluate(async () => {
    const registration = await navigator.serviceWorker.ready;
    const old = registration.active;
    await registration.update();
    while (registration.active === old || registration.active.state !== 'activated') await new Promise((resolve) => setTimeout(resolve, 20));
  });

test('a transfer goes on through an update of the worker, and no byte is fetched twice', async (t) => {
  const app = await startApp(t);
  const { origin, open } = app;
  const file = origin.add('/f.bin', { length: LENGTH, seed: 1, bytesPerSecond: 16 * MIB });
  const page = await open();
  await download(page, '/f.bin', { id: 'f' });
  await origin.waitForSent('/f.bin', LENGTH / 2);
  await holdUntilDurable(page, origin, '/f.bin');
  const ledger = ledgerFor(origin, '/f.bin');
  await ledger.note(page);
  const before = [...requestsFor(origin, '/f.bin')];
  await deployUpdate(app);
  const began = Date.now();
  await takeUpdate(page);
  console.log('update took', Date.now() - began);
  await origin.waitFor(() => requestsFor(origin, '/f.bin').length > before.length);
  console.log('revived after', Date.now() - began);
  file.update({ bytesPerSecond: Infinity });
  const { state, sha256, restarts } = await outcome(page, 'f');
  assert.deepEqual({ state, sha256, restarts }, { state: 'completed', sha256: file.sha256, restarts: 0 });
  await ledger.check();
});
