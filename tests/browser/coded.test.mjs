// What browsers make of a coded answer that is cut, and what their timing entries say of it (docs/platform.md).
import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import zlib from 'node:zlib';
import { whyNotHere } from '../../tools/setup.mjs';
import { bytes } from '../origin/content.mjs';
import { startOddServer } from '../origin/odd-server.mjs';
import { launchers } from './launch.mjs';
import { workerReady } from './page.mjs';

// The observer is told of an entry whether or not the list of the browser has room for it.
const WORKER = `
async function read(url) {
  const entries = [];
  let told;
  const isTold = new Promise((resolve) => (told = resolve));
  const observer = new PerformanceObserver((list) => {
    entries.push(...list.getEntriesByName(url));
    if (entries.length) told();
  });
  observer.observe({ type: 'resource' });
  const response = await fetch(url, { cache: 'no-store' });
  let length = 0;
  let end = 'whole';
  try {
    for (let reader = response.body.getReader(), part; !(part = await reader.read()).done; ) length += part.value.length;
  } catch {
    end = 'error';
  }
  const ended = { length, end, announced: Number(response.headers.get('Content-Length')) };
  if (end === 'error') return ended;
  await isTold;
  observer.disconnect();
  const [{ encodedBodySize, decodedBodySize }] = entries;
  return { ...ended, encodedBodySize, decodedBodySize, isRedirected: response.redirected };
}
addEventListener('message', async ({ data: { url, isFull }, ports: [port] }) => {
  performance.setResourceTimingBufferSize(isFull ? 0 : 250);
  port.postMessage(await read(url));
});
`;
const PAGE = `<!doctype html><link rel="icon" href="data:,"><script type="module">
await navigator.serviceWorker.register('/sw.js');
</script>`;

const TEXT = Buffer.from(bytes('coded', 0, 200_000).toString('base64'));
const CODED = zlib.gzipSync(TEXT);
const CUT_AT = Math.floor(CODED.length * 0.75);

/** The file by the words in its query: `coded`, `cut`, `redirected`. */
function answer({ url }) {
  const has = (word) => url.includes(word);
  if (has('redirected')) return { status: 302, headers: { Location: url.replace('redirected', '') } };
  const headers = { 'Content-Type': 'text/plain', ...(has('coded') && { 'Content-Encoding': 'gzip' }) };
  return { status: 200, headers, body: has('coded') ? CODED : TEXT, cutAfter: has('cut') ? CUT_AT : undefined };
}

/** A browser whose worker reads what the server sends: `read(query, { far, isFull })`. */
async function start(t, launchBrowser) {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'longhaul-coded-'));
  await fs.writeFile(path.join(dir, 'index.html'), PAGE);
  await fs.writeFile(path.join(dir, 'sw.js'), WORKER);
  const server = await startOddServer(answer, { staticDirs: { '/': dir } });
  const browser = await launchBrowser();
  t.after(async () => {
    await browser.close();
    await server.close();
    await fs.rm(dir, { recursive: true });
  });
  const page = await browser.newPage(`${server.url}/`);
  await workerReady(page);
  const ask = async (message) => {
    const { active } = await navigator.serviceWorker.ready;
    const { port1, port2 } = new MessageChannel();
    return new Promise((resolve) => {
      port1.onmessage = ({ data }) => resolve(data);
      active.postMessage(message, [port2]);
    });
  };
  let number = 0;
  return (query, { far = false, isFull = false } = {}) =>
    page.evaluate(ask, { url: `http://${far ? 'localhost' : '127.0.0.1'}:${server.port}/f/?${query}&${number++}`, isFull });
}

const PLACES = { 'own origin': {}, 'another origin': { far: true }, 'a list of entries that is full': { isFull: true } };

for (const [name, launchBrowser] of Object.entries(launchers)) {
  describe(name, { skip: whyNotHere(name) }, () => {
    test('a coded answer that is cut', async (t) => {
      const read = await start(t, launchBrowser);
      const isTold = name !== 'firefox';
      for (const [place, options] of Object.entries(PLACES)) {
        assert.equal((await read('cut', options)).end, 'error', `${place}: not coded`);
        const whole = await read('coded', options);
        assert.deepEqual([whole.length, whole.end, whole.announced], [TEXT.length, 'whole', CODED.length], `${place}: not cut`);
        const cut = await read('coded-cut', options);
        assert.equal(cut.end, isTold ? 'error' : 'whole', place);
        if (isTold) continue;
        assert.deepEqual([whole.encodedBodySize, whole.decodedBodySize], [CODED.length, TEXT.length], `${place}: not cut`);
        assert.deepEqual([cut.encodedBodySize, cut.decodedBodySize], [CUT_AT, cut.length], place);
        assert(cut.length < TEXT.length, place);
      }
    });

    test('of a redirect Firefox has the entry of its first answer alone', { skip: name !== 'firefox' && 'there the body tells' }, async (t) => {
      const read = await start(t, launchBrowser);
      const { isRedirected, length, encodedBodySize, decodedBodySize } = await read('redirected-coded');
      assert.deepEqual([isRedirected, length, encodedBodySize, decodedBodySize], [true, TEXT.length, 0, 0]);
    });
  });
}
