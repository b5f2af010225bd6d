// What a newcomer does wrong that only a real worker, browser or server can tell, and what the console says then. The guide
// lists each message, without what differs from run to run.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { root } from '../../../tools/setup.mjs';
import { startOrigin } from '../../origin/server.mjs';
import { download, outcome, startWorld, untilTask } from '../support.mjs';

const guide = fs.readFileSync(path.join(root, 'docs/guide/when-it-does-not-work.md'), 'utf8');
const JS = 'text/javascript';
const WASM = '/longhaul/longhaul.wasm';
const attaching = (wasm) => Buffer.from(`importScripts('/longhaul/service-worker.classic.js');\nlonghaul.attach(self, { wasm: '${wasm}', wakeOnFetch: false });`);
const script = (wasm, headers = {}) => ({ data: attaching(wasm), contentType: JS, headers });

function isInGuide(message, origin) {
  const general = message.replaceAll(origin?.url ?? '\0', 'https://app.example').replaceAll('|', '\\|');
  assert.ok(guide.includes(general), `the guide does not have: ${general}`);
}

/** What is asked of the session `session` in the page, and the message of the `bad-argument` that comes of it. */
const CALLS = [
  ["session.download('/f', { id: 5 })", 'id: 5 cannot be used. It is a text of 1 to 1024 bytes.'],
  ["session.download('/f', { id: '' })", 'id: "" cannot be used. It is a text of 1 to 1024 bytes.'],
  ["session.download('/f', { id: 'x'.repeat(1025) })", `id: "${'x'.repeat(59)}… cannot be used. It is a text of 1 to 1024 bytes.`],
  ["session.download('/f', { tag: 7 })", 'tag: 7 cannot be used. It is a text of 1 to 1024 bytes.'],
  ["session.download('/f', { group: { id: 'g' } })", 'group: {"id":"g"} cannot be used. It is a text of 1 to 1024 bytes.'],
  ["session.download('/f', { description: ['a'] })", 'description: ["a"] cannot be used. It is a text of up to 65536 bytes.'],
  ["session.download('/f', { metadata: 'x'.repeat(70000) })", `metadata: "\\"${'x'.repeat(57)}… cannot be used. It is a text of up to 65536 bytes.`],
  ["session.download('/f', { maxSegments: 0 })", 'maxSegments: 0 cannot be used. It is a whole number from 1 to 16.'],
  ["session.download('/f', { maxSegments: '4' })", 'maxSegments: "4" cannot be used. It is a whole number from 1 to 16.'],
  ["session.download('/f', { maxSegments: NaN })", 'maxSegments: NaN cannot be used. It is a whole number from 1 to 16.'],
  ["session.download('/f', { maxFailures: 0 })", 'maxFailures: 0 cannot be used. It is a whole number from 1 to 1000.'],
  ["session.download('/f', { stallTimeout: 30 })", 'stallTimeout: 30 cannot be used. It is a whole number from 1000.'],
  ["session.download('/f', { resourceTimeout: 60 })", 'resourceTimeout: 60 cannot be used. It is a whole number from 1000, or 0.'],
  ["session.download('/f', { maxBytesPerSecond: 100 })", 'maxBytesPerSecond: 100 cannot be used. It is a whole number from 1024, or 0.'],
  ["session.download('/f', { expectedBytes: -1 })", 'expectedBytes: -1 cannot be used. It is a whole number.'],
  ["session.download('/f', { integrity: 'abc' })", 'integrity: "abc" cannot be used. It is a digest like sha256-….'],
  ["session.download('/f', { accept: 'mp3' })", 'accept: ["mp3"] cannot be used. It is a list of media types like audio/*.'],
  ["session.download('/f', { accept: ['*/mpeg'] })", 'accept: ["*/mpeg"] cannot be used. It is a list of media types like audio/*.'],
  ["session.download('/f', { exactBytes: 1.5 })", 'exactBytes: 1.5 cannot be used. It is a whole number.'],
  ["session.download('/f', { keepHeaders: 'ETag' })", 'keepHeaders: "ETag" cannot be used. It is a list of names.'],
  ["session.download('/f', { mirrors: Array(16).fill('/g') })", 'mirrors: It is not a list of up to 15.'],
  ["session.download('/f', { pieces: { length: 1000, sha256: [] } })", 'pieces: It is not one digest for each `length` bytes, which are at least 262144.'],
  ["session.update({ maxConcurrentTasks: 0 })", 'maxConcurrentTasks: 0 cannot be used. It is a whole number from 1 to 256.'],
  ["session.update({ maxConnectionsPerHost: 0.5 })", 'maxConnectionsPerHost: 0.5 cannot be used. It is a whole number from 1 to 256.'],
  ["session.task(5)", 'id: 5 cannot be used. It is a text of 1 to 1024 bytes.'],
  ["session.query({ limit: 0 })", 'limit: 0 cannot be used. It is a whole number from 1 to 1000.'],
  ["session.resumeFrom(new ArrayBuffer(70000), '/f')", /^data: .*cannot be used\./],
  ...['id', 'tag', 'group', 'description'].map((field) => [
    `session.download('/f', { ${field}: '\\ud800' })`,
    `${field}: "\\ud800" cannot be used. It is a text of whole characters, without a lone surrogate.`,
  ]),
  ["session.task('\\ud800')", 'id: "\\ud800" cannot be used. It is a text of whole characters, without a lone surrogate.'],
  ["session.query({ tag: 'a\\udc00' })", 'tag: "a\\udc00" cannot be used. It is a text of whole characters, without a lone surrogate.'],
  ["session.download('/f', { destination: { cache: '\\ud800' } })", 'cache: "\\ud800" cannot be used. It is a text of whole characters, without a lone surrogate.'],
];

test('what the worker refuses names the field, the value and what is allowed', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  const page = await open();
  for (const [ask, message] of CALLS) {
    const error = await page.evaluate((ask) => errorOf(new Function(`return ${ask}`)()), ask);
    assert.deepEqual([error?.isLonghaulError, error?.code], [true, 'bad-argument'], `${ask}: ${JSON.stringify(error)}`);
    if (message instanceof RegExp) assert.match(error.message, message);
    else assert.equal(error.message, message);
    if (/^(id: 5|maxSeg|stall|integ|tag: 7|id: "\\u)/.test(message)) isInGuide(message);
  }
  for (const identifier of [5, '', '\ud800']) {
    const error = await page.evaluate(async (identifier) => {
      const { openSession } = await import('/longhaul/client.js');
      return errorOf(openSession(JSON.parse(identifier), { serviceWorker: navigator.serviceWorker.ready }));
    }, JSON.stringify(identifier));
    assert.equal(error.code, 'bad-argument');
    assert.match(error.message, /^session: (5|""|"\\ud800") cannot be used\. It is a text of /);
  }
  assert.equal(origin.log.filter(({ path }) => path === '/f').length, 0, 'nothing was fetched');
});

test('limits at their ends are taken', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  origin.add('/f', { length: 10 });
  const page = await open();
  const taken = await page.evaluate(async () => {
    const least = { maxSegments: 1, maxFailures: 1, stallTimeout: 1000, resourceTimeout: 1000, maxBytesPerSecond: 1024, expectedBytes: 0 };
    const most = { maxSegments: 16, maxFailures: 1000, resourceTimeout: 0, maxBytesPerSecond: 0, metadata: 'x'.repeat(65_534), description: 'x'.repeat(65_536) };
    for (const [id, options] of [['a', least], ['x'.repeat(1024), most]]) await session.download('/f', { id, ...options });
    await session.update({ maxConcurrentTasks: 256, maxConnectionsPerHost: { visible: 1, hidden: 256 } });
    return (await session.query({ limit: 1000 })).tasks.length;
  });
  assert.equal(taken, 2);
});

/** The error of a session that is opened with this worker's script. */
const opening = (page, worker) =>
  page.evaluate(async (worker) => {
    const { openSession } = await import('/longhaul/client.js');
    await navigator.serviceWorker.register(worker);
    const error = await openSession('podcasts', { serviceWorker: navigator.serviceWorker.ready }).catch((error) => error);
    return { code: error.code, message: error.message, retry: error.retry };
  }, worker);

const NOT_IT = "is not this version's longhaul.wasm. Copy it there from the package, or change wasm in attach().";

for (const [what, fields, cause] of [
  ['is not there', undefined, 'HTTP 404, null'],
  ['is the page of an app', { data: Buffer.from('<!doctype html>'), contentType: 'text/html' }, 'HTTP 200, text/html'],
  ['is that of another version', { data: Buffer.from('\0asm\x01\0\0\0', 'latin1'), contentType: 'application/wasm' }, 'HTTP 200, application/wasm'],
]) {
  test(`a wasm that ${what} is told with its URL and what is there`, async (t) => {
    const { origin, open } = await startWorld(t.after.bind(t));
    origin.add('/sw-wrong.js', script('/wrong.wasm'));
    if (fields) origin.add('/wrong.wasm', fields);
    const { code, message, retry } = await opening(await open('?idle'), '/sw-wrong.js');
    assert.deepEqual([code, retry, message], ['component-failed', false, `${origin.url}/wrong.wasm (${cause}) ${NOT_IT}`]);
    isInGuide(message, origin);
  });
}

test('a server that is busy with the wasm may be asked again', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  origin.add('/sw-wrong.js', script('/wrong.wasm'));
  origin.add('/wrong.wasm', { length: 10, faults: Array(20).fill({ kind: 'status', status: 503 }) });
  const { code, message, retry } = await opening(await open('?idle'), '/sw-wrong.js');
  assert.deepEqual([code, retry], ['component-failed', true]);
  assert.match(message, /HTTP 503/);
});

for (const [policy, cause] of [
  ["script-src 'self'", "The worker's content security policy forbids WebAssembly. Add 'wasm-unsafe-eval' to script-src."],
  ["connect-src 'none'", `https://app.example${WASM} could not be fetched. Check the network, and connect-src of the worker.`],
]) {
  test(`a worker with the policy ${policy} is told what to change`, async (t) => {
    const { origin, open } = await startWorld(t.after.bind(t));
    origin.add('/sw-strict.js', script(WASM, { 'Content-Security-Policy': policy }));
    const { code, message, retry } = await opening(await open('?idle'), '/sw-strict.js');
    assert.deepEqual([code, message.replace(origin.url, 'https://app.example')], ['component-failed', cause]);
    assert.equal(retry, policy.startsWith('connect'));
    isInGuide(cause);
  });
}

test('a worker in a folder that the page is not in', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  origin.add('/assets/sw.js', script(WASM));
  origin.add('/f', { length: 10 });
  const page = await open('?idle');
  const errors = await page.evaluate(async () => {
    const { openSession } = await import('/longhaul/client.js');
    const registration = await navigator.serviceWorker.register('/assets/sw.js');
    const session = await openSession('podcasts', { serviceWorker: registration });
    const task = await (await session.download('/f')).finished();
    return Promise.all([errorOf(openSession('podcasts')), errorOf(task.file().servedUrl({ otherwise: 'wait' })), errorOf(task.file().saveAs())]);
  });
  for (const { code, message } of errors) {
    assert.equal(code, 'not-in-scope');
    assert.ok(message.endsWith(`(${origin.url}/assets/)`), message);
  }
});

test('saving is refused where the page may have no frame, has lost its worker, or the file is not there', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  const html = fs.readFileSync(path.join(root, 'tests/e2e/app/index.html'));
  origin.add('/strict.html', { data: html, contentType: 'text/html', headers: { 'Content-Security-Policy': "frame-src 'none'" } });
  origin.add('/f', { length: 10 });
  await open('?worker=/sw-claiming.js');
  // The worker answers the pages that come after it.
  const page = await open('?worker=/sw-claiming.js');
  await download(page, '/f', { id: 'f' });
  assert.equal((await outcome(page, 'f')).state, 'completed');
  const saved = (page, id = 'f') => page.evaluate(async (id) => errorOf((await session.task(id)).file().saveAs('f.bin')), id);
  const frames = (page) => page.evaluate(() => document.querySelectorAll('iframe').length);

  const strict = await open('strict.html?worker=/sw-claiming.js');
  const forbidden = await saved(strict);
  assert.equal(forbidden?.code, 'save-failed', JSON.stringify(forbidden));
  isInGuide(forbidden.message);
  await strict.waitForFunction(() => !document.querySelector('iframe'), { polling: 50 });

  await page.evaluate(async () => (await session.task('f')).file().release());
  assert.equal((await saved(page))?.code, 'file-released');
  await page.waitForFunction(() => !document.querySelector('iframe'), { polling: 50 });

  await page.evaluate(async () => (await navigator.serviceWorker.ready).unregister());
  assert.equal((await saved(page))?.code, 'no-service-worker');
  assert.equal(await frames(page), 0);
});

/** How a download ended: `{ code, message }`. */
const failure = async (page, id) => {
  await untilTask(page, id, (task) => task.state === 'failed');
  return page.evaluate(async (id) => {
    const { code, message, retry } = (await session.task(id)).error;
    return { code, message, retry };
  }, id);
};

test('what a server refuses is told with its status and what to change', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  const other = await startOrigin();
  t.after(() => other.close());
  const page = await open();
  origin.add('/private', { length: 10, faults: Array(9).fill({ kind: 'status', status: 401 }) });
  other.add('/closed', { length: 10 });
  other.add('/preflight', { length: 10, cors: 'expose', preflight: 'refuse' });
  other.add('/open', { length: 10, cors: 'expose' });
  other.add('/path', { length: 10 });
  await download(page, '/missing', { id: 'missing' });
  await download(page, '/private', { id: 'private' });
  await download(page, `${other.url}/closed`, { id: 'closed' });
  await download(page, `${other.url}/preflight`, { id: 'preflight', headers: { Authorization: 'x' }, persistHeaders: true });
  const expected = {
    missing: ['http-status', 'The server has no such file. Check the URL. (HTTP 404)'],
    private: ['http-status', 'The server refuses the headers or the URL. Use onAuthorize of openSession(), or authorize of attach(). (HTTP 401)'],
    closed: ['cors-blocked', 'The server does not let this origin read the file. Have it send Access-Control-Allow-Origin.'],
    preflight: ['cors-blocked', 'The server does not let this origin read the file. Have it send Access-Control-Allow-Origin. (Access-Control-Allow-Origin: https://app.example; in the answer to OPTIONS also Access-Control-Allow-Headers: authorization)'],
  };
  for (const [id, [code, message]] of Object.entries(expected)) {
    const error = await failure(page, id);
    assert.deepEqual([error.code, error.message.replace(origin.url, 'https://app.example'), error.retry], [code, message, false], id);
    isInGuide(message);
  }
  // Of an origin that can be read, one path cannot.
  await download(page, `${other.url}/open`, { id: 'open' });
  assert.equal((await outcome(page, 'open')).state, 'completed');
  await download(page, `${other.url}/path`, { id: 'path' });
  assert.equal((await failure(page, 'path')).code, 'cors-blocked');
});

test('headers that nothing could supply again are refused with what would', async (t) => {
  const { open } = await startWorld(t.after.bind(t));
  const page = await open();
  const { code, message } = await page.evaluate(() => errorOf(session.download('/f', { headers: { Authorization: 'secret' } })));
  assert.equal(code, 'authorization-not-durable');
  assert.equal(message, 'These headers are not stored, and nothing could supply them again. Use onAuthorize of openSession(), authorize of attach(), or persistHeaders. (authorization)');
  isInGuide(message);
});

test('a task that waits tells why: its snapshot, explain(), and what it said last', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  origin.add('/broken', { length: 10, faults: Array(40).fill({ kind: 'status', status: 500 }) });
  const gone = await startOrigin();
  await gone.close();
  const page = await open();
  await download(page, '/broken', { id: 'broken' });
  await download(page, `${gone.url}/f`, { id: 'gone' });
  const { lastError } = await untilTask(page, 'broken', (task) => task.reason === 'retry' && task.lastError);
  assert.deepEqual([lastError.code, lastError.status, lastError.retry, typeof lastError.at], ['http-status', 500, true, 'number']);
  assert.equal(lastError.message, 'The server did not send the file. Check its log. (HTTP 500)');
  const unreachable = await untilTask(page, 'gone', (task) => task.reason === 'retry' && task.lastError);
  assert.equal(unreachable.lastError.code, 'network');
  assert.match(unreachable.lastError.message, /^The server could not be reached\. Check the URL/);
  const explained = await page.evaluate(async () => (await session.task('gone')).explain());
  if (explained) assert.match(explained.sentence, / Last error: The server could not be reached\./);
});
