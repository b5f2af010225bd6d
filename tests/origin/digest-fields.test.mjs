// Integrity fields, and bytes that do not agree with them.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { BLOCK_LENGTH, bytes, corrupted, pieces } from './content.mjs';
import { ask, originFor } from './testing.mjs';

const LENGTH = BLOCK_LENGTH + 1000;
const both = (algorithm) => ['Repr-Digest', 'Content-Digest'].map((field) => ({ field, algorithm }));
const item = (name, of) => `${name}=:${createHash(name.replace('-', '')).update(of).digest('base64')}:`;
const fields = ({ headers }) => [headers.get('repr-digest'), headers.get('content-digest')];

/** `length` bytes of file 1 from `offset`, with those in `ranges` inverted. */
function wrongBytes(offset, length, ranges) {
  const copy = Buffer.from(bytes(1, offset, length));
  const isWrong = (at) => ranges.some(({ start, end }) => at >= start && at < end);
  for (let i = 0; i < length; i++) if (isWrong(offset + i)) copy[i] ^= 0xff;
  return copy;
}

test('Repr-Digest is of the whole file, Content-Digest of the body, also in a 206 and for HEAD', async (t) => {
  const origin = await originFor(t);
  origin.add('/f', { length: LENGTH, digests: [...both('sha-256'), ...both('sha-512')] });
  const whole = bytes(1, 0, LENGTH);
  const expected = (of) => `${item('sha-256', of)}, ${item('sha-512', of)}`;
  assert.deepEqual(fields(await ask(`${origin.url}/f`)), [expected(whole), expected(whole)]);
  const part = await ask(`${origin.url}/f`, { Range: 'bytes=65000-66000' });
  assert.deepEqual(fields(part), [expected(whole), expected(bytes(1, 65_000, 1001))]);
  assert.deepEqual(fields(await ask(`${origin.url}/f`, {}, 'HEAD')), [expected(whole), expected('')]);
  assert.deepEqual(fields(await ask(`${origin.url}/f`, { Range: `bytes=${LENGTH}-` })), [null, null]);
});

test('a digest can be wrong, alone or beside a right one; an impossible one is refused at once', async (t) => {
  const origin = await originFor(t);
  const field = 'Repr-Digest';
  const digests = [{ field, algorithm: 'sha-256', wrong: true }, { field, algorithm: 'sha-512' }];
  const resource = origin.add('/f', { length: 100, digests });
  const [wrong, right] = fields(await ask(`${origin.url}/f`))[0].split(', ');
  assert.match(wrong, /^sha-256=:[A-Za-z0-9+/]{43}=:$/);
  assert.notEqual(wrong, item('sha-256', bytes(1, 0, 100)));
  assert.equal(right, item('sha-512', bytes(1, 0, 100)));
  assert.throws(() => resource.update({ digests: [{ field: 'Digest', algorithm: 'sha-256' }] }), /"Digest"/);
  assert.throws(() => resource.update({ digests: [{ field: 'Repr-Digest', algorithm: 'md5' }] }), /"md5"/);
});

test('corrupted inverts the bytes of its ranges and no others, also across pieces', () => {
  const ranges = [{ start: 10, end: 12 }, { start: BLOCK_LENGTH - 1, end: BLOCK_LENGTH + 1 }, { start: 11, end: 14 }];
  const from = 5;
  const body = Buffer.concat([...corrupted(pieces(1, from, LENGTH), from, ranges)]);
  assert.deepEqual(body, wrongBytes(from, LENGTH - from, ranges));
  assert.notDeepEqual(body, bytes(1, from, LENGTH - from));
});

test('corrupt, the fault: wrong on the way, once; the digest is that of the right bytes', async (t) => {
  const origin = await originFor(t);
  const ranges = [{ start: 100, end: 200 }];
  origin.add('/f', { length: LENGTH, digests: both('sha-256'), faults: [{ kind: 'corrupt', ranges }] });
  const first = await ask(`${origin.url}/f`, { Range: 'bytes=150-299' });
  assert.deepEqual(first.body, wrongBytes(150, 150, ranges));
  assert.deepEqual(fields(first)[1], item('sha-256', bytes(1, 150, 150)));
  const second = await ask(`${origin.url}/f`, { Range: 'bytes=150-299' });
  assert.deepEqual(second.body, bytes(1, 150, 150));
  assert.deepEqual(origin.log.map(({ fault, start }) => [fault, start]), [['corrupt', 150], [undefined, 150]]);
});

test('a corrupt copy: always wrong, its Content-Digest agrees with it, its Repr-Digest does not', async (t) => {
  const origin = await originFor(t);
  const corrupt = [{ start: 0, end: 1 }];
  origin.add('/f', { length: 100, digests: both('sha-256'), corrupt });
  for (let time = 0; time < 2; time++) {
    const answer = await ask(`${origin.url}/f`);
    assert.deepEqual(answer.body, wrongBytes(0, 100, corrupt));
    assert.deepEqual(fields(answer), [item('sha-256', bytes(1, 0, 100)), item('sha-256', answer.body)]);
  }
});

test('mirrors: the same bytes under one or two validators, and other bytes under the same', async (t) => {
  const [origin, far] = [await originFor(t), await originFor(t)];
  const same = { length: 100, seed: 3, lastModified: 'Wed, 01 Jan 2025 00:00:00 GMT' };
  origin.add('/f', same);
  far.add('/same', same);
  far.add('/own', { ...same, etag: '"of-the-mirror"', lastModified: null });
  far.add('/other', { ...same, etag: origin.get('/f').etag, seed: 4 });
  const seen = async (url) => {
    const { headers, body } = await ask(url);
    return { etag: headers.get('etag'), lastModified: headers.get('last-modified'), body };
  };
  const first = await seen(`${origin.url}/f`);
  assert.deepEqual(await seen(`${far.url}/same`), first);
  assert.deepEqual(await seen(`${far.url}/own`), { etag: '"of-the-mirror"', lastModified: null, body: first.body });
  assert.deepEqual(await seen(`${far.url}/other`), { ...first, body: bytes(4, 0, 100) });
});
