// Why a task waits, in words that say what would end it, and what was found of its server. Only the worker has them: a page is
// told with the answer.
import { given } from './given.js';
import type { Explanation, TaskSnapshot, WaitReason } from './types.js';

const sentences: Record<WaitReason, string> = {
  authorization: 'The server wants other headers or another URL. Open a page with onAuthorize, or call update().',
  'background-fetch': 'The browser itself fetches it.',
  discretionary: 'It waits for charging, an unmetered network, setConditions({ idle: true }), or its deadline.',
  'earliest-begin': 'Its earliest begin has not come.',
  'host-busy': 'Its host has as many connections as it may have, or is in trouble.',
  metered: 'The network is metered. Use another one, or metered: "allow".',
  offline: 'The browser is offline.',
  quota: 'The storage quota is used up. Release files, or delete other data of the site.',
  retry: 'An attempt failed. The next one comes in time, by resume(), or when a page comes into sight.',
  'server-asked': 'The server said when to come back (Retry-After). Wait, or call resume().',
  'session-busy': 'Its session runs as many tasks as it may.',
  'session-damaged': 'What was stored of its session was damaged. Call openSession().',
  storage: 'Storage refused to write. Wait, or release files.',
  'unknown-network': 'The network tells nothing of itself. Use setConditions({ metered: false }), or unknownNetwork: "allow".',
  'worker-busy': 'The worker has as many connections as it may have.',
};

/** By `resumabilityReason`. */
const findings: Record<string, string> = {
  'strong-tag': 'The server sends a strong ETag: a cut download goes on.',
  'strong-date': 'The server sends a strong Last-Modified: a cut download goes on.',
  'weak-tag': 'The server sends a weak ETag: a cut download goes on if its date and length are the same.',
  'date-and-length': 'The server sends no ETag that can be read: a cut download goes on if its date and length are the same.',
  'ranges-ignored': 'The server answers no ranges: a cut download begins anew.',
  'no-validator': 'Neither ETag nor Last-Modified can be read: a cut download begins anew.',
  'weak-validator': 'ETag and Last-Modified are too weak: a cut download begins anew.',
  coded: 'The file comes in a content coding: a cut download begins anew.',
  'length-untold': 'The server tells no length: a cut download begins anew.',
  empty: 'The file is empty.',
};

/** Why the task is not being fetched; `undefined` if it is, or if it is not active. */
export function explanation({ reason, waitingSince = 0, waitUntil: until, lastError, resumabilityReason }: TaskSnapshot): Explanation | undefined {
  const cause = lastError ? ` Last error: ${lastError.message}` : '';
  const server = findings[resumabilityReason ?? ''];
  return reason && { reason, since: waitingSince, sentence: sentences[reason] + cause, ...given({ until, lastError, server }) };
}
