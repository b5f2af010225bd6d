// Groups: many members in few calls, one set of counts; and calls about many tasks at a time.
import assert from 'node:assert/strict';
import { counts, rejectsWith, startWorld, SWALLOW, test } from './support.mjs';

async function open(t, options) {
  const world = startWorld(t, options);
  const page = world.newPage();
  const session = await page.open();
  const batches = () => world.worker.all('download-all').map(({ message }) => message.call);
  return { ...world, page, session, batches };
}

const tiles = (count) => Array.from({ length: count }, (_, at) => ({ url: `/tiles/${at}.png`, id: `tile-${at}` }));

test('members are handed over in batches of 256, the last of which says so', async (t) => {
  const { session, batches } = await open(t);
  await session.downloadAll(tiles(600), { group: 'map', failure: 'cancel' });
  assert.deepEqual(batches().map(({ members, last }) => [members.length, last]), [[256, false], [256, false], [88, true]]);
  const { token, members, ...call } = batches()[1];
  assert.deepEqual(call, { type: 'download-all', session: 'podcasts', group: 'map', failsTogether: true, last: false });
  assert.deepEqual([members[0].id, members[0].sources[0].url], ['tile-256', 'https://app.example/tiles/256.png']);
  assert.equal(new Set(batches().map(({ token }) => token)).size, 3);
});

test('a full batch is the last if nothing follows, and a group may be empty', async (t) => {
  const { session, batches } = await open(t);
  await session.downloadAll(tiles(256), { group: 'map' });
  await session.downloadAll([], { group: 'nothing' });
  assert.deepEqual(batches().map(({ members, last, failsTogether }) => [members.length, last, failsTogether]), [
    [256, true, false],
    [0, true, false],
  ]);
});

test('members may come one by one, and nothing waits for more than a batch of them', async (t) => {
  const { session, batches } = await open(t);
  const seen = [];
  async function* slow() {
    for (const tile of tiles(300)) {
      seen.push(batches().length);
      yield tile;
    }
  }
  await session.downloadAll(slow(), { group: 'map' });
  assert.deepEqual([seen[255], seen[256], seen[257]], [0, 0, 1]);
});

test('a member without an id gets one from its URL, always the same', async (t) => {
  const { session, batches } = await open(t);
  const long = `https://app.example/${'x'.repeat(1_100)}`;
  await session.downloadAll([{ url: '/a.png' }, { url: long }], { group: 'map' });
  await session.downloadAll([{ url: long }], { group: 'map' });
  const [[first, second], [again]] = batches().map(({ members }) => members.map(({ id }) => id));
  assert.equal(first, 'https://app.example/a.png');
  assert.match(second, /^sha256:[0-9a-f]{64}$/);
  assert.equal(again, second);
});

test('a member\'s secrets are refused, its stored headers and policies are not', async (t) => {
  const { page, session, batches } = await open(t);
  const headers = { Authorization: 'x' };
  const error = await rejectsWith(page, session.downloadAll([{ url: '/a.png', headers }], { group: 'map' }), 'bad-argument');
  assert.match(error.message, /^headers: authorization .*persistHeaders/);
  assert.deepEqual(batches(), []);
  await session.downloadAll([{ url: '/a.png', headers, persistHeaders: true, priority: 'low' }], { group: 'map' });
  const [member] = batches()[0].members;
  assert.deepEqual([member.headers, member.policy], [[['authorization', 'x']], { priority: 'low' }]);
});

test('a worker that dies in the midst of it is given the batch again', async (t) => {
  const { worker, page, session, batches } = await open(t, { timers: true });
  await worker.settled(page);
  worker.answer('download-all', ({ members }) => (worker.boot === 'boot-1' && members.length < 256 ? SWALLOW : { created: members.length }));
  const done = session.downloadAll(tiles(300), { group: 'map' });
  await worker.next('download-all', { count: 2 });
  worker.kill();
  await done;
  assert.deepEqual(batches().map(({ members }) => members.length), [256, 44, 44]);
  assert.deepEqual(batches()[2], batches()[1], 'the same call, token and all');
});

test('a signal ends the call between two members', async (t) => {
  const { page, session, batches } = await open(t);
  const controller = new AbortController();
  const tried = [];
  function* members() {
    yield* tiles(257);
    controller.abort();
    for (const tile of tiles(100)) {
      tried.push(tile);
      yield tile;
    }
  }
  await rejectsWith(page, session.downloadAll(members(), { group: 'map', signal: controller.signal }), 'aborted');
  assert.equal(tried.length, 1);
  assert.deepEqual(batches().map(({ last }) => last), [false], 'the group stays open');
});

test('the counts are those of the last answer, or asked for', async (t) => {
  const { worker, session } = await open(t);
  worker.answer('download-all', () => ({ created: 2, counts: counts({ active: 2 }) }));
  const group = await session.downloadAll(tiles(2), { group: 'map' });
  assert.deepEqual(group.counts, counts({ active: 2 }));
  assert.equal(worker.all('group').length, 0);
  worker.answer('download-all', () => ({ created: 0 }));
  worker.answer('group', ({ group }) => ({ counts: counts(group === 'map' ? { active: 1, completed: 1 } : {}) }));
  assert.equal(await session.downloadAll(tiles(2), { group: 'map' }), group);
  assert.deepEqual(group.counts, counts({ active: 1, completed: 1 }));
  assert.deepEqual((await session.group('other')).counts, counts({}));
});

test('a group whose counts change brings its one object up to date', async (t) => {
  const { worker, page, session } = await open(t);
  const group = await session.group('map');
  const seen = [];
  session.addEventListener('group', ({ detail }) => seen.push(detail));
  worker.post(page, { type: 'group', session: 'podcasts', id: 'map', counts: counts({ completed: 3 }) });
  worker.post(page, { type: 'group', session: 'podcasts', id: 'other', counts: counts({ failed: 1 }) });
  await worker.settled(page);
  assert.equal(seen[0], group);
  assert.deepEqual([group.counts.completed, seen[1].id, seen[1].counts.total], [3, 'other', 1]);
});

test('pause, resume, cancel and release are about a filter, a group, or the whole session', async (t) => {
  const { worker, session } = await open(t);
  worker.answer('bulk', ({ action }) => ({ count: action.length }));
  const group = await session.group('map');
  const answers = [
    await session.pause(),
    await session.resume({ state: 'failed' }),
    await session.cancel({ state: ['active', 'paused'], tag: 'audio' }),
    await session.release({ group: 'map' }),
    await group.pause(),
    await group.resume(),
    await group.cancel(),
    await group.release(),
  ];
  assert.deepEqual(answers, [5, 6, 6, 7, 5, 6, 6, 7]);
  const bulk = (action, filter = {}) => ({ type: 'bulk', session: 'podcasts', action, ...filter });
  assert.deepEqual(worker.all('bulk').map(({ message }) => message.call), [
    bulk('pause'),
    bulk('resume', { states: ['failed'] }),
    bulk('cancel', { states: ['active', 'paused'], tag: 'audio' }),
    bulk('release', { group: 'map' }),
    ...['pause', 'resume', 'cancel', 'release'].map((action) => bulk(action, { group: 'map' })),
  ]);
});

test('query asks for one page of what agrees with its filter', async (t) => {
  const { worker, session } = await open(t);
  worker.answer('select', () => ({ tasks: [{ id: 'a', state: 'failed' }], next: 'a' }));
  const { tasks, next } = await session.query({ state: 'failed', group: 'map', tag: 'x', limit: 1, after: '0' });
  assert.deepEqual([tasks.map(({ id }) => id), next], [['a'], 'a']);
  const { message } = await worker.next('select');
  const filter = { states: ['failed'], group: 'map', tag: 'x' };
  assert.deepEqual(message.call, { type: 'select', session: 'podcasts', limit: 1, after: '0', ...filter });
});
