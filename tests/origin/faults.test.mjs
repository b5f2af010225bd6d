// Each fault as a client sees it.
import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import { bytes } from './content.mjs';
import { startOrigin } from './server.mjs';

const LENGTH = 150_000;

/** Reads a response to its end, however that comes: `{ status, headers, body, failed }`. Nothing is decoded. */
function read(url, range, agent = false) {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { headers: range ? { Range: range } : {}, agent }, (response) => {
      const parts = [];
      const done = (failed) =>
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts), failed });
      response.on('data', (part) => parts.push(part));
      response.on('end', () => done(false));
      response.on('error', () => done(true));
    });
    request.on('error', reject);
  });
}

/** A fresh origin whose file has this one fault; asks for `range`, then shows that the fault is used up. */
async function met(t, fault, range) {
  const origin = await startOrigin();
  t.after(() => origin.close());
  origin.add('/f', { length: LENGTH, faults: [fault] });
  const answer = await read(`${origin.url}/f`, range);
  const next = await read(`${origin.url}/f`);
  assert.deepEqual([next.status, next.failed], [200, false]);
  assert.deepEqual(next.body, bytes(1, 0, LENGTH));
  assert.deepEqual(origin.log.map(({ fault: kind }) => kind), [fault.kind, undefined]);
  return answer;
}

const RANGE = 'bytes=1000-99999';

test('cut: the bytes before it arrive, then the connection is gone', async (t) => {
  const answer = await met(t, { kind: 'cut', bytes: 70_001 }, RANGE);
  assert.deepEqual([answer.status, answer.failed], [206, true]);
  assert.deepEqual(answer.body, bytes(1, 1000, 70_001));
});

test('cut: a chunked body has no end then', async (t) => {
  const origin = await startOrigin();
  t.after(() => origin.close());
  origin.add('/f', { length: LENGTH, sendLength: false, faults: [{ kind: 'cut', bytes: 10 }] });
  const answer = await read(`${origin.url}/f`);
  assert.deepEqual([answer.failed, answer.body.length], [true, 10]);
});

test('short: a clean end before what Content-Range tells', async (t) => {
  const answer = await met(t, { kind: 'short', bytes: 500 }, RANGE);
  assert.deepEqual([answer.failed, answer.headers['content-range']], [false, `bytes 1000-99999/${LENGTH}`]);
  assert.deepEqual(answer.body, bytes(1, 1000, 500));
});

test('long: more bytes than Content-Range tells', async (t) => {
  const answer = await met(t, { kind: 'long', bytes: 10 }, RANGE);
  assert.equal(answer.headers['content-range'], `bytes 1000-99999/${LENGTH}`);
  assert.equal(answer.body.length, 99_010);
});

test('status: with its headers and body', async (t) => {
  const answer = await met(t, { kind: 'status', status: 503, headers: { 'Retry-After': '2' }, body: 'later' }, RANGE);
  assert.deepEqual([answer.status, answer.headers['retry-after'], String(answer.body)], [503, '2', 'later']);
});

test('ignore-range: 200 and everything', async (t) => {
  const answer = await met(t, { kind: 'ignore-range' }, RANGE);
  assert.deepEqual([answer.status, answer.body.length], [200, LENGTH]);
});

test('wrong-range: another part than asked for', async (t) => {
  const answer = await met(t, { kind: 'wrong-range', shift: -10 }, RANGE);
  assert.equal(answer.headers['content-range'], `bytes 990-99989/${LENGTH}`);
  assert.deepEqual(answer.body, bytes(1, 990, 99_000));
});

test('wrong-total: another complete length', async (t) => {
  const answer = await met(t, { kind: 'wrong-total', shift: 5 }, RANGE);
  assert.equal(answer.headers['content-range'], `bytes 1000-99999/${LENGTH + 5}`);
});

test('range-416: with and without the complete length', async (t) => {
  const told = await met(t, { kind: 'range-416' }, RANGE);
  assert.deepEqual([told.status, told.headers['content-range']], [416, `bytes */${LENGTH}`]);
  const untold = await met(t, { kind: 'range-416', tellLength: false }, RANGE);
  assert.deepEqual([untold.status, untold.headers['content-range']], [416, undefined]);
});

test('gzip: a coded body with an uncoded Content-Range', async (t) => {
  const answer = await met(t, { kind: 'gzip' }, RANGE);
  assert.deepEqual([answer.status, answer.headers['content-encoding']], [206, 'gzip']);
  assert.deepEqual(gunzipSync(answer.body), bytes(1, 1000, 99_000));
});

test('refuse: no header at all; on a re-used connection it stays for the repetition', async (t) => {
  await assert.rejects(met(t, { kind: 'refuse' }), { code: 'ECONNRESET' });

  const origin = await startOrigin();
  t.after(() => origin.close());
  const resource = origin.add('/f', { length: 1 });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  await read(`${origin.url}/f`, undefined, agent);
  resource.addFault({ kind: 'refuse' });
  await assert.rejects(read(`${origin.url}/f`, undefined, agent), { code: 'ECONNRESET' });
  assert.equal(resource.faults.length, 1);
  await assert.rejects(read(`${origin.url}/f`, undefined, agent), { code: 'ECONNRESET' });
  assert.equal(resource.faults.length, 0);
});

test('stall: nothing more until it is released, then the rest', async (t) => {
  const origin = await startOrigin();
  t.after(() => origin.close());
  const resource = origin.add('/f', { length: LENGTH, faults: [{ kind: 'stall', bytes: 0 }] });
  const answer = read(`${origin.url}/f`);
  const entry = await origin.waitForRequest('/f', ({ stalled }) => stalled);
  assert.equal(entry.sentBytes, 0);
  resource.release();
  assert.deepEqual((await answer).body, bytes(1, 0, LENGTH));
});

test('when and times choose the requests; an unknown kind is refused at once', async (t) => {
  const origin = await startOrigin();
  t.after(() => origin.close());
  const resource = origin.add('/f', { length: LENGTH });
  resource.addFault({ kind: 'status', status: 500, times: 2, when: ({ range }) => range?.start >= 1000 });
  const statuses = [];
  for (const start of [0, 1000, 999, 2000, 3000]) statuses.push((await read(`${origin.url}/f`, `bytes=${start}-`)).status);
  assert.deepEqual(statuses, [206, 500, 206, 500, 206]);
  assert.throws(() => resource.addFault({ kind: 'explode' }), /explode/);
});
