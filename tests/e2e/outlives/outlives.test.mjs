// The main promise: a download outlives its page, its worker, its renderer and its browser, and goes on from the
// last commit, in as many segments as before. What is durable is read from the database before anything wakes, and no
// byte of it may be asked for again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lacks } from '../../browser/lacks.mjs';
import { contiguousLength, download, durableRanges, holdUntilDurable, ledgerFor, lengthOf, MIB, openPage, outcome, requestsFor, startWorld, stored, untilDurable, untilSplit } from '../support.mjs';

const LENGTH = 48 * MIB;
const SENT_BEFORE = 20 * MIB;

/** A download that has come some way, at a speed that leaves time to interrupt it. */
async function underWay(after, path) {
  const world = await startWorld(after);
  const resource = world.origin.add(path, { length: LENGTH, seed: 11, bytesPerSecond: 4 * MIB });
  const page = await world.open();
  await download(page, path, { id: 'big' });
  await untilSplit(world.origin, path);
  await world.origin.waitForSent(path, SENT_BEFORE);
  return { ...world, path, resource, page, ledger: ledgerFor(world.origin, path) };
}

/**
 * The download is finished by `page`, and nothing that was durable before was asked for again. A host is given two
 * connections while a page is visible, four while none is.
 */
async function finishes(page, { resource, ledger }, mostAtOnce = 2) {
  resource.update({ bytesPerSecond: Infinity });
  const result = await outcome(page, 'big');
  assert.deepEqual(
    { state: result.state, size: result.size, sha256: result.sha256, restarts: result.restarts },
    { state: 'completed', size: LENGTH, sha256: resource.sha256, restarts: 0 },
  );
  const figures = await ledger.check();
  assert.ok(figures.atOnce >= 2 && figures.atOnce <= mostAtOnce, `${figures.atOnce} segments at once`);
  return figures;
}

/** Notes what survived, which must be some of the file and not all of it. */
async function survived(page, { ledger }) {
  const bytes = lengthOf(await ledger.note(page));
  assert.ok(bytes > 0 && bytes < LENGTH, `${bytes} bytes were durable`);
}

test('goes on while every page of the app is closed', async (t) => {
  const world = await underWay(t.after.bind(t), '/closed.bin');
  const { page, browser, origin, resource, path } = world;
  const elsewhere = await browser.newPage();
  await page.close();
  resource.update({ bytesPerSecond: Infinity });
  await origin.waitFor(() => requestsFor(origin, path).every((entry) => entry.endedAt));
  await elsewhere.close();
  await finishes(await world.open(), world, 4);
});

test('goes on after the worker was stopped, revived by the open page', { skip: lacks('stop-worker') }, async (t) => {
  const world = await underWay(t.after.bind(t), '/stopped.bin');
  const { page, browser, origin, path, ledger } = world;
  await holdUntilDurable(page, origin, path);
  await ledger.note(page);
  const before = requestsFor(origin, path).length;
  await browser.stopWorkers(page);
  await origin.waitFor(() => requestsFor(origin, path).length > before);
  await finishes(page, world);
});

test('goes on after the renderer was killed', { skip: lacks('kill-renderer') }, async (t) => {
  const world = await underWay(t.after.bind(t), '/crashed.bin');
  await world.browser.killRenderer(world.page);
  await survived(await world.open('?idle'), world);
  await finishes(await world.open(), world);
});

test('goes on after the browser was killed, with no call but openSession', async (t) => {
  const world = await underWay(t.after.bind(t), '/killed.bin');
  await world.browser.kill();
  await world.browser.relaunch();
  const idle = await world.open('?idle');
  await survived(idle, world);
  await idle.close();
  const page = await openPage(world.browser, world.origin.url);
  await finishes(page, world);
  assert.deepEqual(await page.evaluate(() => handled.map(({ type }) => type)), ['completed']);
});

test('one stream goes on exactly where the last commit ended', async (t) => {
  const { origin, browser, open } = await startWorld(t.after.bind(t));
  const file = origin.add('/one.bin', { length: LENGTH, seed: 12, bytesPerSecond: 8 * MIB });
  const page = await open();
  await download(page, '/one.bin', { id: 'one', maxSegments: 1 });
  await origin.waitForSent('/one.bin', SENT_BEFORE);
  await untilDurable(page);
  await browser.kill();
  await browser.relaunch();
  const idle = await open('?idle');
  const durable = contiguousLength(await stored(idle));
  assert.ok(durable > 0 && durable < LENGTH, `${durable} bytes were durable`);
  file.update({ bytesPerSecond: Infinity });
  assert.equal((await outcome(await open(), 'one')).sha256, file.sha256);
  assert.deepEqual(requestsFor(origin, '/one.bin').map(({ range }) => range.start), [0, durable]);
});

test('goes on through many kills, each costing at most what was not committed', async (t) => {
  const world = await underWay(t.after.bind(t), '/often.bin');
  const { browser, ledger } = world;
  let page;
  for (let kill = 0; kill < 3; kill++) {
    await browser.kill();
    await browser.relaunch();
    const idle = await world.open('?idle');
    const durable = lengthOf(await ledger.note(idle));
    page = await world.open();
    await idle.close();
    while (kill < 2 && lengthOf(durableRanges(await stored(page))) === durable);
  }
  const { durableBytes, fetchedTwice } = await finishes(page, world);
  assert.deepEqual(durableBytes, [...durableBytes].sort((a, b) => a - b), 'every life adds something');
  assert.equal(fetchedTwice, 0);
});
