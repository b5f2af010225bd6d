// The delegate: one page handles and acknowledges, all others watch, and the next in line takes over.
import assert from 'node:assert/strict';
import { event, startWorld, test } from './support.mjs';

/** A session with a handler, in this page or a new one. */
async function open(world, page = world.newPage()) {
  const handled = [];
  const seen = [];
  const session = await page.open('podcasts', { onEvent: ({ seq }) => void handled.push(seq) });
  session.addEventListener('event', ({ detail }) => seen.push(detail.seq));
  await world.worker.settled(page);
  return { page, session, handled, seen };
}

const becomesDelegate = (session) => new Promise((resolve) => session.addEventListener('delegate', resolve, { once: true }));
const events = (...seqs) => ({ type: 'events', session: 'podcasts', events: seqs.map((seq) => event(seq)) });
/** What the page's hellos to this boot said; saying the same twice does no harm. */
const hellos = ({ worker }, page, boot = 'boot-1') => {
  const said = worker.all('hello', page).filter((entry) => entry.boot === boot);
  return said.map(({ message }) => message.delegate).filter((delegate, at, all) => delegate !== all[at - 1]);
};

test('the second page only watches, and takes over when the first lets go', async (t) => {
  const world = startWorld(t);
  const { worker } = world;
  const [first, second] = [await open(world), await open(world)];
  assert.deepEqual([first.session.isDelegate, second.session.isDelegate], [true, false]);
  assert.deepEqual([hellos(world, first.page), hellos(world, second.page)], [[false, true], [false]]);
  worker.post(second.page, { type: 'observed', session: 'podcasts', event: event(1) });
  await worker.settled(second.page);
  assert.deepEqual([second.seen, second.handled], [[1], []]);
  assert.equal(worker.all('ack').length, 0);

  const delegated = becomesDelegate(second.session);
  first.session.detach();
  assert.equal(first.session.isDelegate, false);
  await delegated;
  await worker.settled(second.page);
  const order = worker.received.filter(({ message }) => ['hello', 'bye'].includes(message.type));
  assert.deepEqual(order.slice(-2).map(({ page, message }) => [page === second.page, message.type]), [[false, 'bye'], [true, 'hello']]);
  assert.deepEqual(hellos(world, second.page), [false, true]);
  worker.post(second.page, events(1));
  assert.equal((await worker.next('ack', { page: second.page })).message.seq, 1);
  assert.deepEqual(second.handled, [1], 'what it has only seen, it now handles');
});

test('the next page takes over when the delegate\'s page is gone without a word', async (t) => {
  const world = startWorld(t);
  const [first, second] = [await open(world), await open(world)];
  const delegated = becomesDelegate(second.session);
  first.page.close();
  await delegated;
  assert.equal(second.session.isDelegate, true);
});

for (const [how, sleep, wake] of [
  ['frozen', (page) => page.document.dispatchEvent(new Event('freeze')), (page) => page.document.dispatchEvent(new Event('resume'))],
  [
    'kept for later',
    (page) => page.window.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: true })),
    (page) => page.window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true })),
  ],
]) {
  test(`the next page takes over while the delegate's page is ${how}`, async (t) => {
    const world = startWorld(t);
    const { worker } = world;
    let finish;
    const cut = world.newPage();
    const handled = [];
    const onEvent = ({ seq }) => (handled.push(seq), new Promise((resolve) => (finish = resolve)));
    const session = await cut.open('podcasts', { onEvent });
    const second = await open(world);
    worker.post(cut, events(1, 2));
    await worker.settled(cut);
    const delegated = becomesDelegate(second.session);
    sleep(cut);
    await delegated;
    assert.equal(session.isDelegate, false);
    assert.deepEqual((await worker.next('bye', { page: cut })).message.session, 'podcasts');
    worker.post(second.page, events(1, 2));
    await worker.next('ack', { page: second.page, count: 2 });

    wake(cut);
    finish();
    await worker.settled(cut);
    assert.deepEqual(handled, [1], 'what was left is the business of the other page');
    assert.equal(session.isDelegate, false, 'it stands at the end of the line');
    const again = becomesDelegate(session);
    second.page.close();
    await again;
    worker.post(cut, events(3));
    await worker.settled(cut);
    assert.deepEqual(handled, [1, 3]);
  });
}

test('events that come after all was thrown away are handled, whatever their numbers are', async (t) => {
  const world = startWorld(t);
  const { worker } = world;
  const { page, session, handled } = await open(world);
  worker.post(page, events(7, 8));
  await worker.next('ack', { page, count: 2 });
  let isThere = false;
  worker.answer('history', () => (isThere ? { events: [] } : { code: 'session-not-open' }));
  worker.answer('open', () => ((isThere = true), { version: 1 }));
  await session.history();
  worker.post(page, events(1));
  await worker.next('ack', { page, count: 3 });
  assert.deepEqual(handled, [7, 8, 1]);
});

test('a sleeping page is passed over in the line', async (t) => {
  const world = startWorld(t);
  const [first, second, third] = [await open(world), await open(world), await open(world)];
  second.page.document.dispatchEvent(new Event('freeze'));
  const delegated = becomesDelegate(third.session);
  first.page.close();
  await delegated;
  assert.equal(second.session.isDelegate, false);
});

test('a session that let go while it waited in line is passed over', async (t) => {
  const world = startWorld(t);
  const [first, second, third] = [await open(world), await open(world), await open(world)];
  second.session.detach();
  const delegated = becomesDelegate(third.session);
  first.session.detach();
  await delegated;
  assert.equal(second.session.isDelegate, false);
});

test('after a boot the delegate says so again', async (t) => {
  const world = startWorld(t, { timers: true });
  const { page } = await open(world);
  world.worker.kill();
  await world.worker.start();
  await world.worker.settled(page);
  assert.deepEqual(hellos(world, page), [false, true]);
  assert.deepEqual(hellos(world, page, 'boot-2'), [true]);
});

test('a page without a handler never asks for the lock', async (t) => {
  const world = startWorld(t);
  const page = world.newPage();
  const session = await page.open();
  await world.worker.settled(page);
  assert.equal(world.locks.count('longhaul:https://app.example/:podcasts'), 0);
  assert.equal(session.isDelegate, false);
});

test('two sessions of one page are both heard, and an event is acknowledged when both have handled it', async (t) => {
  const world = startWorld(t);
  const { worker } = world;
  const first = await open(world);
  const handled = [];
  let finish;
  const onEvent = ({ seq }) => (handled.push(seq), new Promise((resolve) => (finish = resolve)));
  const second = await first.page.open('podcasts', { onEvent });
  await worker.settled(first.page);
  assert.deepEqual([first.session.isDelegate, second.isDelegate], [true, true]);
  worker.post(first.page, events(1, 2));
  await worker.settled(first.page);
  assert.deepEqual([first.handled, first.seen, handled], [[1, 2], [1, 2], [1]]);
  assert.equal(worker.all('ack').length, 0);
  finish();
  assert.equal((await worker.next('ack')).message.seq, 1);
  await worker.settled(first.page);
  finish();
  assert.equal((await worker.next('ack', { count: 2 })).message.seq, 2);
  assert.equal(world.locks.count('longhaul:https://app.example/:podcasts'), 1, 'they share one place in the line');
});

test('a handler that comes later is given what the others have not handled yet', async (t) => {
  const world = startWorld(t);
  const { worker } = world;
  const page = world.newPage();
  let finish;
  let times = 0;
  await page.open('podcasts', { onEvent: () => (times++, new Promise((resolve) => (finish = resolve))) });
  await worker.settled(page);
  worker.post(page, events(1));
  await worker.settled(page);
  const later = await open(world, page);
  // The worker knows pages: only after a bye does it deliver again what it has sent to this page.
  const said = worker.received.map(({ message }) => message).filter(({ type }) => ['hello', 'bye'].includes(type));
  assert.deepEqual(said.slice(-2).map(({ type, delegate }) => [type, delegate]), [['bye', undefined], ['hello', true]]);
  worker.post(page, events(1));
  await worker.settled(page);
  assert.deepEqual([later.handled, worker.all('ack').length], [[1], 0]);
  finish();
  assert.equal((await worker.next('ack')).message.seq, 1);
  await worker.settled(page);
  assert.equal(times, 1, 'what a handler is at, or has handled, it is not given again');
});

test('a handler whose session lets go holds nothing up, whatever it still does', async (t) => {
  const world = startWorld(t);
  const { worker } = world;
  const page = world.newPage();
  const stuck = await page.open('podcasts', { onEvent: () => new Promise(() => {}) });
  const other = await open(world, page);
  worker.post(page, events(1));
  await worker.settled(page);
  stuck.detach();
  await worker.settled(page);
  assert.equal(worker.received.findLast(({ message }) => message.type === 'hello').message.delegate, true);
  worker.post(page, events(1, 2));
  await worker.next('ack', { count: 2 });
  assert.deepEqual(other.handled, [1, 2]);
});

test('what React does in development: opened, let go before it was open, and opened again', async (t) => {
  const world = startWorld(t);
  const { worker } = world;
  const page = world.newPage();
  const handled = [];
  const mount = () => {
    const opened = page.open('podcasts', { onEvent: ({ seq }) => void handled.push(seq) });
    return () => void opened.then((session) => session.detach());
  };
  const unmount = mount();
  unmount();
  mount();
  await worker.next('open', { count: 2 });
  await worker.settled(page);
  await worker.settled(page);
  assert.equal(worker.received.findLast(({ message }) => message.type === 'hello').message.delegate, true);
  worker.post(page, events(1));
  await worker.next('ack');
  assert.deepEqual(handled, [1]);
});

test('a page that was asleep waits in line once for all its handlers', async (t) => {
  const world = startWorld(t);
  const { worker } = world;
  const first = await open(world);
  const second = await open(world, first.page);
  first.page.document.dispatchEvent(new Event('freeze'));
  await worker.settled(first.page);
  assert.deepEqual([first.session.isDelegate, second.session.isDelegate], [false, false]);
  assert.equal(world.locks.count('longhaul:https://app.example/:podcasts'), 0);
  first.page.document.dispatchEvent(new Event('resume'));
  await worker.settled(first.page);
  assert.equal(world.locks.count('longhaul:https://app.example/:podcasts'), 1);
  worker.post(first.page, events(1));
  await worker.next('ack');
  assert.deepEqual([first.handled, second.handled], [[1], [1]]);
});

test('a session without onAuthorize does not hide another one of its page that has it', async (t) => {
  const world = startWorld(t);
  const { worker } = world;
  const page = world.newPage();
  await page.open('podcasts', { onAuthorize() {} });
  await page.open('podcasts');
  await worker.settled(page);
  assert.ok(worker.all('hello').every(({ message }) => message.canAuthorize));
});

test('a session that lets go takes no other session of its page along', async (t) => {
  const world = startWorld(t);
  const { worker } = world;
  const delegate = await open(world);
  const other = await open(world, delegate.page);
  other.session.detach();
  await worker.settled(delegate.page);
  const said = worker.received.map(({ message }) => message).filter(({ type }) => ['hello', 'bye'].includes(type));
  assert.deepEqual(said.at(-1), { longhaul: 1, type: 'hello', session: 'podcasts', delegate: true, canAuthorize: false });
  worker.post(delegate.page, events(1));
  await worker.next('ack');
  assert.deepEqual([delegate.handled, other.handled, other.seen], [[1], [], []]);
});
