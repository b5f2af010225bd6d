// K4: something else in place of the rest of a file, most of which is kept (decision 038).
import { completes, cut, fails, fileOf, input, KIB, MIB, part, redirect, row, TAG, whole } from '../row.mjs';

const FILE = fileOf('interposed', 3 * MIB);
const KEPT = 2.5 * MIB;
const TYPE = 'application/zip';
const LOGIN = '/f/login';

const MARKUP = Buffer.from('<title>Please sign in again.</title>');
const page = (body, type) => ({ status: 200, headers: { 'Content-Type': type }, body });

/** Most of the file first, and then what `later` says. */
const interposed = (later) => (request, range, number) =>
  (number === 0 ? cut(part(FILE, range, { 'Content-Type': TYPE, ETag: TAG }), KEPT) : later(request, range, number));
const file = (range) => part(FILE, range, { 'Content-Type': TYPE, ETag: TAG });

/** Two tries more, and the bytes stay. */
const GIVEN_UP = fails('unexpected-content', { sent: 1, requests: 5, restarts: 0, keeps: KEPT });
/** How short it is shows at its end only: until then what is kept is set aside. */
const GIVEN_UP_AT_ITS_END = fails('unexpected-content', { sent: 1, requests: 5, restarts: 2, keeps: KEPT });
const options = { maxFailures: 3 };

const pageRows = (title, answer) => {
  const at = (name, serve, expected, more) => row(name, { size: FILE.length, serve, expected, options, file: 'file.zip', ...more });
  return input('K4', `five sixths are kept, then ${title} in place of the rest`, [
    at('from another origin', interposed(() => answer), GIVEN_UP),
    at('own origin', interposed(() => answer), GIVEN_UP, { own: true }),
    at('twice, then the rest', interposed((request, range, number) => (number < 3 ? answer : file(range))),
      completes(FILE, { sent: 1.2, requests: 5, restarts: 0 })),
    at('behind a redirect', interposed(({ url }) => (url === LOGIN ? answer : redirect(LOGIN))), GIVEN_UP),
    at('without a length', interposed(() => ({ ...answer, framing: 'chunks' })), GIVEN_UP_AT_ITS_END),
    at('with a tag and a date of its own', interposed(() => ({ ...answer, headers: { ...answer.headers, ETag: '"page"', 'Last-Modified': 'Sat, 01 Mar 2025 12:00:00 GMT' } })), GIVEN_UP),
  ]);
};

const PORTAL = Buffer.from(`<title>Free Wi-Fi</title>${'<p>Accept the terms.</p>'.repeat(5_000)}`).subarray(0, 100_000);
const SAME_TYPE = page(PORTAL, TYPE);

/** By the rule, which ends at 64 KiB, this is another version; so is what is longer than a sixteenth of the file. */
const versions = input('K4', 'five sixths are kept, then another version', [
  ['100 kB of the same type', SAME_TYPE],
  ['half as long, of the same type', page(fileOf('half', 1.5 * MIB), TYPE)],
  ['64 KiB and a byte of the same type', page(fileOf('just more', 64 * KIB + 1), TYPE)],
  ['as long, of the same type, with a tag', { ...whole(fileOf('as long', 3 * MIB), { 'Content-Type': TYPE, ETag: '"b"' }) }],
].map(([name, answer]) => row(name, {
  size: FILE.length, serve: interposed(() => answer), expected: completes(answer.body, { sent: 1.9, requests: 4, restarts: 1 }), options, file: 'file.zip',
})).concat([
  row('64 KiB of the same type are a page', {
    size: FILE.length, serve: interposed(() => page(fileOf('just less', 64 * KIB), TYPE)), expected: GIVEN_UP, options, file: 'file.zip',
  }),
  // With nothing kept there is nothing that it could not be.
  row('a page from the first request on is the file', { size: MARKUP.length, serve: () => page(MARKUP, 'text/html'), expected: completes(MARKUP), options, file: 'file.zip' }),
]));

export const interpositions = [
  ...pageRows('36 bytes of text/html', page(MARKUP, 'text/html')),
  ...pageRows('36 bytes of the same type', page(MARKUP, TYPE)),
  ...pageRows('an error as JSON', page(Buffer.from('{"error":"token expired"}'), 'application/json')),
  ...pageRows('a captive portal of 100 kB', page(PORTAL, 'text/html; charset=utf-8')),
  ...pageRows('200 and nothing', { status: 200, headers: {}, body: Buffer.alloc(0) }),
  ...versions,
];
