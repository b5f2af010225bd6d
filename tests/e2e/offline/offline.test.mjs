// The component's own file: kept by the worker at install, so that it starts with the app's server gone, and after a deploy
// that took the file of its build away; put there again where it was evicted, and never taken for that of another build.
import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { lacks } from '../../browser/lacks.mjs';
import { startOrigin } from '../../origin/server.mjs';
import { startApp, WASM } from '../deployed.mjs';
import { download, MIB, outcome, requestsFor } from '../support.mjs';

/** In the page: registers the worker and uses it for nothing. */
const install = async () => {
  await navigator.serviceWorker.register('/sw.js');
  await navigator.serviceWorker.ready;
};

/** The caches that there are, and what is in each. */
const cached = (page) =>
  page.evaluate(async () => {
    const entries = [];
    for (const name of await caches.keys()) {
      const requests = await (await caches.open(name)).keys();
      entries.push([name, requests.map(({ url }) => new URL(url).pathname)]);
    }
    return Object.fromEntries(entries);
  });

const deleteCaches = (page) => page.evaluate(async () => Promise.all((await caches.keys()).map((name) => caches.delete(name))));

test('starts after a deploy took its file away, and a finished file is read', async (t) => {
  const { origin, browser, wasm, fetched, restart, open } = await startApp(t);
  const file = origin.add('/f.bin', { length: 3 * MIB, seed: 1 });
  const first = await open('?idle');
  await first.evaluate(install);
  assert.equal(fetched(), 1, 'before anybody needs it');
  await download(await open(), '/f.bin', { id: 'f' });
  await (await open()).evaluate(async () => (await session.task('f')).finished());
  assert.equal(fetched(), 1);
  await fs.rm(wasm);
  await restart();
  const page = await open();
  assert.equal((await outcome(page, 'f')).sha256, file.sha256);
  assert.equal(fetched(), 1);
  assert.deepEqual(browser.errors, []);
});

test('starts with the app\'s server gone, and goes on with a download from another', { skip: lacks('stop-worker') }, async (t) => {
  const { browser, goOffline, open } = await startApp(t);
  const other = await startOrigin();
  t.after(() => other.close());
  const file = other.add('/f.bin', { length: 24 * MIB, seed: 2, bytesPerSecond: 4 * MIB, cors: 'expose' });
  const page = await open();
  await download(page, `${other.url}/f.bin`, { id: 'f' });
  await other.waitForSent('/f.bin', 4 * MIB);
  await goOffline();
  const before = requestsFor(other, '/f.bin').length;
  await browser.stopWorkers(page);
  await other.waitFor(() => requestsFor(other, '/f.bin').length > before);
  file.update({ bytesPerSecond: Infinity });
  assert.equal((await outcome(page, 'f')).sha256, file.sha256);
});

test('what was evicted is fetched, and kept, again', async (t) => {
  const { fetched, restart, open } = await startApp(t);
  const page = await open();
  const before = await cached(page);
  assert.deepEqual(Object.values(before), [[WASM]]);
  await deleteCaches(page);
  await restart();
  assert.deepEqual(await cached(await open()), before);
  assert.equal(fetched(), 2);
});

test('what is damaged is fetched again', async (t) => {
  const { fetched, restart, open } = await startApp(t);
  const page = await open();
  await page.evaluate(async (url) => {
    const [name] = await caches.keys();
    const headers = { 'Content-Type': 'application/wasm' };
    await (await caches.open(name)).put(url, new Response('not wasm at all', { headers }));
  }, WASM);
  await restart();
  const again = await open();
  assert.equal(await again.evaluate(() => session.identifier), 'podcasts');
  assert.equal(fetched(), 2);
});

test('the component of another build is never started, and that of its own is as soon as it is there', async (t) => {
  const { wasm, restart, open } = await startApp(t);
  await deleteCaches(await open());
  const own = await fs.readFile(wasm);
  // The same module with a custom section behind it: valid, and of another build.
  await fs.writeFile(wasm, Buffer.concat([own, Buffer.from([0, 2, 1, 65])]));
  await restart();
  const page = await open('?idle');
  const pausing = () => page.evaluate(() => errorOf(open().then((session) => session.pause())));
  assert.equal((await pausing()).code, 'component-failed');
  await fs.writeFile(wasm, own);
  assert.equal(await pausing(), undefined);
});

test('finished files are read although the component can be had from nowhere', async (t) => {
  const { origin, wasm, restart, open } = await startApp(t);
  const file = origin.add('/f.bin', { length: 9 * MIB + 1, seed: 5 });
  const half = origin.add('/half.bin', { length: 20 * MIB, seed: 6, bytesPerSecond: MIB });
  const first = await open();
  await download(first, '/f.bin', { id: 'f', description: 'Episode', tag: 'news', metadata: { number: 7 }, integrity: `sha256-${Buffer.from(file.sha256, 'hex').toString('base64')}` });
  await outcome(first, 'f');
  await download(first, '/half.bin', { id: 'half' });
  await origin.waitForSent('/half.bin', MIB);
  await deleteCaches(first);
  await fs.writeFile(wasm, 'not wasm at all');
  half.update({ bytesPerSecond: 0 });
  await restart();
  const page = await open();
  const { state, size, sha256 } = await outcome(page, 'f');
  assert.deepEqual({ state, size, sha256 }, { state: 'completed', size: file.length, sha256: file.sha256 });
  const served = await page.evaluate(async () => {
    const answer = await fetch(await (await session.task('f')).file().servedUrl());
    return { status: answer.status, length: Number(answer.headers.get('content-length')), sha256: await sha256(await answer.blob()) };
  });
  assert.deepEqual(served, { status: 200, length: file.length, sha256: file.sha256 }, 'also at its URL');
  const shown = await page.evaluate(async () => {
    const { url, description, tag, metadata, receivedBytes, contentType } = (await session.task('f')).snapshot;
    return { path: new URL(url).pathname, description, tag, metadata, receivedBytes, contentType };
  });
  const contentType = 'application/octet-stream';
  assert.deepEqual(shown, { path: '/f.bin', description: 'Episode', tag: 'news', metadata: '{"number":7}', receivedBytes: file.length, contentType });
  const codes = await page.evaluate(() => Promise.all([session.task('half'), session.task('none'), session.download('/g.bin')].map(async (call) => (await errorOf(call))?.code)));
  assert.deepEqual(codes, Array(3).fill('component-failed'), 'all else needs it');
});

test('a worker is installed though its component cannot be had, which is fetched at the first use', async (t) => {
  const { dist, origin, fetched, wasm, open } = await startApp(t, { deploy: (dist) => fs.rename(path.join(dist, 'longhaul.wasm'), path.join(dist, 'later')) });
  const file = origin.add('/f.bin', { length: MIB, seed: 3 });
  const page = await open('?idle');
  await page.evaluate(install);
  assert.ok(fetched() > 0);
  await fs.rename(path.join(dist, 'later'), wasm);
  await page.evaluate(async () => (window.session = await open()));
  await download(page, '/f.bin', { id: 'f' });
  assert.equal((await outcome(page, 'f')).sha256, file.sha256);
});

test('the files of builds that nobody needs any more are deleted, and nothing else', async (t) => {
  const { origin, dist, open } = await startApp(t);
  const page = await open();
  const [own] = Object.keys(await cached(page));
  const prefix = `longhaul:${origin.url}/`;
  assert.ok(own.startsWith(`${prefix}:component:sha256-`), own);
  await page.evaluate(async (names) => Promise.all(names.map((name) => caches.open(name))), [`${prefix}:component:old`, `${prefix}app/:component:other`, 'of the app']);
  // Another version of the worker, which does not wait for the page to go.
  const script = path.join(dist, 'service-worker.classic.js');
  await fs.appendFile(script, '\naddEventListener("install", () => skipWaiting());\n');
  await page.evaluate(async () => {
    const registration = await navigator.serviceWorker.ready;
    const old = registration.active;
    await registration.update();
    while (registration.active === old || registration.active.state !== 'activated') await new Promise((resolve) => setTimeout(resolve, 20));
  });
  assert.deepEqual(Object.keys(await cached(page)).sort(), [own, `${prefix}app/:component:other`, 'of the app'].sort());
});
