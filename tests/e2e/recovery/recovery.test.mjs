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

/** What any page of the origin may post: messages of ours that lack what they must have, or have it in another form. */
const NONSENSE = [
  { type: 'hello' },
  { type: 'hello', session: 5, delegate: 'yes' },
  { type: 'bye', session: {} },
  { type: 'ack', session: 'podcasts' },
  { type: 'ack', session: 'podcasts', seq: 2 ** 60 },
  { type: 'conditions', visible: 'yes', metered: [] },
  { type: 'call' },
  { type: 'call', call: null },
  { type: 'call', call: { type: 'task', session: 7, id: {} } },
  { type: 'pause' },
];

test('what any page may post ends nothing: no request, no call, no download', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  const file = origin.add('/f.bin', { length: 24 * MIB, seed: 3, bytesPerSecond: 8 * MIB });
  const page = await open();
  await download(page, '/f.bin', { id: 'f' });
  await origin.waitForSent('/f.bin', 6 * MIB);
  const before = requestsFor(origin, '/f.bin').length;
  const stranger = await open('?idle');
  const [replies, answered] = await stranger.evaluate(async (messages) => {
    const { active } = await navigator.serviceWorker.ready;
    const reply = (message) => {
      const { port1, port2 } = new MessageChannel();
      active.postMessage({ longhaul: 1, ...message }, [port2]);
      return new Promise((resolve) => (port1.onmessage = ({ data }) => 'ok' in Object(data) && resolve(data.error?.code ?? 'answered')));
    };
    const calls = messages.filter(({ type }) => type === 'call').map(reply);
    for (const message of messages) active.postMessage({ longhaul: 1, ...message });
    const of = { type: 'call', call: { type: 'task', session: 'podcasts', id: 'f' } };
    return [await Promise.all(calls), await reply(of)];
  }, NONSENSE);
  assert.deepEqual([replies, answered], [Array(3).fill('bad-argument'), 'answered']);
  await origin.waitForSent('/f.bin', 12 * MIB);
  const requests = requestsFor(origin, '/f.bin');
  assert.deepEqual(requests.slice(0, before).filter(({ aborted }) => aborted), [], 'its connections go on');
  file.update({ bytesPerSecond: Infinity });
  const { state, sha256, restarts } = await outcome(page, 'f');
  assert.deepEqual({ state, sha256, restarts }, { state: 'completed', sha256: file.sha256, restarts: 0 });
  assert.deepEqual(await page.evaluate(() => handled.map(({ taskId }) => taskId)), ['f'], 'its event is handled');
});
