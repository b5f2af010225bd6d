// A file's URL, answered in the worker: what is asked of the component for a row of small requests.
import assert from 'node:assert/strict';
import { start } from './fakes/component.mjs';
import { test } from './support.mjs';

const turn = () => new Promise(setImmediate);

/** A worker whose file "one" has two chunks of four bytes; `get(start, end)` fetches a part of it, of this version. */
async function serving(t) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const worker = await start();
  const asked = () => worker.of('call').filter(([, { type }]) => type === 'chunk').map(([, { offset }]) => offset);
  const get = async (from, end, body = 'v1') => {
    let answer;
    const request = new Request('https://app.example/longhaul/file?session=podcasts&id=one', { headers: { Range: `bytes=${from}-${end - 1}` } });
    await worker.dispatch('fetch', { request, respondWith: (response) => (answer = response) });
    worker.answer('serve', { status: 206, parts: [[from, end]], length: 8, body, etag: `"${body}"` });
    const before = asked().length;
    const text = answer.then((response) => response.text());
    while (asked().length === before && !(await Promise.race([text.then(() => true), turn()])));
    for (const offset of asked().slice(before)) {
      const first = offset - (offset % 4);
      worker.answer('chunk', { chunk: new Blob([`${body}-${first}`]), start: first, length: 4, body });
    }
    return text;
  };
  return { get, asked };
}

test('a chunk is read once for a row of requests, and kept for a while', async (t) => {
  const { get, asked } = await serving(t);
  assert.equal(await get(0, 2), 'v1');
  assert.equal(await get(2, 4), '-0');
  assert.deepEqual(asked(), [0], 'what was read for the first is there for the second');
  assert.equal(await get(4, 6), 'v1');
  assert.deepEqual(asked(), [0, 4]);
  t.mock.timers.tick(5_000);
  assert.equal(await get(4, 6), 'v1');
  assert.deepEqual(asked(), [0, 4, 4], 'it is kept no longer than that');
});

test('a chunk of another version is not taken for one of this', async (t) => {
  const { get, asked } = await serving(t);
  assert.equal(await get(0, 2), 'v1');
  assert.equal(await get(0, 2, 'v2'), 'v2');
  assert.deepEqual(asked(), [0, 0]);
});
