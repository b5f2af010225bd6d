// Calls that the component refuses: it names the field, and this adds the value and what is allowed (`src/web/specs.rs`). What
// Rust would take in otherwise than it was sent, or not at all, is found here.
import { badArgument, dataOf, refusal } from './errors.js';
import { LONE } from './source.js';
import type { Call } from './protocol.js';
import type { ErrorData } from './types.js';

/** What a field may be. */
const ALLOWED: [what: string, fields: string][] = [
  ['a text of 1 to 1024 bytes', 'session id group tag after'],
  ['a text of up to 65536 bytes', 'description metadata'],
  ['a whole number from 1 to 16', 'maxSegments'],
  ['a whole number from 1 to 256', 'maxConcurrentTasks maxConnectionsPerHost'],
  ['a whole number from 1 to 1000', 'maxFailures limit'],
  ['a whole number from 1000', 'stallTimeout'],
  ['a whole number from 1000, or 0', 'resourceTimeout'],
  ['a whole number from 1024, or 0', 'maxBytesPerSecond'],
  ['a whole number', 'expectedBytes exactBytes version before pieceLength'],
  ['a digest like sha256-…', 'integrity'],
  ['a list of names', 'keepHeaders'],
  ['a list of media types like audio/*', 'accept'],
  ['a list of up to 15', 'mirrors'],
  ['one digest for each `length` bytes, which are at least 262144', 'pieces'],
];

/** How deep a call is at the most: any script of the origin may post another. */
const DEPTH = 6;

/** The fields that apps know by another name, and that. */
const APP_NAMES = new Map([['beginAt', 'earliestBegin'], ['discretionaryUntil', 'discretionary'], ['keepMs', 'retention'], ['redirects', 'redirect'], ['states', 'state']]);

const appName = (field: string) => APP_NAMES.get(field) ?? field.replace(/Ms$/, '').replace(/^maxPerHost.+/, 'maxConnectionsPerHost');

const allowed = (field: string) => ALLOWED.find(([, fields]) => fields.split(' ').includes(field))?.[0];

/** All that is in a call, by the names that apps know. */
function fieldsOf(value: unknown, field = '', depth = DEPTH): [field: string, value: unknown][] {
  if (typeof value !== 'object' || !value || ArrayBuffer.isView(value) || depth === 0) return [[field, value]];
  const nameOf = (key: string) => (Array.isArray(value) ? field : appName(key));
  return [[field, value], ...Object.entries(value).flatMap(([key, inner]) => fieldsOf(inner, nameOf(key), depth - 1))];
}

/** Whether it is of another type than its field. */
function isOfOtherType([field, value]: [string, unknown]): boolean {
  const [, kind] = /^a (text|whole|list)/.exec(allowed(field) ?? '') ?? [];
  if (kind === undefined || value === undefined) return false;
  return kind === 'list' ? !Array.isArray(value) : typeof value !== (kind === 'text' ? 'string' : 'number');
}

/** Why the call cannot be handed to the component: half of a character would become another. */
export function unreadable(call: Call): ErrorData | undefined {
  const found = fieldsOf(call).find(([, value]) => typeof value === 'string' && LONE.test(value));
  return found && dataOf(badArgument(...found, 'a text of whole characters, without a lone surrogate'));
}

/** The component's error, with the value that it cannot use. */
export function withValue(error: ErrorData, call: Call): ErrorData {
  if (error.code !== 'bad-argument' || !error.detail) return error;
  const name = appName(error.detail);
  // The members of a batch have fields of the same name.
  const named = fieldsOf(call).filter(([field]) => field === name);
  // Nor is an item of a list the field.
  const items = named.flatMap(([, value]) => (Array.isArray(value) ? value : []));
  const found = named.find((one) => !items.includes(one[1]) && isOfOtherType(one)) ?? named[0];
  if (found) return dataOf(badArgument(...found, allowed(name)));
  return allowed(name) ? dataOf(refusal(name, `It is not ${allowed(name)}.`)) : error;
}
