// What a page does so that downloads go on without it, and when it tells the worker that things may be better.
import assert from 'node:assert/strict';
import { startWorld, test } from './support.mjs';

async function open(t, { hasSync = true, navigator, ...options } = {}) {
  const { worker, newPage } = startWorld(t, { timers: true });
  worker.hasSync = hasSync;
  const page = newPage(navigator);
  const session = await page.open('podcasts', options);
  const settled = () => worker.settled(page);
  await settled();
  await settled();
  const work = async (isWorking, next) => {
    worker.setWorking(isWorking, next);
    await settled();
  };
  /** So much time passes, as it does: no timer comes late. */
  const pass = async (ms) => {
    for (let passed = 0; passed < ms; passed += 5_000) t.mock.timers.tick(5_000);
    await settled();
  };
  const kicks = () => worker.all('wake').length;
  return { worker, page, session, settled, work, pass, kicks };
}

test('a sync is registered when work begins, and again while there is work', async (t) => {
  const { worker, work, pass } = await open(t);
  await pass(120_000);
  assert.deepEqual(worker.syncs, []);
  await work(true);
  assert.deepEqual(worker.syncs, [['longhaul']]);
  await pass(55_000);
  await work(true);
  assert.equal(worker.syncs.length, 1);
  await pass(5_000);
  assert.equal(worker.syncs.length, 2);
  await work(false);
  await pass(120_000);
  assert.equal(worker.syncs.length, 2);
});

test('a page that goes out of sight registers at once, if there is work', async (t) => {
  const { worker, page, work, session, settled } = await open(t);
  page.show(false);
  page.show(true);
  await work(true);
  page.show(false);
  await settled();
  assert.equal(worker.syncs.length, 2);
  page.show(true);
  session.detach();
  page.show(false);
  await settled();
  assert.equal(worker.syncs.length, 2, 'who has let go of all sessions does not care');
});

test('what is due later is left to the page that is open then, and to a sync if none is', async (t) => {
  const { worker, page, work, session, pass } = await open(t);
  const due = () => worker.all('due').length;
  await work(false, Date.now() + 600_000);
  await pass(595_000);
  assert.deepEqual([due(), worker.syncs.length], [0, 0], 'nothing is to be done before');
  page.show(false);
  await worker.settled(page);
  assert.equal(worker.syncs.length, 1, 'perhaps it is being closed');
  worker.kill();
  await pass(10_000);
  assert.equal(worker.boot, 'boot-2');
  assert.equal(due(), 1);
  await pass(70_000);
  assert.equal(due(), 2, 'a worker that has heard of it says when the next time is');
  await work(false, Date.now() + 600_000);
  session.detach();
  await pass(700_000);
  assert.equal(due(), 2, 'who has let go of all sessions does not care');
  assert.equal(worker.syncs.length, 1);
});

test('a browser without Background Sync, or one that refuses, does without', async (t) => {
  for (const hasSync of [false, null]) {
    const { worker, page, work } = await open(t, { hasSync, periodicSync: { minInterval: 1 } });
    await work(true);
    assert.deepEqual([worker.syncs, page.reported], [[], []]);
    t.mock.timers.reset();
  }
});

test('periodic sync is asked for by who wants it', async (t) => {
  const { worker } = await open(t, { periodicSync: { minInterval: 86_400_000 } });
  assert.deepEqual(worker.syncs, [['longhaul', { minInterval: 86_400_000 }]]);
});

test('another network tells the worker that things may be better', async (t) => {
  const connection = Object.assign(new EventTarget(), { type: 'cellular' });
  const { worker, settled, kicks } = await open(t, { navigator: { connection } });
  connection.type = 'wifi';
  connection.dispatchEvent(new Event('change'));
  await settled();
  assert.equal(kicks(), 1);
  const order = worker.received.map(({ message }) => message.type).filter((type) => ['conditions', 'wake'].includes(type));
  assert.deepEqual(order.slice(-2), ['conditions', 'wake'], 'what it is comes first');
});

test('a timer that comes much too late tells that everything stood still', async (t) => {
  const { page, work, settled, pass, kicks } = await open(t);
  const jump = async (ms) => {
    t.mock.timers.setTime(Date.now() + ms);
    await pass(5_000);
    return kicks();
  };
  assert.equal(await jump(600_000), 0, 'without work there is nobody to be told');
  await work(true);
  assert.equal(await jump(14_000), 0);
  assert.equal(await jump(16_000), 1);
  page.show(false);
  await settled();
  assert.equal(await jump(16_000), 1, 'out of sight timers wait anyway');
});
