// A server wants to know who asks: the page that can answer says so, is asked, and answers by a call.
import assert from 'node:assert/strict';
import { deferred, rejectsWith, startWorld, SWALLOW, test } from './support.mjs';

const ASK = { type: 'authorize', session: 'podcasts', id: 'one', url: 'https://files.example/f.bin' };

async function open(t, onAuthorize) {
  const world = startWorld(t);
  const page = world.newPage();
  world.worker.tasks.set('one', { id: 'one', state: 'waiting', url: ASK.url });
  const asked = [];
  const session = await page.open('podcasts', {
    onAuthorize: (request) => {
      asked.push(request);
      return onAuthorize(request);
    },
  });
  const answers = () => world.worker.all('authorize').map(({ message }) => message.call);
  return { ...world, page, session, asked, answers };
}

test('only a page that can supply headers says so', async (t) => {
  const { worker, newPage } = await open(t, () => undefined);
  assert.equal((await worker.next('hello')).message.canAuthorize, true);
  assert.equal(worker.all('open')[0].message.call.canAuthorize, true, 'durably, for when no page is open');
  const other = newPage();
  await other.open();
  assert.equal((await worker.next('hello', { page: other })).message.canAuthorize, false);
  worker.post(other, ASK);
  await worker.settled(other);
  assert.deepEqual([worker.all('authorize').length, other.reported], [0, []]);
});

test('it is asked with the task and the status, and its answer is a call', async (t) => {
  const { worker, page, asked, answers } = await open(t, async ({ status }) =>
    status ? { headers: { Authorization: 'new' }, url: '/f.bin?sig=2#x', persistHeaders: true } : { headers: new Headers() },
  );
  worker.post(page, { ...ASK, status: 401 });
  await worker.next('authorize');
  worker.post(page, { ...ASK, id: 'two' });
  await worker.next('authorize', { count: 2 });
  assert.deepEqual(asked, [
    { session: 'podcasts', taskId: 'one', url: ASK.url, status: 401 },
    { session: 'podcasts', taskId: 'two', url: ASK.url },
  ]);
  const source = { url: 'https://app.example/f.bin?sig=2', host: 'app.example', origin: 'https://app.example' };
  assert.deepEqual(answers(), [
    { type: 'authorize', session: 'podcasts', id: 'one', origin: 'https://files.example', persist: true, headers: [['authorization', 'new']], source },
    { type: 'authorize', session: 'podcasts', id: 'two', origin: 'https://files.example', persist: false, headers: [] },
  ]);
});

test('undefined leaves the task waiting, and it may be asked again', async (t) => {
  const { worker, page, asked, answers } = await open(t, () => undefined);
  worker.post(page, ASK);
  await worker.settled(page);
  worker.post(page, ASK);
  await worker.settled(page);
  assert.deepEqual([asked.length, answers(), page.reported], [2, [], []]);
});

test('while it thinks it is not asked the same again', async (t) => {
  const gate = deferred();
  const { worker, page, asked } = await open(t, () => gate.promise);
  worker.post(page, ASK);
  worker.post(page, ASK);
  worker.post(page, { ...ASK, id: 'two' });
  await worker.settled(page);
  assert.deepEqual(asked.map(({ taskId }) => taskId), ['one', 'two']);
  gate.resolve({ headers: {} });
  await worker.next('authorize', { count: 2 });
});

test('a refusal that comes before the answer to the call is asked about', async (t) => {
  const { worker, page, asked } = await open(t, () => ({ headers: { Authorization: 'x' } }));
  worker.answer('authorize', () => SWALLOW);
  worker.post(page, ASK);
  await worker.next('authorize');
  worker.post(page, { ...ASK, status: 401 });
  await worker.next('authorize', { count: 2 });
  assert.deepEqual(asked.map(({ status }) => status), [undefined, 401]);
});

test('what goes wrong is reported, and the task is left waiting', async (t) => {
  let answer = () => Promise.reject(new Error('signed out'));
  const { worker, page, answers } = await open(t, () => answer());
  worker.post(page, ASK);
  await page.untilReported(1);
  answer = () => ({ url: 'ftp://files.example/' });
  worker.post(page, ASK);
  await page.untilReported(2);
  answer = () => ({ headers: { Range: 'bytes=0-' } });
  worker.post(page, ASK);
  await page.untilReported(3);
  assert.deepEqual(page.reported.map(({ code, message }) => code ?? message), ['signed out', 'unsupported-scheme', 'bad-argument']);
  assert.deepEqual(answers(), []);
});

test('update changes policies and supplies headers, each by its own call; what is wrong is refused before any', async (t) => {
  const { worker, page, session, answers } = await open(t, () => undefined);
  const task = await session.task('one');
  await rejectsWith(page, task.update({ priority: 'low', url: 'https://' }), 'bad-argument');
  await worker.settled(page);
  assert.equal(worker.all('update').length, 0);

  worker.answer('update', ({ policy }) => ({ task: { id: 'one', state: 'waiting', url: ASK.url, priority: policy.priority } }));
  worker.answer('authorize', () => ({ task: { id: 'one', state: 'pending' } }));
  assert.equal(await task.update({ priority: 'low', discretionary: false, resourceTimeout: 0, earliestBegin: 0 }), task);
  assert.deepEqual([task.snapshot.priority, answers()], ['low', []]);
  await task.update({ headers: { Authorization: 'x' } });
  assert.deepEqual([task.state, worker.all('update').length], ['pending', 1]);
  const [{ message }] = worker.all('update');
  const policy = { priority: 'low', discretionaryUntil: 0, resourceTimeoutMs: 0, beginAt: 0 };
  assert.deepEqual(message.call, { type: 'update', session: 'podcasts', id: 'one', policy });
  assert.deepEqual(answers(), [{ type: 'authorize', session: 'podcasts', id: 'one', origin: 'https://files.example', persist: false, headers: [['authorization', 'x']] }]);
  await task.update({});
  await worker.settled(page);
  assert.deepEqual([worker.all('update').length, answers().length], [1, 1]);
});

test('an answer that its worker does not live to take is given to the next', async (t) => {
  const { worker, page, answers } = await open(t, () => ({ headers: { Authorization: 'x' } }));
  await worker.settled(page);
  worker.answer('authorize', () => (worker.boot === 'boot-1' ? SWALLOW : { task: { id: 'one', state: 'pending' } }));
  worker.post(page, ASK);
  await worker.next('authorize');
  worker.kill();
  await worker.next('authorize', { count: 2 });
  assert.deepEqual(answers()[1], answers()[0]);
});
