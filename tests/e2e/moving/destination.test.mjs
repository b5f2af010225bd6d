// A download that says where its file belongs: it is complete when all of it is there, with no page open, and nothing of
// it stays in longhaul's own storage.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lacks } from '../../browser/lacks.mjs';
import { contiguousLength, download, MIB, outcome, requestsFor, rowCounts, stored } from '../support.mjs';
import { given, hasLeft, inCache, inOpfs, opfsNames, startMoving } from './support.mjs';

const LENGTH = 10 * MIB;
const TYPE = 'audio/mpeg';

/** The download is asked for, every page of the app closed, and the server answers only then. Resolves with what the worker said. */
async function aloneTo(t, destination) {
  // It takes no events, so the worker's own code does.
  const world = await startMoving(t, '&observer');
  const { origin, browser, page, said, untilSaid } = world;
  const file = origin.add('/alone', { length: LENGTH, seed: 1, contentType: TYPE, bytesPerSecond: 0, lastModified: 'Wed, 21 Oct 2026 07:28:00 GMT' });
  await download(page, '/alone', { id: 'alone', destination });
  await origin.waitForRequest('/alone');
  const elsewhere = await browser.newPage('about:blank');
  await page.close();
  file.update({ bytesPerSecond: Infinity });
  await untilSaid('');
  await elsewhere.close();
  assert.equal(said('').length, 1);
  return { ...world, file, told: said('')[0] };
}

test('a cache: it is in there, as the answer to its URL, when the worker hears that it is complete, with no page open', async (t) => {
  const { open, file, told } = await aloneTo(t, { cache: 'files' });
  assert.equal(told, `/said/completed/alone/cache-${file.sha256}/opfs-nothing`);
  const page = await open();
  const { headers, ...found } = await inCache(page, '/alone');
  assert.deepEqual(found, { status: 200, size: LENGTH, sha256: file.sha256 });
  assert.deepEqual(
    Object.fromEntries(['content-type', 'content-length', 'etag', 'last-modified', 'x-content-type-options', 'content-security-policy'].map((name) => [name, headers[name]])),
    {
      'content-type': TYPE,
      'content-length': String(LENGTH),
      etag: file.etag,
      'last-modified': 'Wed, 21 Oct 2026 07:28:00 GMT',
      'x-content-type-options': 'nosniff',
      'content-security-policy': 'sandbox',
    },
  );
  await hasLeft(page, 'alone');
  assert.deepEqual(await page.evaluate(() => handled), [], 'the event was handled already');
});

test('a cache, under another URL', async (t) => {
  const { origin, page } = await startMoving(t);
  const file = origin.add('/source', { length: 1000, seed: 2 });
  await download(page, '/source', { id: 'other', destination: { cache: 'files', url: '/elsewhere?it=is#here' } });
  await page.evaluate(async () => (await session.task('other')).finished());
  assert.equal((await inCache(page, '/elsewhere?it=is')).sha256, file.sha256);
  assert.equal(await inCache(page, '/source'), undefined);
  await hasLeft(page, 'other');
});

test('the origin private file system: it is at its path when the worker hears that it is complete, with no page open', { skip: lacks('opfs') }, async (t) => {
  const { open, file, told } = await aloneTo(t, { opfs: 'podcasts/alone' });
  assert.equal(told, `/said/completed/alone/cache-nothing/opfs-${file.sha256}`);
  const page = await open();
  assert.deepEqual(await inOpfs(page, 'podcasts/alone'), { size: LENGTH, sha256: file.sha256 });
  assert.deepEqual(await opfsNames(page, 'podcasts'), ['alone']);
  await hasLeft(page, 'alone');
});

test('an origin private file system that cannot be written fails the download, which keeps its bytes', async (t) => {
  const { origin, page } = await startMoving(t);
  const file = origin.add('/refused', { length: LENGTH, seed: 3 });
  if (!lacks('opfs')) {
    await page.evaluate(async () => {
      // A folder is where the file should be.
      await (await navigator.storage.getDirectory()).getDirectoryHandle('taken', { create: true });
    });
  }
  await download(page, '/refused', { id: 'refused', destination: { opfs: 'taken' } });
  const failure = await page.evaluate(async () => {
    const { code, detail } = await (await session.task('refused')).finished().catch((error) => error);
    return { code, detail };
  });
  assert.equal(failure.code, 'destination-failed');
  assert.match(failure.detail, lacks('opfs') ? /getDirectory/ : /^TypeMismatchError/);
  assert.equal(contiguousLength(await stored(page)), LENGTH);
  // With another place for it, the bytes are still good.
  const before = requestsFor(origin, '/refused').length;
  const data = await page.evaluate(async () => [...new Uint8Array(await (await session.task('refused')).resumeData())]);
  await page.evaluate(async (data) => {
    await session.resumeFrom(new Uint8Array(data), '/refused', { id: 'kept' });
    await (await session.task('kept')).finished();
  }, data);
  assert.equal((await outcome(page, 'kept')).sha256, file.sha256);
  assert.ok(requestsFor(origin, '/refused').slice(before).every(({ sentBytes }) => sentBytes <= 1), 'no byte is fetched twice');
});

test('200 members of a group go into a cache: one event, and no chunk is left', async (t) => {
  const { origin, page } = await startMoving(t);
  const count = 200;
  const files = Array.from({ length: count }, (_, tile) => origin.add(`/tiles/${tile}.png`, { length: 15_000, seed: tile, contentType: 'image/png' }));
  await page.evaluate(async (count) => {
    const destination = { cache: 'files' };
    const members = Array.from({ length: count }, (_, tile) => ({ url: `/tiles/${tile}.png`, id: `tile-${tile}`, destination }));
    await session.downloadAll(members, { group: 'map' });
  }, count);
  await page.waitForFunction(() => handled.length > 0, { polling: 50 });
  const digests = await page.evaluate(async (count) => {
    const cache = await caches.open('files');
    return Promise.all(Array.from({ length: count }, async (_, tile) => sha256(await (await cache.match(`/tiles/${tile}.png`)).blob())));
  }, count);
  assert.deepEqual(digests, files.map((file) => file.sha256));
  assert.deepEqual(await page.evaluate(() => handled.map(({ type, groupId, counts }) => [type, groupId, counts.completed, counts.total])), [['group-ended', 'map', count, count]]);
  assert.deepEqual(await given(page, 'completed'), []);
  assert.equal((await rowCounts(page)).chunks, 0);
  await hasLeft(page, 'tile-7');
});

test('what the files of a session take, and what could be let go', async (t) => {
  const { origin, page } = await startMoving(t);
  const big = origin.add('/big', { length: 9 * MIB, seed: 4 });
  origin.add('/small', { length: 1000, seed: 5 });
  origin.add('/part', { length: 9 * MIB, seed: 6, bytesPerSecond: 2 * MIB });
  for (const path of ['/big', '/small']) {
    await download(page, path, { id: path, tag: path });
    assert.equal((await outcome(page, path)).state, 'completed');
  }
  await download(page, '/part', { id: '/part', maxSegments: 1 });
  await page.waitForFunction(async () => (await session.task('/part')).receivedBytes > 0, { polling: 50 });
  await page.evaluate(async () => (await session.task('/part')).pause());
  const part = contiguousPart(await stored(page));
  const storage = () => page.evaluate(() => session.storage());
  const before = await storage();
  assert.deepEqual(
    new Map(before.tasks.map(({ id, ...about }) => [id, about])),
    new Map([
      ['/big', { bytes: big.length, isReleasable: true }],
      ['/small', { bytes: 1000, isReleasable: true }],
      ['/part', { bytes: part, isReleasable: false }],
    ]),
  );
  const sizes = before.tasks.map(({ bytes }) => bytes);
  assert.deepEqual(sizes, [...sizes].sort((one, other) => other - one), 'the largest first');
  assert.deepEqual([before.bytes, before.releasableBytes], [big.length + 1000 + part, big.length + 1000]);
  assert.equal(await page.evaluate(() => session.releaseFiles({ tag: '/small' })), 1);
  assert.equal((await storage()).releasableBytes, big.length);
  await page.evaluate(() => session.releaseFiles());
  const { tasks, bytes, releasableBytes } = await storage();
  assert.deepEqual({ tasks, bytes, releasableBytes }, { tasks: [{ id: '/part', bytes: part, isReleasable: false }], bytes: part, releasableBytes: 0 });
  assert.equal(await page.evaluate(async () => (await session.task('/big')).file().place), 'gone');
});

/** The stored bytes of the one body that is neither of the finished ones. */
function contiguousPart({ bodies }) {
  const sums = Object.values(bodies).map((chunks) => chunks.reduce((sum, [, length]) => sum + length, 0));
  return sums.find((sum) => sum !== 1000 && sum !== 9 * MIB);
}
