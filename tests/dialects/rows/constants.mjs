// K5: `Retry-After` (RFC 9110 section 10.2.3, decision 024), and validators that stand for nothing (decision 038).
import { completes, cut, cutFirst, DATE, fileOf, input, MIB, part, refusal, row, waits } from '../row.mjs';

const FILE = fileOf('constants', MIB);
const NEXT = fileOf('the next version', MIB);
const HALF = FILE.length / 2;
const at = (name, serve, expected, more) => row(name, { size: FILE.length, serve, expected, ...more });

/** Busy so often, with this `Retry-After`. */
const busy = (value, { status = 503, times = 1 } = {}) => (request, range, number) =>
  (number < times ? refusal(status, { 'Retry-After': value, 'Access-Control-Expose-Headers': 'Retry-After' }) : part(FILE, range));
/** The pauses of several busy answers add up to a minute: the worker's clock runs faster. */
const hasty = { isHasty: true };

const ONCE = completes(FILE, { requests: 2, restarts: 0 });
const OFTEN = completes(FILE, { sent: 1.4, requests: 6 });

const times = [
  ...input('K5', 'Retry-After: 0', [
    at('503 once', busy('0'), ONCE),
    at('503 once, own origin', busy('0'), ONCE, { own: true }),
    at('429 once', busy('0', { status: 429 }), ONCE),
    at('503 four times', busy('0', { times: 4 }), OFTEN, hasty),
    at('-1 is no delay', busy('-1'), ONCE),
    at('0.5 is no delay', busy('0.5'), ONCE),
  ]),
  ...input('K5', 'Retry-After: a date in the past', [
    at('2015', busy('Wed, 21 Oct 2015 07:28:00 GMT'), ONCE),
    at('the first second', busy('Thu, 01 Jan 1970 00:00:00 GMT'), ONCE),
    at('as RFC 850 has it', busy('Wednesday, 21-Oct-15 07:28:00 GMT'), ONCE),
    at('as asctime has it', busy('Wed Oct 21 07:28:00 2015'), ONCE),
    at('of another form', busy('2015-10-21T07:28:00Z'), ONCE),
    at('four times', busy('Wed, 21 Oct 2015 07:28:00 GMT', { times: 4 }), OFTEN, hasty),
  ]),
  // A day at most, and the task says until when.
  ...input('K5', 'Retry-After: for ever', [
    at('999999999', busy('999999999', { times: 99 }), waits('server-asked', { requests: 1 })),
    at('429', busy('999999999', { times: 99, status: 429 }), waits('server-asked', { requests: 1 })),
    at('own origin', busy('999999999', { times: 99 }), waits('server-asked', { requests: 1 }), { own: true }),
    at('the year 9999', busy('Fri, 31 Dec 9999 23:59:59 GMT', { times: 99 }), waits('server-asked', { requests: 1 })),
    at('more than any integer', busy('99999999999999999999999', { times: 99 }), waits('server-asked', { requests: 1 })),
    at('beside a file counts for nothing', (_, range) => part(FILE, range, { 'Retry-After': '999999999' }), completes(FILE, { requests: 1 })),
  ]),
];

/** A cut, and then another version with the same validators. */
const replaced = (headers) => (request, range, number) =>
  (number === 0 ? cut(part(FILE, range, headers), HALF) : part(NEXT, range, headers));
const same = (headers) => cutFirst(HALF, (_, range) => part(FILE, range, headers));

/** Never a mix: the half is thrown away. */
const NOT_MIXED = completes(NEXT, { sent: 1.9, requests: 4, restarts: 1 });
const CONTINUED = completes(FILE, { sent: 1.2, requests: 3, restarts: 0, resumability: 'resumable-by-comparison' });

const tagRows = (value) => input('K5', `ETag: ${value}`, [
  at('another version after a cut', replaced({ ETag: value }), NOT_MIXED),
  at('another version after a cut, own origin', replaced({ ETag: value }), NOT_MIXED, { own: true }),
  at('weak, another version after a cut', replaced({ ETag: `W/${value}` }), NOT_MIXED),
  at('without quotes, another version after a cut', replaced({ ETag: value.replaceAll('"', '') }), NOT_MIXED),
  at('the same version after a cut', same({ ETag: value }), completes(FILE, { sent: 1.9, requests: 4, restarts: 1, resumability: 'restart-only' })),
  at('beside an honest date, the same version', same({ ETag: value, 'Last-Modified': DATE }), CONTINUED),
]);

const CONSTANTS = [
  'Thu, 01 Jan 1970 00:00:00 GMT',
  'Thu, 01 Jan 1970 00:00:01 GMT',
  'Tue, 01 Jan 1980 00:00:00 GMT',
  'Sat, 26 Oct 1985 08:15:00 GMT',
  'Sat, 01 Jan 2000 00:00:00 GMT',
  'Fri, 01 Jan 2010 00:00:00 GMT',
];

const dates = input('K5', 'Last-Modified: a date that stands for none', [
  ...CONSTANTS.map((date) => at(`${date}, another version after a cut`, replaced({ 'Last-Modified': date }), NOT_MIXED)),
  at(`${CONSTANTS[0]}, another version after a cut, own origin`, replaced({ 'Last-Modified': CONSTANTS[0] }), NOT_MIXED, { own: true }),
  at('Sat, 01 Jan 2000 00:00:01 GMT is a date', same({ 'Last-Modified': 'Sat, 01 Jan 2000 00:00:01 GMT' }), CONTINUED),
]);

export const constants = [...times, ...tagRows('""'), ...tagRows('"0"'), ...dates];
