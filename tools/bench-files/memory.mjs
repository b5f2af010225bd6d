// How much memory the browser holds over idle while a file comes, beside its own way to keep one: `cache.put`.
import { idleMemory, peakDuring } from './processes.mjs';
import { downloadWhole, inWorld, openControlled } from './world.mjs';

const MIB = 1 << 20;

/** The column of ratios. */
export const BESIDE = 'speed beside the yardstick';

/** A row of figures, which is told at once, since the next may be minutes away; `beside` is the yardstick's. */
export function memoryRow(what, { length, tell, idle, peak, seconds }, beside) {
  const [over, rate] = [(peak - idle) / MIB, length / MIB / seconds];
  tell(`${what}: ${Math.round(over)} MiB over idle, ${Math.round(rate)} MiB/s`);
  return {
    what,
    'idle, MiB': Math.round(idle / MIB),
    'peak over idle, MiB': Math.round(over),
    'MiB/s': Math.round(rate),
    [BESIDE]: beside ? (beside.seconds / seconds).toFixed(2) : '1',
  };
}

/** Lets `act(page)`, which resolves with the seconds that it took, be watched in a browser of its own. */
const watched = ({ url, inBrowser }, act) =>
  inBrowser(async (browser) => {
    const page = await openControlled(browser, url);
    const idle = await idleMemory(browser.pid);
    const { peak, result: seconds } = await peakDuring(browser.pid, () => act(page));
    return { idle, peak, seconds };
  });

/** The browser keeps the answer by itself. */
async function putIntoCache(page, path) {
  const began = performance.now();
  await page.evaluate(async (path) => (await caches.open('yardstick')).put('/kept', await fetch(path, { cache: 'no-store' })), path);
  return (performance.now() - began) / 1000;
}

/** The step. */
export const memory = (options) =>
  inWorld(options, async (world) => {
    const { tell } = options;
    tell('the browser keeps it by cache.put');
    const yardstick = await watched(world, (page) => putIntoCache(page, world.path));
    tell('it is downloaded');
    const ours = await watched(world, (page) => downloadWhole(page, world.path, 'big', tell));
    return [
      memoryRow('`cache.put` of the answer, the yardstick', { ...options, ...yardstick }),
      memoryRow('a download', { ...options, ...ours }, yardstick),
    ];
  });
