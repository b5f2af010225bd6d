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
  authorization: 'Its server wants to know who asks: onAuthorize or update() has to supply headers or a URL.',
  'background-fetch': 'The browser itself is fetching it, and wakes the worker when it is done.',
  discretionary: 'It waits for a good moment: charging, an unmetered network, setConditions({ idle: true }), or its deadline.',
  'earliest-begin': 'Its earliest begin has not come.',
  'host-busy': 'Its host has as many connections as it may have: another task has to end.',
  metered: 'The network is metered: it waits for another one, or metered: "allow".',
  offline: 'The browser is offline: it waits for a connection.',
  quota: 'There is no room for it: it goes on when files are released, or other data of the site is deleted.',
  retry: 'An attempt failed: the next one comes in time, by resume(), or when a page comes into sight.',
  'server-asked': 'The server said when to come back (Retry-After): it waits until then, or for resume().',
  'session-busy': 'Its session runs as many tasks as it may: another one has to end.',
  storage: 'Storage refused to write: it tries again in time; releasing files makes room.',
  'unknown-network': 'The network tells nothing of itself: it waits for setConditions({ metered: false }), or unknownNetwork: "allow".',
  'worker-busy': 'The worker has as many connections as it may have: another task has to end.',
};

/** Why the task is not being fetched; `undefined` if it is, or if it is not active. */
export function explanation({ reason, waitingSince = 0, waitUntil: until }: TaskSnapshot): Explanation | undefined {
  return reason && { reason, since: waitingSince, sentence: sentences[reason], ...given({ until }) };
}
