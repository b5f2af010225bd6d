// The component's own file: kept in a cache from `install` on, so that a worker starts without a network, and after a
// deploy that took the file of its build away. Why it cannot be had, or started, is told in words: a wrong path is a
// newcomer's first mistake.
import { LonghaulError } from './errors.js';

/** The SHA-256 of the wasm that belongs to this script, as Subresource Integrity writes it. The build puts it here. */
declare const WASM_INTEGRITY: string;

/** A server that has not sent the file by then does not hold up the worker's installation any longer. */
const FETCH_MS = 60_000;

export class ComponentFile {
  readonly #url: string | URL;
  readonly #registration: ServiceWorkerRegistration;

  constructor(url: string | URL, registration: ServiceWorkerRegistration) {
    this.#url = url;
    this.#registration = registration;
  }

  /** Sees to it that it is kept. That it could not be must not keep the app's worker from being installed. */
  async keep(): Promise<void> {
    try {
      if (!(await this.#kept())) await this.#fetch();
    } catch (error) {
      // It is fetched when it is needed.
      console.warn(String(error));
    }
  }

  /** Starts from what is kept, or else from the network. */
  async load(start: (file: Response) => Promise<unknown>): Promise<void> {
    const kept = await this.#kept().catch(() => undefined);
    try {
      if (kept) return void (await start(kept));
    } catch {
      // What is kept is damaged.
    }
    const file = await this.#fetch();
    try {
      await start(file);
    } catch (error) {
      if (!/unsafe-eval|CSP/.test(String(error))) throw error;
      throw failure("The worker's content security policy forbids WebAssembly. Add 'wasm-unsafe-eval' to script-src.", false);
    }
  }

  /** Deletes the files of other builds. To be called at `activate`, when the worker before this one has ended. */
  async tidy(): Promise<void> {
    const all = await caches.keys();
    // One that is about to follow has its own there already, and tidies up in its turn.
    if (this.#registration.installing || this.#registration.waiting) return;
    const others = all.filter((name) => name.startsWith(this.#prefix) && name !== this.#name);
    await Promise.all(others.map((name) => caches.delete(name)));
  }

  get #prefix(): string {
    return `longhaul:${this.#registration.scope}:component:`;
  }

  get #name(): string {
    return this.#prefix + WASM_INTEGRITY;
  }

  async #kept(): Promise<Response | undefined> {
    const cache = await caches.open(this.#name);
    return cache.match(this.#url);
  }

  /** Only the file of this very build passes, whatever has been deployed, or lies in the HTTP cache, under its URL. */
  async #fetch(): Promise<Response> {
    const init = { integrity: WASM_INTEGRITY, signal: AbortSignal.timeout(FETCH_MS) };
    const response = await fetch(this.#url, init).catch(() => fetch(this.#url, { ...init, cache: 'reload' })).catch(() => this.#explain());
    const bytes = await response.arrayBuffer();
    // With this type the browser compiles it as it comes, whatever the server has called it.
    const copy = () => new Response(bytes, { headers: { 'Content-Type': 'application/wasm' } });
    try {
      const cache = await caches.open(this.#name);
      await cache.put(this.#url, copy());
    } catch {
      // Storage is full, or refused: this start is as good as any.
    }
    return copy();
  }

  /** Says why there is none: to fetch, another file than that of this build looks like a broken network. */
  async #explain(): Promise<never> {
    const { href } = new URL(this.#url, location.href);
    const found = await fetch(href, { cache: 'no-store', signal: AbortSignal.timeout(FETCH_MS) }).catch(() => undefined);
    if (!found) throw failure(`${href} could not be fetched. Check the network, and connect-src of the worker.`, true);
    const { status, headers } = found;
    const what = `${href} (HTTP ${status}, ${headers.get('content-type')})`;
    throw failure(`${what} is not this version's longhaul.wasm. Copy it there from the package, or change wasm in attach().`, status >= 500);
  }
}

const failure = (message: string, retry: boolean) => new LonghaulError({ code: 'component-failed', message, retry });
