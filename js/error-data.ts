// What each error's code means, and what to do. Only the worker has all of it: a page is told with the error.
import { ownRetries, ownSentences, type OwnCode, withCause } from './errors.js';
import { given } from './given.js';
import type { ErrorCode, ErrorData } from './types.js';

const componentSentences: Record<Exclude<ErrorCode, OwnCode>, string> = {
  'authorization-not-durable': 'These headers are not stored, and nothing could supply them again. Use onAuthorize of openSession(), authorize of attach(), or persistHeaders.',
  'background-fetch-refused': 'The browser began no Background Fetch. Call resume() after a click, or reload the page.',
  'bad-argument': 'A value cannot be used.',
  'bad-content-range': 'The server answers with another range than asked. Check its Content-Range.',
  'body-too-long': 'The server sent more bytes than it announced. Check its Content-Length and Content-Range.',
  'cors-blocked': 'The server does not let this origin read the file. Have it send Access-Control-Allow-Origin.',
  crashed: 'The component crashed again and again at this task. Call resume() with a newer longhaul.',
  'csp-blocked': 'The service worker\'s content security policy forbids the URL. Add it to connect-src.',
  'digest-mismatch': 'The file is not what its digest says. Check both.',
  'file-changed': 'Another version of the file has taken its place. Read it again.',
  'file-released': 'The file was moved, taken or released. Call download() with ifExists: "replace".',
  'http-status': 'The server did not send the file. Check its log.',
  'id-in-use': 'The id belongs to a task with another URL. Use another id, or ifExists: "replace".',
  'length-mismatch': 'The server ended the file before its announced length.',
  network: 'The server could not be reached. Check the URL, then call resume().',
  'newer-store': 'A newer longhaul has written the database. Deploy it again: until then, finished files can be read.',
  'not-active': 'The service worker is not active. Open sessions from its activate event on.',
  'not-finished': 'The task has not ended, or has no file.',
  'outbox-full': 'The last 10,000 events were not handled. Pass onEvent to openSession(), or onEvents to attach().',
  'quota-exceeded': 'The storage quota is used up. Release files, then call resume().',
  'record-damaged': 'What was stored of the task was damaged. Call resume(), or download it again.',
  'redirect-refused': 'The server redirects, which redirect forbids, or would take the headers along to another origin.',
  'resume-data-invalid': 'The resume data is damaged, or of a newer version. Call download() instead.',
  'resume-data-stale': 'The bytes of the resume data are gone. Call download() instead.',
  'session-not-open': 'The session was not opened. Call openSession() first.',
  storage: 'The browser\'s storage failed. Call again.',
  'task-exists': 'A task with this id exists. Use task(id), or another ifExists.',
  'task-not-found': 'No task has this id, or it was released.',
  'timed-out': 'The transfer took longer than its resourceTimeout. Raise that by update(), then resume().',
  'too-many-restarts': 'The file was another again and again. Check the ETag of its server.',
  'too-many-sessions': 'There are 1,000 sessions. Use fewer, with groups and tags.',
  unauthorized: 'The server refuses the headers or the URL. Give others by update(), then resume().',
  'unexpected-content': 'Something else came in place of the file. Sign in again, or give another URL by update(), then resume(). Check accept and exactBytes.',
  'version-too-low': 'A newer version of the configuration is stored. Load the newer app.',
};

const UNAUTHORIZED = 'The server refuses the headers or the URL. Use onAuthorize of openSession(), or authorize of attach().';

/** By code, and for some by code and status. */
const sentences: Record<string, string> = {
  ...ownSentences,
  ...componentSentences,
  'http-status 401': UNAUTHORIZED,
  'http-status 403': UNAUTHORIZED,
  'http-status 404': 'The server has no such file. Check the URL.',
};

const retries: readonly ErrorCode[] = [
  ...ownRetries,
  'background-fetch-refused',
  'file-changed',
  'length-mismatch',
  'network',
  'quota-exceeded',
  'storage',
  'too-many-restarts',
];

/** An error as plain data. The component calls this for each that it tells of (`src/web/messages.rs`), by this name. */
export function errorData(code: ErrorCode, status?: number, detail?: string): ErrorData {
  const sentence = sentences[`${code} ${status}`] ?? sentences[code]!;
  return { code, message: withCause(sentence, status, detail), retry: retries.includes(code) || (status ?? 0) >= 500, ...given({ status, detail }) };
}
