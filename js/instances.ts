// The component's instances, one after the other: one is started when it is first needed, and the next when that has
// crashed or another worker drives. What is bound to an instance ends with it.
import { atWork, beginInstance, type Component, retireInstance } from '../pkg/longhaul.js';
import { Life } from './life.js';

export class Instances {
  readonly #start: () => Promise<Component>;
  readonly #failed: (error: unknown) => void;
  #current: Promise<Component> | undefined;
  #life = new Life();
  #crashedAt: string[] = [];

  /** `start` brings forth an instance; `failed` is called when one could not be started, or has crashed. */
  constructor(scope: ServiceWorkerGlobalScope, start: () => Promise<Component>, failed: (error: unknown) => void) {
    this.#start = start;
    this.#failed = failed;
    // A trap reaches nobody's promise: it is thrown out of a timer or a microtask.
    scope.addEventListener('error', ({ error }) => this.#crashedIf(error));
    scope.addEventListener('unhandledrejection', ({ reason }) => this.#crashedIf(reason));
  }

  get isRunning(): boolean {
    return this.#current !== undefined;
  }

  /** What lives no longer than the instance. */
  get life(): Life {
    return this.#life;
  }

  /** Whether the last instance crashed at a task, of which nobody has heard yet. */
  get hasCrashedAtTask(): boolean {
    return this.#crashedAt.length > 0;
  }

  /** That task's session and id, told once. */
  takeCrashedAt(): string[] {
    return this.#crashedAt.splice(0);
  }

  /** Does something with the component, which is started if need be; in the order of the calls. */
  use(action: (component: Component) => void): void {
    const component = (this.#current ??= this.#start());
    component.then(action).catch((error: unknown) => {
      // An instance that was replaced meanwhile has been answered for already.
      if (this.#current === component) this.#fail(error);
    });
  }

  /** The same, but starts none. */
  useIfRunning(action: (component: Component) => void): void {
    if (this.#current) this.use(action);
  }

  /** The instance is gone; what is asked next starts another. */
  retire(): void {
    this.#current = undefined;
    this.#life.end();
    this.#life = new Life();
  }

  #crashedIf(error: unknown): void {
    if (this.#current && error instanceof WebAssembly.RuntimeError) this.#fail(error);
  }

  #fail(error: unknown): void {
    try {
      if (error instanceof WebAssembly.RuntimeError) {
        this.#crashedAt = taskAtWork();
        retireInstance();
        beginInstance();
      }
    } finally {
      this.#failed(error);
    }
  }
}

/** What the crashed instance was at, unless it has lost even that. */
function taskAtWork(): string[] {
  try {
    return atWork();
  } catch {
    return [];
  }
}
