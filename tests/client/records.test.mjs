// The worker's own reader of records, against bytes of every format that there was (see tests/records.rs).
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { transformSync } from 'esbuild';
import { root } from '../../tools/setup.mjs';

const folder = path.join(root, 'tests/fixtures/records');
const formats = fs.readdirSync(folder).filter((name) => /^\d+$/.test(name));
const { code } = transformSync(fs.readFileSync(path.join(root, 'js/records.ts'), 'utf8'), { loader: 'ts', format: 'esm' });
const { readProgress, readTask } = await import(`data:text/javascript,${encodeURIComponent(code)}`);

const record = (format, name) => {
  const bytes = fs.readFileSync(path.join(folder, format, name));
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
};

for (const format of formats) {
  test(`records of format ${format}`, () => {
    const tasks = [0, 1, 2, 3, 4].map((state) => readTask(record(format, `task-${state}`)));
    assert.deepEqual(tasks.map(({ isCompleted }) => isCompleted), [false, false, true, false, false]);
    const { isCompleted, ...about } = tasks[2];
    assert.deepEqual(about, { url: 'https://a.example/1?sig=2', group: 'map', tag: 'tag', description: 'for people', metadata: '{}' });
    const known = { body: `${'f'.repeat(31)}e`, length: 2 ** 33, contentType: 'audio/mpeg', fileName: 'epïsode.mp3' };
    assert.deepEqual(readProgress(record(format, 'progress')), known);
    assert.equal(readProgress(record(format, 'progress-new')).length, undefined);
  });
}

test('records that are damaged, or of a format that nobody knows, are refused', () => {
  const whole = record(formats.at(-1), 'task-2');
  assert.throws(() => readTask(whole.slice(0, 40)), RangeError);
  const other = new Uint8Array(whole.slice(0));
  other[0] = 99;
  assert.throws(() => readTask(other.buffer), RangeError);
});
