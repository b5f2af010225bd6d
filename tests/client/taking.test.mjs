// A finished file leaves longhaul: moved by the worker, taken by the page, saved, or let go.
import assert from 'node:assert/strict';
import { say } from './fakes/page.mjs';
import { rejectsWith, snapshot, startWorld, test } from './support.mjs';

const FILES = 'https://app.example/longhaul/file';

async function openFile(t, fields = {}) {
  const world = startWorld(t);
  const page = world.newPage();
  world.worker.answer('open', () => ({ version: 1, files: FILES }));
  const session = await page.open();
  const task = await session.download('/f.bin', { id: 'a' });
  const shot = (more) => snapshot({ id: 'a', state: 'completed', receivedBytes: 5, ...fields, ...more });
  const tell = (more) => {
    world.worker.post(page, { type: 'task', session: 'podcasts', task: shot(more) });
    return world.worker.settled(page);
  };
  await tell();
  return { ...world, page, session, task, file: task.file(), shot, tell };
}

const calls = (worker, type) => worker.all(type).map(({ message }) => message.call);

test('a move is the worker\'s, and resolves when the file is there', async (t) => {
  const { worker, page, file, shot, tell } = await openFile(t);
  worker.answer('move', () => ({ task: shot({ file: 'moving' }) }));
  let isDone = false;
  const moved = file.moveTo({ cache: 'files' }).then(() => (isDone = true));
  await worker.settled(page);
  assert.deepEqual([isDone, file.place], [false, 'moving']);
  await tell({ file: 'gone' });
  await moved;
  assert.equal(file.place, 'gone');
  assert.deepEqual(calls(worker, 'move')[0].destination, { cache: 'files', url: 'https://app.example/f.bin' });
});

test('a move that fails says why, and the file is here', async (t) => {
  const { worker, page, file, shot, tell } = await openFile(t);
  worker.answer('move', () => ({ task: shot({ file: 'moving' }) }));
  const moved = rejectsWith(page, file.moveTo({ opfs: 'a/b.bin' }), 'quota-exceeded');
  await worker.settled(page);
  await tell({ fileError: { code: 'quota-exceeded' } });
  await moved;
  assert.equal(file.place, 'here');
  assert.deepEqual(calls(worker, 'move')[0].destination, { opfs: 'a/b.bin' });
});

test('a destination that cannot be is refused at the call', async (t) => {
  const { page, session, file } = await openFile(t);
  const bad = [{ opfs: '' }, { opfs: '/a' }, { opfs: 'a/../b' }, { opfs: 'a//b' }, { cache: 5 }, { cache: 'a', url: 'data:,a' }, { cache: 'a', url: 'http://[' }];
  for (const destination of bad) {
    await rejectsWith(page, file.moveTo(destination), 'bad-argument');
    await rejectsWith(page, session.download('/g.bin', { destination }), 'bad-argument');
  }
});

test('into a stream the page moves it, and lets go of it only then', async (t) => {
  const { worker, page, file, shot } = await openFile(t);
  const chunks = ['ab', 'cde'];
  worker.answer('chunk', ({ offset }) => {
    const chunk = { 0: chunks[0], 2: chunks[1] }[offset];
    return { body: 'b', start: offset, length: chunk?.length ?? 0, ...(chunk && { chunk: new Blob([chunk]) }) };
  });
  worker.answer('release-file', () => ({ task: shot({ file: 'gone', receivedBytes: 0 }) }));
  const broken = new WritableStream({ write: () => Promise.reject(new Error('full')) });
  await assert.rejects(file.moveTo(broken), { message: 'full' });
  assert.deepEqual([calls(worker, 'release-file').length, file.place], [0, 'here']);
  let text = '';
  const sink = () => new WritableStream({ write: (bytes) => void (text += new TextDecoder().decode(bytes)) });
  await file.moveTo(sink());
  assert.deepEqual([text, calls(worker, 'release-file').length, file.place], ['abcde', 1, 'gone']);
  // A picked file is no entry of the origin private file system.
  await file.moveTo({ createWritable: async () => sink() });
  assert.equal(text, 'abcdeabcde');
  const refused = file.moveTo({ createWritable: () => Promise.reject(new Error('not allowed')) });
  assert.match((await rejectsWith(page, refused, 'destination-failed')).message, /not allowed/);
});

test('what a download says of its file\'s place is checked and sent', async (t) => {
  const { worker, page, session } = await openFile(t);
  await session.download('/g.bin', { id: 'g', destination: { cache: 'c', url: '/other' }, whenFull: 'fail', serveOriginalUrl: true });
  const { spec } = calls(worker, 'download').at(-1);
  assert.deepEqual([spec.destination, spec.failsWhenFull, spec.servesUrl], [{ cache: 'c', url: 'https://app.example/other' }, true, true]);
  await session.download('/h.bin', { id: 'h', whenFull: 'wait' });
  const other = calls(worker, 'download').at(-1).spec;
  assert.deepEqual([other.destination, other.failsWhenFull, other.servesUrl], [undefined, undefined, undefined]);
  await rejectsWith(page, session.download('/i.bin', { whenFull: 'perhaps' }), 'bad-argument');
});

test('how long files are kept is told in days', async (t) => {
  const { worker, page, session } = await openFile(t);
  const told = async (retention) => {
    await session.update({ retention });
    const { keepMs, keepFromLastUse } = calls(worker, 'update-session').at(-1).limits;
    return [keepMs, keepFromLastUse];
  };
  assert.deepEqual(await told('until-taken'), [0, undefined]);
  assert.deepEqual(await told({ days: 2 }), [172_800_000, false]);
  assert.deepEqual(await told({ days: 0.5, since: 'last-use' }), [43_200_000, true]);
  for (const retention of [{ days: 0 }, { days: 'a' }, { days: 1, since: 'ever' }]) await rejectsWith(page, session.update({ retention }), 'bad-argument');
});

test('what is stored is told task by task, the largest first', async (t) => {
  const { worker, session } = await openFile(t);
  const pages = [
    { tasks: [snapshot({ id: 'a', state: 'completed', receivedBytes: 5 }), snapshot({ id: 'b', state: 'running', receivedBytes: 9 })], next: 'b' },
    { tasks: [snapshot({ id: 'c', state: 'completed', receivedBytes: 7 }), snapshot({ id: 'd', state: 'failed', receivedBytes: 0 })] },
  ];
  worker.answer('select', ({ after }) => pages[after === undefined ? 0 : 1]);
  const { tasks, bytes, releasableBytes } = await session.storage();
  assert.deepEqual(tasks.map(({ id, bytes, isReleasable }) => [id, bytes, isReleasable]), [['b', 9, false], ['c', 7, true], ['a', 5, true]]);
  assert.deepEqual([bytes, releasableBytes], [21, 12]);
  worker.answer('bulk', () => ({ count: 2 }));
  assert.equal(await session.releaseFiles({ tag: 'old' }), 2);
  assert.deepEqual(calls(worker, 'bulk').map(({ action, tag }) => [action, tag]), [['release-file', 'old']]);
});

test('saved, it is a frame\'s attachment with its name', async (t) => {
  const { page, file } = await openFile(t, { fileName: 'ä b.mp3' });
  await rejectsWith(page, file.saveAs(), 'not-controlled');
  page.control();
  page.fetch = async () => new Response(null, { headers: { 'Longhaul-Files': '1' } });
  await file.saveAs();
  await file.saveAs('c.mp3');
  assert.deepEqual(page.frames, [`${FILES}?session=podcasts&id=a&download=%C3%A4+b.mp3`, `${FILES}?session=podcasts&id=a&download=c.mp3`]);
});

test('a file that the worker cannot give, or whose frame shows something else, is not saved, and its frame is taken out', async (t) => {
  const { page, file } = await openFile(t);
  page.control();
  page.fetch = async () => new Response(null, { headers: { 'Longhaul-Files': '1' } });
  page.onFrame = ({ src }) => say(src, { error: { code: 'file-released', message: 'Gone.', retry: false } });
  await rejectsWith(page, file.saveAs(), 'file-released');
  page.onFrame = ({ onload }) => onload();
  await rejectsWith(page, file.saveAs(), 'save-failed');
  page.onFrame = ({ src }) => page.document.dispatchEvent(Object.assign(new Event('securitypolicyviolation'), { blockedURI: src }));
  await rejectsWith(page, file.saveAs(), 'save-failed');
  while (page.removed < 3) await new Promise(setImmediate);
  page.container.getRegistration = async () => undefined;
  await rejectsWith(page, file.saveAs(), 'no-service-worker');
  assert.equal(page.frames.length, 3);
});

test('a frame that was used is taken out again, long after the browser has begun', async (t) => {
  const { page, file } = await openFile(t);
  page.control();
  page.fetch = async () => new Response(null, { headers: { 'Longhaul-Files': '1' } });
  t.mock.timers.enable({ apis: ['setTimeout'] });
  await file.saveAs();
  t.mock.timers.tick(10_000);
  assert.equal(page.removed, 0);
  t.mock.timers.tick(60_000);
  assert.equal(page.removed, 1);
});
