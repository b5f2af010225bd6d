// `npm run keepalive [-- --minutes 6.5]`: a throttled download that takes longer than Chromium lets any single event
// last (310 s), with one open page. It must be one request from the first byte to the last, by one worker instance.
// Takes its time, so it is a command of its own and no part of the tests.
import { MIB, download, outcome, startWorld } from '../tests/e2e/support.mjs';
import { build } from './build.mjs';
import { main, setup } from './setup.mjs';

await main(async () => {
  const flag = process.argv.indexOf('--minutes');
  const minutes = flag > 0 ? Number(process.argv[flag + 1]) : 6.5;
  await build(await setup({ browser: true }));
  const endings = [];
  try {
    const { origin, open } = await startWorld((end) => endings.push(end), { timeoutMs: 0 });
    const length = 24 * MIB;
    const file = origin.add('/slow.bin', { length, seed: 1, bytesPerSecond: Math.ceil(length / (minutes * 60)) });
    const page = await open();
    await page.evaluate(() => {
      window.boots = new Set();
      navigator.serviceWorker.addEventListener('message', ({ data }) => data.type === 'boot' && boots.add(data.boot));
    });
    const started = Date.now();
    await download(page, '/slow.bin', { id: 'slow', maxSegments: 1 });
    const timer = setInterval(() => console.log(`${Math.round((Date.now() - started) / 1000)} s: ${origin.log.at(-1).sentBytes} of ${length} bytes`), 30_000);
    const result = await outcome(page, 'slow');
    clearInterval(timer);
    const requests = origin.log.filter(({ path }) => path === '/slow.bin').length;
    const workers = await page.evaluate(() => boots.size);
    const figures = { seconds: Math.round((Date.now() - started) / 1000), requests, workers, state: result.state, sha256Match: result.sha256 === file.sha256 };
    console.log(JSON.stringify(figures));
    if (requests !== 1 || workers > 1 || !figures.sha256Match) throw new Error('the worker was stopped on the way');
  } finally {
    for (const end of endings) await end();
  }
});
