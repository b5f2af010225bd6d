// `npm run bench-fetch [-- --rounds 20]`: what a page's own requests cost more for longhaul's listener for fetches, in
// Chromium: workers with and without it, of an app that has a listener itself and of one that has none. One after the other
// each page makes 100 small requests; the figures are medians over the rounds (docs/benchmarks.md). `again` is the same as
// `own`: what these two differ by is no difference.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { launchChromium } from '../tests/browser/chromium.mjs';
import { startOrigin } from '../tests/origin/server.mjs';
import { build } from './build.mjs';
import { main, root, setup } from './setup.mjs';

const REQUESTS = 100;
/** An app's listener that, as most do, looks at each request and leaves this one alone. */
const OWN = "addEventListener('fetch', (event) => { if (new URL(event.request.url).pathname.startsWith('/app/')) event.respondWith(fetch(event.request)); });";
const VARIANTS = { none: [false, ''], ours: [true, ''], own: [false, OWN], both: [true, OWN], again: [false, OWN] };

/** A folder for each variant, with its page and its worker. */
function writePages(dir) {
  for (const [name, [wakeOnFetch, own]] of Object.entries(VARIANTS)) {
    fs.mkdirSync(path.join(dir, name));
    fs.writeFileSync(path.join(dir, name, 'index.html'), '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">');
    const attach = `longhaul.attach(self, { wasm: '/longhaul/longhaul.wasm', wakeOnFetch: ${wakeOnFetch} });`;
    fs.writeFileSync(path.join(dir, name, 'sw.js'), `importScripts('/longhaul/service-worker.classic.js');\n${attach}\n${own}\n`);
  }
}

/** A page that is controlled by its variant's worker. */
async function openPage(browser, url) {
  const page = await browser.newPage(url);
  await page.evaluate(() => navigator.serviceWorker.register('sw.js').then(() => navigator.serviceWorker.ready).then(() => {}));
  await page.reload();
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  return page;
}

/** Milliseconds for each request, on average over one round; the worker runs by then. */
const time = (page) =>
  page.evaluate(async (requests) => {
    const get = async () => (await fetch('/small.bin', { cache: 'no-store' })).arrayBuffer();
    await get();
    const from = performance.now();
    for (let n = 0; n < requests; n++) await get();
    return (performance.now() - from) / requests;
  }, REQUESTS);

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

await main(async () => {
  const flag = process.argv.indexOf('--rounds');
  const rounds = flag > 0 ? Number(process.argv[flag + 1]) : 20;
  await build(await setup({ browser: true }));
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'longhaul-fetch-'));
  writePages(dir);
  const origin = await startOrigin({ staticDirs: { '/longhaul/': path.join(root, 'dist'), '/': dir } });
  const browser = await launchChromium();
  try {
    origin.add('/small.bin', { length: 1_000 });
    const names = Object.keys(VARIANTS);
    const pages = {};
    for (const name of names) pages[name] = await openPage(browser, `${origin.url}/${name}/`);
    const times = Object.fromEntries(names.map((name) => [name, []]));
    for (let round = 0; round < rounds; round++) {
      // Another one is first each time.
      for (let at = 0; at < names.length; at++) {
        const name = names[(at + round) % names.length];
        await pages[name].bringToFront();
        times[name].push(await time(pages[name]));
      }
    }
    const difference = (one, other) => median(times[one].map((ms, round) => ms - times[other][round])).toFixed(3);
    for (const name of names) console.log(`${name.padEnd(5)} ${median([...times[name]]).toFixed(3)} ms for each request`);
    console.log(`added by longhaul's listener: ${difference('both', 'own')} ms where the app has one, ${difference('ours', 'none')} ms where it has none; the same twice differs by ${difference('again', 'own')} ms`);
  } finally {
    await browser.close();
    await origin.close();
    fs.rmSync(dir, { recursive: true });
  }
});
