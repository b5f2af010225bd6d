// The worker's half, js/worker.ts, with a component that only writes down what it is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from './fakes/component.mjs';
import { FakeLocks } from './fakes/locks.mjs';

const ASK = { type: 'authorize', session: 'podcasts', id: 'one', url: 'https://files.example/f.bin', status: 403 };

test('the component hears of a page what the page said', async () => {
  const { post, hello, of } = await start();
  await hello();
  await post({ type: 'conditions', visible: true, charging: false });
  assert.deepEqual(of('hello'), [['page', 'podcasts', false, true]]);
  assert.deepEqual(of('conditions').at(-1), ['page', true, undefined, false, undefined, undefined]);
  assert.deepEqual(of('hook'), [[false, false]]);
});

test('the script alone takes a call in, before the component is there, and also while the worker makes way', async () => {
  const { scope, post, hello, of, host } = await start();
  const said = [];
  const call = { type: 'call', call: { type: 'history', session: 'podcasts', limit: 1 } };
  const posted = post(call, [{ postMessage: (message) => said.push(message) }]);
  assert.deepEqual([said, of('call')], [['taken'], []], 'at once');
  await posted;
  await hello();
  scope.registration.waiting = {};
  host().stopped('yielded', '');
  const before = of('call').length;
  await post(call, [{ postMessage: (message) => said.push(message) }]);
  assert.deepEqual([said, of('call').length], [['taken', 'taken'], before]);
});

test('the worker tells of its own network at start and when it changes, and starts nothing for it', async () => {
  const connection = Object.assign(new EventTarget(), { type: 'cellular' });
  const { hello, told, of } = await start({ connection });
  connection.dispatchEvent(new Event('change'));
  await new Promise(setImmediate);
  assert.deepEqual(told, []);
  await hello();
  connection.type = 'wifi';
  connection.dispatchEvent(new Event('change'));
  await new Promise(setImmediate);
  const own = (metered) => [undefined, undefined, metered, undefined, undefined, undefined];
  assert.deepEqual(of('conditions'), [own(true), own(false)]);
});

test('a page that can authorise is asked; the hook is not', async () => {
  const asked = [];
  const { page, hello, host } = await start({ authorize: (request) => void asked.push(request) });
  await hello();
  host().authorize('page', ASK);
  assert.deepEqual(page.posted.at(-1), { longhaul: 1, ...ASK });
  assert.deepEqual(asked, []);
});

test('without a page the hook is asked, and its answer is a call whose reply goes nowhere', async () => {
  const asked = [];
  const { hello, of, reported, host } = await start({
    authorize: async (request) => {
      asked.push(request);
      return { headers: { Authorization: 'new' }, url: '/f.bin?sig=2' };
    },
  });
  await hello();
  assert.deepEqual(of('hook'), [[true, false]]);
  host().authorize(undefined, ASK);
  await new Promise(setImmediate);
  assert.deepEqual(asked, [{ session: 'podcasts', taskId: 'one', url: ASK.url, status: 403 }]);
  const [[number, call]] = of('call');
  const source = { url: 'https://app.example/f.bin?sig=2', host: 'app.example', origin: 'https://app.example' };
  assert.deepEqual(call, { type: 'authorize', session: 'podcasts', id: 'one', origin: 'https://files.example', persist: false, headers: [['authorization', 'new']], source });
  host().reply(number, true, {});
  assert.deepEqual(reported, []);
});

test('without page and hook nobody is asked; a hook that fails is reported', async () => {
  const deaf = await start();
  await deaf.hello();
  deaf.host().authorize(undefined, ASK);
  assert.deepEqual(deaf.of('call'), []);
  const failing = await start({ authorize: () => Promise.reject(new Error('no token')) });
  await failing.hello();
  failing.host().authorize(undefined, ASK);
  await new Promise(setImmediate);
  assert.deepEqual(failing.reported.map(({ message }) => message), ['no token']);
});

test('what its own content security policy blocks is known by origin', async () => {
  const { scope, hello, host } = await start();
  await hello();
  const violate = (fields) => {
    const usual = { disposition: 'enforce', effectiveDirective: 'connect-src', blockedURI: 'https://files.example/f.bin' };
    scope.dispatchEvent(Object.assign(new Event('securitypolicyviolation'), { ...usual, ...fields }));
  };
  violate({ disposition: 'report' });
  violate({ effectiveDirective: 'script-src' });
  violate({ blockedURI: 'inline' });
  assert.equal(host().cspBlocks('https://files.example/other.bin'), false);
  violate({});
  assert.equal(host().cspBlocks('https://files.example/other.bin?x'), true);
  assert.equal(host().cspBlocks('https://files.example:8443/'), false);
  assert.equal(host().cspBlocks('not a URL'), false);
});

test('a component that has stopped holds no lock, also not one that it was waiting for', async () => {
  const locks = new FakeLocks();
  const { hello, host } = await start({ locks: locks.of('worker') });
  await hello();
  await locks.take('busy', 'another');
  const { signal } = host();
  assert.equal(await host().lock('free', false), true);
  const waiting = host().lock('busy', false);
  host().stopped('fenced', '');
  assert.equal(signal.aborted, true);
  locks.drop('another');
  assert.equal(await waiting, false);
  await new Promise(setImmediate);
  assert.deepEqual([locks.count('free'), locks.count('busy')], [0, 0]);
  await hello();
  assert.equal(host().signal.aborted, false, 'the next one lives');
});
