// The component's own crash: a trap leaves no dead worker. The instance is replaced, state comes back from storage,
// and what waited is answered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { download, holdUntilDurable, MIB, outcome, startWorld } from '../support.mjs';

/** Lets the worker see a wasm trap, as a crash in a timer or a microtask would show it. */
async function trap(chromium) {
  const target = await chromium.browser.waitForTarget((target) => target.type() === 'service_worker');
  const session = await target.createCDPSession();
  const expression = "dispatchEvent(new ErrorEvent('error', { error: new WebAssembly.RuntimeError('unreachable') }))";
  await session.send('Runtime.evaluate', { expression });
  await session.detach();
}

test('a trap in the middle of a transfer costs nothing that was committed', async (t) => {
  const { origin, chromium, open } = await startWorld(t.after.bind(t));
  const file = origin.add('/f.bin', { length: 40 * MIB, seed: 1, bytesPerSecond: 16 * MIB });
  const page = await open();
  await download(page, '/f.bin', { id: 'f' });
  await origin.waitForSent('/f.bin', 20 * MIB);
  const durable = await holdUntilDurable(page, file, origin.log.find((entry) => entry.path === '/f.bin'));
  await trap(chromium);
  await origin.waitForRequest('/f.bin', (entry) => entry.range.start > 0);
  const requests = origin.log.filter((entry) => entry.path === '/f.bin');
  assert.ok(requests[0].aborted, 'the crashed instance has let go of its connection');
  assert.equal(requests[1].range.start, durable, 'no committed byte is asked for twice');
  file.update({ bytesPerSecond: Infinity });
  const { state, sha256, restarts } = await outcome(page, 'f');
  assert.deepEqual({ state, sha256, restarts }, { state: 'completed', sha256: file.sha256, restarts: 0 });
});

test('calls are answered again after a trap', async (t) => {
  const { origin, chromium, open } = await startWorld(t.after.bind(t));
  const file = origin.add('/f.bin', { length: MIB, seed: 2 });
  const page = await open();
  for (let round = 0; round < 3; round++) {
    await trap(chromium);
    await download(page, '/f.bin', { id: `round ${round}` });
    assert.equal((await outcome(page, `round ${round}`)).sha256, file.sha256);
  }
});
