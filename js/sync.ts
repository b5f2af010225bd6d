// Background Sync, where a browser has it (docs/platform.md): events of the worker that come with no page open. To be
// asked for while a page is, since a worker without one is refused.

/** The tag of longhaul's own events. */
export const TAG = 'longhaul';

interface Syncing {
  readonly sync?: { register(tag: string): Promise<void> };
  readonly periodicSync?: { register(tag: string, options: { minInterval: number }): Promise<void> };
}

const ignore = () => {};

/** Asks for one event, as soon as the network is there; another one, if the last is just being handled. */
export function requestSync(registration: ServiceWorkerRegistration): void {
  (registration as Syncing).sync?.register(TAG).catch(ignore);
}

/** Asks for events from time to time, which the browser grants to installed apps that are used. */
export function requestPeriodicSync(registration: ServiceWorkerRegistration, minInterval: number): void {
  (registration as Syncing).periodicSync?.register(TAG, { minInterval }).catch(ignore);
}
