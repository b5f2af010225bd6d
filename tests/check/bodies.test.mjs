// Codings, lengths, and HEAD.
import assert from 'node:assert/strict';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import { check, complaints, oddServer, PAGE, serve, words } from './support.mjs';

const asksForGzip = ({ headers }) => /gzip/.test(headers['accept-encoding'] ?? '');
const coded = (body, more = {}) => {
  const bytes = gzipSync(body);
  return { status: 200, headers: { 'Content-Encoding': 'gzip', 'Content-Length': bytes.length, 'Content-Range': undefined, ...more }, body: bytes };
};

test('an object that is stored gzip-coded', async (t) => {
  const data = gzipSync(Buffer.alloc(100_000, 'a line of text\n'));
  const { status, result } = await check(await oddServer(t, { data, headers: { 'Content-Encoding': 'gzip' } }, () => undefined));
  assert.deepEqual([status, words(result)], [1, 'size-unknown coded']);
  assert.ok(complaints(result).includes('problem coding-stored'), complaints(result).join());
});

test('a coding that CORS hides is not taken for a file that can be resumed', async (t) => {
  const data = gzipSync(Buffer.alloc(100_000, 'a line of text\n'));
  for (const ignoresRange of [false, true]) {
    const cors = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': 'Content-Range, ETag' };
    const fields = { data, headers: { ...cors, 'Content-Encoding': 'gzip' } };
    const url = await oddServer(t, fields, ({ answer }) => (ignoresRange && answer.status === 206 ? { status: 200, headers: { 'Content-Range': undefined, 'Content-Length': data.length }, body: data } : undefined));
    const { status, result } = await check(url, ['--origin', PAGE]);
    assert.deepEqual([status, words(result), words(result.page)], [1, 'size-unknown coded', 'size-unknown length-untold']);
  }
});

test('a coding that comes only where it is asked for, and not with Range, does no harm', async (t) => {
  const alter = (vary, etag) => ({ request, answer, body }) => asksForGzip(request) && answer.status === 200 && coded(body, { ETag: etag, Vary: vary });
  const good = await check(await oddServer(t, { etag: '"a"' }, alter('Accept-Encoding', 'W/"a"')));
  assert.deepEqual([good.status, complaints(good.result)], [0, []]);
  const careless = await check(await oddServer(t, { etag: '"a"' }, alter(undefined, '"a"')));
  assert.deepEqual([careless.status, complaints(careless.result)], [0, ['warning coding-same-tag', 'warning coding-vary']]);
});

test('without ranges a browser takes the coding that there is, and the length is lost', async (t) => {
  const url = await oddServer(t, {}, ({ request, body }) => {
    if (request.headers.range) return { status: 403 };
    return asksForGzip(request) && coded(body, { ETag: 'W/"a"', Vary: 'Accept-Encoding' });
  });
  assert.equal(words((await check(url)).result), 'size-unknown coded');
});

test('ranges that are coded where gzip is asked for', async (t) => {
  const url = await oddServer(t, {}, ({ request, answer, body }) => {
    if (!asksForGzip(request)) return undefined;
    return { ...coded(body, { ETag: 'W/"a"', Vary: 'Accept-Encoding', 'Content-Range': answer.headers['Content-Range'] }), status: answer.status };
  });
  const { result } = await check(url);
  assert.deepEqual([words(result), complaints(result)], ['resumable strong-tag', ['warning coding-on-range']]);
});

test('a proxy that has all but ranges coded: the tag of the coded file is another, and no sign of several nodes', async (t) => {
  const url = await oddServer(t, { etag: '"a"' }, ({ answer, body }) => (answer.status === 200 ? coded(body, { ETag: '"a-gzip"' }) : undefined));
  const { result, levels } = await check(url);
  assert.deepEqual([words(result), levels.nodes, levels['coding-stored']], ['resumable strong-tag', 'ok', 'problem']);
});

test('aws-chunked, UTF-8, none and binary are no codings', async (t) => {
  for (const word of ['aws-chunked', 'UTF-8', 'none', 'binary']) {
    const { status, result } = await check(await oddServer(t, { headers: { 'Content-Encoding': word } }, () => undefined));
    assert.deepEqual([status, words(result), complaints(result)], [0, 'resumable strong-tag', ['warning coding-unknown']], word);
  }
});

test('a length that is told nowhere', async (t) => {
  const { status, result } = await check(await oddServer(t, { ranges: false, sendLength: false, length: 2_000_000 }, () => undefined));
  assert.deepEqual([status, words(result)], [1, 'size-unknown length-untold']);
  assert.ok(complaints(result).includes('problem length-untold'));
});

test('GET and Content-Range that tell two lengths', async (t) => {
  const { levels } = await check(await oddServer(t, {}, ({ request, body }) => request.method === 'GET' && !request.headers.range && !asksForGzip(request) && { headers: { 'Content-Length': 150_000 }, body: body.subarray(0, 150_000) }));
  assert.equal(levels['length-differs'], 'problem');
});

test('a body that ends before its length', async (t) => {
  const url = await serve(t, (request, response) => {
    response.writeHead(200, { 'Content-Length': 1000, ETag: '"a"' });
    response.write(Buffer.alloc(500), () => response.destroy());
  });
  const { levels } = await check(url);
  assert.equal(levels['length-dishonest'], 'problem');
});

test('HEAD that is refused, and HEAD that differs', async (t) => {
  const refused = await check(await oddServer(t, {}, ({ request }) => request.method === 'HEAD' && { status: 405 }));
  assert.deepEqual([refused.status, complaints(refused.result)], [0, ['warning head-refused']]);
  const differs = await check(await oddServer(t, {}, ({ request }) => request.method === 'HEAD' && { headers: { 'Content-Length': 5, 'Content-Type': 'text/plain' } }));
  assert.deepEqual(complaints(differs.result), ['warning head-differs']);
  assert.match(differs.result.findings.find(({ code }) => code === 'head-differs').seen, /Content-Length \(5\), Content-Type/);
});
