// A file in several segments from nginx, whose browser is killed again and again at random points.
import assert from 'node:assert/strict';
import { launchBrowser } from '../../browser/launch.mjs';
import { bigFile } from '../../origin/big-file.mjs';
import { startNginx } from '../../origin/nginx.mjs';
import { Ledger } from '../ledger.mjs';
import { pointsIn, random } from '../random.mjs';
import { partsOfFile, partsOfStream } from '../stream-parts.mjs';
import { download, MIB, openPage, staticDirs } from '../support.mjs';

const CONNECTIONS = 4;

/** A page whose session may use `CONNECTIONS` connections; `received(bytes)` waits until so many have come, or all. */
async function openSession(browser, url) {
  const page = await openPage(browser, url, '?idle');
  await page.evaluate(async (connections) => {
    window.session = await open({ configuration: { maxConnectionsPerHost: connections } });
    window.received = async (bytes) => {
      const task = await session.task('big');
      return new Promise((resolve) => {
        const look = () => (task.receivedBytes >= bytes || task.hasEnded) && resolve();
        for (const type of ['progress', 'task']) session.addEventListener(type, look);
        look();
      });
    };
  }, CONNECTIONS);
  return page;
}

const seconds = (since) => Number(((performance.now() - since) / 1000).toFixed(1));

/**
 * Downloads `length` bytes, at `bytesPerSecond` for each connection, and kills the browser with SIGKILL `kills` times,
 * each time when a random number of bytes has been received. Returns the figures; throws if the file is not the
 * server's, or if a byte was asked for that had been committed.
 */
export async function downloadKilledAtRandom({ length, kills, bytesPerSecond, seed }) {
  const began = performance.now();
  const points = pointsIn(random(seed), kills, length);
  const file = await bigFile({ length });
  const nginx = await startNginx({
    root: staticDirs['/'],
    routes: { '/longhaul/': staticDirs['/longhaul/'], '/files/': { dir: file.dir, rate: bytesPerSecond } },
  });
  const browser = await launchBrowser();
  try {
    const path = `/files/${file.name}`;
    const requests = async () =>
      (await nginx.accessLog()).filter((entry) => entry.path === path).map(({ bytesSent, ...entry }) => ({ ...entry, sentBytes: bytesSent }));
    const ledger = new Ledger(length, requests);
    let page = await openSession(browser, nginx.url);
    await download(page, path, { id: 'big', maxSegments: CONNECTIONS });
    for (const point of points) {
      await page.evaluate((point) => received(point), point);
      await browser.kill();
      const at = Date.now();
      await browser.relaunch();
      const idle = await openPage(browser, nginx.url, '?idle');
      await ledger.note(idle, at);
      page = await openSession(browser, nginx.url);
      await idle.close();
    }
    const { state, restarts, completeLength } = await page.evaluate(async () => (await (await session.task('big')).finished()).snapshot);
    assert.deepEqual({ state, restarts, completeLength }, { state: 'completed', restarts: 0, completeLength: length });
    const hashing = performance.now();
    const parts = await partsOfStream(page, 'big');
    assert.deepEqual({ parts, hasMore: false }, await partsOfFile(file.path, parts));
    const hashed = seconds(hashing);
    return { length, seed, points, ...(await ledger.check()), seconds: seconds(began), hashedIn: hashed };
  } finally {
    await browser.close();
    await nginx.close();
  }
}

/** The figures in words. */
export function told({ length, seed, points, requests, sentBytes, durableBytes, lostBytes, fetchedTwice, atOnce, seconds, hashedIn }) {
  const mib = (bytes) => (bytes / MIB).toFixed(1);
  return [
    `${mib(length)} MiB, killed ${points.length} times, seed ${seed}: ${requests} requests, up to ${atOnce} segments at once, ${seconds} s (${hashedIn} s of them to hash)`,
    ...points.map(
      (point, at) =>
        `  killed at ${mib(point)} MiB received: ${mib(durableBytes[at])} MiB were durable, ${mib(lostBytes[at])} MiB had been sent and were not`,
    ),
    `  ${mib(sentBytes)} MiB were sent, committed bytes fetched twice: ${fetchedTwice}`,
  ].join('\n');
}
