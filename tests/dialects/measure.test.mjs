// What a run of the table is held to is measured right.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differences, mostFruitless } from './measure.mjs';
import { completes, fails } from './row.mjs';

const MINUTE = 60_000;

test('a request that is followed by more kept bytes than ever is not fruitless', () => {
  const kept = [{ at: 5, bytes: 100 }, { at: 25, bytes: 0 }, { at: 26, bytes: 100 }, { at: 45, bytes: 101 }];
  assert.equal(mostFruitless([0], kept), 0);
  assert.equal(mostFruitless([0, 20], kept.slice(0, 3)), 1, 'the same bytes once more are none');
  assert.equal(mostFruitless([0, 10, 20, 40], kept), 2);
});

test('only requests within one minute of the clock of the worker count together', () => {
  const requests = Array.from({ length: 30 }, (_, nth) => nth * 3_000);
  assert.equal(mostFruitless(requests, []), 20);
  assert.equal(mostFruitless(requests, [], 20), 1);
  assert.equal(mostFruitless([0, MINUTE], []), 1);
});

const FILE = Buffer.from('the file');
const seen = (more) => ({ state: 'completed', sha256: completes(FILE).digests[0], sent: 1, requests: 1, fruitless: 0, leaked: 0, restarts: 0, ...more });

test('what differs is told in words', () => {
  assert.deepEqual(differences(seen(), completes(FILE)), []);
  assert.deepEqual(differences(seen({ sha256: 'another', size: 3 }), completes(FILE)), ['wrong bytes (3)']);
  assert.deepEqual(differences(seen({ state: 'failed', code: 'network' }), completes(FILE)), ['failed (network)']);
  assert.deepEqual(differences(seen({ requests: 3, restarts: 2 }), completes(FILE, { restarts: 1 })), ['2 restarts', '3 requests, at most 2']);
  assert.deepEqual(differences(seen({ fruitless: 21, leaked: 1 }), completes(FILE)), ['21 requests in a minute that kept no new byte', 'a header was told to where it must not go']);
});

test('more than twice the file may be sent only if the task failed with a code', () => {
  const expected = completes(FILE, { sent: 5 });
  assert.deepEqual(differences(seen({ sent: 2.5 }), expected), ['more than 2 times the file sent']);
  assert.deepEqual(differences(seen({ state: 'failed', code: 'network', sent: 2.5 }), fails('network', { sent: 5 })), []);
});
