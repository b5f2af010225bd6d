// The component's own crash: a trap leaves no dead worker. The instance is replaced, state comes back from storage,
// and what waited is answered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { download, holdUntilDurable, ledgerFor, MIB, outcome, requestsFor, startWorld } from '../support.mjs';

const WORKER = '?worker=/sw-trapping.js';

/** Lets the worker see a wasm trap. */
const trap = (page) => page.evaluate(async () => (await navigator.serviceWorker.ready).active.postMessage('trap'));

test('a trap in the middle of a transfer costs nothing that was committed', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  const file = origin.add('/f.bin', { length: 40 * MIB, seed: 1, bytesPerSecond: 16 * MIB });
  const page = await open(WORKER);
  await download(page, '/f.bin', { id: 'f' });
  await origin.waitForSent('/f.bin', 20 * MIB);
  await holdUntilDurable(page, origin, '/f.bin');
  const ledger = ledgerFor(origin, '/f.bin');
  await ledger.note(page);
  const before = [...requestsFor(origin, '/f.bin')];
  await trap(page);
  await origin.waitFor(() => requestsFor(origin, '/f.bin').length > before.length);
  assert.ok(before.every((entry) => entry.aborted), 'the crashed instance has let go of its connections');
  file.update({ bytesPerSecond: Infinity });
  const { state, sha256, restarts } = await outcome(page, 'f');
  assert.deepEqual({ state, sha256, restarts }, { state: 'completed', sha256: file.sha256, restarts: 0 });
  await ledger.check();
});

test('calls are answered again after a trap', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  const file = origin.add('/f.bin', { length: MIB, seed: 2 });
  const page = await open(WORKER);
  for (let round = 0; round < 3; round++) {
    await trap(page);
    await download(page, '/f.bin', { id: `round ${round}` });
    assert.equal((await outcome(page, `round ${round}`)).sha256, file.sha256);
  }
});
