// A task as the page holds it: follows the worker's messages, ends its waits, and forgets old news.
import assert from 'node:assert/strict';
import { rejectsWith, snapshot, startWorld, test } from './support.mjs';

async function openTask(t, options = {}) {
  const world = startWorld(t);
  const page = world.newPage();
  const session = await page.open();
  const task = await session.download('/f.bin', { id: 'one', ...options });
  const tell = (fields) => world.worker.post(page, { type: 'task', session: 'podcasts', task: snapshot({ id: 'one', ...fields }) });
  return { ...world, page, session, task, tell };
}

test('finished resolves once the file is there, for those who waited and those who come later', async (t) => {
  const { task, tell } = await openTask(t);
  const waits = [task.finished(), task.finished()];
  tell({ state: 'waiting' });
  tell({ state: 'completed', receivedBytes: 5 });
  assert.deepEqual(await Promise.all(waits), [task, task]);
  assert.equal(await task.finished(), task);
  assert.equal(task.receivedBytes, 5);
});

test('finished rejects when the task fails, with why, and when it is cancelled', async (t) => {
  const { worker, page, task, tell } = await openTask(t);
  const failed = task.finished();
  tell({ state: 'failed', error: { code: 'http-status', message: 'No.', retry: false, status: 410 } });
  assert.equal((await rejectsWith(page, failed, 'http-status')).status, 410);
  await rejectsWith(page, task.finished(), 'http-status');
  assert.equal(task.error.code, 'http-status');

  tell({ state: 'running' });
  await worker.settled(page);
  const cancelled = task.finished();
  tell({ state: 'cancelled' });
  await rejectsWith(page, cancelled, 'aborted');
});

test('a signal ends the waiting only', async (t) => {
  const { page, task, tell } = await openTask(t);
  await rejectsWith(page, task.finished({ signal: AbortSignal.abort() }), 'aborted');
  const controller = new AbortController();
  const aborted = task.finished({ signal: controller.signal });
  const other = task.finished();
  controller.abort();
  await rejectsWith(page, aborted, 'aborted');
  tell({ state: 'completed' });
  assert.equal(await other, task);
});

test('progress moves a running task, gets its known length, and is dropped after the end', async (t) => {
  const { worker, page, session, task, tell } = await openTask(t);
  const seen = [];
  let shown = 0;
  session.addEventListener('progress', ({ detail }) => {
    shown++;
    seen.push(...detail);
  });
  const progress = (id, receivedBytes) =>
    worker.post(page, { type: 'progress', session: 'podcasts', tasks: [{ id, receivedBytes, bytesPerSecond: 1 }] });
  tell({ state: 'running', completeLength: 100 });
  progress('one', 40);
  progress('of another page', 7);
  tell({ state: 'completed', receivedBytes: 100, completeLength: 100 });
  progress('one', 60);
  await worker.settled(page);
  assert.equal(shown, 2, 'and no empty list is shown');
  assert.deepEqual(seen.map(({ id, receivedBytes, completeLength }) => [id, receivedBytes, completeLength]), [
    ['one', 40, 100],
    ['of another page', 7, undefined],
  ]);
  assert.equal(task.receivedBytes, 100);
});

test('one Task per id: calls and messages bring the same object up to date, until it is released', async (t) => {
  const { worker, page, session, task, tell } = await openTask(t);
  worker.tasks.set('one', snapshot({ id: 'one', state: 'paused' }));
  assert.equal(await session.task('one'), task);
  assert.equal(task.state, 'paused');
  assert.equal(await session.task('nobody'), undefined);
  assert.equal(await task.resume(), task);
  tell({ state: 'completed' });
  const released = [];
  session.addEventListener('released', ({ detail }) => released.push(detail));
  worker.post(page, { type: 'released', session: 'podcasts', id: 'one' });
  await worker.settled(page);
  assert.deepEqual(released, ['one']);
  assert.notEqual(await session.task('one'), task);
});

test('tasks() asks page by page', async (t) => {
  const { worker, session, task } = await openTask(t);
  const pages = { start: { tasks: [snapshot({ id: 'one' })], next: 'one' }, one: { tasks: [snapshot({ id: 'two' })] } };
  worker.answer('select', ({ after = 'start' }) => pages[after]);
  const all = await session.tasks();
  assert.deepEqual(all.map(({ id }) => id), ['one', 'two']);
  assert.equal(all[0], task);
});

test('a task shows what its answer said', async (t) => {
  const { worker, page, task, tell } = await openTask(t);
  assert.deepEqual([task.answer, task.fileName, task.verdict], [undefined, undefined, { resumability: 'unknown', reason: undefined }]);
  const answer = { status: 206, finalUrl: 'https://cdn.example/f', headers: [['x-version', '7']] };
  const verdict = { resumability: 'resumable-by-comparison', resumabilityReason: 'date-and-length' };
  tell({ answer, fileName: 'a.mp3', ...verdict, segments: 3, hasPreviousFile: true, description: 'A file', metadata: '{"a":[1]}' });
  await worker.settled(page);
  assert.deepEqual([task.answer, task.fileName, task.segments, task.hasPreviousFile], [answer, 'a.mp3', 3, true]);
  assert.deepEqual(task.verdict, { resumability: 'resumable-by-comparison', reason: 'date-and-length' });
  assert.deepEqual([task.metadata, task.description], [{ a: [1] }, 'A file']);
});

test('explain gives what the worker says of the wait, and learns the rest', async (t) => {
  const { worker, task } = await openTask(t);
  assert.equal(await task.explain(), undefined);
  const explanation = { reason: 'retry', since: 5, until: 9, sentence: 'An attempt failed.' };
  worker.answer('task', () => ({ task: snapshot({ id: 'one', state: 'waiting', reason: 'retry' }), explanation }));
  assert.deepEqual(await task.explain(), explanation);
  assert.equal(task.state, 'waiting');
});

test('cancel ends the task, or keeps its bytes for whoever has the resume data', async (t) => {
  const { worker, task } = await openTask(t);
  const data = new Uint8Array([1, 2]).buffer;
  worker.answer('cancel', ({ keep }) => ({ task: snapshot({ id: 'one', state: 'cancelled' }), ...keep && { resumeData: data } }));
  assert.equal(await task.cancel(), task);
  assert.deepEqual(await task.cancel({ resumeData: true }), data);
  assert.deepEqual(worker.all('cancel').map(({ message }) => message.call.keep), [false, true]);
  worker.answer('cancel', () => ({ task: snapshot({ id: 'one', state: 'cancelled' }) }));
  assert.equal(await task.cancel({ resumeData: true }), undefined, 'no byte was there');
});

test('a paused task hands over its bytes and stays', async (t) => {
  const { worker, task } = await openTask(t);
  const data = new Uint8Array([1, 2]).buffer;
  worker.answer('resume-data', () => ({ task: snapshot({ id: 'one', state: 'paused' }), resumeData: data }));
  assert.deepEqual(await task.resumeData(), data);
  assert.equal(task.state, 'paused');
});
