// The proxy does to a server's responses what each way and event says, and nothing else.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { test } from 'node:test';
import { differences, expected } from './expected.mjs';
import { startProxy } from './proxy.mjs';

const BODY = Buffer.from('the file, from its first byte to its last');

/** A server with one file, and the proxy in front of it. */
async function world(t) {
  const asked = [];
  const server = http.createServer((request, response) => {
    asked.push(request.headers);
    response.writeHead(200, { ETag: '"1"', 'Last-Modified': 'Sat, 01 Mar 2025 12:00:00 GMT', 'Content-Length': BODY.length }).end(BODY);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const upstream = `http://127.0.0.1:${server.address().port}`;
  const proxy = await startProxy(upstream);
  t.after(async () => {
    await proxy.close();
    server.close();
    server.closeAllConnections();
  });
  const origin = await proxy.listen();
  const begin = (way, event = 'plain') => proxy.begin(origin, { way, event, at: 10, isCoded: false, upstream, name: 'file', mostRequests: 2 });
  return { asked, begin };
}

test('another origin is let read the file and the two headers that the guide names', async (t) => {
  const { begin } = await world(t);
  const run = begin('far');
  const response = await fetch(run.url);
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), BODY);
  assert.equal(response.headers.get('access-control-allow-origin'), '*');
  assert.equal(response.headers.get('access-control-expose-headers'), 'Content-Range, ETag');
  assert.deepEqual(run.requests.map(({ status, sentBytes }) => [status, sentBytes]), [[200, BODY.length]]);
});

test('each way changes the headers that it names', async (t) => {
  const { asked, begin } = await world(t);
  const tagOf = async (way) => (await fetch(begin(way).url, { headers: { 'Accept-Encoding': 'identity' } })).headers.get('etag');
  assert.deepEqual([await tagOf('own'), await tagOf('stripped'), await tagOf('rewritten'), await tagOf('coded')], ['"1"', null, 'W/"1"', '"1"']);
  assert.deepEqual(asked.map((headers) => headers['accept-encoding']), ['identity', 'identity', 'identity', 'gzip']);
});

test('a redirect leads to another host and is no request for the file', async (t) => {
  const { begin } = await world(t);
  const run = begin('redirected');
  const response = await fetch(run.url);
  assert.equal(new URL(response.url).hostname, 'localhost');
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), BODY);
  assert.equal(run.requests.length, 1);
});

test('the first response is cut, the second is whole, a third is one too many', async (t) => {
  const { begin } = await world(t);
  const run = begin('far', 'cut');
  await assert.rejects((await fetch(run.url)).arrayBuffer());
  assert.equal(run.wasCut, true);
  assert.equal(run.sentBytes, 10);
  assert.deepEqual(Buffer.from(await (await fetch(run.url)).arrayBuffer()), BODY);
  const [{ body }] = await Promise.all([fetch(run.url), run.tooMany]);
  await body.cancel();
});

test('while one response is held others wait, and what was held is cut at its release', async (t) => {
  const { begin } = await world(t);
  const run = begin('far', 'killed');
  const first = await fetch(run.url);
  await run.held;
  const second = fetch(run.url);
  assert.equal(run.sentBytes, 10);
  run.release();
  await assert.rejects(first.arrayBuffer());
  assert.deepEqual(Buffer.from(await (await second).arrayBuffer()), BODY);
});

test('of a held response that the browser lets go of another one is held instead', async (t) => {
  const { begin } = await world(t);
  const run = begin('far', 'killed');
  const givenUp = new AbortController();
  await fetch(run.url, { signal: givenUp.signal });
  await run.held;
  const waiting = fetch(run.url);
  givenUp.abort();
  const second = await waiting;
  while (run.sentBytes < 20) await new Promise(setImmediate);
  assert.equal(run.isClosed, true);
  run.release();
  await assert.rejects(second.arrayBuffer());
});

test('whatever differs from what is expected is told', () => {
  const right = { state: 'completed', isRight: true, resumability: 'resumable', sent: 1, requests: 1, met: true };
  const told = (seen) => differences({ ...right, ...seen }, expected('nginx', 'large', 'far', 'cut')).length;
  assert.equal(told({}), 0);
  for (const wrong of [{ state: 'failed', code: 'network' }, { isRight: false }, { resumability: 'restart-only' }, { sent: 1.75 }, { requests: 9 }, { met: false }]) {
    assert.ok(told(wrong) > 0, JSON.stringify(wrong));
  }
});
