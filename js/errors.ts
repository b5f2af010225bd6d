// Errors as pages meet them: the stable code from the worker, a sentence that says what to do, and whether trying
// again helps.
import type { ErrorCode, ErrorData } from './types.js';

const sentences: Record<ErrorCode, string> = {
  aborted: 'The call was aborted. The task, if it exists, goes on; cancel() ends it.',
  'authorization-not-durable': 'The worker was restarted, and the headers are not stored. Give them by update(), then resume().',
  'background-fetch-impossible': 'Background Fetch cannot carry this download: see detail. Use transport: "auto".',
  'background-fetch-refused': 'The browser would not begin a Background Fetch: see detail. Call resume() after a click, or reload the page.',
  'bad-argument': 'A value in the call cannot be used: see detail. Names are 1 to 1024 bytes long.',
  'bad-content-range': 'The server answers with another range than asked. Check its Content-Range.',
  'body-too-long': 'The server sent more bytes than it announced. Check its Content-Length and Content-Range.',
  'component-failed': 'The component could not run in the service worker. Call again; see its console if this persists.',
  'cors-blocked': 'The server does not let this origin read its answers. Have it send Access-Control-Allow-Origin.',
  crashed: 'The component crashed again and again at this task. Its bytes are kept: try resume() with a newer longhaul.',
  'csp-blocked': 'The service worker\'s own content security policy forbids the URL. Add it to connect-src.',
  'destination-failed': 'The file could not be written to its destination: see detail. It is kept here: move it again, or call resume().',
  'digest-mismatch': 'The file is not what its digest says. Check the digest, and the file on the server.',
  'file-changed': 'Another version of the file has taken its place while it was read. Read it again from its beginning.',
  'file-released': 'The file was moved, taken or released: it is not here any more. Call download() with ifExists: "replace".',
  'http-status': 'The server refused the file with a status that trying again would not change.',
  'id-in-use': 'The id belongs to a task with another URL. Use another id, or ifExists: "replace".',
  'length-mismatch': 'The server keeps ending the file before its announced length.',
  'mixed-content': 'A page of https: cannot load from http:. Use an https: URL.',
  network: 'The server could not be reached, again and again. Call resume() to go on from the kept bytes.',
  'newer-store': 'A newer longhaul has written the database. Deploy it again: finished files can be read until then, and nothing else.',
  'no-service-worker': 'No service worker with longhaul was found. Register one that calls attach(), and pass its registration.',
  'not-active': 'The service worker is not active yet, or no longer. Open sessions from its activate event on.',
  'not-controlled': 'The service worker does not answer this page\'s requests. Reload it, call attach() before other fetch listeners, or use blob().',
  'not-finished': 'This needs a task that has ended: a file needs a completed one.',
  'outbox-full': 'Nobody has handled the last 10,000 events of this session. Pass onEvent to openSession(), or onEvents to attach().',
  'protocol-mismatch': 'The page and the service worker run different versions of longhaul. Reload the page.',
  'quota-exceeded': 'The storage quota is used up. Release finished files, then resume() the task.',
  'resume-data-invalid': 'The resume data is damaged, or of a newer version. Call download() instead.',
  'resume-data-stale': 'The bytes that the resume data names are gone, or taken up already. Call download() instead.',
  'session-not-open': 'No session with this identifier was opened. Call openSession() first.',
  storage: 'The browser\'s storage failed. Call again.',
  'task-exists': 'A task with this id exists already. Use task(id), or another ifExists.',
  'task-not-found': 'No task has this id: it was never made, or was released.',
  'timed-out': 'The transfer took longer than its resourceTimeout. Raise that by update(), then resume().',
  unauthorized: 'The server refuses the headers or the URL. Give others by update(), then resume().',
  'unsupported-scheme': 'Only http: and https: URLs can be transferred.',
  'version-too-low': 'A newer version of this session\'s configuration is stored. Load the newer app.',
};

const retryHelps: ReadonlySet<ErrorCode> = new Set([
  'background-fetch-refused',
  'component-failed',
  'destination-failed',
  'file-changed',
  'length-mismatch',
  'network',
  'protocol-mismatch',
  'quota-exceeded',
  'storage',
]);

/** Whether the task is not there, or no longer. */
export const isTaskNotFound = (error: unknown): boolean => error instanceof LonghaulError && error.code === 'task-not-found';

/** Whether the session is not there, or no longer. */
export const isSessionNotOpen = (error: unknown): boolean => error instanceof LonghaulError && error.code === 'session-not-open';

/** Whether the file that was being read is another now. */
export const isFileChanged = (error: unknown): boolean => error instanceof LonghaulError && error.code === 'file-changed';

/** A value that cannot be used; `detail` names its field. */
export const badArgument = (detail: string): LonghaulError => new LonghaulError({ code: 'bad-argument', detail });

/** What every promise of longhaul rejects with. */
export class LonghaulError extends Error {
  override readonly name = 'LonghaulError';
  /** Stable; see `ErrorCode`. */
  readonly code: ErrorCode;
  /** The HTTP status, where one was the cause. */
  readonly status?: number;
  /** What the browser or the server said, or which value of the call is meant. */
  readonly detail?: string;
  /** Whether the same call, or `resume()`, may succeed later without anything being changed. */
  readonly retry: boolean;

  constructor(data: ErrorData) {
    super((sentences[data.code] ?? data.code) + (data.status ? ` (HTTP ${data.status})` : ''));
    this.code = data.code;
    if (data.status !== undefined) this.status = data.status;
    if (data.detail !== undefined) this.detail = data.detail;
    this.retry = retryHelps.has(data.code);
  }
}
