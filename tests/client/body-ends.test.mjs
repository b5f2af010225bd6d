// Bodies that Firefox ends as if they were complete: what their timing entries say, and what follows where there is none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from './fakes/component.mjs';

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0';
const URL = 'https://files.example/text.json';
const ENDED = 300;
/** A response whose coded body was announced as 100 bytes long. */
const response = (fields = {}, headers = { 'Content-Length': '100' }) => ({ url: URL, redirected: false, headers: new Headers(headers), ...fields });

/** `isCut(response, read)` of a worker, and `tell(encodedBodySize, decodedBodySize)` of its browser. */
async function world(t, userAgent = FIREFOX) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const observers = [];
  const PerformanceObserver = class {
    constructor(told) {
      this.told = told;
    }
    observe(options) {
      assert.deepEqual(options, { type: 'resource' });
      observers.push(this.told);
    }
  };
  const worker = await start({ userAgent, PerformanceObserver });
  await worker.hello();
  const tell = (encodedBodySize, decodedBodySize, name = URL) => {
    for (const told of observers) told({ getEntries: () => [{ name, encodedBodySize, decodedBodySize }] });
  };
  return { isCut: (of, read) => worker.host().isCut(of, read), tell, observers };
}

test('a coded body of which less came than was announced is cut, whenever its entry comes', async (t) => {
  const { isCut, tell } = await world(t);
  tell(99, ENDED);
  assert.equal(await isCut(response(), ENDED), true);
  const later = isCut(response(), ENDED);
  tell(100, ENDED, 'https://files.example/another.json');
  tell(100, ENDED + 1);
  tell(99, ENDED);
  assert.equal(await later, true);
});

test('a coded body of which nothing came is cut', async (t) => {
  const { isCut, tell } = await world(t);
  tell(0, 0);
  assert.equal(await isCut(response(), 0), true);
});

test('an entry is of one response: the next may be as long, and whole', async (t) => {
  const { isCut, tell } = await world(t);
  tell(92, ENDED);
  tell(100, ENDED);
  assert.equal(await isCut(response(), ENDED), true);
  assert.equal(await isCut(response(), ENDED), false);
});

test('a body whose entry never comes is whole', async (t) => {
  const { isCut } = await world(t);
  let isSettled = false;
  const found = isCut(response(), ENDED).finally(() => (isSettled = true));
  t.mock.timers.tick(499);
  await new Promise(setImmediate);
  assert.equal(isSettled, false);
  t.mock.timers.tick(1);
  assert.equal(await found, false);
});

test('nothing is waited for where no entry could tell', async (t) => {
  const { isCut, tell } = await world(t);
  tell(0, 0);
  assert.equal(await isCut(response({ redirected: true }), 0), false);
  assert.equal(await isCut(response({}, {}), ENDED), false);
  assert.equal(await isCut(response(), 100), false);
});

test('a body in a coding that browsers do not decode is cut if less came than was announced', async (t) => {
  const { isCut, tell } = await world(t);
  tell(99, 99);
  assert.equal(await isCut(response(), 99), true);
});

test('entries of some hundred other responses push none out', async (t) => {
  const { isCut, tell } = await world(t);
  tell(99, ENDED);
  for (let at = 0; at < 200; at++) tell(1_000, 1_000, `https://files.example/${at}`);
  assert.equal(await isCut(response(), ENDED), true);
});

for (const name of ['Chrome/156.0.0.0 Safari/537.36', 'Version/26.0 Safari/605.1.15']) {
  test(`no entry is looked for in ${name}: there a cut is an error`, async (t) => {
    const { isCut, observers } = await world(t, `Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) ${name}`);
    assert.deepEqual([await isCut(response(), ENDED), observers.length], [false, 0]);
  });
}

test('a Firefox without observers attaches longhaul all the same', async () => {
  const worker = await start({ userAgent: FIREFOX, PerformanceObserver: undefined });
  await worker.hello();
  assert.equal(await worker.host().isCut(response(), ENDED), false);
});
