// Storage that goes its own ways: written by a newer longhaul, blocked, evicted under the hands of a transfer, full. Each
// has its path, and none of them hangs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lacks } from '../../browser/lacks.mjs';
import { download, ledgerFor, MIB, outcome, startWorld, stored, untilDurable } from '../support.mjs';

/** In the page: raises the version of the database, as a newer longhaul would; a table comes to it. */
const raiseVersion = async () => {
  const { scope } = await navigator.serviceWorker.ready;
  await new Promise((resolve, reject) => {
    const request = indexedDB.open(`longhaul:${scope}`, 99);
    request.onupgradeneeded = () => request.result.createObjectStore('of the future');
    request.onsuccess = () => resolve(request.result.close());
    request.onerror = () => reject(request.error);
  });
};

test('what a newer version has written is read, and nothing is written', async (t) => {
  const { origin, browser, open } = await startWorld(t.after.bind(t));
  const file = origin.add('/f.bin', { length: 20 * MIB, seed: 1 });
  const page = await open();
  await download(page, '/f.bin', { id: 'f' });
  assert.equal((await outcome(page, 'f')).sha256, file.sha256);
  await page.close();
  await browser.kill();
  await browser.relaunch();
  const idle = await open('?idle');
  await idle.evaluate(raiseVersion);
  const before = await stored(idle);
  const codes = await idle.evaluate(async () => {
    window.session = await open();
    const task = await session.task('f');
    const refused = [session.download('/g.bin', { id: 'g' }), task.release(), session.update({ maxConcurrentTasks: 1 }), open({}).then((other) => other.pause())];
    return Promise.all(refused.map(async (call) => (await errorOf(call))?.code));
  });
  assert.deepEqual(codes, Array(4).fill('newer-store'));
  const { state, sha256 } = await outcome(idle, 'f');
  assert.deepEqual([state, sha256], ['completed', file.sha256]);
  assert.deepEqual(await idle.evaluate(async () => (await session.query({})).tasks.map(({ id }) => id)), ['f']);
  assert.deepEqual(await stored(idle), before);
});

test('an opening that another connection blocks ends with an error, and works when that is gone', async (t) => {
  const { open } = await startWorld(t.after.bind(t));
  const page = await open('?idle');
  const codes = await page.evaluate(async () => {
    await navigator.serviceWorker.register('/sw.js');
    const { scope } = await navigator.serviceWorker.ready;
    // As an older version of the app's own would be, whose page never lets go.
    const request = indexedDB.open(`longhaul:${scope}`, 1);
    const connection = await new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
    const first = await errorOf(open());
    connection.close();
    return [first.code, (await open()).identifier];
  });
  assert.deepEqual(codes, ['storage', 'podcasts']);
});

test('a database that is deleted under the hands of a transfer ends it, and the page hears of it', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  const file = origin.add('/f.bin', { length: 24 * MIB, seed: 2, bytesPerSecond: 4 * MIB });
  const page = await open();
  await download(page, '/f.bin', { id: 'f' });
  await origin.waitForSent('/f.bin', 4 * MIB);
  const code = await page.evaluate(async () => {
    const { scope } = await navigator.serviceWorker.ready;
    const finished = session.task('f').then((task) => errorOf(task.finished()));
    await new Promise((resolve, reject) => {
      const request = indexedDB.deleteDatabase(`longhaul:${scope}`);
      request.onsuccess = resolve;
      request.onerror = () => reject(request.error);
    });
    return (await finished)?.code;
  });
  assert.equal(code, 'aborted', 'the task has ended for the page');
  file.update({ bytesPerSecond: Infinity });
  await download(page, '/f.bin', { id: 'f' });
  assert.equal((await outcome(page, 'f')).sha256, file.sha256);
  assert.equal(Object.keys((await stored(page)).bodies).length, 1, 'nothing is left of the first');
});

for (const how of ['drop', 'drop-silently']) {
  test(`a database whose connection is lost is opened again, and costs no more than what was on its way (${how})`, async (t) => {
    const { origin, open } = await startWorld(t.after.bind(t));
    const file = origin.add('/f.bin', { length: 24 * MIB, seed: 3, bytesPerSecond: 8 * MIB });
    const page = await open('?worker=/sw-dropping.js');
    await download(page, '/f.bin', { id: 'f' });
    for (const durable of [0, 6 * MIB]) {
      // Lost once, the database is not opened again before there is something to write.
      await untilDurable(page, durable);
      const lost = await page.evaluate(async (how) => {
        const { port1, port2 } = new MessageChannel();
        const answered = new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data)));
        (await navigator.serviceWorker.ready).active.postMessage(how, [port2]);
        return answered;
      }, how);
      assert(lost > 0, 'there was a connection to lose');
    }
    const { state, sha256, restarts } = await outcome(page, 'f');
    assert.deepEqual({ state, sha256, restarts }, { state: 'completed', sha256: file.sha256, restarts: 0 });
  });
}

test('a disk that is full in the middle ends a download that would rather fail with its bytes, and resume goes on from them', { skip: lacks('quota') }, async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  const file = origin.add('/f.bin', { length: 24 * MIB, seed: 4, bytesPerSecond: 16 * MIB });
  // The browser remembers for a while how much is left, once it has looked.
  const idle = await open('?idle');
  const cdp = await idle.createCDPSession();
  await cdp.send('Storage.overrideQuotaForOrigin', { origin: origin.url, quotaSize: 10 * MIB });
  const page = await open();
  await download(page, '/f.bin', { id: 'f', maxFailures: 2, whenFull: 'fail' });
  const full = await outcome(page, 'f');
  assert.deepEqual([full.state, full.code], ['failed', 'quota-exceeded']);
  const { receivedBytes } = await page.evaluate(async () => (await session.task('f')).snapshot);
  assert(receivedBytes > 0, `${receivedBytes} bytes were kept`);
  const ledger = ledgerFor(origin, '/f.bin');
  await ledger.note(page);
  await cdp.send('Storage.overrideQuotaForOrigin', { origin: origin.url });
  await page.evaluate(async () => (await session.task('f')).resume());
  const { state, sha256, restarts } = await outcome(page, 'f');
  assert.deepEqual({ state, sha256, restarts }, { state: 'completed', sha256: file.sha256, restarts: 0 });
  await ledger.check();
});

test('a disk that is full in the middle of three downloads is waited for, and what is released makes room for them', { skip: lacks('quota') }, async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  const ids = ['a', 'b', 'c'];
  const idle = await open('?idle');
  const cdp = await idle.createCDPSession();
  // The browser remembers for a while how much is left, once it has looked.
  await cdp.send('Storage.overrideQuotaForOrigin', { origin: origin.url, quotaSize: 60 * MIB });
  const files = Object.fromEntries(ids.map((id, at) => [id, origin.add(`/${id}.bin`, { length: 16 * MIB, seed: 10 + at, bytesPerSecond: 8 * MIB })]));
  origin.add('/old.bin', { length: 32 * MIB, seed: 9 });
  const page = await open();
  await download(page, '/old.bin', { id: 'old' });
  assert.equal((await outcome(page, 'old')).state, 'completed');
  // In one segment: what is durable is what is received, from the first byte on.
  for (const id of ids) await download(page, `/${id}.bin`, { id, maxSegments: 1 });

  const waiting = await page.waitForFunction(async () => {
    const tasks = await Promise.all(['a', 'b', 'c'].map(async (id) => (await session.task(id)).snapshot));
    const isStill = tasks.every(({ state, reason }) => state === 'completed' || reason === 'quota');
    const open = tasks.filter(({ state }) => state !== 'completed');
    return isStill && open.length > 0 && open.some(({ receivedBytes }) => receivedBytes > 0) && open.map(({ id }) => id);
  });
  const [first] = await waiting.jsonValue();
  const explained = await page.evaluate(async (id) => (await session.task(id)).explain(), first);
  assert.deepEqual([explained.reason, /release/i.test(explained.sentence)], ['quota', true]);
  const ledgers = ids.map((id) => ledgerFor(origin, `/${id}.bin`));
  for (const [at, id] of ids.entries()) {
    const end = await page.evaluate(async (id) => (await session.task(id)).receivedBytes, id);
    if (end > 0) ledgers[at].noteRanges([{ start: 0, end }]);
  }
  await page.evaluate(async () => (await session.task('old')).file().release());
  for (const id of ids) {
    const { state, sha256, restarts } = await outcome(page, id);
    assert.deepEqual({ state, sha256, restarts }, { state: 'completed', sha256: files[id].sha256, restarts: 0 }, id);
  }
  for (const ledger of ledgers) await ledger.check();
  const old = await page.evaluate(async () => [(await session.task('old')).state, (await session.task('old')).file().place]);
  assert.deepEqual(old, ['completed', 'gone']);
});
