// A server that does not let this origin read it looks to a script exactly like one that cannot be reached. The first
// never will work and is said so soon; the second is waited for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startOrigin } from '../../origin/server.mjs';
import { download, MIB, outcome, startWorld, untilTask } from '../support.mjs';

async function otherOrigin(t, options) {
  const other = await startOrigin(options);
  t.after(() => other.close());
  return other;
}

test('a server without CORS headers is told from one that is not there, after a few requests', async (t) => {
  const { open } = await startWorld(t.after.bind(t));
  const other = await otherOrigin(t);
  other.add('/f.bin', { length: MIB });
  const page = await open();
  await download(page, `${other.url}/f.bin`, { id: 'f' });
  const { state, code } = await outcome(page, 'f');
  assert.deepEqual({ state, code }, { state: 'failed', code: 'cors-blocked' });
  // Twice with a range, and twice without: it may be the range that the browser makes nothing of.
  assert.deepEqual(other.log.map(({ method, headers }) => [method, headers.range !== undefined]), [true, true, false, false].flatMap((range) => [['GET', range], ['HEAD', false]]));
  assert.deepEqual(other.log.map(({ headers }) => headers.cookie), Array(8).fill(undefined));
});

test('a server that cannot be reached is waited for, and the download begins when it is there', async (t) => {
  const { open } = await startWorld(t.after.bind(t));
  const first = await startOrigin();
  await first.close();
  const page = await open();
  await download(page, `${first.url}/f.bin`, { id: 'f' });
  // More attempts than it takes to find out that CORS forbids something.
  const attempts = new Set();
  while (attempts.size < 3) attempts.add((await untilTask(page, 'f', (task) => task.reason === 'retry')).waitingSince);
  const other = await otherOrigin(t, { port: first.port });
  const file = other.add('/f.bin', { length: MIB, cors: 'expose' });
  await page.evaluate(async () => (await session.task('f')).resume());
  assert.equal((await outcome(page, 'f')).sha256, file.sha256);
});

test('a mirror that does not let itself be read does no harm', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  const other = await otherOrigin(t);
  other.add('/f.bin', { length: 32 * MIB, seed: 1 });
  const file = origin.add('/f.bin', { length: 32 * MIB, seed: 1, bytesPerSecond: MIB });
  const page = await open();
  await download(page, '/f.bin', { id: 'f', mirrors: [`${other.url}/f.bin`] });
  await other.waitForRequest('/f.bin');
  file.update({ bytesPerSecond: 16 * MIB });
  const { state, sha256, restarts } = await outcome(page, 'f');
  assert.deepEqual({ state, sha256, restarts }, { state: 'completed', sha256: file.sha256, restarts: 0 });
});
