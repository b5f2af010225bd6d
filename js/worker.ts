// What a service worker uses: registers its listeners at once, and does nothing before one of them is called.
import { check } from './check.js';
import { badArgument } from './errors.js';
import { WorkerHost } from './host.js';
import type { BackgroundFetchEvent } from './background-fetch.js';
import { ATTACH, type AttachOptions } from './options.js';
import type { Session, SessionConfiguration } from './session.js';

export * from './api.js';
export type { Group } from './group.js';
export type { EventsHandler } from './hook.js';
export type { Notice, Notify } from './notices.js';
export type { AttachOptions } from './options.js';
export type { Session } from './session.js';
export type { Task } from './task.js';

/** The events that may begin when no page is open. Each takes up what there is to do; `sync` says that the network is back. */
const WAKING = ['push', 'sync', 'periodicsync', 'notificationclick', 'backgroundfetchclick'];

/** How a Background Fetch ends. */
const FETCHED = ['backgroundfetchsuccess', 'backgroundfetchfail', 'backgroundfetchabort'];

/** longhaul in this worker. */
export interface Longhaul {
  /**
   * Opens the session with this identifier, or attaches to it, with all that a page's has, except that `onEvents` handles
   * its durable events. The same identifier gives the same object; `detach()` ends it when everything that opened it has
   * called that. What is begun while an event is handled goes on for as long as the browser gives that event. Before the
   * `activate` event it rejects with `not-active`: an older worker may still be at work then.
   */
  openSession(identifier: string, configuration?: SessionConfiguration): Promise<Session>;
  /**
   * The answer to a request for the URL of a file, or for a URL of whose task `serveOriginalUrl` was said and whose file is
   * there; `undefined` for any other. For listeners and routes of the app's own, such as Workbox's. `session` as in
   * `serveOriginalUrls`.
   */
  respond(request: Request, session?: string): Promise<Response | undefined>;
}

/** Lets this service worker carry longhaul's sessions. Call it while the script is first evaluated. */
export function attach(scope: ServiceWorkerGlobalScope, options: AttachOptions): Longhaul {
  check(options, ATTACH);
  if (!options.wasm) throw badArgument('wasm', options.wasm, "the URL of the package's longhaul.wasm");
  const host = new WorkerHost(scope, options);
  scope.addEventListener('message', (event) => host.receive(event));
  for (const type of WAKING) scope.addEventListener(type, (event) => host.wake(event as ExtendableEvent, type === 'sync'));
  for (const type of FETCHED) scope.addEventListener(type, (event) => host.fetched(event as BackgroundFetchEvent));
  if (options.files !== false || options.serveOriginalUrls) scope.addEventListener('fetch', (event) => host.serve(event));
  // Once in each boot: the look costs later fetches nothing, and no answer is ever held up by it.
  if (options.wakeOnFetch ?? true) scope.addEventListener('fetch', (event) => host.look(event), { once: true });
  return { openSession: (identifier, configuration) => host.open(identifier, configuration), respond: (request, session) => host.respond(request, session) };
}
