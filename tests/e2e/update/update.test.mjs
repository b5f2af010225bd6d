// One driver: whatever workers there are, one of them writes. An update in the middle of a transfer, two registrations on
// one origin, and a worker that is revived while another is ending.
import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { lacks } from '../../browser/lacks.mjs';
import { startApp } from '../deployed.mjs';
import { download, durableRanges, holdUntilDurable, ledgerFor, lengthOf, MIB, outcome, requestsFor, startWorld, stored } from '../support.mjs';

const LENGTH = 40 * MIB;

/**
 * Deploys another version of the worker, which the page finds; resolves when it is active, or, with `waits`, when it waits
 * to become so.
 */
async function update({ dist, page }, code, { waits = false, say } = {}) {
  // The browser looks for updates by itself, too, and may have found this one before the page asks.
  await page.evaluate(async () => (window.old = (await navigator.serviceWorker.ready).active));
  await fs.appendFile(path.join(dist, 'service-worker.classic.js'), `\n${code}\n`);
  await page.evaluate(
    async (waits, say) => {
      const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
      const registration = await navigator.serviceWorker.ready;
      // A look of the browser's own that was under way already answers for this one, and may have seen the old version.
      do await registration.update();
      while (registration.active === window.old && !registration.waiting && !registration.installing);
      while (waits && !registration.waiting) await pause();
      if (say) registration.waiting.postMessage(say);
      while ((!waits || say) && (registration.active === window.old || registration.active.state !== 'activated')) await pause();
    },
    waits,
    say,
  );
}

/** A transfer that has come half its way, and whose rest the server holds back. */
async function underWay(t) {
  const app = await startApp(t);
  const { origin, open } = app;
  const file = origin.add('/f.bin', { length: LENGTH, seed: 1, bytesPerSecond: 16 * MIB });
  // Only a page that came after the worker is controlled by it, and makes an update wait.
  await (await open()).close();
  const page = await open();
  await download(page, '/f.bin', { id: 'f' });
  await origin.waitForSent('/f.bin', LENGTH / 2);
  await holdUntilDurable(page, origin, '/f.bin');
  const ledger = ledgerFor(origin, '/f.bin');
  await ledger.note(page);
  const before = requestsFor(origin, '/f.bin').length;
  const untilTakenUp = () => origin.waitFor(() => requestsFor(origin, '/f.bin').length > before);
  const finishes = async () => {
    file.update({ bytesPerSecond: Infinity });
    const { state, sha256, restarts } = await outcome(page, 'f');
    assert.deepEqual({ state, sha256, restarts }, { state: 'completed', sha256: file.sha256, restarts: 0 });
    await ledger.check();
  };
  return { ...app, page, untilTakenUp, finishes };
}

test('a transfer goes on through an update of the worker, and no byte is fetched twice', async (t) => {
  const app = await underWay(t);
  await update(app, 'addEventListener("install", () => skipWaiting());');
  await app.untilTakenUp();
  await app.finishes();
});

test('…also if the page tells the worker that waits to wait no longer', async (t) => {
  const app = await underWay(t);
  await update(app, 'addEventListener("message", ({ data }) => data === "skip" && skipWaiting());', { waits: true, say: 'skip' });
  await app.untilTakenUp();
  await app.finishes();
});

test('a worker that waits for all pages to go leaves the transfer to the old one', async (t) => {
  const app = await underWay(t);
  await update(app, '// another version', { waits: true });
  await app.untilTakenUp();
  await app.finishes();
  assert.equal(await app.page.evaluate(async () => (await navigator.serviceWorker.ready).waiting?.state), 'installed');
});

test('nothing opens the database before the worker is active', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  const page = await open('?idle');
  await page.evaluate(() => navigator.serviceWorker.register('/sw-early.js'));
  const said = () => origin.log.map(({ path }) => path).filter((path) => path.startsWith('/said/'));
  await origin.waitFor(() => said().length === 2);
  assert.deepEqual(said(), ['/said/install-not-active-0', '/said/activate-opened-1']);
});

test('two registrations of one origin have a database each, and write into no other', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  const page = await open('?idle');
  const files = [1, 2].map((seed) => origin.add(`/${seed}.bin`, { length: 6 * MIB, seed, bytesPerSecond: 8 * MIB }));
  const digests = await page.evaluate(async () => {
    const digestOf = async (scope, url) => {
      const registration = await navigator.serviceWorker.register('/sw.js', { scope });
      const session = await open({ serviceWorker: registration });
      // The same session, the same id, and another file.
      const task = await session.download(url, { id: 'same' });
      await task.finished();
      return sha256(await task.file().blob());
    };
    return Promise.all([digestOf('/one/', '/1.bin'), digestOf('/two/', '/2.bin')]);
  });
  assert.deepEqual(digests, files.map(({ sha256 }) => sha256));
  const names = await page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name).sort());
  assert.deepEqual(names, ['one', 'two'].map((scope) => `longhaul:${origin.url}/${scope}/`));
});

test('a worker that is revived while another is ending writes alone', { skip: lacks('stop-worker') }, async (t) => {
  const { origin, browser, open } = await startWorld(t.after.bind(t));
  const file = origin.add('/f.bin', { length: LENGTH, seed: 3, bytesPerSecond: 8 * MIB });
  const page = await open();
  await download(page, '/f.bin', { id: 'f' });
  const wake = () =>
    page.evaluate(async () => {
      const { active } = await navigator.serviceWorker.ready;
      for (let times = 0; times < 20; times++) {
        active.postMessage({ longhaul: 1, type: 'wake' });
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    });
  for (let stops = 1; stops <= 6; stops++) {
    await origin.waitForSent('/f.bin', stops * 4 * MIB);
    await Promise.all([browser.stopWorkers(page), wake()]);
  }
  file.update({ bytesPerSecond: Infinity });
  const { sha256, restarts } = await outcome(page, 'f');
  assert.deepEqual([sha256, restarts], [file.sha256, 0]);
  // No chunk lies over another, and there is none beside them.
  assert.equal(lengthOf(durableRanges(await stored(page))), LENGTH);
});

test('a page of another version of the protocol is told so', async (t) => {
  const { open } = await startWorld(t.after.bind(t));
  const page = await open();
  const answer = await page.evaluate(async () => {
    const { active } = await navigator.serviceWorker.ready;
    const { port1, port2 } = new MessageChannel();
    const answered = new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data)));
    active.postMessage({ longhaul: 0, type: 'call', call: { type: 'open', session: 'podcasts' } }, [port2]);
    const { error } = await answered;
    return [error.code, new LonghaulError(error).message, new LonghaulError(error).retry];
  });
  assert.deepEqual(answer, ['protocol-mismatch', 'The page and the service worker run different versions of longhaul. Reload the page.', true]);
});
