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
/** The sentences of a file: a list of codes and texts. */
const sentencesOf = (file) => [...read(file).matchAll(/^ {2}'?([a-z-]+)'?: '(.+)',$/gm)].map(([, code, text]) => [code, text.replaceAll('\\', '')]);
const [own, others] = [sentencesOf('js/errors.ts'), sentencesOf('js/error-data.ts')];
const component = matches(read('src/engine/error.rs'), /^ {4}[A-Z]\w+ = "([a-z-]+)",$/gm);

test('the tables of sentences name exactly the public codes, in order', () => {
  assert(own.length > 10 && others.length > own.length);
  assert.deepEqual([...own, ...others].map(([code]) => code).sort(), union);
  for (const codes of [own, others, union.map((code) => [code])]) assert.deepEqual(codes, codes.toSorted(([one], [other]) => (one < other ? -1 : 1)));
});

test('the component sends no code that is not public', () => {
  assert(component.length > 10);
  assert.deepEqual(component.filter((code) => !union.includes(code)), []);
});

test('each sentence is a whole one', () => {
  for (const [code, sentence] of [...own, ...others]) assert.match(sentence, /^[A-Z].{10,}\.$/, code);
});

test('an error that TypeScript raises has its sentence, and one of the component brings it along', (t) => {
  const { LonghaulError } = startWorld(t).newPage().client;
  for (const [code, sentence] of own) {
    const error = new LonghaulError({ code });
    assert.deepEqual([error.code, error.name, error.message, typeof error.retry], [code, 'LonghaulError', sentence, 'boolean']);
    assert.deepEqual([error.status, error.detail], [undefined, undefined]);
  }
  assert.equal(new LonghaulError({ code: 'save-failed', detail: 'full' }).message, `${own.find(([code]) => code === 'save-failed')[1]} (full)`);
  const data = { code: 'http-status', message: 'What it is. (HTTP 404: gone)', retry: true, status: 404, detail: 'gone' };
  const { code, message, retry, status, detail } = new LonghaulError(data);
  assert.deepEqual({ code, message, retry, status, detail }, data);
});
