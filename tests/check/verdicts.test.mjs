// The command's verdicts on first answers, from the table that the engine is held to as well (tests/verdicts.rs).
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { judge, judgeFirst } from '../../cli/verdict.mjs';

function headOf(text) {
  const [first, ...fields] = text.split(' | ');
  const [place, status] = first.split(' ');
  const values = new Map(fields.map((field) => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 1).trim()]));
  return { status: Number(status), isReadable: true, readsAll: place === 'home', get: (name) => values.get(name) };
}

const table = fs.readFileSync(new URL('../fixtures/verdicts.txt', import.meta.url), 'utf8');
const lines = table.split('\n').filter((line) => line && !line.startsWith('#'));

test('the command judges first answers as the engine does', () => {
  for (const line of lines) {
    const [text, expected] = line.split(' => ');
    const found = judgeFirst(headOf(text));
    assert.equal(found ? `${found.verdict} ${found.reason}` : 'again', expected, text);
  }
});

test('what refuses a range is judged by what it gives without', () => {
  const judged = (ranged, plain) => Object.values(judge(headOf(ranged), headOf(plain))).join(' ');
  for (const status of [400, 403, 404, 416, 501, 503]) assert.equal(judged(`home ${status}`, 'home 200 | Content-Length: 10'), 'restart-only ranges-ignored', String(status));
  assert.equal(judged('home 206', 'home 206 | Content-Length: 10'), 'restart-only ranges-ignored');
  assert.equal(judged('home 206', 'home 206 | Content-Range: bytes 0-4/10'), 'failed bad-content-range');
  assert.equal(judged('away 416', 'away 200 | Content-Length: 10'), 'size-unknown length-untold', 'CORS may hide a coding');
  assert.equal(judged('away 416', 'away 200 | Content-Length: 0'), 'restart-only empty', 'which no bytes can have');
  assert.equal(judged('home 404', 'home 404'), 'failed http-status');
});
