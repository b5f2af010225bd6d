// The URLs of files, as a page may use them: only where its requests go through the worker, and nobody else answers first.
import { LonghaulError } from './errors.js';
import { NO_CONTROLLER, SERVED } from './file-url.js';

export class PageFiles {
  readonly #registration: ServiceWorkerRegistration;
  /** Where they are, as the worker says; `undefined` if it answers none. */
  path: string | undefined;

  constructor(registration: ServiceWorkerRegistration) {
    this.#registration = registration;
  }

  /** Where they are. Throws `not-controlled` if this page's requests do not go there: so on a first visit, and after a hard reload. */
  get url(): string {
    if (this.path === undefined) throw new LonghaulError({ code: 'not-controlled', detail: 'files: false' });
    const { controller } = navigator.serviceWorker;
    const isOurs = controller !== null && controller === this.#registration.active;
    if (!isOurs) throw new LonghaulError({ code: 'not-controlled', detail: NO_CONTROLLER });
    return this.path;
  }

  /** Rejects with `not-controlled` if something else answers there. */
  async check(): Promise<void> {
    const answer = await fetch(this.url).catch(() => undefined);
    if (!answer?.headers.has(SERVED)) throw new LonghaulError({ code: 'not-controlled', detail: 'another-listener' });
  }

  /** A link's own download would not go through the worker in every browser; a frame's does. */
  save(url: string): void {
    document.body.append(Object.assign(document.createElement('iframe'), { hidden: true, src: url }));
  }
}
