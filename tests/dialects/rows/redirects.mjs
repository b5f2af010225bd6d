// K6: redirects (RFC 9110 section 15.4; decisions 032 and 038).
import { completes, cut, DATE, fails, fileOf, honest, input, MIB, part, redirect, refusal, row, TAG } from '../row.mjs';

const FILES = ['one', 'two', 'three'].map((seed) => fileOf(`redirects/${seed}`, 2 * MIB));
const [FILE] = FILES;
const HALF = FILE.length / 2;
const at = (name, serve, expected, more) => row(name, { size: FILE.length, serve, expected, ...more });

/** The same server by the other name of this machine: another host, and another origin. */
const elsewhere = ({ headers }, path) => {
  const [name, port] = headers.host.split(':');
  return `http://${name === 'localhost' ? '127.0.0.1' : 'localhost'}:${port}${path}`;
};

/** Each request to the file's own URL is sent to the next place. The first body is cut. */
const scattering = (places, { headers = { 'Last-Modified': DATE }, cuts = 1, status = 302, to = (_, path) => path } = {}) => (request, range, number, state) => {
  const place = /^\/f\/at\/(\d)/.exec(request.url)?.[1];
  if (place === undefined) {
    state.next = ((state.next ?? -1) + 1) % places.length;
    return redirect(to(request, `/f/at/${state.next}?sig=${number}`), status);
  }
  const answer = honest(places[place], request, range, typeof headers === 'function' ? headers(place) : headers);
  state.cuts = (state.cuts ?? 0) + 1;
  return state.cuts <= cuts ? cut(answer, HALF) : answer;
};

const TWO = FILES.slice(0, 2);
const ONE_OF = (files, more) => completes(files, { sent: 1.2, requests: 3, restarts: 0, ...more });

const places = [
  ...input('K6', 'each request is redirected to another file of one length and date', [
    at('cut once', scattering(TWO), ONE_OF(TWO)),
    at('own origin, cut once', scattering(TWO), ONE_OF(TWO), { own: true }),
    at('not cut', scattering(TWO, { cuts: 0 }), ONE_OF(TWO, { requests: 2 })),
    at('three files, cut twice', scattering(FILES, { cuts: 2 }), ONE_OF(FILES, { requests: 4 })),
    at('307', scattering(TWO, { status: 307 }), ONE_OF(TWO)),
    at('each file has a tag', scattering(TWO, { headers: (place) => ({ ETag: `"v${place}"` }) }), ONE_OF(TWO)),
  ]),
  ...input('K6', 'each request is redirected to another file on another host', [
    at('cut once', scattering(TWO, { to: elsewhere }), ONE_OF(TWO)),
    at('from the own origin, cut once', scattering(TWO, { to: elsewhere }), ONE_OF(TWO), { own: true }),
    at('not cut', scattering(TWO, { to: elsewhere, cuts: 0 }), ONE_OF(TWO, { requests: 2 })),
    at('three files, cut twice', scattering(FILES, { to: elsewhere, cuts: 2 }), ONE_OF(FILES, { requests: 4 })),
    at('303', scattering(TWO, { to: elsewhere, status: 303 }), ONE_OF(TWO)),
    at('each file has a tag', scattering(TWO, { to: elsewhere, headers: (place) => ({ ETag: `"v${place}"` }) }), ONE_OF(TWO)),
  ]),
];

/** A target that serves its first request, which is cut, and then `over`. */
const signed = (over, to = (_, path) => path) => (request, range, number, state) => {
  const sign = /sig=(\d+)/.exec(request.url)?.[1];
  if (sign === undefined) return redirect(to(request, `/f/target?sig=${number}`));
  state.used ??= new Set();
  if (state.used.has(sign)) return over;
  state.used.add(sign);
  const answer = part(FILE, range, { ETag: TAG });
  return state.used.size === 1 ? cut(answer, HALF) : answer;
};
const SIGNED_AGAIN = completes(FILE, { sent: 1.2, requests: 4, restarts: 0 });

const expiring = input('K6', 'a signed target that serves one request', [
  at('then 403', signed(refusal(403)), SIGNED_AGAIN),
  at('then 400', signed(refusal(400)), SIGNED_AGAIN),
  at('then 410', signed(refusal(410)), SIGNED_AGAIN),
  at('then 403, on another host', signed(refusal(403), elsewhere), SIGNED_AGAIN),
  at('then a page with 200', signed({ status: 200, headers: { 'Content-Type': 'text/html' }, body: Buffer.from('<title>Expired</title>') }), SIGNED_AGAIN),
  at('then no answer', signed({ status: 0, breaks: true }), SIGNED_AGAIN),
]);

const few = { options: { maxFailures: 3 } };
const loop = (to = (_, path) => path) => (request) => redirect(to(request, request.url === '/f/a' ? '/f/b' : '/f/a'));
/** A browser follows twenty redirects. What it says then is what it says of a broken network. */
const LOOPED = fails('network', { requests: 6 });

const loops = input('K6', 'redirects that lead nowhere', [
  at('a loop', loop(), LOOPED, few),
  at('a loop, own origin', loop(), LOOPED, { own: true, ...few }),
  at('a loop over two hosts', loop(elsewhere), LOOPED, few),
  at('a loop for a range only', (request, range) => (range ? loop()(request) : part(FILE)), completes(FILE, { sent: 1.4, requests: 5 }), few),
  at('to itself once', (request, range, number) => (number === 0 ? redirect(request.url) : part(FILE, range)), completes(FILE, { requests: 1 })),
  at('without Location', () => ({ status: 302 }), fails('http-status', { requests: 2 }), few),
  at('ten redirects lead to the file', (request, range) => {
    const step = Number(/\/step(\d+)/.exec(request.url)?.[1] ?? 0);
    return step < 10 ? redirect(`/f/step${step + 1}`) : part(FILE, range);
  }, completes(FILE, { requests: 1 })),
]);

const SECRET = 'X-Api-Key';
const withHeader = (name, more = {}) => ({ options: { headers: { [name]: name === 'Accept' ? 'application/zip' : 'Bearer 1' }, persistHeaders: true, ...more } });
/** The file's own URL leads to `to`, which has the file. */
const leading = (to) => (request, range) => (request.url.includes('/there') ? part(FILE, range, { ETag: TAG }) : redirect(to(request, '/f/there')));
const leaks = (name) => ({ leaks: ({ url, headers }) => url.includes('/there') && name.toLowerCase() in headers });
const home = (_, path) => path;

const secrets = input('K6', 'a redirect, and headers that the app gives', [
  at('own origin to another one', leading(elsewhere), fails('redirect-refused', { requests: 6 }), { own: true, ...withHeader(SECRET), ...leaks(SECRET) }),
  at('within the own origin', leading(home), completes(FILE, { requests: 3 }), { own: true, ...withHeader(SECRET) }),
  // Where it leads is not shown.
  at('of another origin', leading(home), fails('redirect-refused', { requests: 2 }), { ...withHeader(SECRET), ...leaks(SECRET) }),
  at('of another origin, follow-with-headers', leading(home), completes(FILE), withHeader(SECRET, { redirect: 'follow-with-headers' })),
  at('Authorization stays behind', leading(elsewhere), completes(FILE), { own: true, ...withHeader('Authorization'), ...leaks('Authorization') }),
  at('Accept is no secret', leading(elsewhere), completes(FILE), { own: true, ...withHeader('Accept') }),
  at("redirect: 'error'", leading(home), fails('redirect-refused', { requests: 1 }), { own: true, options: { redirect: 'error' } }),
]);

export const redirects = [...places, ...expiring, ...loops, ...secrets];
