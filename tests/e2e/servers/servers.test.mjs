// Servers, and what stands before them, that do odd things to a request with `Range`: what browsers make of their answers
// cannot be told without browsers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import zlib from 'node:zlib';
import { bytes as contentBytes } from '../../origin/content.mjs';
import { part, sha256, startOddServer } from '../../origin/odd-server.mjs';
import { download, MIB, openPage, outcome, startWorld, staticDirs, untilTask } from '../support.mjs';

const bytesOf = (seed, length) => Buffer.from(contentBytes(seed, 0, length));

/** A server of another origin whose answers are up to `answer(request, range, number)`. */
async function startServer(t, answer, options) {
  const server = await startOddServer(answer, options);
  t.after(() => server.close());
  return server;
}

test('an object that is stored coded comes decoded, whatever the browser makes of a range of it', async (t) => {
  const { open } = await startWorld(t.after.bind(t));
  const text = Buffer.from(Array.from({ length: 200_000 }, (_, line) => `line ${line % 977}\n`).join(''));
  const coded = zlib.gzipSync(text);
  const server = await startServer(t, (_, range) => part(coded, range, { 'Content-Encoding': 'gzip', 'Content-Type': 'text/plain', 'Last-Modified': 'Mon, 07 Nov 1994 08:49:37 GMT' }));
  const page = await open();
  await download(page, `${server.url}/tiles.json`, { id: 'f' });
  const { state, sha256: found, code } = await outcome(page, 'f');
  assert.deepEqual([state, code, found], ['completed', undefined, sha256(text)]);
  assert(server.log.length <= 5, `${server.log.length} requests`);
});

for (const status of [403, 404, 501]) {
  test(`a server that answers ${status} to a range gives the file without`, async (t) => {
    const { open } = await startWorld(t.after.bind(t));
    const bytes = bytesOf(1, MIB);
    const server = await startServer(t, (_, range) => (range ? { status } : part(bytes)));
    const page = await open();
    await download(page, `${server.url}/f.bin`, { id: 'f' });
    const { state, sha256: found } = await outcome(page, 'f');
    assert.deepEqual([state, found, server.log.length], ['completed', sha256(bytes), 2]);
  });
}

test('what is no coding leaves the length honest: a cut is no end', async (t) => {
  const { open } = await startWorld(t.after.bind(t));
  const bytes = bytesOf(2, 4 * MIB);
  const server = await startServer(t, (_, range, number) => ({
    ...part(bytes, undefined, { 'Content-Encoding': 'aws-chunked' }),
    cutAfter: number === 0 ? 3 * MIB : undefined,
  }));
  const page = await open();
  await download(page, `${server.url}/f.bin`, { id: 'f' });
  const { state, sha256: found } = await outcome(page, 'f');
  assert.deepEqual([state, found], ['completed', sha256(bytes)]);
});

test('a page in place of the rest of a file loses nothing, and resume goes on', async (t) => {
  const { open } = await startWorld(t.after.bind(t));
  const bytes = bytesOf(3, 6 * MIB);
  const page = Buffer.from('<title>Please sign in</title>');
  let isSignedIn = false;
  const server = await startServer(t, (_, range, number) => {
    if (number > 0 && !isSignedIn) return { status: 200, headers: { 'Content-Type': 'text/html' }, body: page };
    const answer = part(bytes, range, { 'Content-Type': 'application/zip', ETag: '"a"' });
    return { ...answer, cutAfter: number === 0 ? 3 * MIB : undefined };
  });
  const app = await open();
  await download(app, `${server.url}/f.zip`, { id: 'f', maxSegments: 1 });
  const { receivedBytes } = await untilTask(app, 'f', (task) => task.lastError?.code === 'unexpected-content');
  assert(receivedBytes > 0, `${receivedBytes} bytes are kept`);
  isSignedIn = true;
  await app.evaluate(async () => (await session.task('f')).resume());
  const { state, sha256: found, restarts } = await outcome(app, 'f');
  assert.deepEqual([state, found, restarts], ['completed', sha256(bytes), 0]);
});

test('a server that redirects each request elsewhere gives one file, not a mix of two', async (t) => {
  const { open } = await startWorld(t.after.bind(t));
  const files = [bytesOf(4, 24 * MIB), bytesOf(5, 24 * MIB)];
  const server = await startServer(t, ({ url }, range, number) => {
    const place = /^\/at\/(\d)/.exec(url)?.[1];
    if (!place) return { status: 302, headers: { Location: `/at/${number % 2}` } };
    return part(files[place], range, { 'Last-Modified': 'Mon, 07 Nov 1994 08:49:37 GMT' });
  });
  const page = await open();
  await download(page, `${server.url}/f.bin`, { id: 'f' });
  const { state, sha256: found } = await outcome(page, 'f');
  assert.deepEqual([state, files.map(sha256).includes(found)], ['completed', true]);
});

test('a page is not taken for a file whose type the app knows, also if nothing is kept', async (t) => {
  const { open } = await startWorld(t.after.bind(t));
  const bytes = bytesOf(6, MIB);
  const server = await startServer(t, (_, range, number) => {
    if (number < 2) return { status: 200, headers: { 'Content-Type': 'text/html' }, body: Buffer.from('<title>Please sign in</title>') };
    return part(bytes, range, { 'Content-Type': 'audio/mpeg', ETag: '"a"' });
  });
  const page = await open();
  await download(page, `${server.url}/f.mp3`, { id: 'f', accept: 'audio/*' });
  const { state, sha256: found } = await outcome(page, 'f');
  assert.deepEqual([state, found, server.log.length], ['completed', sha256(bytes), 3]);
});

const TEXT = Buffer.from(bytesOf(7, MIB).toString('base64'));
const GZIP = zlib.gzipSync(TEXT);

/**
 * A server of an app and of a coded file. The query says what it does: `cut` its first answer of each kind to a URL after so many
 * bytes, `refusesRanges`, `redirects` each request.
 */
function startCoded(t) {
  const headers = { 'Content-Encoding': 'gzip', 'Content-Type': 'text/plain' };
  const seen = new Set();
  const answer = ({ url }, range) => {
    const { searchParams } = new URL(url, 'http://localhost');
    if (searchParams.has('redirects')) return { status: 302, headers: { Location: url.replace('redirects', 'redirected') } };
    if (range && searchParams.has('refusesRanges')) return { status: 403 };
    // Chromium hands out no coded answer to a range, so the first without is cut as well.
    const kind = `${url} ${Boolean(range)}`;
    const isFirst = !seen.has(kind);
    seen.add(kind);
    return { status: 200, headers, body: GZIP, cutAfter: isFirst ? Number(searchParams.get('cut')) : undefined };
  };
  return startServer(t, answer, { staticDirs });
}

/** Downloads the coded file by each of these queries at the same time. */
async function downloadCoded(page, server, queries, options) {
  for (const id of queries) await download(page, `${server.url}/f/text.json?${id}`, { id, ...options });
  for (const id of queries) {
    const { state, sha256: found } = await outcome(page, id);
    assert.deepEqual([state, found], ['completed', sha256(TEXT)], id);
  }
}

for (const isOwn of [true, false]) {
  test(`a coded answer of ${isOwn ? 'the own' : 'another'} origin that is cut is no file`, async (t) => {
    const { browser, open } = await startWorld(t.after.bind(t));
    const server = await startCoded(t);
    const page = await (isOwn ? openPage(browser, server.url) : open());
    const cuts = [0, 100, GZIP.length >> 1, GZIP.length - 8];
    await downloadCoded(page, server, cuts.flatMap((cut) => [`cut=${cut}`, `cut=${cut}&refusesRanges`]));
  });
}

test('a coded answer behind a redirect that is cut is no file where the app knows its length', async (t) => {
  const { open } = await startWorld(t.after.bind(t));
  const server = await startCoded(t);
  await downloadCoded(await open(), server, [`cut=${GZIP.length >> 1}&redirects`], { exactBytes: TEXT.length });
});

test('a version that cannot be had costs no byte of the one before', async (t) => {
  const { open } = await startWorld(t.after.bind(t));
  const [old, next] = [bytesOf(8, 6 * MIB), bytesOf(9, 6 * MIB)];
  const server = await startServer(t, (_, range, number) => ({
    ...(number === 1 ? part(next, undefined, { ETag: '"b"' }) : part(old, range, { ETag: '"a"' })),
    cutAfter: [4 * MIB, 64 << 10][number],
    untilKept: number === 0 ? 1 : undefined,
  }), { kept: () => untilTask(page, 'f', (task) => task.receivedBytes > 0) });
  const page = await open();
  await download(page, `${server.url}/f.bin`, { id: 'f', maxSegments: 1 });
  const { state, sha256: found } = await outcome(page, 'f');
  assert.deepEqual([state, found], ['completed', sha256(old)]);
  const { start } = server.log.at(-1).range;
  assert(start > 0, 'nothing is kept of the first version');
});
