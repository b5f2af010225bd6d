// A <video> plays from a file's URL while the file is being downloaded, and seeks to where nothing has come yet: what it
// needs is fetched first. When all is there it plays without a network, from storage alone.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { startApp } from '../deployed.mjs';
import { download, durableRanges, ledgerFor, MIB, outcome, requestsFor, stored, untilTask } from '../support.mjs';
import { answers, FILM_TYPE, makeFilm, play, seek } from './film.mjs';

/** Of each connection, a bit more than the film needs to play: all of it would take two minutes. */
const PACE = 192 << 10;
/** Segments that somebody waits for begin at multiples of this. */
const ALIGNMENT = 64 << 10;

let film;
before(async () => (film = await makeFilm()));

/** Where the request for a range `bytes=START-` begins; one without a range, as WebKit's first, is for all. */
const startOf = ({ range }) => Number(/^bytes=(\d+)-/.exec(range ?? 'bytes=0-')[1]);

/** Holds each answer to a request of the video against what was asked. Returns them. */
function checked(answered) {
  for (const answer of answered) {
    const start = startOf(answer);
    const whole = { status: 200, contentRange: null, length: film.length };
    const part = { status: 206, contentRange: `bytes ${start}-${film.length - 1}/${film.length}`, length: film.length - start };
    assert.deepEqual(answer, { range: answer.range, destination: 'video', ...(answer.range ? part : whole) });
  }
  return answered;
}

/** A page that the worker controls, which one that was there before the worker is not. */
async function openControlled({ open }) {
  await (await open('?worker=/sw-playing.js')).close();
  return open('?worker=/sw-playing.js');
}

test('a video plays and seeks while it is being downloaded, and without a network afterwards', async (t) => {
  const app = await startApp(t);
  const { origin } = app;
  const file = origin.add('/film.webm', { data: film, contentType: FILM_TYPE, bytesPerSecond: PACE });
  const ledger = ledgerFor(origin, '/film.webm');
  const page = await openControlled(app);
  await download(page, '/film.webm', { id: 'film', maxSegments: 1 });

  await play(page, 'film');
  assert.deepEqual(requestsFor(origin, '/film.webm').map(({ range }) => range), [{ start: 0, end: undefined }], 'the download itself, and no more');
  const [first] = checked(await answers(page));
  assert.equal(startOf(first), 0);
  const [front, ...others] = await ledger.note(page);
  assert.deepEqual([front.start, others], [0, []], 'only the beginning is there');

  await seek(page, 0.8);
  const sought = checked(await answers(page)).map(startOf).find((start) => start > film.length / 2);
  const asked = requestsFor(origin, '/film.webm').slice(1).map(({ range }) => range.start);
  assert.ok(asked[0] <= sought && sought < asked[0] + ALIGNMENT, `the video needs ${sought}, asked for is ${asked}`);
  const { state, receivedBytes } = await untilTask(page, 'film', (task) => task.receivedBytes > 0);
  assert.equal(state, 'running');
  const durable = await ledger.note(page);
  assert.ok(durable.some(({ start }) => start === asked[0]), 'it plays what was fetched for it');
  assert.ok(durable[0].end >= front.end && durable[0].end < asked[0], 'what is in between is still to come');
  t.diagnostic(`played at 80 % with ${(receivedBytes / MIB).toFixed(1)} of ${(film.length / MIB).toFixed(1)} MiB; needed ${sought}, asked for ${asked}`);

  file.update({ bytesPerSecond: Infinity });
  const { sha256 } = await outcome(page, 'film');
  assert.equal(sha256, file.sha256);
  const { fetchedTwice, requests } = await ledger.check();
  assert.equal(fetchedTwice, 0, 'nothing that was there is sent again');
  t.diagnostic(`${requests} requests in all: ${requestsFor(origin, '/film.webm').map(({ range }) => `${range.start}-${range.end ?? ''}`)}`);

  await app.goOffline();
  await page.goto(`${origin.url}/?worker=/sw-playing.js`);
  await page.evaluate(() => window.ready);
  await answers(page);
  await play(page, 'film');
  await seek(page, 0.4);
  await seek(page, 0.9);
  const offline = checked(await answers(page)).map(startOf);
  assert.ok(offline.length > 0, 'it plays from storage, and not from what the browser remembers');
  t.diagnostic(`without a network, answered from ${offline}`);
  assert.deepEqual(durableRanges(await stored(page)), [{ start: 0, end: film.length }]);
});
