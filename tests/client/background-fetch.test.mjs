// Background Fetch, the page's part: what it says that it can do, what it refuses at the call, and how it begins.
import assert from 'node:assert/strict';
import { rejectsWith, startWorld, test } from './support.mjs';

const BEGIN = {
  type: 'begin',
  session: 'podcasts',
  id: 'one',
  registration: 'longhaul/1/8/podcastsone',
  url: 'https://app.example/f.bin',
  headers: [['X-Plain', '1']],
  credentials: 'same-origin',
  ranges: ['bytes=0-9', 'bytes=10-19'],
};

/** A page of a browser that has it; `begun` lists what it was asked for, `refuse` is what it throws. */
async function open(t, { has = true } = {}) {
  const world = startWorld(t);
  const begun = [];
  const browser = { refuse: undefined };
  const page = world.newPage();
  const fetch = async (id, requests, options) => {
    if (browser.refuse) throw browser.refuse;
    begun.push({ id, ranges: requests.map(({ headers }) => headers.get('Range')), plain: requests[0].headers.get('X-Plain'), options });
  };
  if (has) page.registration.backgroundFetch = { fetch };
  const session = await page.open();
  world.worker.tasks.set('one', { id: 'one', state: 'running' });
  const answered = async (count = 1) => (await world.worker.next('begun', { count })).message.call;
  return { ...world, page, session, begun, browser, answered };
}

test('the worker is told whether this page can begin one', async (t) => {
  const { worker, page } = await open(t);
  assert.equal((await worker.next('conditions', { page })).message.canBegin, true);
  const other = await open(t, { has: false });
  assert.equal((await other.worker.next('conditions', { page: other.page })).message.canBegin, undefined);
});

test('what the app says of its transport reaches the worker', async (t) => {
  const { worker, session } = await open(t);
  await session.download('/f', { transport: 'background-fetch', downloadUi: { title: 'F' } });
  await session.download('/g', { transport: 'auto' });
  await session.download('/h');
  const specs = worker.all('download').map(({ message }) => message.call.spec);
  assert.deepEqual(specs.map(({ transport, ui }) => [transport, ui]), [['background-fetch', '{"title":"F"}'], ['auto', undefined], [undefined, undefined]]);
});

test('what the browser would not carry is refused at the call, and automatically fetched by the worker', async (t) => {
  const { worker, page, session } = await open(t);
  const cases = [
    [{ headers: { Authorization: 'x' } }, /^headers: the browser would store them/],
    [{ url: 'https://cdn.example/f', headers: { 'X-Plain': '1' }, persistHeaders: true }, /^headers: they need a preflight/],
    [{ headers: { Authorization: 'x' }, persistHeaders: true }, /^headers: they follow redirects/],
    [{ mirrors: ['/other'] }, /^mirrors/],
    [{ redirect: 'error' }, /^redirect/],
    [{ referrerPolicy: 'origin' }, /^referrerPolicy/],
    [{ credentials: 'omit' }, /^credentials/],
    [{ maxBytesPerSecond: 5000 }, /^maxBytesPerSecond/],
    [{ metered: 'wait' }, /^metered/],
  ];
  for (const [{ url = '/f', ...options }, detail] of cases) {
    const error = await rejectsWith(page, session.download(url, { ...options, transport: 'background-fetch' }), 'background-fetch-impossible');
    assert.match(error.detail, detail);
    await session.download(url, { ...options, transport: 'auto' });
    assert.equal(worker.all('download').at(-1).message.call.spec.transport, undefined);
  }
  const fine = { headers: { Accept: 'audio/*' }, transport: 'background-fetch' };
  await session.download('https://cdn.example/f', fine);
  await session.download('/f', { ...fine, headers: { 'X-Plain': '1' }, persistHeaders: true, redirect: 'follow-with-headers' });
  await rejectsWith(page, session.download('/f', { transport: 'carrier-pigeon' }), 'bad-argument');
});

test('a browser without it', async (t) => {
  const { page, session, worker } = await open(t, { has: false });
  await rejectsWith(page, session.download('/f', { transport: 'background-fetch' }), 'background-fetch-impossible');
  await session.download('/f', { transport: 'auto' });
  assert.equal(worker.all('download').at(-1).message.call.spec.transport, undefined);
});

test('asked to, it begins, and says so', async (t) => {
  const { worker, page, begun, answered } = await open(t);
  worker.post(page, { ...BEGIN, ui: '{"icons":[{"src":"/i.png"}]}' });
  const { longhaul, ...call } = await answered();
  assert.deepEqual(call, { type: 'begun', session: 'podcasts', id: 'one', registration: BEGIN.registration });
  const options = { title: 'f.bin', icons: [{ src: '/i.png' }] };
  assert.deepEqual(begun, [{ id: BEGIN.registration, ranges: BEGIN.ranges, plain: '1', options }]);
});

test('a second one waits for a gesture, since the browser would refuse all others after it', async (t) => {
  const { worker, page, begun, answered } = await open(t);
  worker.post(page, BEGIN);
  await answered(1);
  worker.post(page, BEGIN);
  assert.match((await answered(2)).refusal, /gesture/);
  page.window.dispatchEvent(new Event('pointerdown'));
  worker.post(page, BEGIN);
  assert.equal((await answered(3)).refusal, undefined);
  assert.equal(begun.length, 2);
});

test('what the browser says when it refuses is told', async (t) => {
  const { worker, page, browser, answered } = await open(t);
  browser.refuse = new TypeError('no permission');
  worker.post(page, BEGIN);
  assert.equal((await answered()).refusal, 'TypeError: no permission');
});
