// What is read at a file's URL while the file is being downloaded: it comes before the rest, waits while the download
// does, and breaks off where the download fails, so that a part is never taken for the whole.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { bytes } from '../../origin/content.mjs';
import { download, MIB, outcome, requestsFor, startWorld, untilTask } from '../support.mjs';

const LENGTH = 24 * MIB;
const SEED = 11;
const PACE = 512 << 10;
/** Somewhere in the part that would come last. */
const FAR = 20 * MIB + 70_000;
const ALIGNMENT = 64 << 10;

/** A page that the worker controls, and a download that has only begun. */
async function begun(t, fields = {}) {
  const world = await startWorld(t.after.bind(t));
  await (await world.open()).close();
  const page = await world.open();
  const file = world.origin.add('/f.bin', { length: LENGTH, seed: SEED, bytesPerSecond: PACE, ...fields });
  await download(page, '/f.bin', { id: 'f', maxSegments: 1 });
  await untilTask(page, 'f', (task) => task.receivedBytes > 0);
  return { ...world, page, file };
}

/** Begins to read the file at its URL, as `window[name]`. Firefox shows the head of an answer with its first byte. */
const read = (page, name, range) =>
  page.evaluate(
    async (name, range) => {
      const url = (await session.task('f')).file().url;
      const reading = (window[name] = { parts: [], received: 0, ended: 'not yet' });
      const all = async () => {
        const { status, headers, body } = await fetch(url, range ? { headers: { Range: `bytes=${range}` } } : {});
        Object.assign(reading, { status, length: Number(headers.get('content-length')), contentRange: headers.get('content-range') });
        for (const reader = body.getReader(); ; ) {
          const { done, value } = await reader.read();
          if (done) return;
          reading.parts.push(value);
          reading.received += value.length;
        }
      };
      reading.end = all().then(() => (reading.ended = 'whole'), (error) => (reading.ended = error.name));
    },
    name,
    range,
  );

/** Resolves when some of it has come. */
const untilRead = (page, name) => page.waitForFunction((name) => window[name].received > 0, { polling: 50 }, name);

/** Resolves when it has ended, with how, and with all that came. */
const ending = (page, name) =>
  page.evaluate(async (name) => {
    await window[name].end;
    const { end, parts, ...reading } = window[name];
    return { ...reading, sha256: await sha256(new Blob(parts)) };
  }, name);

const digestOf = (start, length) => createHash('sha256').update(bytes(SEED, start, length)).digest('hex');
const WHOLE = { status: 200, length: LENGTH, contentRange: null, received: LENGTH, ended: 'whole', sha256: digestOf(0, LENGTH) };

/** What a range of the file is answered with. */
function part(start, length) {
  const contentRange = `bytes ${start}-${start + length - 1}/${LENGTH}`;
  return { status: 206, length, contentRange, received: length, ended: 'whole', sha256: digestOf(start, length) };
}

test('a range that is far away comes although another reader waits at the front', async (t) => {
  // At the front nothing comes any more, so that its reader waits all the time.
  const { origin, page, file } = await begun(t, { faults: [{ kind: 'stall', bytes: MIB }] });
  await read(page, 'front');
  await page.waitForFunction((bytes) => front.received === bytes, { polling: 50 }, MIB);
  await read(page, 'far', `${FAR}-${FAR + 9_999}`);
  assert.deepEqual(await ending(page, 'far'), part(FAR, 10_000));
  const [first, second] = requestsFor(origin, '/f.bin').map(({ range }) => range.start);
  assert.equal(first, 0);
  assert.ok(second <= FAR && FAR < second + ALIGNMENT, `asked for from ${second} on`);
  file.update({ bytesPerSecond: Infinity });
  file.release();
  assert.deepEqual(await ending(page, 'front'), WHOLE);
  assert.equal((await outcome(page, 'f')).sha256, file.sha256);
});

test('who reads a paused download waits, and reads on when it is resumed', async (t) => {
  const { origin, page, file } = await begun(t);
  await read(page, 'all');
  await untilRead(page, 'all');
  await page.evaluate(async () => (await session.task('f')).pause());
  const before = requestsFor(origin, '/f.bin').length;
  await read(page, 'far', `${FAR}-`);
  // What is there is given, and when it has come the worker has long been asked for the rest.
  await read(page, 'near', '0-9999');
  assert.deepEqual(await ending(page, 'near'), part(0, 10_000));
  const { receivedBytes } = await untilTask(page, 'f', (task) => task.state === 'paused');
  await page.waitForFunction((bytes) => all.received === bytes, { polling: 50 }, receivedBytes);
  assert.deepEqual(await page.evaluate(() => [all.ended, far.ended, far.received]), ['not yet', 'not yet', 0]);
  assert.equal(requestsFor(origin, '/f.bin').length, before, 'nobody asks the server');
  file.update({ bytesPerSecond: Infinity });
  await page.evaluate(async () => (await session.task('f')).resume());
  assert.deepEqual(await ending(page, 'all'), WHOLE);
  assert.deepEqual(await ending(page, 'far'), part(FAR, LENGTH - FAR));
});

test('what is read of a download that fails breaks off', async (t) => {
  const { page, file } = await begun(t, { faults: [{ kind: 'cut', bytes: 2 * MIB }] });
  file.addFault({ kind: 'status', status: 410, times: Infinity });
  await read(page, 'all');
  const { ended, length, received, sha256 } = await ending(page, 'all');
  assert.deepEqual([ended, length], ['TypeError', LENGTH]);
  assert.ok(received > 0 && received <= 2 * MIB, `${received} bytes came`);
  assert.equal(sha256, digestOf(0, received), 'what came is right');
  const { state, code, status } = await outcome(page, 'f');
  assert.deepEqual({ state, code, status }, { state: 'failed', code: 'http-status', status: 410 });
  const later = await page.evaluate(async () => (await fetch((await session.task('f')).file().url)).status);
  assert.ok(later >= 400, `answered ${later}`);
});
