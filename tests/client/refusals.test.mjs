// What the worker says of a call that the component cannot take, or refuses; and of a component that cannot be had.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from './fakes/component.mjs';

const SPEC = { id: 'one', sources: [{ url: 'https://app.example/f' }] };
const download = (fields) => ({ type: 'download', session: 'podcasts', token: 't', secrets: [], ifExists: 'keep', spec: { ...SPEC, ...fields } });

/** A port that keeps the answers. */
class Port {
  replies = [];
  postMessage(message) {
    if (message !== 'taken') this.replies.push(message);
  }
}

/** The worker's answer to a call that the component refuses with this field or text. */
async function refused(call, detail) {
  const { post, of, host } = await start();
  const port = new Port();
  await post({ type: 'call', call }, [port]);
  const [[number]] = of('call');
  host().reply(number, false, { code: 'bad-argument', message: 'A value cannot be used.', retry: false, detail });
  const [{ ok, error }] = port.replies;
  assert.deepEqual([ok, error.code, error.retry], [false, 'bad-argument', false]);
  return error;
}

for (const [fields, detail, message, field = detail] of [
  [{ policy: { maxSegments: 0 } }, 'maxSegments', 'maxSegments: 0 cannot be used. It is a whole number from 1 to 16.'],
  [{ policy: { stallTimeoutMs: 5 } }, 'stallTimeoutMs', 'stallTimeout: 5 cannot be used. It is a whole number from 1000.', 'stallTimeout'],
  [{ policy: { beginAt: 1e300 } }, 'beginAt', 'earliestBegin: 1e+300 cannot be used.', 'earliestBegin'],
  [{ tag: 'x'.repeat(2_000) }, 'tag', `tag: "${'x'.repeat(59)}… cannot be used. It is a text of 1 to 1024 bytes.`],
  [{ id: 5 }, 'id', 'id: 5 cannot be used. It is a text of 1 to 1024 bytes.'],
  [{ keepHeaders: 'ETag' }, 'keepHeaders', 'keepHeaders: "ETag" cannot be used. It is a list of names.'],
  [{ accept: ['audio'] }, 'accept', 'accept: ["audio"] cannot be used. It is a list of media types like audio/*.'],
  [{ exactBytes: -1 }, 'exactBytes', 'exactBytes: -1 cannot be used. It is a whole number.'],
  [{ referrerPolicy: 'none' }, 'referrerPolicy', 'referrerPolicy: "none" cannot be used.'],
  [{}, 'mirrors', 'mirrors: It is not a list of up to 15.'],
  [{}, undefined, 'A value cannot be used.'],
]) {
  test(`a refusal of ${detail} says ${message}`, async () => {
    const error = await refused(download(fields), detail);
    assert.deepEqual([error.message, error.detail], [message, field]);
  });
}

test('the value that is told is the one of another type, in whichever member of a batch', async () => {
  const members = [SPEC, { ...SPEC, tag: 'a' }, { ...SPEC, tag: 7 }];
  const error = await refused({ type: 'download-all', session: 'podcasts', token: 't', group: 'map', failsTogether: false, members, last: true }, 'tag');
  assert.equal(error.message, 'tag: 7 cannot be used. It is a text of 1 to 1024 bytes.');
});

for (const [fields, field] of [[{ id: '\ud800' }, 'id'], [{ metadata: '"\udc00"' }, 'metadata'], [{ sources: [{ url: 'https://app.example/\ud800' }] }, 'url'], [{ keepHeaders: ['a', '\ud800'] }, 'keepHeaders']]) {
  test(`half a character in ${field} reaches no component`, async () => {
    const { post, of } = await start();
    const port = new Port();
    await post({ type: 'call', call: download(fields) }, [port]);
    assert.deepEqual(of('call'), []);
    assert.deepEqual([port.replies.length, port.replies[0].error.code, port.replies[0].error.detail], [1, 'bad-argument', field]);
    assert.match(port.replies[0].error.message, /\\ud800|\\udc00/);
  });
}

test('whole characters of two halves, bytes, and what goes round in a circle are passed on', async () => {
  const { post, of } = await start();
  const call = { ...download({ id: '😀', pieceDigests: new Uint8Array(1 << 20) }) };
  call.self = call;
  await post({ type: 'call', call }, [new Port()]);
  assert.equal(of('call').length, 1);
});

/** Why the component could not be started, with this at its URL. */
async function startFailure(options) {
  const port = new Port();
  const { post } = await start({ load: () => Promise.reject(new Error('damaged')), ...options });
  await post({ type: 'call', call: { type: 'history', session: 'podcasts', limit: 1 } }, [port]);
  while (port.replies.length === 0) await new Promise(setImmediate);
  return port.replies[0].error;
}

for (const [what, response, cause, retry] of [
  ['nothing', () => new Response('', { status: 404, headers: { 'Content-Type': 'text/plain' } }), 'HTTP 404, text/plain', false],
  ['a page', () => new Response('<html>', { headers: { 'Content-Type': 'text/html' } }), 'HTTP 200, text/html', false],
  ['a server in trouble', () => new Response('', { status: 502, headers: { 'Content-Type': 'text/plain' } }), 'HTTP 502, text/plain', true],
]) {
  test(`a wasm in whose place there is ${what}`, async () => {
    // Integrity makes all of it fail alike.
    const fetch = async (_, { integrity }) => {
      if (integrity) throw new TypeError('Failed to fetch');
      return response();
    };
    const error = await startFailure({ fetch });
    const message = `https://app.example/longhaul.wasm (${cause}) is not this version's longhaul.wasm. Copy it there from the package, or change wasm in attach().`;
    assert.deepEqual(error, { code: 'component-failed', message, retry });
  });
}

test('a wasm that cannot be fetched at all may be later', async () => {
  const { message, retry } = await startFailure({});
  assert.deepEqual([retry, message.startsWith('https://app.example/longhaul.wasm could not be fetched. ')], [true, true]);
});

test('a policy that forbids WebAssembly is named, in the words of each browser', async () => {
  const fetch = async () => new Response('wasm');
  for (const said of [
    "CompileError: WebAssembly.instantiateStreaming(): violates the following Content Security policy directive because neither 'wasm-eval' nor 'unsafe-eval' is allowed",
    'CompileError: call to WebAssembly.instantiateStreaming() blocked by CSP',
    "CompileError: Refused to create a WebAssembly object because 'unsafe-eval' or 'wasm-unsafe-eval' is not an allowed source of script",
  ]) {
    const { code, message, retry } = await startFailure({ fetch, load: () => Promise.reject(new Error(said)) });
    assert.deepEqual([code, retry], ['component-failed', false]);
    assert.match(message, /Add 'wasm-unsafe-eval' to script-src\./);
  }
});
