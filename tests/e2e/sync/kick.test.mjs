// What else lets a download go on: a page of the app that knows nothing of longhaul, and news that things may be better.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contiguousLength, download, holdUntilDurable, MIB, outcome, requestsFor, startWorld, stored } from '../support.mjs';

test('after the browser was killed, the first request of any page lets a download go on', async (t) => {
  const { origin, browser, open } = await startWorld(t.after.bind(t));
  const file = origin.add('/one.bin', { length: 8 * MIB, seed: 32, bytesPerSecond: 4 * MIB });
  const page = await open('?worker=/sw-looking.js');
  await download(page, '/one.bin', { id: 'one', maxSegments: 1 });
  await origin.waitForSent('/one.bin', 3 * MIB);
  await holdUntilDurable(page, origin, '/one.bin');
  const durable = contiguousLength(await stored(page));
  await browser.kill();
  file.update({ bytesPerSecond: Infinity });
  await browser.relaunch();
  await browser.newPage(`${origin.url}/?idle`);
  await origin.waitFor(() => requestsFor(origin, '/one.bin')[1]?.endedAt);
  assert.deepEqual(requestsFor(origin, '/one.bin').map(({ range }) => range.start), [0, durable]);
  assert.equal((await outcome(await open('?worker=/sw-looking.js'), 'one')).sha256, file.sha256);
});

test('a look at storage makes no database', async (t) => {
  const { open } = await startWorld(t.after.bind(t));
  const page = await open('?idle');
  await page.evaluate(async () => {
    await navigator.serviceWorker.register('/sw-looking.js');
    await navigator.serviceWorker.ready;
  });
  // Controlled from now on.
  const again = await open('?idle');
  await again.evaluate(async () => (await fetch('/looked')).text());
  const names = () => again.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name).filter((name) => name.startsWith('longhaul')));
  assert.deepEqual(await names(), []);
  const held = await again.evaluate(async () => (await navigator.locks.query()).held.filter(({ name }) => name.startsWith('longhaul')).length);
  assert.equal(held, 0, 'nor is the component started');
});

test('a connection that fell silent is replaced when the page is back online, long before its stall timeout', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  const file = origin.add('/dead.bin', { length: 8 * MIB, seed: 33 });
  file.addFault({ kind: 'stall', bytes: 2 * MIB });
  const page = await open();
  await download(page, '/dead.bin', { id: 'dead', maxSegments: 1 });
  await origin.waitFor(() => requestsFor(origin, '/dead.bin')[0]?.stalled);
  // Whether that helps depends on how long it has been silent, so it is said again and again.
  const timer = setInterval(() => page.evaluate(() => void dispatchEvent(new Event('online'))), 1_000);
  t.after(() => clearInterval(timer));
  await origin.waitFor(() => requestsFor(origin, '/dead.bin').length > 1);
  clearInterval(timer);
  const result = await outcome(page, 'dead');
  assert.deepEqual([result.state, result.sha256, result.restarts], ['completed', file.sha256, 0]);
  const [first, second, ...others] = requestsFor(origin, '/dead.bin');
  assert.deepEqual([second.range.start, others.length], [2 * MIB, 0], 'it goes on behind the last byte that came');
  assert.ok(second.startedAt - first.startedAt > 4_000, 'a short silence is borne');
});
