// Resume data: the bytes that a cancelled task leaves are taken up by another task, in another session, from another
// URL of the same representation, and are not fetched again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { download, killAndReturn, ledgerFor, lengthOf, MIB, outcome, startWorld, stored, untilSplit } from '../support.mjs';

const LENGTH = 32 * MIB;

/** A download that was cancelled on the way; its resume data as an array of numbers. */
async function cancelled(t) {
  const world = await startWorld(t.after.bind(t));
  const { origin } = world;
  origin.add('/f.bin', { length: LENGTH, seed: 1, bytesPerSecond: 4 * MIB });
  const moved = origin.add('/moved.bin', { length: LENGTH, seed: 1 });
  const page = await world.open();
  await download(page, '/f.bin', { id: 'f' });
  await untilSplit(origin, '/f.bin');
  await origin.waitForSent('/f.bin', 16 * MIB);
  const data = await page.evaluate(async () => [...new Uint8Array(await (await session.task('f')).cancel({ resumeData: true }))]);
  return { ...world, page, moved, data };
}

const resumeFrom = (page, data, id) =>
  page.evaluate(
    async (data, id) => (await errorOf(session.resumeFrom(new Uint8Array(data), '/moved.bin', { id })))?.code,
    data,
    id,
  );

test('another session takes the bytes up from another URL, also after a kill', async (t) => {
  const world = await cancelled(t);
  const { data, moved } = world;
  const idle = await killAndReturn(world);
  const ledger = ledgerFor(world.origin, '/moved.bin');
  assert.ok(lengthOf(await ledger.note(idle)) > 0, 'bytes are kept');
  const page = await world.open('?session=another');
  await idle.close();
  assert.equal(await resumeFrom(page, data, 'g'), undefined);
  const { state, sha256, restarts } = await outcome(page, 'g');
  assert.deepEqual({ state, sha256, restarts }, { state: 'completed', sha256: moved.sha256, restarts: 0 });
  const { sentBytes, durableBytes } = await ledger.check();
  assert.equal(sentBytes, LENGTH - durableBytes[0], 'what was missing was sent, and no more');
  assert.equal(await resumeFrom(page, data, 'once more'), 'resume-data-stale');
});

test('a version that has changed is loaded from the beginning', async (t) => {
  const { page, data, moved } = await cancelled(t);
  moved.update({ seed: 2 });
  assert.equal(await resumeFrom(page, data, 'g'), undefined);
  const { state, sha256, restarts } = await outcome(page, 'g');
  assert.deepEqual({ state, sha256, restarts }, { state: 'completed', sha256: moved.sha256, restarts: 1 });
});

test('tampered resume data is refused, wherever it was changed, and the bytes can still be had', async (t) => {
  const { page, data, moved } = await cancelled(t);
  const codes = new Set();
  for (const at of data.keys()) codes.add(await resumeFrom(page, data.with(at, data[at] ^ 1), `changed ${at}`));
  codes.add(await resumeFrom(page, data.slice(1), 'cut'));
  codes.add(await resumeFrom(page, [], 'empty'));
  assert.deepEqual([...codes], ['resume-data-invalid']);
  assert.equal((await stored(page)).rows.tasks, 1);
  assert.equal(await resumeFrom(page, data, 'g'), undefined);
  assert.equal((await outcome(page, 'g')).sha256, moved.sha256);
});
