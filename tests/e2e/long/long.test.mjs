// A file that is longer than a browser may hold in memory, as fast as it comes. Firefox and WebKit may hold all that an answer
// has brought, so there it is asked for in parts, each of them taken as a whole; elsewhere in a few long segments. Everywhere it is the server's file, hashed on the way, of which no byte is asked for twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { browserName } from '../../browser/launch.mjs';
import { download, MIB, requestsFor, startWorld } from '../support.mjs';

const LENGTH = 96 * MIB;
const LONGEST = 8 * MIB;
const holdsAnswers = browserName !== 'chromium';

const sri = ({ sha256 }) => `sha256-${Buffer.from(sha256, 'hex').toString('base64')}`;

const wholes = (page) =>
  page.evaluate(async () => {
    const { port1, port2 } = new MessageChannel();
    const answered = new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data)));
    (await navigator.serviceWorker.ready).active.postMessage('wholes', [port2]);
    return answered;
  });

/** Downloads it to its end, which its digest has to allow. Returns what was asked for, by the first byte. */
async function run(t, path, options, faults = []) {
  const { origin, open } = await startWorld(t.after.bind(t));
  const file = origin.add(path, { length: LENGTH, seed: 31, faults });
  const page = await open('?worker=/sw-wholes.js');
  await download(page, path, { id: 'long', integrity: sri(file), ...options });
  const { state, restarts, receivedBytes } = await page.evaluate(async () => (await (await session.task('long')).finished()).snapshot);
  assert.deepEqual({ state, restarts, receivedBytes }, { state: 'completed', restarts: 0, receivedBytes: LENGTH });
  const requests = requestsFor(origin, path).sort((one, other) => one.range.start - other.range.start);
  t.diagnostic(`${requests.length} requests, ${await wholes(page)} bodies taken as a whole`);
  return { file, page, requests };
}

/** What a request was for: the first one, and what runs to the end of the file, are open-ended. */
const asked = ({ range: { start, end } }) => [start, end ?? LENGTH];

for (const maxSegments of [1, 3]) {
  test(`in up to ${maxSegments} segments at a time`, async (t) => {
    const { page, requests } = await run(t, '/long.bin', { maxSegments });
    if (!holdsAnswers) return assert.ok(requests.length <= maxSegments + 1 && (await wholes(page)) === 0, `${requests.length} requests`);
    const starts = requests.map(({ range }) => range.start);
    assert.equal(new Set(starts).size, starts.length, `no place is begun at twice: ${starts}`);
    const beyond = requests.slice(1).filter((request) => asked(request)[1] - asked(request)[0] > LONGEST);
    assert.deepEqual(beyond, [], 'none but the first is for more than a part');
    assert.ok(requests.length >= LENGTH / LONGEST && (await wholes(page)) > 0, `${await wholes(page)} wholes`);
  });
}

test('a connection that is cut costs what it was bringing, and the rest goes on', async (t) => {
  const late = (entry) => entry.range?.start >= 32 * MIB;
  const { file, requests } = await run(t, '/cut.bin', { maxSegments: 1 }, [{ kind: 'cut', bytes: 3 * MIB, when: holdsAnswers ? late : undefined }]);
  assert.deepEqual(file.faults, [], 'it was cut');
  const starts = requests.map(({ range }) => range.start);
  const twice = starts.filter((start, at) => starts.indexOf(start) !== at);
  assert.ok(twice.length <= 1, `only what was cut is asked for again: ${starts}`);
});
