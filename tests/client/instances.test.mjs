// The component's instances, one after the other: what reaches one, and what counts of what it says.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from './fakes/component.mjs';
import { FakeLocks } from './fakes/locks.mjs';

const turn = () => new Promise(setImmediate);

/** A message's port, which keeps the replies. */
class Port {
  replies = [];
  postMessage(reply) {
    if (reply !== 'taken') this.replies.push(reply);
  }
}

const NONSENSE = [
  {},
  { type: 'something' },
  { type: 'constructor' },
  { type: { toString: 1 } },
  { type: 'hello' },
  { type: 'hello', session: null, delegate: false, canAuthorize: false },
  { type: 'hello', session: 'podcasts', delegate: 'yes', canAuthorize: false },
  { type: 'bye' },
  { type: 'ack', session: 'podcasts' },
  { type: 'ack', session: 'podcasts', seq: '1' },
  { type: 'conditions', visible: 1 },
  { type: 'call' },
  { type: 'call', call: null },
  { type: 'call', call: [] },
];

test('a message that does not fit reaches no component, starts none, and is refused on its port', async () => {
  const { post, told } = await start();
  for (const message of NONSENSE) {
    const port = new Port();
    await post(message, [port]);
    assert.deepEqual(told, [], JSON.stringify(message));
    assert.deepEqual(port.replies.map(({ ok, error }) => [ok, error.code]), [[false, 'bad-argument']]);
    await post(message);
  }
  assert.deepEqual(told, []);
});

test('a message whose source is no page reaches no component', async () => {
  const { post, told } = await start();
  for (const source of [null, new Port(), { id: 'worker', postMessage() {} }]) {
    for (const message of [{ type: 'hello', session: 'podcasts', delegate: true, canAuthorize: true }, { type: 'wake' }]) await post(message, [], source);
  }
  assert.deepEqual(told, []);
});

test('whatever an export throws, the module is replaced, its calls are answered, and the next use starts another', async () => {
  let error;
  const { post, hello, told, of, hosts } = await start({ throws: (name) => name === 'bye' && error });
  const port = new Port();
  await hello();
  await post({ type: 'call', call: { type: 'task', session: 'podcasts', id: 'one' } }, [port]);
  for (error of [new TypeError('not a string'), new WebAssembly.RuntimeError('unreachable')]) {
    const before = hosts.length;
    await post({ type: 'bye', session: 'podcasts' });
    await turn();
    assert.equal(of('retired').length, before, String(error));
    await hello();
    assert.equal(hosts.length, before + 1);
  }
  const refusals = port.replies.map(({ ok, error: { code, retry, detail } }) => ({ ok, code, retry, detail }));
  assert.deepEqual(refusals, [{ ok: false, code: 'component-failed', retry: true, detail: 'TypeError: not a string' }]);
  assert.equal(told.at(-1)[0], 'wake');
});

test('what an instance says after its end does not count', async () => {
  const { page, post, hello, dispatch, of, hosts } = await start({ locks: new FakeLocks().of('worker') });
  await hello();
  hosts[0].stopped('storage', '');
  const push = await dispatch('push');
  await hello();
  const port = new Port();
  await post({ type: 'call', call: { type: 'task', session: 'podcasts', id: 'one' } }, [port]);
  const [old, present] = hosts;
  assert.notEqual(old.signal, present.signal);
  assert.deepEqual([old.signal.aborted, present.signal.aborted], [true, false]);
  present.working(true);
  const before = [page.posted.length, of('sync').length];
  old.started('ghost', 'longhaul:https://app.example/:ghost');
  old.working(false);
  old.working(true);
  old.post('page', { type: 'released', session: 'podcasts', id: 'one' });
  old.authorize('page', { type: 'authorize', session: 'podcasts', id: 'one', url: 'https://app.example/' });
  for (const [wake] of of('wake')) old.settle(wake, false);
  for (const [call] of of('call')) old.reply(call, true, {});
  old.stopped('fenced', '');
  await turn();
  assert.deepEqual([page.posted.length, of('sync').length], before);
  assert.deepEqual([push.isOpen, port.replies, present.signal.aborted], [true, [], false]);
  assert.equal(await old.lock('free', false), false, 'nor does it get a lock');
  present.reply(of('call')[0][0], true, { task: {} });
  assert.equal(port.replies.length, 1);
  // Its pings would go on.
  present.stopped('storage', '');
});

test('no exception of ours passes through the component', async () => {
  const { page, hello, host, reported } = await start();
  await hello();
  page.postMessage = () => {
    throw new DOMException('it cannot be cloned', 'DataCloneError');
  };
  host().post('page', { type: 'ping' });
  assert.deepEqual(reported.map(({ name }) => name), ['DataCloneError']);
});

test('where there is no WebAssembly at all, a call is answered', async () => {
  const load = () => {
    throw new ReferenceError('WebAssembly is not defined');
  };
  const { post } = await start({ WebAssembly: null, load, indexedDB: { databases: async () => [] } });
  const port = new Port();
  await post({ type: 'call', call: { type: 'open', session: 'podcasts', version: 1, limits: {} } }, [port]);
  for (let turns = 0; turns < 10; turns++) await turn();
  assert.deepEqual(port.replies.map(({ ok, error }) => [ok, error.code]), [[false, 'component-failed']]);
});

test('an instance that crashed is followed by one without loading the file again', async () => {
  let loads = 0;
  const { hello, scope } = await start({ load: () => void loads++ });
  await hello();
  scope.dispatchEvent(Object.assign(new Event('error'), { error: new WebAssembly.RuntimeError('unreachable') }));
  await hello();
  assert.equal(loads, 1);
});
