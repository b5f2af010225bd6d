// A finished file is answered at its own URL, with the app's server gone, for as long as it is here; and it is given to the
// browser's own downloads, also while it is still on its way.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'node:test';
import { browserName } from '../../browser/launch.mjs';
import { startOrigin } from '../../origin/server.mjs';
import { download, MIB, outcome, requestsFor, startWorld, staticDirs } from '../support.mjs';
import { startMoving } from './support.mjs';

const PODCAST = '/podcasts/a.mp3';
const LENGTH = 9 * MIB;
const fields = { length: LENGTH, seed: 31, contentType: 'audio/mpeg' };

/** What a page is answered at this URL. */
const ask = (page, url, headers = {}) =>
  page.evaluate(
    async (url, headers) => {
      const response = await fetch(url, { headers, cache: 'no-store' }).catch(() => undefined);
      if (!response) return 'no network';
      const [range, type] = ['content-range', 'content-type'].map((name) => response.headers.get(name));
      return { status: response.status, range, type, sha256: await sha256(await response.blob()) };
    },
    url,
    headers,
  );

/** The files that the server was asked for. The browser looks for a newer worker when it likes, which is no matter here. */
const askedFor = ({ log }) => log.map(({ path }) => path).filter((path) => path.endsWith('.mp3'));

test('its own URL is answered without the network, and with it once the file has gone', async (t) => {
  const world = await startMoving(t);
  const { origin, page } = world;
  const file = origin.add(PODCAST, fields);
  origin.add('/podcasts/other.mp3', { length: 1000, seed: 32 });
  origin.add('/elsewhere/a.mp3', fields);
  await download(page, PODCAST, { id: 'a', serveOriginalUrl: true });
  await download(page, '/podcasts/other.mp3', { id: 'other' });
  await download(page, '/elsewhere/a.mp3', { id: 'elsewhere', serveOriginalUrl: true });
  for (const id of ['a', 'other', 'elsewhere']) assert.equal((await outcome(page, id)).state, 'completed');
  const whole = { status: 200, range: null, type: 'audio/mpeg', sha256: file.sha256 };
  const bytes = file.body({ start: 1_000_000, end: 9_000_001 });
  const part = createHash('sha256');
  for (const piece of bytes) part.update(piece);
  const partial = { status: 206, range: `bytes 1000000-9000000/${LENGTH}`, type: 'audio/mpeg', sha256: part.digest('hex') };

  const before = askedFor(origin).length;
  assert.deepEqual(await ask(page, PODCAST), whole);
  assert.equal(askedFor(origin).length, before, 'the server was not asked');
  await ask(page, '/podcasts/other.mp3');
  await ask(page, '/elsewhere/a.mp3');
  assert.deepEqual(askedFor(origin).slice(before), ['/podcasts/other.mp3', '/elsewhere/a.mp3'], 'without the word, or the URL');

  await origin.close();
  assert.deepEqual(await ask(page, PODCAST), whole);
  assert.deepEqual(await ask(page, PODCAST, { Range: 'bytes=1000000-9000000' }), partial);
  assert.equal(await ask(page, '/podcasts/other.mp3'), 'no network');
  await page.evaluate(async () => (await session.task('a')).file().release());
  assert.equal(await ask(page, PODCAST), 'no network');

  const back = await startOrigin({ port: origin.port, staticDirs });
  t.after(() => back.close());
  back.add(PODCAST, fields);
  assert.deepEqual(await ask(page, PODCAST), whole);
  assert.equal(requestsFor(back, PODCAST).length, 1);
});

test('a file that headers were given for is answered only where its session is named', async (t) => {
  const world = await startMoving(t);
  const { origin, page } = world;
  const paths = ['/podcasts/secret.mp3', '/mine/secret.mp3'];
  for (const path of paths) {
    origin.add(path, fields);
    await download(page, path, { id: path, serveOriginalUrl: true, headers: { 'X-Api-Key': 'key' }, persistHeaders: true });
    assert.equal((await outcome(page, path)).state, 'completed');
  }
  const before = askedFor(origin).length;
  for (const path of paths) assert.equal((await ask(page, path)).status, 200);
  assert.deepEqual(askedFor(origin).slice(before), paths.slice(0, 1), 'the server decides about the first');
});

test('respond() does the same in a router of the app\'s own, and leaves everything else to it', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  await (await open('?worker=/sw-routing.js')).close();
  const page = await open('?worker=/sw-routing.js');
  const file = origin.add(PODCAST, fields);
  origin.add('/podcasts/b.mp3', { ...fields, bytesPerSecond: 0 });
  await download(page, PODCAST, { id: 'a', serveOriginalUrl: true });
  assert.equal((await outcome(page, 'a')).sha256, file.sha256);
  await download(page, '/podcasts/b.mp3', { id: 'b', serveOriginalUrl: true });
  await origin.waitForRequest('/podcasts/b.mp3');
  const text = (url) => page.evaluate(async (url) => (await fetch(url)).text(), url);
  await origin.close();
  assert.equal((await ask(page, PODCAST)).sha256, file.sha256);
  const { status, range } = await ask(page, `${PODCAST}#at=1`, { Range: 'bytes=0-9' });
  assert.deepEqual([status, range], [206, `bytes 0-9/${LENGTH}`]);
  assert.equal(await text('/podcasts/a.mp3?other'), 'not ours');
  assert.equal(await text('/podcasts/b.mp3'), 'not ours', 'it is not finished');
  // The file's own URL stays longhaul's, whose listener is the first.
  const status2 = await page.evaluate(async () => (await fetch((await session.task('a')).file().url)).status);
  assert.equal(status2, 200);
  await page.evaluate(async () => (await session.task('a')).file().release());
  assert.equal(await text(PODCAST), 'not ours');
});

/** The folder that the browser saves into. Resolves with a function that waits for the file of this name, whole. */
async function saving({ browser }) {
  const folder = path.join(browser.profile, 'saved');
  await fs.mkdir(folder, { recursive: true });
  const entries = new Map();
  if (browserName === 'chromium') {
    const cdp = await browser.browser.target().createCDPSession();
    await cdp.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: folder, eventsEnabled: true });
    cdp.on('Browser.downloadWillBegin', ({ guid, suggestedFilename }) => entries.set(guid, { name: suggestedFilename, state: 'begun', receivedBytes: 0 }));
    cdp.on('Browser.downloadProgress', ({ guid, state, receivedBytes }) => Object.assign(entries.get(guid), { state, receivedBytes }));
  }
  const until = async (look) => {
    const deadline = Date.now() + 30_000;
    for (;;) {
      const found = await look();
      if (found) return found;
      if (Date.now() > deadline) throw new Error(`the browser has saved ${await fs.readdir(folder)}; ${JSON.stringify([...entries.values()])}`);
      await pause(20);
    }
  };
  const saved = (name, length) =>
    until(async () => {
      const content = await fs.readFile(path.join(folder, name)).catch(() => undefined);
      return content?.length === length && createHash('sha256').update(content).digest('hex');
    });
  return { entries, until, saved, folder };
}

test('saveAs gives the file to the browser\'s downloads, by its name', async (t) => {
  const world = await startMoving(t);
  const { origin, page } = world;
  const { entries, saved } = await saving(world);
  const file = origin.add('/finished', fields);
  await download(page, '/finished', { id: 'a' });
  assert.equal((await outcome(page, 'a')).state, 'completed');
  await page.evaluate(async () => (await session.task('a')).file().saveAs('name of mine.mp3'));
  assert.equal(await saved('name of mine.mp3', LENGTH), file.sha256);
  if (browserName === 'chromium') assert.deepEqual([...entries.values()].map(({ name }) => name), ['name of mine.mp3']);
});

test('saveAs begins while the file is still on its way', async (t) => {
  const world = await startMoving(t);
  const { origin, page } = world;
  const { entries, until, saved, folder } = await saving(world);
  const file = origin.add('/coming', { ...fields, length: 20 * MIB, bytesPerSecond: 4 * MIB });
  await download(page, '/coming', { id: 'a', maxSegments: 1 });
  await origin.waitForSent('/coming', 5 * MIB);
  await page.evaluate(async () => (await session.task('a')).file().saveAs('coming.mp3'));
  const size = async () => {
    const names = await fs.readdir(folder);
    // It may be given another name in between.
    const stats = names.map((name) => fs.stat(path.join(folder, name)).catch(() => ({ size: 0 })));
    return Math.max(0, ...(await Promise.all(stats)).map(({ size }) => size));
  };
  const written = await until(async () => (browserName === 'chromium' ? [...entries.values()][0]?.receivedBytes : await size()));
  assert.ok(written > 0 && written < file.length);
  assert.equal(await page.evaluate(async () => (await session.task('a')).refresh().then(({ state }) => state)), 'running');
  file.update({ bytesPerSecond: Infinity });
  assert.equal(await saved('coming.mp3', file.length), file.sha256);
  assert.equal(requestsFor(origin, '/coming').length, 1, 'the server was not asked again');
  assert.equal((await outcome(page, 'a')).sha256, file.sha256);
});
