// The file bytes: the same at any offset, different per seed, incompressible, and hashed as they are served.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import { BLOCK_LENGTH, bytes, sha256 } from './content.mjs';

test('any piece equals the same piece of the whole, also across blocks and past 4 GiB', () => {
  const whole = bytes('a', 0, 3 * BLOCK_LENGTH);
  for (const [offset, length] of [[0, 1], [BLOCK_LENGTH - 1, 2], [5, 2 * BLOCK_LENGTH], [BLOCK_LENGTH, 0]]) {
    assert.deepEqual(bytes('a', offset, length), whole.subarray(offset, offset + length));
  }
  const far = 5 * 2 ** 30 - 3;
  assert.deepEqual(bytes('a', far, 10).subarray(5), bytes('a', far + 5, 5));
});

test('blocks and seeds differ, and nothing compresses', () => {
  const whole = bytes(1, 0, 4 * BLOCK_LENGTH);
  assert.notDeepEqual(whole.subarray(0, BLOCK_LENGTH), whole.subarray(BLOCK_LENGTH, 2 * BLOCK_LENGTH));
  assert.notDeepEqual(whole, bytes(2, 0, whole.length));
  assert.ok(gzipSync(whole).length > whole.length);
});

test('sha256 is that of the bytes', () => {
  const length = 2 * BLOCK_LENGTH + 17;
  assert.equal(sha256(3, length), createHash('sha256').update(bytes(3, 0, length)).digest('hex'));
  assert.equal(sha256(3, 0), createHash('sha256').digest('hex'));
});
