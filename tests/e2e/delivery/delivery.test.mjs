// Events: delivered to one delegate in order, acknowledged when its handler has resolved, replayed to whoever comes
// later; other pages watch.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lacks } from '../../browser/lacks.mjs';
import { download, MIB, outcome, startWorld, stored } from '../support.mjs';

const kinds = (page, list) => page.evaluate((list) => window[list].map(({ type, taskId }) => `${type} ${taskId}`), list);
const numbers = (page, list) => page.evaluate((list) => window[list].map(({ seq }) => seq), list);
const ackedRows = async (page) => (await stored(page)).rows.outbox;

/** Resolves once `look` is true of the page. */
const until = (page, look, ...args) => page.waitForFunction(look, { polling: 50 }, ...args);

test('a page that comes later is given what no delegate has acknowledged, in order, and then the end', async (t) => {
  const { origin, browser, open } = await startWorld(t.after.bind(t));
  for (const name of ['a', 'b', 'c']) origin.add(`/${name}.bin`, { length: MIB, seed: name.charCodeAt(0) });
  const watcher = await open('?observer');
  for (const name of ['a', 'b', 'c']) {
    await download(watcher, `/${name}.bin`, { id: name });
    await outcome(watcher, name);
  }
  await until(watcher, () => seen.length === 3);
  assert.deepEqual(await kinds(watcher, 'handled'), [], 'a page without a handler acknowledges nothing');
  assert.equal(await ackedRows(watcher), 3);
  await watcher.close();

  await browser.kill();
  await browser.relaunch();
  const late = await open();
  await until(late, () => notes.some((note) => note.startsWith('all-delivered')));
  assert.deepEqual(await kinds(late, 'handled'), ['completed a', 'completed b', 'completed c']);
  const given = await numbers(late, 'handled');
  assert.deepEqual(given, [given[0], given[0] + 1, given[0] + 2]);
  assert.deepEqual(await late.evaluate(() => notes), ['delegate', 'all-delivered after 3']);
  assert.equal(await ackedRows(late), 0);

  const next = await open();
  await late.close();
  await until(next, () => notes.length === 2);
  assert.deepEqual(await kinds(next, 'handled'), [], 'what was acknowledged does not come again');
  assert.deepEqual(await next.evaluate(() => session.history().then((past) => past.map(({ seq }) => seq))), given.reverse());
});

test('one page is the delegate, the others watch; the next in line takes over', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  origin.add('/one.bin', { length: MIB, seed: 1 });
  origin.add('/two.bin', { length: MIB, seed: 2 });
  const first = await open();
  await until(first, () => session.isDelegate);
  const second = await open();
  await download(second, '/one.bin', { id: 'one' });
  await Promise.all([until(first, () => handled.length === 1), until(second, () => seen.length === 1)]);
  assert.deepEqual(await kinds(second, 'handled'), []);
  assert.equal(await second.evaluate(() => session.isDelegate), false);

  await first.close();
  await until(second, () => session.isDelegate);
  await download(second, '/two.bin', { id: 'two' });
  await until(second, () => handled.length === 1);
  assert.deepEqual(await kinds(second, 'handled'), ['completed two']);
});

test('a frozen page gives its turn to the next, and stands in line again when it thaws', { skip: lacks('freeze-page') }, async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  origin.add('/one.bin', { length: MIB, seed: 1 });
  const first = await open();
  await until(first, () => session.isDelegate);
  const second = await open();
  const life = await first.createCDPSession();
  await life.send('Page.setWebLifecycleState', { state: 'frozen' });
  await until(second, () => session.isDelegate);
  await download(second, '/one.bin', { id: 'one' });
  await until(second, () => handled.length === 1);
  await life.send('Page.setWebLifecycleState', { state: 'active' });
  await until(first, () => !session.isDelegate);
  await second.close();
  await until(first, () => session.isDelegate);
  assert.deepEqual(await kinds(first, 'handled'), []);
});

test('two handlers of one page are both heard: the later one gets what the first is still at', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  origin.add('/one.bin', { length: MIB, seed: 4 });
  const page = await open('?idle');
  await page.evaluate(async () => {
    window.started = [];
    const session = await open({ onEvent: (event) => (started.push(event.seq), new Promise((resolve) => (window.finish = resolve))) });
    await session.download('/one.bin', { id: 'one' });
  });
  await until(page, () => started.length === 1);
  await page.evaluate(async () => void (await open()));
  await until(page, () => handled.length === 1);
  assert.deepEqual(await numbers(page, 'handled'), await page.evaluate(() => started));
  assert.equal(await ackedRows(page), 1, 'the first has not resolved');
  await page.evaluate(() => finish());
  while ((await ackedRows(page)) > 0);
  assert.equal(await page.evaluate(() => started.length), 1, 'it was called once');
});

test('a reload between doing and acknowledging repeats the event with the same number', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  origin.add('/slow.bin', { length: MIB, seed: 3 });
  const page = await open('?idle');
  await page.evaluate(async () => {
    window.started = [];
    const session = await open({ onEvent: (event) => (started.push(event.seq), new Promise(() => {})) });
    await session.download('/slow.bin', { id: 'slow' });
  });
  await until(page, () => started.length === 1);
  const given = await page.evaluate(() => started);
  assert.equal(await ackedRows(page), 1, 'the handler has not resolved');
  await page.goto(origin.url);
  await page.evaluate(() => window.ready);
  await until(page, () => handled.length === 1);
  assert.deepEqual(await kinds(page, 'handled'), ['completed slow']);
  assert.deepEqual(await numbers(page, 'handled'), given);
});

test('a handler that throws is given the event again', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  origin.add('/again.bin', { length: MIB, seed: 4 });
  const page = await open('?idle');
  await page.evaluate(async () => {
    window.tries = [];
    window.reportError = () => {};
    const onEvent = (event) => {
      tries.push(event.seq);
      if (tries.length === 1) throw new Error('not now');
    };
    window.session = await open({ onEvent });
    await session.download('/again.bin', { id: 'again' });
  });
  await until(page, () => tries.length === 2);
  assert.equal(await page.evaluate(() => new Set(tries).size), 1);
});

test('progress is live, rises, and never comes after the end', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  origin.add('/steady.bin', { length: 12 * MIB, seed: 5, bytesPerSecond: 4 * MIB });
  const page = await open();
  await download(page, '/steady.bin', { id: 'steady' });
  await outcome(page, 'steady');
  const bytes = await page.evaluate(() => progress.map((report) => report.receivedBytes));
  assert.ok(bytes.length >= 3, `${bytes.length} reports`);
  assert.deepEqual(bytes, [...bytes].sort((a, b) => a - b));
  const after = await page.evaluate(async () => {
    const count = progress.length;
    await session.task('steady');
    return progress.length - count;
  });
  assert.equal(after, 0);
});
