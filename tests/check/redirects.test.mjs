// Redirects: where they lead, and whether each leads there; and what an answer is that is no file.
import assert from 'node:assert/strict';
import test from 'node:test';
import { BearerTokens } from '../origin/access.mjs';
import { originFor } from '../origin/testing.mjs';
import { check, complaints, MODIFIED, PAGE, serve, words } from './support.mjs';

const FILE = { length: 300_000, lastModified: MODIFIED };

test('a redirect within the origin is followed, and does no harm', async (t) => {
  const origin = await originFor(t);
  origin.add('/a.bin', { redirect: { to: '/b.bin' } });
  origin.add('/b.bin', { redirect: { status: 307, to: '/c.bin' } });
  origin.add('/c.bin', FILE);
  const { status, result, levels } = await check(`${origin.url}/a.bin`);
  assert.deepEqual([status, complaints(result), levels.redirect], [0, [], 'ok']);
  assert.equal(result.finalUrl, `${origin.url}/c.bin`);
});

test('headers of the caller do not follow a redirect to another origin', async (t) => {
  const [origin, other] = [await originFor(t), await originFor(t)];
  origin.add('/a.bin', { redirect: { to: `${other.url}/b.bin` } });
  other.add('/b.bin', FILE);
  const { status, result } = await check(`${origin.url}/a.bin`, ['--header', 'X-Api-Key: secret']);
  assert.deepEqual([status, complaints(result)], [0, ['warning redirect-other-origin']]);
  assert.ok(origin.log.every(({ headers }) => headers['x-api-key'] === 'secret'));
  assert.deepEqual(other.log.filter(({ headers }) => 'x-api-key' in headers), []);
});

test('redirects in a circle, without a target, and without an end', async (t) => {
  const url = await serve(t, ({ url: at }, response) => {
    const targets = { '/loop': '/loop2', '/loop2': '/loop', '/nowhere': undefined, '/mail': 'mailto:a@b' };
    const to = at in targets ? targets[at] : `/far${Number(at.slice(4)) + 1}`;
    response.writeHead(302, to === undefined ? {} : { Location: to }).end();
  });
  for (const [path, code, requests] of [['/loop', 'redirect-loop', 2], ['/nowhere', 'redirect-nowhere', 1], ['/mail', 'redirect-nowhere', 1], ['/far0', 'redirect-too-many', 21]]) {
    const { status, result } = await check(`${url}${path}`);
    assert.deepEqual([status, complaints(result), words(result), result.requests], [1, [`problem ${code}`], 'failed network', requests], path);
  }
});

test('each request is redirected elsewhere', async (t) => {
  const origin = await originFor(t);
  let count = 0;
  origin.add('/a.bin', { redirect: { to: () => `/node${(count += 1)}.bin` } });
  for (const [name, fields] of [['node1', {}], ['node2', { etag: '"other"' }], ['node3', {}], ['node4', {}]]) origin.add(`/${name}.bin`, { ...FILE, ...fields });
  const different = await check(`${origin.url}/a.bin`);
  assert.deepEqual([different.status, words(different.result)], [1, 'restart-only weak-validator']);
  assert.deepEqual(complaints(different.result), ['problem redirect-varies']);
  const same = await check(`${origin.url}/a.bin`);
  assert.deepEqual([same.status, complaints(same.result)], [0, ['warning redirect-varies']]);
});

test('a redirect to a login page', async (t) => {
  const origin = await originFor(t);
  origin.add('/file.zip', { redirect: { to: '/login?next=file.zip' } });
  origin.add('/login', { data: Buffer.from('<h1>Log in</h1>'), contentType: 'text/html; charset=utf-8' });
  const { status, result } = await check(`${origin.url}/file.zip`);
  assert.equal(status, 1);
  assert.ok(complaints(result).includes('problem login-page'), complaints(result).join());
});

test('the fallback page of an app in place of a file', async (t) => {
  const origin = await originFor(t);
  origin.add('/file.zip', { data: Buffer.from('<!doctype html>'), contentType: 'text/html' });
  const { result } = await check(`${origin.url}/file.zip`);
  assert.deepEqual(complaints(result), ['warning html-answer']);
});

test('401 says how to go on, and with the token everything is looked at', async (t) => {
  const origin = await originFor(t);
  const access = new BearerTokens();
  origin.add('/a.bin', { ...FILE, access });
  const refused = await check(`${origin.url}/a.bin`);
  assert.deepEqual([refused.status, words(refused.result), complaints(refused.result)], [1, 'waiting authorization', ['problem authorization']]);
  assert.match(refused.result.findings.at(-1).seen, /WWW-Authenticate: Bearer/);
  const { status, result } = await check(`${origin.url}/a.bin`, ['--header', `Authorization: Bearer ${access.issue()}`]);
  assert.deepEqual([status, complaints(result)], [0, []]);
});

test('503, with and without a time to come back', async (t) => {
  const seen = {};
  for (const [path, headers] of [['none', {}], ['seconds', { 'Retry-After': '120' }], ['zero', { 'Retry-After': '0' }], ['past', { 'Retry-After': MODIFIED }], ['text', { 'Retry-After': 'soon' }]]) {
    const url = await serve(t, (request, response) => response.writeHead(503, headers).end());
    const { status, result } = await check(url);
    assert.deepEqual([status, complaints(result)], [1, ['problem busy']]);
    seen[path] = [words(result), result.findings[0].seen, result.findings[0].header];
  }
  assert.deepEqual(seen, {
    none: ['waiting retry', 'GET is answered with 503, without Retry-After.', 'Retry-After: 120'],
    seconds: ['waiting server-asked', 'GET is answered with 503, with Retry-After: 120.', undefined],
    zero: ['waiting server-asked', 'GET is answered with 503, with a Retry-After that is over (0).', 'Retry-After: 120'],
    past: ['waiting server-asked', `GET is answered with 503, with a Retry-After that is over (${MODIFIED}).`, 'Retry-After: 120'],
    text: ['waiting retry', 'GET is answered with 503, with a Retry-After that cannot be read (soon).', 'Retry-After: 120'],
  });
});

test('201, 202, 203 and 226 with the file are the file', async (t) => {
  for (const code of [201, 202, 203, 226]) {
    const { status, result } = await check(await serve(t, (request, response) => response.writeHead(code, { 'Content-Length': 4 }).end('file')));
    assert.deepEqual([status, words(result)], [1, 'restart-only ranges-ignored'], String(code));
  }
});

test('other statuses are the end', async (t) => {
  for (const code of [404, 405, 410, 418]) {
    const url = await serve(t, (request, response) => response.writeHead(code).end());
    const { status, result } = await check(url, ['--origin', new URL(PAGE).origin]);
    assert.deepEqual([status, words(result), complaints(result)], [1, 'failed http-status', ['problem status']], String(code));
  }
});
