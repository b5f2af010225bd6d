// A finished file is moved: into a cache, into the origin private file system, into any stream. It is here until all of it
// is there, also through kills of the worker and of the browser while it is being written.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lacks } from '../../browser/lacks.mjs';
import { contiguousLength, download, killAndReturn, MIB, outcome, rowCounts, stored } from '../support.mjs';
import { given, hasLeft, inCache, inOpfs, opfsNames, setHold, startMoving, untilHandled } from './support.mjs';

const LENGTH = 24 * MIB;

/** A finished file of several chunks. */
async function finished(t) {
  const world = await startMoving(t);
  const { origin, page } = world;
  const file = origin.add('/big', { length: LENGTH, seed: 21, contentType: 'video/mp4' });
  await download(page, '/big', { id: 'big', maxSegments: 1 });
  assert.equal((await outcome(page, 'big')).sha256, file.sha256);
  await untilHandled(page, 'completed');
  const { bodies } = await stored(page);
  assert.ok(Object.values(bodies)[0].length >= 3, 'more than one chunk is written');
  return { ...world, file };
}

/** The task's file is whole, and here. */
async function isHere(page, file) {
  const found = await page.evaluate(async () => {
    const stays = (await session.task('big')).file();
    return { place: stays.place, sha256: await sha256(await stays.blob()) };
  });
  assert.deepEqual(found, { place: 'here', sha256: file.sha256 });
}

test('moveTo a cache resolves when all of it is there, and an event says so', async (t) => {
  const { page, file } = await finished(t);
  await page.evaluate(async () => (await session.task('big')).file().moveTo({ cache: 'files' }));
  assert.equal((await inCache(page, '/big')).sha256, file.sha256);
  await hasLeft(page, 'big');
  await untilHandled(page, 'moved');
  assert.deepEqual(await given(page, 'moved'), ['big']);
});

for (const [what, target] of Object.entries({
  'a path': () => ({ opfs: 'podcasts/new/big' }),
  'a handle': async () => {
    const podcasts = await (await navigator.storage.getDirectory()).getDirectoryHandle('podcasts', { create: true });
    const folder = await podcasts.getDirectoryHandle('new', { create: true });
    const handle = await folder.getFileHandle('big', { create: true });
    // What was there before is replaced.
    const writable = await handle.createWritable();
    await writable.write('old');
    await writable.close();
    return handle;
  },
})) {
  test(`moveTo the origin private file system, by ${what}`, { skip: lacks('opfs') }, async (t) => {
    const { page, file } = await finished(t);
    await page.evaluate(`(async () => (await session.task('big')).file().moveTo(await (${target})()))()`);
    assert.deepEqual(await inOpfs(page, 'podcasts/new/big'), { size: LENGTH, sha256: file.sha256 });
    assert.deepEqual(await opfsNames(page, 'podcasts'), ['new']);
    await hasLeft(page, 'big');
    await untilHandled(page, 'moved');
    assert.deepEqual(await given(page, 'moved'), ['big']);
  });
}

test('moveTo a stream: what breaks leaves the file, what ends has taken it', async (t) => {
  const { page, file } = await finished(t);
  const failure = await page.evaluate(async () => {
    let chunks = 0;
    const breaking = new WritableStream({
      write() {
        if (++chunks === 2) throw new RangeError('the disk is full');
      },
    });
    const moved = (await session.task('big')).file().moveTo(breaking);
    const { name, message } = await moved.catch((error) => error);
    return { name, message, chunks };
  });
  assert.deepEqual(failure, { name: 'RangeError', message: 'the disk is full', chunks: 2 });
  await isHere(page, file);
  const name = await page.evaluate(async () => {
    const abort = new AbortController();
    const slow = new WritableStream({ write: () => abort.abort() });
    const { name } = await (await session.task('big')).file().moveTo(slow, { signal: abort.signal }).catch((error) => error);
    return name;
  });
  assert.equal(name, 'AbortError');
  await isHere(page, file);
  const digest = await page.evaluate(async () => {
    const chunks = [];
    await (await session.task('big')).file().moveTo(new WritableStream({ write: (bytes) => void chunks.push(bytes) }));
    return sha256(new Blob(chunks));
  });
  assert.equal(digest, file.sha256);
  await hasLeft(page, 'big');
});

/** The file is being moved to the destination, and its second chunk is held back. */
async function halfMoved(t, destination) {
  const world = await finished(t);
  const { page, untilSaid } = world;
  await setHold(page, true);
  await page.evaluate(async (destination) => {
    window.moved = (await session.task('big')).file().moveTo(destination);
    window.moved.catch(() => {});
  }, destination);
  await untilSaid('held');
  return world;
}

/** Nothing of the file is to be seen where it goes, and all of it is here. */
async function isNotThere(page) {
  assert.equal(await inCache(page, '/big'), undefined);
  if (!lacks('opfs')) assert.equal(await inOpfs(page, 'big'), undefined);
  assert.equal(contiguousLength(await stored(page)), LENGTH);
}

/** The move was begun again; it ends when it may. */
async function movesAgain(page, { file, said, untilSaid }, destination) {
  await untilSaid('held', 2);
  await isNotThere(page);
  await setHold(page, false);
  await page.waitForFunction(async () => (await session.task('big')).file().place === 'gone', { polling: 50 });
  const found = await (destination.cache ? inCache(page, '/big') : inOpfs(page, destination.opfs));
  assert.deepEqual([found.size, found.sha256], [LENGTH, file.sha256]);
  await hasLeft(page, 'big');
  // Of a worker that started before the page had opened its session, its own code has the event.
  const told = async () => [...(await given(page, 'moved')), ...said('moved/big')];
  await page.waitForFunction(async () => (await session.history({ limit: 1 }))[0].type === 'moved', { polling: 50 });
  while ((await rowCounts(page)).outbox > 0);
  assert.equal((await told()).length, 1);
  if (destination.opfs) {
    const names = await page.evaluate(async () => {
      const names = [];
      for await (const name of (await navigator.storage.getDirectory()).keys()) names.push(name);
      return names;
    });
    assert.deepEqual(names, ['big'], 'nothing is left of what was cut short');
  }
}

for (const destination of [{ cache: 'files' }, { opfs: 'big' }]) {
  const [where] = Object.keys(destination);
  const lacking = where === 'opfs' && lacks('opfs');

  test(`the worker is stopped while a file is moved to ${where}: the next one begins again`, { skip: lacks('stop-worker') || lacking }, async (t) => {
    const world = await halfMoved(t, destination);
    const { browser, page } = world;
    await isNotThere(page);
    assert.equal(await browser.stopWorkers(page), 1);
    await movesAgain(page, world, destination);
    await page.evaluate(() => window.moved);
  });

  test(`the browser is killed while a file is moved to ${where}: it is begun again`, { skip: lacking }, async (t) => {
    const world = await halfMoved(t, destination);
    const idle = await killAndReturn(world);
    await isNotThere(idle);
    const page = await world.open();
    await idle.close();
    await movesAgain(page, world, destination);
  });
}

test('a move that is ended while it is written leaves nothing there', async (t) => {
  const { page } = await halfMoved(t, { cache: 'files' });
  const code = await page.evaluate(async () => {
    await (await session.task('big')).file().release();
    return (await window.moved.catch((error) => error))?.code;
  });
  assert.equal(code, undefined, 'it is gone, as was asked for');
  await setHold(page, false);
  await page.evaluate(async () => {
    await session.download('/big', { id: 'later', destination: { cache: 'files', url: '/later' } });
    await (await session.task('later')).finished();
  });
  assert.equal(await inCache(page, '/big'), undefined);
});
