// What a server wants before it goes on: a page's or the worker's own code is asked for headers or another URL.
import { check, type NamesOf } from './check.js';
import { given } from './given.js';
import type { AuthorizeMessage, Call } from './protocol.js';
import { parseHeaders, parseSource } from './source.js';

export interface AuthorizationRequest {
  session: string;
  taskId: string;
  /** The URL that was refused, without its query. */
  url: string;
  /** 401 or 403; undefined if headers that are not stored are missing after the worker was restarted. */
  status?: number;
}

export interface Authorization {
  /** They replace those that were given before. */
  headers?: HeadersInit;
  /** Lets them be stored in the clear. Default false. */
  persistHeaders?: boolean;
  /** Another URL of the same file, such as a newly signed one. */
  url?: string | URL;
}

export const AUTHORIZATION: NamesOf<Authorization> = { headers: 0, persistHeaders: 0, url: 0 };

/** Supplies headers or a URL. `undefined` leaves the task waiting. */
export type Authorize = (request: AuthorizationRequest) => Authorization | undefined | Promise<Authorization | undefined>;

/** `of` is the URL that was asked about: if the task has another by now, what was supplied must not be told to that. */
export function authorizeCall(session: string, id: string, of: string, answer: Authorization): Call & { type: 'authorize' } {
  const { headers, url, persistHeaders: persist = false } = answer;
  return {
    type: 'authorize',
    session,
    id,
    persist,
    origin: new URL(of).origin,
    ...given({ headers: headers && parseHeaders(headers), source: url === undefined ? undefined : parseSource(url) }),
  };
}

/**
 * Asks the app's code, once at a time for a task, and gives its answer to `tell`. The server may have refused that before
 * `tell` has resolved: then the code is asked again.
 */
export class Authorizer {
  readonly #authorize: Authorize;
  readonly #tell: (call: Call & { type: 'authorize' }) => unknown;
  readonly #asked = new Set<string>();

  constructor(authorize: Authorize, tell: (call: Call & { type: 'authorize' }) => unknown) {
    this.#authorize = authorize;
    this.#tell = tell;
  }

  async ask({ session, id, url, status }: AuthorizeMessage): Promise<void> {
    const key = JSON.stringify([session, id]);
    if (this.#asked.has(key)) return;
    this.#asked.add(key);
    try {
      const thinking = async () => this.#authorize({ session, taskId: id, url, ...given({ status }) });
      const answer = await thinking().finally(() => this.#asked.delete(key));
      if (answer) check(answer, AUTHORIZATION);
      if (answer) await this.#tell(authorizeCall(session, id, url, answer));
    } catch (error) {
      reportError(error);
    }
  }
}
