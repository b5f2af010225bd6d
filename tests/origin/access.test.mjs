// Tokens, signed URLs and redirects: who gets in, and until when.
import assert from 'node:assert/strict';
import test from 'node:test';
import { BearerTokens, SignedUrls, fingerprint } from './access.mjs';
import { bytes } from './content.mjs';
import { ask, originFor } from './testing.mjs';

const bearer = (token) => ({ Authorization: `Bearer ${token}` });

test('a token lets in for its requests; then, and without one, comes 401 with WWW-Authenticate', async (t) => {
  const origin = await originFor(t);
  const tokens = new BearerTokens();
  origin.add('/f', { length: 10, access: tokens });
  const token = tokens.issue({ requests: 2 });
  const challenge = async (headers) => {
    const answer = await ask(`${origin.url}/f`, headers);
    return [answer.status, answer.headers.get('www-authenticate')];
  };
  assert.deepEqual(await challenge(), [401, 'Bearer realm="origin"']);
  assert.deepEqual(await challenge({ Authorization: `Basic ${token}` }), [401, 'Bearer realm="origin"']);
  const invalid = (why) => [401, `Bearer realm="origin", error="invalid_token", error_description="${why}"`];
  assert.deepEqual(await challenge(bearer('made-up')), invalid('unknown'));
  for (const expected of [[200, null], [200, null], invalid('expired')]) {
    assert.deepEqual(await challenge(bearer(token)), expected);
  }
});

test('a token that is ended on command ends alone, or with all others', async (t) => {
  const origin = await originFor(t);
  const tokens = new BearerTokens();
  origin.add('/f', { length: 10, access: tokens });
  const [first, second] = [tokens.issue(), tokens.issue()];
  const status = async (token) => (await ask(`${origin.url}/f`, bearer(token))).status;
  const statuses = async () => [await status(first), await status(second)];
  assert.deepEqual(await statuses(), [200, 200]);
  tokens.expire(first);
  assert.deepEqual(await statuses(), [401, 200]);
  tokens.expire();
  assert.deepEqual(await statuses(), [401, 401]);
  assert.equal(await status(tokens.issue()), 200);
});

test('a token that expires while a body is sent: the body goes on, the next request is refused', async (t) => {
  const origin = await originFor(t);
  const tokens = new BearerTokens();
  const resource = origin.add('/f', { length: 1000, access: tokens, faults: [{ kind: 'stall', bytes: 600 }] });
  const token = tokens.issue();
  const answer = ask(`${origin.url}/f`, bearer(token));
  await origin.waitForRequest('/f', ({ stalled }) => stalled);
  tokens.expire();
  resource.release();
  assert.deepEqual((await answer).body, bytes(1, 0, 1000));
  assert.equal((await ask(`${origin.url}/f`, { ...bearer(token), Range: 'bytes=600-' })).status, 401);
});

test('a refused request meets no fault, and the fault waits for the next', async (t) => {
  const origin = await originFor(t);
  const tokens = new BearerTokens();
  origin.add('/f', { length: 10, access: tokens, faults: [{ kind: 'status', status: 503 }] });
  assert.equal((await ask(`${origin.url}/f`)).status, 401);
  assert.equal((await ask(`${origin.url}/f`, bearer(tokens.issue()))).status, 503);
});

test('the log tells which token came, and nowhere the token itself', async (t) => {
  const origin = await originFor(t);
  const tokens = new BearerTokens();
  origin.add('/f', { length: 10, access: tokens });
  const [first, second] = [tokens.issue(), tokens.issue()];
  for (const headers of [{}, bearer(first), bearer(second), bearer(first)]) await ask(`${origin.url}/f`, headers);
  const [none, a, b, again] = origin.log.map(({ authorization }) => authorization);
  assert.deepEqual([none, a, again], [undefined, fingerprint(`Bearer ${first}`), a]);
  assert.notEqual(a, b);
  assert.ok(!JSON.stringify(origin.log).includes(first));
});

test('a signed URL is good for its own path, untouched, until it expires: by count or on command', async (t) => {
  const origin = await originFor(t);
  const urls = new SignedUrls();
  origin.add('/f', { length: 10, access: urls });
  origin.add('/g', { length: 10, access: urls });
  const status = async (url) => (await ask(origin.url + url)).status;
  const signed = urls.sign('/f');
  assert.match(signed, /^\/f\?expires=\d+&sig=[0-9a-f]+$/);
  assert.deepEqual([await status(signed), await status('/f')], [200, 403]);
  assert.equal(await status(signed.replace('/f', '/g')), 403);
  assert.equal(await status(signed.replace('expires=', 'expires=9')), 403);
  const counted = urls.sign('/g?name=a', { requests: 1 });
  assert.deepEqual([await status(counted), await status(counted), await status(signed)], [200, 403, 200]);
  urls.expire(signed);
  const other = urls.sign('/f');
  assert.deepEqual([await status(signed), await status(other)], [403, 200]);
  urls.expire();
  assert.equal(await status(other), 403);
});

test('redirects keep their status and place: same origin, another one, and a loop', async (t) => {
  const [origin, far] = [await originFor(t), await originFor(t)];
  origin.add('/f', { length: 10 });
  far.add('/f', { length: 10, seed: 2 });
  for (const status of [302, 307, 308]) {
    origin.add('/near', { redirect: { status, to: '/f' } });
    const answer = await ask(`${origin.url}/near`);
    assert.deepEqual([answer.status, answer.headers.get('location'), answer.body.length], [status, '/f', 0]);
  }
  origin.add('/far', { redirect: { to: `${far.url}/f` } });
  const followed = await fetch(`${origin.url}/far`, { headers: { Range: 'bytes=5-' } });
  assert.deepEqual(Buffer.from(await followed.arrayBuffer()), bytes(2, 5, 5));
  assert.deepEqual(far.log[0].range, { start: 5, end: undefined });

  origin.add('/a', { redirect: { to: '/b' } });
  origin.add('/b', { redirect: { to: '/a' } });
  await assert.rejects(fetch(`${origin.url}/a`));
  assert.ok(origin.log.filter(({ path, status }) => path === '/b' && status === 302).length > 1);
});

test('a redirect to signed URLs, a new one each time, of which the old ones expire', async (t) => {
  const origin = await originFor(t);
  const urls = new SignedUrls();
  origin.add('/f', { length: 10, access: urls });
  const seen = [];
  origin.add('/latest', { redirect: { to: ({ n }) => (seen.push(n), urls.sign(`/f?request=${n}`)) } });
  const first = await fetch(`${origin.url}/latest`);
  assert.deepEqual([first.status, first.redirected], [200, true]);
  urls.expire();
  assert.equal((await ask(first.url)).status, 403);
  assert.equal((await fetch(`${origin.url}/latest`)).status, 200);
  assert.deepEqual(seen, [0, 3]);
});
