// With every page closed and the worker stopped: the browser's own sync events carry a download to its end, the worker's
// own code files it, and no page is opened before that is done.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lacks } from '../../browser/lacks.mjs';
import { contiguousLength, download, holdUntilDurable, MIB, reachWorker, requestsFor, startWorld, stored } from '../support.mjs';

/** Chromium gives an event 5 s here instead of 180, and repeats it after 2 s instead of 300, so that a test can wait. */
const FAST = [
  '--force-fieldtrials=BackgroundSync/Test',
  '--force-fieldtrial-params=BackgroundSync.Test:initial_retry_delay_sec/2/retry_delay_factor/1/max_sync_attempts/6/max_sync_event_duration_sec/5',
];
const LENGTH = 20 * MIB;

/** The sync events so far: how many bytes were stored when each came. */
function syncs({ log }) {
  const said = log.map(({ path }) => /^\/said\/sync-longhaul-(\d+)-/.exec(path)?.[1]);
  return said.filter((bytes) => bytes !== undefined).map(Number);
}

test('a download goes on through sync events with every page closed', { skip: lacks('background-sync') }, async (t) => {
  const { origin, browser, open } = await startWorld(t.after.bind(t), { args: FAST });
  const file = origin.add('/long.bin', { length: LENGTH, seed: 31, bytesPerSecond: MIB });
  const page = await open('?sync&worker=/sw-syncs.js');
  await download(page, '/long.bin', { id: 'long', maxSegments: 1 });
  await origin.waitForSent('/long.bin', 2 * MIB);
  // What is left takes longer than one event.
  file.update({ bytesPerSecond: 0 });
  await origin.waitFor(() => syncs(origin).length > 0);
  const outside = await browser.newPage('about:blank');
  await page.close();
  const [before, begun] = [syncs(origin).length, requestsFor(origin, '/long.bin').length];
  // It would have gone on for the rest of its last message's time.
  await browser.stopWorkers(outside);
  file.update({ bytesPerSecond: MIB });

  await origin.waitFor(() => origin.log.some(({ path }) => path === '/said/all-of-podcasts'));
  const after = syncs(origin).slice(before);
  assert.ok(after.length >= 2, `${after.length} events were enough`);
  const starts = requestsFor(origin, '/long.bin').map(({ range }) => range.start);
  assert.ok(starts.length >= begun + 2, 'the browser has cut some of them');
  assert.deepEqual(starts, [...new Set(starts)].sort((a, b) => a - b), 'each goes on behind the one before');
  assert.deepEqual(starts.slice(begun).filter((start) => !after.includes(start)), [], 'and just where storage ended then');

  const idle = await open('?idle&sync');
  const filed = await idle.evaluate(async () => sha256(await (await caches.match('/files/long')).blob()));
  assert.equal(filed, file.sha256);
  assert.equal((await stored(idle)).rows.outbox, 0, 'the worker has handled its event');
  const tags = () => idle.evaluate(async () => (await navigator.serviceWorker.ready).sync.getTags());
  while ((await tags()).length > 0);
  assert.equal(origin.log.filter(({ path }) => path.startsWith('/said/filed')).length, 1);
});

test('a periodic sync lets a download go on with every page closed', { skip: lacks('background-sync') }, async (t) => {
  const { origin, browser, open } = await startWorld(t.after.bind(t));
  const control = await browser.browser.target().createCDPSession();
  await control.send('Browser.grantPermissions', { origin: origin.url, permissions: ['periodicBackgroundSync'] });
  const file = origin.add('/long.bin', { length: 8 * MIB, seed: 32, bytesPerSecond: 4 * MIB });
  // Without `?sync`, no other event will come.
  const page = await open('?idle&worker=/sw-syncs.js');
  await page.evaluate(async () => {
    window.session = await open({ periodicSync: { minInterval: 1 } });
    const { periodicSync } = await navigator.serviceWorker.ready;
    while (!(await periodicSync.getTags()).includes('longhaul'));
  });
  await download(page, '/long.bin', { id: 'long', maxSegments: 1 });
  await origin.waitForSent('/long.bin', 3 * MIB);
  await holdUntilDurable(page, origin, '/long.bin');
  const durable = contiguousLength(await stored(page));
  const { outside, dispatch } = await reachWorker(browser, origin);
  await page.close();
  await browser.stopWorkers(outside);
  file.update({ bytesPerSecond: Infinity });

  await dispatch('dispatchPeriodicSyncEvent', { tag: 'longhaul' });
  await origin.waitFor(() => origin.log.some(({ path }) => path === '/said/all-of-podcasts'));
  assert.deepEqual(requestsFor(origin, '/long.bin').map(({ range }) => range.start), [0, durable]);
  const idle = await open('?idle');
  const filed = await idle.evaluate(async () => sha256(await (await caches.match('/files/long')).blob()));
  assert.equal(filed, file.sha256);
});
