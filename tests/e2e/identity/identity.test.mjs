// Ids: the app's id is the task's key, so the same call twice gives one task; and every misuse has its own code.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { download, MIB, outcome, startWorld, stored } from '../support.mjs';

const failure = (page, action, ...args) => page.evaluate(action, ...args);

test('the same id gives the same task, and another URL an error of its own', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  const file = origin.add('/f.bin', { length: 2 * MIB, seed: 1 });
  origin.add('/g.bin', { length: MIB, seed: 2 });
  const page = await open();
  const [first, second] = await page.evaluate(() =>
    Promise.all(['/f.bin', '/f.bin'].map((url) => session.download(url, { id: 'one' }).then((task) => task.snapshot))),
  );
  assert.equal(first.createdAt, second.createdAt);
  assert.equal((await outcome(page, 'one')).sha256, file.sha256);
  assert.equal((await stored(page)).rows.tasks, 1);
  assert.equal(origin.log.filter((entry) => entry.path === '/f.bin').length, 1, 'it was fetched once');

  const codes = await failure(page, async () => ({
    otherUrl: (await errorOf(session.download('/g.bin', { id: 'one' }))).code,
    error: (await errorOf(session.download('/f.bin', { id: 'one', ifExists: 'error' }))).code,
  }));
  assert.deepEqual(codes, { otherUrl: 'id-in-use', error: 'task-exists' });
});

test('replace drops the old file and loads the new one', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  origin.add('/old.bin', { length: 3 * MIB, seed: 1 });
  const next = origin.add('/new.bin', { length: MIB, seed: 2 });
  const page = await open();
  await download(page, '/old.bin', { id: 'it' });
  await outcome(page, 'it');
  await download(page, '/new.bin', { id: 'it', ifExists: 'replace' });
  const { state, sha256 } = await outcome(page, 'it');
  assert.deepEqual({ state, sha256 }, { state: 'completed', sha256: next.sha256 });
  await page.waitForFunction(async () => (await indexedDB.databases()).length === 1);
  const { bodies, rows } = await untilSwept(page, 1);
  assert.equal(Object.keys(bodies).length, 1, 'the old chunks are swept');
  assert.equal(rows.bodies, 1);
});

async function untilSwept(page, bodies) {
  for (;;) {
    const found = await stored(page);
    if (found.rows.bodies === bodies) return found;
  }
}

test('an AbortSignal ends the call, never the task', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  origin.add('/f.bin', { length: MIB, seed: 1 });
  const page = await open();
  const codes = await page.evaluate(async () => {
    const before = await errorOf(session.download('/f.bin', { id: 'never', signal: AbortSignal.abort() }));
    const controller = new AbortController();
    const call = session.download('/f.bin', { id: 'goes-on', signal: controller.signal });
    controller.abort();
    return [before.code, (await errorOf(call)).code];
  });
  assert.deepEqual(codes, ['aborted', 'aborted']);
  assert.equal((await outcome(page, 'goes-on')).state, 'completed');
  assert.equal(await page.evaluate(async () => (await session.task('never')) === undefined), true);
});

test('what makes no sense is refused with a stable code', async (t) => {
  const { open } = await startWorld(t.after.bind(t));
  const page = await open();
  const codes = await page.evaluate(async () => {
    const code = async (promise) => (await errorOf(promise))?.code;
    return {
      scheme: await code(session.download('ftp://a.example/f')),
      noUrl: await code(session.download('http://')),
      longId: await code(session.download('/f.bin', { id: 'x'.repeat(2000) })),
      emptyId: await code(session.download('/f.bin', { id: '' })),
      emptySession: await code(open({}) && (await import('/longhaul/client.js')).openSession('', {})),
      badOption: await code(session.download('/f.bin', { ifExists: 'perhaps' })),
      configuration: await code((await import('/longhaul/client.js')).openSession('zero', { configuration: { maxConcurrentTasks: 0 } })),
      sentence: (await errorOf(session.download('ftp://a.example/f'))).message.length > 20,
    };
  });
  assert.deepEqual(codes, {
    scheme: 'unsupported-scheme',
    noUrl: 'bad-argument',
    longId: 'bad-argument',
    emptyId: 'bad-argument',
    emptySession: 'bad-argument',
    badOption: 'bad-argument',
    configuration: 'bad-argument',
    sentence: true,
  });
});

test('a configuration with a lower version is refused, a higher one replaces', async (t) => {
  const { open } = await startWorld(t.after.bind(t));
  const page = await open('?idle');
  const results = await page.evaluate(async () => {
    await open({ configuration: { version: 2 } });
    const lower = await errorOf(open({ configuration: { version: 1 } }));
    await open({ configuration: { version: 3 } });
    const former = await errorOf(open({ configuration: { version: 2 } }));
    return [lower.code, former.code];
  });
  assert.deepEqual(results, ['version-too-low', 'version-too-low']);
});

test('a page without a service worker is told so', async (t) => {
  const { origin, browser } = await startWorld(t.after.bind(t));
  const page = await browser.newPage(`${origin.url}/?idle`);
  const code = await page.evaluate(async () => (await errorOf((await import('/longhaul/client.js')).openSession('x'))).code);
  assert.equal(code, 'no-service-worker');
});

test('a registration that is removed under an open page leaves no call unanswered', async (t) => {
  const { open } = await startWorld(t.after.bind(t));
  // The first page of a registration is not controlled by its worker, which so goes at once.
  const page = await open();
  const codes = await page.evaluate(async () => {
    const removed = (await navigator.serviceWorker.getRegistration()).unregister();
    const code = async (call) => (await errorOf(call))?.code ?? 'answered';
    const before = code(session.tasks());
    await removed;
    return Promise.all([before, code(session.tasks()), code(session.download('/f.bin'))]);
  });
  for (const code of codes) assert.ok(['answered', 'no-service-worker'].includes(code), String(codes));
});
