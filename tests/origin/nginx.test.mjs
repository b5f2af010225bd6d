// The nginx runner: it serves several folders with right types and ranges, throttles, logs, and goes away.
import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { bytes } from './content.mjs';
import { startNginx } from './nginx.mjs';

test('nginx serves folders with ranges, and its log tells what was sent', async (t) => {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'longhaul-test-'));
  t.after(() => fs.rm(dir, { recursive: true }));
  await fs.mkdir(path.join(dir, 'pages'));
  await fs.mkdir(path.join(dir, 'files'));
  await fs.writeFile(path.join(dir, 'pages/index.html'), '<!doctype html>');
  await fs.writeFile(path.join(dir, 'pages/it.wasm'), 'no wasm');
  await fs.writeFile(path.join(dir, 'files/big.bin'), bytes(7, 0, 300_000));
  const nginx = await startNginx({ root: path.join(dir, 'pages'), routes: { '/files/': { dir: path.join(dir, 'files'), rate: 10_000_000 } } });
  t.after(() => nginx.close());

  const page = await fetch(`${nginx.url}/`);
  assert.match(page.headers.get('content-type'), /^text\/html/);
  assert.equal(page.headers.get('cache-control'), 'no-store');
  assert.equal((await fetch(`${nginx.url}/it.wasm`)).headers.get('content-type'), 'application/wasm');

  const before = Date.now() - 1;
  const part = await fetch(`${nginx.url}/files/big.bin`, { headers: { Range: 'bytes=1000-70999' } });
  assert.equal(part.status, 206);
  assert.deepEqual(Buffer.from(await part.arrayBuffer()), bytes(7, 1000, 70_000));

  const log = await nginx.accessLog();
  const { startedAt, endedAt, ...entry } = log.find(({ path: at }) => at === '/files/big.bin');
  assert.ok(startedAt >= before && startedAt <= endedAt && endedAt <= Date.now() + 1, `${before} ${startedAt} ${endedAt}`);
  assert.deepEqual(entry, { path: '/files/big.bin', status: 206, range: { start: 1000, end: 71_000 }, bytesSent: 70_000 });
});

test('a route may be slow for first requests and fast for what goes on', async (t) => {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'longhaul-test-'));
  t.after(() => fs.rm(dir, { recursive: true }));
  await fs.writeFile(path.join(dir, 'a.bin'), bytes(7, 0, 300_000));
  const nginx = await startNginx({ root: os.tmpdir(), routes: { '/slow/': { dir, firstRate: 1000 } } });
  t.after(() => nginx.close());
  const abort = new AbortController();
  const first = await fetch(`${nginx.url}/slow/a.bin`, { signal: abort.signal });
  const headers = { Range: 'bytes=1-', 'If-Range': first.headers.get('etag') };
  const second = await fetch(`${nginx.url}/slow/a.bin`, { headers });
  assert.equal((await second.arrayBuffer()).byteLength, 299_999);
  // Only requests that have ended are logged.
  const ended = (await nginx.accessLog()).map(({ path: at, status }) => [at, status]);
  assert.deepEqual(ended, [['/slow/a.bin', 206]], 'the first is still on its way');
  abort.abort();
});

test('a second nginx on a taken port says why it does not start', async (t) => {
  const first = await startNginx({ root: os.tmpdir() });
  t.after(() => first.close());
  await assert.rejects(startNginx({ root: os.tmpdir(), port: first.port }), /Address already in use/);
});
