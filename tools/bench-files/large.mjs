// A file that is longer than a browser would hold: downloaded, and read to its end.
import { idleMemory, peakDuring } from './processes.mjs';
import { BESIDE, memoryRow } from './memory.mjs';
import { downloadWhole, inWorld, openControlled, toldUntil } from './world.mjs';

/** What is done with the file once it is there: functions of the page, which give the stream that is read to its end. */
const READINGS = {
  'the server, the yardstick': async (path) => (await fetch(path, { cache: 'no-store' })).body,
  '`stream()`': async () => (await session.task('big')).file().stream(),
  '`fetch(file.url)`': async () => (await fetch((await session.task('big')).file().url)).body,
};

/** Reads the stream and counts its bytes; resolves with the seconds that it took. */
async function readThrough(page, open, { path, length, tell }) {
  const began = performance.now();
  const ended = page.evaluate(
    async (open, path, length) => {
      window.count = 0;
      const reader = (await new Function(`return (${open})`)()(path)).getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) window.count += part.value.length;
      if (window.count !== length) throw new Error(`${window.count} bytes instead of ${length}`);
    },
    String(open),
    path,
    length,
  );
  await toldUntil(ended, () => page.evaluate(() => [window.count ?? 0]), tell);
  return (performance.now() - began) / 1000;
}

/** Moves it into the origin private file system, which the worker does; resolves with the seconds that it took. */
async function moveAway(page, { length, tell }) {
  const began = performance.now();
  const ended = page.evaluate(async (length) => {
    await (await session.task('big')).file().moveTo({ opfs: 'big.bin' });
    const { size } = await (await (await navigator.storage.getDirectory()).getFileHandle('big.bin')).getFile();
    if (size !== length) throw new Error(`${size} bytes instead of ${length}`);
  }, length);
  await toldUntil(ended, async () => [0], tell);
  return (performance.now() - began) / 1000;
}

/** Each reading in the browser started anew, so that what one leaves behind is not charged to the next. */
async function readings(browser, { url, path }, { length, tell }) {
  let page = await openControlled(browser, url);
  const watch = async (what, act, beside) => {
    tell(what);
    const idle = await idleMemory(browser.pid);
    const { peak, result: seconds } = await peakDuring(browser.pid, act);
    return { seconds, row: memoryRow(what, { length, tell, idle, peak, seconds }, beside) };
  };
  const { row } = await watch('download', () => downloadWhole(page, path, 'big', tell));
  const rows = [{ ...row, [BESIDE]: '' }];
  let yardstick;
  for (const [what, open] of Object.entries(READINGS)) {
    await browser.quit();
    await browser.relaunch();
    page = await openControlled(browser, url);
    const found = await watch(what, () => readThrough(page, open, { path, length, tell }), yardstick);
    yardstick ??= found;
    rows.push(found.row);
  }
  await browser.quit();
  await browser.relaunch();
  page = await openControlled(browser, url);
  rows.push((await watch('`moveTo({ opfs })`', () => moveAway(page, { length, tell }), yardstick)).row);
  return rows;
}

/** The step. */
export const large = (options) => inWorld(options, (world) => world.inBrowser((browser) => readings(browser, world, options)));
