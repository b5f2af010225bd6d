// K2: requests with `Range` that are refused, or answered as no book says (RFC 9110 sections 14 and 15.3.7; decision 038).
import zlib from 'node:zlib';
import { completes, cut, cutFirst, fails, fileOf, MIB, input, part, refusal, row, TAG, whole, withHeaders } from '../row.mjs';

const FILE = fileOf('ranges', MIB);
const HALF = FILE.length / 2;
const PAGE = Buffer.from(`<title>Request blocked</title>${'<p>Contact the administrator.</p>'.repeat(300)}`);

const refused = (name, serve, expected, more) => row(name, { size: FILE.length, serve, expected, ...more });

/** What is known of a file that comes without a range. CORS may hide a coding then, and the length would be that of coded bytes. */
const UNTOLD = { resumability: 'size-unknown' };
const TOLD = { resumability: 'restart-only' };
/** Without ranges from the second request on. */
const without = (verdict) => completes(FILE, { sent: 1.15, requests: 2, ...verdict });
const WITHOUT = without(UNTOLD);

/** A status to every request with a range; not all that refuses is the server's own, so that some have a page. */
const statusRows = (status) => {
  const unless = (isRefused) => (request, range, number) => (isRefused(range, number) ? refusal(status) : part(FILE, range, { ETag: TAG }));
  const toAny = unless((range) => range !== undefined);
  return input('K2', `${status} to any Range, 200 without`, [
    refused('from another origin', toAny, WITHOUT),
    refused('own origin', toAny, without(TOLD), { own: true }),
    refused('with a page of 10 kB', (request, range) => (range ? refusal(status, { 'Content-Type': 'text/html' }, PAGE) : whole(FILE)), WITHOUT),
    refused('only where the range has no end', unless((range) => range && range.end === undefined), WITHOUT),
    refused('only the first request', unless((range, number) => number === 0), WITHOUT),
    refused('and the answer without is cut at a half', (request, range, number) => {
      if (range) return refusal(status);
      return number === 1 ? cut(whole(FILE), HALF) : whole(FILE);
    }, completes(FILE, { sent: 1.7, requests: 3, restarts: 1, ...UNTOLD })),
    // A range that was answered is not to blame: the file is gone, or forbidden by now.
    refused('only once bytes are kept', cutFirst(HALF, unless((range) => range?.start > 0)),
      fails('http-status', { sent: 0.6, requests: 3, keeps: HALF })),
    refused('without a range as well', () => refusal(status), fails('http-status', { requests: 2 })),
  ]);
};

/** Two busy answers, one without a range, the range once more, and without. */
const busyUntil = (verdict) => completes(FILE, { sent: 2, requests: 5, ...verdict });
const BUSY = busyUntil(UNTOLD);

const busyRows = (status) => {
  const unless = (isRefused, headers) => (request, range, number) => (isRefused(range, number) ? refusal(status, headers) : part(FILE, range, { ETag: TAG }));
  const toAny = (headers) => unless((range) => range !== undefined, headers);
  return input('K2', `${status} to any Range, 200 without`, [
    refused('from another origin', toAny(), BUSY),
    refused('own origin', toAny(), busyUntil(TOLD), { own: true }),
    refused('with Retry-After: 1', toAny({ 'Retry-After': '1', 'Access-Control-Expose-Headers': 'Retry-After' }), BUSY),
    refused('only where the range has no end', unless((range) => range && range.end === undefined), BUSY),
    refused('twice, and then never again', unless((range, number) => number < 2),
      completes(FILE, { sent: 2, requests: 4, resumability: 'resumable' })),
    refused('and the answer without is cut at a half', (request, range, number) => {
      if (range) return refusal(status);
      return number === 4 ? cut(whole(FILE), HALF) : whole(FILE);
    }, completes(FILE, { sent: 2, requests: 7, restarts: 1 })),
  ]);
};

const BROKEN = (_, range) => (range ? { status: 0, breaks: true } : part(FILE, range));
const silent = input('K2', 'no answer at all to any Range, 200 without', [
  refused('from another origin', BROKEN, BUSY),
  refused('own origin', BROKEN, busyUntil(TOLD), { own: true }),
  refused('from another origin, also to HEAD', (request, range) => (range || request.method === 'HEAD' ? { status: 0, breaks: true } : part(FILE)), BUSY),
  refused('502 to any Range', (_, range) => (range ? refusal(502) : part(FILE)), BUSY),
  refused('504 to any Range', (_, range) => (range ? refusal(504) : part(FILE)), BUSY),
  refused('520 to any Range', (_, range) => (range ? refusal(520) : part(FILE)), BUSY),
]);

const TEXT = Buffer.from(fileOf('text', MIB).toString('base64'));
const GZIP = zlib.gzipSync(TEXT);
const EXPOSED = { 'Access-Control-Expose-Headers': 'Content-Range, ETag, Content-Encoding' };

/** With a range first, which Chromium may fail and others decode, and then without. */
const DECODED = completes(TEXT, { sent: 2, requests: 5 });
const coded = (name, serve, more) => row(name, { size: GZIP.length, serve, expected: DECODED, file: 'tiles.json', ...more });
const object = (body, coding, headers) => (_, range) => part(body, range, { 'Content-Encoding': coding, 'Content-Type': 'text/plain', ETag: TAG, ...headers });
const alwaysWhole = (headers) => () => whole(GZIP, { 'Content-Encoding': 'gzip', 'Content-Type': 'text/plain', ...headers });

const codings = [
  ...input('K2', 'an object that is stored gzip-coded, own origin', [
    coded('206 and 200 coded', object(GZIP, 'gzip'), { own: true }),
    coded('200 coded, whatever is asked for', alwaysWhole(), { own: true }),
    coded('x-gzip', object(GZIP, 'x-gzip'), { own: true }),
    coded('deflate', object(zlib.deflateSync(TEXT), 'deflate'), { own: true }),
    coded('in chunks', (...asked) => ({ ...object(GZIP, 'gzip')(...asked), framing: 'chunks' }), { own: true }),
    // WebKitGTK decodes no file whose media type says that it is gzip itself.
    coded('with a media type for gzip', object(GZIP, 'gzip', { 'Content-Type': 'application/gzip' }), { own: true, expected: completes([TEXT, GZIP], { sent: 2, requests: 5 }) }),
  ]),
  ...input('K2', 'an object that is stored gzip-coded, another origin', [
    coded('CORS hides the coding', object(GZIP, 'gzip')),
    coded('CORS hides all', object(GZIP, 'gzip', { 'Access-Control-Expose-Headers': 'X-None' })),
    coded('the coding is exposed', object(GZIP, 'gzip', EXPOSED)),
    coded('200 coded, whatever is asked for', alwaysWhole()),
    coded('deflate, hidden', object(zlib.deflateSync(TEXT), 'deflate')),
    coded('in chunks, hidden', (...asked) => ({ ...object(GZIP, 'gzip')(...asked), framing: 'chunks' })),
  ]),
];

const LONG = fileOf('parts', 5_242_880);
/** A part of this length, wherever the range begins, and what comes without a range. */
const inParts = (bytes, length, headers, without = () => refusal(400)) => (_, range) =>
  (range ? part(bytes, { start: range.start, end: range.start + length }, headers) : without());

const partial = (name, serve, expected, more) => row(name, { size: LONG.length, serve, expected, ...more });
const ALL_PARTS = { sent: 1.2, requests: 9 };

const parts = [
  ...input('K2', '206 in parts of 1 MB whatever the range asks, no validator, 400 without', [
    partial('with integrity', inParts(LONG, 1_000_001), completes(LONG, ALL_PARTS), { integrity: LONG }),
    partial('without integrity', inParts(LONG, 1_000_001), completes(LONG, { ...ALL_PARTS, resumability: 'restart-only' })),
    partial('own origin, without integrity', inParts(LONG, 1_000_001), completes(LONG, { ...ALL_PARTS, resumability: 'restart-only' }), { own: true }),
    partial('a part is cut, with integrity', (_, range, number) => {
      const answer = inParts(LONG, 1_000_001)(_, range);
      return number === 2 ? cut(answer, 500_000) : answer;
    }, completes(LONG, { sent: 1.6, requests: 12 }), { integrity: LONG }),
    row('parts of 128 KiB of 1 MiB, with integrity', { size: MIB, serve: inParts(FILE, 128 << 10), integrity: FILE, expected: completes(FILE, { sent: 1.2, requests: 12 }) }),
    // CORS hides what it is a part of, so that the first part looks like all.
    partial('CORS hides Content-Range, with integrity', inParts(LONG, 1_000_001, { 'Access-Control-Expose-Headers': 'X-None' }), completes(LONG, { sent: 2, requests: 12 }), { integrity: LONG }),
  ]),
  ...input('K2', '206 in parts of 1 MB whatever the range asks', [
    partial('with a strong tag, 400 without', inParts(LONG, 1_000_001, { ETag: TAG }), completes(LONG, { ...ALL_PARTS, resumability: 'resumable' })),
    partial('with a date, 400 without', inParts(LONG, 1_000_001, { 'Last-Modified': 'Mon, 07 Nov 1994 08:49:37 GMT' }), completes(LONG, { ...ALL_PARTS, resumability: 'resumable-by-comparison' })),
    partial('no validator, 200 without', inParts(LONG, 1_000_001, {}, () => whole(LONG)), completes(LONG, { sent: 1.3, requests: 3, ...UNTOLD })),
    partial('no validator, 404 without', inParts(LONG, 1_000_001, {}, () => refusal(404)), completes(LONG, ALL_PARTS), { integrity: LONG }),
    partial('the length is not told, 200 without', (_, range) => {
      const answer = inParts(LONG, 1_000_001, {}, () => whole(LONG))(_, range);
      return range ? withHeaders(answer, { 'Content-Range': answer.headers['Content-Range'].replace(/\d+$/, '*') }) : answer;
    }, completes(LONG, { sent: 1.2, requests: 3 })),
    partial('CORS hides Content-Range, with a tag, 200 without, with integrity',
      inParts(LONG, 1_000_001, { ETag: TAG, 'Access-Control-Expose-Headers': 'ETag' }, () => whole(LONG)), completes(LONG, { sent: 1.5, requests: 6 }), { integrity: LONG }),
    partial('CORS hides Content-Range, with a tag, 200 without',
      inParts(LONG, 1_000_001, { ETag: TAG, 'Access-Control-Expose-Headers': 'ETag' }, () => whole(LONG)), completes(LONG, { sent: 1.5, requests: 6 })),
  ]),
];

/** A 206 with all bytes, and what it says that they are. */
const calledPart = (contentRange, headers = {}) =>
  ({ status: 206, headers: { 'Access-Control-Expose-Headers': 'Content-Range, ETag', ...(contentRange && { 'Content-Range': contentRange }), ...headers }, body: FILE });
const onlyToRange = (contentRange, headers) => (_, range) => (range ? calledPart(contentRange, headers) : whole(FILE));
const always = (contentRange) => () => calledPart(contentRange);
const N = FILE.length;
const ONCE_MORE = completes(FILE, { sent: 2, requests: 2 });
/** Where it looks like the file, the end is asked for, and then the length. */
const LOOKED_THROUGH = completes(FILE, { sent: 1.2, requests: 3, restarts: 0 });

const wholeParts = [
  ...input('K2', '206 of the whole body without Content-Range', [
    refused('from another origin, 200 without', onlyToRange(), LOOKED_THROUGH),
    refused('own origin, 200 without', onlyToRange(), ONCE_MORE, { own: true }),
    refused('own origin, 206 without as well', always(), ONCE_MORE, { own: true }),
    // Servers that send parts only do the same with the first one.
    refused('from another origin, 206 without as well', always(), fails('bad-content-range', { sent: 1.2, requests: 3 })),
    refused('with a tag, cut once, from another origin', cutFirst(HALF, onlyToRange(undefined, { ETag: TAG })), completes(FILE, { sent: 2, requests: 4, restarts: 1 })),
    refused('in chunks, own origin, 200 without', (...asked) => ({ ...onlyToRange()(...asked), framing: 'chunks' }), ONCE_MORE, { own: true }),
  ]),
  ...input('K2', '206 of the whole body with a Content-Range that is wrong', [
    refused('bytes 0-N/N, 200 without', onlyToRange(`bytes 0-${N}/${N}`), ONCE_MORE),
    // It says that it is a part, of something that cannot be.
    refused('bytes 0-N/N, 206 without as well', always(`bytes 0-${N}/${N}`), fails('bad-content-range', { sent: 0.5, requests: 2 })),
    refused('bytes 0-(N-1)/*, 200 without', onlyToRange(`bytes 0-${N - 1}/*`), ONCE_MORE),
    refused('bytes=0-(N-1)/N, 200 without', onlyToRange(`bytes=0-${N - 1}/${N}`), ONCE_MORE),
    refused('0-(N-1)/N, 200 without', onlyToRange(`0-${N - 1}/${N}`), ONCE_MORE),
    refused('bytes 0-(N-1)/N, 206 without as well', always(`bytes 0-${N - 1}/${N}`), completes(FILE)),
    refused('of the first byte to every range, with a tag, cut once', cutFirst(HALF, (_, range) => (range ? calledPart(`bytes 0-${N - 1}/${N}`, { ETag: TAG }) : whole(FILE, { ETag: TAG }))),
      completes(FILE, { sent: 2, requests: 4, restarts: 1 })),
  ]),
];

export const ranges = [
  ...[400, 403, 404, 405, 406, 412, 501].flatMap(statusRows),
  ...[500, 503].flatMap(busyRows),
  ...silent,
  ...codings,
  ...parts,
  ...wholeParts,
];
