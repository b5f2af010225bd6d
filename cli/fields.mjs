// Header fields, read as the engine reads them (src/engine/http): the command must not judge otherwise.

/** How much older than its answer a `Last-Modified` must be to be strong: `CLOCKS_APART_MS` of the engine's validator.rs. */
const CLOCKS_APART_MS = 60_000;

/** What browsers decode. Any other word changes no byte, so that lengths and offsets are those of the file. */
const CODINGS = ['gzip', 'x-gzip', 'deflate', 'br', 'zstd'];

/** A run of digits below 2^53, or undefined. */
function number(text) {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  return value <= Number.MAX_SAFE_INTEGER ? value : undefined;
}

/** `Content-Range` (RFC 9110 section 14.4): `{ start, end, total }`, half-open, `{ unsatisfied }`, or undefined. */
export function parseContentRange(text = '') {
  const [, positions, total] = /^bytes +(\*|\d+-\d+)\/(\*|\d+)$/i.exec(text.trim()) ?? [];
  if (positions === undefined) return undefined;
  const complete = total === '*' ? undefined : number(total);
  if (total !== '*' && complete === undefined) return undefined;
  if (positions === '*') return complete === undefined ? undefined : { unsatisfied: complete };
  const [first, last] = positions.split('-').map(number);
  if (first === undefined || last === undefined || last < first || last >= (complete ?? Infinity)) return undefined;
  return { start: first, end: last + 1, total: complete };
}

/** `Content-Length`, also if it was sent more than once with one value. */
export function contentLength(text) {
  const values = (text ?? '').split(',').map((value) => number(value.trim()));
  return values.every((value) => value === values[0]) ? values[0] : undefined;
}

/** The codings that a browser decodes, and the words that are none. */
export function codings(text = '') {
  const words = text.split(',').map((word) => word.trim().toLowerCase()).filter((word) => word && word !== 'identity');
  return { real: words.filter((word) => CODINGS.includes(word)), others: words.filter((word) => !CODINGS.includes(word)) };
}

/** The file as it is to be had: also from a proxy that changed it (203), or made for this request (201, 202, 226). */
export const isWhole = ({ status }) => [200, 201, 202, 203, 226].includes(status);

/** The file, or a part of it. */
export const isFile = (answer) => answer?.status === 206 || (answer?.status !== undefined && isWhole(answer));

export const isMultipart = (type = '') => /^\s*multipart\/byteranges/i.test(type);

export const isHtml = (type = '') => /^\s*(text\/html|application\/xhtml\+xml)\b/i.test(type);

/** Quoted and without `W/` (RFC 9110 section 8.8.3). */
export const isStrongTag = (tag = '') => tag.length >= 2 && tag.startsWith('"') && tag.endsWith('"');

export const isWeakTag = (tag = '') => /^W\/".*"$/.test(tag);

/** The tag of a server that has none to give: all versions have it. */
export const isConstantTag = (tag) => tag !== undefined && /^"*\s*0?\s*"*$/.test(tag.replace(/^W\//, ''));

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** An HTTP date (RFC 9110 section 5.6.7; also the two obsolete forms) in epoch milliseconds, or undefined. */
export function parseDate(text = '') {
  const [, day, month, year, clock] =
    /^\w+, (\d\d)[ -](\w{3})[ -](\d{4}|\d\d) (\d\d:\d\d:\d\d) GMT$/.exec(text.trim()) ?? reorder(/^\w{3} (\w{3}) ([ \d]\d) (\d\d:\d\d:\d\d) (\d{4})$/.exec(text.trim()));
  if (!MONTHS.includes(month)) return undefined;
  const full = year.length === 4 ? Number(year) : Number(year) + (Number(year) < 70 ? 2000 : 1900);
  const at = new Date(Date.UTC(full, MONTHS.indexOf(month), Number(day), ...clock.split(':').map(Number)));
  // A day that the month does not have becomes one of the next.
  return full >= 1970 && at.getUTCDate() === Number(day) ? at.getTime() : undefined;
}

/** The parts of `Sun Nov  6 08:49:37 1994` in the order of the other forms. */
const reorder = (match) => (match ? [match[0], match[2], match[1], match[4], match[3]] : []);

const DAY_MS = 86_400_000;

/**
 * Times that are written for no time at all: by Unix and Nix, by archives of the DOS kind and by Gradle, by npm, by devices
 * without a clock, and by Bazel. Those at the beginning of an epoch differ by time zones.
 */
const CONSTANT_TIMES = [
  { from: 0, until: DAY_MS },
  { from: Date.UTC(1979, 11, 31), until: Date.UTC(1980, 0, 2) },
  ...[Date.UTC(1980, 1, 1), Date.UTC(1985, 9, 26, 8, 15), Date.UTC(2000, 0, 1), Date.UTC(2010, 0, 1)].map((from) => ({ from, until: from + 1000 })),
];

export function isConstantDate(text) {
  const time = parseDate(text);
  return time !== undefined && CONSTANT_TIMES.some(({ from, until }) => time >= from && time < until);
}

/** Whether `Last-Modified` is a strong validator (RFC 9110 section 8.8.2.2). */
export function isStrongDate(lastModified, date) {
  const [modified, made] = [parseDate(lastModified), parseDate(date)];
  return modified !== undefined && made !== undefined && made - modified >= CLOCKS_APART_MS;
}

/** `Retry-After` in seconds from `Date`, negative if it has passed; undefined if it is missing or cannot be read. */
export function retryAfterSeconds(text, date) {
  if (text === undefined) return undefined;
  const seconds = number(text.trim());
  const time = parseDate(text);
  if (seconds !== undefined || time === undefined) return seconds;
  return Math.round((time - (parseDate(date) ?? Date.now())) / 1000);
}
