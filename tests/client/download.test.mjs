// What is sent for a download: read from a URL or a Request and the options, checked, secrets apart.
import assert from 'node:assert/strict';
import { rejectsWith, startWorld, test } from './support.mjs';

const NOW = Date.UTC(2026, 10, 21);

/** A page with a session, and the last download that its worker was asked for. */
async function open(t, options) {
  const { worker, newPage } = startWorld(t, options);
  const page = newPage();
  const session = await page.open();
  const ask = async (url, options) => {
    await session.download(url, { id: 'one', ...options });
    return worker.all('download').at(-1).message.call;
  };
  return { worker, page, session, ask };
}

const source = (url, host = 'app.example', scheme = 'https') => ({ url, host, origin: `${scheme}://${host}` });

test('a plain download says no more than it must', async (t) => {
  const { ask } = await open(t);
  const { token, ...call } = await ask('/f.bin');
  assert.deepEqual(call, {
    type: 'download',
    session: 'podcasts',
    ifExists: 'keep',
    secrets: [],
    spec: { id: 'one', sources: [source('https://app.example/f.bin')] },
  });
  assert.match(token, /^[0-9a-f-]{36}$/);
});

test('every option has its field', async (t) => {
  const { ask } = await open(t, { timers: true });
  t.mock.timers.setTime(NOW);
  const { token, ...call } = await ask('/f.bin', {
    ifExists: 'refresh',
    mirrors: ['https://mirror.example/f.bin', new URL('https://other.example:8443/f.bin')],
    headers: { Accept: 'audio/*', 'X-Plan': 'gold' },
    persistHeaders: true,
    credentials: 'include',
    referrerPolicy: 'no-referrer',
    redirect: 'error',
    keepHeaders: ['X-Version'],
    integrity: 'sha256-abc=',
    pieces: { length: 1 << 20, sha256: ['00'.repeat(31) + 'Ff'] },
    serverDigest: 'ignore',
    expectedBytes: 5,
    exactBytes: 6,
    accept: 'audio/*',
    resume: 'strong-only',
    group: 'week-47',
    tag: 'audio',
    description: 'A file',
    metadata: { a: [1] },
    priority: 'high',
    metered: 'wait',
    unknownNetwork: 'allow',
    discretionary: true,
    earliestBegin: new Date(NOW + 5_000),
    maxBytesPerSecond: 2048,
    maxSegments: 2,
    stallTimeout: 9_000,
    resourceTimeout: 60_000,
    maxFailures: 3,
  });
  assert.deepEqual(call, {
    type: 'download',
    session: 'podcasts',
    ifExists: 'refresh',
    secrets: [],
    spec: {
      id: 'one',
      sources: [
        source('https://app.example/f.bin'),
        source('https://mirror.example/f.bin', 'mirror.example'),
        source('https://other.example:8443/f.bin', 'other.example:8443'),
      ],
      headers: [['accept', 'audio/*'], ['x-plan', 'gold']],
      credentials: 'include',
      referrerPolicy: 'no-referrer',
      redirects: 'error',
      keepHeaders: ['X-Version'],
      integrity: 'sha256-abc=',
      pieceLength: 1 << 20,
      pieceDigests: new Uint8Array(32).fill(255, 31),
      ignoreServerDigest: true,
      expectedBytes: 5,
      exactBytes: 6,
      accept: ['audio/*'],
      strongOnly: true,
      group: 'week-47',
      tag: 'audio',
      description: 'A file',
      metadata: '{"a":[1]}',
      policy: {
        priority: 'high',
        metered: false,
        unknownNetwork: true,
        discretionaryUntil: NOW + 86_400_000,
        beginAt: NOW + 5_000,
        maxBytesPerSecond: 2048,
        maxSegments: 2,
        stallTimeoutMs: 9_000,
        resourceTimeoutMs: 60_000,
        maxFailures: 3,
      },
    },
  });
});

test('without an id one is made, relative URLs count from the page, a fragment is dropped, ports belong to the host', async (t) => {
  const { worker, session } = await open(t);
  await session.download('g.bin#part');
  await session.download(new URL('https://files.example:8080/h.bin'));
  const [relative, foreign] = worker.all('download').map(({ message }) => message.call.spec);
  assert.equal(relative.sources[0].url, 'https://app.example/app/g.bin');
  assert.match(relative.id, /^[0-9a-f-]{36}$/);
  assert.notEqual(relative.id, foreign.id);
  assert.deepEqual(foreign.sources, [source('https://files.example:8080/h.bin', 'files.example:8080')]);
});

test('a Request gives its URL and what it asks with; options count for more', async (t) => {
  const { ask } = await open(t);
  const request = new Request('https://files.example/f.bin', {
    headers: { Authorization: 'Bearer old', 'Accept-Language': 'de' },
    credentials: 'omit',
    referrerPolicy: 'origin',
    redirect: 'error',
    integrity: 'sha256-abc=',
  });
  const { spec, secrets } = await ask(request, { headers: { authorization: 'Bearer new' }, credentials: 'include' });
  assert.deepEqual(secrets, [['authorization', 'Bearer new']]);
  assert.deepEqual(spec, {
    id: 'one',
    sources: [source('https://files.example/f.bin', 'files.example')],
    headers: [['accept-language', 'de']],
    credentials: 'include',
    referrerPolicy: 'origin',
    redirects: 'error',
    integrity: 'sha256-abc=',
  });
});

test('what a redirect may do is one of three words, of which the usual one goes without saying', async (t) => {
  const { page, session, ask } = await open(t);
  for (const redirect of ['error', 'follow-with-headers']) assert.equal((await ask('/f.bin', { redirect })).spec.redirects, redirect);
  assert.equal('redirects' in (await ask('/f.bin', { redirect: 'follow' })).spec, false);
  await rejectsWith(page, session.download('/f.bin', { redirect: 'manual' }), 'bad-argument');
});

test('headers that may hold secrets are never in the spec, unless the app says so', async (t) => {
  const { ask } = await open(t);
  const headers = { Authorization: 'Bearer x', Accept: '*/*', 'Content-Language': 'en', 'X-Api-Key': 'y' };
  const apart = await ask('/f.bin', { headers });
  assert.deepEqual(apart.secrets, [['authorization', 'Bearer x'], ['x-api-key', 'y']]);
  assert.deepEqual(apart.spec.headers, [['accept', '*/*'], ['content-language', 'en']]);
  const together = await ask('/f.bin', { headers, persistHeaders: true });
  assert.deepEqual([together.secrets, together.spec.headers.length], [[], 4]);
});

test('the signal of a Request ends the call, as that of the options does', async (t) => {
  const { page, session } = await open(t);
  const [live, dead] = [new AbortController().signal, AbortSignal.abort()];
  const request = (signal) => new Request('https://app.example/f.bin', { signal });
  await rejectsWith(page, session.download(request(dead)), 'aborted');
  await rejectsWith(page, session.download(request(dead), { signal: live }), 'aborted');
  await rejectsWith(page, session.download(request(live), { signal: dead }), 'aborted');
});

test('what cannot be carried out later is refused at the call, and nothing is sent', async (t) => {
  const { worker, page, session } = await open(t);
  const url = 'https://files.example/f.bin';
  const fakeRequest = (fields) => Object.defineProperties(new Request(url), Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, { value }])));
  const refused = [
    [new Request(url, { method: 'POST', body: 'x' }), {}, /^method/],
    [new Request(url, { method: 'HEAD' }), {}, /^method/],
    [fakeRequest({ mode: 'no-cors' }), {}, /^mode/],
    [fakeRequest({ mode: 'navigate' }), {}, /^mode/],
    [fakeRequest({ mode: 'same-origin' }), {}, /^mode/],
    [fakeRequest({ cache: 'only-if-cached' }), {}, /^cache/],
    [new Request(url, { redirect: 'manual' }), {}, /^redirect/],
    [url, { redirect: 'manual' }, /^redirect/],
    [url, { serverDigest: 'maybe' }, /^serverDigest/],
    [url, { resume: 'never' }, /^resume/],
    [url, { metered: true }, /^metered/],
    [url, { unknownNetwork: 'no' }, /^unknownNetwork/],
    [url, { earliestBegin: new Date(NaN) }, /^earliestBegin/],
    [url, { discretionary: { deadline: 'soon' } }, /^discretionary/],
    [url, { pieces: { length: 1 << 20, sha256: ['abc'] } }, /^pieces/],
    [url, { metadata: 1n }, /^metadata/],
    [url, { metadata: () => {} }, /^metadata/],
    [url, { mirrors: ['https://'] }, /^mirrors: "https:\/\/" /],
    [url, { mirrors: 'https://files.example/g.bin' }, /^mirrors: /],
    [url, { ifExists: 'overwrite' }, /^ifExists: "overwrite" .*keep, replace, refresh/],
    ...[undefined, null, '', ' ', 42, {}, [], 'https://', '/\ud800'].map((target) => [target, {}, /^url: /]),
    ['https://user@files.example/f.bin', {}, /^url/],
    ['https://:secret@files.example/f.bin', {}, /^url/],
    ...['Range', 'If-Range', 'If-None-Match', 'If-Modified-Since', 'Accept-Encoding', 'Cookie', 'Sec-Fetch-Mode'].map(
      (name) => [url, { headers: { [name]: 'x' } }, new RegExp(`^headers: ${name.toLowerCase()} `)],
    ),
  ];
  for (const [target, options, detail] of refused) {
    const { message, detail: field } = await rejectsWith(page, session.download(target, options), 'bad-argument');
    assert.match(message, detail);
    assert.ok(message.startsWith(`${field}: `) || message.startsWith(`${field} `), message);
  }
  await rejectsWith(page, session.download('ftp://app.example/f.bin'), 'unsupported-scheme');
  await worker.settled(page);
  assert.equal(worker.all('download').length, 0);
});

test('a page of https: loads from http: on this machine only', async (t) => {
  const { page, session, ask } = await open(t);
  await rejectsWith(page, session.download('http://files.example/f.bin'), 'mixed-content');
  await rejectsWith(page, session.download('http://localhost.example/f.bin'), 'mixed-content');
  await rejectsWith(page, session.download('/f.bin', { mirrors: ['http://files.example/f.bin'] }), 'mixed-content');
  for (const host of ['localhost:8080', 'app.localhost', '127.0.0.1', '[::1]:81']) {
    assert.equal((await ask(`http://${host}/f.bin`)).spec.sources[0].host, host);
  }
});

test('of a view only its own bytes are sent', async (t) => {
  const { ask } = await open(t);
  const view = new Uint8Array(1_000).fill(7).subarray(10, 42);
  const { pieceDigests } = (await ask('/f.bin', { pieces: { length: 1 << 20, sha256: view } })).spec;
  assert.deepEqual([pieceDigests.length, pieceDigests.buffer.byteLength], [32, 32]);
});

test('resume data goes along with the same options, and takes neither URL nor headers from it', async (t) => {
  const { worker, session } = await open(t);
  const data = new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4);
  const task = await session.resumeFrom(data, '/g.bin', { id: 'two', headers: { Authorization: 'x' } });
  assert.equal(task.id, 'two');
  const { token, ...call } = (await worker.next('resume-from')).message.call;
  assert.deepEqual(call, {
    type: 'resume-from',
    session: 'podcasts',
    data: new Uint8Array([1, 2, 3]),
    secrets: [['authorization', 'x']],
    spec: { id: 'two', sources: [source('https://app.example/g.bin')] },
  });
  assert.equal(call.data.buffer.byteLength, 3);
});
