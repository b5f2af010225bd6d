// The origin when it is honest: ranges and preconditions by RFC 9110, static files, pace, and its log.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { bytes, sha256 } from './content.mjs';
import { overlap } from './log.mjs';
import { ask, originFor } from './testing.mjs';

const LENGTH = 200_000;

test('ranges: first, open, suffix, clamped, and those that do not count', async (t) => {
  const origin = await originFor(t);
  const { sha256: digest } = origin.add('/f', { length: LENGTH, seed: 5 });
  assert.equal(digest, sha256(5, LENGTH));
  const cases = [
    ['bytes=0-0', 206, 0, 1],
    ['bytes=100-65999', 206, 100, 66_000],
    ['bytes=199999-', 206, 199_999, LENGTH],
    ['bytes=-10', 206, LENGTH - 10, LENGTH],
    ['bytes=-999999', 206, 0, LENGTH],
    ['bytes=10-999999', 206, 10, LENGTH],
    ['bytes=5-4', 200, 0, LENGTH],
    ['bytes=0-1,5-6', 200, 0, LENGTH],
    ['lines=0-1', 200, 0, LENGTH],
  ];
  for (const [range, status, start, end] of cases) {
    const answer = await ask(`${origin.url}/f`, { Range: range });
    assert.equal(answer.status, status, range);
    assert.deepEqual(answer.body, bytes(5, start, end - start), range);
    assert.equal(answer.headers.get('content-range'), status === 206 ? `bytes ${start}-${end - 1}/${LENGTH}` : null);
    assert.equal(answer.headers.get('accept-ranges'), 'bytes');
  }
  for (const range of [`bytes=${LENGTH}-`, 'bytes=-0']) {
    const answer = await ask(`${origin.url}/f`, { Range: range });
    assert.equal(answer.status, 416);
    assert.equal(answer.headers.get('content-range'), `bytes */${LENGTH}`);
  }
});

test('a file whose bytes are given', async (t) => {
  const origin = await originFor(t);
  const data = bytes(8, 3, LENGTH);
  const { sha256: digest, length } = origin.add('/f', { data });
  assert.deepEqual([digest, length], [createHash('sha256').update(data).digest('hex'), LENGTH]);
  const answer = await ask(`${origin.url}/f`, { Range: 'bytes=65000-140000' });
  assert.equal(answer.headers.get('content-range'), `bytes 65000-140000/${LENGTH}`);
  assert.deepEqual(answer.body, data.subarray(65_000, 140_001));
});

test('preconditions: If-Range compares strongly, If-None-Match weakly, If-Modified-Since by date', async (t) => {
  const origin = await originFor(t);
  const date = 'Wed, 01 Jan 2025 00:00:00 GMT';
  const resource = origin.add('/f', { length: 100, etag: '"a"', lastModified: date });
  const status = async (headers) => (await ask(`${origin.url}/f`, headers)).status;
  assert.equal(await status({ Range: 'bytes=1-', 'If-Range': '"a"' }), 206);
  assert.equal(await status({ Range: 'bytes=1-', 'If-Range': '"b"' }), 200);
  assert.equal(await status({ Range: 'bytes=1-', 'If-Range': date }), 206);
  assert.equal(await status({ Range: 'bytes=1-', 'If-Range': 'Thu, 02 Jan 2025 00:00:00 GMT' }), 200);
  assert.equal(await status({ 'If-None-Match': '"x", W/"a"' }), 304);
  assert.equal(await status({ 'If-None-Match': '"x"' }), 200);
  assert.equal(await status({ 'If-Modified-Since': date }), 304);
  assert.equal(await status({ 'If-Modified-Since': 'Thu, 02 Jan 2025 00:00:00 GMT' }), 304);
  assert.equal(await status({ 'If-Modified-Since': 'Tue, 31 Dec 2024 00:00:00 GMT' }), 200);
  assert.equal(await status({ 'If-Modified-Since': 'yesterday' }), 200);
  assert.equal(await status({ 'If-Modified-Since': date, 'If-None-Match': '"x"' }), 200, 'If-None-Match decides alone');
  resource.update({ etag: 'W/"a"' });
  assert.equal(await status({ Range: 'bytes=1-', 'If-Range': 'W/"a"' }), 200);
  resource.update({ etag: null });
  assert.equal((await ask(`${origin.url}/f`)).headers.get('etag'), null);
});

test('a server without ranges, one without a length, an empty file, a missing one, HEAD', async (t) => {
  const origin = await originFor(t);
  origin.add('/plain', { length: 100, ranges: false });
  origin.add('/unknown', { length: 100, sendLength: false });
  origin.add('/empty', {});
  const plain = await ask(`${origin.url}/plain`, { Range: 'bytes=5-' });
  assert.deepEqual([plain.status, plain.body.length, plain.headers.get('accept-ranges')], [200, 100, null]);
  const unknown = await ask(`${origin.url}/unknown`);
  assert.deepEqual([unknown.body.length, unknown.headers.get('content-length')], [100, null]);
  const part = await ask(`${origin.url}/unknown`, { Range: 'bytes=5-' });
  assert.deepEqual([part.status, part.headers.get('content-range')], [206, 'bytes 5-99/*']);
  assert.equal((await ask(`${origin.url}/empty`)).headers.get('content-length'), '0');
  assert.equal((await ask(`${origin.url}/empty`, { Range: 'bytes=0-' })).status, 416);
  assert.equal((await ask(`${origin.url}/nothing`)).status, 404);
  const head = await ask(`${origin.url}/plain`, {}, 'HEAD');
  assert.deepEqual([head.headers.get('content-length'), head.body.length], ['100', 0]);
});

test('static folders: types, index, the longest prefix, and nothing outside', async (t) => {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'longhaul-test-'));
  t.after(() => fs.rm(dir, { recursive: true }));
  await fs.mkdir(path.join(dir, 'app'));
  await fs.mkdir(path.join(dir, 'pkg'));
  await fs.writeFile(path.join(dir, 'secret'), 'no');
  await fs.writeFile(path.join(dir, 'app/index.html'), '<!doctype html>');
  await fs.writeFile(path.join(dir, 'pkg/it.wasm'), 'x');
  await fs.symlink(path.join(dir, 'secret'), path.join(dir, 'app/link'));
  const origin = await originFor(t, { staticDirs: { '/': path.join(dir, 'app'), '/pkg/': path.join(dir, 'pkg') } });
  const page = await ask(`${origin.url}/`);
  assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8');
  assert.equal(page.headers.get('cache-control'), 'no-store');
  assert.equal((await ask(`${origin.url}/pkg/it.wasm`)).headers.get('content-type'), 'application/wasm');
  for (const outside of ['/link', '/%2e%2e/secret', '/..%2fsecret', '/%00', '/%', '/pkg/']) {
    assert.equal((await ask(origin.url + outside)).status, 404, outside);
  }
});

test('the pace can be changed while a response runs, and the log tells when bytes have gone', async (t) => {
  const origin = await originFor(t);
  const resource = origin.add('/f', { length: LENGTH, bytesPerSecond: 0 });
  const body = fetch(`${origin.url}/f`).then((response) => response.arrayBuffer());
  const entry = await origin.waitForRequest('/f', ({ status }) => status === 200);
  assert.equal(entry.sentBytes, 0);
  resource.update({ bytesPerSecond: 500_000 });
  await origin.waitForSent('/f', 10_000);
  assert.ok(entry.sentBytes < LENGTH);
  resource.update({ bytesPerSecond: Infinity, seed: 99 });
  assert.deepEqual(Buffer.from(await body), bytes(1, 0, LENGTH), 'a response under way keeps the old content');
  await origin.waitForRequest('/f', ({ endedAt }) => endedAt);
  assert.deepEqual([entry.sentBytes, entry.aborted], [LENGTH, false]);
  assert.deepEqual((await ask(`${origin.url}/f`)).body, bytes(99, 0, LENGTH));
});

test('the log tells an abort by the client, and what came twice', async (t) => {
  const origin = await originFor(t);
  origin.add('/f', { length: 1000, faults: [{ kind: 'stall', bytes: 600 }] });
  const client = new AbortController();
  await fetch(`${origin.url}/f`, { signal: client.signal });
  await origin.waitForRequest('/f', ({ stalled }) => stalled);
  client.abort();
  const entry = await origin.waitForRequest('/f', ({ endedAt }) => endedAt);
  assert.deepEqual([entry.aborted, entry.sentBytes], [true, 600]);

  await ask(`${origin.url}/f`, { Range: 'bytes=500-699' });
  await ask(`${origin.url}/f`, { Range: 'bytes=650-' });
  await origin.waitFor((entries) => entries.length === 3 && entries.every(({ endedAt }) => endedAt));
  assert.deepEqual(overlap(origin.log, '/f'), {
    requested: [{ start: 500, end: 1000 }],
    sent: [{ start: 500, end: 600 }, { start: 650, end: 700 }],
  });
  await assert.rejects(origin.waitForSent('/f', 5000, { timeoutMs: 1 }), /5000 bytes sent of \/f/);
});
