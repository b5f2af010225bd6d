// openSession: which worker it waits for, and how it ends when there is none.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { deferred, rejectsWith, startWorld, SWALLOW, test } from './support.mjs';

/** Lets the page look after its calls so many times more; what it then posts is lost, since the worker has no longhaul. */
async function lookAfter(t, { worker }, times) {
  for (let done = 0; done < times; done++) {
    const lost = once(worker, 'lost');
    t.mock.timers.tick(5_000);
    await lost;
  }
}

/** A newer worker that waits to take the place of the one that is active; `takeOver()` lets it. */
function waiting(page) {
  const { active } = page.registration;
  const worker = Object.assign(new EventTarget(), { state: 'installed', postMessage: active.postMessage });
  page.registration.waiting = worker;
  const takeOver = () => {
    worker.state = 'activating';
    Object.assign(page.registration, { waiting: null, active: worker });
    worker.dispatchEvent(new Event('statechange'));
  };
  return { worker, takeOver };
}

/** A service worker that is being installed; `become(state, more)` moves it on. */
function installing(page) {
  const { active } = page.registration;
  const worker = Object.assign(new EventTarget(), { state: 'installing', postMessage: active.postMessage });
  Object.assign(page.registration, { active: null, installing: worker });
  return (state) => {
    worker.state = state;
    const isActive = state === 'activating';
    Object.assign(page.registration, { installing: null, active: isActive ? worker : null });
    worker.dispatchEvent(new Event('statechange'));
  };
}

test('without a registration there is no session: no-service-worker', async (t) => {
  const { newPage } = startWorld(t);
  const page = newPage();
  page.registration = undefined;
  await rejectsWith(page, page.client.openSession('podcasts'), 'no-service-worker');
});

test('the registration of the page is found by itself, and a promise of one may be passed', async (t) => {
  const { worker, newPage } = startWorld(t);
  const page = newPage();
  await page.client.openSession('podcasts', { configuration: { version: 2, maxConcurrentTasks: 1 } });
  const { message } = await worker.next('open');
  assert.deepEqual(message.call, { type: 'open', session: 'podcasts', version: 2, limits: { maxConcurrentTasks: 1 }, canAuthorize: false });
  await page.open('news', { serviceWorker: Promise.resolve(page.registration) });
});

test('other limits under the same version are told of, and the session is open all the same', async (t) => {
  const { worker, newPage } = startWorld(t);
  const page = newPage();
  worker.answer('open', () => ({ version: 1, differs: true }));
  const session = await page.open('podcasts', { configuration: { maxConcurrentTasks: 9 } });
  assert.deepEqual(page.reported.map(({ code, detail }) => [code, detail]), [['version-not-raised', 'podcasts']]);
  assert.equal(session.identifier, 'podcasts');
});

test('on a first visit it waits until the worker is active', async (t) => {
  const { worker, newPage } = startWorld(t);
  const page = newPage();
  const become = installing(page);
  const opened = page.open();
  await new Promise(setImmediate);
  assert.equal(worker.received.length, 0, 'a worker that is being installed is left alone');
  become('activating');
  await opened;
});

test('a worker that cannot be installed, and a registration without one: no-service-worker', async (t) => {
  const { newPage } = startWorld(t);
  const page = newPage();
  const become = installing(page);
  const opened = page.open();
  setImmediate(() => become('redundant'));
  await rejectsWith(page, opened, 'no-service-worker');
  await rejectsWith(page, page.open(), 'no-service-worker');
});

test('a signal ends the call while the worker is being installed, and while it opens the session', async (t) => {
  const { worker, newPage } = startWorld(t);
  const page = newPage();
  await rejectsWith(page, page.open('podcasts', { signal: AbortSignal.abort() }), 'aborted');
  assert.equal(worker.received.length, 0);

  worker.answer('open', () => SWALLOW);
  const opening = new AbortController();
  const opened = page.open('podcasts', { signal: opening.signal });
  await worker.next('open');
  opening.abort();
  await rejectsWith(page, opened, 'aborted');

  const waiting = new AbortController();
  installing(page);
  const waited = page.open('podcasts', { signal: waiting.signal });
  setImmediate(() => waiting.abort());
  await rejectsWith(page, waited, 'aborted');
});

test('a session that could not be opened is not attached', async (t) => {
  const { worker, newPage } = startWorld(t);
  const page = newPage();
  worker.answer('open', () => ({ code: 'version-too-low' }));
  await rejectsWith(page, page.open('podcasts', { onEvent() {} }), 'version-too-low');
  await worker.settled(page);
  assert.equal(worker.all('hello').length, 0);
});

test('a worker without attach() is told so within 20 seconds: not-attached', async (t) => {
  const world = startWorld(t, { timers: true });
  const page = world.newPage();
  world.worker.starts = false;
  const opened = page.open();
  opened.catch(() => {});
  await once(world.worker, 'lost');
  await lookAfter(t, world, 3);
  t.mock.timers.tick(5_000);
  const error = await rejectsWith(page, opened, 'not-attached');
  assert.match(error.message, /attach\(\)/);
});

test('a worker whose wasm is still being compiled may take its time', async (t) => {
  const { worker, newPage } = startWorld(t, { timers: true });
  const compiled = deferred();
  worker.compiled = compiled.promise;
  const page = newPage();
  const opened = page.open();
  for (let seconds = 0; seconds < 600; seconds += 5) {
    t.mock.timers.tick(5_000);
    for (let turns = 0; turns < 3; turns++) await new Promise(setImmediate);
  }
  compiled.resolve();
  await opened;
});

test('while the worker that brings longhaul waits to become active: update-waiting', async (t) => {
  const world = startWorld(t, { timers: true });
  const page = world.newPage();
  world.worker.starts = false;
  waiting(page);
  const opened = page.open();
  opened.catch(() => {});
  await once(world.worker, 'lost');
  await lookAfter(t, world, 3);
  t.mock.timers.tick(5_000);
  const error = await rejectsWith(page, opened, 'update-waiting');
  assert.equal(error.retry, true);
});

test('onWaiting is given the worker that waits, and the session opens when that is active', async (t) => {
  const world = startWorld(t, { timers: true });
  const { worker } = world;
  const page = world.newPage();
  worker.starts = false;
  const { worker: newer, takeOver } = waiting(page);
  const told = deferred();
  const opened = page.open('podcasts', { onWaiting: told.resolve });
  await once(worker, 'lost');
  await lookAfter(t, world, 3);
  t.mock.timers.tick(5_000);
  assert.equal(await told.promise, newer);
  worker.starts = true;
  takeOver();
  await opened;
});

test('a signal ends the wait for the worker that waits', async (t) => {
  const world = startWorld(t, { timers: true });
  const page = world.newPage();
  world.worker.starts = false;
  waiting(page);
  const controller = new AbortController();
  const opened = page.open('podcasts', { onWaiting: () => controller.abort(), signal: controller.signal });
  opened.catch(() => {});
  await once(world.worker, 'lost');
  await lookAfter(t, world, 3);
  t.mock.timers.tick(5_000);
  await rejectsWith(page, opened, 'aborted');
});

test('a worker that is still being installed is waited for, since it may take over by itself', async (t) => {
  const world = startWorld(t, { timers: true });
  const { worker } = world;
  const page = world.newPage();
  worker.starts = false;
  page.registration.installing = Object.assign(new EventTarget(), { state: 'installing' });
  const opened = page.open();
  await once(worker, 'lost');
  await lookAfter(t, world, 10);
  page.registration.installing = null;
  worker.starts = true;
  t.mock.timers.tick(5_000);
  await opened;
});

test('a session whose worker was replaced by one without longhaul: its calls settle, too', async (t) => {
  const world = startWorld(t, { timers: true });
  const { worker } = world;
  const page = world.newPage();
  const session = await page.open();
  await worker.settled(page);
  worker.starts = false;
  worker.kill();
  page.registration.active = { ...page.registration.active };
  await new Promise(setImmediate);
  const call = session.history();
  call.catch(() => {});
  await once(worker, 'lost');
  await lookAfter(t, world, 3);
  t.mock.timers.tick(5_000);
  await rejectsWith(page, call, 'not-attached');
});

test('a worker that answered before and is slow to start again is given a minute, and is not called not-attached', async (t) => {
  const world = startWorld(t, { timers: true });
  const { worker } = world;
  const page = world.newPage();
  const session = await page.open();
  await worker.settled(page);
  worker.starts = false;
  worker.kill();
  await new Promise(setImmediate);
  const call = session.history();
  call.catch(() => {});
  await once(worker, 'lost');
  await lookAfter(t, world, 11);
  t.mock.timers.tick(5_000);
  await rejectsWith(page, call, 'component-failed');
});

test('a registration that was removed while its page is open: no-service-worker', async (t) => {
  const world = startWorld(t, { timers: true });
  const page = world.newPage();
  const session = await page.open();
  await world.worker.settled(page);
  page.registration.active = null;
  world.worker.kill();
  await new Promise(setImmediate);
  const call = session.history();
  call.catch(() => {});
  for (let done = 0; done < 4; done++) t.mock.timers.tick(5_000);
  await rejectsWith(page, call, 'no-service-worker');
});
