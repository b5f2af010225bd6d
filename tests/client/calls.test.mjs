// Calls: each is answered once, however often the worker dies meanwhile.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rejectsWith, startWorld, SWALLOW, test } from './support.mjs';

test('a call in flight when the worker dies is asked again of the next, with the same token', async (t) => {
  const { worker, newPage } = startWorld(t, { timers: true });
  const page = newPage();
  const session = await page.open();
  await worker.settled(page);
  worker.answer('download', ({ spec }) => (worker.boot === 'boot-1' ? SWALLOW : { task: { id: spec.id, state: 'running' } }));
  const call = session.download('/f.bin', { id: 'one', metadata: { a: 1 } });
  await worker.next('download');
  worker.kill();
  const task = await call;
  await worker.settled(page);
  const [first, again, ...more] = worker.all('download');
  assert.equal(task.id, 'one');
  assert.deepEqual([first.boot, again.boot, more], ['boot-1', 'boot-2', []]);
  assert.deepEqual(again.message, first.message, 'the same call, token and all');
  assert.notEqual(first.message.call.token, undefined);
});

test('several calls in flight are all asked again, each answered as its own', async (t) => {
  const { worker, newPage } = startWorld(t, { timers: true });
  const session = await newPage().open();
  await worker.next('hello');
  worker.answer('task', (call) => (worker.boot === 'boot-1' ? SWALLOW : { task: { id: call.id, state: 'paused' } }));
  const calls = ['a', 'b', 'c'].map((id) => session.task(id));
  await worker.next('task', { count: 3 });
  worker.kill();
  assert.deepEqual((await Promise.all(calls)).map(({ id }) => id), ['a', 'b', 'c']);
});

test('a call outlives several workers', async (t) => {
  const { worker, newPage } = startWorld(t, { timers: true });
  const page = newPage();
  const session = await page.open();
  await worker.next('hello');
  worker.answer('history', () => (worker.boot === 'boot-4' ? { events: [] } : SWALLOW));
  const call = session.history();
  for (const boot of ['boot-1', 'boot-2', 'boot-3']) {
    while (worker.received.findLast(({ message }) => message.call?.type === 'history')?.boot !== boot) await once(worker, 'received');
    await worker.settled(page);
    worker.kill();
  }
  assert.deepEqual(await call, []);
});

test('a worker that dies before the page has heard of it leaves no call unanswered', async (t) => {
  const { worker, newPage } = startWorld(t, { timers: true });
  await newPage().open('other');
  await worker.next('hello');
  worker.answer('open', () => (worker.boot === 'boot-1' ? SWALLOW : { version: 1 }));
  const page = newPage();
  const opened = page.open();
  await worker.next('open', { page });
  worker.kill();
  await worker.start();
  await worker.settled(page);
  t.mock.timers.tick(5_000);
  await opened;
});

test('a call that its worker is slow to answer is not asked again', async (t) => {
  const { worker, newPage } = startWorld(t, { timers: true });
  const page = newPage();
  const session = await page.open();
  await worker.settled(page);
  worker.answer('history', () => SWALLOW);
  session.history().catch(() => {});
  await worker.next('history');
  t.mock.timers.tick(60_000);
  await worker.settled(page);
  assert.equal(worker.all('history').length, 1);
});

test('a worker that boots before its predecessor\'s lock is seen to be free is asked too', async (t) => {
  const { locks, worker, newPage } = startWorld(t, { timers: true });
  const page = newPage();
  const session = await page.open();
  await worker.settled(page);
  worker.answer('history', () => SWALLOW);
  const call = session.history();
  await worker.next('history');
  worker.answer('history', () => ({ events: [] }));
  const lock = `longhaul:${worker.scope}:2`;
  await locks.take(lock, 'next');
  page.deliver({ longhaul: 1, type: 'boot', boot: '2', lock });
  assert.deepEqual(await call, []);
});

test('a call that no worker received is sent again after five seconds', async (t) => {
  const { worker, newPage } = startWorld(t, { timers: true });
  worker.starts = false;
  const opened = newPage().open();
  await once(worker, 'lost');
  worker.starts = true;
  t.mock.timers.tick(4_999);
  assert.equal(worker.received.length, 0);
  t.mock.timers.tick(1);
  await opened;
});

test('an aborted signal: before, the worker is not asked; during, the call ends and is not asked again', async (t) => {
  const { worker, newPage } = startWorld(t, { timers: true });
  const page = newPage();
  const session = await page.open();
  await worker.next('hello');
  await rejectsWith(page, session.download('/f.bin', { signal: AbortSignal.abort() }), 'aborted');
  await worker.settled(page);
  assert.equal(worker.all('download').length, 0);

  worker.answer('download', () => SWALLOW);
  const controller = new AbortController();
  const call = session.download('/f.bin', { signal: controller.signal });
  await worker.next('download');
  controller.abort();
  await rejectsWith(page, call, 'aborted');
  worker.kill();
  await worker.start();
  await worker.settled(page);
  assert.equal(worker.all('download').length, 1);
});

test('a signal that is aborted after the answer does nothing', async (t) => {
  const { newPage } = startWorld(t);
  const session = await newPage().open();
  const controller = new AbortController();
  const task = await session.download('/f.bin', { id: 'one', signal: controller.signal });
  controller.abort();
  assert.equal(task.id, 'one');
});

test('an error is a LonghaulError with the code, status and detail of the worker', async (t) => {
  const { worker, newPage } = startWorld(t);
  const page = newPage();
  const session = await page.open();
  worker.answer('history', () => ({ code: 'http-status', message: 'No. (HTTP 404: gone)', retry: false, status: 404, detail: 'gone' }));
  const error = await rejectsWith(page, session.history(), 'http-status');
  assert.deepEqual([error.name, error.status, error.detail, error.retry], ['LonghaulError', 404, 'gone', false]);
  assert.equal(error.message, 'No. (HTTP 404: gone)');
});

test('a worker of another version refuses the call: protocol-mismatch', async (t) => {
  const { worker, newPage } = startWorld(t);
  const page = newPage();
  worker.answer('open', () => ({ code: 'protocol-mismatch' }));
  const error = await rejectsWith(page, page.open(), 'protocol-mismatch');
  assert.match(error.message, /Reload/);
});

test('what cannot be sent is a bad argument, and does not disturb the other calls', async (t) => {
  const { worker, newPage } = startWorld(t, { timers: true });
  const page = newPage();
  const session = await page.open();
  await worker.next('hello');
  worker.answer('history', () => (worker.boot === 'boot-1' ? SWALLOW : { events: [] }));
  await rejectsWith(page, session.download('/f.bin', { id: () => {} }), 'bad-argument');
  await rejectsWith(page, session.history({ before: () => {} }), 'bad-argument');
  await rejectsWith(page, session.download('/f.bin', { metadata: 1n }), 'bad-argument');
  await rejectsWith(page, session.download('https://'), 'bad-argument');
  await rejectsWith(page, session.download('ftp://app.example/f.bin'), 'unsupported-scheme');
  const call = session.history();
  await worker.next('history');
  worker.kill();
  assert.deepEqual(await call, []);
});

test('what was released by a worker that died before it answered counts as released', async (t) => {
  const { worker, newPage } = startWorld(t, { timers: true });
  const session = await newPage().open();
  const task = await session.download('/f.bin', { id: 'one' });
  await worker.next('hello');
  worker.answer('release', () => (worker.boot === 'boot-1' ? SWALLOW : { code: 'task-not-found' }));
  const released = task.release();
  await worker.next('release');
  worker.tasks.delete('one');
  worker.kill();
  await released;
});

test('a session that the browser has thrown away is opened anew, and what was asked is asked again', async (t) => {
  const { worker, newPage } = startWorld(t);
  const session = await newPage().open('podcasts', { configuration: { version: 3 } });
  let isThere = false;
  worker.answer('open', () => ((isThere = true), {}));
  worker.answer('history', () => (isThere ? { events: [] } : { code: 'session-not-open' }));
  assert.deepEqual(await Promise.all([session.history(), session.history()]), [[], []]);
  const opened = worker.all('open').map(({ message }) => message.call.version);
  assert.deepEqual(opened, [3, 3], 'once at first, and once anew for both');
  worker.answer('task', () => ({ code: 'session-not-open' }));
  await assert.rejects(session.task('f'), { code: 'session-not-open' }, 'it is not tried for ever');
});

test('whatever a worker without longhaul says on the port of a call, the call is rejected', async (t) => {
  const { worker, newPage } = startWorld(t);
  const page = newPage();
  const session = await page.open();
  for (const raw of [null, undefined, 7, 'pong', [], {}, { ok: 1 }, { ok: true }, { ok: true, answer: null }, { ok: false }, { ok: false, error: 'no' }]) {
    worker.answer('task', () => ({ raw }));
    await rejectsWith(page, session.task('one'), 'protocol-mismatch');
  }
});

test('a call of a page whose registration was removed is rejected, whatever its worker was doing', async (t) => {
  const { worker, newPage } = startWorld(t, { timers: true });
  const page = newPage();
  const session = await page.open();
  await worker.settled(page);
  worker.answer('history', () => SWALLOW);
  const [before] = [session.history(), await worker.next('history')];
  const redundant = { state: 'redundant', postMessage() {} };
  for (const active of [null, redundant]) {
    page.registration.active = active;
    const after = session.tasks();
    t.mock.timers.tick(5_000);
    await rejectsWith(page, after, 'no-service-worker');
  }
  await rejectsWith(page, before, 'no-service-worker');
});
