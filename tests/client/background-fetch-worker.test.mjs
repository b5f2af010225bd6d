// Background Fetch, the worker's part: how a registration stands, what it has brought, and the events of its end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from './fakes/component.mjs';

const ID = 'longhaul/1/8/podcastsone';

/** A registration with these answers: a text for what has come, `undefined` for what has not, an Error for what will not. */
function registrationOf(id, answers, fields = {}) {
  const ready = (answer) => (answer === undefined ? new Promise(() => {}) : answer instanceof Error ? Promise.reject(answer) : Promise.resolve(new Response(answer)));
  const matchAll = async () =>
    answers.map((answer, at) => ({ request: { headers: new Headers({ Range: `bytes=${at * 10}-${at * 10 + 9}` }) }, responseReady: ready(answer) }));
  const registration = { id, result: '', aborted: 0, matchAll, ...fields };
  registration.abort = async () => ++registration.aborted > 0;
  return registration;
}

async function world(...registrations) {
  const known = new Map(registrations.map((registration) => [registration.id, registration]));
  const worker = await start({ backgroundFetch: { get: async (id) => known.get(id) } });
  await worker.hello();
  return { ...worker, known };
}

test('a look tells what has come of one that goes on', async () => {
  const { host } = await world(registrationOf(ID, ['first', undefined, 'third']));
  assert.deepEqual(await host().fetches.look(ID), [0, 0, 20]);
  assert.equal(await (await host().fetches.record(ID, 20)).text(), 'third');
  assert.equal(await host().fetches.record(ID, 10), undefined);
  assert.equal(await host().fetches.look('longhaul/another'), undefined);
});

test('one that has ended is there for as long as its event, and that until nothing more is wanted', async () => {
  const { host, dispatch, of } = await world();
  const registration = registrationOf(ID, ['first', new Error('refused')], { result: 'failure' });
  const event = await dispatch('backgroundfetchfail', { registration });
  assert.deepEqual(of('external'), [[ID, false]]);
  assert.deepEqual(await host().fetches.look(ID), [1, 0]);
  const [wake] = of('wake').at(-1);
  host().settle(wake);
  await new Promise(setImmediate);
  assert.equal(event.isOpen, true, 'the component lets go of its wake, and the event goes on');
  host().fetches.letGo(ID);
  await new Promise(setImmediate);
  assert.deepEqual([event.isOpen, registration.aborted], [false, 0]);
  assert.equal(await host().fetches.look(ID), undefined);
});

test('its end is shown as the app wants', async () => {
  const { host, dispatch } = await world();
  const shown = [];
  const updateUI = async (options) => void shown.push(options);
  const ui = JSON.stringify({ title: 'F', success: { title: 'F is there' } });
  await dispatch('backgroundfetchsuccess', { registration: registrationOf(ID, [], { result: 'success' }), updateUI });
  host().fetches.showEnd(ID, ui);
  await dispatch('backgroundfetchfail', { registration: registrationOf(ID, [], { result: 'failure' }), updateUI });
  host().fetches.showEnd(ID, ui);
  host().fetches.showEnd('longhaul/another', ui);
  assert.deepEqual(shown, [{ title: 'F is there' }]);
});

test('the component hears whether the user has ended it', async () => {
  const { dispatch, of } = await world();
  await dispatch('backgroundfetchabort', { registration: registrationOf(ID, [], { result: 'failure' }) });
  await dispatch('backgroundfetchsuccess', { registration: registrationOf(ID, [], { result: 'success' }) });
  assert.deepEqual(of('external'), [[ID, true], [ID, false]]);
});

test('what is let go of while it goes on is ended', async () => {
  const registration = registrationOf(ID, [undefined]);
  const { host } = await world(registration);
  host().fetches.letGo(ID);
  await new Promise(setImmediate);
  assert.equal(registration.aborted, 1);
});

test('one of the app\'s own wakes the component, which hears nothing of it', async () => {
  const { dispatch, of } = await world();
  const event = await dispatch('backgroundfetchsuccess', { registration: registrationOf('episode-42', [], { result: 'success' }) });
  assert.deepEqual(of('external'), []);
  assert.equal(of('wake').length, 2);
  assert.equal(event.isOpen, true, 'held for the component, as any other');
});

test('a component that has stopped holds no event', async () => {
  const { host, dispatch } = await world();
  const event = await dispatch('backgroundfetchsuccess', { registration: registrationOf(ID, [], { result: 'success' }) });
  host().stopped('yielded', '');
  await new Promise(setImmediate);
  assert.equal(event.isOpen, false);
});
