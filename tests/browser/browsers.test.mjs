// The harness itself: a tiny page and service worker that is stopped, killed with its renderer, killed with the
// browser, and each time comes back as a new instance.
import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { whyNotHere } from '../../tools/setup.mjs';
import { startOrigin } from '../origin/server.mjs';
import { launchers } from './launch.mjs';
import { lacks } from './lacks.mjs';
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
async function start(t, launchBrowser) {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'longhaul-test-'));
  await fs.writeFile(path.join(dir, 'index.html'), PAGE);
  await fs.writeFile(path.join(dir, 'empty.html'), '<!doctype html>');
  await fs.writeFile(path.join(dir, 'sw.js'), WORKER);
  const origin = await startOrigin({ staticDirs: { '/': dir } });
  origin.add('/alive', { length: 1, bytesPerSecond: 0 });
  const browser = await launchBrowser();
  t.after(async () => {
    await browser.close();
    await origin.close();
    await fs.rm(dir, { recursive: true });
  });
  const page = await browser.newPage(`${origin.url}/`);
  await workerReady(page);
  /** Resolves when this instance of the worker has died. */
  const died = (boot) => origin.waitForRequest('/alive', ({ url, aborted }) => aborted && url.endsWith(boot));
  return { origin, browser, page, died };
}

for (const [name, launchBrowser] of Object.entries(launchers)) {
  describe(name, { skip: whyNotHere(name) }, () => {
    test('a stopped worker is stopped, and the next message starts a new instance', { skip: lacks('stop-worker', name) }, async (t) => {
      const { origin, browser, page, died } = await start(t, launchBrowser);
      const first = await bootId(page, origin);
      assert.equal(await browser.workerRunning(page), true);
      assert.equal(await browser.stopWorkers(page), 1);
      assert.equal(await browser.workerRunning(page), false);
      await died(first);
      assert.equal(await browser.stopWorkers(page), 0);
      const second = await bootId(page, origin);
      assert.notEqual(second, first);
      assert.deepEqual(browser.errors, []);
    });

    test('killing the renderer takes the page and its worker; another page goes on with a new one', { skip: lacks('kill-renderer', name) }, async (t) => {
      const { origin, browser, page, died } = await start(t, launchBrowser);
      const first = await bootId(page, origin);
      await browser.killRenderer(page);
      await died(first);
      const next = await browser.newPage(`${origin.url}/`);
      assert.notEqual(await bootId(next, origin), first);
    });

    for (const end of ['kill', 'quit']) {
      test(`after ${end} and relaunch the registration is still in the profile`, async (t) => {
        const { origin, browser, page, died } = await start(t, launchBrowser);
        const { pid } = browser;
        const first = await bootId(page, origin);
        await browser[end]();
        assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
        await died(first);
        await fs.access(browser.profile);

        await browser.relaunch();
        assert.notEqual(browser.pid, pid);
        const next = await browser.newPage(`${origin.url}/empty.html`);
        const scopes = await next.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).map(({ scope }) => scope));
        assert.deepEqual(scopes, [`${origin.url}/`]);
        assert.notEqual(await bootId(next, origin), first);
      });
    }

    test('errors of a page are collected', { skip: lacks('page-errors', name) }, async (t) => {
      const { browser, page } = await start(t, launchBrowser);
      await page.evaluate(() => console.error('that went wrong'));
      assert.match(browser.errors.join(), /that went wrong/);
    });

    test('the temporary profile goes with the browser', async () => {
      const browser = await launchBrowser();
      await fs.access(browser.profile);
      await browser.close();
      await assert.rejects(fs.access(browser.profile), { code: 'ENOENT' });
    });
  });
}
