// The happy path against a real server: several files from nginx side by side, and one that is continued after a kill.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { launchBrowser } from '../../browser/launch.mjs';
import { bytes } from '../../origin/content.mjs';
import { startNginx } from '../../origin/nginx.mjs';
import { contiguousLength, download, MIB, openPage, outcome, staticDirs, stored, untilDurable } from '../support.mjs';

const LENGTH = 24 * MIB;
let folder;
let nginx;
let browser;
const digests = {};

before(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'longhaul-files-'));
  for (const name of ['a', 'b', 'c']) {
    const content = bytes(name.charCodeAt(0), 0, LENGTH);
    digests[name] = createHash('sha256').update(content).digest('hex');
    await fs.writeFile(path.join(folder, `${name}.bin`), content);
  }
  nginx = await startNginx({
    root: staticDirs['/'],
    routes: { '/longhaul/': staticDirs['/longhaul/'], '/files/': folder, '/slow/': { dir: folder, firstRate: MIB } },
  });
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await nginx?.close();
  await fs.rm(folder, { recursive: true });
});

test('continued after a kill with If-Range, and nginx agrees', async () => {
  const page = await openPage(browser, nginx.url);
  await download(page, '/slow/a.bin', { id: 'slow', maxSegments: 1 });
  await untilDurable(page, 2 * MIB);
  await browser.kill();
  await browser.relaunch();
  const idle = await openPage(browser, nginx.url, '?idle');
  const durable = contiguousLength(await stored(idle));
  await idle.close();
  const again = await openPage(browser, nginx.url);
  const { state, sha256, restarts } = await outcome(again, 'slow');
  assert.deepEqual({ state, sha256, restarts }, { state: 'completed', sha256: digests.a, restarts: 0 });
  const log = (await nginx.accessLog()).filter((entry) => entry.path === '/slow/a.bin');
  assert.deepEqual(log.map(({ status, range }) => [status, range.start]), [[206, 0], [206, durable]]);
  await again.close();
});

test('three files side by side, each with one request', async () => {
  const page = await openPage(browser, nginx.url);
  const names = Object.keys(digests);
  await Promise.all(names.map((name) => download(page, `/files/${name}.bin`, { id: name, maxSegments: 1 })));
  for (const name of names) {
    const { state, sha256, resumability } = await outcome(page, name);
    assert.deepEqual({ state, sha256, resumability }, { state: 'completed', sha256: digests[name], resumability: 'resumable' });
  }
  const log = (await nginx.accessLog()).filter((entry) => entry.path.startsWith('/files/'));
  assert.deepEqual(log.map(({ path, status, bytesSent }) => [path, status, bytesSent]).sort(), names.map((name) => [`/files/${name}.bin`, 206, LENGTH]));
  await page.close();
});
