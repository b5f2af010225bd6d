// Errors as pages meet them: the stable code from the worker, a sentence that says what to do, and whether trying
// again helps.
import type { ErrorCode, ErrorData } from './protocol.js';

const sentences: Record<ErrorCode, string> = {
  aborted: 'The call was aborted. The task, if it exists, goes on; cancel() ends it.',
  'bad-argument': 'A value in the call cannot be used: check its type, and that names are 1 to 1024 bytes long.',
  'bad-content-range': 'The server keeps answering range requests with another range than asked. Check its Content-Range.',
  'body-too-long': 'The server sent more bytes than it announced. Check its Content-Length and Content-Range.',
  'component-failed': 'The transfer component could not run in the service worker. Call again; see its console if this persists.',
  'http-status': 'The server refused the file with a status that trying again would not change.',
  'id-in-use': 'The id belongs to a task with another URL. Use another id, or ifExists: "replace".',
  'length-mismatch': 'The server keeps ending the file before its announced length.',
  network: 'The server could not be reached, again and again. Call resume() to try again from the kept bytes.',
  'no-service-worker': 'No service worker with longhaul was found. Register one that calls attach(), and pass its registration.',
  'not-finished': 'This needs a task that has ended: a file needs a completed one.',
  'protocol-mismatch': 'The page and the service worker run different versions of longhaul. Reload the page.',
  'quota-exceeded': 'The storage quota is used up. Release finished files, then resume() the task.',
  'session-not-open': 'No session with this identifier was opened. Call openSession() first.',
  storage: 'The browser\'s storage failed. Call again.',
  'task-exists': 'A task with this id exists already.',
  'task-not-found': 'No task has this id.',
  'unsupported-scheme': 'Only http: and https: URLs can be transferred.',
  'version-too-low': 'A newer version of this session\'s configuration is stored. Load the newer app.',
};

const retryHelps: ReadonlySet<ErrorCode> = new Set([
  'component-failed',
  'length-mismatch',
  'network',
  'protocol-mismatch',
  'quota-exceeded',
  'storage',
]);

/** Whether the task is not there, or no longer. */
export const isTaskNotFound = (error: unknown): boolean => error instanceof LonghaulError && error.code === 'task-not-found';

/** What every promise of longhaul rejects with. */
export class LonghaulError extends Error {
  override readonly name = 'LonghaulError';
  /** Stable; see `ErrorCode`. */
  readonly code: ErrorCode;
  /** The HTTP status, for `http-status`. */
  readonly status?: number;
  /** What the browser or the server said. */
  readonly detail?: string;
  /** Whether the same call, or `resume()`, may succeed later. */
  readonly retry: boolean;

  constructor(data: ErrorData) {
    super((sentences[data.code] ?? data.code) + (data.status ? ` (HTTP ${data.status})` : ''));
    this.code = data.code;
    if (data.status !== undefined) this.status = data.status;
    if (data.detail !== undefined) this.detail = data.detail;
    this.retry = retryHelps.has(data.code);
  }
}
