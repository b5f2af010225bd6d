// openSession: which worker it waits for, and how it ends when there is none.
import assert from 'node:assert/strict';
import { rejectsWith, startWorld, SWALLOW, test } from './support.mjs';

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
  assert.deepEqual(message.call, { type: 'open', session: 'podcasts', version: 2, limits: { maxConcurrentTasks: 1 } });
  await page.open('news', { serviceWorker: Promise.resolve(page.registration) });
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
