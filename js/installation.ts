// Where this worker stands: being installed, waiting, active, or replaced by a newer one.
import { ComponentFile } from './component-file.js';

/** For how long a worker that made way for the one that waits leaves it the time to become active. */
const MAKE_WAY_MS = 5_000;
/** The one that waits asks once more, should it have taken longer than that. */
const ASK_AGAIN_MS = 8_000;

export class Installation {
  /** The component's own file. */
  readonly file: ComponentFile;
  readonly #scope: ServiceWorkerGlobalScope;
  /** This worker as its registration shows it, from `install` on. */
  #self: ServiceWorker | undefined;
  #restsUntil = 0;

  constructor(scope: ServiceWorkerGlobalScope, wasm: string | URL) {
    this.#scope = scope;
    this.#self = scope.serviceWorker;
    this.file = new ComponentFile(wasm, scope.registration);
    scope.addEventListener('install', (event) => {
      this.#self ??= scope.registration.installing ?? undefined;
      this.#self?.addEventListener('statechange', () => this.#askTwice());
      event.waitUntil(this.file.keep());
    });
    scope.addEventListener('activate', (event) => event.waitUntil(this.file.tidy()));
    // Perhaps it is the page's word to skip waiting.
    scope.addEventListener('message', () => setTimeout(() => this.#askTwice()));
  }

  /**
   * Whether this worker may drive. Only its registration's active one opens the database: before, an older one may be at
   * work, and after, a newer one is. Firefox tells a worker its own state only if it has seen it being installed.
   */
  get mayDrive(): boolean {
    const state = this.#self?.state ?? 'activated';
    return (state === 'activating' || state === 'activated') && Date.now() >= this.#restsUntil;
  }

  /** Another worker has asked for the lease. */
  makeWay(): void {
    if (this.#scope.registration.waiting) this.#restsUntil = Date.now() + MAKE_WAY_MS;
  }

  /**
   * A worker that skips waiting becomes active only when the one before has no event left, and that holds one for as long
   * as it has work. So it is asked to let go, whenever it could be for that; if it was not, it soon goes on.
   */
  #askTwice(): void {
    this.#askToMakeWay();
    setTimeout(() => this.#askToMakeWay(), ASK_AGAIN_MS);
  }

  #askToMakeWay(): void {
    if (this.#self?.state !== 'installed') return;
    const channel = new BroadcastChannel(`longhaul:${this.#scope.registration.scope}`);
    channel.postMessage('yield');
    channel.close();
  }
}
