// What scripts of another origin may send and read.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ask, originFor } from './testing.mjs';

const PREFLIGHT = { Origin: 'http://page.example', 'Access-Control-Request-Headers': 'if-range, authorization' };

test('CORS: nothing, readable only, or with preflights and exposed headers', async (t) => {
  const origin = await originFor(t);
  for (const cors of ['none', 'plain', 'expose']) {
    origin.add('/f', { length: 10, cors });
    const { headers } = await ask(`${origin.url}/f`);
    assert.equal(headers.get('access-control-allow-origin'), cors === 'none' ? null : '*');
    assert.equal(headers.has('access-control-expose-headers'), cors === 'expose');
    const preflight = await ask(`${origin.url}/f`, PREFLIGHT, 'OPTIONS');
    const allowed = cors === 'expose' ? PREFLIGHT['Access-Control-Request-Headers'] : null;
    assert.equal(preflight.headers.get('access-control-allow-headers'), allowed);
  }
});

test('the exposed headers can be named, and any header can be sent, also one that is not ASCII', async (t) => {
  const origin = await originFor(t);
  const disposition = `attachment; filename="na\u00efve.bin"; filename*=UTF-8''na%C3%AFve.bin`;
  const headers = { 'Content-Disposition': disposition, 'X-Extra': 'yes' };
  origin.add('/f', { length: 10, cors: 'expose', headers, exposed: ['Content-Disposition', 'X-Extra'] });
  const answer = await ask(`${origin.url}/f`);
  assert.equal(answer.headers.get('content-disposition'), disposition);
  assert.equal(answer.headers.get('x-extra'), 'yes');
  assert.equal(answer.headers.get('access-control-expose-headers'), 'Content-Disposition, X-Extra');
  origin.get('/f').update({ exposed: [] });
  assert.equal((await ask(`${origin.url}/f`)).headers.get('access-control-expose-headers'), null);
});

test('a preflight can pass, be refused or be unknown, whatever the answer itself allows', async (t) => {
  const origin = await originFor(t);
  const resource = origin.add('/f', { length: 10, cors: 'plain', preflight: 'pass' });
  const preflight = () => ask(`${origin.url}/f`, PREFLIGHT, 'OPTIONS');
  assert.equal((await preflight()).headers.get('access-control-allow-headers'), 'if-range, authorization');
  resource.update({ cors: 'expose', preflight: 'refuse' });
  const refused = await preflight();
  assert.deepEqual([refused.status, refused.headers.get('access-control-allow-headers')], [204, null]);
  resource.update({ preflight: 'unknown' });
  const unknown = await preflight();
  assert.deepEqual([unknown.status, unknown.headers.get('access-control-allow-origin')], [405, null]);
  assert.deepEqual(origin.log.map(({ method, status }) => `${method} ${status}`), ['OPTIONS 204', 'OPTIONS 204', 'OPTIONS 405']);
});

test('a refusal and a redirect can be read as far as the file could', async (t) => {
  const origin = await originFor(t);
  for (const fields of [{ maxOpen: 0 }, { redirect: { to: '/g' } }]) {
    origin.add('/f', { cors: 'expose', ...fields });
    assert.equal((await ask(`${origin.url}/f`)).headers.get('access-control-allow-origin'), '*');
  }
});
