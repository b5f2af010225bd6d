// What a page uses. Knows the messages and the browser, nothing of the component.
import type { Authorize } from './authorization.js';
import { connect } from './connection.js';
import type { EventHandler } from './delegate.js';
import { LonghaulError } from './errors.js';
import { PageSession as Session } from './page-session.js';
import type { SessionConfiguration } from './session.js';
import { requestPeriodicSync } from './sync.js';

export * from './api.js';
export { type Availability, type Capabilities, capabilities, type Continuation, type Reviver } from './capabilities.js';
export type { AppConditions } from './conditions.js';
export type { EventHandler } from './delegate.js';
export { Group } from './group.js';
export { PageSession as Session } from './page-session.js';
export { Task } from './task.js';

export interface OpenSessionOptions {
  /** The registration whose service worker attaches longhaul. Default: the one that controls this page's scope. */
  serviceWorker?: ServiceWorkerRegistration | Promise<ServiceWorkerRegistration>;
  configuration?: SessionConfiguration;
  /** Handles durable events. A page without a handler watches, and is never the delegate. */
  onEvent?: EventHandler;
  /**
   * Supplies headers or a new URL when a server wants to know who asks (401, 403), or when headers that are not stored
   * are missing after the worker was restarted. Without it such a task waits, until `task.update` gives them.
   */
  onAuthorize?: Authorize;
  /**
   * Asks for periodic Background Sync (Chromium, where the permission `periodic-background-sync` is granted): downloads
   * then go on from time to time with no page open, and the worker's own `periodicsync` listeners hear of it by the tag
   * `longhaul`. Never more often than every `minInterval` milliseconds, and as seldom as the browser sees fit.
   */
  periodicSync?: { minInterval: number };
  /**
   * Asks the browser to keep what the app has stored when storage gets scarce. Firefox asks the user; others decide by
   * themselves. `capabilities()` says what came of it.
   */
  persist?: boolean;
  /** Ends the call, never the session. */
  signal?: AbortSignal;
}

/**
 * Opens the session with this identifier, the same at every launch, or attaches to it: its tasks are taken up again,
 * and its unacknowledged events are delivered.
 */
export async function openSession(identifier: string, options: OpenSessionOptions = {}): Promise<Session> {
  const registration = await (options.serviceWorker ?? findRegistration());
  await activeWorker(registration, options.signal);
  if (options.periodicSync) requestPeriodicSync(registration, options.periodicSync.minInterval);
  // Who is asked may take any time to answer.
  if (options.persist) navigator.storage?.persist?.().catch(() => {});
  const session = new Session(connect(registration), identifier, options);
  await session.open(options.configuration ?? {}, options.signal);
  return session;
}

async function findRegistration(): Promise<ServiceWorkerRegistration> {
  const registration = await navigator.serviceWorker?.getRegistration();
  if (!registration) throw new LonghaulError({ code: 'no-service-worker' });
  return registration;
}

/** Waits until the registration has a worker that may be woken; on a first visit it is still being installed. */
async function activeWorker(registration: ServiceWorkerRegistration, signal?: AbortSignal): Promise<void> {
  if (registration.active) return;
  const coming = registration.installing ?? registration.waiting;
  await new Promise<void>((resolve, reject) => {
    const look = () => {
      if (signal?.aborted) reject(new LonghaulError({ code: 'aborted' }));
      else if (registration.active) resolve();
      else if (!coming || coming.state === 'redundant') reject(new LonghaulError({ code: 'no-service-worker' }));
    };
    coming?.addEventListener('statechange', look);
    signal?.addEventListener('abort', look);
    look();
  });
}
