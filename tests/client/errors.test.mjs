// Every code that the protocol names, or the component can send, has a sentence that says what to do.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { root } from '../../tools/setup.mjs';
import { startWorld } from './support.mjs';

const read = (file) => fs.readFileSync(path.join(root, file), 'utf8');
const matches = (text, pattern) => [...text.matchAll(pattern)].map(([, code]) => code);

const union = matches(read('js/types.ts').match(/export type ErrorCode =([^;]+);/)[1], /'([a-z-]+)'/g);
const table = matches(read('js/errors.ts').match(/sentences[^{]+\{([^]+?)\n\};/)[1], /^ {2}'?([a-z-]+)'?: /gm);
const component = matches(read('src/engine/error.rs'), /^ {4}[A-Z]\w+ = "([a-z-]+)",$/gm);

test('the table of sentences names exactly the public codes, in order', () => {
  assert(union.length > 10);
  assert.deepEqual(table, union);
  assert.deepEqual(union, [...union].sort());
});

test('the component sends no code that is not public', () => {
  assert(component.length > 10);
  assert.deepEqual(component.filter((code) => !union.includes(code)), []);
});

test('each code makes an error with a whole sentence', (t) => {
  const { LonghaulError } = startWorld(t).newPage().client;
  for (const code of union) {
    const error = new LonghaulError({ code });
    assert.match(error.message, /^[A-Z].{10,}\.$/, code);
    assert.deepEqual([error.code, error.name, typeof error.retry], [code, 'LonghaulError', 'boolean']);
    assert.deepEqual([error.status, error.detail], [undefined, undefined]);
  }
});
