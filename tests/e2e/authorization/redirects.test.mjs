// Redirects and the headers of a task: browsers take every header but Authorization along to another origin, and show a
// script the target only afterwards. What the app gave for one origin reaches no other, unless the app says so.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startOrigin } from '../../origin/server.mjs';
import { download, MIB, outcome, requestsFor, startWorld, untilSplit } from '../support.mjs';

const LENGTH = 24 * MIB;
const KEY = { 'X-Api-Key': 'key-secret' };

/** A page that can supply headers, and another origin with the same file. */
async function startTwo(t, file) {
  const world = await startWorld(t.after.bind(t));
  const other = await startOrigin();
  t.after(() => other.close());
  const there = other.add('/there.bin', { length: LENGTH, seed: 1, cors: 'expose', ...file });
  const page = await world.open('?idle');
  await page.evaluate(async () => void (window.session = await open({ onAuthorize: () => undefined })));
  return { ...world, other, there, page };
}

const failed = async (page, id) => {
  const { state, code } = await outcome(page, id);
  return [state, code];
};

test('a key for the own origin follows no redirect to another one, and goes on to the own one', async (t) => {
  const { origin, other, page } = await startTwo(t);
  const file = origin.add('/here.bin', { length: MIB, seed: 2 });
  origin.add('/out.bin', { redirect: { to: `${other.url}/there.bin` } });
  origin.add('/round.bin', { redirect: { to: '/out.bin' } });
  origin.add('/in.bin', { redirect: { to: '/here.bin' } });
  for (const path of ['out', 'round']) {
    await download(page, `/${path}.bin`, { id: path, headers: KEY });
    assert.deepEqual(await failed(page, path), ['failed', 'redirect-refused'], path);
    await download(page, `/${path}.bin`, { id: `${path} stored`, headers: KEY, persistHeaders: true });
    assert.deepEqual(await failed(page, `${path} stored`), ['failed', 'redirect-refused'], path);
  }
  assert.deepEqual(other.log, [], 'the other origin was never asked');
  await download(page, '/in.bin', { id: 'in', headers: KEY });
  assert.equal((await outcome(page, 'in')).sha256, file.sha256);
  assert.ok(requestsFor(origin, '/here.bin').every(({ headers }) => headers['x-api-key'] === 'key-secret'));
});

test('a key for another origin follows no redirect, unless the app lets it', async (t) => {
  const { origin, other, there, page } = await startTwo(t);
  const third = await startOrigin();
  t.after(() => third.close());
  third.add('/out.bin', { redirect: { to: `${other.url}/there.bin` }, cors: 'expose' });
  await download(page, `${third.url}/out.bin`, { id: 'f', headers: KEY });
  assert.deepEqual(await failed(page, 'f'), ['failed', 'redirect-refused']);
  assert.equal(requestsFor(third, '/out.bin').length, 1, 'it is no failure that another try would change');
  assert.deepEqual(other.log, []);
  await download(page, `${third.url}/out.bin`, { id: 'allowed', headers: KEY, redirect: 'follow-with-headers' });
  assert.equal((await outcome(page, 'allowed')).sha256, there.sha256);
  const asked = requestsFor(other, '/there.bin');
  assert.ok(asked.length > 0 && asked.every(({ headers }) => headers['x-api-key'] === 'key-secret'));
  assert.deepEqual(requestsFor(origin, '/there.bin'), []);
});

test('a bearer token stays behind by itself, so its redirects are followed', async (t) => {
  const { origin, other, there, page } = await startTwo(t);
  origin.add('/out.bin', { redirect: { to: `${other.url}/there.bin` } });
  await download(page, '/out.bin', { id: 'f', headers: { Authorization: 'Bearer token-secret' } });
  assert.equal((await outcome(page, 'f')).sha256, there.sha256);
  assert.ok(requestsFor(origin, '/out.bin').every(({ authorization }) => authorization));
  assert.deepEqual(requestsFor(other, '/there.bin').filter(({ authorization }) => authorization), []);
});

test('a server that begins to redirect on the way is told nothing either, by resumes and further segments', async (t) => {
  const { origin, other, page } = await startTwo(t);
  const file = origin.add('/f.bin', { length: LENGTH, seed: 1, bytesPerSecond: 2 * MIB });
  await download(page, '/f.bin', { id: 'f', headers: KEY });
  await untilSplit(origin, '/f.bin');
  file.update({ redirect: { to: `${other.url}/there.bin` } });
  await page.evaluate(async () => {
    const task = await session.task('f');
    await task.pause();
    await task.resume();
  });
  assert.deepEqual(await failed(page, 'f'), ['failed', 'redirect-refused']);
  assert.deepEqual(other.log, []);
});
