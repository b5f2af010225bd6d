// Pause, resume, cancel, release: each durable before it is answered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { download, ledgerFor, lengthOf, MIB, outcome, requestsFor, startWorld, stored, untilSplit } from '../support.mjs';

const control = (page, id, action) => page.evaluate(async (id, action) => (await (await session.task(id))[action]())?.state, id, action);

test('a paused task keeps its bytes over a kill and goes on when resumed', async (t) => {
  const { origin, browser, open } = await startWorld(t.after.bind(t));
  const file = origin.add('/f.bin', { length: 32 * MIB, seed: 1, bytesPerSecond: 4 * MIB });
  const page = await open();
  await download(page, '/f.bin', { id: 'f' });
  await untilSplit(origin, '/f.bin');
  assert.equal(await control(page, 'f', 'pause'), 'paused');
  // One of several segments may have been sent whole by then.
  await origin.waitFor(() => requestsFor(origin, '/f.bin').every(({ endedAt }) => endedAt !== undefined));
  assert.ok(requestsFor(origin, '/f.bin').some(({ aborted }) => aborted), 'the request itself was ended');
  const ledger = ledgerFor(origin, '/f.bin');
  assert.ok(lengthOf(await ledger.note(page)) > 0, 'bytes are kept');

  await browser.kill();
  await browser.relaunch();
  const later = await open();
  assert.equal(await later.evaluate(async () => (await session.task('f')).state), 'paused');
  file.update({ bytesPerSecond: Infinity });
  assert.equal(await control(later, 'f', 'resume'), 'pending');
  assert.equal((await outcome(later, 'f')).sha256, file.sha256);
  await ledger.check();
});

test('a cancelled task stops the transfer, drops its bytes and says so', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  origin.add('/f.bin', { length: 64 * MIB, seed: 1, bytesPerSecond: 16 * MIB });
  const page = await open();
  await download(page, '/f.bin', { id: 'f' });
  await origin.waitForSent('/f.bin', 16 * MIB);
  assert.equal(await control(page, 'f', 'cancel'), 'cancelled');
  await origin.waitForRequest('/f.bin', (entry) => entry.aborted);
  await page.waitForFunction(() => handled.length === 1);
  assert.deepEqual(await page.evaluate(() => handled.map(({ type }) => type)), ['cancelled']);
  let found;
  do found = await stored(page);
  while (found.rows.bodies > 0);
  assert.equal(found.rows.chunks, 0, 'nothing is left of it');
});

test('a released file is gone, one that is not finished cannot be released or read', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  origin.add('/f.bin', { length: MIB, seed: 1 });
  origin.add('/held.bin', { length: MIB, seed: 2, bytesPerSecond: 0 });
  const page = await open();
  await download(page, '/f.bin', { id: 'f' });
  await outcome(page, 'f');
  await download(page, '/held.bin', { id: 'held' });
  const codes = await page.evaluate(async () => {
    const held = await session.task('held');
    const codes = [(await errorOf(held.release())).code, (await errorOf(held.file().blob())).code];
    const task = await session.task('f');
    await task.release();
    return [...codes, (await errorOf(task.file().blob())).code, (await session.tasks()).map(({ id }) => id)];
  });
  assert.deepEqual(codes, ['not-finished', 'not-finished', 'task-not-found', ['held']]);
});

test('several tasks run side by side, no more than the session allows', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  const names = ['a', 'b', 'c', 'd', 'e'];
  const files = names.map((name, seed) => origin.add(`/${name}.bin`, { length: MIB, seed, bytesPerSecond: 0 }));
  const page = await open('?idle');
  await page.evaluate(async () => (window.session = await open({ configuration: { maxConcurrentTasks: 2 } })));
  for (const name of names) await download(page, `/${name}.bin`, { id: name });
  await origin.waitFor((entries) => entries.filter((entry) => entry.path.endsWith('.bin')).length === 2);
  const states = await page.evaluate(async () => (await session.tasks()).map(({ state }) => state));
  assert.deepEqual(states, ['running', 'running', 'pending', 'pending', 'pending']);
  for (const file of files) file.update({ bytesPerSecond: Infinity });
  for (const [at, name] of names.entries()) assert.equal((await outcome(page, name)).sha256, files[at].sha256);
});
