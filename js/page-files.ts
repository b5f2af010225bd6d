// The URLs of files, as a page may use them: only where its requests go through the worker, and nobody else answers first.
import { LonghaulError } from './errors.js';
import { NO_CONTROLLER, SERVED, type Saving } from './file-url.js';

/** The browser has taken the download over by then. */
const LEFT_MS = 30_000;
/** So long the worker's word is waited for. */
const LATE_MS = 1_000;

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
    if (isOurs) return this.path;
    const { scope } = this.#registration;
    if (!location.href.startsWith(scope)) throw new LonghaulError({ code: 'not-in-scope', detail: scope });
    throw new LonghaulError({ code: 'not-controlled', detail: NO_CONTROLLER });
  }

  /** Rejects with `not-controlled` if something else answers there. */
  async check(): Promise<void> {
    const answer = await fetch(this.url).catch(() => undefined);
    if (!answer?.headers.has(SERVED)) throw new LonghaulError({ code: 'not-controlled', detail: 'another-listener' });
  }

  /**
   * Resolves once the worker answers the browser's own download. A link's would not go through the worker in every browser; a
   * frame's does.
   */
  async save(url: string): Promise<void> {
    const { scope } = this.#registration;
    // A removed one answers this page's requests on, but no frame.
    const found = await navigator.serviceWorker.getRegistration(scope);
    if (found?.scope !== scope) throw new LonghaulError({ code: 'no-service-worker' });
    const frame = Object.assign(document.createElement('iframe'), { hidden: true, src: url });
    const channel = new BroadcastChannel(url);
    const over = new AbortController();
    const { error } = await new Promise<Saving>((resolve) => {
      const refuse = () => resolve({ error: { code: 'save-failed' } });
      const look = ({ blockedURI }: SecurityPolicyViolationEvent) => blockedURI && url.startsWith(blockedURI) && refuse();
      channel.onmessage = ({ data }) => resolve(data);
      document.addEventListener('securitypolicyviolation', look, over);
      // What becomes a download does not load; what is refused does. The worker's word on it may come later.
      frame.onload = () => setTimeout(refuse, LATE_MS);
      if (document.body) document.body.append(frame);
      else refuse();
    });
    over.abort();
    channel.close();
    setTimeout(() => frame.remove(), error ? 0 : LEFT_MS);
    if (error) throw new LonghaulError(error);
  }
}
