// Several requests at once, and answers that take their time.
import assert from 'node:assert/strict';
import test from 'node:test';
import { bytes } from './content.mjs';
import { ask, originFor } from './testing.mjs';

const LENGTH = 1000;
const part = (start) => ({ Range: `bytes=${start}-${start + 99}` });

test('the log counts what is open at a path; one more than allowed gets 429, and room comes back', async (t) => {
  const origin = await originFor(t);
  const resource = origin.add('/f', { length: LENGTH, bytesPerSecond: 0, maxOpen: 2, retryAfter: 7 });
  origin.add('/g', { length: LENGTH });
  const open = [];
  for (const [n, start] of [0, 100].entries()) {
    open.push(ask(`${origin.url}/f`, part(start)));
    await origin.waitFor((entries) => entries[n]?.status === 206);
  }
  for (let time = 0; time < 2; time++) {
    const refused = await ask(`${origin.url}/f`, part(200));
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '7']);
  }
  assert.equal((await ask(`${origin.url}/g`)).status, 200);
  resource.update({ bytesPerSecond: Infinity, retryAfter: null });
  for (const [n, answer] of (await Promise.all(open)).entries()) assert.deepEqual(answer.body, bytes(1, n * 100, 100));
  await origin.waitFor((entries) => entries.every(({ endedAt }) => endedAt));
  assert.equal((await ask(`${origin.url}/f`, part(200))).status, 206);
  const gets = (path) => origin.log.filter((entry) => entry.path === path && entry.method === 'GET');
  const counts = (path) => gets(path).map(({ concurrent }) => concurrent);
  assert.deepEqual([counts('/f'), counts('/g')], [[1, 2, 3, 3, 1], [1]]);
  resource.update({ maxOpen: 0 });
  const bare = await ask(`${origin.url}/f`);
  assert.deepEqual([bare.status, bare.headers.get('retry-after')], [429, null]);
});

test('a 429 that waits for its latency is not counted as open', async (t) => {
  const origin = await originFor(t);
  const resource = origin.add('/f', { length: LENGTH, latencyMs: Infinity, maxOpen: 1 });
  const answers = [];
  for (const n of [0, 1, 2]) {
    answers.push(ask(`${origin.url}/f`));
    await origin.waitFor((entries) => entries.length > n);
  }
  resource.update({ latencyMs: 0 });
  assert.deepEqual((await Promise.all(answers)).map(({ status }) => status), [200, 429, 429]);
  assert.deepEqual(origin.log.map(({ concurrent }) => concurrent), [1, 2, 2]);
});

test('latency: the head waits, and a change is felt at once', async (t) => {
  const origin = await originFor(t);
  const resource = origin.add('/f', { length: LENGTH, latencyMs: Infinity });
  const held = ask(`${origin.url}/f`);
  const entry = await origin.waitForRequest('/f', ({ length }) => length === LENGTH);
  assert.equal(entry.status, undefined);
  resource.update({ latencyMs: 30 });
  assert.deepEqual((await held).body, bytes(1, 0, LENGTH));
  await ask(`${origin.url}/f`);
  const { startedAt, endedAt } = await origin.waitFor(([, second]) => second?.endedAt && second);
  // Both are whole milliseconds of a clock, rounded down.
  assert.ok(endedAt - startedAt >= 29, `${endedAt - startedAt} ms`);
});

test('stall-head: no status until it is released, and a client that goes ends it', async (t) => {
  const origin = await originFor(t);
  const resource = origin.add('/f', { length: LENGTH, faults: [{ kind: 'stall-head', times: 2 }] });
  const held = ask(`${origin.url}/f`);
  const entry = await origin.waitForRequest('/f', ({ stalled }) => stalled);
  assert.deepEqual([entry.status, entry.sentBytes], [undefined, 0]);
  resource.release();
  assert.deepEqual((await held).body, bytes(1, 0, LENGTH));

  const client = new AbortController();
  const given = fetch(`${origin.url}/f`, { signal: client.signal });
  await origin.waitFor(([, second]) => second?.stalled);
  client.abort();
  await assert.rejects(given, { name: 'AbortError' });
  const [, left] = await origin.waitFor((entries) => entries[1].endedAt && entries);
  assert.deepEqual([left.aborted, left.status], [true, undefined]);
});

test('the log keeps what a request was conditional on and where it came from', async (t) => {
  const origin = await originFor(t);
  origin.add('/f', { length: LENGTH, etag: '"a"' });
  const date = 'Wed, 01 Jan 2025 00:00:00 GMT';
  await ask(`${origin.url}/f`, { Range: 'bytes=1-', 'If-Range': '"a"', Origin: 'http://page.example' });
  await ask(`${origin.url}/f`, { 'If-None-Match': '"a"', 'If-Modified-Since': date });
  const [first, second] = origin.log;
  assert.deepEqual([first.ifRange, first.origin, first.status], ['"a"', 'http://page.example', 206]);
  assert.deepEqual([second.ifNoneMatch, second.ifModifiedSince, second.origin, second.status], ['"a"', date, undefined, 304]);
});
