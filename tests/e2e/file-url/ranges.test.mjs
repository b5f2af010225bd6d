// A file's URL answers ranges as nginx answers them for the same file: hundreds of Range fields, valid, odd and hostile.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { launchBrowser } from '../../browser/launch.mjs';
import { bytes } from '../../origin/content.mjs';
import { startNginx } from '../../origin/nginx.mjs';
import { random } from '../random.mjs';
import { download, MIB, openPage, outcome, staticDirs } from '../support.mjs';

const LENGTH = 3 * MIB + 12_345;
const SEED = 5;

/** Range fields worth asking: what players send, the edges of the file, nonsense, and many made of the same parts. */
function rangeFields() {
  const last = LENGTH - 1;
  const fields = [
    ['0-', '0-0', '0-1', `0-${last}`, `0-${LENGTH}`, '-1', '-0', `-${LENGTH}`, `-${LENGTH + 1}`, `${last}-`, `${last}-${last}`, `${LENGTH}-`],
    [`${LENGTH}-${LENGTH + 5}`, '5-4', '1-0', '', '-', 'a-b', '0x1-2', '1-2-3', ' 0-1', '0 - 1', '0-1 ', '0-1,', ',0-1', '0-1,,2-3', '0-1;2-3'],
    ['99999999999999999999-', '0-99999999999999999999', '9223372036854775807-', '-9223372036854775807', '00-01', '+1-2', '1.0-2'],
    ['0-0,2-2', '0-1,3-4,-2', `0-1,${LENGTH}-`, `${LENGTH}-,0-1`, '0-1,0-1', '5-6,0-1', `0-${last},0-${last}`, '0-1,x', '0-99,50-149'],
  ].flat();
  const next = random(SEED);
  const pick = (list) => list[Math.floor(next() * list.length)];
  const edges = [0, 1, 2, MIB - 1, MIB, MIB + 1, 2 * MIB, last - 1, last, LENGTH, LENGTH + 1, LENGTH * 2];
  const one = () => pick([() => `${pick(edges)}-${pick(edges)}`, () => `${pick(edges)}-`, () => `-${pick(edges)}`])();
  while (fields.length < 300) fields.push(Array.from({ length: pick([1, 1, 1, 2, 3]) }, one).join(','));
  return [...fields.map((field) => `bytes=${field}`), 'bytes', 'items=0-1', 'BYTES=0-1', 'bytes 0-1', ''];
}

/** In the page: what both URLs answer to each of these requests, where that is not the same. */
async function compare(ours, theirs, requests) {
  const digest = async (buffer) => [...new Uint8Array(await crypto.subtle.digest('SHA-256', buffer))].join();
  // The boundary is each server's own.
  const comparable = (text, type) => text.replaceAll(type?.split('boundary=')[1] ?? '\0', 'boundary');
  const ask = async (url, [method, headers]) => {
    const response = await fetch(url, { method, headers, cache: 'no-store' });
    const type = response.headers.get('content-type');
    const buffer = await response.arrayBuffer();
    const isMultipart = type?.startsWith('multipart/');
    const text = isMultipart && comparable(new TextDecoder('latin1').decode(buffer), type);
    const body = isMultipart ? await digest(new TextEncoder().encode(text)) : response.status === 416 ? '' : await digest(buffer);
    const told = Number(response.headers.get('content-length'));
    return {
      status: response.status,
      contentRange: response.headers.get('content-range'),
      // Boundaries differ in length, and so do the error pages.
      length: isMultipart || response.status === 416 ? undefined : told,
      isLengthTrue: method === 'HEAD' || response.status === 416 || told === buffer.byteLength,
      type: isMultipart ? 'multipart/byteranges' : response.status === 416 ? undefined : type,
      body,
    };
  };
  const differences = [];
  const statuses = {};
  for (const request of requests) {
    const [our, their] = await Promise.all([ask(ours, request), ask(theirs, request)]);
    statuses[our.status] = (statuses[our.status] ?? 0) + 1;
    if (JSON.stringify(our) !== JSON.stringify(their)) differences.push({ request, our, their });
  }
  return { differences, statuses };
}

test('ranges are answered as nginx answers them', async (t) => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'longhaul-files-'));
  t.after(() => fs.rm(folder, { recursive: true }));
  const content = bytes(SEED, 0, LENGTH);
  await fs.writeFile(path.join(folder, 'a.bin'), content);
  const nginx = await startNginx({ root: staticDirs['/'], routes: { '/longhaul/': staticDirs['/longhaul/'], '/files/': folder } });
  t.after(() => nginx.close());
  const browser = await launchBrowser();
  t.after(() => browser.close());

  // A page that was there before the worker is not controlled by it.
  await (await openPage(browser, nginx.url)).close();
  const page = await openPage(browser, nginx.url);
  await download(page, '/files/a.bin', { id: 'a', maxSegments: 1 });
  assert.equal((await outcome(page, 'a')).sha256, createHash('sha256').update(content).digest('hex'));
  const url = await page.evaluate(async () => (await session.task('a')).file().url);

  const fields = rangeFields();
  const { etag, modified } = await page.evaluate(async () => {
    const { headers } = await fetch('/files/a.bin', { method: 'HEAD' });
    return { etag: headers.get('etag'), modified: headers.get('last-modified') };
  });
  const conditions = [etag, modified, '"other"', `W/${etag}`, 'Mon, 07 Nov 1994 08:49:37 GMT', 'nonsense', '"'];
  const requests = [
    ['GET', {}],
    ['HEAD', {}],
    ...fields.map((range) => ['GET', { Range: range }]),
    ...fields.slice(0, 40).map((range) => ['HEAD', { Range: range }]),
    ...conditions.map((condition) => ['GET', { Range: 'bytes=10-19', 'If-Range': condition }]),
    ...conditions.map((condition) => ['GET', { Range: 'bytes=0-1,5-6', 'If-Range': condition }]),
  ];
  const { differences, statuses } = await page.evaluate(compare, url, '/files/a.bin', requests);
  assert.deepEqual(differences, []);
  const asked = (await nginx.accessLog()).filter(({ path }) => path.startsWith('/longhaul/file'));
  assert.deepEqual(asked, [], 'our own answers come from storage');
  t.diagnostic(`${requests.length} requests, the same answers: ${JSON.stringify(statuses)}`);
});
