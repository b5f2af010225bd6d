// Who may read a resource. A gate (`BearerTokens`, `SignedUrls`) can guard several resources; what it has handed out
// ends on command or after a number of requests, never by the clock. A body under way goes on either way.
import { createHash, randomBytes } from 'node:crypto';

/** An answer that does not come from the file: its text is the whole body. */
export function textAnswer(status, headers, text = '') {
  const body = Buffer.from(text);
  return { status, headers: { 'Content-Type': 'text/plain', 'Content-Length': body.length, ...headers }, body: [body] };
}

/** What the log keeps of an Authorization header's value: enough to tell two of them apart, not to use one. */
export function fingerprint(authorization) {
  return authorization && createHash('sha256').update(authorization).digest('hex').slice(0, 12);
}

/** Credentials and how many requests each is still good for; 0 once it has expired. */
class Grants {
  #left = new Map();

  add(credential, requests) {
    this.#left.set(credential, requests);
    return credential;
  }

  /** Takes one request from the credential: 'good', 'expired', or 'unknown' if it was never handed out. */
  use(credential) {
    const left = this.#left.get(credential);
    if (left === undefined) return 'unknown';
    if (left <= 0) return 'expired';
    this.#left.set(credential, left - 1);
    return 'good';
  }

  /** From now on nobody comes in with this credential; undefined means all that exist. */
  expire(credential) {
    for (const known of this.#left.keys()) {
      if (credential === undefined || known === credential) this.#left.set(known, 0);
    }
  }
}

/** `Authorization: Bearer …` (RFC 6750). Without a good token the answer is 401 with WWW-Authenticate. */
export class BearerTokens {
  #grants = new Grants();
  #issued = 0;

  /** A new token, good for `requests` requests. */
  issue({ requests = Infinity } = {}) {
    this.#issued += 1;
    return this.#grants.add(`token-${this.#issued}-${randomBytes(8).toString('hex')}`, requests);
  }

  /** Ends `token`, or all that exist. */
  expire(token) {
    this.#grants.expire(token);
  }

  /** The answer for a request that may not read, or undefined. */
  refusal({ headers }) {
    const token = /^bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
    if (token === undefined) return textAnswer(401, { 'WWW-Authenticate': 'Bearer realm="origin"' });
    const state = this.#grants.use(token);
    if (state === 'good') return undefined;
    const challenge = `Bearer realm="origin", error="invalid_token", error_description="${state}"`;
    return textAnswer(401, { 'WWW-Authenticate': challenge }, state);
  }
}

/** URLs with `?expires=…&sig=…`, each for one path. Anything else, and what has expired, is answered with 403. */
export class SignedUrls {
  #grants = new Grants();

  static #key(url) {
    const { pathname, searchParams } = new URL(url, 'http://origin');
    return `${pathname} ${searchParams.get('expires')} ${searchParams.get('sig')}`;
  }

  /** `url` (or a path) with a new signature, good for `requests` requests. `expires` is told, but decides nothing. */
  sign(url, { requests = Infinity } = {}) {
    const expires = Math.floor(Date.now() / 1000) + 3600;
    const signed = `${url}${url.includes('?') ? '&' : '?'}expires=${expires}&sig=${randomBytes(16).toString('hex')}`;
    this.#grants.add(SignedUrls.#key(signed), requests);
    return signed;
  }

  /** Ends the signed `url`, or all that exist. */
  expire(url) {
    this.#grants.expire(url === undefined ? undefined : SignedUrls.#key(url));
  }

  /** The answer for a request that may not read, or undefined. */
  refusal({ url }) {
    const state = this.#grants.use(SignedUrls.#key(url));
    return state === 'good' ? undefined : textAnswer(403, {}, state);
  }
}
