// What a page uses. Knows the messages and the browser, nothing of the component.
import type { Authorize } from './authorization.js';
import { check, type NamesOf } from './check.js';
import { connect } from './connection.js';
import type { EventHandler } from './delegate.js';
import { badArgument, isUpdateWaiting, LonghaulError } from './errors.js';
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
  /**
   * Handles durable events. A page without a handler watches, and is never the delegate. If a page opens the session several
   * times, all its handlers are called, and an event is acknowledged when all of them have resolved.
   */
  onEvent?: EventHandler;
  /**
   * Supplies headers or a new URL when a server wants to know who asks (401, 403), or when headers that are not stored
   * are missing after the worker was restarted. A task waits for it (`authorization`) with every page closed, too, once a page
   * has opened this version of the session with it; it is asked when such a page opens the session again, and ends the wait
   * as `task.update` does. In other sessions a 401 or 403 fails the task (`http-status`), unless the worker has an `authorize` of
   * its own, and `headers` that are not stored are refused (`authorization-not-durable`).
   */
  onAuthorize?: Authorize;
  /**
   * The active service worker has no longhaul, and this one, which may, waits to take its place: have it call `skipWaiting()`
   * when that suits the user. Then the session opens by itself. Without this, `openSession` rejects with `update-waiting`.
   */
  onWaiting?: (waiting: ServiceWorker) => void;
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

const OPTIONS: NamesOf<OpenSessionOptions> = {
  serviceWorker: 0,
  configuration: 0,
  onEvent: Function,
  onAuthorize: Function,
  onWaiting: Function,
  periodicSync: { minInterval: 0 },
  persist: 0,
  signal: 0,
};

/**
 * Opens the session with this identifier, the same at every launch, or attaches to it: its tasks are taken up again,
 * and its unacknowledged events are delivered.
 */
export async function openSession(identifier: string, options: OpenSessionOptions = {}): Promise<Session> {
  check(options, OPTIONS);
  const registration = await (options.serviceWorker ?? findRegistration());
  if (!registration?.scope) throw badArgument('serviceWorker', registration, 'a ServiceWorkerRegistration');
  await nextWorker(registration, null, options.signal);
  if (options.periodicSync) requestPeriodicSync(registration, options.periodicSync.minInterval);
  // Who is asked may take any time to answer.
  if (options.persist) navigator.storage?.persist?.().catch(() => {});
  const session = new Session(connect(registration), identifier, options);
  for (;;) {
    try {
      await session.open(options.configuration ?? {}, options.signal);
      return session;
    } catch (error) {
      const { active, waiting } = registration;
      if (!options.onWaiting || !waiting || !isUpdateWaiting(error)) throw error;
      options.onWaiting(waiting);
      await nextWorker(registration, active, options.signal);
    }
  }
}

async function findRegistration(): Promise<ServiceWorkerRegistration> {
  const { serviceWorker } = navigator;
  if (!serviceWorker) throw new LonghaulError({ code: 'no-service-worker', detail: 'they need https: or localhost' });
  const registration = await serviceWorker.getRegistration();
  if (registration) return registration;
  const [other] = await serviceWorker.getRegistrations();
  throw new LonghaulError(other ? { code: 'not-in-scope', detail: other.scope } : { code: 'no-service-worker' });
}

/**
 * Waits until another worker than `former` is active; on a first visit it is still being installed. If the one that comes
 * after a former one is replaced itself, the next may be there.
 */
async function nextWorker(registration: ServiceWorkerRegistration, former: ServiceWorker | null, signal?: AbortSignal): Promise<void> {
  if (registration.active !== former) return;
  const coming = registration.waiting ?? registration.installing;
  await new Promise<void>((resolve, reject) => {
    const look = () => {
      if (signal?.aborted) reject(new LonghaulError({ code: 'aborted' }));
      else if (registration.active !== former || (former && coming?.state === 'redundant')) resolve();
      else if (!coming || coming.state === 'redundant') reject(new LonghaulError({ code: 'no-service-worker' }));
    };
    coming?.addEventListener('statechange', look);
    signal?.addEventListener('abort', look);
    look();
  });
}
