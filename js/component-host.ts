// What one instance of the component calls; see `src/web/host.rs`. Each instance has its own: once its life is over, nothing
// that it still says counts, since another instance is at work by then. It is never thrown at, either: an exception that
// passes through wasm leaves that half changed.
import type { BackgroundFetches } from './background-fetch.js';
import type { BodyEnds } from './body-ends.js';
import type { Calls } from './calls.js';
import type { BlockedOrigins } from './csp.js';
import type { Life } from './life.js';
import type { AttachOptions } from './options.js';
import { OWN, type OwnCode } from './own-code.js';
import type { Pages } from './pages.js';
import type { AuthorizeMessage, Reply, Unversioned, WorkerMessage } from './protocol.js';
import { requestSync } from './sync.js';
import type { Wakes } from './wakes.js';

/** What an instance speaks to. */
export interface Surroundings {
  readonly scope: ServiceWorkerGlobalScope;
  readonly options: AttachOptions;
  readonly blocked: BlockedOrigins;
  readonly bodyEnds: BodyEnds;
  readonly calls: Calls;
  readonly fetches: BackgroundFetches;
  readonly own: OwnCode;
  readonly pages: Pages;
  readonly wakes: Wakes;
  /** The task at which the instance before this one crashed, told once. */
  takeCrashedAt(): string[];
  stopped(code: string, detail: string): void;
}

export class ComponentHost {
  readonly #life: Life;
  readonly #around: Surroundings;

  constructor(life: Life, around: Surroundings) {
    this.#life = life;
    this.#around = around;
  }

  get signal(): AbortSignal {
    return this.#life.signal;
  }

  get crashed(): string[] {
    return this.#around.takeCrashedAt();
  }

  get origin(): string {
    return this.#around.scope.location.origin;
  }

  get maxConnections(): number | undefined {
    const most = this.#around.options.maxConnections;
    return most !== undefined && most >= 1 ? Math.floor(most) : undefined;
  }

  get headroomBytes(): number {
    return Math.max(0, this.#around.options.headroomBytes ?? 0);
  }

  /** What the browser itself fetches. */
  get fetches(): BackgroundFetches {
    return this.#around.fetches;
  }

  lock(name: string, ifAvailable: boolean): Promise<boolean> {
    return this.#life.lock(name, ifAvailable);
  }

  /** Whether this worker's content security policy has forbidden a fetch from this URL's origin. */
  cspBlocks(url: string): boolean {
    return this.#around.blocked.has(url);
  }

  /** Whether this response's body, which has ended after so many bytes without an error, was cut. */
  isCut(response: Response, read: number): Promise<boolean> {
    return this.#around.bodyEnds.isCut(response, read);
  }

  started(boot: string, lock: string): void {
    this.#hear(({ own, pages }) => {
      own.started();
      pages.started(boot, lock);
    });
  }

  stopped(code: string, detail: string): void {
    this.#hear((around) => around.stopped(code, detail));
  }

  reply(call: number, ok: boolean, value: unknown): void {
    this.#hear(({ calls }) => calls.answer(call, (ok ? { ok, answer: value } : { ok, error: value }) as Reply));
  }

  /** The worker's own code is to wait in line for the session's lock. */
  stand(session: string): void {
    this.#hear(({ own }) => own.stand(session));
  }

  post(client: string, message: Unversioned<WorkerMessage>): void {
    this.#hear(({ own, pages }) => (client === OWN ? own.receive(message) : pages.post(client, message)));
  }

  /** Asks the page, or, without one, the worker's own code. */
  authorize(client: string | undefined, message: AuthorizeMessage): void {
    if (client === undefined) this.#hear(({ own }) => own.authorize(message));
    else this.post(client, message);
  }

  settle(wake: number, again: boolean): void {
    this.#hear(({ wakes }) => void wakes.settle(wake, again));
  }

  /** `next`: when pages are to wake the worker if there is no work now. */
  working(working: boolean, next: number | undefined): void {
    this.#hear(({ pages, scope }) => {
      pages.working(working, next);
      if (working) requestSync(scope.registration);
    });
  }

  #hear(act: (around: Surroundings) => void): void {
    if (this.signal.aborted) return;
    try {
      act(this.#around);
    } catch (error) {
      reportError(error);
    }
  }
}
