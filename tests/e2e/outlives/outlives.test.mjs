// The main promise: a download outlives its page, its worker, its renderer and its browser, and goes on from the
// last commit. What is durable is read from the database before anything wakes, and the next request must begin
// exactly there: no committed byte is asked for twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contiguousLength, download, holdUntilDurable, MIB, openPage, outcome, startWorld, stored } from '../support.mjs';

const LENGTH = 48 * MIB;
const SENT_BEFORE = 20 * MIB;

/** A download that has come some way, at a speed that leaves time to interrupt it. */
async function underWay(after, path) {
  const world = await startWorld(after);
  const resource = world.origin.add(path, { length: LENGTH, seed: 11, bytesPerSecond: 16 * MIB });
  const page = await world.open();
  await download(page, path, { id: 'big' });
  await world.origin.waitForSent(path, SENT_BEFORE);
  return { ...world, resource, page, requests: () => world.origin.log.filter((entry) => entry.path === path) };
}

/** The download is finished by `page`; every request after the first must begin at what was durable before it. */
async function finishes(page, { resource, requests }, durableBefore) {
  resource.update({ bytesPerSecond: Infinity });
  const result = await outcome(page, 'big');
  assert.deepEqual(
    { state: result.state, size: result.size, sha256: result.sha256, restarts: result.restarts },
    { state: 'completed', size: LENGTH, sha256: resource.sha256, restarts: 0 },
  );
  const starts = requests().map((entry) => entry.range?.start);
  assert.deepEqual(starts, [0, ...durableBefore], 'each request begins at the last commit before it');
}

test('goes on while every page of the app is closed', async (t) => {
  const world = await underWay(t.after.bind(t), '/closed.bin');
  const { page, chromium, origin, resource } = world;
  const elsewhere = await chromium.newPage();
  await page.close();
  resource.update({ bytesPerSecond: Infinity });
  await origin.waitForRequest('/closed.bin', (entry) => entry.endedAt && !entry.aborted);
  await elsewhere.close();
  await finishes(await world.open(), world, []);
});

test('goes on after the worker was stopped, revived by the open page', async (t) => {
  const world = await underWay(t.after.bind(t), '/stopped.bin');
  const { page, chromium } = world;
  const durable = await holdUntilDurable(page, world.resource, world.requests()[0]);
  await chromium.stopWorkers(page);
  await world.origin.waitForRequest('/stopped.bin', (entry) => entry.range.start > 0);
  await finishes(page, world, [durable]);
});

test('goes on after the renderer was killed', async (t) => {
  const world = await underWay(t.after.bind(t), '/crashed.bin');
  await world.chromium.killRenderer(world.page);
  const idle = await world.open('?idle');
  const durable = contiguousLength(await stored(idle));
  assert.ok(durable > 0 && durable < LENGTH, `${durable} bytes were durable`);
  await finishes(await world.open(), world, [durable]);
});

test('goes on after the browser was killed, with no call but openSession', async (t) => {
  const world = await underWay(t.after.bind(t), '/killed.bin');
  await world.chromium.kill();
  await world.chromium.relaunch();
  const idle = await world.open('?idle');
  const durable = contiguousLength(await stored(idle));
  assert.ok(durable > 0 && durable < LENGTH, `${durable} bytes were durable`);
  await idle.close();
  const page = await openPage(world.chromium, world.origin.url);
  await finishes(page, world, [durable]);
  assert.deepEqual(await page.evaluate(() => handled.map(({ seq, type }) => ({ seq, type }))), [{ seq: 1, type: 'completed' }]);
});

test('goes on through many kills, each costing at most what was not committed', async (t) => {
  const world = await underWay(t.after.bind(t), '/often.bin');
  const durableBefore = [];
  for (let kill = 0; kill < 3; kill++) {
    await world.chromium.kill();
    await world.chromium.relaunch();
    const idle = await world.open('?idle');
    durableBefore.push(contiguousLength(await stored(idle)));
    const page = await world.open();
    await idle.close();
    world.page = page;
    const sentBefore = world.requests().at(-1).sentBytes;
    await world.origin.waitFor(() => world.requests().length === durableBefore.length + 1 && world.requests().at(-1).sentBytes > 6 * MIB, {
      what: `the request after kill ${kill + 1} (${sentBefore} bytes sent before)`,
    });
  }
  await finishes(world.page, world, durableBefore);
});
