// K7: statuses that bring the file (decision 038), and what a file is called (RFC 6266). K9: ids (decision 039).
import { completes, cut, cutFirst, fails, fileOf, input, KIB, MIB, part, refusal, refuses, row, TAG, whole } from '../row.mjs';

const FILE = fileOf('files', MIB);
const HALF = FILE.length / 2;
const at = (name, serve, expected, more) => row(name, { size: FILE.length, serve, expected, ...more });

const statusRows = (status) => {
  const answer = { ...whole(FILE), status };
  const first = (one, others) => (request, range, number) => (number === 0 ? one : others);
  return input('K7', `${status} with the whole file`, [
    at('from another origin', () => answer, completes(FILE, { requests: 1 })),
    at('own origin', () => answer, completes(FILE, { requests: 1 }), { own: true }),
    at('cut at a half', first(cut(answer, HALF), answer), completes(FILE, { sent: 1.75, requests: 3, restarts: 1 })),
    at('in chunks', () => ({ ...answer, framing: 'chunks' }), completes(FILE, { requests: 1 })),
    at('only once; ranges are honoured later, cut at a half', cutFirst(HALF, (_, range, number) => (number === 0 ? answer : part(FILE, range, { ETag: TAG }))),
      completes(FILE, { sent: 1.9, requests: 4, restarts: 1 })),
    // 203 and 226 are answers like 200, also with an empty file. 201 and 202 without a body say that there is none yet.
    at('without a body', () => ({ status }), status > 202 ? completes(Buffer.alloc(0)) : fails('http-status', { requests: 2 })),
  ]);
};

const others = input('K7', 'other statuses with a body', [
  at('207', () => ({ ...whole(FILE), status: 207 }), fails('http-status', { sent: 1, requests: 2 })),
  at('300', () => ({ ...whole(FILE), status: 300 }), fails('http-status', { sent: 1, requests: 2 })),
  at('410', () => refusal(410, {}, Buffer.from('gone')), fails('http-status', { requests: 2 })),
  at('418', () => refusal(418, {}, Buffer.from('short and stout')), fails('http-status', { requests: 2 })),
  at('451', () => refusal(451, {}, Buffer.from('no')), fails('http-status', { requests: 2 })),
  at('203 with a Content-Range', (_, range) => ({ ...part(FILE, range), status: 203 }), completes(FILE)),
]);

const SMALL = fileOf('names', 64 * KIB);
const named = (file, headers, fileName) => row(`${file} ${Object.values(headers).map((value) => `(${value})`).join(' ')}`.trim(), {
  size: SMALL.length, serve: (_, range) => part(SMALL, range, headers), expected: completes(SMALL, { fileName }), own: true, file,
});
const disposed = (value, fileName) => named('file', { 'Content-Disposition': value }, fileName);

const names = [
  ...input('K7', 'a name by the URL', [
    named('report.pdf', {}, 'report.pdf'),
    named('report.pdf?download=1#page', {}, 'report.pdf'),
    named('%E2%82%AC%20rates.pdf', {}, '€ rates.pdf'),
    named('a%2Fb.zip', {}, 'b.zip'),
    named('caf%E9.txt', {}, 'caf%E9.txt'),
    named('folder/', {}, undefined),
  ]),
  ...input('K7', 'an extension by the media type', [
    named('report', { 'Content-Type': 'application/pdf' }, 'report.pdf'),
    named('song', { 'Content-Type': 'audio/mpeg' }, 'song.mp3'),
    named('picture', { 'Content-Type': 'image/png; q=1' }, 'picture.png'),
    named('report.v2', { 'Content-Type': 'application/pdf' }, 'report.v2'),
    named('thing', { 'Content-Type': 'application/octet-stream' }, 'thing'),
    named('list', { 'Content-Type': 'Text/Plain' }, 'list.txt'),
  ]),
  ...input('K7', 'a name by Content-Disposition', [
    disposed('attachment', 'file'),
    disposed('attachment; filename="%E2%82%AC%20rates.pdf"', '€ rates.pdf'),
    disposed('attachment; filename="=?UTF-8?B?4oKsIHJhdGVzLnBkZg==?="', '€ rates.pdf'),
    disposed('attachment; filename="=?UTF-8?Q?=E2=82=AC_rates.pdf?="', '€ rates.pdf'),
    disposed("attachment; filename=\"rates.pdf\"; filename*=UTF-8''%e2%82%ac%20rates.pdf", '€ rates.pdf'),
    disposed('inline; filename=../../etc/passwd', 'passwd'),
    disposed('attachment; filename="con.txt"', '_con.txt'),
  ]),
];

const asked = (name, options, expected) => row(name, { size: SMALL.length, serve: (_, range) => part(SMALL, range), expected, options });

const ids = input('K9', 'texts with half a character', [
  asked('an id that begins with half a character', { id: '\ud800rest' }, refuses('bad-argument')),
  asked('an id that ends in half a character', { id: 'cut\ud83d' }, refuses('bad-argument')),
  asked('an id whose halves are the wrong way round', { id: '\udc00\ud800' }, refuses('bad-argument')),
  asked('a tag', { tag: 'cut\ud83d' }, refuses('bad-argument')),
  asked('a description', { description: 'cut\ud83d' }, refuses('bad-argument')),
  asked('a group', { group: 'cut\ud83d' }, refuses('bad-argument')),
  asked('an id of a whole character', { id: '\ud83d\ude80' }, completes(SMALL)),
  // JSON writes it as six characters, all of them whole.
  asked('metadata', { metadata: 'cut\ud83d' }, completes(SMALL)),
  // A header is a field of bytes, and browsers know how to refuse it.
  asked('a header', { headers: { 'X-Name': 'cut\ud83d' }, persistHeaders: true }, refuses('bad-argument')),
]);

export const files = [...[203, 226, 201, 202].flatMap(statusRows), ...others, ...names, ...ids];
