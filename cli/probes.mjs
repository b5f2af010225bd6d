// The requests, in their order; what they found is judged elsewhere. Each asks for little, on a new connection.
import { codings, contentLength, isConstantDate, isConstantTag, isFile, isStrongDate, isStrongTag, isWhole, parseContentRange, parseDate } from './fields.mjs';
import { isPassing } from './verdict.mjs';
import { isHome } from './view.mjs';

const MIB = 1 << 20;
/** Of each range. */
const SAMPLE = 64 << 10;
/** Enough to see whether a body begins as it should. */
const GLANCE = 4 << 10;
/** Requests beside the others, for servers of several nodes. */
const REPEATS = 4;

const DAY_MS = 86_400_000;

/** What may stand in `If-Range` for what the answer is of, or undefined. */
function ifRangeOf({ fields }) {
  const [tag, date] = [fields.get('etag'), fields.get('last-modified')];
  if (tag !== undefined) return isStrongTag(tag) && !isConstantTag(tag) ? tag : undefined;
  return isStrongDate(date, fields.get('date')) && !isConstantDate(date) ? date : undefined;
}

/** A validator of no version of the file. */
function otherThan(validator) {
  if (validator.startsWith('"')) return '"longhaul-check-of-no-version"';
  return new Date(parseDate(validator) - DAY_MS).toUTCString();
}

/** The complete length, from whichever answer tells it. */
function totalOf({ plain, first }) {
  const range = first?.status === 206 ? parseContentRange(first.fields.get('content-range')) : undefined;
  if (range?.total !== undefined) return range.total;
  const told = [plain, first].find((answer) => answer?.status !== undefined && isWhole(answer));
  if (told === undefined || codings(told.fields.get('content-encoding')).real.length) return undefined;
  return contentLength(told.fields.get('content-length')) ?? (told.hasEnded ? told.bytes.length : undefined);
}

/** A range, and what it is asked for: `{ name, start, end }`, half-open, `end` undefined for the rest of the file. */
function rangesOf(known, beginning) {
  const third = Math.floor(Math.min(known, beginning) / 3);
  const half = Math.floor(known / 2);
  const ranges = [
    { name: 'inside', start: third, end: Math.min(known, third + SAMPLE) },
    { name: 'half', start: half },
    { name: 'overlap', start: half + 1, end: Math.min(known, half + 1 + GLANCE) },
    { name: 'last', start: known - 1, end: known },
  ];
  return ranges.filter(({ start, end }) => end === undefined || start < end);
}

const rangeHeader = ({ start, end }) => ({ Range: `bytes=${start}-${end === undefined ? '' : end - 1}` });

/** Ends the questions: a server that is busy is asked nothing more. */
class Busy extends Error {
  constructor(answer) {
    super();
    this.answer = answer;
  }
}

/**
 * Asks for everything: `{ plain, plainHops, first, firstHops, total, ranges, … }`, each an answer of client.mjs. If
 * `problem` is set, or `plain` and `first` are both no success, nothing more was asked; with `busy`, nothing after that.
 */
export async function probe(client, { url, origin, headers }) {
  const plainWay = await client.follow(url, { atMost: MIB });
  const found = { plain: plainWay.answer, plainHops: plainWay.hops, problem: plainWay.problem, ranges: [], repeats: [] };
  if (found.problem || found.plain.error) return found;
  const firstWay = await client.follow(url, { headers: { Range: 'bytes=0-' }, atMost: SAMPLE });
  Object.assign(found, { first: firstWay.answer, firstHops: firstWay.hops, problem: firstWay.problem });
  if (found.problem || ![found.plain, found.first].some(isFile)) return found;
  const foreign = [...found.plainHops, found.plain].find((answer) => !isHome(answer, origin));
  if (origin && foreign) found.preflight = await preflight(client, foreign, headers);

  const { url: target, tainted } = found.plain;
  const ask = async (options) => {
    const answer = await client.ask(target, { tainted, atMost: GLANCE, ...options });
    if (isPassing(answer.status)) throw new Busy(answer);
    return answer;
  };
  try {
    await probeFile(ask, found, origin);
  } catch (error) {
    if (!(error instanceof Busy)) throw error;
    found.busy = error.answer;
  }
  return found;
}

async function probeFile(ask, found, origin) {
  if (found.first.url !== found.plain.url) {
    // Ranges of one file are to be compared, so they are asked where the file came from.
    found.elsewhere = found.first;
    found.first = await ask({ headers: { Range: 'bytes=0-' }, atMost: SAMPLE });
  }
  found.total = totalOf(found);
  // What a cache might keep of a request by no page.
  if (origin && !isHome(found.plain, origin)) found.unnamed = await ask({ named: false, atMost: 0 });
  found.head = await ask({ method: 'HEAD', atMost: 0 });
  found.coded = await ask({ headers: { 'Accept-Encoding': 'gzip, deflate, br' } });
  if (found.total === 0) return;
  const isRanged = found.first.status === 206;
  for (let at = 0; at < REPEATS; at += 1) found.repeats.push(await ask({ headers: isRanged ? { Range: 'bytes=0-0' } : {}, atMost: 1 }));
  // What refuses the whole file as a range refuses its parts, too.
  if (isFile(found.first)) await probeRanges(ask, found);
}

async function probeRanges(ask, found) {
  const { first, total, plain } = found;
  const known = total ?? Math.max(1, plain.bytes.length);
  for (const range of rangesOf(known, plain.bytes.length || known)) {
    found.ranges.push({ ...range, answer: await ask({ headers: rangeHeader(range), atMost: SAMPLE }) });
    // A server that ignores ranges does so each time.
    if (first.status !== 206) break;
  }
  found.codedRange = await ask({ headers: { ...rangeHeader({ start: 0, end: known }), 'Accept-Encoding': 'gzip, deflate, br' } });
  if (first.status !== 206) return;
  const validator = ifRangeOf(first);
  if (validator !== undefined) {
    found.same = await ask({ headers: { Range: 'bytes=0-', 'If-Range': validator } });
    found.other = await ask({ headers: { Range: 'bytes=0-', 'If-Range': otherThan(validator) } });
  }
  if (total === undefined) return;
  const suffix = Math.min(1000, known);
  found.suffix = { start: known - suffix, end: known, answer: await ask({ headers: { Range: `bytes=-${suffix}` } }) };
  found.behind = await ask({ headers: { Range: `bytes=${total}-` } });
}

/** The request that a browser sends before one with headers of the app's; `names` are those that it asks about. */
async function preflight(client, { url, tainted }, headers) {
  const safe = ['accept', 'accept-language', 'content-language'];
  const named = headers.map(([name]) => name.toLowerCase()).filter((name) => !safe.includes(name));
  const names = named.length ? named.sort() : ['authorization'];
  const asked = { 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': names.join(',') };
  const answer = await client.ask(url, { method: 'OPTIONS', headers: asked, tainted, own: false });
  return { answer, names, isNeeded: named.length > 0 };
}
