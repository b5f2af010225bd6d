// What every end-to-end test needs: the built package served to a real browser by an origin of ours, and a look at
// what is durable without waking the worker.
import fs from 'node:fs';
import path from 'node:path';
import { launchBrowser } from '../browser/launch.mjs';
import { common, contiguousLength, durableRanges, lengthOf, rowCounts, stored, tablesWith } from '../browser/storage.mjs';
import { startOrigin } from '../origin/server.mjs';
import { root } from '../../tools/setup.mjs';
import { Ledger } from './ledger.mjs';

/** Where the test page and the package are, by URL prefix. */
export const staticDirs = { '/longhaul/': path.join(root, 'dist'), '/': path.join(root, 'tests/e2e/app') };

/** 1 MiB. */
export const MIB = 1 << 20;

/** An origin and a browser, both ended when the test `t` (or a suite's `after`) ends. */
export async function startWorld(after, options = {}) {
  if (!fs.existsSync(path.join(root, 'dist/.built'))) throw new Error('dist/ is not built: run "npm run build"');
  const origin = await startOrigin({ staticDirs });
  const browser = await launchBrowser(options);
  after(async () => {
    await browser.close();
    await origin.close();
  });
  return { origin, browser, open: (query = '') => openPage(browser, origin.url, query) };
}

/** A page of the test app whose session is open, unless `?idle`. */
export async function openPage(browser, url, query = '') {
  const page = await browser.newPage(`${url}/${query}`);
  await page.evaluate(() => window.ready);
  return page;
}

/** A page of nobody's, from which Chromium's protocol reaches the origin's worker: `dispatch` gives it an event. */
export async function reachWorker(browser, origin) {
  const outside = await browser.newPage('about:blank');
  const cdp = await outside.createCDPSession();
  const known = new Promise((resolve) => {
    cdp.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
      const own = registrations.find(({ scopeURL }) => scopeURL.startsWith(origin.url));
      if (own) resolve(own.registrationId);
    });
  });
  await cdp.send('ServiceWorker.enable');
  const registrationId = await known;
  const dispatch = (method, data) => cdp.send(`ServiceWorker.${method}`, { origin: origin.url, registrationId, ...data });
  return { outside, dispatch };
}

/** Starts a download and returns once it is durable. */
export const download = (page, url, options = {}) =>
  page.evaluate(async (url, options) => (await session.download(url, options)).snapshot, url, options);

/** Waits for the end of a task: `{ state, error?, sha256? }`, the digest of the Blob and of the stream compared. */
export const outcome = (page, id) =>
  page.evaluate(async (id) => {
    const task = await session.task(id);
    const failure = await errorOf(task.finished());
    const { state, restarts, receivedBytes, resumability } = task.snapshot;
    if (failure) return { state, restarts, code: failure.code, status: failure.status };
    const [blob, stream] = [await task.file().blob(), await new Response(task.file().stream()).blob()];
    const [fromBlob, fromStream] = [await sha256(blob), await sha256(stream)];
    return { state, restarts, receivedBytes, resumability, size: blob.size, sha256: fromBlob === fromStream ? fromBlob : 'blob and stream differ' };
  }, id);

/** Resolves with the task's snapshot once `look` (a function of it) is true. */
export async function untilTask(page, id, look) {
  await page.waitForFunction(
    async (id, look) => {
      const snapshot = (await session.task(id))?.snapshot;
      return snapshot !== undefined && new Function('task', `return (${look})(task)`)(snapshot);
    },
    { polling: 50 },
    id,
    String(look),
  );
  return page.evaluate(async (id) => (await session.task(id)).snapshot, id);
}

/** SIGKILL of the browser, which is started again; resolves with a page that wakes no worker. */
export async function killAndReturn({ browser, open }) {
  await browser.kill();
  await browser.relaunch();
  return open('?idle');
}

/** The requests for the file at `path`. */
export const requestsFor = (origin, path) => origin.log.filter((entry) => entry.path === path && entry.method === 'GET');

/** Holds what is asked for of the file at `path` against what was durable before. */
export const ledgerFor = (origin, path) => new Ledger(origin.get(path).length, () => requestsFor(origin, path));

/** Resolves when a second segment of the file at `path` is asked for, which is not before some of the first is durable. */
export const untilSplit = (origin, path) =>
  origin.waitFor(() => requestsFor(origin, path).length > 1, { what: `a second segment of ${path}` });

/** Resolves when more than `bytes` are durable, however busy the machine is. */
export async function untilDurable(page, bytes = 0) {
  while (lengthOf(durableRanges(await stored(page))) <= bytes);
}

/**
 * Lets the origin hold back the rest of the file at `path` and waits until all that it has sent is durable. What a
 * connection sends behind the place where the next segment begins is not counted: nobody reads it.
 */
export async function holdUntilDurable(page, origin, path) {
  origin.get(path).update({ bytesPerSecond: 0 });
  const starts = requestsFor(origin, path).map(({ range }) => range.start).sort((a, b) => a - b);
  const wanted = () =>
    requestsFor(origin, path).map(({ range: { start }, sentBytes }) => {
      const next = starts.find((other) => other > start) ?? Infinity;
      return { start, end: Math.min(start + sentBytes, next) };
    });
  let durable;
  do durable = durableRanges(await stored(page));
  while (lengthOf(common(durable, wanted())) < lengthOf(wanted()));
  return durable;
}

export { contiguousLength, durableRanges, lengthOf, rowCounts, stored, tablesWith };
