// A download as the app asks for it becomes the spec that the worker understands.
import { check, type NamesOf } from './check.js';
import { DESTINATION, type Destination, destinationFields } from './destination.js';
import { badArgument, refusal } from './errors.js';
import { given } from './given.js';
import { POLICIES, policyFields, type TaskPolicies } from './policy.js';
import type { HeaderPair, Redirects, SpecFields } from './protocol.js';
import { divideHeaders, parseHeaders, parseSource } from './source.js';
import { TRANSPORTS, type TransportOptions, withTransport } from './transport.js';
import type { IfExists } from './types.js';

/** What can be said of every download. */
export interface TransferOptions extends TaskPolicies {
  /** The app's own id, 1 to 1024 bytes. The same id and URL again give the same task, also after a kill. */
  id?: string;
  /** Other URLs of the very same file. Headers go to those of the same origin only. */
  mirrors?: (string | URL)[];
  /**
   * For every request to the URL's origin. Kept in memory only, except Accept, Accept-Language and Content-Language:
   * after the worker was restarted, `onAuthorize` is asked for them. Refused if nothing could be asked, unless `persistHeaders`.
   */
  headers?: HeadersInit;
  /** Lets `headers` be stored in the clear, so that the task goes on without being asked. */
  persistHeaders?: boolean;
  /** Default `same-origin`. */
  credentials?: RequestCredentials;
  referrerPolicy?: ReferrerPolicy;
  /**
   * `error`: a redirect fails the task (`redirect-refused`). `follow`, the default: so does one that would take headers along
   * to another origin, which browsers do with all but `Authorization`; for a URL of another origin that is any redirect, since
   * its target is not shown. `follow-with-headers` lets them go wherever the server sends them.
   */
  redirect?: Redirects;
  /** Names of the answer's headers to keep in `task.answer`. */
  keepHeaders?: string[];
  /** Subresource Integrity metadata that the whole file must agree with: `sha256-…`, `sha384-…` or `sha512-…`. */
  integrity?: string;
  /**
   * SHA-256 of each piece of `length` bytes (at least 256 KiB; the last piece may be shorter), as hex strings or 32
   * bytes each in one buffer. A bad piece alone is fetched again.
   */
  pieces?: { length: number; sha256: ArrayBuffer | Uint8Array | string[] };
  /** Whether a digest that the server sends (RFC 9530) is to agree, too. Default `verify`. */
  serverDigest?: 'verify' | 'ignore';
  /** How many bytes the app expects, for a check of the storage quota before the first is fetched. A hint: it may be wrong. */
  expectedBytes?: number;
  /**
   * How many bytes the file has. A file of another length is not taken for it (`unexpected-content`), and where the server tells
   * no length, an end that comes early counts as a cut.
   */
  exactBytes?: number;
  /**
   * The media types that the file may have: `audio/mpeg`, or `audio/*`. What comes with another, such as a page to log in, is
   * not taken for it: `onAuthorize` is asked, if there is one, or the task tries again, and fails with `unexpected-content`.
   */
  accept?: string | string[];
  /** `strong-only`: go on from kept bytes only if a strong validator proves that they belong together. Default `any`. */
  resume?: 'any' | 'strong-only';
  /**
   * Where the file goes once it is complete, without any page: `completed` comes when it is there. It needs room for twice
   * its size until then. Default: it stays here until it is taken.
   */
  destination?: Destination;
  /** What to do when there is no room for it: wait (`quota`) until there is, or fail. Default `wait`. */
  whenFull?: 'wait' | 'fail';
  /** Lets the worker find the finished file by its own URL: see `serveOriginalUrls` and `respond()` of `attach`. */
  serveOriginalUrl?: boolean;
  /** The app's own mark, to find tasks by. */
  tag?: string;
  /** The app's words for people. */
  description?: string;
  /** Anything that JSON can hold, up to 64 kB of it. */
  metadata?: unknown;
}

export interface DownloadOptions extends TransferOptions, TransportOptions {
  /** What to do if the id is taken. Default `keep`. */
  ifExists?: IfExists;
  /** The group that it belongs to. */
  group?: string;
  /** Ends the call, never the task. */
  signal?: AbortSignal;
}

export const TRANSFER: NamesOf<TransferOptions> = {
  ...POLICIES,
  id: 0,
  mirrors: 0,
  headers: 0,
  persistHeaders: 0,
  credentials: 0,
  referrerPolicy: 0,
  redirect: 'follow error follow-with-headers',
  keepHeaders: 0,
  integrity: 0,
  pieces: { length: 0, sha256: 0 },
  serverDigest: 'verify ignore',
  expectedBytes: 0,
  exactBytes: 0,
  accept: 0,
  resume: 'any strong-only',
  destination: DESTINATION,
  whenFull: 'wait fail',
  serveOriginalUrl: 0,
  tag: 0,
  description: 0,
  metadata: 0,
};

/** Without `ifExists`, which `resumeFrom` knows not. */
export const RESUMED: NamesOf<Omit<DownloadOptions, 'ifExists'>> = { ...TRANSFER, ...TRANSPORTS, group: 0, signal: 0 };

export const DOWNLOAD: NamesOf<DownloadOptions> = { ...RESUMED, ifExists: 'keep replace refresh error' };

/** A spec, the headers that must not be stored, and what ends the call. */
interface Asked {
  spec: SpecFields;
  secrets: HeaderPair[];
  signal: AbortSignal | undefined;
}

/**
 * Reads what is asked for. Of a `Request` its URL, headers, credentials, referrerPolicy, redirect, integrity and
 * signal are kept, unless the options say otherwise; referrer, cache and priority are not.
 */
export function readDownload(target: string | URL | Request, options: DownloadOptions, id: string, canBegin: boolean): Asked {
  const request = target instanceof Request ? target : undefined;
  const source = parseSource(request?.url ?? (target as string | URL));
  if (request) checkRequest(request, source.origin);
  const pairs = parseHeaders(request?.headers, options.headers);
  const { headers, secrets } = divideHeaders(pairs, options.persistHeaders ?? false);
  const { mirrors = [], pieces, metadata, redirect = request?.redirect as Redirects } = options;
  if (!Array.isArray(mirrors)) throw badArgument('mirrors', mirrors, 'a list of URLs');
  check({ redirect }, TRANSFER);
  const policy = policyFields(options);
  const spec = {
    id,
    sources: [source, ...mirrors.map((mirror) => parseSource(mirror, 'mirrors'))],
    ...given({
      headers: headers.length > 0 ? headers : undefined,
      credentials: options.credentials ?? request?.credentials,
      referrerPolicy: (options.referrerPolicy ?? request?.referrerPolicy) || undefined,
      redirects: redirect === 'follow' ? undefined : redirect,
      keepHeaders: options.keepHeaders,
      integrity: (options.integrity ?? request?.integrity) || undefined,
      pieceLength: pieces?.length,
      pieceDigests: pieces && flatten(pieces.sha256),
      ignoreServerDigest: options.serverDigest === 'ignore' || undefined,
      expectedBytes: options.expectedBytes,
      exactBytes: options.exactBytes,
      accept: options.accept === undefined ? undefined : [options.accept].flat(),
      strongOnly: options.resume === 'strong-only' || undefined,
      group: options.group,
      tag: options.tag,
      description: options.description,
      metadata: metadata === undefined ? undefined : toJson(metadata),
      policy: Object.keys(policy).length > 0 ? policy : undefined,
      destination: options.destination && destinationFields(options.destination, source.url),
      failsWhenFull: options.whenFull === 'fail' || undefined,
      servesUrl: options.serveOriginalUrl ? true : undefined,
    }),
  };
  const signals = [options.signal, request?.signal].filter((signal) => signal !== undefined);
  return { spec: withTransport(spec, secrets.length, options, canBegin), secrets, signal: signals.length > 1 ? AbortSignal.any(signals) : signals[0] };
}

/** Refuses a request that cannot be made again later, or whose answer could not be read. */
function checkRequest(request: Request, origin: string): void {
  if (request.method !== 'GET') throw badArgument('method', request.method, 'GET');
  const isReadable = request.mode === 'cors' || (request.mode === 'same-origin' && origin === location.origin);
  if (!isReadable) throw badArgument('mode', request.mode, 'cors');
  if (request.cache === 'only-if-cached') throw badArgument('cache', request.cache, 'any other');
}

/** The digests in a buffer of their own: a message takes the whole buffer of a view along. */
function flatten(digests: ArrayBuffer | Uint8Array | string[]): Uint8Array {
  if (!Array.isArray(digests)) return new Uint8Array(digests).slice();
  const bad = digests.findIndex((hex) => !/^[0-9a-f]{64}$/i.test(hex));
  if (bad >= 0) throw badArgument(`pieces.sha256[${bad}]`, digests[bad], '64 hex digits');
  return Uint8Array.from(digests.join('').match(/../g) ?? [], (hex) => parseInt(hex, 16));
}

function toJson(metadata: unknown): string {
  try {
    const text = JSON.stringify(metadata) as string | undefined;
    if (text !== undefined) return text;
  } catch (error) {
    throw refusal('metadata', String(error));
  }
  throw badArgument('metadata', metadata, 'what JSON can hold');
}
