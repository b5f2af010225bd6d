// K1: nodes of one site that do not agree on the validators of one file (RFC 9110 section 8.8; decision 025).
import { completes, cut, cutFirst, DATE, fails, fileOf, honest, input, MIB, row, TAG, withHeaders } from '../row.mjs';

const FILE = fileOf('nodes', 3 * MIB);
const HALF = FILE.length / 2;
/** The date of a copy that was made seven seconds later. */
const LATER = 'Mon, 07 Nov 1994 08:49:44 GMT';

/** Each request meets the next node. */
const inTurn = (...nodes) => (request, range, number) => honest(FILE, request, range, nodes[number % nodes.length]);
/** Each request meets a node with headers of its own. */
const inventing = (headers) => (request, range, number) => honest(FILE, request, range, headers(number));
const cutEach = (serve) => (request, range, number) => cut(serve(request, range, number), HALF);

const [A, B, C] = ['"a"', '"b"', '"c"'].map((ETag) => ({ ETag }));
const [EARLY, LATE] = [DATE, LATER].map((date) => ({ 'Last-Modified': date }));

const PLAIN = completes(FILE, { restarts: 0 });
/** A cut, and the other half. */
const CONTINUED = completes(FILE, { sent: 1.2, requests: 3, restarts: 0 });
/** A cut, an answer of another node that is let go, and all of it; or, once the first node answers again, the other half. */
const RESTARTED = completes(FILE, { sent: 2, requests: 5, restarts: 1 });
/** Three cuts of a half each, and pauses until a node answers that agrees. */
const FOUND = completes(FILE, { sent: 2, requests: 9, restarts: 1 });

const node = (name, serve, expected, more) => row(name, { size: FILE.length, serve, expected, ...more });
const own = { own: true };

const tags = (where, more) => input('K1', `entity tags of two nodes alternate, same bytes, ${where}`, [
  node('not cut', inTurn(A, B), PLAIN, more),
  node('cut once', cutFirst(HALF, inTurn(A, B)), RESTARTED, more),
  node('each answer is cut at a half', cutEach(inTurn(A, B)), FOUND, more),
  node('three nodes, cut once', cutFirst(HALF, inTurn(A, B, C)), RESTARTED, more),
  node('three nodes, each answer is cut at a half', cutEach(inTurn(A, B, C)), FOUND, more),
  node('weak tags, cut once', cutFirst(HALF, inTurn({ ETag: 'W/"a"', ...EARLY }, { ETag: 'W/"b"', ...EARLY })), RESTARTED, more),
  node('one node makes the tag weak, cut once', cutFirst(HALF, inTurn({ ETag: TAG }, { ETag: `W/${TAG}` })), RESTARTED, more),
]);

const dates = (where, more) => input('K1', `Last-Modified of two nodes differs by 7 s, ${where}`, [
  node('not cut', inTurn(EARLY, LATE), PLAIN, more),
  node('cut once', cutFirst(HALF, inTurn(EARLY, LATE)), RESTARTED, more),
  node('each answer is cut at a half', cutEach(inTurn(EARLY, LATE)), FOUND, more),
  node('the strong tag is the same, cut once', cutFirst(HALF, inTurn({ ...A, ...EARLY }, { ...A, ...LATE })), CONTINUED, more),
  node('the weak tag is the same, cut once', cutFirst(HALF, inTurn({ ETag: 'W/"a"', ...EARLY }, { ETag: 'W/"a"', ...LATE })), RESTARTED, more),
  node('one node has no date, cut once', cutFirst(HALF, inTurn(EARLY, {})), RESTARTED, more),
]);

/** The pauses between ten restarts are minutes: the worker's clock runs faster. */
const hasty = { isHasty: true, options: { maxSegments: 1 } };

const others = input('K1', 'validators that no two answers share', [
  node('a tag for each answer, cut once', cutFirst(HALF, inventing((number) => ({ ETag: `"v${number}"` }))), RESTARTED),
  node('a tag for each answer, each is cut at a half', cutEach(inventing((number) => ({ ETag: `"v${number}"` }))),
    fails('too-many-restarts', { sent: 12, requests: 60, restarts: 10 }), hasty),
  node('the time of the answer as date, cut once', cutFirst(HALF, inventing((number) => ({ 'Last-Modified': new Date(Date.UTC(2025, 0, 1, 0, 0, number)).toUTCString() }))), RESTARTED),
  node('one node of two has no tag, cut once', cutFirst(HALF, inTurn({ ...A, ...EARLY }, EARLY)), RESTARTED),
  node('one node of two has no tag, Date exposed, cut once',
    cutFirst(HALF, (...asked) => withHeaders(inTurn({ ...A, ...EARLY }, EARLY)(...asked), { 'Access-Control-Expose-Headers': 'Content-Range, ETag, Date' })), CONTINUED),
  node('If-Range is ignored, own origin, cut once', cutFirst(HALF, (_, range, number) => honest(FILE, { headers: {} }, range, number % 2 ? LATE : EARLY)), RESTARTED, own),
]);

export const nodes = [...tags('own origin', own), ...tags('another origin'), ...dates('own origin', own), ...dates('another origin'), ...others];
