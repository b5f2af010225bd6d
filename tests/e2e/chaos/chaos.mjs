// A set of downloads, and everything that can be killed is killed at random moments: pages, workers, renderers, the
// browser. In the end every file must be right, every event delivered, and nothing left that nobody owns.
import assert from 'node:assert/strict';
import { browserName } from '../../browser/launch.mjs';
import { lacks } from '../../browser/lacks.mjs';
import { rangesOf, rowCounts, stored } from '../../browser/storage.mjs';
import { bytes } from '../../origin/content.mjs';
import { Ledger } from '../ledger.mjs';
import { pointsIn, random } from '../random.mjs';
import { download, MIB, openPage, outcome, requestsFor, startWorld } from '../support.mjs';

const FILES = 12;
/** Half of it comes between the kills; the rest is for what they cost, so that there is work left at the last of them. */
const BYTES_PER_KILL = 12 * MIB;
const BYTES_PER_SECOND = 4 * MIB;
/** How much more comes, with no page open, before the next is opened. */
const ALONE = MIB / 2;
const SAMPLE = 16;
/** How long an event's handler takes before its work, and after it. */
const A_WHILE_MS = 400;

/** What this browser lets us kill. */
const kinds = ['page', !lacks('stop-worker') && 'worker', !lacks('kill-renderer') && 'renderer', 'browser'].filter(Boolean);

class Chaos {
  #world;
  #page;
  #files;

  constructor(world, files) {
    this.#world = world;
    this.#files = files;
  }

  get page() {
    return this.#page;
  }

  /** Opens a page that takes part. */
  async enter() {
    this.#page = await openPage(this.#world.browser, this.#world.origin.url, '?record&worker=/sw-recording.js');
  }

  sentBytes() {
    return this.#world.origin.log.reduce((sum, entry) => sum + (this.#files.has(entry.path) ? entry.sentBytes : 0), 0);
  }

  /** Resolves when so many more bytes of the files have been sent. */
  async untilSent(moreBytes) {
    const until = this.sentBytes() + moreBytes;
    await this.#world.origin.waitFor(() => this.sentBytes() >= until, { what: `${moreBytes} more bytes` });
  }

  /** The same, with no page open: the worker may be gone before. */
  async untilSentOrQuiet(moreBytes) {
    const until = this.sentBytes() + moreBytes;
    const isQuiet = (entries) => entries.every(({ path, endedAt }) => !this.#files.has(path) || endedAt !== undefined);
    await this.#world.origin.waitFor((entries) => this.sentBytes() >= until || isQuiet(entries));
  }

  /** How fast files come. While a browser is started again they do not, or all would be there before the last kill. */
  flow(bytesPerSecond) {
    for (const { resource } of this.#files.values()) resource.update({ bytesPerSecond });
  }

  /** Notes for each file what is durable now; whose bytes a body holds, its first ones tell. */
  async note(page) {
    const { bodies, samples } = await stored(page, SAMPLE);
    const at = Date.now();
    for (const [body, chunks] of Object.entries(bodies)) {
      const [offset] = chunks[0];
      const owner = [...this.#files.values()].find(({ seed }) => bytes(seed, offset, SAMPLE).toString('hex') === samples[body]);
      assert.ok(owner, `the bytes of ${body} are of no file`);
      owner.ledger.noteRanges(rangesOf(chunks), at);
    }
  }

  /** Kills one kind of thing; a page that takes part is open afterwards. */
  async kill(kind) {
    const { browser } = this.#world;
    await this.note(this.#page);
    if (kind === 'worker') {
      await browser.stopWorkers(this.#page);
      return;
    }
    if (kind === 'page') {
      // Closing the last page might end the browser.
      const elsewhere = await browser.newPage();
      await this.#page.close();
      await this.untilSentOrQuiet(ALONE);
      this.flow(0);
      await this.enter();
      await elsewhere.close();
      this.flow(BYTES_PER_SECOND);
      return;
    }
    if (kind === 'renderer') {
      await browser.killRenderer(this.#page);
      this.flow(0);
      await this.#page.close();
    } else {
      await browser.kill();
      this.flow(0);
      await browser.relaunch();
    }
    const idle = await openPage(browser, this.#world.origin.url, '?idle');
    await this.note(idle);
    await this.enter();
    await idle.close();
    this.flow(BYTES_PER_SECOND);
  }
}

/** In the page: holds the whole database by one transaction for so long, as an app's own long work on it would. */
const holdStorage = async (holdMs) => {
  const { scope } = await navigator.serviceWorker.ready;
  const database = await new Promise((resolve, reject) => {
    const request = indexedDB.open(`longhaul:${scope}`);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const transaction = database.transaction([...database.objectStoreNames], 'readwrite');
  const ended = new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
  const until = Date.now() + holdMs;
  // A transaction lives for as long as it has requests.
  const goOn = () => {
    if (Date.now() < until) transaction.objectStore('meta').get('epoch').onsuccess = goOn;
  };
  goOn();
  await ended;
  database.close();
};

/** Lengths that add up to `total`, from very small to large. */
function lengths(next, total) {
  const shares = Array.from({ length: FILES }, () => next() ** 2);
  const sum = shares.reduce((a, b) => a + b, 0);
  return shares.map((share) => Math.max(SAMPLE, Math.floor((total * share) / sum)));
}

/**
 * Runs it all; `tell` is called with a line for each kill. After half of the kills storage stands still for `holdMs`.
 * Returns the figures, and throws if anything is wrong.
 */
export async function chaos(after, { kills, seed, holdMs = 0, tell = () => {} }) {
  const next = random(seed);
  const world = await startWorld(after);
  const untilLastKill = (kills * BYTES_PER_KILL) / 2;
  // Where the browser reads on by itself, all that comes while storage is held may have to come again.
  const total = 2 * untilLastKill + (holdMs / 1000) * BYTES_PER_SECOND;
  const files = new Map(
    lengths(next, total).map((length, at) => {
      const path = `/${at}.bin`;
      const resource = world.origin.add(path, { length, seed: seed + at, bytesPerSecond: BYTES_PER_SECOND });
      return [path, { id: `file ${at}`, seed: seed + at, resource, ledger: new Ledger(length, () => requestsFor(world.origin, path)) }];
    }),
  );
  world.origin.add('/a-while', { latencyMs: A_WHILE_MS });
  const run = new Chaos(world, files);
  await run.enter();
  for (const [path, { id }] of files) await download(run.page, path, { id });
  const killed = {};
  const points = pointsIn(next, kills, untilLastKill);
  for (const [at, point] of points.entries()) {
    await run.untilSent(point - (points[at - 1] ?? 0));
    const kind = kinds[Math.floor(next() * kinds.length)];
    killed[kind] = 1 + (killed[kind] ?? 0);
    tell(`${at + 1}/${kills}: ${kind} after ${(run.sentBytes() / MIB).toFixed(1)} MiB`);
    await run.kill(kind);
    if (holdMs && at + 1 === Math.ceil(kills / 2)) {
      tell(`storage is held for ${holdMs / 1000} s`);
      await run.page.evaluate(holdStorage, holdMs);
    }
  }
  run.flow(Infinity);
  const figures = await conclude(run.page, files);
  return { browser: browserName, seed, killed, files: files.size, sentBytes: run.sentBytes(), totalBytes: total, ...figures };
}

/** All is right in the end. */
async function conclude(page, files) {
  let fetchedTwice = 0;
  for (const { id, resource, ledger } of files.values()) {
    const { state, restarts, size, sha256 } = await outcome(page, id);
    const right = { state: 'completed', restarts: 0, size: resource.length, sha256: resource.sha256 };
    assert.deepEqual({ state, restarts, size, sha256 }, right, id);
    fetchedTwice += (await ledger.check()).fetchedTwice;
  }
  assert.equal(fetchedTwice, 0);

  const isEmpty = async (...tables) => {
    const rows = await rowCounts(page);
    return tables.every((table) => rows[table] === 0);
  };
  while (!(await isEmpty('outbox')));
  const events = await page.evaluate(() => recorded());
  const told = events.map(({ type, taskId }) => `${type} ${taskId}`).sort();
  assert.deepEqual(told, [...files.values()].map(({ id }) => `completed ${id}`).sort(), 'every event, each under one number');

  await page.evaluate(() => session.release());
  while (!(await isEmpty('tasks', 'progress', 'bodies', 'chunks')));
  return { events: events.length, cameAgain: events.reduce((sum, { times }) => sum + times - 1, 0) };
}
