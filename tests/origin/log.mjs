// The origin's log: one entry per request, promises that resolve when it shows something, and the question which
// bytes went over the wire more than once.
import { EventEmitter } from 'node:events';
import { fingerprint } from './access.mjs';
import { parseRange, selectRange } from './rfc9110.mjs';
import { PATIENCE_MS } from '../patience.mjs';

/**
 * The requests in order of arrival. An entry is live: it fills while its response is sent.
 *
 * `{ n, path, url, method, headers, range, ifRange, ifNoneMatch, ifModifiedSince, origin, authorization, concurrent,
 * startedAt }` are there from the beginning: `range` as in `parseRange`, `authorization` the header's `fingerprint`
 * (its value is nowhere in the log), `concurrent` the number of requests for this path that are open, with this one
 * but without what was answered with 429. Then come `status`, `etag`, `length` (of the representation), `start` (the
 * representation's offset of the body's first byte), `fault` (its kind), `stalled`; `sentBytes` (of the body as coded,
 * handed to the kernel, whose buffers may hold some megabytes that the client has not seen); at the end `endedAt` and
 * `aborted` (the connection went, by either side, before the body was complete).
 */
export class RequestLog extends EventEmitter {
  entries = [];

  constructor() {
    super();
    this.setMaxListeners(0);
  }

  begin(request) {
    const { authorization, ...headers } = request.headers;
    const path = new URL(request.url, 'http://origin').pathname;
    const entry = {
      n: this.entries.length,
      path,
      url: request.url,
      method: request.method,
      headers,
      range: parseRange(headers.range),
      ifRange: headers['if-range'],
      ifNoneMatch: headers['if-none-match'],
      ifModifiedSince: headers['if-modified-since'],
      origin: headers.origin,
      authorization: fingerprint(authorization),
      concurrent: this.entries.filter((other) => other.path === path && isOpen(other)).length + 1,
      status: undefined,
      sentBytes: 0,
      startedAt: Date.now(),
      endedAt: undefined,
      aborted: false,
      stalled: false,
    };
    this.entries.push(entry);
    this.emit('change');
    return entry;
  }

  /** Changes an entry and lets everyone who waits look again. */
  note(entry, fields) {
    Object.assign(entry, fields);
    this.emit('change');
  }

  /**
   * Resolves with what `predicate(entries)` returns as soon as that is truthy, which may be at once.
   * Rejects after `timeoutMs`, so that a test fails with a reason instead of hanging.
   */
  waitFor(predicate, { timeoutMs = PATIENCE_MS, what = String(predicate) } = {}) {
    return new Promise((resolve, reject) => {
      const settle = (action, value) => {
        clearTimeout(timer);
        this.off('change', look);
        action(value);
      };
      const look = () => {
        try {
          const value = predicate(this.entries);
          if (value) settle(resolve, value);
        } catch (error) {
          settle(reject, error);
        }
      };
      const timer = setTimeout(() => {
        settle(reject, new Error(`the origin waited ${timeoutMs} ms for ${what}; its log:\n${this}`));
      }, timeoutMs);
      this.on('change', look);
      look();
    });
  }

  /** The first request for `path` that satisfies `predicate`, now or later, also as its response goes on. */
  waitForRequest(path, predicate = () => true, options) {
    const found = (entries) => entries.find((entry) => entry.path === path && predicate(entry));
    return this.waitFor(found, { what: `a request for ${path} with ${predicate}`, ...options });
  }

  /** Resolves when all responses for `path` together have sent `bytes`. */
  waitForSent(path, bytes, options) {
    const enough = (entries) => totalSent(entries, path) >= bytes;
    return this.waitFor(enough, { what: `${bytes} bytes sent of ${path}`, ...options });
  }

  toString() {
    return this.entries.map(line).join('\n');
  }
}

function isOpen({ status, endedAt }) {
  return status !== 429 && endedAt === undefined;
}

function line({ n, method, url, headers, status, sentBytes, ...entry }) {
  const marks = [
    entry.authorization && `authorization ${entry.authorization}`,
    entry.concurrent > 1 && `${entry.concurrent} at once`,
    entry.fault,
    entry.stalled && 'stalled',
    entry.aborted && 'aborted',
    !entry.endedAt && 'open',
  ];
  const said = [`${status ?? '…'}`, `${sentBytes} bytes`, ...marks].filter(Boolean).join(', ');
  return `#${n} ${method} ${url} ${headers.range ?? '-'} → ${said}`;
}

/** The sum of the body bytes sent for `path`. */
export function totalSent(entries, path) {
  return entries.reduce((sum, entry) => (entry.path === path ? sum + entry.sentBytes : sum), 0);
}

/**
 * The half-open ranges of the representation at `path` that came more than once: `requested` by what the GETs
 * asked for (an open end reaches to the end of the file), `sent` by what really left for them.
 */
export function overlap(entries, path) {
  const known = entries.filter((entry) => entry.path === path && entry.method === 'GET' && entry.length !== undefined);
  const asked = known.map(({ range, length }) => (range ? selectRange(range, length) : { start: 0, end: length }));
  const sent = known
    .filter(({ start }) => start !== undefined)
    .map(({ start, sentBytes }) => ({ start, end: start + sentBytes }));
  return { requested: coveredTwice(asked.filter(Boolean)), sent: coveredTwice(sent) };
}

/** The parts that at least two of the ranges cover, in order, adjacent ones joined. */
function coveredTwice(ranges) {
  const steps = ranges.filter(({ start, end }) => start < end).flatMap(({ start, end }) => [[start, 1], [end, -1]]);
  steps.sort(([a, up], [b, down]) => a - b || down - up);
  const twice = [];
  let depth = 0;
  for (const [at, step] of steps) {
    depth += step;
    if (step === 1 && depth === 2) twice.push({ start: at, end: undefined });
    if (step === -1 && depth === 1) twice.at(-1).end = at;
  }
  return twice.filter(({ start, end }) => start < end);
}
