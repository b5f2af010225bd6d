// The resume is honest: whatever a server does, a task ends in the right bytes or in a clear code, never in a mixed
// or short file. Each case is a file whose first attempt is cut after some bytes, and a server that misbehaves then.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { lacks } from '../../browser/lacks.mjs';
import { startOrigin } from '../../origin/server.mjs';
import { download, MIB, outcome, startWorld } from '../support.mjs';

const LENGTH = 12 * MIB;
const CUT = { kind: 'cut', bytes: 10 * MIB };
/** Slow enough that what is sent before a cut has been read: WebKit drops the rest of it. */
const PACE = 16 * MIB;

/** What the server is, what it does wrong, and what must come of it. */
const cases = [
  { name: 'a cut with a strong validator', faults: [CUT], resumes: true, restarts: 0 },
  { name: 'a cut with only Last-Modified', file: { etag: null, lastModified: 'Sat, 21 Nov 2026 09:00:00 GMT' }, faults: [CUT], resumes: true, restarts: 0 },
  { name: 'a cut with a weak validator alone', file: { etag: 'W/"1"' }, faults: [CUT], restarts: 1 },
  { name: 'a cut without any validator', file: { etag: null }, faults: [CUT], restarts: 1 },
  { name: 'a refused connection at first', faults: [{ kind: 'refuse' }], restarts: 0 },
  { name: 'a whole answer to the resume', faults: [CUT, { kind: 'ignore-range' }], restarts: 1 },
  { name: 'another range than asked', faults: [CUT, { kind: 'wrong-range' }], restarts: 1 },
  { name: 'another range than asked, at first', faults: [{ kind: 'wrong-range', shift: 5 }], restarts: 0 },
  { name: 'another complete length', faults: [CUT, { kind: 'wrong-total' }], restarts: 1 },
  { name: '416 to the resume', faults: [CUT, { kind: 'range-416' }], restarts: 1 },
  { name: '416 without a length', faults: [CUT, { kind: 'range-416', tellLength: false }], restarts: 1 },
  { name: 'a body that ends early and cleanly', faults: [{ kind: 'short', bytes: 9 * MIB }], resumes: true, restarts: 0 },
  { name: 'a gzip-coded partial answer', faults: [{ kind: 'gzip' }], restarts: 0 },
  { name: '503 with Retry-After', faults: [{ kind: 'status', status: 503, headers: { 'Retry-After': '1' } }], restarts: 0 },
  { name: 'a server without ranges', file: { ranges: false }, faults: [], restarts: 0 },
  { name: 'a server without ranges that is cut', file: { ranges: false }, faults: [CUT], restarts: 1 },
  { name: 'an unknown length', file: { sendLength: false }, faults: [], restarts: 0 },
  { name: 'an unknown length that is cut', file: { sendLength: false }, faults: [{ ...CUT, when: (entry) => !entry.range }], restarts: 1, needs: 'tell-cut-chunked-body' },
  { name: 'a file of no bytes', file: { length: 0 }, faults: [], restarts: 0 },
  { name: 'a file of one byte', file: { length: 1 }, faults: [], restarts: 0 },
];

/** Servers that cannot be downloaded from, and the code that says so. */
const failures = [
  { name: 'a body longer than announced', faults: [{ kind: 'long', bytes: 100 }], code: 'body-too-long' },
  { name: 'a redirect that is not to be followed', file: { redirect: { to: '/elsewhere.bin' } }, options: { redirect: 'error' }, faults: [], code: 'redirect-refused' },
  // Once more without a range, which may be what a filter refuses.
  { name: 'a file that is not there', faults: [{ kind: 'status', status: 404 }, { kind: 'status', status: 404 }], code: 'http-status', status: 404 },
];

describe('honest', () => {
  let world;
  let page;
  let end;
  before(async () => {
    world = await startWorld((action) => (end = action));
    page = await world.open();
  });
  after(() => end());

  async function run(name, file, faults, options = {}) {
    const path = `/${name.replaceAll(/\W+/g, '-')}.bin`;
    const bytesPerSecond = faults.some(({ kind }) => kind === 'cut') ? PACE : Infinity;
    const fields = { length: LENGTH, seed: name.length, bytesPerSecond, ...file };
    const resource = world.origin.add(path, { ...fields, faults: faults.map((fault) => ({ ...fault })) });
    await download(page, path, { id: name, ...options });
    const result = await outcome(page, name);
    assert.deepEqual(resource.faults, [], 'every fault was met');
    const starts = world.origin.log.filter((entry) => entry.path === path).map((entry) => entry.range?.start);
    return { resource, result, starts };
  }

  for (const { name, file, faults, resumes, restarts, needs } of cases) {
    test(name, { skip: lacks(needs) }, async () => {
      const { resource, result, starts } = await run(name, file, faults);
      assert.deepEqual(
        { state: result.state, size: result.size, sha256: result.sha256, restarts: result.restarts },
        { state: 'completed', size: resource.length, sha256: resource.sha256, restarts },
      );
      if (resumes) assert.ok(starts.at(-1) > 0, `went on from kept bytes: ${starts}`);
    });
  }

  for (const { name, file, faults, options, code, status } of failures) {
    test(name, async () => {
      const { result, starts } = await run(name, file, faults, options);
      assert.deepEqual({ state: result.state, code: result.code, status: result.status }, { state: 'failed', code, status });
      assert.equal(starts.length, Math.max(faults.length, 1), 'it is not asked for again');
    });
  }

  test('a file that changes in the middle', async () => {
    const resource = world.origin.add('/changes.bin', { length: LENGTH, seed: 1, bytesPerSecond: PACE, faults: [{ ...CUT }] });
    await download(page, '/changes.bin', { id: 'changes' });
    await world.origin.waitForRequest('/changes.bin', (entry) => entry.aborted);
    resource.update({ seed: 2 });
    const result = await outcome(page, 'changes');
    assert.deepEqual([result.state, result.sha256, result.restarts], ['completed', resource.sha256, 1]);
    const events = await page.evaluate(() => seen.filter(({ taskId }) => taskId === 'changes').map(({ type, reason }) => [type, reason]));
    assert.deepEqual(events.slice(0, 1), [['restarted', 'changed']]);
    const requests = world.origin.log.filter((entry) => entry.path === '/changes.bin');
    assert.ok(requests[1].ifRange, 'the resume was sent with If-Range');
  });

  test('another origin, whose Content-Range and ETag are hidden', async () => {
    const other = await startOrigin();
    try {
      const lastModified = 'Sat, 21 Nov 2026 09:00:00 GMT';
      const resource = other.add('/far.bin', { length: LENGTH, seed: 9, bytesPerSecond: PACE, lastModified, cors: 'plain', faults: [{ ...CUT }] });
      await download(page, `${other.url}/far.bin`, { id: 'far' });
      const result = await outcome(page, 'far');
      assert.deepEqual([result.state, result.sha256, result.restarts, result.resumability], ['completed', resource.sha256, 0, 'resumable-by-comparison']);
    } finally {
      await other.close();
    }
  });
});
