// Why a task waits, in words that say what would end it.
import { given } from './given.js';
import type { LastError, TaskSnapshot, WaitReason } from './types.js';

export interface Explanation {
  reason: WaitReason;
  /** Epoch milliseconds. */
  since: number;
  /** When the wait ends at the latest, if that is known. */
  until?: number;
  /** What would end it, and what went wrong last. */
  sentence: string;
  /** What went wrong last, if that is known: see `TaskSnapshot`. */
  lastError?: LastError;
}

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

/** Why the task is not being fetched; `undefined` if it is, or if it is not active. */
export function explanation({ reason, waitingSince = 0, waitUntil: until, lastError }: TaskSnapshot): Explanation | undefined {
  const cause = lastError ? ` Last error: ${lastError.message}` : '';
  return reason && { reason, since: waitingSince, sentence: sentences[reason] + cause, ...given({ until, lastError }) };
}
