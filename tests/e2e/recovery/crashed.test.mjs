// A task that crashes the component again and again fails with a code of its own, instead of taking all others with it
// for ever.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { download, MIB, outcome, requestsFor, startWorld } from '../support.mjs';

const WORKER = '?worker=/sw-crashing.js';
const POISON = { headers: { 'X-Poison': '1' } };

test('a task at which the component crashes three times fails, and the others are fetched', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  const good = origin.add('/good.bin', { length: 24 * MIB, seed: 1, bytesPerSecond: 16 * MIB });
  const bad = origin.add('/bad.bin', { length: 3 * MIB, seed: 2, ...POISON });
  const page = await open(WORKER);
  await download(page, '/good.bin', { id: 'good' });
  await origin.waitForSent('/good.bin', 4 * MIB);
  await download(page, '/bad.bin', { id: 'bad' });
  const { state, code } = await outcome(page, 'bad');
  assert.deepEqual({ state, code }, { state: 'failed', code: 'crashed' });
  assert.equal(requestsFor(origin, '/bad.bin').length, 3);
  assert.equal((await outcome(page, 'good')).sha256, good.sha256);
  assert.deepEqual(await page.evaluate(() => handled.filter(({ taskId }) => taskId === 'bad').map(({ type, error }) => [type, error.code])), [['failed', 'crashed']]);
  const sentences = await page.evaluate(async () => [handled.find(({ taskId }) => taskId === 'bad').error.message, (await session.task('bad')).error.message]);
  assert.match(sentences[0], /^The component crashed .*resume\(\)/);
  assert.equal(sentences[1], sentences[0]);

  bad.update({ headers: {} });
  await page.evaluate(async () => (await session.task('bad')).resume());
  assert.equal((await outcome(page, 'bad')).sha256, bad.sha256);
});

test('the crashes are counted across the end of the browser, and bytes are kept', async (t) => {
  const { origin, browser, open } = await startWorld(t.after.bind(t));
  const file = origin.add('/f.bin', { length: 12 * MIB, seed: 3, bytesPerSecond: 4 * MIB });
  const page = await open(WORKER);
  await download(page, '/f.bin', { id: 'f', maxSegments: 1 });
  await origin.waitForSent('/f.bin', 6 * MIB);
  await page.waitForFunction(async () => (await session.task('f')).snapshot.receivedBytes > 0, { polling: 50 });
  await page.close();
  await browser.kill();
  const requests = () => requestsFor(origin, '/f.bin').length;
  const before = requests();
  // Two answers, and then none before the browser is killed once more.
  file.update({ ...POISON });
  file.addFault({ kind: 'stall-head', when: () => requests() === before + 3 });
  await browser.relaunch();
  await open(WORKER);
  await origin.waitFor(() => requests() === before + 3);
  await browser.kill();
  await browser.relaunch();
  const again = await open(WORKER);
  const { state, code } = await outcome(again, 'f');
  assert.deepEqual({ state, code }, { state: 'failed', code: 'crashed' });
  assert.equal(requests() - before, 4);
  const bytes = await again.evaluate(async () => (await session.task('f')).snapshot.receivedBytes);
  assert.ok(bytes > 0, 'its bytes are kept');
  file.update({ headers: {}, bytesPerSecond: Infinity });
  await again.evaluate(async () => (await session.task('f')).resume());
  const result = await outcome(again, 'f');
  assert.deepEqual([result.sha256, result.restarts], [file.sha256, 0]);
  assert.equal(requestsFor(origin, '/f.bin').at(-1).range.start, bytes);
});
