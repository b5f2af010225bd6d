// Plain HTTP requests, each on a connection of its own, so that a load balancer may send each to another node. Bodies
// stay as they were sent, are read as far as they are needed, and all of them together stay within a budget.
import { createRequire } from 'node:module';
import http from 'node:http';
import https from 'node:https';

const { version } = createRequire(import.meta.url)('../package.json');

/** More redirects than this are an error for browsers, too (Fetch, "HTTP-redirect fetch"). */
const MAX_REDIRECTS = 20;

const REDIRECTS = [301, 302, 303, 307, 308];

/**
 * Resolves with an answer: `{ url, method, status, fields, bytes, hasEnded, isCut }`. `fields` maps lower-case names to
 * values as a browser joins them; `bytes` are the first ones of the body; `hasEnded`: all of it came; `isCut`: it broke. If
 * there was no answer, `{ url, method, error }` with the code of Node's error or `timeout`.
 */
function send({ url, method, headers, atMost, timeoutMs }) {
  const { request } = url.startsWith('https:') ? https : http;
  return new Promise((resolve) => {
    let answer;
    const chunks = [];
    let received = 0;
    const end = (ending) => {
      clearTimeout(timer);
      sent.destroy();
      const bytes = Buffer.concat(chunks).subarray(0, atMost);
      resolve({ url, method, ...(answer ? { ...answer, bytes, received, hasEnded: false, isCut: false, ...ending } : { error: ending.error ?? 'no-answer' }) });
    };
    const sent = request(url, { method, headers, agent: false });
    // A body that is only slow counts for as far as it came.
    const timer = setTimeout(() => end(answer ? { isSlow: true } : { error: 'timeout' }), timeoutMs);
    sent.on('error', (error) => end(answer ? { isCut: true } : { error: error.code ?? error.message }));
    sent.on('response', (response) => {
      answer = { status: response.statusCode, fields: joined(response.rawHeaders) };
      if (atMost === 0 && method !== 'HEAD') return end({});
      response.on('data', (chunk) => {
        chunks.push(chunk);
        received += chunk.length;
        // One byte more would tell a body that is too long from one that ends in time.
        if (received > atMost) end({});
      });
      response.on('error', () => end({ isCut: true }));
      response.on('end', () => end(response.complete ? { hasEnded: true } : { isCut: true }));
    });
    sent.end();
  });
}

/** Fields by their lower-case names; those that were sent more than once are joined as browsers do. */
function joined(rawHeaders) {
  const fields = new Map();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name, value] = [rawHeaders[at].toLowerCase(), rawHeaders[at + 1]];
    fields.set(name, fields.has(name) ? `${fields.get(name)}, ${value}` : value);
  }
  return fields;
}

export class Client {
  #options;
  #left;
  /** Requests sent so far. */
  requests = 0;

  /** `url` is where the download begins, `origin` the page's, if one looks on. */
  constructor({ url, origin, headers, timeoutMs, maxBytes }) {
    this.#options = { home: new URL(url).origin, origin, headers, timeoutMs };
    this.#left = maxBytes;
    this.maxBytes = maxBytes;
  }

  /** The bytes of all bodies so far. */
  get received() {
    return this.maxBytes - this.#left;
  }

  /**
   * Asks once, and follows nothing. `tainted`: a redirect has led here from a third origin, so the
   * page's is not told. `own: false` leaves out the caller's headers, `named: false` the page's origin.
   */
  async ask(url, { method = 'GET', headers = {}, atMost = 0, tainted = false, own = true, named = true } = {}) {
    const { home, origin, timeoutMs } = this.#options;
    const target = new URL(url).origin;
    const all = { Accept: '*/*', 'Accept-Encoding': 'identity', 'User-Agent': `longhaul-check/${version}`, ...headers };
    // A page tells its origin to other origins only.
    if (named && origin && (tainted || target !== origin)) all.Origin = tainted ? 'null' : origin;
    // Headers are secrets of the origin that they were given for.
    if (own && target === home) for (const [name, value] of this.#options.headers) all[name] = value;
    this.requests += 1;
    const answer = await send({ url, method, headers: all, atMost: Math.min(atMost, Math.max(0, this.#left)), timeoutMs });
    this.#left -= answer.received ?? 0;
    return { ...answer, tainted };
  }

  /** Asks, and follows redirects: `{ hops, answer, problem? }`; `hops` are the answers that redirected. */
  async follow(url, options) {
    const hops = [];
    const seen = new Set();
    let at = url;
    let tainted = false;
    for (;;) {
      if (seen.has(at)) return { hops, problem: 'redirect-loop' };
      if (hops.length > MAX_REDIRECTS) return { hops, problem: 'redirect-too-many' };
      seen.add(at);
      const answer = await this.ask(at, { ...options, tainted });
      if (!REDIRECTS.includes(answer.status)) return { hops, answer };
      const location = answer.fields.get('location');
      hops.push({ ...answer, location });
      if (location === undefined || !URL.canParse(location, at)) return { hops, problem: 'redirect-nowhere' };
      const next = new URL(location, at);
      next.hash = '';
      if (!['http:', 'https:'].includes(next.protocol)) return { hops, problem: 'redirect-nowhere' };
      // Fetch: from an origin that is not the page's to a third one, the page's origin becomes opaque.
      const from = new URL(at).origin;
      tainted ||= next.origin !== from && from !== this.#options.origin && this.#options.origin !== undefined;
      at = next.href;
    }
  }
}
