// The line itself: what is heard, what is ignored, and how a worker that has died or fallen silent is noticed.
import assert from 'node:assert/strict';
import { rejectsWith, snapshot, startWorld, test } from './support.mjs';

test('messages of foreign code are ignored', async (t) => {
  const { worker, newPage } = startWorld(t);
  const page = newPage();
  const session = await page.open();
  const seen = [];
  for (const type of ['task', 'event', 'progress', 'released']) session.addEventListener(type, () => seen.push(type));
  const task = { type: 'task', session: 'podcasts', task: snapshot({ id: 'one' }) };
  for (const data of [null, undefined, 'task', 7, task, { ...task, longhaul: 2 }, { ...task, longhaul: '1' }, { longhaul: 2, type: 'ping' }]) {
    page.deliver(data);
  }
  await worker.settled(page);
  assert.deepEqual(seen, []);
  assert.equal(worker.all('pong').length, 1, 'only the last ping was ours');
  worker.post(page, task);
  await worker.settled(page);
  assert.deepEqual(seen, ['task']);
});

test('messages that lack what they must have reach no session', async (t) => {
  const { worker, newPage } = startWorld(t);
  const page = newPage();
  const handled = [];
  const session = await page.open('podcasts', { onEvent: ({ seq }) => void handled.push(seq), onAuthorize: () => void handled.push('asked') });
  await worker.settled(page);
  const seen = [];
  for (const type of ['task', 'event', 'progress', 'released', 'group', 'alleventsdelivered']) session.addEventListener(type, () => seen.push(type));
  const nonsense = [
    {},
    { type: 'toString' },
    { type: 'boot' },
    { type: 'boot', boot: '9', lock: 9 },
    { type: 'working', working: 'yes' },
    ...[{}, { events: null }, { events: { seq: 1 } }].map((fields) => ({ type: 'events', session: 'podcasts', ...fields })),
    { type: 'observed', session: 'podcasts' },
    { type: 'task', session: 'podcasts', task: null },
    { type: 'progress', session: 'podcasts', tasks: 1 },
    { type: 'group', session: 'podcasts', id: 'map' },
    { type: 'released', session: 'podcasts' },
    { type: 'authorize', session: 'podcasts', id: 'one' },
    { type: 'begin', session: 'podcasts', id: 'one' },
  ];
  for (const message of nonsense) worker.post(page, message);
  await worker.settled(page);
  assert.deepEqual([seen, handled, worker.all('begun')], [[], [], []]);
  assert.equal(session.isDelegate, true);
});

test('another session\'s messages are not this session\'s', async (t) => {
  const { worker, newPage } = startWorld(t);
  const page = newPage();
  const [podcasts, news] = [await page.open('podcasts'), await page.open('news')];
  const seen = [];
  podcasts.addEventListener('released', ({ detail }) => seen.push(`podcasts ${detail}`));
  news.addEventListener('released', ({ detail }) => seen.push(`news ${detail}`));
  worker.post(page, { type: 'released', session: 'news', id: 'one' });
  await worker.settled(page);
  assert.deepEqual(seen, ['news one']);
});

test('the worker of another registration, which announces itself to all pages of the origin, changes nothing', async (t) => {
  const { locks, worker, newPage } = startWorld(t, { timers: true });
  const page = newPage();
  const session = await page.open();
  await worker.settled(page);
  const hellos = worker.all('hello').length;
  const lock = 'longhaul:https://app.example/elsewhere/:7';
  await locks.take(lock, 'other');
  page.deliver({ longhaul: 1, type: 'boot', boot: '7', lock });
  await worker.settled(page);
  assert.equal(worker.all('hello').length, hellos);
  worker.setWorking(true);
  await worker.settled(page);
  worker.kill();
  await worker.next('wake');
  session.detach();
});

test('what the worker of another registration says of a session of the same name is not heard', async (t) => {
  const { worker, newPage } = startWorld(t);
  const page = newPage();
  const session = await page.open();
  const seen = [];
  session.addEventListener('released', ({ detail }) => seen.push(detail));
  page.deliver({ longhaul: 1, type: 'released', session: 'podcasts', id: 'theirs' }, { postMessage() {} });
  worker.post(page, { type: 'released', session: 'podcasts', id: 'ours' });
  await worker.settled(page);
  assert.deepEqual(seen, ['ours']);
});

test('pings are answered, to whoever sent them', async (t) => {
  const { worker, newPage } = startWorld(t);
  const page = newPage();
  await page.open();
  const answers = [];
  page.deliver({ longhaul: 1, type: 'ping' }, { postMessage: (message) => answers.push(message) });
  await worker.settled(page);
  assert.deepEqual(answers, [{ longhaul: 1, type: 'pong' }]);
});

test('hello is said again to each new worker, and live tasks are asked for once', async (t) => {
  const { worker, newPage } = startWorld(t, { timers: true });
  const page = newPage();
  const session = await page.open();
  await worker.next('hello');
  const [live] = [await session.download('/a.bin', { id: 'live' }), await session.download('/b.bin', { id: 'ended' })];
  worker.post(page, { type: 'task', session: 'podcasts', task: snapshot({ id: 'ended', state: 'completed' }) });
  await worker.settled(page);
  worker.kill();
  worker.tasks.set('live', snapshot({ id: 'live', state: 'completed', receivedBytes: 9 }));
  const told = new Promise((resolve) => session.addEventListener('task', ({ detail }) => resolve(detail)));
  await worker.start();
  assert.equal(await told, live);
  assert.deepEqual([live.state, live.receivedBytes], ['completed', 9]);
  await worker.settled(page);
  const { message, boot } = worker.all('hello').at(-1);
  assert.deepEqual([boot, message.session, message.delegate], ['boot-2', 'podcasts', false]);
  assert.deepEqual(worker.all('task').map(({ message }) => message.call.id), ['live']);
});

test('a task that is gone when its worker comes back ends as released, anything else is reported', async (t) => {
  const { worker, newPage } = startWorld(t, { timers: true });
  const page = newPage();
  const session = await page.open();
  const released = [];
  session.addEventListener('released', ({ detail }) => released.push(detail));
  const gone = (await session.download('/a.bin', { id: 'gone' })).finished();
  await worker.next('hello');
  worker.tasks.clear();
  worker.kill();
  await worker.start();
  await rejectsWith(page, gone, 'aborted');
  assert.deepEqual([released, page.reported], [['gone'], []]);
  await session.download('/b.bin', { id: 'there' });
  worker.answer('task', () => ({ code: 'storage' }));
  worker.kill();
  await worker.start();
  await page.untilReported(1);
  assert.equal(page.reported[0].code, 'storage');
});

test('a worker that dies at work is woken at once; one that rests is let rest', async (t) => {
  const { worker, newPage } = startWorld(t, { timers: true });
  const page = newPage();
  await page.open();
  await worker.next('hello');
  await worker.settled(page);
  worker.kill();
  await worker.settled(page);
  assert.equal(worker.all('wake').length, 0);

  await worker.start();
  worker.setWorking(true);
  await worker.settled(page);
  worker.kill();
  assert.equal((await worker.next('wake')).boot, 'boot-3');
});

test('a page that expects pings and hears none wakes the worker', async (t) => {
  const { worker, newPage } = startWorld(t, { timers: true });
  const page = newPage();
  await page.open();
  await worker.next('hello');
  worker.setWorking(true);
  await worker.settled(page);
  const wakesAfter = async (ms) => {
    // Step by step: a timer that comes late is another matter.
    for (let passed = 0; passed < ms; passed += 5_000) t.mock.timers.tick(5_000);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    return worker.all('wake').length;
  };
  assert.equal(await wakesAfter(20_000), 0);
  await worker.settled(page);
  assert.equal(await wakesAfter(25_000), 0, 'it was heard 25 s ago');
  assert.equal(await wakesAfter(5_000), 1);
  assert.equal(await wakesAfter(5_000), 2, 'and again until it is heard');
  worker.setWorking(false);
  await worker.settled(page);
  assert.equal(await wakesAfter(60_000), 2, 'a worker at rest owes no pings');
});

test('back online, or back from the cache of pages, the worker is woken; not once the page has let go', async (t) => {
  const { worker, newPage } = startWorld(t);
  const page = newPage();
  const session = await page.open();
  const show = (persisted) => page.window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted }));
  page.window.dispatchEvent(new Event('online'));
  show(false);
  await worker.settled(page);
  assert.equal(worker.all('wake').length, 1);
  show(true);
  await worker.next('wake', { count: 2 });
  session.detach();
  session.detach();
  page.window.dispatchEvent(new Event('online'));
  await worker.settled(page);
  assert.equal(worker.all('wake').length, 2);
  assert.equal(worker.all('bye').length, 1);
});

test('a page that has let go of all its sessions does not mind silence', async (t) => {
  const { worker, newPage } = startWorld(t, { timers: true });
  const page = newPage();
  const session = await page.open();
  worker.setWorking(true);
  await worker.settled(page);
  session.detach();
  t.mock.timers.tick(60_000);
  await worker.settled(page);
  assert.equal(worker.all('wake').length, 0);
});

test('two pages watch one worker; when it dies, both know', async (t) => {
  const { locks, worker, newPage } = startWorld(t, { timers: true });
  const pages = [newPage(), newPage()];
  await Promise.all(pages.map((page) => page.open()));
  worker.setWorking(true);
  for (const page of pages) await worker.settled(page);
  const lock = `longhaul:${worker.scope}:${worker.boot}`;
  assert.equal(locks.count(lock), 3, 'the worker has it, two wait for it together');
  assert.equal(locks.mode(lock), 'shared');
  worker.kill();
  for (const page of pages) await worker.next('wake', { page });
});

test('the death of a worker that was followed already changes nothing', async (t) => {
  const { locks, worker, newPage } = startWorld(t, { timers: true });
  const page = newPage();
  await page.open();
  worker.setWorking(true);
  await worker.settled(page);
  await worker.start();
  await worker.settled(page);
  locks.drop('boot-1');
  await worker.settled(page);
  assert.equal(worker.all('wake').length, 0);
});
