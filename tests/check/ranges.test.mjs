// Ranges: honoured, ignored, refused, said wrongly, and of the wrong bytes.
import assert from 'node:assert/strict';
import { pipeline, Readable } from 'node:stream';
import test from 'node:test';
import { originFor } from '../origin/testing.mjs';
import { check, complaints, MODIFIED, oddServer, serve, words } from './support.mjs';

const LENGTH = 3_000_000;

/** The check of one file of the faulty origin; `fault` is met by each request that it is for. */
async function checkResource(t, fields, fault) {
  const origin = await originFor(t);
  origin.add('/f.bin', { length: LENGTH, lastModified: MODIFIED, ...fields, faults: fault ? [{ times: Infinity, ...fault }] : [] });
  return check(`${origin.url}/f.bin`);
}

const ranged = ({ range }) => range !== undefined;

test('a server that does everything right is fit', async (t) => {
  const { status, result } = await checkResource(t, {});
  assert.deepEqual([status, words(result), complaints(result)], [0, 'resumable strong-tag', []]);
  const codes = ['status', 'ranges', 'suffix', 'unsatisfiable', 'tag-strong', 'date-strong', 'if-range', 'nodes', 'length', 'head', 'coding'];
  assert.deepEqual(result.findings.map(({ code }) => code), codes);
});

test('files of one and of two bytes can be checked, too', async (t) => {
  for (const length of [1, 2, 3]) {
    const { status, result } = await checkResource(t, { length });
    assert.deepEqual([status, complaints(result)], [0, []], `${length} bytes`);
  }
});

test('a file without bytes has nothing to resume', async (t) => {
  const { status, result } = await checkResource(t, { length: 0 });
  assert.deepEqual([status, words(result), complaints(result)], [1, 'restart-only empty', ['warning empty']]);
});

for (const [name, fields, fault, verdict, expected] of [
  ['ranges that are ignored', { ranges: false }, undefined, 'restart-only ranges-ignored', ['problem ranges-ignored']],
  ['ranges that are ignored in the middle', {}, { kind: 'ignore-range', when: ({ range }) => range?.start > 0 }, 'restart-only ranges-ignored', ['problem ranges-ignored', 'warning unsatisfiable']],
  ['a range that begins elsewhere', {}, { kind: 'wrong-range', when: ({ range }) => range?.start > 0 && range.start < LENGTH }, 'restart-only ranges-ignored', ['problem content-range-wrong']],
  ['a complete length that is another in the middle', {}, { kind: 'wrong-total', when: ({ range }) => range?.start > 0 && range.start < LENGTH }, 'restart-only ranges-ignored', ['problem content-range-wrong']],
  ['fewer bytes than Content-Range tells', {}, { kind: 'short', bytes: 100, when: ({ range }) => range?.start > 0 && range.start < LENGTH }, 'restart-only ranges-ignored', ['problem length-dishonest']],
  ['more bytes than Content-Range tells', {}, { kind: 'long', when: ({ range }) => range?.start === LENGTH - 1 }, 'restart-only ranges-ignored', ['problem length-dishonest']],
  ['a 416 without the length', {}, { kind: 'range-416', tellLength: false, when: ({ range }) => range?.start === LENGTH }, 'resumable strong-tag', ['warning unsatisfiable-untold']],
  ['403 to each request with a range', {}, { kind: 'status', status: 403, when: ranged }, 'restart-only ranges-ignored', ['problem range-refused']],
  ['503 to each request with a range', {}, { kind: 'status', status: 503, when: ranged }, 'restart-only ranges-ignored', ['problem range-refused']],
  ['501 to ranges in the middle alone', {}, { kind: 'status', status: 501, when: ({ range }) => range?.start > 0 }, 'restart-only ranges-ignored', ['problem range-refused', 'warning unsatisfiable']],
  ['a connection that breaks for each range', {}, { kind: 'refuse', when: ranged }, 'restart-only ranges-ignored', ['problem range-refused']],
  ['wrong bytes in a part of the file', {}, { kind: 'corrupt', ranges: [{ start: 1_000_000, end: 2_000_000 }], when: ({ range }) => range?.start > 0 && range.end === undefined }, 'restart-only ranges-ignored', ['problem bytes-differ']],
]) {
  test(name, async (t) => {
    const { status, result } = await checkResource(t, fields, fault);
    assert.deepEqual(complaints(result).filter((text) => text !== 'warning suffix'), expected);
    assert.equal(words(result), verdict);
    assert.equal(status, expected.some((text) => text.startsWith('problem')) ? 1 : 0);
  });
}

const isRange = ({ headers }) => headers.range !== undefined;

for (const [name, alter, verdict, expected] of [
  ['206 without Content-Range', ({ request }) => isRange(request) && { headers: { 'Content-Range': undefined } }, 'restart-only ranges-ignored', 'problem content-range-missing'],
  ['206 of a complete length that is a star', ({ answer }) => answer.status === 206 && { headers: { 'Content-Range': answer.headers['Content-Range'].replace(/\d+$/, '*') } }, 'restart-only ranges-ignored', undefined],
  ['multipart for one range', ({ answer }) => answer.status === 206 && { headers: { 'Content-Type': 'multipart/byteranges; boundary=x' } }, 'restart-only ranges-ignored', 'problem multipart'],
  ['positions that count from another byte', ({ answer, body }) => answer.status === 206 && { body: Buffer.concat([body.subarray(1), Buffer.alloc(1)]) }, 'restart-only ranges-ignored', 'problem bytes-differ'],
  ['416 to the whole file', ({ request }) => request.headers.range === 'bytes=0-' && { status: 416, headers: { 'Content-Length': 0 }, body: '' }, 'restart-only ranges-ignored', 'problem range-refused'],
  ['Accept-Ranges: none although they are honoured', () => ({ headers: { 'Accept-Ranges': 'none' } }), 'resumable strong-tag', 'warning accept-ranges'],
  ['another length in 416', ({ answer }) => answer.status === 416 && { headers: { 'Content-Range': 'bytes */7' } }, 'resumable strong-tag', 'warning unsatisfiable-untold'],
  ['400 without Range', ({ request }) => request.method === 'GET' && !isRange(request) && { status: 400 }, 'resumable strong-tag', 'warning plain-refused'],
]) {
  test(name, async (t) => {
    const { result } = await check(await oddServer(t, {}, alter));
    if (expected) assert.ok(complaints(result).includes(expected), complaints(result).join());
    assert.equal(words(result), verdict);
  });
}

test('a server that sends at most so many bytes for a range is resumable, and the report says what that costs', async (t) => {
  const url = await oddServer(t, {}, ({ request, answer, body }) => {
    if (answer.status !== 206) return undefined;
    const start = /bytes (\d+)-/.exec(answer.headers['Content-Range'])[1];
    const part = body.subarray(0, 5000);
    return { headers: { 'Content-Range': `bytes ${start}-${Number(start) + part.length - 1}/200000`, 'Content-Length': part.length }, body: part };
  });
  const { status, result } = await check(url);
  assert.deepEqual([status, words(result), complaints(result)], [0, 'resumable strong-tag', ['warning range-capped']]);
});

test('a server that had enough of the check is asked nothing more, and not blamed for its ranges', async (t) => {
  let requests = 0;
  const url = await oddServer(t, {}, ({ count }) => {
    requests = count + 1;
    return count >= 5 && { status: 429, headers: { 'Retry-After': '0' }, body: '' };
  });
  const { status, result } = await check(url);
  assert.deepEqual([status, complaints(result), requests], [1, ['problem busy'], 6]);
  assert.match(result.findings.find(({ code }) => code === 'busy').seen, /Retry-After that is over/);
});

test('a server that sends as much as it can is not read beyond the limit', async (t) => {
  const block = Buffer.alloc(1 << 16);
  const url = await serve(t, (request, response) => {
    response.writeHead(200, { 'Content-Length': 1e12 });
    if (request.method === 'HEAD') return void response.end();
    const endless = function* () {
      for (;;) yield block;
    };
    return pipeline(Readable.from(endless()), response, () => {});
  });
  const { result } = await check(url, ['--max-bytes', '300000']);
  // The last block that the system hands over may go beyond it.
  assert.ok(result.bytes >= 300_000 && result.bytes < 300_000 + (1 << 20), String(result.bytes));
});
