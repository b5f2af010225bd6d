// What each step is run in: a file of random bytes, nginx that serves it with the test app, and a browser with a profile of
// its own. All of it has gone when the step has ended.
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { launchers } from '../../tests/browser/launch.mjs';
import { openPage, staticDirs } from '../../tests/e2e/support.mjs';
import { bigFile } from '../../tests/origin/big-file.mjs';
import { startNginx } from '../../tests/origin/nginx.mjs';

/** How much disk a browser may need to store a file, as a multiple of its length: what was deleted lingers. */
const DISK = 3;
/** The longest that one call of a page may take. */
const TIMEOUT_MS = 60 * 60_000;
/** Firefox rounds its clock to 1 ms otherwise. */
const PREFS = { 'privacy.reduceTimerPrecision': false };

const mib = (bytes) => Math.round(bytes / 2 ** 20);

/** Memory serves faster than a disk that the browser writes to. */
const sourceFolder = () => fs.access('/dev/shm').then(() => '/dev/shm', () => os.tmpdir());

async function freeBytes(folder) {
  const { bavail, bsize } = await fs.statfs(folder);
  return bavail * bsize;
}

async function checkRoom(folder, bytes) {
  const free = await freeBytes(folder);
  if (free < bytes) throw new Error(`${folder} has ${mib(free)} MiB free, ${mib(bytes)} are needed`);
}

/** A folder with a file `length` bytes long, its `path` on nginx, and nginx itself, which sends `rate` bytes a second by each connection. */
async function startServer(length, rate) {
  const folder = await sourceFolder();
  await checkRoom(folder, length);
  const dir = await fs.mkdtemp(path.join(folder, 'longhaul-source-'));
  const remove = () => fs.rm(dir, { recursive: true });
  try {
    const { name } = await bigFile({ length, dir });
    const nginx = await startNginx({ root: staticDirs['/'], routes: { '/longhaul/': staticDirs['/longhaul/'], '/files/': { dir, rate } } });
    return { url: nginx.url, path: `/files/${name}`, close: () => nginx.close().finally(remove) };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Runs `action({ url, path, inBrowser })`; `inBrowser(action)` gives a browser with a profile of its own. */
export async function inWorld({ browserName, length, rate, tell }, action) {
  await checkRoom(os.tmpdir(), DISK * length);
  tell(`writing ${mib(length)} MiB of random bytes`);
  const { url, path, close } = await startServer(length, rate);
  const inBrowser = async (act) => {
    const browser = await launchers[browserName]({ timeoutMs: TIMEOUT_MS, prefs: PREFS });
    try {
      return await act(browser);
    } finally {
      await browser.close();
    }
  };
  try {
    return await action({ url, path, inBrowser });
  } finally {
    await close();
  }
}

/** A page that the worker of `url` controls: the first one was there before the worker. */
export async function openControlled(browser, url, query) {
  await (await openPage(browser, url)).close();
  return openPage(browser, url, query);
}

/** Downloads what is at `path` to its end, saying how far it is; resolves with the seconds that it took. */
export async function downloadWhole(page, path, id, tell) {
  const began = performance.now();
  const ended = page.evaluate(async (path, id) => {
    window.task = await session.download(path, { id });
    await task.finished();
  }, path, id);
  await toldUntil(ended, () => page.evaluate(() => [window.task?.receivedBytes ?? 0, window.task?.snapshot.completeLength]), tell);
  return (performance.now() - began) / 1000;
}

/** Says every few seconds how far it is, by `look`, which resolves with `[bytes, of]`, until `work` has ended. */
export async function toldUntil(work, look, tell) {
  let isOver = false;
  const ended = work.finally(() => (isOver = true));
  // Whoever waits for `ended` hears of its failure.
  ended.catch(() => {});
  for (;;) {
    const pause = new Promise((resolve) => setTimeout(resolve, 3_000));
    await Promise.race([ended, pause]);
    if (isOver) return ended;
    const [bytes, of] = await look();
    tell(`${mib(bytes)}${of ? ` of ${mib(of)}` : ''} MiB`);
  }
}
