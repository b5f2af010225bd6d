// Errors as apps meet them: the stable code, a sentence that says what to do, and whether trying again helps.
import { given } from './given.js';
import type { ErrorCode, ErrorData } from './types.js';

/** What the errors mean that TypeScript raises itself; those of the component bring their own sentence. */
export const ownSentences = {
  aborted: 'The call was aborted. Its task goes on; cancel() ends it.',
  'background-fetch-impossible': 'Background Fetch cannot carry this download. Use transport: "auto".',
  'component-failed': 'The component could not run. Call again; the worker\'s console may say why.',
  'destination-failed': 'The file could not be written to its destination. Call moveTo() or resume() again.',
  'file-damaged': 'Stored bytes cannot be read. They are fetched again: read the file after its next completed event.',
  'mixed-content': 'An https: page cannot load from http:.',
  'no-service-worker': 'No service worker was found. Pass the registration of one that calls attach().',
  'not-attached': 'The active service worker has no longhaul. Call attach() in its script.',
  'not-controlled': 'The service worker does not answer this page. Reload it, call attach() before other fetch listeners, or use blob().',
  'not-in-scope': 'The service worker\'s scope does not cover this page. Serve its script from a higher folder.',
  'protocol-mismatch': 'The page and the service worker run different versions of longhaul. Reload the page.',
  'save-failed': 'The browser did not save the file. It takes a page with a body, and its own origin in frame-src.',
  'session-detached': 'The session was detached. Call openSession() again.',
  'unsupported-scheme': 'Only http: and https: URLs can be transferred.',
  'update-waiting': 'A newer service worker, with longhaul, waits. Call skipWaiting() there, or close all pages.',
  'version-not-raised': 'Other limits are stored under this version, and stay. Raise the version.',
};

/** What TypeScript raises itself. */
export type OwnCode = keyof typeof ownSentences;

/** Those of them after which the same call may succeed. */
export const ownRetries: readonly OwnCode[] = ['component-failed', 'destination-failed', 'file-damaged', 'protocol-mismatch', 'save-failed', 'update-waiting'];

const has = (code: ErrorCode) => (error: unknown): boolean => error instanceof LonghaulError && error.code === code;

/** Whether the task is not there, or no longer. */
export const isTaskNotFound = has('task-not-found');

/** Whether the session is not there, or no longer. */
export const isSessionNotOpen = has('session-not-open');

/** Whether the file that was being read is another now. */
export const isFileChanged = has('file-changed');

/** Whether the worker that has longhaul is not active yet. */
export const isUpdateWaiting = has('update-waiting');

/** Whether stored bytes cannot be read. */
export const isFileDamaged = has('file-damaged');

/** So much of a value is shown. */
const SHOWN = 60;

/** A value in a few words, for a message. */
function shown(value: unknown): string {
  let text = String(value);
  try {
    if (typeof value !== 'number') text = JSON.stringify(value) ?? text;
  } catch {
    // It goes round in a circle.
  }
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

/** An argument that cannot be used, and why; `detail` names it. */
export const refusal = (field: string, why: string): LonghaulError =>
  new LonghaulError({ code: 'bad-argument', message: `${field}: ${why}`, retry: false, detail: field });

/** A value that cannot be used; `allowed` says what can. */
export const badArgument = (field: string, value: unknown, allowed?: string): LonghaulError =>
  refusal(field, `${shown(value)} cannot be used.${allowed ? ` It is ${allowed}.` : ''}`);

/** The sentence with the HTTP status, and what the browser or the server said. */
export function withCause(sentence: string, status?: number, detail?: string): string {
  const cause = [status && `HTTP ${status}`, detail].filter(Boolean).join(': ');
  return cause ? `${sentence} (${cause})` : sentence;
}

/** A failure that TypeScript raises itself, whose sentence is known here. */
interface OwnFailure extends Partial<ErrorData> {
  code: OwnCode;
}

/** What an error is made of. */
export type Failure = ErrorData | OwnFailure;

/** What every promise of longhaul rejects with. */
export class LonghaulError extends Error {
  override readonly name = 'LonghaulError';
  /** Stable; see `ErrorCode`. */
  declare readonly code: ErrorCode;
  /** The HTTP status, where one was the cause. */
  declare readonly status?: number;
  /** What the browser or the server said, or which value of the call is meant. */
  declare readonly detail?: string;
  /** Whether the same call, or `resume()`, may succeed later without anything being changed. */
  readonly retry: boolean;

  /** Of an error that is plain data, as events and snapshots have it. */
  constructor({ message, retry, ...data }: Failure) {
    const code = data.code as OwnCode;
    super(message ?? withCause(ownSentences[code], data.status, data.detail));
    Object.assign(this, data);
    this.retry = retry ?? ownRetries.includes(code);
  }
}

/** The error as plain data, if it is one of ours. */
export function dataOf(error: LonghaulError): ErrorData;
export function dataOf(error: unknown): ErrorData | undefined;
export function dataOf(error: unknown): ErrorData | undefined {
  if (!(error instanceof LonghaulError)) return undefined;
  const { code, message, retry, status, detail } = error;
  return { code, message, retry, ...given({ status, detail }) };
}
