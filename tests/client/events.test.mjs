// Durable events: handled in order, one at a time, acknowledged only when handled, and handled once.
import assert from 'node:assert/strict';
import { deferred, event, startWorld, test } from './support.mjs';

const acks = (worker) => worker.all('ack').map(({ message }) => message.seq);

/** A page that is the delegate; `handled` lists what its handler was called with. */
async function openDelegate(world, onEvent = () => {}) {
  const { worker, newPage } = world;
  const page = newPage();
  const handled = [];
  const session = await page.open('podcasts', {
    onEvent: (event) => {
      handled.push(event.seq);
      return onEvent(event);
    },
  });
  await worker.next('hello', { count: 2 });
  const deliver = (...seqs) => worker.post(page, { type: 'events', session: 'podcasts', events: seqs.map((seq) => event(seq)) });
  return { ...world, page, session, handled, deliver };
}

test('events are handled in order, one at a time, and acknowledged only once the handler has resolved', async (t) => {
  const gates = [deferred(), deferred(), deferred()];
  const { worker, page, handled, deliver } = await openDelegate(startWorld(t), ({ seq }) => gates[seq - 1].promise);
  deliver(1, 2);
  deliver(3);
  for (const [at, gate] of gates.entries()) {
    await worker.settled(page);
    assert.deepEqual(handled, [1, 2, 3].slice(0, at + 1));
    assert.deepEqual(acks(worker), [1, 2, 3].slice(0, at));
    gate.resolve();
  }
  await worker.next('ack', { count: 3 });
  assert.deepEqual(acks(worker), [1, 2, 3]);
});

test('an event that comes again is acknowledged again, not handled again', async (t) => {
  const { worker, page, handled, deliver, session } = await openDelegate(startWorld(t, { timers: true }));
  const seen = [];
  session.addEventListener('event', ({ detail }) => seen.push(detail.seq));
  deliver(1, 2);
  await worker.next('ack', { count: 2 });
  worker.kill();
  await worker.start();
  deliver(1, 2, 3);
  await worker.next('ack', { count: 5 });
  await worker.settled(page);
  assert.deepEqual(handled, [1, 2, 3]);
  assert.deepEqual(seen, [1, 2, 3]);
  assert.deepEqual(acks(worker), [1, 2, 1, 2, 3]);
});

test('an event that comes again while its handler is at work is handled once', async (t) => {
  const gate = deferred();
  const { worker, page, handled, deliver } = await openDelegate(startWorld(t, { timers: true }), () => gate.promise);
  deliver(1);
  await worker.settled(page);
  worker.kill();
  await worker.start();
  deliver(1);
  await worker.settled(page);
  assert.deepEqual(acks(worker), []);
  gate.resolve();
  await worker.next('ack');
  await worker.settled(page);
  assert.deepEqual(handled, [1]);
});

test('a handler that fails is given the event again, later and later, before any other', async (t) => {
  let failures = 9;
  const world = await openDelegate(startWorld(t, { timers: true }), () => {
    if (failures-- > 0) throw new Error('not today');
  });
  const { worker, page, handled, deliver } = world;
  deliver(1, 2);
  const delays = [1, 2, 4, 8, 16, 32, 60, 60, 60];
  for (const [at, seconds] of delays.entries()) {
    await page.untilReported(at + 1);
    assert.equal(handled.length, at + 1);
    t.mock.timers.tick(seconds * 1000 - 1);
    await worker.settled(page);
    assert.equal(handled.length, at + 1, `not before ${seconds} s`);
    t.mock.timers.tick(1);
  }
  await worker.next('ack', { count: 2 });
  assert.deepEqual(handled, [...Array(10).fill(1), 2]);
  assert.deepEqual(page.reported.map(({ message }) => message), Array(9).fill('not today'));
  assert.deepEqual(acks(worker), [1, 2]);
});

test('a handler that rejects is as one that throws', async (t) => {
  let fails = true;
  const world = await openDelegate(startWorld(t, { timers: true }), async () => {
    if (fails) throw new Error('rejected');
  });
  world.deliver(1);
  await world.page.untilReported(1);
  fails = false;
  t.mock.timers.tick(1_000);
  await world.worker.next('ack');
  assert.deepEqual(world.handled, [1, 1]);
});

test('a session that has let go does not handle, nor acknowledge, what it could not handle before', async (t) => {
  const world = await openDelegate(startWorld(t, { timers: true }), () => {
    throw new Error('never');
  });
  const { worker, page, session, handled, deliver } = world;
  deliver(1, 2);
  await page.untilReported(1);
  session.detach();
  t.mock.timers.tick(120_000);
  deliver(3);
  await worker.settled(page);
  assert.deepEqual(handled, [1]);
  assert.deepEqual(acks(worker), []);
});

test('the end of the backlog is told after its last event was handled', async (t) => {
  const { worker, page, session, handled, deliver } = await openDelegate(startWorld(t));
  const told = [];
  session.addEventListener('alleventsdelivered', () => told.push(handled.length));
  deliver(1, 2);
  await worker.next('ack', { count: 2 });
  worker.post(page, { type: 'all-events-delivered', session: 'podcasts' });
  await worker.settled(page);
  assert.deepEqual(told, [2]);
});
