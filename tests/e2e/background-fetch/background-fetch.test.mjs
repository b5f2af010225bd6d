// Background Fetch as a transport: the browser itself fetches, with every page closed and through a kill, and the worker
// takes what it has brought into the same file.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lacks } from '../../browser/lacks.mjs';
import { overlap } from '../../origin/log.mjs';
import { startOrigin } from '../../origin/server.mjs';
import { download, ledgerFor, lengthOf, MIB, requestsFor, startWorld, stored, untilTask } from '../support.mjs';

const WORKER = '/sw-files.js';
const PATH = '/big.bin';
const LENGTH = 40 * MIB;
/** Whether the browser itself asks: for a part that is smaller than all that the worker ever asks for. */
const isPart = ({ range }) => range.end - range.start <= 4 * MIB;

/** A download that is with the browser, begun by a page whose worker handles the events. */
async function handedOver(t, fields = {}) {
  const world = await startWorld(t.after.bind(t));
  const file = world.origin.add(PATH, { length: LENGTH, seed: 5, bytesPerSecond: 4 * MIB, ...fields });
  const page = await world.open(`?worker=${WORKER}&observer`);
  await download(page, PATH, { id: 'big', transport: 'background-fetch', downloadUi: { title: 'The big one' } });
  await untilTask(page, 'big', (task) => task.reason === 'background-fetch');
  await world.origin.waitForRequest(PATH, isPart);
  const said = (what) => requestsFor(world.origin, `/said/${what}`).length;
  const untilFiled = () => world.origin.waitFor(() => said('all-of-podcasts') > 0);
  return { ...world, file, page, said, untilFiled };
}

/** What the worker has filed, by digest. */
const filed = (page, id) => page.evaluate(async (id) => sha256(await (await caches.match(`/files/${id}`)).blob()), id);

/** The browser has stored the answer to one of its requests. */
const aPartHasCome = (page) =>
  page.evaluate(async () => {
    const { backgroundFetch } = await navigator.serviceWorker.ready;
    const [id] = await backgroundFetch.getIds();
    const records = await (await backgroundFetch.get(id)).matchAll();
    await Promise.any(records.map(({ responseReady }) => responseReady));
  });

const skip = { skip: lacks('background-fetch') };

test('a download that is with the browser is finished and filed with every page closed', skip, async (t) => {
  const { origin, browser, open, file, page, said, untilFiled } = await handedOver(t);
  await browser.newPage();
  await page.close();
  await untilFiled();
  assert.equal(said('filed-big'), 1);
  const later = await open('?idle');
  assert.equal(await filed(later, 'big'), file.sha256);
  assert.equal((await stored(later)).rows.outbox, 0);
  const [first, ...others] = requestsFor(origin, PATH);
  assert.ok(!isPart(first) && others.every(isPart), 'the worker asked once, and the browser after that');
  assert.deepEqual(overlap(others, PATH).requested, [], 'no byte was asked for twice');
});

test('the browser is killed in the middle, and the download is finished with no page opened again', skip, async (t) => {
  const { origin, browser, open, file, page, untilFiled } = await handedOver(t);
  const ledger = ledgerFor(origin, PATH);
  await aPartHasCome(page);
  await page.close();
  await browser.kill();
  const at = Date.now();
  await browser.relaunch();
  const idle = await open('?idle');
  const durable = lengthOf(await ledger.note(idle, at));
  assert.ok(durable > 0 && durable < LENGTH, `${durable} bytes were durable`);
  await browser.newPage();
  await idle.close();
  await untilFiled();
  assert.equal(await filed(await open('?idle'), 'big'), file.sha256);
  const later = requestsFor(origin, PATH).filter(({ startedAt }) => startedAt >= at);
  assert.ok(later.length > 0 && later.every(isPart), `it was the browser that went on: ${later.map(({ headers, status, sentBytes }) => `${headers.range} ${status} ${sentBytes}`)}`);
  const { fetchedTwice } = await ledger.check();
  assert.equal(fetchedTwice, 0);
});

test('stopped in the browser\'s own list it is paused, with all that has come, and goes on at resume', skip, async (t) => {
  const { file, page, untilFiled } = await handedOver(t);
  await aPartHasCome(page);
  const before = (await page.evaluate(async () => (await session.task('big')).snapshot)).receivedBytes;
  // What the browser's own list does at a click on its cancel button, as far as the worker can see.
  await page.evaluate(async () => {
    const { backgroundFetch } = await navigator.serviceWorker.ready;
    for (const id of await backgroundFetch.getIds()) await (await backgroundFetch.get(id)).abort();
  });
  const { receivedBytes } = await untilTask(page, 'big', (task) => task.state === 'paused');
  assert.ok(receivedBytes > before, `what had come was taken: ${before}, then ${receivedBytes}`);
  file.update({ bytesPerSecond: Infinity });
  await page.mouse.click(5, 5);
  await page.evaluate(async () => (await session.task('big')).resume().then(() => {}));
  await page.evaluate(async () => (await session.task('big')).finished().then(() => {}));
  await untilFiled();
  assert.equal(await filed(page, 'big'), file.sha256);
});

test('paused by the app, it keeps what has come', skip, async (t) => {
  const { page } = await handedOver(t);
  await aPartHasCome(page);
  const before = (await page.evaluate(async () => (await session.task('big')).snapshot)).receivedBytes;
  const after = await page.evaluate(async () => {
    const task = await session.task('big');
    await task.pause();
    return task.snapshot;
  });
  assert.equal(after.state, 'paused');
  assert.ok(after.receivedBytes > before, `${before}, then ${after.receivedBytes}`);
  assert.deepEqual(await page.evaluate(async () => (await navigator.serviceWorker.ready).backgroundFetch.getIds()), []);
});

for (const cors of ['expose', 'plain']) {
  test(`from another origin, with CORS ${cors}`, skip, async (t) => {
    const { open } = await startWorld(t.after.bind(t));
    const other = await startOrigin();
    t.after(() => other.close());
    const lastModified = new Date(Date.now() - 86_400_000).toUTCString();
    // Of what the browser has fetched, Chromium shows no exposed header: a date that is known to be strong tells the version.
    const exposed = ['Content-Range', 'ETag', 'Date'];
    const file = other.add(PATH, { length: 20 * MIB, seed: 9, bytesPerSecond: 8 * MIB, cors, exposed, lastModified });
    const page = await open();
    await download(page, `${other.url}${PATH}`, { id: 'big', transport: 'background-fetch', headers: { Accept: 'image/*' } });
    await untilTask(page, 'big', (task) => task.state === 'completed');
    assert.equal(await page.evaluate(async () => sha256(await (await session.task('big')).file().blob())), file.sha256);
    const [first, ...others] = requestsFor(other, PATH);
    assert.ok(!isPart(first) && others.length > 0 && others.every(isPart), `the browser brought it: ${others.map(({ headers }) => headers.range)}`);
    assert.ok(other.log.every(({ method }) => method === 'GET'), 'no preflight');
  });
}

test('what it cannot carry is refused at the call', skip, async (t) => {
  const { open } = await startWorld(t.after.bind(t));
  const page = await open();
  const refusal = (url, options) =>
    page.evaluate(
      (url, options) => session.download(url, { transport: 'background-fetch', ...options }).then(() => 'accepted', ({ code, detail }) => `${code}: ${detail}`),
      url,
      options,
    );
  assert.match(await refusal(PATH, { headers: { 'X-Token': '1' } }), /^background-fetch-impossible: headers/);
  const foreign = { headers: { 'X-Plain': '1' }, persistHeaders: true };
  assert.match(await refusal('http://localhost:1/x', foreign), /^background-fetch-impossible: headers: they need a preflight/);
  assert.equal(await refusal(PATH, { mirrors: ['/other'] }), 'background-fetch-impossible: mirrors');
});

test('without a gesture a second one is refused: strictly it fails, automatically it is fetched', skip, async (t) => {
  const { origin, page } = await handedOver(t);
  origin.add('/two.bin', { length: 12 * MIB, seed: 6 });
  const three = origin.add('/three.bin', { length: 12 * MIB, seed: 7 });
  await download(page, '/two.bin', { id: 'two', transport: 'background-fetch' });
  const { error } = await untilTask(page, 'two', (task) => task.state === 'failed');
  assert.equal(error.code, 'background-fetch-refused');
  await download(page, '/three.bin', { id: 'three', transport: 'auto' });
  await untilTask(page, 'three', (task) => task.state === 'completed');
  assert.equal(await page.evaluate(async () => sha256(await (await session.task('three')).file().blob())), three.sha256);
});

test('a browser without it says so, and automatically it is fetched', { skip: !lacks('background-fetch') && 'this browser has it' }, async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  const file = origin.add(PATH, { length: 3 * MIB, seed: 8 });
  const page = await open();
  const code = await page.evaluate((path) => session.download(path, { transport: 'background-fetch' }).catch((error) => error.code), PATH);
  assert.equal(code, 'background-fetch-impossible');
  await download(page, PATH, { id: 'auto', transport: 'auto' });
  await untilTask(page, 'auto', (task) => task.state === 'completed');
  assert.equal(await page.evaluate(async () => sha256(await (await session.task('auto')).file().blob())), file.sha256);
});
