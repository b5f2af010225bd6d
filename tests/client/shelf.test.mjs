// Finished files where the component cannot be started: every call is answered, whatever storage holds.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { root } from '../../tools/setup.mjs';
import { start } from './fakes/component.mjs';

const folder = path.join(root, 'tests/fixtures/records');
const newest = fs.readdirSync(folder).filter((name) => /^\d+$/.test(name)).sort((one, other) => one - other).at(-1);
const record = (name) => new Uint8Array(fs.readFileSync(path.join(folder, newest, name))).buffer;
/** The body and the length of the fixtures' file. */
const [BODY, LENGTH] = [`${'f'.repeat(31)}e`, 2 ** 33];
const KEY = 'podcasts,one';
const ROWS = {
  sessions: { podcasts: {} },
  tasks: { [KEY]: { v: record('task-2') } },
  progress: { [KEY]: record('progress') },
  chunks: { [`${BODY},0`]: new Blob(['first ']), [`${BODY},6`]: new Blob(['second']) },
};

/** An indexedDB of these rows, by table and key. `fail` throws where a table is read. */
function database(rows, fail = () => {}) {
  const settle = (find) => {
    const request = {};
    setImmediate(() => request.onsuccess(Object.assign(request, { result: find() })));
    return request;
  };
  const objectStore = (table) => {
    fail(table);
    const keys = Object.keys(rows[table]).map((key) => key.split(',').map((part) => (/^\d+$/.test(part) ? Number(part) : part)));
    const lastOf = ({ upper: [body, most] }) => keys.findLast(([of, at]) => of === body && at <= most);
    const cursor = (key) => (key ? { key } : null);
    return { get: (key) => settle(() => rows[table][key]), openKeyCursor: (range) => settle(() => cursor(lastOf(range))) };
  };
  const open = () => settle(() => ({ transaction: () => ({ objectStore }), close() {} }));
  return { open, databases: async () => [{ name: 'longhaul:https://app.example/' }] };
}

/** The reply to a call, with this database. */
async function ask(call, indexedDB) {
  const load = () => {
    throw new Error('no wasm');
  };
  const { post } = await start({ load, indexedDB });
  let settle;
  const replied = new Promise((resolve) => (settle = resolve));
  await post({ type: 'call', call: { session: 'podcasts', id: 'one', ...call } }, [{ postMessage: (reply) => reply !== 'taken' && settle(reply) }]);
  return replied;
}

const code = async (...args) => (await ask(...args)).error?.code;
const within = { timeout: 5_000 };

test('what is there is read', within, async () => {
  const { answer } = await ask({ type: 'chunk', offset: 7 }, database(ROWS));
  assert.deepEqual([await answer.chunk.text(), answer.start, answer.body], ['second', 6, BODY]);
  const served = await ask({ type: 'serve' }, database(ROWS));
  assert.deepEqual([served.answer.status, served.answer.length], [200, LENGTH]);
  const end = await ask({ type: 'chunk', offset: LENGTH }, database(ROWS));
  assert.deepEqual([end.answer.start, end.answer.length], [LENGTH, 0]);
});

test('a file that was moved or released is refused', within, async () => {
  const gone = { ...ROWS, chunks: {} };
  assert.equal(await code({ type: 'chunk', offset: 0 }, database(gone)), 'component-failed');
  assert.equal(await code({ type: 'chunk', offset: 7, body: BODY }, database(gone)), 'component-failed');
  assert.equal(await code({ type: 'serve' }, database(gone)), 'component-failed');
});

test('whatever is missing, damaged or refused, the call is answered', within, async () => {
  for (const call of [{ type: 'chunk', offset: 0 }, { type: 'serve' }, { type: 'task' }]) {
    for (const table of ['tasks', 'progress']) {
      for (const row of [undefined, null, {}, { v: new ArrayBuffer(0) }, new ArrayBuffer(3)]) {
        assert.equal(await code(call, database({ ...ROWS, [table]: { [KEY]: row } })), 'component-failed', `${call.type} ${table}`);
      }
    }
    for (const fail of ['tasks', 'progress', 'chunks']) {
      const indexedDB = database(ROWS, (table) => {
        if (table === fail) throw new DOMException('no such table', 'NotFoundError');
      });
      if (call.type !== 'task' || fail !== 'chunks') assert.equal(await code(call, indexedDB), 'component-failed');
    }
  }
  for (const indexedDB of [undefined, { open() { throw new DOMException('denied', 'SecurityError'); } }]) {
    assert.equal(await code({ type: 'open', version: 1, limits: {} }, indexedDB), 'component-failed');
  }
});
