// What a service worker uses: registers its listeners at once, and does nothing before one of them is called.
import { WorkerHost } from './host.js';
import type { AttachOptions } from './options.js';
import type { Session, SessionConfiguration } from './session.js';

export type { Authorization, AuthorizationRequest, Authorize } from './authorization.js';
export type { DownloadOptions, TransferOptions } from './download.js';
export { LonghaulError } from './errors.js';
export type { Explanation } from './explain.js';
export type { DownloadAllOptions, Group, GroupMember } from './group.js';
export type { EventsHandler } from './hook.js';
export type { AttachOptions } from './options.js';
export type { Allowance, SessionLimits, TaskPolicies } from './policy.js';
export type { Session, SessionConfiguration, TaskFilter } from './session.js';
export type { SessionEventMap } from './session-events.js';
export type { Task, TaskUpdate } from './task.js';
export type {
  AnswerInfo,
  DurableState,
  ErrorCode,
  ErrorData,
  GroupCounts,
  IfExists,
  Priority,
  Resumability,
  TaskEvent,
  TaskProgress,
  TaskSnapshot,
  TaskState,
  WaitReason,
} from './types.js';

/** The events that may begin when no page is open. Each takes up what there is to do; `sync` says that the network is back. */
const WAKING = ['push', 'sync', 'periodicsync', 'notificationclick'];

/** longhaul in this worker. */
export interface Longhaul {
  /**
   * Opens the session with this identifier, or attaches to it, with all that a page's has, except that `onEvents` handles
   * its durable events. The same identifier gives the same object. What is begun while an event is handled goes on for as
   * long as the browser gives that event. Call it in such an event, not while the script is evaluated: an old worker may
   * still be at work then.
   */
  openSession(identifier: string, configuration?: SessionConfiguration): Promise<Session>;
}

/** Lets this service worker carry longhaul's sessions. Call it while the script is first evaluated. */
export function attach(scope: ServiceWorkerGlobalScope, options: AttachOptions): Longhaul {
  const host = new WorkerHost(scope, options);
  scope.addEventListener('message', (event) => host.receive(event));
  for (const type of WAKING) scope.addEventListener(type, (event) => host.wake(event as ExtendableEvent, type === 'sync'));
  return { openSession: (identifier, configuration) => host.own.open(identifier, configuration) };
}
