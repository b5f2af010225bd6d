// The worker's pings: sent while there is work and a page is open, and at no other time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from './fakes/component.mjs';

const turn = () => new Promise(setImmediate);

/** A worker with one page, which answers its pings if it `answers`. */
async function begin(t, { answers = true } = {}) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const worker = await start();
  await worker.hello();
  let count = 0;
  worker.page.postMessage = ({ type }) => {
    if (type !== 'ping') return;
    count++;
    if (answers) void worker.post({ type: 'pong' });
  };
  /** How many pings are sent in this time. */
  const pingsIn = async (seconds) => {
    const before = count;
    for (let second = 0; second < seconds; second++) {
      t.mock.timers.tick(1_000);
      for (let turns = 0; turns < 3; turns++) await turn();
    }
    return count - before;
  };
  return { ...worker, pingsIn };
}

test('pings begin and end with the work', async (t) => {
  const { host, pingsIn } = await begin(t);
  assert.equal(await pingsIn(60), 0, 'before there is any');
  host().working(true);
  assert.equal(await pingsIn(60), 6);
  host().working(false);
  assert.equal(await pingsIn(60), 0);
  host().working(true);
  assert.equal(await pingsIn(30), 3, 'once in an interval, as before');
});

test('work that ends while a ping waits for its answer ends them, too', async (t) => {
  const { host, pingsIn } = await begin(t, { answers: false });
  host().working(true);
  assert.equal(await pingsIn(11), 1);
  host().working(false);
  assert.equal(await pingsIn(60), 0);
});

test('they end with the component, and none of an old one brings them back', async (t) => {
  const { hello, host, hosts, pingsIn } = await begin(t);
  host().working(true);
  assert.equal(await pingsIn(20), 2);
  host().stopped('storage', '');
  await hello();
  hosts[0].working(true);
  assert.equal(await pingsIn(60), 0);
});
