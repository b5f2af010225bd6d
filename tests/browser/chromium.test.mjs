// The harness itself: a tiny page and service worker that is stopped, killed with its renderer, killed with the
// browser, and each time comes back as a new instance.
import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { startOrigin } from '../origin/server.mjs';
import { launchChromium } from './chromium.mjs';
import { workerReady } from './page.mjs';

const WORKER = `
const boot = crypto.randomUUID();
addEventListener('message', ({ ports: [port] }) => port.postMessage(boot));
// Ends when the worker does: the origin sees its death without any debugger.
fetch('/alive?' + boot);
`;
const PAGE = `<!doctype html><link rel="icon" href="data:,"><script type="module">
await navigator.serviceWorker.register('/sw.js');
</script>`;

/** Wakes the service worker and resolves with the id of its instance, whose sign of life has reached the origin. */
async function bootId(page, origin) {
  const boot = await page.evaluate(async () => {
    const { active } = await navigator.serviceWorker.ready;
    const { port1, port2 } = new MessageChannel();
    return new Promise((resolve) => {
      port1.onmessage = ({ data }) => resolve(data);
      active.postMessage('who', [port2]);
    });
  });
  await origin.waitForRequest('/alive', ({ url }) => url.endsWith(boot));
  return boot;
}

/** An origin with the page and the worker, a browser, and a page that has its worker. */
async function start(t) {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'longhaul-test-'));
  await fs.writeFile(path.join(dir, 'index.html'), PAGE);
  await fs.writeFile(path.join(dir, 'empty.html'), '<!doctype html>');
  await fs.writeFile(path.join(dir, 'sw.js'), WORKER);
  const origin = await startOrigin({ staticDirs: { '/': dir } });
  origin.add('/alive', { length: 1, bytesPerSecond: 0 });
  const chromium = await launchChromium();
  t.after(async () => {
    await chromium.close();
    await origin.close();
    await fs.rm(dir, { recursive: true });
  });
  const page = await chromium.newPage(`${origin.url}/`);
  await workerReady(page);
  /** Resolves when this instance of the worker has died. */
  const died = (boot) => origin.waitForRequest('/alive', ({ url, aborted }) => aborted && url.endsWith(boot));
  return { origin, chromium, page, died };
}

test('a stopped worker is stopped, and the next message starts a new instance', async (t) => {
  const { origin, chromium, page, died } = await start(t);
  const first = await bootId(page, origin);
  assert.equal(await chromium.workerRunning(page), true);
  assert.equal(await chromium.stopWorkers(page), 1);
  assert.equal(await chromium.workerRunning(page), false);
  await died(first);
  assert.equal(await chromium.stopWorkers(page), 0);
  const second = await bootId(page, origin);
  assert.notEqual(second, first);
  assert.deepEqual(chromium.errors, []);
});

test('killing the renderer takes the page and its worker; another page goes on with a new one', async (t) => {
  const { origin, chromium, page, died } = await start(t);
  const first = await bootId(page, origin);
  await chromium.killRenderer(page);
  await died(first);
  const next = await chromium.newPage(`${origin.url}/`);
  assert.notEqual(await bootId(next, origin), first);
});

for (const end of ['kill', 'quit']) {
  test(`after ${end} and relaunch the registration is still in the profile`, async (t) => {
    const { origin, chromium, page, died } = await start(t);
    const { pid } = chromium;
    const first = await bootId(page, origin);
    await chromium[end]();
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
    await died(first);
    await fs.access(chromium.profile);

    await chromium.relaunch();
    assert.notEqual(chromium.pid, pid);
    const next = await chromium.newPage(`${origin.url}/empty.html`);
    const scopes = await next.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).map(({ scope }) => scope));
    assert.deepEqual(scopes, [`${origin.url}/`]);
    assert.notEqual(await bootId(next, origin), first);
  });
}

test('errors of a page are collected, and the temporary profile goes with the browser', async () => {
  const chromium = await launchChromium();
  try {
    const page = await chromium.newPage();
    await page.evaluate(() => console.error('that went wrong'));
    assert.match(chromium.errors.join(), /that went wrong/);
  } finally {
    await chromium.close();
  }
  await assert.rejects(fs.access(chromium.profile), { code: 'ENOENT' });
});
