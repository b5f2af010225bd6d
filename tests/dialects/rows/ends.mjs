// K3: bodies that end before their end, and how that can be told (RFC 9112 section 8; decision 038).
import zlib from 'node:zlib';
import { completes, cut, cutBlindly, cutFirst, fails, fileOf, input, MIB, part, row, TAG, whole } from '../row.mjs';

const FILE = fileOf('ends', MIB);
const HALF = FILE.length / 2;
const ended = (name, serve, expected, more) => row(name, { size: FILE.length, serve, expected, ...more });
const first = (answer, others) => (request, range, number) => (number === 0 ? answer : others);

/** Half of it, which cannot be continued, and all of it. */
const AGAIN = completes(FILE, { sent: 1.75, requests: 3, restarts: 1, resumability: 'restart-only' });

const honestLength = (coding) => {
  const answer = whole(FILE, { 'Content-Encoding': coding });
  return input('K3', `Content-Encoding: ${coding}, 200 with an honest Content-Length`, [
    ended('cut at a half, from another origin', first(cut(answer, HALF), answer), AGAIN),
    ended('cut at a half, own origin', first(cut(answer, HALF), answer), AGAIN, { own: true }),
    ended('cut twice', (request, range, number) => (number < 2 ? cut(answer, HALF) : answer),
      completes(FILE, { sent: 2, requests: 4, restarts: 2 })),
    ended('cut after 600 bytes', first(cut(answer, 600), answer), completes(FILE, { sent: 1.15, requests: 3, restarts: 1 })),
    ended('cut one byte before its end', first(cut(answer, FILE.length - 1), answer), completes(FILE, { sent: 2, requests: 3, restarts: 1 })),
    ended('with ranges and a tag, cut at a half', cutFirst(HALF, (_, range) => part(FILE, range, { ETag: TAG, 'Content-Encoding': coding })),
      completes(FILE, { sent: 1.2, requests: 3, restarts: 0, resumability: 'resumable' })),
    ended('not cut', () => answer, completes(FILE, { requests: 1 })),
  ]);
};

/** Bodies without a length, whose end is told by the last chunk. */
const chunked = (bytes) => ({ ...whole(bytes), framing: 'chunks' });
const SHORT = FILE.subarray(0, HALF);
const WHOLE = chunked(FILE);
const few = { maxFailures: 2 };

const OTHER_LENGTH = fails('unexpected-content', { sent: 0.5, requests: 5 });
const promises = input('K3', 'exactBytes is given, and the end comes early or late', [
  ended('no length, ends at a half each time', () => chunked(SHORT), fails('length-mismatch', { sent: 2, requests: 5 }), { options: { exactBytes: FILE.length, ...few } }),
  ended('no length, ends at a half once', first(chunked(SHORT), WHOLE), completes(FILE, { sent: 1.75, requests: 3 }), { options: { exactBytes: FILE.length } }),
  ended('no length, ends where it is to', () => WHOLE, completes(FILE, { requests: 1 }), { options: { exactBytes: FILE.length } }),
  ended('the length is told and less', () => whole(SHORT), OTHER_LENGTH, { own: true, options: { exactBytes: FILE.length, ...few } }),
  ended('the length is told and more', () => whole(FILE), OTHER_LENGTH, { own: true, options: { exactBytes: HALF, ...few } }),
]);
const expectations = input('K3', 'expectedBytes, a hint, is given, and the end comes early or late', [
  ended('no length, ends where it is expected', () => WHOLE, completes(FILE, { requests: 1 }), { options: { expectedBytes: FILE.length } }),
  // The server has said that it is the end, and nothing is missing of what was expected.
  ended('no length, ends late', () => WHOLE, completes(FILE, { requests: 1 }), { options: { expectedBytes: HALF } }),
  // A length that the server tells counts for more than what the app expects.
  ended('the length is told and less', () => whole(SHORT), completes(SHORT, { requests: 1 }), { options: { expectedBytes: FILE.length } }),
  ended('the length is told and more', () => whole(FILE), completes(FILE, { requests: 1 }), { options: { expectedBytes: HALF } }),
]);

const CHUNKED_AGAIN = completes(FILE, { sent: 1.75, requests: 3, restarts: 1 });
const untold = { lacks: 'tell-cut-chunked-body' };
const chunks = input('K3', 'no length, in chunks, cut', [
  ended('at a half, from another origin', first(cut(WHOLE, HALF), WHOLE), CHUNKED_AGAIN, untold),
  ended('at a half, own origin', first(cut(WHOLE, HALF), WHOLE), CHUNKED_AGAIN, { own: true, ...untold }),
  ended('after all bytes, before the last chunk', first({ ...WHOLE, cutAfter: FILE.length }, WHOLE), completes(FILE, { sent: 2, requests: 3, restarts: 1 }), untold),
  ended('at a half, with integrity', first(cut(WHOLE, HALF), WHOLE), completes(FILE, { sent: 1.75, requests: 3 }), { integrity: FILE }),
  ended('at a half, with exactBytes', first(cut(WHOLE, HALF), WHOLE), completes(FILE, { sent: 1.75, requests: 3 }), { options: { exactBytes: FILE.length } }),
  ended('at a half, with ranges and a tag', cutFirst(HALF, (_, range) => ({ ...part(FILE, range, { ETag: TAG }), framing: 'chunks' })),
    completes(FILE, { sent: 1.2, requests: 3, restarts: 0 })),
  ended('by the end of the connection, at a half, with integrity',
    first({ ...whole(SHORT), framing: 'close' }, { ...whole(FILE), framing: 'close' }), completes(FILE, { sent: 1.75, requests: 3 }), { integrity: FILE }),
]);

const TEXT = Buffer.from(fileOf('ends of text', MIB).toString('base64'));
const GZIP = zlib.gzipSync(TEXT);
const DEFLATE = zlib.deflateSync(TEXT);
const coded = (body, coding, exposed = 'ETag') =>
  whole(body, { 'Content-Encoding': coding, 'Content-Type': 'text/plain', 'Access-Control-Expose-Headers': exposed });

/** What is cut first is the first answer that is not to a range: Chromium fails those before a byte of them is read. */
const cutOnce = (answer, after) => (request, range, number, state) => {
  if (range || state.wasCut) return answer;
  state.wasCut = true;
  return cutBlindly(answer, after);
};
const cutCoded = (name, answer, after, more) =>
  row(name, { size: GZIP.length, serve: cutOnce(answer, after), expected: completes(TEXT, { sent: 2, requests: 6 }), file: 'text.json', ...more });
const MIDDLE = Math.floor(GZIP.length / 2);

/** A range is refused, so that each browser asks without. */
const refusingRange = ({ serve, ...rest }) => ({ ...rest, serve: (request, range, ...more) => (range ? { status: 403 } : serve(request, range, ...more)) });

const reallyCoded = input('K3', 'gzip with a Content-Length, cut', [
  cutCoded('at a half, own origin', coded(GZIP, 'gzip'), MIDDLE, { own: true }),
  cutCoded('at a half, CORS hides the coding', coded(GZIP, 'gzip'), MIDDLE),
  cutCoded('at a half, the coding is exposed', coded(GZIP, 'gzip', 'ETag, Content-Encoding'), MIDDLE),
  cutCoded('after 100 bytes', coded(GZIP, 'gzip'), 100, { own: true }),
  cutCoded('before the checksum', coded(GZIP, 'gzip'), GZIP.length - 8, { own: true }),
  cutCoded('deflate, at a half', coded(DEFLATE, 'deflate'), MIDDLE, { own: true }),
  cutCoded('at a half, in chunks', { ...coded(GZIP, 'gzip'), framing: 'chunks' }, MIDDLE, { own: true, ...untold }),
].map(refusingRange));

export const ends = [...['aws-chunked', 'UTF-8', 'none', 'binary'].flatMap(honestLength), ...promises, ...expectations, ...chunks, ...reallyCoded];
