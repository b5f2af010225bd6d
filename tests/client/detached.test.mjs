// A session that was let go of: what would wait for its events, or make tasks that are heard of no more, is refused.
import assert from 'node:assert/strict';
import { rejectsWith, snapshot, startWorld, SWALLOW, test } from './support.mjs';

test('a detached session makes no tasks, and its calls say why', async (t) => {
  const { worker, newPage } = startWorld(t);
  const page = newPage();
  const session = await page.open();
  const task = await session.download('/f.bin', { id: 'one' });
  const group = await session.group('all');
  await worker.settled(page);
  session.detach();
  const before = worker.received.length;
  const calls = [
    () => session.download('/g.bin'),
    () => session.resumeFrom(new ArrayBuffer(8), '/g.bin'),
    () => session.downloadAll([{ url: '/g.bin' }], { group: 'all' }),
    () => session.query(),
    () => session.pause(),
    () => session.update({ maxConcurrentTasks: 1 }),
    () => task.pause(),
    () => task.release(),
    () => group.cancel(),
  ];
  for (const call of calls) await rejectsWith(page, call(), 'session-detached');
  await worker.settled(page);
  const types = worker.received.slice(before).map(({ message }) => message.call?.type ?? message.type);
  assert.deepEqual(types, ['bye', 'pong']);
});

test('what waits for a task of a session that is detached meanwhile is told so, and what has ended stays ended', async (t) => {
  const { worker, newPage } = startWorld(t);
  const page = newPage();
  const session = await page.open();
  const running = await session.download('/f.bin', { id: 'running' });
  worker.tasks.set('done', snapshot({ id: 'done', state: 'completed' }));
  const done = await session.task('done');
  worker.answer('move', () => ({ task: snapshot({ id: 'done', state: 'completed', file: 'moving' }) }));
  const moved = done.file().moveTo({ cache: 'c' });
  const finished = running.finished();
  await worker.next('move');
  await worker.settled(page);
  session.detach();
  await rejectsWith(page, finished, 'session-detached');
  await rejectsWith(page, moved, 'session-detached');
  await rejectsWith(page, running.finished(), 'session-detached');
  assert.equal(await done.finished(), done);
});

test('a file of a detached session can be read on', async (t) => {
  const { worker, newPage } = startWorld(t);
  const page = newPage();
  const session = await page.open();
  worker.tasks.set('done', snapshot({ id: 'done', state: 'completed', completeLength: 3 }));
  const task = await session.task('done');
  worker.answer('chunk', ({ offset }) =>
    offset < 3 ? { chunk: new Uint8Array([1, 2, 3]).buffer, start: 0, length: 3, body: 'b' } : { start: 3, length: 0, body: 'b' },
  );
  session.detach();
  assert.equal((await task.file().blob()).size, 3);
});

test('a session that is detached while it is opened anew stays detached', async (t) => {
  const { worker, newPage } = startWorld(t);
  const page = newPage();
  const session = await page.open();
  await worker.settled(page);
  worker.answer('history', () => ({ code: 'session-not-open' }));
  worker.answer('open', () => SWALLOW);
  const call = session.history();
  await worker.next('open', { count: 2 });
  session.detach();
  worker.kill();
  worker.answer('open', () => ({ version: 1 }));
  const hellos = worker.all('hello').length;
  await rejectsWith(page, call, 'session-not-open');
  await worker.settled(page);
  assert.equal(worker.all('hello').length, hellos);
});
