// A small world in memory for the client: one fake worker, its locks, and pages that close when the test ends.
import assert from 'node:assert/strict';
import { test as nodeTest } from 'node:test';
import { FakeLocks } from './fakes/locks.mjs';
import { Page } from './fakes/page.mjs';
import { FakeWorker } from './fakes/worker.mjs';

export { counts, snapshot, SWALLOW } from './fakes/worker.mjs';

/** A test that fails rather than hangs when a promise of the client is never settled. */
export const test = (name, body) =>
  nodeTest(name, { timeout: 5_000 }, async (t) => {
    // With mock timers nothing else keeps the process alive until then.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {};
    t.after(() => port2.close());
    await body(t);
  });

/** `timers: true` puts the page's timers and its clock into the test's hands (`t.mock.timers.tick`). */
export function startWorld(t, { timers = false } = {}) {
  if (timers) t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1e12 });
  const locks = new FakeLocks();
  const worker = new FakeWorker(locks);
  const pages = [];
  t.after(() => {
    for (const page of pages) page.close();
    worker.kill();
  });
  const newPage = (navigator) => {
    const page = new Page(worker, locks, navigator);
    pages.push(page);
    return page;
  };
  return { locks, worker, newPage };
}

/** Asserts that the promise rejects with a LonghaulError of this code, and returns it. */
export async function rejectsWith(page, promise, code) {
  const { LonghaulError } = page.client;
  const error = await promise.then(() => assert.fail(`expected ${code}, but it resolved`), (reason) => reason);
  assert(error instanceof LonghaulError, `expected a LonghaulError, not ${error?.stack ?? error}`);
  assert.equal(error.code, code);
  return error;
}

/** A promise with its ends. */
export function deferred() {
  const ends = {};
  ends.promise = new Promise((resolve, reject) => Object.assign(ends, { resolve, reject }));
  return ends;
}

/** An event of the session, as the worker posts it. */
export const event = (seq, fields = {}) => ({ seq, type: 'completed', taskId: `task-${seq}`, at: 1, ...fields });
