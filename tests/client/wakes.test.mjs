// Why the worker runs and until when: what the component is told of each event, how long that is held, how it ends, and
// what a fetch costs that is none of ours.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from './fakes/component.mjs';

const turn = () => new Promise(setImmediate);
const NAMES = {
  chromium: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36',
  firefox: 'Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0',
  webkit: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15',
};

test('a sync of ours is held, and fails if work is left', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1e12 });
  const { dispatch, of, host } = await start({ userAgent: NAMES.chromium });
  const sync = await dispatch('sync', { tag: 'longhaul' });
  const [[wake, endsAt, isRepeated, kick]] = of('wake');
  assert.deepEqual([endsAt - 1e12, isRepeated, kick], [175_000, true, true]);
  assert.equal(sync.isOpen, true);
  host().settle(wake, true);
  await turn();
  assert.deepEqual([sync.isOpen, sync.hasFailed], [false, true]);
});

test('a sync of ours succeeds when nothing is left, and fails if the component does', async () => {
  const { dispatch, of, host } = await start();
  const [done, crashed] = [await dispatch('sync', { tag: 'longhaul' }), await dispatch('sync', { tag: 'longhaul' })];
  host().settle(of('wake')[0][0], false);
  await turn();
  assert.deepEqual([done.isOpen, done.hasFailed], [false, false]);
  host().stopped('storage', '');
  await turn();
  assert.deepEqual([crashed.isOpen, crashed.hasFailed], [false, true]);
});

test('a sync of the app wakes the component, and is neither held nor failed', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1e12 });
  const { dispatch, of, host } = await start();
  const sync = await dispatch('sync', { tag: 'outbox' });
  const [[wake, endsAt, isRepeated, kick]] = of('wake');
  assert.deepEqual([endsAt - 1e12, isRepeated, kick, sync.isOpen], [25_000, false, true, false]);
  host().settle(wake, true);
  await turn();
  assert.equal(sync.hasFailed, false);
});

test('other events never fail', async () => {
  for (const type of ['push', 'periodicsync', 'notificationclick']) {
    const { dispatch, of, host } = await start();
    const event = await dispatch(type, { tag: 'longhaul' });
    host().settle(of('wake')[0][0], true);
    await turn();
    assert.deepEqual([event.isOpen, event.hasFailed], [false, false], type);
  }
});

test('the component is told when each browser cuts an event', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1e12 });
  const limits = async (browser) => {
    const { dispatch, post, of } = await start({ userAgent: NAMES[browser] });
    for (const type of ['push', 'periodicsync', 'notificationclick']) await dispatch(type);
    await dispatch('sync', { tag: 'longhaul' });
    await post({ type: 'wake' });
    return of('wake').map(([, endsAt]) => endsAt && endsAt - 1e12);
  };
  assert.deepEqual(await limits('chromium'), [85_000, 175_000, 300_000, 175_000, 300_000]);
  assert.deepEqual(await limits('firefox'), [55_000, 55_000, 55_000, 55_000, 55_000]);
  assert.deepEqual(await limits('webkit'), [undefined, undefined, undefined, undefined, undefined]);
});

test('a sync is asked for when work begins', async () => {
  const { hello, of, host } = await start();
  await hello();
  assert.deepEqual(of('sync'), []);
  host().working(true);
  host().working(false);
  assert.deepEqual(of('sync'), [['longhaul']]);
});

test('a page that is gone is found missing when the worker is woken, also while there is no work', async () => {
  const { scope, dispatch, hello, of } = await start();
  await hello();
  await dispatch('push');
  assert.deepEqual(of('bye'), [], 'it is there');
  scope.clients.matchAll = async () => [];
  await dispatch('push');
  assert.deepEqual(of('bye'), [['page']], 'what it told of the network holds no more');
});

test('what the app begins in a sync of its own holds that, and does not fail it', async () => {
  const worker = await start();
  worker.scope.addEventListener('sync', (sync) => sync.waitUntil(worker.longhaul.openSession('podcasts').catch(() => {})));
  const sync = await worker.dispatch('sync', { tag: 'outbox' });
  const joined = worker.of('wake').at(-1);
  assert.equal(joined[2], false);
  worker.answer('open', { version: 1 });
  await turn();
  assert.equal(sync.isOpen, true);
  worker.host().settle(joined[0], true);
  await turn();
  assert.deepEqual([sync.isOpen, sync.hasFailed], [false, false]);
});

/** An indexedDB whose database, if there is one, has these keys of due tasks and of events; it may be gone, and still listed. */
function database(dues, events = [], isListed = dues !== undefined) {
  const opened = [];
  const settle = (request, result) => setImmediate(() => request.onsuccess(Object.assign(request, { result })));
  const cursorOver = (keys) => ({
    openKeyCursor() {
      const request = {};
      const at = (n) => (keys[n] ? { key: keys[n], continue: (to) => settle(request, at(keys.findIndex((key) => indexOrder(key, to) >= 0))) } : null);
      settle(request, at(0));
      return request;
    },
  });
  const tables = { tasks: { index: () => cursorOver(dues ?? []) }, outbox: cursorOver(events) };
  const found = { transaction: () => ({ objectStore: (name) => tables[name] }), close: () => opened.push('closed') };
  const open = (...args) => {
    opened.push(args);
    const request = { transaction: { abort: () => setImmediate(() => request.onerror(new Event('error'))) } };
    if (dues) settle(request, found);
    else setImmediate(() => request.onupgradeneeded());
    return request;
  };
  const databases = async () => (isListed ? [{ name: 'elsewhere' }, { name: 'longhaul:https://app.example/' }] : [{ name: 'elsewhere' }]);
  return { indexedDB: { open, databases }, opened };
}

/** As IndexedDB orders keys: numbers before texts before arrays. A key that is not there lies behind all others. */
function indexOrder(one, other) {
  const rank = (part) => (Array.isArray(part) ? 2 : typeof part === 'string' ? 1 : 0);
  for (const [at, part] of one.entries()) {
    const order = rank(part) - rank(other[at] ?? 0) || (part > (other[at] ?? 0) ? 1 : part < (other[at] ?? 0) ? -1 : 0);
    if (order !== 0) return order;
  }
  return 0;
}

const NOW = 1e12;
const [DUE, LATER] = [NOW - 1, NOW + 60_000];

/** Whether the first fetch of a worker's life starts the component. */
async function startsFor(t, dues, { events, isListed, ...options } = {}) {
  t.mock.timers.enable({ apis: ['Date'], now: NOW });
  const { indexedDB, opened } = database(dues, events, isListed);
  const worker = await start({ indexedDB, ...options });
  const first = await worker.dispatch('fetch');
  for (let turns = 0; turns < 10; turns++) await turn();
  const looked = opened.length;
  await worker.dispatch('fetch');
  assert.equal(opened.length, looked, 'one look in each life');
  if (dues && looked > 0) assert.deepEqual(opened, [['longhaul:https://app.example/'], 'closed']);
  if (!dues && !isListed) assert.deepEqual(opened, [], 'what is not there is not opened');
  assert.equal(first.isOpen, worker.of('wake').length > 0, 'held only if there is work');
  t.mock.timers.reset();
  return worker.of('wake').length > 0;
}

test('the first fetch of a life wakes the component if a task is due', async (t) => {
  assert.equal(await startsFor(t, [['a', 8, DUE]]), true);
  assert.equal(await startsFor(t, [['a', 8, LATER], ['a', 1_000, DUE], ['b', 9, 0]]), true);
  assert.equal(await startsFor(t, [['a', 8, LATER], ['a', 12, LATER]]), true, 'a good moment may be now');
});

test('it does not if nothing is due, nor if there is no database', async (t) => {
  assert.equal(await startsFor(t, []), false);
  assert.equal(await startsFor(t, [['a', 8, LATER], ['a', 8, LATER + 1], ['a', 1_000, DUE], ['b', 1_000, DUE], ['c', 3, LATER]]), false);
  assert.equal(await startsFor(t, undefined), false);
  assert.equal(await startsFor(t, undefined, { isListed: true }), false);
});

test('an index that holds what the look does not know ends it', async (t) => {
  assert.equal(await startsFor(t, [7]), false);
  assert.equal(await startsFor(t, [null]), false);
});

test('an event that waits counts if the worker\'s own code handles events', async (t) => {
  assert.equal(await startsFor(t, [], { events: [['a', 1]] }), false);
  assert.equal(await startsFor(t, [], { events: [['a', 1]], onEvents() {} }), true);
  assert.equal(await startsFor(t, [], { onEvents() {} }), false);
});

test('a component that runs is not looked for, and the app may forgo the look', async (t) => {
  const { indexedDB, opened } = database([['a', 8, DUE]]);
  const { hello, dispatch } = await start({ indexedDB });
  await hello();
  await dispatch('fetch');
  assert.deepEqual(opened, []);
  assert.equal(await startsFor(t, [['a', 8, DUE]], { wakeOnFetch: false }), false);
});
