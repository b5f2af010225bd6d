// Validators, If-Range, and nodes that do not agree.
import assert from 'node:assert/strict';
import test from 'node:test';
import { check, complaints, oddServer, words } from './support.mjs';

const none = () => undefined;
const now = () => new Date().toUTCString();

for (const [name, fields, alter, verdict, expected] of [
  ['a strong tag alone', { lastModified: null }, none, 'resumable strong-tag', []],
  ['a strong date alone', { etag: null }, none, 'resumable strong-date', []],
  ['a date without Date', { etag: null }, 'no-date', 'resumable-by-comparison date-and-length', ['warning date-weak']],
  ['a date that is as young as the answer', { etag: null, lastModified: now() }, none, 'resumable-by-comparison date-and-length', ['warning date-weak']],
  ['a weak tag and a date', { etag: 'W/"a"' }, none, 'resumable-by-comparison weak-tag', ['warning tag-weak']],
  ['a weak tag alone', { etag: 'W/"a"', lastModified: null }, none, 'restart-only weak-validator', ['problem tag-weak']],
  ['a tag without quotes', { etag: 'abc' }, none, 'resumable-by-comparison weak-tag', ['warning tag-malformed']],
  ['an empty tag', { etag: '""', lastModified: null }, none, 'restart-only no-validator', ['problem tag-constant']],
  ['the tag "0"', { etag: '"0"', lastModified: null }, none, 'restart-only no-validator', ['problem tag-constant']],
  ['the epoch for a date', { etag: null, lastModified: 'Thu, 01 Jan 1970 00:00:00 GMT' }, none, 'restart-only no-validator', ['problem date-constant']],
  ['the first day of ZIP archives for a date', { etag: null, lastModified: 'Tue, 01 Jan 1980 00:00:00 GMT' }, none, 'restart-only no-validator', ['problem date-constant']],
  ['a strong tag beside such a date', { lastModified: 'Tue, 01 Jan 1980 00:00:00 GMT' }, none, 'resumable strong-tag', ['warning date-constant']],
  ['no validator', { etag: null, lastModified: null }, none, 'restart-only no-validator', ['problem no-validator']],
]) {
  test(name, async (t) => {
    const headers = alter === 'no-date' ? { Date: '' } : {};
    const url = await oddServer(t, { headers, ...fields }, alter === 'no-date' ? none : alter);
    const { status, result } = await check(url);
    assert.deepEqual(complaints(result).filter((text) => !text.includes('if-range')), expected);
    assert.equal(words(result), verdict);
    assert.equal(status, verdict.startsWith('resumable ') ? 0 : 1);
  });
}

test('each finding says which header to send', async (t) => {
  const { result } = await check(await oddServer(t, { etag: 'abc' }, none));
  assert.equal(result.findings.find(({ code }) => code === 'tag-malformed').header, 'ETag: "abc"');
});

test('If-Range that never matches begins each resume anew', async (t) => {
  const url = await oddServer(t, {}, ({ request, body }) => request.headers['if-range'] && { status: 200, headers: { 'Content-Range': undefined, 'Content-Length': body.length } });
  const { status, result } = await check(url);
  assert.deepEqual([status, words(result), complaints(result)], [1, 'restart-only ranges-ignored', ['problem if-range-refused']]);
});

test('If-Range that is not looked at is a warning: longhaul compares the validators itself', async (t) => {
  // What a request without If-Range would be given.
  const url = await oddServer(t, { etag: '"a"' }, ({ request, answer, body }) => {
    if (!request.headers['if-range'] || answer.status === 206) return undefined;
    return { status: 206, headers: { 'Content-Range': `bytes 0-${body.length - 1}/${body.length}` } };
  });
  const { status, result } = await check(url);
  assert.deepEqual([status, words(result), complaints(result)], [0, 'resumable strong-tag', ['warning if-range-ignored']]);
});

test('two nodes with tags of their own', async (t) => {
  const url = await oddServer(t, {}, ({ count }) => ({ headers: { ETag: `"edge-${count % 2}"` } }));
  const { status, result } = await check(url);
  assert.equal(status, 1);
  assert.equal(words(result), 'restart-only weak-validator');
  assert.ok(complaints(result).includes('problem validators-differ'), complaints(result).join());
  assert.match(result.findings.find(({ code }) => code === 'validators-differ').seen, /"edge-0", "edge-1"/);
});

test('two nodes whose files differ by seven seconds', async (t) => {
  const times = ['Mon, 07 Nov 1994 08:49:37 GMT', 'Mon, 07 Nov 1994 08:49:44 GMT'];
  const alter = ({ count }) => ({ headers: { 'Last-Modified': times[count % 2] } });
  const dates = await check(await oddServer(t, { etag: null }, alter));
  assert.equal(words(dates.result), 'restart-only weak-validator');
  assert.equal(dates.levels['validators-differ'], 'problem');
  const tagged = await check(await oddServer(t, {}, alter));
  assert.deepEqual([tagged.status, complaints(tagged.result)], [0, ['warning dates-differ']]);
});

test('a node that answers seldom is found by requests beside the others', async (t) => {
  // The first four ask for the file, its ranges, HEAD and a coding.
  const url = await oddServer(t, { ranges: false }, ({ count }) => ({ headers: { ETag: count === 7 ? '"b"' : '"a"' } }));
  const { levels } = await check(url);
  assert.equal(levels['validators-differ'], 'problem');
});

test('a tag that some answers lack', async (t) => {
  const url = await oddServer(t, {}, ({ count }) => count > 4 && { headers: { ETag: undefined } });
  const { levels } = await check(url);
  assert.equal(levels['validator-not-always'], 'warning');
});
