// Refresh: a file that is there stays, and can be read, until a newer version is complete.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { download, killAndReturn, MIB, outcome, requestsFor, startWorld, stored } from '../support.mjs';

const LENGTH = 24 * MIB;
const refresh = (page) => download(page, '/f.bin', { id: 'f', ifExists: 'refresh' });

/** The digest of the file as it can be read now, whatever the task is doing. */
const readable = (page) => page.evaluate(async () => sha256(await (await session.task('f')).file().blob()));
const events = (page) => page.evaluate(() => seen.map(({ type, error }) => [type, error?.code].filter(Boolean).join(' ')));

/** A world with a file that is downloaded already. */
async function finished(t) {
  const world = await startWorld(t.after.bind(t));
  const file = world.origin.add('/f.bin', { length: LENGTH, seed: 1 });
  const page = await world.open();
  await download(page, '/f.bin', { id: 'f' });
  assert.equal((await outcome(page, 'f')).sha256, file.sha256);
  return { ...world, file, page, old: file.sha256 };
}

/** The file and nothing else is stored. */
async function untilSwept(page) {
  let found;
  do found = await stored(page);
  while (found.rows.bodies > 1);
  assert.equal(Object.keys(found.bodies).length, 1);
}

test('a file that is still the newest stays, and not a byte of it is sent', async (t) => {
  const { origin, page, old } = await finished(t);
  await refresh(page);
  const { state, sha256 } = await outcome(page, 'f');
  assert.deepEqual({ state, sha256 }, { state: 'completed', sha256: old });
  const last = requestsFor(origin, '/f.bin').at(-1);
  assert.deepEqual([last.status, last.sentBytes, last.ifNoneMatch], [304, 0, origin.get('/f.bin').etag]);
  await page.waitForFunction(() => seen.length === 2);
  assert.deepEqual(await events(page), ['completed', 'not-modified']);
  await untilSwept(page);
});

test('a newer version takes the place of the old one in one step; until then, and over a kill, the old one is read', async (t) => {
  const world = await finished(t);
  const { origin, file, page, old } = world;
  file.update({ seed: 2, bytesPerSecond: 4 * MIB });
  await refresh(page);
  await origin.waitForSent('/f.bin', LENGTH + 12 * MIB);
  file.update({ bytesPerSecond: 0 });
  assert.equal(await readable(page), old);
  const { hasPreviousFile, state } = await page.evaluate(async () => (await session.task('f')).snapshot);
  assert.deepEqual({ hasPreviousFile, state }, { hasPreviousFile: true, state: 'running' });

  const idle = await killAndReturn(world);
  const again = await world.open();
  await idle.close();
  assert.equal(await readable(again), old);
  file.update({ bytesPerSecond: Infinity });
  const result = await outcome(again, 'f');
  assert.deepEqual([result.state, result.sha256, result.restarts], ['completed', file.sha256, 0]);
  assert.notEqual(file.sha256, old);
  assert.equal(await again.evaluate(async () => (await session.task('f')).hasPreviousFile), false);
  await untilSwept(again);
});

test('who reads the old file when the new one takes its place is told so, and is given no byte of that', async (t) => {
  const { file, page } = await finished(t);
  file.update({ seed: 2 });
  await page.evaluate(async () => {
    window.reader = (await session.task('f')).file().stream().getReader();
    await reader.read();
  });
  await refresh(page);
  assert.equal((await outcome(page, 'f')).sha256, file.sha256);
  assert.equal((await page.evaluate(() => errorOf(reader.read()))).code, 'file-changed');
});

test('a newer version that cannot be had leaves the old one, and says so', async (t) => {
  const { file, page, old } = await finished(t);
  file.update({ seed: 3 });
  file.addFault({ kind: 'status', status: 404, times: 10 });
  await refresh(page);
  const { state, sha256 } = await outcome(page, 'f');
  assert.deepEqual({ state, sha256 }, { state: 'completed', sha256: old });
  await page.waitForFunction(() => seen.length === 2);
  assert.deepEqual(await events(page), ['completed', 'refresh-failed http-status']);
  await untilSwept(page);
});
