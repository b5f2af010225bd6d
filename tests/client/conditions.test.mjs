// The surroundings, as pages see them and apps know them, reach each worker; and what sessions may do is changed.
import assert from 'node:assert/strict';
import { startWorld, test } from './support.mjs';

async function open(t, navigator) {
  const world = startWorld(t, { timers: true });
  const page = world.newPage(navigator);
  const session = await page.open();
  // Once for the answer to its first hello, once for that to the hello which that brings.
  await world.worker.settled(page);
  await world.worker.settled(page);
  const told = () => world.worker.all('conditions', page).map(({ message: { longhaul, type, ...fields } }) => fields);
  const settled = () => world.worker.settled(page);
  return { ...world, page, session, told, settled };
}

const connection = (fields) => Object.assign(new EventTarget(), fields);

test('each worker is told once, when it is met', async (t) => {
  const { worker, page, told, settled } = await open(t);
  assert.deepEqual(told(), [{ visible: true }]);
  worker.kill();
  await worker.start();
  await settled();
  assert.deepEqual(told(), [{ visible: true }, { visible: true }]);
  const order = worker.received.filter((entry) => entry.page === page && entry.boot === 'boot-2').map(({ message }) => message.type);
  assert.deepEqual(order.slice(0, 2), ['conditions', 'hello'], 'before it attaches');
});

test('what a connection tells of its kind', async (t) => {
  const kinds = [
    [{ type: 'cellular' }, true],
    [{ type: 'wifi', saveData: true }, true],
    [{ saveData: true }, true],
    [{ type: 'wifi', saveData: false }, false],
    [{ type: 'ethernet' }, false],
    [{ type: 'bluetooth' }, undefined],
    [{ effectiveType: '4g' }, undefined],
  ];
  const { newPage, worker } = startWorld(t);
  for (const [fields, metered] of kinds) {
    const page = newPage({ connection: connection(fields) });
    await page.open();
    assert.equal((await worker.next('conditions', { page })).message.metered, metered, JSON.stringify(fields));
  }
});

test('a change of the network, the battery, or the app\'s own knowledge is told', async (t) => {
  const network = connection({ type: 'wifi' });
  const battery = connection({ charging: true });
  const { session, told, settled } = await open(t, { connection: network, getBattery: async () => battery });
  assert.deepEqual(told().at(-1), { visible: true, metered: false, charging: true });
  network.type = 'cellular';
  network.dispatchEvent(new Event('change'));
  battery.charging = false;
  battery.dispatchEvent(new Event('chargingchange'));
  await settled();
  assert.deepEqual(told().slice(-2), [
    { visible: true, metered: true, charging: true },
    { visible: true, metered: true, charging: false },
  ]);
  session.setConditions({ idle: true });
  session.setConditions({ metered: false });
  session.setConditions({ idle: undefined, metered: undefined });
  await settled();
  assert.deepEqual(told().slice(-3), [
    { visible: true, metered: true, charging: false, idle: true },
    { visible: true, metered: false, charging: false, idle: true },
    { visible: true, metered: true, charging: false },
  ]);
});

test('a battery that may not be looked at is none', async (t) => {
  const { page, told } = await open(t, { getBattery: () => Promise.reject(new Error('not allowed')) });
  assert.deepEqual([told(), page.reported], [[{ visible: true }], []]);
});

test('a page that comes into sight tells so and wakes; one that goes out of it only tells', async (t) => {
  const { worker, page, told, settled } = await open(t);
  page.show(false);
  await settled();
  assert.deepEqual([told().at(-1), worker.all('wake').length], [{ visible: false }, 0]);
  page.show(true);
  await settled();
  assert.deepEqual([told().at(-1), worker.all('wake').length], [{ visible: true }, 1]);
});

test('a dead worker is started by what may be good news, not by a page that goes out of sight', async (t) => {
  const network = connection({ type: 'cellular' });
  const { worker, page, told, settled } = await open(t, { connection: network });
  worker.kill();
  await settled();
  page.show(false);
  await settled();
  assert.deepEqual([worker.boot, told().length], [undefined, 1]);
  network.type = 'wifi';
  network.dispatchEvent(new Event('change'));
  await worker.next('wake');
  await settled();
  assert.deepEqual([worker.boot, told().at(-1)], ['boot-2', { visible: false, metered: false }]);
});

test('a page without a session tells nothing; one that attaches again tells again', async (t) => {
  const { worker, page, session, told, settled } = await open(t);
  session.detach();
  page.show(false);
  page.show(true);
  await settled();
  assert.deepEqual([told().length, worker.all('wake').length], [1, 0]);
  await page.open();
  await settled();
  assert.equal(told().length, 2);
  await page.open('news');
  await settled();
  assert.equal(told().length, 2, 'the worker knows pages, not sessions');
});

test('what a session may do is said when it is opened, and can be changed', async (t) => {
  const { worker, page } = await open(t);
  const configuration = { version: 3, maxConnectionsPerHost: 4, maxBytesPerSecond: 5_000, metered: 'wait', unknownNetwork: 'allow' };
  const session = await page.open('news', { configuration });
  const { message } = await worker.next('open', { count: 2 });
  const limits = { maxPerHostVisible: 4, maxPerHostHidden: 4, maxBytesPerSecond: 5_000, metered: false, unknownNetwork: true };
  assert.deepEqual(message.call, { type: 'open', session: 'news', version: 3, limits, canAuthorize: false });
  await session.update({ maxConcurrentTasks: 5, maxConnectionsPerHost: { visible: 1, hidden: 3 }, metered: 'allow' });
  const changed = { maxConcurrentTasks: 5, maxPerHostVisible: 1, maxPerHostHidden: 3, metered: true };
  assert.deepEqual((await worker.next('update-session')).message.call, { type: 'update-session', session: 'news', limits: changed });
});
