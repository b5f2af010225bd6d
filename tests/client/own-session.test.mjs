// A session in the worker itself: the same calls as a page's, told to the component at once.
import assert from 'node:assert/strict';
import { start } from './fakes/component.mjs';
import { event, snapshot, test } from './support.mjs';

const turn = () => new Promise(setImmediate);
const running = (fields) => snapshot({ sources: [], id: 'one', ...fields });
const completed = { type: 'task', session: 'podcasts', task: running({ state: 'completed' }) };

/** A worker in which the session "podcasts" is open. */
async function open(options) {
  const worker = await start(options);
  const opening = worker.longhaul.openSession('podcasts', { version: 2, maxConcurrentTasks: 3 });
  await turn();
  worker.answer('open', { version: 2 });
  const session = await opening;
  await turn();
  return { ...worker, session };
}

/** A task of the session. */
async function begin(worker, url = '/f.bin') {
  const made = worker.session.download(url, { id: 'one' });
  await turn();
  worker.answer('download', { task: running(), created: true });
  return made;
}

test('opening tells the component what a page would, and attaches as one that watches', async () => {
  const { of, session, longhaul, answer } = await open();
  const [[, call]] = of('call');
  assert.deepEqual(call, { type: 'open', session: 'podcasts', version: 2, limits: { maxConcurrentTasks: 3 }, canAuthorize: false });
  assert.deepEqual(of('hello'), [['', 'podcasts', false, false]]);
  const again = longhaul.openSession('podcasts');
  await turn();
  answer('open', { version: 2 });
  assert.equal(await again, session, 'one object for one identifier');
});

test('a session that two handlers have opened is let go of when both have let go, also while it is being opened', async () => {
  const worker = await open();
  const { of, session, longhaul, answer } = worker;
  const again = longhaul.openSession('podcasts');
  await turn();
  session.detach();
  answer('open', { version: 2 });
  assert.equal(await again, session);
  const refused = longhaul.openSession('podcasts', { version: 1 });
  await turn();
  answer('open', { code: 'version-too-low' }, false);
  await assert.rejects(refused, { code: 'version-too-low' });
  assert.equal((await begin(worker)).id, 'one', 'the other handler uses it on');
  assert.deepEqual(of('bye'), []);
  session.detach();
  await turn();
  assert.deepEqual(of('bye'), [['', 'podcasts']]);
  await assert.rejects(session.download('/f.bin'), { code: 'session-detached' });
  const next = longhaul.openSession('podcasts');
  await turn();
  answer('open', { version: 2 });
  assert.notEqual(await next, session);
});

test('a download is made, shown, finished and read without a page', async () => {
  const worker = await open();
  const task = await begin(worker);
  const [, { spec, ifExists }] = worker.of('call').at(-1);
  assert.deepEqual([spec.sources[0].url, ifExists], ['https://app.example/f.bin', 'keep']);
  const finished = task.finished();
  worker.host().post('', { ...completed, session: 'other' });
  assert.equal(task.state, 'running', 'another session is none of its business');
  worker.host().post('', completed);
  assert.equal(await finished, task);
  const blob = task.file().blob();
  await turn();
  worker.answer('chunk', { chunk: new Blob(['abc']), start: 0, length: 3, contentType: 'text/plain' });
  await new Promise((resolve) => setTimeout(resolve));
  worker.answer('chunk', { start: 3, length: 0, contentType: 'text/plain' });
  assert.equal(await (await blob).text(), 'abc');
});

test('its events are seen as they come; who handles them is another matter', async () => {
  const { session, host, of } = await open();
  const seen = [];
  session.addEventListener('event', ({ detail }) => seen.push(detail.seq));
  host().post('', { type: 'observed', session: 'podcasts', event: event(7) });
  assert.deepEqual([seen, of('ack')], [[7], []]);
});

test('errors have their code, and a signal ends the call only', async () => {
  const { session, answer } = await open();
  const refused = session.download('/f.bin');
  await turn();
  answer('download', { code: 'quota-exceeded' }, false);
  await assert.rejects(refused, { name: 'LonghaulError', code: 'quota-exceeded' });
  await assert.rejects(session.download('/f.bin', { signal: AbortSignal.abort() }), { code: 'aborted' });
  const controller = new AbortController();
  const aborted = session.download('/f.bin', { signal: controller.signal });
  await turn();
  controller.abort();
  await assert.rejects(aborted, { code: 'aborted' });
  answer('download', { task: running(), created: true });
});

test('calls are answered when the component is gone, and a crash is got over', async (t) => {
  const worker = await open();
  const task = await begin(worker);
  const finished = task.finished();
  const call = worker.session.tasks();
  await turn();
  worker.host().stopped('fenced', '');
  await assert.rejects(call, { code: 'component-failed', retry: true });

  t.mock.timers.enable({ apis: ['setTimeout'] });
  await worker.dispatch('push');
  worker.scope.dispatchEvent(Object.assign(new Event('error'), { error: new WebAssembly.RuntimeError('unreachable') }));
  t.mock.timers.tick(1_000);
  await turn();
  assert.deepEqual(worker.of('hello').at(-1), ['', 'podcasts', false, false], 'it attaches to the next component');
  worker.answer('task', { task: running({ state: 'completed' }) });
  assert.equal(await finished, task);
});

test('what is begun in an event of the app goes on when the app has let go of that', async () => {
  const worker = await open();
  worker.scope.addEventListener('push', (push) => push.waitUntil(begin(worker)));
  const push = await worker.dispatch('push');
  await turn();
  const wakes = worker.of('wake').map(([wake]) => wake);
  assert.equal(wakes.length, 2, 'the event itself, and what was begun in it');
  worker.host().settle(wakes[0]);
  await turn();
  assert.equal(push.isOpen, true);
  worker.host().settle(wakes[1]);
  await turn();
  assert.equal(push.isOpen, false);
});

test('outside of events a call holds nothing, and is made all the same', async () => {
  const worker = await open();
  await begin(worker);
  assert.deepEqual(worker.of('wake'), []);
});
