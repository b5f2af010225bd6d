// Between two versions of the worker: a message to the older one, which has just let go, would start it once more, and
// the newer one would wait for that life, too.
import assert from 'node:assert/strict';
import { SWALLOW, snapshot, startWorld, test } from './support.mjs';

/** A page whose worker is at work on a call, and ends while another one waits in its registration. */
async function letGo(t) {
  const { worker, newPage } = startWorld(t, { timers: true });
  const page = newPage();
  const session = await page.open();
  worker.setWorking(true);
  await worker.settled(page);
  worker.answer('task', () => SWALLOW);
  const asked = session.task('one');
  await worker.next('task');
  await worker.settled(page);
  const waiting = Object.assign(new EventTarget(), { state: 'installed' });
  page.registration.waiting = waiting;
  worker.answer('task', () => ({ task: snapshot({ id: 'one' }) }));
  const calls = worker.received.length;
  worker.kill();
  await worker.settled(page);
  const posted = () => worker.received.slice(calls).map(({ message }) => message.call?.type ?? message.type).filter((type) => type !== 'pong');
  return { worker, page, session, asked, waiting, posted };
}

test('nothing is posted until the newer one is becoming active, which is then asked again', async (t) => {
  const { worker, page, session, asked, waiting, posted } = await letGo(t);
  page.window.dispatchEvent(new Event('online'));
  const late = session.task('one');
  t.mock.timers.tick(4_999);
  await worker.settled(page);
  assert.deepEqual(posted(), []);
  page.registration.waiting = null;
  waiting.dispatchEvent(new Event('statechange'));
  assert.deepEqual([(await asked).id, (await late).id], ['one', 'one']);
  await worker.next('wake');
});

test('one that waits for something else is not waited for', async (t) => {
  const { worker, page, asked, waiting, posted } = await letGo(t);
  t.mock.timers.tick(4_999);
  await worker.settled(page);
  assert.deepEqual(posted(), []);
  t.mock.timers.tick(1);
  assert.equal((await asked).id, 'one');
  await worker.next('wake');
  await worker.settled(page);
  const count = posted().length;
  waiting.dispatchEvent(new Event('statechange'));
  await worker.settled(page);
  assert.equal(posted().length, count, 'what came too late changes nothing');
});

test('a worker that speaks is answered at once, whichever it is', async (t) => {
  const { worker, session, asked, posted } = await letGo(t);
  const late = session.task('one');
  await worker.start();
  assert.deepEqual([(await asked).id, (await late).id], ['one', 'one']);
  assert(posted().includes('hello'));
});

test('a worker that rests, and is stopped for that, is called again at once', async (t) => {
  const { worker, newPage } = startWorld(t, { timers: true });
  const page = newPage();
  const session = await page.open();
  await worker.settled(page);
  page.registration.waiting = Object.assign(new EventTarget(), { state: 'installed' });
  worker.kill();
  await worker.settled(page);
  assert.equal(await session.task('none'), undefined);
});
