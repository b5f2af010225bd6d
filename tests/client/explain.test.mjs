// The words that the worker has for a task that waits: every reason, and everything that is concluded of a server.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { root } from '../../tools/setup.mjs';
import { start } from './fakes/component.mjs';

/** The words in which the engine tells one of these. */
function wordsOf(file, type) {
  const source = fs.readFileSync(path.join(root, 'src/engine', file), 'utf8');
  const body = source.slice(source.indexOf(`impl ${type} {`));
  const words = [...body.slice(0, body.indexOf('\n}\n')).matchAll(/Self::\w+ => "([a-z-]+)"/g)].map(([, word]) => word);
  assert(words.length >= 10, `${type}: ${words}`);
  return words;
}

/** What the worker adds to the component's answer about this task. */
async function explained(task) {
  const { post, of, host } = await start();
  const replies = [];
  const port = { postMessage: (message) => message !== 'taken' && replies.push(message) };
  await post({ type: 'call', call: { type: 'task', session: 'podcasts', id: 'one' } }, [port]);
  const [[number]] = of('call');
  host().reply(number, true, { task });
  const [{ ok, answer }] = replies;
  assert.deepEqual([ok, answer.task], [true, task]);
  return answer.explanation;
}

test('each reason to wait has a sentence', async () => {
  for (const reason of wordsOf('task.rs', 'WaitReason')) {
    const { sentence, ...rest } = await explained({ state: 'waiting', reason, waitingSince: 5, waitUntil: 9 });
    assert.deepEqual(rest, { reason, since: 5, until: 9 });
    assert.match(sentence, /^[A-Z].{10,}\.$/, reason);
  }
});

test('a time that is not known is not given, and what runs is not explained', async () => {
  assert.equal('until' in (await explained({ state: 'pending', reason: 'host-busy', waitingSince: 5 })), false);
  assert.equal(await explained({ state: 'running' }), undefined);
});

test('what went wrong last is told', async () => {
  const lastError = { code: 'http-status', message: 'The server did not send the file. (HTTP 500)', retry: true, status: 500, at: 4 };
  const found = await explained({ state: 'waiting', reason: 'retry', waitingSince: 5, lastError });
  assert.deepEqual(found.lastError, lastError);
  assert.match(found.sentence, /^An attempt failed.* Last error: The server did not send the file\. \(HTTP 500\)$/);
});

test('what was found of the server is told in words', async () => {
  for (const resumabilityReason of wordsOf('http/representation.rs', 'VerdictReason')) {
    const { server } = await explained({ state: 'waiting', reason: 'retry', waitingSince: 5, resumabilityReason });
    assert.match(server, /^[A-Z].{10,}\.$/, resumabilityReason);
  }
});
