// With no page open: a push makes the worker download a file, its own code files it, and the event is acknowledged then
// and only then.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lacks } from '../../browser/lacks.mjs';
import { MIB, reachWorker, requestsFor, startWorld, stored } from '../support.mjs';

const WORKER = '/sw-files.js';

/** A world whose worker is installed, and no page of it open; a page of nobody's is there to push from. */
async function startAlone(t) {
  const world = await startWorld(t.after.bind(t));
  const page = await world.open('?idle');
  await page.evaluate(async (worker) => {
    await navigator.serviceWorker.register(worker);
    await navigator.serviceWorker.ready;
    (await caches.open('files')).keys();
  }, WORKER);
  const { outside, dispatch } = await reachWorker(world.browser, world.origin);
  await page.close();
  const push = (data) => dispatch('deliverPushMessage', { data: JSON.stringify(data) });
  const said = (what) => requestsFor(world.origin, `/said/${what}`).length;
  const untilSaid = (what) => world.origin.waitFor(() => said(what) > 0);
  return { ...world, outside, push, said, untilSaid };
}

const setHold = (page, isHeld) =>
  page.evaluate(async (isHeld) => {
    const files = await caches.open('files');
    if (isHeld) await files.put('/hold', new Response());
    else await files.delete('/hold');
  }, isHeld);

/** What the worker has filed, by digest. */
const filed = (page, id) => page.evaluate(async (id) => sha256(await (await caches.match(`/files/${id}`)).blob()), id);

const outbox = async (page) => (await stored(page)).rows.outbox;

/** Opens a page that handles events, and waits until it was given all that there is. */
async function openHandler(open) {
  const page = await open(`?worker=${WORKER}`);
  await page.waitForFunction(() => notes.some((note) => note.startsWith('all-delivered')), { polling: 50 });
  return page;
}

test('a push downloads, files and tells the user with every page closed, past the end of its own promise', { skip: lacks('push') }, async (t) => {
  const { origin, browser, open, push, said, untilSaid } = await startAlone(t);
  await browser.browser.defaultBrowserContext().overridePermissions(origin.url, ['notifications']);
  const file = origin.add('/one.bin', { length: 6 * MIB, seed: 1, bytesPerSecond: 3 * MIB });
  await push({ url: '/one.bin', id: 'one' });
  await untilSaid('all-of-podcasts');
  assert.deepEqual([said('begun-one'), said('filed-one')], [1, 1]);

  const page = await open('?idle');
  await page.waitForFunction(
    async (title) => {
      const shown = await (await navigator.serviceWorker.ready).getNotifications();
      return shown.some((notification) => notification.title === title);
    },
    { polling: 50 },
    'podcasts are there',
  );
  assert.equal(await filed(page, 'one'), file.sha256);
  assert.equal(await outbox(page), 0);
  const later = await openHandler(open);
  assert.deepEqual(await later.evaluate(() => [handled, seen]), [[], []], 'no page sees the event again');
  assert.equal(await later.evaluate(async () => (await session.task('one')).state), 'completed');
  assert.equal(said('begun-one'), 1);
});

test('a worker killed while its handler is at work is given the same event again', { skip: lacks('push') }, async (t) => {
  const { origin, browser, open, outside, push, said, untilSaid } = await startAlone(t);
  const file = origin.add('/two.bin', { length: MIB, seed: 2 });
  const before = await open('?idle');
  await setHold(before, true);
  await before.close();
  await push({ url: '/two.bin', id: 'two' });
  await untilSaid('begun-two');
  assert.equal(await browser.stopWorkers(outside), 1);

  const page = await open('?idle');
  assert.equal(await outbox(page), 1, 'what was not handled is not acknowledged');
  await setHold(page, false);
  await push({});
  await untilSaid('all-of-podcasts');
  assert.deepEqual([said('begun-two'), said('filed-two')], [2, 1]);
  assert.equal(new Set(requestsFor(origin, '/said/begun-two').map(({ url }) => url)).size, 1, 'under the same number');
  assert.equal(await filed(page, 'two'), file.sha256);
  assert.equal(await outbox(page), 0);
});

test('a page that comes while the worker handles waits for that, and sees only what comes later', { skip: lacks('push') }, async (t) => {
  const { origin, open, push, said, untilSaid } = await startAlone(t);
  origin.add('/three.bin', { length: MIB, seed: 3 });
  origin.add('/four.bin', { length: MIB, seed: 4 });
  const holder = await open('?idle');
  await setHold(holder, true);
  await push({ url: '/three.bin', id: 'three' });
  await untilSaid('begun-three');
  const page = await open(`?worker=${WORKER}`);
  assert.equal(await page.evaluate(async () => (await session.task('three')).state), 'completed');
  assert.deepEqual(await page.evaluate(() => [session.isDelegate, handled.length]), [false, 0]);

  await setHold(holder, false);
  await page.waitForFunction(() => session.isDelegate, { polling: 50 });
  await page.evaluate(() => session.download('/four.bin', { id: 'four' }).then(() => {}));
  await page.waitForFunction(() => handled.length > 0, { polling: 50 });
  assert.deepEqual(await page.evaluate(() => handled.map(({ taskId }) => taskId)), ['four']);
  assert.deepEqual([said('begun-three'), said('filed-three'), said('begun-four')], [1, 1, 0]);
});
