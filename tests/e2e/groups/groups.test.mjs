// Groups: the two thousand tiles of a map are one thing to the app, with one set of counts and one event at the end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killAndReturn, rowCounts, startWorld, stored } from '../support.mjs';

const TILES = 2_000;
const TILE_BYTES = 15_000;
const tilePath = (tile) => `/tiles/${tile}.png`;

function addTiles(origin, count = TILES) {
  return Array.from({ length: count }, (_, tile) => origin.add(tilePath(tile), { length: TILE_BYTES, seed: tile, contentType: 'image/png' }));
}

const downloadTiles = (page, count = TILES) =>
  page.evaluate(async (tiles) => {
    const members = Array.from({ length: tiles }, (_, tile) => ({ url: `/tiles/${tile}.png`, id: `tile-${tile}` }));
    return (await session.downloadAll(members, { group: 'map' })).counts;
  }, count);

const tileRequests = (origin) => origin.log.filter(({ path }) => path.startsWith('/tiles/'));
const completed = (count) => ({ active: 0, paused: 0, completed: count, failed: 0, cancelled: 0, total: count });

/** The group has ended with one event and right counts, and its tiles are the server's. */
async function ended(page, tiles) {
  await page.waitForFunction(() => handled.some(({ type }) => type === 'group-ended'), { polling: 100 });
  assert.deepEqual(await page.evaluate(() => handled.map(({ type, groupId, counts }) => ({ type, groupId, counts }))), [
    { type: 'group-ended', groupId: 'map', counts: completed(TILES) },
  ]);
  assert.deepEqual(await page.evaluate(async () => (await session.group('map')).counts), completed(TILES));
  const sample = Array.from({ length: 40 }, (_, at) => (at * 997) % TILES);
  const digests = await page.evaluate(async (sample) => {
    const digests = [];
    for (const tile of sample) digests.push(await sha256(await (await session.task(`tile-${tile}`)).file().blob()));
    return digests;
  }, sample);
  assert.deepEqual(digests, sample.map((tile) => tiles[tile].sha256));
  const { bodies } = await stored(page);
  assert.equal(Object.values(bodies).flat().reduce((sum, [, length]) => sum + length, 0), TILES * TILE_BYTES);
}

test('2,000 tiles in one call: one event, each tile fetched once', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  const tiles = addTiles(origin);
  const page = await open();
  const began = performance.now();
  assert.equal((await downloadTiles(page)).total, TILES);
  t.diagnostic(`accepted after ${Math.round(performance.now() - began)} ms`);
  await ended(page, tiles);
  t.diagnostic(`all there after ${Math.round(performance.now() - began)} ms`);
  assert.equal(tileRequests(origin).length, TILES);
});

test('2,000 tiles, the browser killed in the middle: what was there is not fetched again', async (t) => {
  const world = await startWorld(t.after.bind(t));
  const { origin } = world;
  const tiles = addTiles(origin);
  const page = await world.open();
  await downloadTiles(page);
  await origin.waitFor(() => tileRequests(origin).length > TILES / 2);
  const idle = await killAndReturn(world);
  const durable = (await rowCounts(idle)).chunks;
  const before = tileRequests(origin).length;
  t.diagnostic(`${before} tiles had been asked for, ${durable} were durable`);
  assert.ok(durable > 0 && durable < TILES, `${durable} tiles`);
  const again = await world.open();
  await idle.close();
  await ended(again, tiles);
  assert.equal(tileRequests(origin).length - before, TILES - durable);
});

test('a group is paused, resumed, cancelled and released as one', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  const count = 300;
  addTiles(origin, count).forEach((tile) => tile.update({ latencyMs: 20 }));
  const page = await open();
  await downloadTiles(page, count);
  const all = (action) => page.evaluate(async (action) => (await session.group('map'))[action](), action);
  await all('pause');
  const paused = await page.evaluate(async () => (await session.group('map')).counts);
  assert.deepEqual([paused.active, paused.paused + paused.completed, paused.paused > 0], [0, count, true]);
  assert.equal(await all('resume'), paused.paused);
  await all('cancel');
  await page.waitForFunction(() => handled.length === 1);
  const [{ type, counts }] = await page.evaluate(() => handled);
  assert.deepEqual([type, counts.cancelled + counts.completed, counts.total], ['group-ended', count, count]);
  assert.equal(await all('release'), count);
  let rows;
  do rows = await rowCounts(page);
  while (rows.chunks + rows.bodies > 0);
  assert.deepEqual([rows.tasks, rows.progress], [0, 0]);
});
