// Authorisation just in time: a task whose credentials have expired waits with its bytes, goes on from them once it is
// given others, and no credential is ever stored unless the app asks for that.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BearerTokens, SignedUrls } from '../../origin/access.mjs';
import { download, killAndReturn, ledgerFor, lengthOf, MIB, outcome, requestsFor, startWorld, tablesWith, untilTask } from '../support.mjs';

const LENGTH = 24 * MIB;
const CUT = { kind: 'cut', bytes: 18 * MIB };
const bearer = (token) => ({ Authorization: `Bearer ${token}` });

/** A page that is asked for credentials: `asked` lists for what, and each of them is answered by `supply(answer)`. */
async function openAsked(world) {
  const page = await world.open('?idle');
  await page.evaluate(async () => {
    window.asked = [];
    const waiting = [];
    window.supply = (answer) => waiting.shift()(answer);
    const onAuthorize = (request) => {
      asked.push(request);
      return new Promise((resolve) => waiting.push(resolve));
    };
    window.session = await open({ onAuthorize });
  });
  return page;
}

const untilAsked = (page) => page.waitForFunction(() => asked.length > 0, { polling: 50 });

/** The file is the server's, and what was kept while the task waited was not asked for again. */
async function goesOn(page, { file, ledger }) {
  const { state, sha256, restarts } = await outcome(page, 'f');
  assert.deepEqual({ state, sha256, restarts }, { state: 'completed', sha256: file.sha256, restarts: 0 });
  await ledger.check();
}

test('a bearer token that expires on the way: the task waits with its bytes, asks, and goes on with a range', async (t) => {
  const world = await startWorld(t.after.bind(t));
  const tokens = new BearerTokens();
  const file = world.origin.add('/f.bin', { length: LENGTH, seed: 1, access: tokens, faults: [{ ...CUT }] });
  const ledger = ledgerFor(world.origin, '/f.bin');
  const page = await openAsked(world);
  const first = tokens.issue({ requests: 1 });
  await download(page, '/f.bin', { id: 'f', headers: bearer(first), maxSegments: 1 });
  await untilAsked(page);
  const { reason, receivedBytes } = await untilTask(page, 'f', (task) => task.reason === 'authorization');
  const kept = lengthOf(await ledger.note(page));
  assert.ok(kept > 0 && kept < LENGTH, `${kept} bytes are kept`);
  assert.deepEqual({ reason, receivedBytes }, { reason: 'authorization', receivedBytes: kept });
  assert.deepEqual(await page.evaluate(() => asked), [{ session: 'podcasts', taskId: 'f', url: `${world.origin.url}/f.bin`, status: 401 }]);
  assert.match(await page.evaluate(async () => (await (await session.task('f')).explain()).sentence), /onAuthorize/);

  await page.evaluate((headers) => supply({ headers }), bearer(tokens.issue()));
  await goesOn(page, { file, ledger });
  const statuses = requestsFor(world.origin, '/f.bin').map(({ status, range }) => [status, range.start]);
  assert.deepEqual(statuses, [[206, 0], [401, kept], [206, kept]]);
});

test('a token is nowhere in the database, so after a kill it is asked for; one that may be stored is not', async (t) => {
  const world = await startWorld(t.after.bind(t));
  const tokens = new BearerTokens();
  const file = world.origin.add('/f.bin', { length: LENGTH, seed: 2, access: tokens, bytesPerSecond: 8 * MIB });
  const open = world.origin.add('/open.bin', { length: LENGTH, seed: 3, access: tokens, bytesPerSecond: 8 * MIB });
  const ledgers = ['/f.bin', '/open.bin'].map((path) => ledgerFor(world.origin, path));
  const page = await openAsked(world);
  const [secret, openly, next] = [tokens.issue(), tokens.issue(), tokens.issue()];
  await download(page, '/f.bin', { id: 'f', headers: bearer(secret), metadata: { note: 'findable' } });
  await world.origin.waitForSent('/f.bin', 10 * MIB);

  const idle = await killAndReturn(world);
  assert.deepEqual(await tablesWith(idle, 'findable'), ['tasks'], 'the search finds what is there');
  assert.deepEqual(await tablesWith(idle, secret), []);
  await ledgers[0].note(idle);
  const again = await openAsked(world);
  await idle.close();
  await untilAsked(again);
  assert.deepEqual(await again.evaluate(() => asked), [{ session: 'podcasts', taskId: 'f', url: `${world.origin.url}/f.bin` }]);
  file.update({ bytesPerSecond: Infinity });
  await again.evaluate((headers) => supply({ headers }), bearer(next));
  await goesOn(again, { file, ledger: ledgers[0] });
  assert.deepEqual(await tablesWith(again, next), []);

  await again.evaluate(async (headers) => void (await session.download('/open.bin', { id: 'open', headers, persistHeaders: true })), bearer(openly));
  await world.origin.waitForSent('/open.bin', 10 * MIB);
  const later = await killAndReturn(world);
  assert.deepEqual(await tablesWith(later, openly), ['tasks']);
  open.update({ bytesPerSecond: Infinity });
  const last = await openAsked(world);
  assert.equal((await outcome(last, 'open')).sha256, open.sha256);
  assert.deepEqual(await last.evaluate(() => asked), []);
});

test('a signed URL that expires on the way is replaced, and the bytes stay', async (t) => {
  const world = await startWorld(t.after.bind(t));
  const urls = new SignedUrls();
  const file = world.origin.add('/f.bin', { length: LENGTH, seed: 4, access: urls, faults: [{ ...CUT }] });
  const ledger = ledgerFor(world.origin, '/f.bin');
  const page = await openAsked(world);
  await download(page, urls.sign('/f.bin', { requests: 1 }), { id: 'f', maxSegments: 1 });
  await untilAsked(page);
  await untilTask(page, 'f', (task) => task.reason === 'authorization');
  await ledger.note(page);
  assert.deepEqual(await page.evaluate(() => asked.map(({ url, status }) => [new URL(url).search, status])), [['', 403]]);
  const signed = urls.sign('/f.bin');
  await page.evaluate((url) => supply({ url }), signed);
  await goesOn(page, { file, ledger });
  assert.ok((await page.evaluate(async () => (await session.task('f')).url)).endsWith(signed));
});

test('the worker answers by itself while no page is open', async (t) => {
  const world = await startWorld(t.after.bind(t));
  const { origin, browser } = world;
  const tokens = new BearerTokens();
  const file = origin.add('/f.bin', { length: LENGTH, seed: 5, access: tokens, faults: [{ kind: 'stall', bytes: 10 * MIB }] });
  const query = `?worker=${encodeURIComponent(`/sw-authorize.js?token=${tokens.issue()}`)}`;
  const page = await world.open(query);
  await download(page, '/f.bin', { id: 'f', headers: bearer(tokens.issue({ requests: 1 })), maxSegments: 1, stallTimeout: 1_000 });
  const elsewhere = await browser.newPage();
  await page.close();
  await origin.waitFor(() => requestsFor(origin, '/f.bin').length === 3 && requestsFor(origin, '/f.bin')[2].endedAt);
  const later = await world.open(query);
  await elsewhere.close();
  assert.equal((await outcome(later, 'f')).sha256, file.sha256);
  const requests = requestsFor(origin, '/f.bin');
  assert.deepEqual(requests.map(({ status }) => status), [206, 401, 206]);
  const kept = requests[1].range.start;
  // How much was durable when the connection was given up, depends on what else the machine has to do.
  assert.ok(kept > 0 && requests[2].range.start === kept, `it went on at ${kept} and ${requests[2].range.start}`);
});

test('with every page closed a refusal is waited out, and the page that comes back is asked', async (t) => {
  const world = await startWorld(t.after.bind(t));
  const { origin, browser } = world;
  const urls = new SignedUrls();
  const file = origin.add('/f.bin', { length: LENGTH, seed: 7, access: urls, faults: [{ kind: 'stall', bytes: 10 * MIB }] });
  const page = await openAsked(world);
  await download(page, urls.sign('/f.bin', { requests: 1 }), { id: 'f', maxSegments: 1, stallTimeout: 1_000 });
  const elsewhere = await browser.newPage();
  await page.close();
  await origin.waitFor(() => requestsFor(origin, '/f.bin').length > 1 && requestsFor(origin, '/f.bin')[1].endedAt);
  const later = await openAsked(world);
  await elsewhere.close();
  await untilAsked(later);
  const { state, reason } = await untilTask(later, 'f', () => true);
  assert.deepEqual([state, reason], ['waiting', 'authorization']);
  await later.evaluate((url) => supply({ url }), urls.sign('/f.bin'));
  assert.equal((await outcome(later, 'f')).sha256, file.sha256);
  const [, refused, last] = requestsFor(origin, '/f.bin');
  assert.ok(refused.range.start > 0 && last.range.start === refused.range.start, 'what was kept is not asked for again');
});

test('a refusal that nobody could answer fails the task, as does one answer after the other that is refused', async (t) => {
  const world = await startWorld(t.after.bind(t));
  const tokens = new BearerTokens();
  world.origin.add('/f.bin', { length: MIB, seed: 6, access: tokens });
  const alone = await world.open();
  await download(alone, '/f.bin', { id: 'alone' });
  const refused = await outcome(alone, 'alone');
  assert.deepEqual([refused.state, refused.code, refused.status], ['failed', 'http-status', 401]);
  await alone.close();

  const page = await world.open('?idle');
  await page.evaluate(async () => {
    window.asked = 0;
    window.session = await open({ onAuthorize: () => ({ headers: { Authorization: `Bearer wrong-${asked++}` } }) });
  });
  await download(page, '/f.bin', { id: 'f' });
  const failed = await outcome(page, 'f');
  assert.deepEqual([failed.state, failed.code, failed.status], ['failed', 'unauthorized', 401]);
  assert.equal(await page.evaluate(() => asked), 5);
});
