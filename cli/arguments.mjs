// What stands behind `npx longhaul`, read strictly: a mistake is named, with what to write instead.
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { parseArgs } from 'node:util';

export const USAGE = `Usage: npx longhaul check URL [options]

Tells whether the server of URL is fit for resuming a download, and why not. It sends some 20 small requests, and
reads about 2 MiB at most.

  --origin ORIGIN          also tell what a page of this origin may read (CORS), such as https://app.example
  --header 'Name: value'   send this header as well; can be repeated
  --timeout SECONDS        for each request (default 10)
  --max-bytes BYTES        of all bodies together (default 2097152)
  --json                   for machines: stable codes
  --help                   this text

Headers go to the origin of URL only, and follow no redirect to another one. The server is asked directly: proxies that
the environment names are not used.

Exit status: 0 the server is fit, 1 it is not or only partly, 2 bad usage or the server cannot be reached.
`;

/** A mistake of the caller; the message says what to write instead. */
export class UsageError extends Error {}

const OPTIONS = {
  origin: { type: 'string' },
  header: { type: 'string', multiple: true, default: [] },
  timeout: { type: 'string', default: '10' },
  'max-bytes': { type: 'string', default: String(2 << 20) },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
};

/** What the check itself sends; a header of the caller's would spoil what is measured. */
const OWN_HEADERS = ['range', 'if-range', 'accept-encoding', 'host', 'connection', 'content-length', 'origin', 'transfer-encoding'];

/** Longer than this Node's timers cannot wait. */
const MAX_TIMEOUT_SECONDS = 3600;

function parse(words) {
  try {
    return parseArgs({ args: words, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    // What follows the first sentence is about how Node's parser is used.
    throw new UsageError(error.message.split(/[.\n]/)[0]);
  }
}

function readUrl(text) {
  if (/^[\w.-]+(:\d+)?(\/|$)/.test(text)) throw new UsageError(`${text} has no scheme: write https://${text}`);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url) throw new UsageError(`${JSON.stringify(text)} is no URL: write https://host/path`);
  if (!['http:', 'https:'].includes(url.protocol)) throw new UsageError(`${text} is neither http: nor https:`);
  if (url.username || url.password) throw new UsageError("browsers refuse to fetch a URL with a password: use --header 'Authorization: Basic …'");
  url.hash = '';
  return url.href;
}

function readOrigin(text) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol)) throw new UsageError(`--origin ${text} is no origin: write it like https://app.example`);
  if (url.pathname !== '/' || url.search || url.hash) throw new UsageError(`--origin ${text} has a path: write ${url.origin}`);
  return url.origin;
}

function readHeader(line) {
  const colon = line.indexOf(':');
  if (colon < 1) throw new UsageError(`--header ${JSON.stringify(line)} has no colon: write 'Name: value'`);
  const [name, value] = [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  } catch {
    throw new UsageError(`--header ${JSON.stringify(name)} is no header that can be sent: check its name and value for spaces, line breaks and other signs`);
  }
  if (OWN_HEADERS.includes(name.toLowerCase())) throw new UsageError(`--header ${name} is what the check sends itself: leave it out`);
  return [name, value];
}

function readNumber(option, text, most) {
  const number = Number(text);
  if (text.trim() === '' || !(number > 0 && number <= most)) throw new UsageError(`--${option} ${text} is no number above 0 and up to ${most}`);
  return number;
}

/** The options of the check, or `{ help: true }`. Throws a `UsageError`. */
export function readArguments(words) {
  const { values, positionals } = parse(words);
  if (values.help) return { help: true };
  const [command, ...urls] = positionals;
  if (command === undefined) throw new UsageError('what is to be done? Write "npx longhaul check URL"');
  if (command !== 'check') throw new UsageError(`there is no command "${command}": write "npx longhaul check ${command.includes('/') ? command : 'URL'}"`);
  if (urls.length !== 1) throw new UsageError(`check takes one URL, and was given ${urls.length}`);
  return {
    url: readUrl(urls[0]),
    origin: values.origin === undefined ? undefined : readOrigin(values.origin),
    headers: values.header.map(readHeader),
    timeoutMs: readNumber('timeout', values.timeout, MAX_TIMEOUT_SECONDS) * 1000,
    maxBytes: readNumber('max-bytes', values['max-bytes'], Number.MAX_SAFE_INTEGER),
    json: values.json,
  };
}
