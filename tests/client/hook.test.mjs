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
  const { host, of, locks, work } = await begin();
  host().stopped('storage', '');
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
