// A task's file in a page: what it is, its bytes in their several forms, and the URL that the worker answers.
import assert from 'node:assert/strict';
import { resolveObjectURL } from 'node:buffer';
import { rejectsWith, snapshot, startWorld, test } from './support.mjs';

const FILES = 'https://app.example/longhaul/file';
const NO_CONTROLLER = ['not-controlled', 'no-controller'];
const OCTETS = 'application/octet-stream';

async function openFile(t, { files = FILES } = {}) {
  const world = startWorld(t);
  const page = world.newPage();
  world.worker.answer('open', () => ({ version: 1, ...(files && { files }) }));
  const task = await (await page.open()).download('/f.bin', { id: 'a&b' });
  const tell = (fields) => {
    world.worker.post(page, { type: 'task', session: 'podcasts', task: snapshot({ id: 'a&b', ...fields }) });
    return world.worker.settled(page);
  };
  return { ...world, page, file: task.file(), tell };
}

/** Has the worker answer from these chunks. */
function store(worker, texts, contentType = 'text/plain') {
  const of = { body: 'v1', ...(contentType !== null && { contentType }) };
  worker.answer('chunk', ({ offset }) => {
    let start = 0;
    for (const text of texts) {
      const { length } = text;
      if (offset < start + length) return { chunk: new Blob([text]), start, length, ...of };
      start += length;
    }
    return { start, length: 0, ...of };
  });
}

const offsets = (worker) => worker.all('chunk').map(({ message }) => message.call.offset);
const textOf = (stream) => new Response(stream).text();
const codeOf = (make) => {
  try {
    return make();
  } catch ({ code, detail }) {
    return detail ? [code, detail] : code;
  }
};

test('its size, type and name are those of the task, as far as they are known', async (t) => {
  const { file, tell } = await openFile(t);
  assert.deepEqual([file.size, file.type, file.name], [undefined, '', undefined]);
  await tell({ completeLength: 7, contentType: 'audio/mpeg', fileName: 'a.mp3' });
  assert.deepEqual([file.size, file.type, file.name], [7, 'audio/mpeg', 'a.mp3']);
});

test('a finished file is read as a Blob, as a buffer, and as a stream of its stored chunks, Blobs or buffers', async (t) => {
  const { worker, page, file } = await openFile(t);
  const chunks = new Map([[0, new Blob(['abc'])], [3, new TextEncoder().encode('de').buffer]]);
  worker.answer('chunk', ({ offset }) => {
    const chunk = chunks.get(offset);
    return { body: 'b', start: offset, ...(chunk ? { chunk, length: chunk.size ?? chunk.byteLength } : { length: 0, contentType: 'text/plain' }) };
  });
  const stream = file.stream();
  await worker.settled(page);
  assert.equal(worker.all('chunk').length, 0, 'nothing is read before it is wanted');
  assert.equal(await textOf(stream), 'abcde');
  const blob = await file.blob();
  assert.deepEqual([await blob.text(), blob.type], ['abcde', 'text/plain']);
  assert.equal(new TextDecoder().decode(await file.arrayBuffer()), 'abcde');
  worker.answer('chunk', () => ({ code: 'not-finished' }));
  await rejectsWith(page, textOf(file.stream()), 'not-finished');
  await rejectsWith(page, file.arrayBuffer(), 'not-finished');
});

test('a stream asks for one chunk at a time, when it is wanted, and for none once it is cancelled', async (t) => {
  const { worker, page, file } = await openFile(t);
  store(worker, ['abc', 'de', 'f']);
  const reader = file.stream().getReader();
  for (const [text, asked] of [['abc', [0]], ['de', [0, 3]]]) {
    assert.equal(new TextDecoder().decode((await reader.read()).value), text);
    await worker.settled(page);
    assert.deepEqual(offsets(worker), asked);
  }
  await reader.cancel();
  await worker.settled(page);
  assert.deepEqual(offsets(worker), [0, 3]);
});

test('a part of it begins and ends anywhere, also across chunks and beyond the end', async (t) => {
  const { worker, page, file } = await openFile(t);
  const texts = ['abc', 'defg', 'h'];
  store(worker, texts);
  const whole = texts.join('');
  for (let start = 0; start <= whole.length + 1; start++) {
    for (let end = start; end <= whole.length + 1; end++) {
      assert.equal(await textOf(file.stream({ start, end })), whole.slice(start, end), `${start} to ${end}`);
    }
    assert.equal(await textOf(file.stream({ start })), whole.slice(start));
  }
  const before = offsets(worker).length;
  await textOf(file.stream({ start: 4, end: 6 }));
  await textOf(file.stream({ start: 4, end: 4 }));
  await worker.settled(page);
  assert.deepEqual(offsets(worker).slice(before), [4], 'what is not wanted is not read');
});

test('a part that is none is refused at the call, by the name of the field', async (t) => {
  const { worker, page, file } = await openFile(t);
  for (const start of [-1, 1.5, NaN, Infinity, '1']) assert.deepEqual(codeOf(() => file.stream({ start })), ['bad-argument', 'start']);
  for (const end of [2, -1, NaN]) assert.deepEqual(codeOf(() => file.stream({ start: 3, end })), ['bad-argument', 'end']);
  await worker.settled(page);
  assert.deepEqual(offsets(worker), []);
});

test('as a Blob it has no type that a browser would run or guess, unless that is asked for', async (t) => {
  const { worker, file } = await openFile(t);
  const typeOf = async (contentType, options) => {
    store(worker, ['a'], contentType);
    return (await file.blob(options)).type;
  };
  const plain = ['text/plain', 'text/javascript', 'audio/mpeg', 'application/pdf', 'image/png', 'text/plain; charset=utf-8', 'application/vnd.a-b+json;v=1', 'application/xml-dtd'];
  for (const type of plain) assert.equal(await typeOf(type), type);
  const pages = ['text/html', 'TEXT/HTML', 'text/html; charset=utf-8', 'text/html ;x', 'image/svg+xml', 'application/xhtml+xml', 'text/xml', 'application/xml', 'application/xml;a', 'text/xsl', 'application/rss+xml', 'model/x+xml', 'multipart/x-mixed-replace;boundary=a'];
  const guessed = [null, '', 'nonsense', '*/*', 'text/plain, text/html', 'text/plain;a, text/html', 'text/html,x', 'text/html x', '/', 'text/'];
  for (const type of [...pages, ...guessed]) assert.equal(await typeOf(type), OCTETS, type);
  assert.equal(await typeOf('text/html', { type: 'text/html' }), 'text/html');
  assert.equal(await typeOf('text/plain', { type: 'image/png' }), 'image/png');
});

test('bytes of two versions are never mixed: a stream ends with an error, and a Blob is made anew', async (t) => {
  const { worker, page, file } = await openFile(t);
  // Each of the two has two chunks. Behind the first chunk of the first, the second takes its place.
  let version = 1;
  worker.answer('chunk', ({ offset, body }) => {
    if (body !== undefined && body !== `v${version}`) return { code: 'file-changed' };
    const answer = { body: `v${version}`, start: offset, ...(offset < 2 ? { chunk: new Blob([`${version}`]), length: 1 } : { length: 0 }) };
    version = 2;
    return answer;
  });
  assert.equal(await (await file.blob()).text(), '22');
  version = 1;
  await rejectsWith(page, textOf(file.stream()), 'file-changed');
});

test('a stored chunk that cannot be read is left to the worker, which has it fetched anew if it cannot either', async (t) => {
  const { worker, page, file } = await openFile(t);
  const chunk = (chunk) => worker.answer('chunk', ({ offset }) => ({ body: 'v1', start: offset, ...(offset === 0 ? { chunk, length: 3 } : { length: 0 }) }));
  worker.answer('check', ({ offset }) => ({ body: 'v1', start: offset, chunk: new TextEncoder().encode('abc').buffer, length: 3 }));
  chunk(new Blob([]));
  assert.equal(await (await file.blob()).text(), 'abc');
  chunk(new Blob(['abc']));
  const { mock } = t.mock.method(Blob.prototype, 'arrayBuffer', () => Promise.reject(new DOMException('gone', 'NotReadableError')));
  const blob = await file.blob();
  mock.restore();
  assert.deepEqual([await blob.text(), worker.all('check').length], ['abc', 2]);
  worker.answer('check', () => ({ code: 'file-damaged' }));
  chunk(new Blob([]));
  await rejectsWith(page, file.blob(), 'file-damaged');
  await rejectsWith(page, textOf(file.stream()), 'file-damaged');
  // Where the worker itself finds none, it is asked to see to it all the same.
  worker.answer('chunk', () => ({ code: 'file-damaged' }));
  await rejectsWith(page, file.blob(), 'file-damaged');
  assert.equal(worker.all('check').length, 5);
});

test('its URL is there while the page\'s requests go through this worker, and only then', async (t) => {
  const { page, file } = await openFile(t);
  assert.deepEqual(codeOf(() => file.url), NO_CONTROLLER);
  page.control({ scriptURL: 'https://app.example/other.js' });
  assert.deepEqual(codeOf(() => file.url), NO_CONTROLLER);
  page.control();
  assert.equal(file.url, `${FILES}?session=podcasts&id=a%26b`);
  page.registration.active = null;
  page.control(null);
  assert.deepEqual(codeOf(() => file.url), NO_CONTROLLER, 'neither is there');
});

test('a worker that answers no URLs tells of none', async (t) => {
  const { page, file } = await openFile(t, { files: null });
  page.control();
  assert.deepEqual(codeOf(() => file.url), ['not-controlled', 'files: false']);
  assert.equal((await rejectsWith(page, file.servedUrl({ otherwise: 'wait' }), 'not-controlled')).detail, 'files: false');
});

test('servedUrl is sure that the worker answers: another listener or nobody in its place is found out', async (t) => {
  const { page, file } = await openFile(t);
  const asked = [];
  const answer = (response) => (page.fetch = async (url) => (asked.push(url), response()));
  await rejectsWith(page, file.servedUrl(), 'not-controlled');
  assert.deepEqual(asked, []);
  page.control();
  answer(() => new Response('a page of the app'));
  assert.equal((await rejectsWith(page, file.servedUrl(), 'not-controlled')).detail, 'another-listener');
  answer(() => Promise.reject(new TypeError('offline')));
  await rejectsWith(page, file.servedUrl({ otherwise: 'error' }), 'not-controlled');
  answer(() => new Response(null, { status: 204, headers: { 'Longhaul-Files': '1' } }));
  assert.equal(await file.servedUrl(), file.url);
  assert.deepEqual(asked, [FILES, FILES, FILES]);
});

test('servedUrl waits until the worker answers, however often others come before', async (t) => {
  const { worker, page, file } = await openFile(t);
  page.fetch = async () => new Response(null, { headers: { 'Longhaul-Files': '1' } });
  let url;
  const waiting = file.servedUrl({ otherwise: 'wait' }).then((served) => (url = served));
  await worker.settled(page);
  page.control({ scriptURL: 'https://app.example/other.js' });
  await worker.settled(page);
  assert.equal(url, undefined);
  page.control();
  await waiting;
  assert.equal(url, file.url);
});

test('servedUrl gives a Blob URL of the finished file instead, if that is wanted', async (t) => {
  const { worker, page, file } = await openFile(t);
  store(worker, ['abc', 'd'], 'text/html');
  const url = await file.servedUrl({ otherwise: 'blob' });
  t.after(() => URL.revokeObjectURL(url));
  const blob = resolveObjectURL(url);
  assert.deepEqual([await blob.text(), blob.type], ['abcd', OCTETS]);
  worker.answer('chunk', () => ({ code: 'not-finished' }));
  await rejectsWith(page, file.servedUrl({ otherwise: 'blob' }), 'not-finished');
});
