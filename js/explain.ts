// Why a task waits, in words that say what would end it.
import { given } from './given.js';
import type { TaskSnapshot, WaitReason } from './types.js';

export interface Explanation {
  reason: WaitReason;
  /** Epoch milliseconds. */
  since: number;
  /** When the wait ends at the latest, if that is known. */
  until?: number;
  /** What would end it. */
  sentence: string;
}

const sentences: Record<WaitReason, string> = {
  authorization: 'Its server wants to know who asks: onAuthorize, or update({ headers, url }), has to answer.',
  discretionary: 'It may wait for a good moment: charging, an unmetered network, setConditions({ idle: true }), or its deadline.',
  'earliest-begin': 'Its earliest begin has not come.',
  'host-busy': 'Its host has as many connections as the session allows: another task has to end, or every page to be hidden.',
  metered: 'The network is metered, and the task or its session waits for another: an unmetered network, or metered: "allow".',
  offline: 'The browser is offline: it goes on when a connection is back.',
  retry: 'An attempt failed: the next one is made in time, or at once by resume() or when a page comes into sight.',
  'server-asked': 'The server said when to come back (Retry-After): it goes on then, or by resume().',
  'session-busy': 'Its session runs as many tasks as it may: another one has to end, or maxConcurrentTasks to be raised.',
  storage: 'Storage refused to write: it tries again in time; releasing finished files makes room.',
  'unknown-network': 'The network tells nothing of itself: it goes on by setConditions({ metered: false }) or unknownNetwork: "allow".',
  'worker-busy': 'The service worker has as many connections as it may have: another task has to end.',
};

/** Why the task is not being fetched; `undefined` if it is, or if it is not active. */
export function explanation({ reason, waitingSince = 0, waitUntil: until }: TaskSnapshot): Explanation | undefined {
  return reason && { reason, since: waitingSince, sentence: sentences[reason], ...given({ until }) };
}
