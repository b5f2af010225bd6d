// What a page of another origin sees.
import assert from 'node:assert/strict';
import test from 'node:test';
import { originFor } from '../origin/testing.mjs';
import { check, complaints, MODIFIED, oddServer, PAGE, words } from './support.mjs';

const FILE = { length: 300_000, lastModified: MODIFIED };
const ALL = ['Accept-Ranges', 'Content-Range', 'Date', 'ETag'];

async function checkFile(t, fields, more = [], page = PAGE) {
  const origin = await originFor(t);
  origin.add('/a.bin', { ...FILE, ...fields });
  return { origin, ...(await check(`${origin.url}/a.bin`, ['--origin', page, ...more])) };
}

const finding = ({ result }, wanted) => result.findings.find(({ code }) => code === wanted);

test('a page may read everything', async (t) => {
  const found = await checkFile(t, { cors: 'expose', exposed: ALL });
  assert.deepEqual([found.status, complaints(found.result), words(found.result.page)], [0, [], 'resumable strong-tag']);
  // One asks what a cache might keep of a request by no page.
  assert.deepEqual(found.origin.log.map(({ headers }) => headers.origin).filter((sent) => sent !== PAGE), [undefined]);
});

test('no CORS at all: the page is refused, and outside nothing is wrong', async (t) => {
  const found = await checkFile(t, {});
  assert.deepEqual([found.status, words(found.result), words(found.result.page)], [1, 'resumable strong-tag', 'failed cors-blocked']);
  assert.deepEqual(complaints(found.result), ['problem cors-blocked', 'warning preflight-refused']);
  assert.equal(finding(found, 'cors-blocked').header, `Access-Control-Allow-Origin: ${PAGE}`);
});

test('nothing is exposed: a page can only compare date and length', async (t) => {
  const found = await checkFile(t, { cors: 'plain' });
  assert.deepEqual([found.status, words(found.result), words(found.result.page)], [1, 'resumable strong-tag', 'resumable-by-comparison date-and-length']);
  assert.equal(found.levels['cors-hidden'], 'warning');
  assert.match(finding(found, 'cors-hidden').seen, /not exposed: Content-Range, ETag, Date, Accept-Ranges\./);
  assert.match(finding(found, 'cors-hidden').header, /^Access-Control-Expose-Headers: Content-Range, ETag, /);
});

test('nothing is exposed, and there is no date: nothing can be compared', async (t) => {
  const found = await checkFile(t, { cors: 'plain', lastModified: null });
  assert.equal(words(found.result.page), 'restart-only no-validator');
});

test('everything is exposed by a star', async (t) => {
  const found = await checkFile(t, { cors: 'expose', exposed: ['*'] });
  assert.deepEqual([found.status, complaints(found.result)], [0, []]);
});

test('the origin of another app is allowed', async (t) => {
  const allow = (value) => () => ({ headers: { 'Access-Control-Allow-Origin': value, 'Access-Control-Expose-Headers': ALL.join(), Vary: 'Origin' } });
  for (const value of ['https://other.example', 'null', `${PAGE}, *`, `${PAGE}/`]) {
    const { result } = await check(await oddServer(t, {}, allow(value)), ['--origin', PAGE]);
    assert.equal(words(result.page), 'failed cors-blocked', value);
  }
  const { result } = await check(await oddServer(t, {}, allow(PAGE)), ['--origin', PAGE]);
  assert.equal(words(result.page), 'resumable strong-tag');
});

test('an origin that is sent back needs Vary, and one that is always the same does not', async (t) => {
  const echo = (Vary) => ({ request }) => ({ headers: { 'Access-Control-Allow-Origin': request.headers.origin, Vary } });
  const levelWith = async (alter) => (await check(await oddServer(t, {}, alter), ['--origin', PAGE])).levels['cors-vary'];
  assert.equal(await levelWith(echo(undefined)), 'warning');
  assert.equal(await levelWith(echo('Accept-Encoding, Origin')), undefined);
  assert.equal(await levelWith(() => ({ headers: { 'Access-Control-Allow-Origin': PAGE } })), undefined);
});

test('CORS headers that some statuses lack, or have twice', async (t) => {
  const url = await oddServer(t, {}, ({ answer }) => answer.status !== 416 && { headers: { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': '*' } });
  const { result } = await check(url, ['--origin', PAGE]);
  assert.equal(words(result.page), 'resumable strong-tag');
  assert.match(finding({ result }, 'cors-not-always').seen, /\(status 416\) have no Access-Control-Allow-Origin:/);
  const twice = await oddServer(t, {}, ({ answer }) => ({ headers: { 'Access-Control-Allow-Origin': answer.status === 416 ? [PAGE, PAGE] : PAGE } }));
  assert.match(finding(await check(twice, ['--origin', PAGE]), 'cors-not-always').change, /Send it once/);
});

test('a preflight counts where the app has headers, and is a hint elsewhere', async (t) => {
  const header = ['--header', 'X-Api-Key: k', '--header', 'Accept-Language: de'];
  const passes = await checkFile(t, { cors: 'expose', exposed: ALL }, header);
  assert.deepEqual([passes.status, passes.levels.preflight], [0, 'ok']);
  const options = passes.origin.log.find(({ method }) => method === 'OPTIONS');
  assert.equal(options.headers['access-control-request-headers'], 'x-api-key');
  assert.equal(options.headers['x-api-key'], undefined, 'a preflight carries no headers of the app');
  for (const preflight of ['refuse', 'unknown']) {
    const needed = await checkFile(t, { cors: 'expose', exposed: ALL, preflight }, header);
    assert.deepEqual([needed.status, needed.levels['preflight-refused']], [1, 'problem'], preflight);
    assert.equal(finding(needed, 'preflight-refused').header, 'Access-Control-Allow-Headers: x-api-key');
    const hint = await checkFile(t, { cors: 'expose', exposed: ALL, preflight });
    assert.deepEqual([hint.status, hint.levels['preflight-refused']], [0, 'warning'], preflight);
  }
});

test('what a page cannot tell, or does not do, does not lower its verdict', async (t) => {
  const open = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': '*' };
  const withoutRange = await check(await oddServer(t, {}, () => ({ headers: { ...open, 'Content-Range': undefined } })), ['--origin', PAGE]);
  assert.deepEqual([words(withoutRange.result), words(withoutRange.result.page)], ['restart-only ranges-ignored', 'resumable strong-tag']);
  const ifRange = await oddServer(t, {}, ({ request, body }) => ({ headers: open, ...(request.headers['if-range'] && { status: 200, headers: { ...open, 'Content-Range': undefined, 'Content-Length': body.length } }) }));
  const { status, result } = await check(ifRange, ['--origin', PAGE]);
  assert.deepEqual([status, words(result), words(result.page)], [0, 'restart-only ranges-ignored', 'resumable strong-tag']);
});

test('the star of a preflight does not stand for Authorization', async (t) => {
  const url = await oddServer(t, {}, () => ({ headers: { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': '*', 'Access-Control-Expose-Headers': '*' } }));
  assert.equal((await check(url, ['--origin', PAGE, '--header', 'X-Key: k'])).levels.preflight, 'ok');
  assert.equal((await check(url, ['--origin', PAGE, '--header', 'Authorization: k'])).levels['preflight-refused'], 'problem');
});

test('a redirect without CORS blocks what lies behind it', async (t) => {
  const origin = await originFor(t);
  const other = await originFor(t);
  origin.add('/a.bin', { redirect: { to: `${other.url}/b.bin` } });
  other.add('/b.bin', { ...FILE, cors: 'expose', exposed: ALL });
  const { result } = await check(`${origin.url}/a.bin`, ['--origin', PAGE]);
  assert.equal(words(result.page), 'failed cors-blocked');
  assert.match(finding({ result }, 'cors-blocked').seen, /\(a redirect\)/);
  const atHome = await check(`${origin.url}/a.bin`, ['--origin', origin.url]);
  assert.equal(words(atHome.result.page), 'resumable strong-tag');
  assert.equal(other.log.at(-1).headers.origin, origin.url);
});

test('behind a redirect to a third origin the page is not named', async (t) => {
  const [origin, other] = [await originFor(t), await originFor(t)];
  origin.add('/a.bin', { redirect: { to: `${other.url}/b.bin` }, cors: 'plain' });
  other.add('/b.bin', { ...FILE, cors: 'expose', exposed: ALL, headers: {} });
  const { result } = await check(`${origin.url}/a.bin`, ['--origin', PAGE]);
  assert.deepEqual([...new Set(other.log.map(({ headers }) => headers.origin))], ['null', undefined]);
  assert.equal(words(result.page), 'resumable strong-tag');
  const named = await oddServer(t, {}, () => ({ headers: { 'Access-Control-Allow-Origin': PAGE } }));
  origin.add('/c.bin', { redirect: { to: named }, cors: 'plain' });
  const refused = await check(`${origin.url}/c.bin`, ['--origin', PAGE]);
  assert.equal(words(refused.result.page), 'failed cors-blocked');
  assert.equal(finding(refused, 'cors-blocked').header, 'Access-Control-Allow-Origin: *');
});

test("CORS has no say at the page's own origin", async (t) => {
  const origin = await originFor(t);
  origin.add('/a.bin', FILE);
  const { status, result, levels } = await check(`${origin.url}/a.bin`, ['--origin', origin.url]);
  assert.deepEqual([status, complaints(result), levels['same-origin']], [0, [], 'ok']);
  assert.ok(origin.log.every(({ headers, method }) => headers.origin === undefined && method !== 'OPTIONS'));
});
