// What the worker answers to requests for a file's URL: which status, fields and bytes, and that no file acts as the app.
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import path from 'node:path';
import { build } from 'esbuild';
import { root } from '../../tools/setup.mjs';
import { request, start } from './fakes/component.mjs';
import { deferred, test } from './support.mjs';

const names = ['serve', 'errors', 'file-url', 'own-line'];
const contents = names.map((name) => `export * from './${name}.js';`).join('');
const { outputFiles } = await build({ stdin: { contents, resolveDir: path.join(root, 'js'), loader: 'ts' }, bundle: true, write: false, format: 'esm' });
const { FileServer, fileUrl, LonghaulError, OwnLine, readFileUrl } = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);

const SCOPE = 'https://app.example/';
const server = new FileServer(SCOPE, 'longhaul/file', false);
const URL_OF_A = fileUrl(server.files, 'podcasts', 'a');
const turn = () => new Promise(setImmediate);
const DATE = 'Mon, 07 Nov 1994 08:49:37 GMT';

/** The usual answer of the component, for a file of ten bytes. */
const service = (fields) => ({ status: 200, parts: [[0, 10]], length: 10, body: 'b0d1', etag: '"7"', ...fields });

/** A line to a component that has this file in two chunks, and writes down what it is asked. */
function lineTo(answer, chunks = ['0123', '456789']) {
  const asked = [];
  const call = async (what, signal) => {
    asked.push({ ...what, signal });
    if (what.type === 'serve') {
      if (answer instanceof Error) throw answer;
      return answer;
    }
    let start = 0;
    for (const chunk of chunks) {
      const text = await chunk;
      if (what.offset < start + text.length) return { chunk: new Blob([text]), start, length: text.length, body: 'b0d1' };
      start += text.length;
    }
    return { start, length: 0, body: 'b0d1' };
  };
  return { call, asked, chunks: () => asked.filter(({ type }) => type === 'chunk') };
}

// A server keeps the last chunk for the next request; here each has its own.
const ask = (line, options, url = URL_OF_A) => new FileServer(SCOPE, 'longhaul/file', false).answer(request(url, options), line);
const fields = ({ headers }) => Object.fromEntries([...headers].filter(([name]) => !Object.hasOwn(SAFE, name)));
const SAFE = {
  'content-security-policy': "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
};

test('a URL names its task whatever it is called; all else is not ours', async () => {
  for (const id of ['a', 'a&b=c', '100 %', 'ä/ö?#', '+', '']) {
    const url = fileUrl(server.files, 'my podcasts', id);
    assert.deepEqual(readFileUrl(server.files, url), { session: 'my podcasts', id, saveAs: undefined });
    assert.equal(readFileUrl(server.files, `${url}&download#t=10`).saveAs, '');
    assert.equal(readFileUrl(server.files, `${url}&download=a+b.mp3`).saveAs, 'a b.mp3');
  }
  const others = ['/', '/longhaul/file/?session=s&id=a', '/longhaul/file?session=s', '/longhaul/file?id=a', '/app/longhaul/file?session=s&id=a', 'https://other.example/longhaul/file?session=s&id=a'];
  for (const url of others) assert.equal(server.answer(request(url), lineTo(service())), undefined, url);
  assert.equal(new FileServer('https://app.example/app/', 'files', false).files, 'https://app.example/app/files');
  assert.throws(() => new FileServer(SCOPE, '', false), { code: 'bad-argument' });
  assert.equal(new FileServer(SCOPE, false, false).answer(request(URL_OF_A), lineTo(service())), undefined);
});

test('at the path itself it says that it is longhaul who answers', async () => {
  const line = lineTo(service());
  const answer = await ask(line, {}, server.files);
  assert.deepEqual([answer.status, answer.headers.get('Longhaul-Files'), line.asked], [204, '1', []]);
});

test('the whole file', async () => {
  const line = lineTo(service({ contentType: 'audio/mpeg', lastModified: DATE, fileName: 'a.mp3' }));
  const answer = await ask(line);
  assert.equal(answer.status, 200);
  assert.deepEqual(fields(answer), { 'accept-ranges': 'bytes', 'content-length': '10', 'content-type': 'audio/mpeg', etag: '"7"', 'last-modified': DATE });
  assert.equal(line.chunks().length, 0, 'nothing is read before it is wanted');
  assert.equal(await answer.text(), '0123456789');
  const of = { type: 'chunk', session: 'podcasts', id: 'a', body: 'b0d1', waits: true };
  assert.deepEqual(line.chunks().map(({ signal, ...call }) => call), [{ ...of, offset: 0 }, { ...of, offset: 4 }]);
});

test('one range, and none', async () => {
  const line = lineTo(service({ status: 206, parts: [[3, 6]] }));
  const answer = await ask(line, { headers: { Range: 'bytes=3-5', 'If-Range': '"7"' } });
  assert.equal(answer.status, 206);
  assert.deepEqual(fields(answer), { 'accept-ranges': 'bytes', 'content-length': '3', 'content-range': 'bytes 3-5/10', etag: '"7"' });
  assert.equal(await answer.text(), '345');
  const { signal, ...asked } = line.asked[0];
  assert.deepEqual(asked, { type: 'serve', session: 'podcasts', id: 'a', range: 'bytes=3-5', ifRange: '"7"' });

  const none = await ask(lineTo(service({ status: 416, parts: [] })), { headers: { Range: 'bytes=10-' } });
  assert.deepEqual([none.status, fields(none)['content-range'], fields(none)['content-length'], await none.text()], [416, 'bytes */10', '0', '']);
});

test('several ranges are as long as they say, and a chunk is read once for all that follow in it', async () => {
  const parts = [[0, 2], [2, 3], [5, 7], [1, 2]];
  for (const contentType of [undefined, 'text/plain', 'text/plain; x="\xfc"']) {
    const line = lineTo(service({ status: 206, parts: structuredClone(parts), contentType }));
    const answer = await ask(line);
    const { 'content-type': type, 'content-length': length, 'content-range': range } = fields(answer);
    const bytes = Buffer.from(await answer.arrayBuffer());
    assert.deepEqual([answer.status, type, Number(length), range], [206, 'multipart/byteranges; boundary=b0d1', bytes.length, undefined]);
    const typed = contentType ? `Content-Type: ${contentType}\r\n` : '';
    const part = ([from, to]) => `\r\n--b0d1\r\n${typed}Content-Range: bytes ${from}-${to - 1}/10\r\n\r\n${'0123456789'.slice(from, to)}`;
    assert.equal(bytes.toString(), `${parts.map(part).join('')}\r\n--b0d1--\r\n`);
    assert.deepEqual(line.chunks().map(({ offset }) => offset), [0, 5, 1], 'one chunk is kept, and no more');
  }
});

test('HEAD tells the fields, and reads nothing', async () => {
  const line = lineTo(service({ contentType: 'audio/mpeg' }));
  const answer = await ask(line, { method: 'HEAD' });
  assert.deepEqual([answer.status, answer.body, fields(answer)['content-length'], fields(answer)['content-type']], [200, null, '10', 'audio/mpeg']);
  assert.equal(line.chunks().length, 0);
});

test('a file of no bytes is a file', async () => {
  const answer = await ask(lineTo(service({ parts: [[0, 0]], length: 0 }), []));
  assert.deepEqual([answer.status, fields(answer)['content-length'], await answer.text()], [200, '0', '']);
});

test('a file is put only where it can do no harm, and saved with &download from where it would be shown', async () => {
  const harmless = ['', 'audio', 'font', 'image', 'track', 'video'];
  const shown = ['document', 'frame', 'iframe'];
  const harmful = ['audioworklet', 'embed', 'json', 'manifest', 'object', 'paintworklet', 'report', 'script', 'serviceworker', 'sharedworker', 'style', 'worker', 'xslt', 'of tomorrow'];
  const statuses = async (destination) => {
    const line = lineTo(service());
    const found = [URL_OF_A, `${URL_OF_A}&download`].map(async (url) => (await ask(line, { destination }, url)).status);
    return [...(await Promise.all(found)), line.asked.length].join();
  };
  for (const destination of harmless) assert.equal(await statuses(destination), '200,200,2', destination);
  for (const destination of shown) assert.equal(await statuses(destination), '403,200,1', destination);
  for (const destination of harmful) assert.equal(await statuses(destination), '403,403,0', destination);
});

test('with &download it is an attachment, under the name that its server suggests', async () => {
  const saved = async (fileName, url = `${URL_OF_A}&download`) => (await ask(lineTo(service({ fileName })), {}, url)).headers.get('content-disposition');
  assert.equal(await saved('a.mp3', URL_OF_A), null);
  assert.equal(await saved(undefined), 'attachment');
  assert.equal(await saved('a b.mp3'), "attachment; filename*=UTF-8''a%20b.mp3");
  assert.equal(await saved(`Über "it's" (1)*.mp3`), "attachment; filename*=UTF-8''%C3%9Cber%20%22it%27s%22%20%281%29%2A.mp3");
  assert.equal(await saved('€;🎵%'), "attachment; filename*=UTF-8''%E2%82%AC%3B%F0%9F%8E%B5%25");
});

test('only GET and HEAD are answered, and failures with a status of their own', async () => {
  const line = lineTo(service());
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const answer = await ask(line, { method });
    assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'GET, HEAD']);
  }
  assert.deepEqual(line.asked, []);
  const statuses = { 'task-not-found': 404, 'session-not-open': 404, 'not-finished': 409, storage: 503, 'component-failed': 503, 'http-status': 503 };
  for (const [code, status] of Object.entries(statuses)) {
    const answer = await ask(lineTo(new LonghaulError({ code })));
    assert.deepEqual([answer.status, answer.headers.get('content-type')], [status, 'text/plain; charset=utf-8'], code);
    assert.equal(await answer.text(), String(new LonghaulError({ code })));
  }
  assert.equal((await ask(lineTo(new TypeError('x')))).status, 503);
});

test('every answer, a refusal too, says that it is no page of the app', async () => {
  const failed = lineTo(new LonghaulError({ code: 'storage' }));
  const none = lineTo(service({ status: 416, parts: [] }));
  const many = lineTo(service({ status: 206, parts: [[0, 1], [2, 3]], contentType: 'text/html' }));
  const usual = lineTo(service({ contentType: 'text/html' }));
  const asked = [ask(usual), ask(usual, { method: 'HEAD' }), ask(usual, {}, `${URL_OF_A}&download`), ask(many), ask(none), ask(failed), ask(usual, { method: 'POST' }), ask(usual, { destination: 'document' })];
  const answers = await Promise.all(asked);
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 206, 416, 503, 405, 403]);
  for (const { headers } of answers) for (const [name, value] of Object.entries(SAFE)) assert.equal(headers.get(name), value);
});

test('what cannot be read on is an error of the stream, never its end', async () => {
  const chunks = { 'a chunk that fails': ['0123', Promise.reject(new LonghaulError({ code: 'file-changed' }))], 'a file that is shorter': ['0123'] };
  for (const [what, stored] of Object.entries(chunks)) {
    stored.at(-1).catch?.(() => {});
    const reader = (await ask(lineTo(service(), stored))).body.getReader();
    assert.equal((await reader.read()).value.length, 4);
    await assert.rejects(reader.read(), ({ code }) => ['file-changed', 'storage'].includes(code), what);
  }
});

test('a reader that leaves is waited for no more, and one that left before asks nothing', async () => {
  const line = lineTo(service(), ['0123', deferred().promise]);
  const reader = (await ask(line)).body.getReader();
  await reader.read();
  void reader.read();
  await turn();
  const { signal } = line.asked.at(-1);
  assert.equal(signal.aborted, false);
  await reader.cancel();
  assert.deepEqual([signal.aborted, line.chunks().length], [true, 2]);
  const { signal: own } = new AbortController();
  await ask(line, { signal: own });
  assert.equal(line.asked.at(-1).signal, own, 'also who waits for the answer itself');
});

test('the worker\'s own line forgets a call whose signal is aborted, once, and only before its answer', async () => {
  const forgotten = [];
  const replies = [];
  const line = new OwnLine({ ask: (call, reply) => replies.push(reply), forget: (asked) => forgotten.push(asked) }, undefined);
  const call = (signal) => line.call({ type: 'chunk', session: 's', id: 'a', offset: 0, waits: true }, signal);
  const [first, second] = [new AbortController(), new AbortController()];
  const aborted = call(first.signal);
  const answered = call(second.signal);
  first.abort();
  await assert.rejects(aborted, { code: 'aborted' });
  replies[1]({ ok: true, answer: 'bytes' });
  assert.equal(await answered, 'bytes');
  second.abort();
  await assert.rejects(call(first.signal), { code: 'aborted' });
  assert.deepEqual([forgotten, replies.length], [[1], 2]);
});

test('in the worker: the event is answered and held, and the component told of a reader who left', async () => {
  const worker = await start({ wakeOnFetch: false });
  const fetch = await worker.dispatch('fetch', { request: request(URL_OF_A) });
  assert.equal((await worker.dispatch('fetch', { request: request('/other') })).answer, undefined);
  assert.equal(worker.of('wake').length, 1, 'a request for something else is none of its business');
  worker.answer('serve', service());
  const reader = (await fetch.answer).body.getReader();
  const read = reader.read();
  await turn();
  const [number, call] = worker.of('call').at(-1);
  assert.deepEqual([call.type, call.waits, worker.of('forget')], ['chunk', true, []]);
  await reader.cancel();
  await read;
  await turn();
  assert.deepEqual(worker.of('forget'), [[number]]);
});

test('a request for the URL that a file came from is answered with it, if it is kept for that', async () => {
  const server = new FileServer(SCOPE, 'longhaul/file', false);
  const lineThatFinds = (found, answer = service()) => {
    const line = lineTo(answer);
    return { ...line, call: async (what, signal) => (what.type === 'find' ? (line.asked.push(what), found) : line.call(what, signal)) };
  };
  const line = lineThatFinds({ session: 's', id: 'a' });
  const respond = (options, to = line) => server.respond(request('/podcasts/a.mp3#t=3', options), to);
  assert.equal(await (await respond()).text(), '0123456789');
  assert.deepEqual(line.asked.slice(0, 2).map(({ type, url, id }) => [type, url ?? id]), [['find', `${SCOPE}podcasts/a.mp3`], ['serve', 'a']]);
  await server.respond(request('/podcasts/a.mp3'), line, 'user-42');
  assert.deepEqual(line.asked.filter(({ type }) => type === 'find').map(({ session }) => session), [undefined, 'user-42']);
  assert.equal(await respond({ method: 'POST' }), undefined);
  for (const destination of ['document', 'script', 'style', 'worker', 'iframe']) assert.equal(await respond({ destination }), undefined, destination);
  assert.equal(await respond({}, lineThatFinds({})), undefined, 'none is kept');
  assert.equal(await respond({}, lineThatFinds({ session: 's', id: 'a' }, new LonghaulError({ code: 'file-released' }))), undefined, 'it has left meanwhile');
  assert.equal((await respond({}, lineThatFinds({ session: 's', id: 'a' }, service({ status: 416, parts: [] })))).status, 416);
  assert.equal((await server.respond(request(URL_OF_A), lineTo(service()))).status, 200, 'and so is the URL of a file itself');
});

test('in the worker: another listener that was first is told of', async (t) => {
  const said = t.mock.method(console, 'error', () => {});
  const worker = await start({ wakeOnFetch: false, files: 'media' });
  await worker.dispatch('fetch', { request: request('/media?session=s&id=a'), answer: 'of another' });
  assert.match(said.mock.calls[0].arguments[0], /^longhaul: another fetch listener answers https:\/\/app\.example\/media\?session=s&id=a\. Call attach\(\) before/);
});

test('in the worker: who opens a session is told where files are, unless they are nowhere', async () => {
  for (const [options, found] of [[{}, { files: `${SCOPE}longhaul/file` }], [{ files: 'media' }, { files: `${SCOPE}media` }], [{ files: false }, {}]]) {
    const worker = await start({ wakeOnFetch: false, ...options });
    const told = [];
    await worker.post({ type: 'call', call: { type: 'open', session: 's', version: 1, limits: {} } }, [{ postMessage: (reply) => told.push(reply) }]);
    worker.answer('open', { version: 1 });
    assert.deepEqual(told, ['taken', { ok: true, answer: { version: 1, ...found } }]);
    const fetch = await worker.dispatch('fetch', { request: request(`${found.files ?? server.files}?session=s&id=a`) });
    const isServed = options.files !== false;
    assert.deepEqual([fetch.answer !== undefined, getEventListeners(worker.scope, 'fetch').length], [isServed, Number(isServed)]);
  }
});

/** The same in a browser where the end of the worker is the end of its streams. */
const askFirefox = (line, options) => new FileServer(SCOPE, 'longhaul/file', true).answer(request(URL_OF_A, options), line);

test('where a stream ends with its worker, a finished file is answered with a Blob of its chunks', async () => {
  const parts = [[[0, 10]], [[2, 7]], [[4, 6]]];
  for (const part of parts) {
    const line = lineTo(service({ status: 206, parts: part }));
    const answer = await askFirefox(line, { headers: { Range: 'bytes=0-9' } });
    assert.ok(line.chunks().every(({ waits, body }) => !waits && body === 'b0d1'), 'nothing is waited for, and one version is asked for');
    const found = line.chunks().length;
    assert.equal(await answer.text(), '0123456789'.slice(...part[0]));
    assert.equal(line.chunks().length, found, 'and nothing is asked for any more');
  }
  const several = await askFirefox(lineTo(service({ status: 206, parts: [[0, 2], [3, 6]] })), { headers: { Range: 'bytes=0-1,3-5' } });
  const text = await several.text();
  assert.match(text, /bytes 0-1\/10\r\n\r\n01\r\n--b0d1[^]*bytes 3-5\/10\r\n\r\n345\r\n--b0d1--/);
  assert.equal(several.headers.get('content-length'), String(text.length));
});

test('one that is on its way, or whose chunks are no Blobs, is streamed there, too', async () => {
  for (const before of [() => Promise.reject(new LonghaulError({ code: 'not-finished' })), async (found) => ({ ...found, chunk: await found.chunk.arrayBuffer() })]) {
    const line = lineTo(service());
    const { call } = line;
    const other = async (what, signal) => {
      const found = await call(what, signal);
      return what.type === 'chunk' && !what.waits ? before(found) : found;
    };
    assert.equal(await (await askFirefox({ call: other }, {})).text(), '0123456789');
  }
  const changed = async (what) => (what.type === 'serve' ? service() : Promise.reject(new LonghaulError({ code: 'file-changed' })));
  assert.equal((await askFirefox({ call: changed }, {})).status, 503);
});

test('an open-ended range is answered there as far as can be looked up at once', async () => {
  const MIB = 1 << 20;
  const chunk = new Blob([new Uint8Array(32 * MIB)]);
  const length = 320 * MIB;
  const asked = [];
  const call = async (what) => {
    if (what.type === 'serve') return service({ status: 206, parts: [[10, length]], length });
    asked.push(what.offset);
    return { chunk, start: what.offset - (what.offset % chunk.size), length: chunk.size, body: 'b0d1' };
  };
  for (const [range, end] of [['bytes=10-', 10 + 64 * MIB], [`bytes=10-${length - 1}`, length]]) {
    asked.length = 0;
    const answer = await askFirefox({ call }, { headers: { Range: range } });
    assert.deepEqual([answer.headers.get('content-range'), answer.headers.get('content-length')], [`bytes 10-${end - 1}/${length}`, String(end - 10)]);
    assert.equal(asked.length, Math.ceil(end / chunk.size));
  }
});
