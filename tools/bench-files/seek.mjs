// How long 64 KiB of a task's file take that a page fetches by the file's URL, beside the same range from the server.
import { random } from '../../tests/e2e/random.mjs';
import { download, durableRanges, openPage, staticDirs, stored, untilTask } from '../../tests/e2e/support.mjs';
import { startOrigin } from '../../tests/origin/server.mjs';
import { downloadWhole, inWorld, openControlled } from './world.mjs';

const PART = 64 << 10;
/** So many requests are made in one call of the page. */
const BATCH = 20;
/** A round trip to the throttled server. */
const LATENCY_MS = 40;
/** In how many seconds the throttled server would send the whole file. */
const THROTTLED_SECONDS = 64;

/** In the page: milliseconds for each offset, from both URLs, whose bytes must be the same. */
async function time(ours, theirs, offsets, part) {
  const get = async (url, start) => {
    const from = performance.now();
    const failed = (error) => Promise.reject(new Error(`${url} from ${start}, after ${performance.now() - from} ms: ${error}`));
    const response = await fetch(url, { headers: { Range: `bytes=${start}-${start + part - 1}` }, cache: 'no-store' }).catch(failed);
    const bytes = new Uint8Array(await response.arrayBuffer().catch(failed));
    const ms = performance.now() - from;
    if (response.status !== 206 || bytes.length !== part) throw new Error(`${url}: ${response.status}, ${bytes.length} bytes`);
    return { ms, bytes };
  };
  const times = [];
  for (const [at, offset] of offsets.entries()) {
    // Another one is first each time.
    const urls = at % 2 ? [theirs, ours] : [ours, theirs];
    const found = [await get(urls[0], offset), await get(urls[1], offset)];
    if (found[0].bytes.some((byte, position) => byte !== found[1].bytes[position])) throw new Error(`other bytes at ${offset}`);
    const [our, their] = at % 2 ? found.reverse() : found;
    times.push([our.ms, their.ms]);
  }
  return times;
}

const percentile = (values, share) => [...values].sort((a, b) => a - b)[Math.floor(share * (values.length - 1))];

function row(what, times) {
  const [ours, theirs] = [times.map(([our]) => our), times.map(([, their]) => their)];
  const cells = [ours, theirs].flatMap((values) => [percentile(values, 0.5), percentile(values, 0.95)]);
  const [ratio, ratio95] = [cells[0] / cells[2], cells[1] / cells[3]];
  const names = ['p50, ms', 'p95, ms', 'server p50, ms', 'server p95, ms'];
  const figures = Object.fromEntries(names.map((name, at) => [name, cells[at].toFixed(1)]));
  return { '64 KiB': what, requests: times.length, ...figures, 'ratio p50': ratio.toFixed(1), 'ratio p95': ratio95.toFixed(1) };
}

/** The rows of one page, whose task's file is at `ours` and on the server at `theirs`. */
class Measuring {
  rows = [];

  constructor({ requests, tell }, page, ours, theirs) {
    Object.assign(this, { requests, tell, page, ours, theirs });
  }

  /** `next()` gives the next offset, or `undefined` if there is none any more. */
  async take(what, next) {
    const times = [];
    while (times.length < this.requests) {
      const offsets = Array.from({ length: next.isSingle ? 1 : BATCH }, next).filter((offset) => offset !== undefined);
      if (offsets.length === 0) break;
      times.push(...(await this.page.evaluate(time, this.ours, this.theirs, offsets, PART)));
      if (times.length % BATCH === 0) this.tell(`${what}: ${times.length} of ${this.requests}`);
    }
    if (times.length === 0) return;
    this.rows.push(row(what, times));
    // At once, since the next may fail.
    this.tell(JSON.stringify(this.rows.at(-1)));
  }
}

const urlOf = (page, id) => page.evaluate(async (id) => (await session.task(id)).file().url, id);

/** Downloads the file again and again until told to stop; `stop` resolves with the bytes for each second. */
async function keepBusy(page, path, length) {
  await page.evaluate((path) => {
    window.times = 0;
    window.isWanted = true;
    window.busy = (async () => {
      for (; window.isWanted; window.times++) {
        const task = await session.download(path, { id: 'other', ifExists: 'replace' });
        await task.finished();
      }
    })();
  }, path);
  const began = performance.now();
  return async () => {
    const times = await page.evaluate(async () => {
      window.isWanted = false;
      await window.busy;
      return window.times;
    });
    return (1000 * times * length) / (performance.now() - began);
  };
}

/** The file is complete: at rest, and while another one comes as fast as it can. */
async function complete(options, { url, path }, browser) {
  const { length, seed, tell } = options;
  const page = await openControlled(browser, url);
  await downloadWhole(page, path, 'there', tell);
  const next = random(seed);
  const anywhere = () => Math.floor(next() * (length - PART));
  const measuring = new Measuring(options, page, await urlOf(page, 'there'), path);
  await measuring.take('at rest', anywhere);
  let offset = anywhere();
  await measuring.take('at rest, one after the other', () => (offset = (offset + PART) % (length - PART)));
  const other = await openPage(browser, url);
  const stop = await keepBusy(other, path, length);
  await measuring.take('another file comes at full speed', anywhere);
  tell(`meanwhile ${Math.round((await stop()) / (1 << 20))} MiB/s came`);
  await other.close();
  await page.close();
  return measuring.rows;
}

/** A place that the origin has not sent to the task; it is asked for one at a time, since each brings more. */
function notSent(origin, path, length, next) {
  const sent = () => origin.log.filter((entry) => entry.path === path).map(({ range, sentBytes }) => [range?.start ?? 0, (range?.start ?? 0) + sentBytes]);
  const choose = () => {
    const taken = sent();
    for (let tries = 0; tries < 1_000; tries++) {
      const offset = Math.floor(next() * (length - PART));
      if (!taken.some(([start, end]) => offset < end && offset + PART > start)) return offset;
    }
    return undefined;
  };
  return Object.assign(choose, { isSingle: true });
}

/** The file is half there, and the rest comes slowly: what is there, and what is not. */
async function half(options, browser) {
  const { length, seed, tell } = options;
  const origin = await startOrigin({ staticDirs });
  try {
    const [path, yardstick] = ['/half.bin', '/yardstick.bin'];
    const slow = { bytesPerSecond: Math.ceil(length / THROTTLED_SECONDS), latencyMs: LATENCY_MS };
    const file = origin.add(path, { length, bytesPerSecond: length / 4 });
    origin.add(yardstick, { length, ...slow });
    const page = await openControlled(browser, origin.url);
    tell('half of a file comes');
    await download(page, path, { id: 'half', maxSegments: 1 });
    await untilTask(page, 'half', new Function('task', `return task.receivedBytes >= ${length / 2}`));
    file.update(slow);
    const there = durableRanges(await stored(page))[0].end;
    const next = random(seed);
    const measuring = new Measuring(options, page, await urlOf(page, 'half'), yardstick);
    await measuring.take('the file itself comes slowly: not there yet', notSent(origin, path, length, next));
    await measuring.take('the file itself comes slowly: there', () => Math.floor(next() * (there - PART)));
    const { state } = await page.evaluate(async () => (await session.task('half')).snapshot);
    tell(`the file is ${state} after that`);
    await page.close();
    return measuring.rows;
  } finally {
    await origin.close();
  }
}

/** The step. */
export const seek = (options) =>
  inWorld(options, (world) => world.inBrowser(async (browser) => [...(await complete(options, world, browser)), ...(await half(options, browser))]));
