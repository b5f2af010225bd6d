// What the rows of the table are made of: files, answers, and what is expected of a task.
import { bytes as contentBytes } from '../origin/content.mjs';
import { part, sha256 } from '../origin/odd-server.mjs';

export { part };

export const KIB = 1 << 10;
export const MIB = 1 << 20;

/** Validators that are told from one another, and none that stands for no date. */
export const TAG = '"a"';
export const DATE = 'Mon, 07 Nov 1994 08:49:37 GMT';

/** The bytes of a file, the same for the same seed. */
export const fileOf = (seed, length = MIB) => contentBytes(`dialects/${seed}`, 0, length);

/** The file as a server sends it that knows no ranges. */
export const whole = (bytes, headers) => part(bytes, undefined, headers);

/** What a server sends that keeps to RFC 9110: a part if it is asked for one, and of the version that is asked for. */
export function honest(bytes, request, range, headers = {}) {
  const condition = request.headers['if-range'];
  const isOfVersion = condition === undefined || condition === headers.ETag || (!headers.ETag && condition === headers['Last-Modified']);
  return part(bytes, isOfVersion ? range : undefined, headers);
}

/** Breaks the connection after so many bytes of the body. They are kept by then, so that each browser continues from there. */
export function cut(answer, after) {
  if (after >= answer.body.length) return answer;
  const start = Number(/^bytes (\d+)-/.exec(answer.headers['Content-Range'] ?? '')?.[1] ?? 0);
  return { ...answer, cutAfter: after, untilKept: start + after };
}

/** The same, whatever the client has kept: of a body that is decoded, or is of no use, that cannot be said. */
export const cutBlindly = (answer, after) => ({ ...answer, cutAfter: after });

/** Only the first answer is cut. */
export const cutFirst = (after, serve) => (request, range, number, state) => {
  const answer = serve(request, range, number, state);
  return number === 0 ? cut(answer, after) : answer;
};

/** An answer with these headers in addition. */
export const withHeaders = (answer, headers) => ({ ...answer, headers: { ...answer.headers, ...headers } });

/** A status with a short text, or with none. */
export const refusal = (status, headers = {}, body) => ({ status, headers: { 'Content-Type': 'text/plain', ...headers }, body });

export const redirect = (location, status = 302) => ({ status, headers: { Location: location } });

/** The Subresource Integrity metadata of these bytes. */
export const integrityOf = (bytes) => `sha256-${Buffer.from(sha256(bytes), 'hex').toString('base64')}`;

/**
 * What is expected. `sent`: at most so many times the file. `requests`: at most so many, without those that a redirect led to.
 * `bytes`: the files one of which it may be. Others, if given: `restarts` told at most, `keeps` bytes at least, `resumability`,
 * `fileName`, `reason` of a wait.
 */
export const completes = (bytes, { sent = 1.15, requests = 2, ...more } = {}) =>
  ({ state: 'completed', digests: [bytes].flat().map(sha256), sent, requests, ...more });
export const fails = (code, { sent = 0.1, requests = 2, ...more } = {}) => ({ state: 'failed', code, sent, requests, ...more });
export const waits = (reason, { sent = 0.1, requests = 2, ...more } = {}) => ({ state: 'waiting', reason, sent, requests, ...more });
/** The call itself is refused, and the server asked for nothing. */
export const refuses = (code) => ({ state: 'refused', code, sent: 0, requests: 0 });

/**
 * One row: `serve(request, range, number, state)` answers, with a `state` of the run's own. `own`: from the page's own origin.
 * `size`: that of the file as it is sent. `options` are the task's, `integrity` the bytes whose digest is one of them, `file` is the
 * end of its URL. `isHasty`: the worker's clock
 * runs faster. `lacks`: what a browser must be able to do. `leaks(entry)`: whether a request tells what it must not tell.
 */
export const row = (name, { size, serve, expected, own = false, options = {}, integrity, file = 'file.bin', ...more }) =>
  ({ name, size, serve, expected, own, options: integrity ? { ...options, integrity: integrityOf(integrity) } : options, file, ...more });

/** Rows about one thing that servers do. */
export const input = (kind, title, rows) => rows.map((each) => ({ ...each, kind, title, id: `${kind} ${title}: ${each.name}` }));
