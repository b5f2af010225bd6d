// `npm run syncs`: a throttled download that takes longer than Chromium lets a sync event last (180 s), with every page
// closed and the worker stopped. longhaul has to end the event itself, as failed and with all that it read in storage, so
// that the browser repeats it (here after 2 s instead of 300), and go on from there. Takes four minutes, so it is a command
// of its own and no part of the tests.
import { MIB, download, requestsFor, startWorld } from '../tests/e2e/support.mjs';
import { build } from './build.mjs';
import { main, setup } from './setup.mjs';

const FAST_RETRY = [
  '--force-fieldtrials=BackgroundSync/Test',
  '--force-fieldtrial-params=BackgroundSync.Test:initial_retry_delay_sec/2/retry_delay_factor/1/max_sync_attempts/6',
];
const BYTES_PER_SECOND = 128 << 10;
/** A little longer than one event. */
const LENGTH = 26 * MIB;

await main(async () => {
  await build(await setup({ browser: true }));
  const endings = [];
  try {
    const { origin, browser, open } = await startWorld((end) => endings.push(end), { args: FAST_RETRY, timeoutMs: 0 });
    origin.add('/long.bin', { length: LENGTH, seed: 1, bytesPerSecond: BYTES_PER_SECOND });
    const page = await open('?sync&worker=/sw-syncs.js');
    await download(page, '/long.bin', { id: 'long', maxSegments: 1 });
    const syncs = () => origin.log.filter(({ path }) => path.startsWith('/said/sync-longhaul-'));
    await origin.waitFor(() => syncs().length > 0);
    await origin.waitForSent('/long.bin', MIB);
    const outside = await browser.newPage('about:blank');
    await page.close();
    await browser.stopWorkers(outside);
    const from = syncs().length;
    await origin.waitFor(() => origin.log.some(({ path }) => path === '/said/all-of-podcasts'), { timeoutMs: 360_000 });

    const requests = requestsFor(origin, '/long.bin').slice(1);
    const events = syncs().slice(from).map(({ path, startedAt }) => ({ startedAt, stored: Number(path.split('-')[2]) }));
    const lasted = requests.map(({ startedAt, endedAt, aborted, sentBytes, range }) => ({
      start: range.start,
      seconds: Math.round((endedAt - startedAt) / 100) / 10,
      sentBytes,
      aborted,
    }));
    console.log(JSON.stringify({ events: events.map(({ stored }) => stored), lasted }, undefined, 2));
    const idle = await open('?idle');
    const filed = await idle.evaluate(async () => sha256(await (await caches.match('/files/long')).blob()));
    const [first, second, ...others] = lasted;
    const lost = first.start + first.sentBytes - second.start;
    console.log(`the first event was ended after ${first.seconds} s; ${lost} bytes that the server had sent were not in storage`);
    if (filed !== origin.get('/long.bin').sha256) throw new Error('the file is not right');
    if (others.length > 0 || first.seconds > 180 || first.seconds < 165) throw new Error('the event was not ended by longhaul');
    if (!events.some(({ stored }) => stored === second.start)) throw new Error('it did not go on where storage ended');
  } finally {
    for (const end of endings) await end();
  }
});
