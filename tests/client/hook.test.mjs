// The worker's own code as the delegate: what `onEvents` is given, when it is acknowledged, and whose turn it is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from './fakes/component.mjs';
import { FakeLocks } from './fakes/locks.mjs';
import { deferred, event } from './support.mjs';

const LOCK = 'longhaul:https://app.example/:podcasts';
const EVENTS = { type: 'events', session: 'podcasts', events: [event(1), event(2)] };
const turn = () => new Promise(setImmediate);

/** A worker whose hook holds the session's lock and was given two events; `work` are the promises of its handler. */
async function begin(options = {}) {
  const locks = new FakeLocks();
  const work = [];
  const handled = [];
  const onEvents = (session, events) => {
    handled.push([session, ...events.map(({ seq }) => seq)]);
    work.push(deferred());
    return work.at(-1).promise;
  };
  const worker = await start({ locks: locks.of('worker'), onEvents, ...options });
  await worker.hello();
  worker.host().stand('podcasts');
  await turn();
  worker.host().post('', EVENTS);
  await turn();
  return { ...worker, locks, work, handled };
}

test('events come under the lock, and are acknowledged when the promise has resolved', async () => {
  const { of, locks, work, handled } = await begin();
  assert.deepEqual(of('hook'), [[false, true]]);
  assert.deepEqual(of('hello').at(-1), ['', 'podcasts', true, false]);
  assert.deepEqual(handled, [['podcasts', 1, 2]]);
  assert.deepEqual([of('ack'), locks.count(LOCK)], [[], 1]);
  work[0].resolve();
  await turn();
  assert.deepEqual([of('ack'), locks.count(LOCK)], [[['', 'podcasts', 2]], 0]);
});

test('a page gets its turn when the batch that was begun is done, before the next', async () => {
  const { host, of, locks, work, handled } = await begin();
  let isElected = false;
  const page = locks.take(LOCK, 'page').then(() => (isElected = true));
  work[0].resolve();
  host().stand('podcasts');
  await page;
  await turn();
  assert.deepEqual([isElected, handled.length, of('hello').length], [true, 1, 2]);
  locks.drop('page');
  await turn();
  host().post('', { ...EVENTS, events: [] });
  await turn();
  assert.deepEqual([handled.length, locks.count(LOCK)], [1, 0], 'a turn for nothing');
});

test('a handler that rejects or throws ends its turn without an acknowledgement', async () => {
  const { of, locks, work, reported } = await begin();
  work[0].reject(new Error('not now'));
  await turn();
  assert.deepEqual([of('ack'), locks.count(LOCK)], [[['', 'podcasts', 0]], 0]);
  assert.deepEqual(reported.map(({ message }) => message), ['not now']);
  const throwing = await begin({
    onEvents() {
      throw new Error('never');
    },
  });
  assert.deepEqual(throwing.of('ack'), [['', 'podcasts', 0]]);
});

test('a handler that takes longer than an event may last has failed', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { of, locks, work } = await begin();
  t.mock.timers.tick(299_999);
  await turn();
  assert.deepEqual(of('ack'), []);
  t.mock.timers.tick(1);
  await turn();
  assert.deepEqual([of('ack'), locks.count(LOCK)], [[['', 'podcasts', 0]], 0]);
  work[0].resolve();
  await turn();
  assert.equal(of('ack').length, 1, 'what comes later is no acknowledgement');
});

test('what a component that is gone has begun keeps the lock, and is not acknowledged to the next', async () => {
  const { host, hello, of, locks, work } = await begin();
  host().stopped('storage', '');
  await hello();
  host().stand('podcasts');
  await turn();
  assert.equal(of('hello').filter(([client]) => client === '').length, 1, 'the next turn waits');
  work[0].resolve();
  await turn();
  assert.deepEqual(of('ack'), []);
  assert.equal(of('hello').filter(([client]) => client === '').length, 2);
  assert.equal(locks.count(LOCK), 1);
});

test('when all is handled the app is told, and no wake is let go before it is done', async () => {
  const done = deferred();
  const told = [];
  const worker = await start({ onEvents() {}, onAllEventsDelivered: (session) => (told.push(session), done.promise) });
  const push = await worker.dispatch('push');
  const [[wake]] = worker.of('wake');
  worker.host().post('', { type: 'all-events-delivered', session: 'podcasts' });
  worker.host().settle(wake);
  await turn();
  assert.deepEqual([told, push.isOpen], [['podcasts'], true]);
  done.reject(new Error('no notification'));
  await turn();
  assert.equal(push.isOpen, false);
  assert.deepEqual(worker.reported.map(({ message }) => message), ['no notification']);
});

test('a handler of the app that never settles holds no event for longer than one may last', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const asked = [];
  const never = (what) => (asked.push(what), new Promise(() => {}));
  const { dispatch, of, host, reported } = await start({ authorize: () => never('authorize'), notification: () => never('notification') });
  const ask = () => host().authorize(undefined, { type: 'authorize', session: 'podcasts', id: 'one', url: 'https://files.example/f.bin' });
  const tellAll = () => host().post('', { type: 'all-events-delivered', session: 'podcasts' });
  for (const begin of [ask, tellAll]) {
    const push = await dispatch('push');
    begin();
    await turn();
    host().settle(of('wake').at(-1)[0]);
    t.mock.timers.tick(299_999);
    await turn();
    assert.equal(push.isOpen, true);
    t.mock.timers.tick(1);
    await turn();
    assert.equal(push.isOpen, false);
  }
  ask();
  assert.deepEqual(asked, ['authorize', 'notification', 'authorize'], 'it may be asked again');
  assert.equal(reported.length, 2, 'and the app hears of it');
});

/** A worker that has told its app that all is handled, with these pages open; what was shown, opened and brought to the front. */
async function tellAll(pages, notice = { title: 'Done', body: 'All there', url: 'library' }) {
  const seen = { shown: [], opened: [], focused: [] };
  const asked = [];
  const worker = await begin({ notification: (session) => (asked.push(session), notice) });
  worker.scope.registration.showNotification = async (...args) => void seen.shown.push(args);
  worker.scope.clients.matchAll = async () => pages.map((page) => ({ ...page, focus: async () => seen.focused.push(page.url) }));
  worker.scope.clients.openWindow = async (url) => seen.opened.push(url);
  worker.work[0].resolve();
  await turn();
  worker.host().post('', { type: 'all-events-delivered', session: 'podcasts' });
  await turn();
  const click = async (tag = seen.shown[0][1].tag) => {
    let isClosed = false;
    const notification = { tag, data: seen.shown[0][1].data, close: () => (isClosed = true) };
    worker.scope.dispatchEvent(Object.assign(new Event('notificationclick'), { notification, waitUntil() {} }));
    await turn();
    return isClosed;
  };
  return { ...seen, asked, click, reported: worker.reported };
}

test('a notification is shown when no page is in sight, and a click on it opens the app', async () => {
  const url = 'https://app.example/library';
  const { shown, opened, focused, asked, click } = await tellAll([{ url: 'https://app.example/', visibilityState: 'hidden' }]);
  assert.deepEqual(asked, ['podcasts']);
  assert.deepEqual(shown, [['Done', { body: 'All there', tag: 'longhaul:podcasts', data: { url } }]]);
  assert.equal(await click('of the app'), false, 'a notification of the app itself is left alone');
  assert.deepEqual([opened, focused], [[], []]);
  assert.equal(await click(), true);
  assert.deepEqual([opened, focused], [[url], []]);

  const known = await tellAll([{ url, visibilityState: 'hidden' }]);
  await known.click();
  assert.deepEqual([known.opened, known.focused], [[], [url]], 'a page that is open is brought to the front');
});

test('nothing is shown while a page is in sight, or when the app has nothing to say', async () => {
  const seen = await tellAll([{ url: 'https://app.example/', visibilityState: 'visible' }]);
  assert.deepEqual([seen.shown, seen.asked], [[], []]);
  const silent = await tellAll([], null);
  assert.deepEqual([silent.shown, silent.asked, silent.reported], [[], ['podcasts'], []]);
});
