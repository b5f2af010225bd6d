// Findings on getting to the file at all: the scheme, redirects, the status, who may read.
import { ok, problem, warning } from './finding.mjs';
import { isFile, isHtml, isStrongTag, isWhole, retryAfterSeconds } from './fields.mjs';
import { unreachable } from './reach.mjs';
import { isPassing } from './verdict.mjs';

/** Loopback counts as secure for browsers. */
const isLoopback = ({ hostname }) => hostname === 'localhost' || hostname.endsWith('.localhost') || /^127\./.test(hostname) || hostname === '[::1]';

export function scheme({ urls, origin }) {
  const plain = urls.find((url) => url.startsWith('http:') && !isLoopback(new URL(url)));
  if (plain === undefined) return [];
  const change = 'Serve the file by https:, and let no redirect lead to http:.';
  if (origin?.startsWith('https:')) return [problem('mixed-content', `A page of ${origin} may not load from ${plain}.`, change)];
  return [warning('plain-http', `No page of https: may load from ${plain}, and only those have service workers.`, change)];
}

const PROBLEMS = {
  'redirect-loop': ['The redirects lead in a circle', 'Correct the Location of the last one.'],
  'redirect-too-many': ['More than 20 redirects follow each other', 'Browsers give up there. Give the URL of the file itself.'],
  'redirect-nowhere': ['A redirect has no Location that can be fetched', 'Send the URL of the file in Location.'],
};

const way = (hops) => hops.map(({ status, url, location }) => `${status} ${url} → ${location ?? '(no Location)'}`).join(', ');

export function redirects({ url, plainHops, firstHops, problem: code, plain, first, elsewhere }) {
  const hops = firstHops ?? plainHops;
  if (code) return [problem(code, `${PROBLEMS[code][0]}: ${way(hops.slice(0, 3))}.`, PROBLEMS[code][1])];
  const found = [];
  if (plainHops.length) {
    const leaves = new Set(plainHops.map((hop) => new URL(hop.url).origin)).size > 1 || new URL(plain.url).origin !== new URL(url).origin;
    found.push(leaves
      ? warning('redirect-other-origin', `Redirected to another origin: ${way(plainHops)}.`, `Headers of the app are not sent there, and it needs CORS of its own. If you can, give ${plain.url}.`)
      : ok('redirect', `Redirected within the origin: ${way(plainHops)}.`));
  }
  const second = elsewhere ?? first;
  if (second && plain.url !== second.url) found.push(varies(plain, second));
  if (plain && isWhole(plain)) found.push(...otherThanAsked({ url, plain, isRedirected: plainHops.length > 0 }));
  return found;
}

function varies(plain, first) {
  const seen = `Two requests were redirected to two places: ${plain.url} and ${first.url}.`;
  if (isSameFile(plain, first)) return warning('redirect-varies', `${seen} Both have the same file.`, 'Redirect all requests for one file to one place, for as long as a download may take.');
  return problem('redirect-varies', `${seen} Nothing shows that both have the same file.`, 'Redirect all requests for one file to one place, or send the same strong ETag from each.', 'ETag: "<hash of the file>"');
}

/** By a strong tag, or by date and the bytes that are there. */
function isSameFile(plain, other) {
  if (!other.fields) return false;
  const [tag, otherTag] = [plain, other].map(({ fields }) => fields.get('etag'));
  if (isStrongTag(tag) && isStrongTag(otherTag)) return tag === otherTag;
  const [date, otherDate] = [plain, other].map(({ fields }) => fields.get('last-modified'));
  return date !== undefined && date === otherDate && other.bytes.length > 0 && plain.bytes.subarray(0, other.bytes.length).equals(other.bytes);
}

/** A page in place of a file. */
function otherThanAsked({ url, plain, isRedirected }) {
  const name = new URL(url).pathname.split('/').pop();
  const isPage = isHtml(plain.fields.get('content-type')) && !/(\.x?html?|^)$/i.test(name);
  if (!isPage) return [];
  const seen = `The answer is a page (${plain.fields.get('content-type')}) at ${plain.url}, not the file.`;
  if (isRedirected) return [problem('login-page', `${seen} It may be a login.`, "Answer 401 in place of a redirect. For this check, send what logs in: --header 'Authorization: Bearer …'.")];
  if (!/\.\w+$/.test(name)) return [];
  return [warning('html-answer', seen, 'Let missing files be answered with 404, not with the fallback page of an app.')];
}

export function status({ plain, first }) {
  if (plain.error) return [problem(...triple(unreachable(plain)))];
  if (isWhole(plain)) return [ok('status', `GET is answered with ${plain.status}.`)];
  if (plain.status === 206) return [warning('plain-partial', 'GET without Range is answered with 206.', 'Answer it with 200 and the whole file.')];
  if (isFile(first)) return [warning('plain-refused', `GET without Range is answered with ${plain.status}, with Range it is ${first.status}.`, 'Answer both: longhaul needs the first where ranges are of no use.')];
  return [failed(plain)];
}

const triple = ({ code, seen, change }) => [code, seen, change];

function failed({ status: code, fields }) {
  if (code === 401 || code === 403) {
    const asks = fields.get('www-authenticate');
    return problem('authorization', `GET is answered with ${code}${asks ? ` (WWW-Authenticate: ${asks})` : ''}.`, "Pass what lets you in: --header 'Authorization: Bearer …'. In the app, give headers to download(), and onAuthorize to openSession().");
  }
  if (isPassing(code)) return busyWith(code, fields, 'GET is answered');
  if (code === 404 || code === 410) return problem('status', `GET is answered with ${code}.`, 'Correct the URL.');
  return problem('status', `GET is answered with ${code}: longhaul gives up at that.`, 'Answer a GET of the file with 200.');
}

/** A server that had enough of the check. */
export function busy({ busy: answer }) {
  return answer ? [busyWith(answer.status, answer.fields, 'After some requests the server answers')] : [];
}

function busyWith(code, fields, who) {
  const text = fields.get('retry-after');
  const seconds = retryAfterSeconds(text, fields.get('date'));
  const told = text === undefined ? 'without Retry-After' : seconds === undefined ? `with a Retry-After that cannot be read (${text})` : seconds <= 0 ? `with a Retry-After that is over (${text})` : `with Retry-After: ${text}`;
  const change = seconds > 0 ? 'Run the check again then.' : 'Say when to come back, in seconds. Run the check again later.';
  return problem('busy', `${who} with ${code}, ${told}.`, change, seconds > 0 ? undefined : 'Retry-After: 120');
}
