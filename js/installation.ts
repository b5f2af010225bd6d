// Where this worker stands: being installed, waiting, active, or replaced by a newer one.
import { ComponentFile } from './component-file.js';

export class Installation {
  /** The component's own file. */
  readonly file: ComponentFile;
  readonly #scope: ServiceWorkerGlobalScope;
  #isBeingInstalled = false;

  constructor(scope: ServiceWorkerGlobalScope, wasm: string | URL) {
    this.#scope = scope;
    this.file = new ComponentFile(wasm, scope.registration);
    scope.addEventListener('install', (event) => {
      this.#isBeingInstalled = true;
      event.waitUntil(this.file.keep());
    });
    scope.addEventListener('activate', (event) => {
      this.#isBeingInstalled = false;
      event.waitUntil(this.file.tidy());
    });
  }

  /**
   * Whether this is its registration's active worker. Before, an older one may be at work, and after, a newer one is: only
   * the active one opens the database. Firefox tells no worker its own state, so that there the events tell.
   */
  get isActive(): boolean {
    const { state } = this.#scope.serviceWorker ?? {};
    return state ? state === 'activating' || state === 'activated' : !this.#isBeingInstalled;
  }
}
