// Names of options: one that is unknown is refused wherever it stands, with the one that was probably meant.
import assert from 'node:assert/strict';
import { start } from './fakes/component.mjs';
import { rejectsWith, snapshot, startWorld, test } from './support.mjs';

/** A session, and one of its tasks, whose file is finished. */
async function open(t) {
  const { worker, newPage } = startWorld(t);
  const page = newPage();
  const session = await page.open();
  worker.tasks.set('one', snapshot({ id: 'one', state: 'completed' }));
  return { worker, page, session, task: await session.task('one') };
}

/** What is asked, by the name in it that is unknown, and the name that is meant. */
const MISTAKES = [
  ['onEvents', 'onEvent', ({ page }) => page.open('podcasts', { onEvents() {} })],
  ['maxConcurrentTasks', null, ({ page }) => page.open('podcasts', { maxConcurrentTasks: 1 })],
  ['maxConcurentTasks', 'maxConcurrentTasks', ({ page }) => page.open('podcasts', { configuration: { maxConcurentTasks: 1 } })],
  ['minimum', 'minInterval', ({ page }) => page.open('podcasts', { periodicSync: { minimum: 1 } })],
  ['visable', 'visible', ({ page }) => page.open('podcasts', { configuration: { maxConnectionsPerHost: { visable: 1, hidden: 1 } } })],
  ['day', 'days', ({ session }) => session.update({ retention: { day: 3 } })],
  ['version', null, ({ session }) => session.update({ version: 2 })],
  ['metred', 'metered', ({ session }) => session.update({ metred: 'wait' })],
  ['ifExist', 'ifExists', ({ session }) => session.download('/f.bin', { ifExist: 'replace' })],
  ['mirror', 'mirrors', ({ session }) => session.download('/f.bin', { mirror: ['https://b.example/f'] })],
  ['sha265', 'sha256', ({ session }) => session.download('/f.bin', { pieces: { length: 1 << 18, sha265: [] } })],
  ['opsf', 'opfs', ({ session }) => session.download('/f.bin', { destination: { opsf: 'f' } })],
  ['deadlin', 'deadline', ({ session }) => session.download('/f.bin', { discretionary: { deadlin: 1 } })],
  ['icon', 'icons', ({ session }) => session.download('/f.bin', { downloadUi: { icon: [] } })],
  ['tittle', 'title', ({ session }) => session.download('/f.bin', { downloadUi: { success: { tittle: 'done' } } })],
  ['ifExists', null, ({ session }) => session.resumeFrom(new ArrayBuffer(8), '/f.bin', { ifExists: 'replace' })],
  ['fail', 'failure', ({ session }) => session.downloadAll([{ url: '/f.bin' }], { group: 'g', fail: 'cancel' })],
  ['priorty', 'priority', ({ session }) => session.downloadAll([{ url: '/f.bin', priorty: 'high' }], { group: 'g' })],
  ['group', null, ({ session }) => session.downloadAll([{ url: '/f.bin', group: 'other' }], { group: 'g' })],
  ['states', 'state', ({ session }) => session.pause({ states: 'active' })],
  ['limits', 'limit', ({ session }) => session.query({ limits: 3 })],
  ['after', null, ({ session }) => session.history({ after: 3 })],
  ['maxFailure', 'maxFailures', ({ task }) => task.update({ maxFailure: 3 })],
  ['header', 'headers', ({ task }) => task.update({ header: {} })],
  ['resumedata', 'resumeData', ({ task }) => task.cancel({ resumedata: true })],
  ['abort', null, ({ task }) => task.finished({ abort: null })],
  ['mime', null, ({ task }) => task.file().blob({ mime: 'text/html' })],
  ['from', null, async ({ task }) => task.file().stream({ from: 1 })],
  ['otherWise', 'otherwise', ({ task }) => task.file().servedUrl({ otherWise: 'blob' })],
  ['casche', 'cache', ({ task }) => task.file().moveTo({ opfs: 'f', casche: 'c' })],
  ['idl', 'idle', async ({ session }) => session.setConditions({ idl: true })],
  ['worker', 'serviceWorker', ({ page }) => page.client.capabilities({ worker: null })],
];

for (const [name, meant, ask] of MISTAKES) {
  test(`${name} is refused${meant ? `, and ${meant} is named` : ''}: ${String(ask).replace(/^.*?=> /, '')}`, async (t) => {
    const world = await open(t);
    const { message, detail } = await rejectsWith(world.page, ask(world), 'bad-argument');
    assert.equal(detail, name);
    assert.ok(message.startsWith(`${name}: is no option here. `), message);
    if (meant) assert.equal(message, `${name}: is no option here. Did you mean ${meant}?`);
    assert.equal(world.worker.all('download-all').length, 0);
  });
}

test('what names an unknown way is refused, too, with the ways that there are', async (t) => {
  const world = await open(t);
  const { page, session, task } = world;
  const asks = [
    ['failure', () => session.downloadAll([], { group: 'g', failure: 'cancle' })],
    ['whenFull', () => session.download('/f.bin', { whenFull: 'waits' })],
    ['unknownNetwork', () => session.update({ unknownNetwork: true })],
    ['since', () => session.update({ retention: { days: 1, since: 'first-use' } })],
    ['otherwise', () => task.file().servedUrl({ otherwise: 'Blob' })],
    ['redirect', () => session.download(new Request('https://app.example/f.bin', { redirect: 'manual' }))],
  ];
  for (const [name, ask] of asks) {
    const { message, detail } = await rejectsWith(page, ask(), 'bad-argument');
    assert.equal(detail, name);
    assert.match(message, / cannot be used\. It is one of \w/);
  }
});

test('what onAuthorize answers is read as strictly', async (t) => {
  const { worker, newPage } = startWorld(t);
  const page = newPage();
  await page.open('podcasts', { onAuthorize: () => ({ header: { Authorization: 'new' } }) });
  worker.post(page, { type: 'authorize', session: 'podcasts', id: 'one', url: 'https://app.example/f.bin', status: 401 });
  await page.untilReported(1);
  assert.equal(page.reported[0].message, 'header: is no option here. Did you mean headers?');
  assert.equal(worker.all('authorize').length, 0);
});

test('names that are known are taken, also where they are undefined', async (t) => {
  const { session, task } = await open(t);
  await session.download('/f.bin', { id: undefined, pieces: undefined, metered: undefined, metadata: { anything: 1 }, headers: { 'X-Any': '1' } });
  await session.update({ maxConnectionsPerHost: 2, retention: 'until-taken' });
  await task.update({ discretionary: false, priority: 'low' });
});

test('in the worker: attach() and its openSession() refuse them as well', async () => {
  await assert.rejects(start({ onEvent() {} }), { code: 'bad-argument', message: 'onEvent: is no option here. It belongs to openSession().' });
  const { longhaul } = await start();
  await assert.rejects(longhaul.openSession('podcasts', { versoin: 2 }), { code: 'bad-argument', message: 'versoin: is no option here. Did you mean version?' });
});
