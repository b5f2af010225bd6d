// What must come of each file of each server. The verdicts follow from the headers that each server sends and from RFC 9110, and
// were written down before the first download. The limits of `COSTS` were set after the first runs, close to what they cost.
import { lacks } from '../browser/lacks.mjs';

/** May be continued by a strong validator. */
const STRONG = ['resumable'];
/** May be continued since date and length agree: the entity tag is weak, or there is none and `Date` cannot be read. */
const BY_DATE = ['resumable-by-comparison'];
/** The server answers no ranges, or nothing tells one version from another. */
const RESTART = ['restart-only'];
/** Coded: the length of what comes is not told, and offsets would be those of coded bytes. */
const CODED = ['size-unknown', 'restart-only'];

/**
 * The verdicts: `far` of a file that comes from another origin, `own` from the page's own, where `Date` can be read, so that
 * an old `Last-Modified` is strong. `codes`: text is compressed on the way, also for a request with `Range`, if that allows it.
 * `chunked`: which file comes coded without a `Content-Length`.
 */
const VERDICTS = {
  express: { far: BY_DATE, own: BY_DATE },
  sirv: { far: BY_DATE, own: BY_DATE },
  'serve-handler': { far: BY_DATE, own: STRONG },
  'http-server': { far: BY_DATE, own: BY_DATE },
  fastify: { far: BY_DATE, own: BY_DATE },
  hono: { far: BY_DATE, own: STRONG },
  koa: { far: RESTART, own: RESTART },
  'python-http': { far: RESTART, own: RESTART },
  aiohttp: { far: STRONG, own: STRONG },
  starlette: { far: STRONG, own: STRONG },
  werkzeug: { far: STRONG, own: STRONG },
  caddy: { far: STRONG, own: STRONG, chunked: 'stored' },
  lighttpd: { far: STRONG, own: STRONG, codes: true },
  apache: { far: STRONG, own: STRONG, codes: true, chunked: 'text' },
  nginx: { far: STRONG, own: STRONG, codes: true, chunked: 'text' },
};

/**
 * The most that may be sent, as a multiple of the file as it is on the disk, and the most requests, by what becomes of the
 * connection. A cut or a kill comes when three quarters were sent: what can be continued is not sent twice.
 */
const COSTS = {
  // Begun anew it would be 1.75 times. On a busy machine WebKit comes close: it drops what has come before a cut and was not read
  // yet, and reads on for a while in a response whose end another one brings.
  resumed: { plain: [1.5, 4], cut: [1.7, 6], killed: [1.25, 7] },
  restarted: { plain: [1.25, 2], cut: [2, 3], killed: [2, 4] },
  // Chromium hands out no coded answer to a range. From another origin it is asked for twice, with a look whether CORS is to
  // blame, then once without; where the coding is hidden, too, once more with a range, which then is to blame (038). How much of
  // an answer is sent until the browser has refused it is an accident, so only requests are counted.
  coded: { plain: [Infinity, 6], cut: [Infinity, 7], killed: [Infinity, 7] },
  codedAtHome: { plain: [Infinity, 3], cut: [Infinity, 4] },
  // 416 to a range of nothing, and once without.
  empty: { plain: [1, 3], cut: [1, 5], killed: [1, 6] },
};

function verdictAndCost(server, file, way) {
  const { far, own, codes } = VERDICTS[server];
  if (file === 'empty') return [RESTART, COSTS.empty];
  if (file === 'stored' || (way === 'coded' && codes)) return [CODED, way === 'own' ? COSTS.codedAtHome : COSTS.coded];
  const verdict = way === 'own' ? own : far;
  if (verdict === RESTART || way === 'stripped') return [RESTART, COSTS.restarted];
  return [way === 'rewritten' ? BY_DATE : verdict, COSTS.resumed];
}

/** `{ state, code, isRight, resumability, mostSent, mostRequests }`: each file arrives, with the bytes that its owner means. */
export function expected(server, file, way, event) {
  const [resumability, costs] = verdictAndCost(server, file, way);
  const [mostSent, mostRequests] = costs[event];
  return { state: 'completed', code: undefined, isRight: true, resumability, mostSent, mostRequests };
}

/** Why the browser takes a coded file that is cut for a complete one; `false` if it does not. */
function lacksEnd(server, file, way, browser) {
  const { chunked, codes } = VERDICTS[server];
  const isCoded = file === 'stored' || (way === 'coded' && codes);
  return isCoded && chunked === file && lacks('tell-cut-chunked-body', browser);
}

/**
 * Every run of one server: each file in each event from another origin, and some of them by the other ways. A run has a
 * `lacks` if the browser cannot be held to it.
 */
export function runsOf(server, browser) {
  const runs = [];
  const add = (file, way, event) => {
    runs.push({ server, file, way, event, lacks: event === 'cut' && lacksEnd(server, file, way, browser), expected: expected(server, file, way, event) });
  };
  for (const file of ['large', 'text', 'empty']) for (const event of ['plain', 'cut', 'killed']) add(file, 'far', event);
  for (const way of ['own', 'redirected', 'stripped', 'rewritten']) add('large', way, 'cut');
  // What is coded comes last: that a host codes what it sends may be remembered.
  for (const event of ['plain', 'cut']) add('text', 'coded', event);
  for (const event of ['plain', 'cut', 'killed']) add('stored', 'far', event);
  for (const event of ['plain', 'cut']) add('stored', 'own', event);
  return runs;
}

/** In which points `seen` is not as expected, in words; empty if it is right. */
export function differences(seen, expected) {
  const found = [];
  const hold = (isRight, text) => void (isRight || found.push(text));
  hold(seen.state === expected.state, `${seen.state}${seen.reason ? ` (${seen.reason})` : ''}`);
  hold(seen.code === expected.code, `code ${seen.code}`);
  hold(seen.state !== 'completed' || seen.isRight === expected.isRight, `wrong bytes (${seen.size})`);
  hold(seen.state !== 'completed' || expected.resumability.includes(seen.resumability), `${seen.resumability} instead of ${expected.resumability.join(' or ')}`);
  hold(seen.sent <= expected.mostSent, `${seen.sent} times the file sent, at most ${expected.mostSent}`);
  hold(seen.requests <= expected.mostRequests, `${seen.requests} requests, at most ${expected.mostRequests}`);
  hold(seen.met, 'nothing was cut or held');
  return found;
}
