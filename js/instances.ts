// The component's instances, one after the other: one is started when it is first needed, and the next when that has
// crashed or another worker drives. What is bound to an instance ends with it.
import { atWork, beginInstance, type Component, retireInstance } from '../pkg/longhaul.js';
import { Life } from './life.js';

export class Instances {
  readonly #load: () => Promise<unknown>;
  readonly #create: (life: Life) => Component;
  readonly #failed: (error: unknown, hasCrashed: boolean) => void;
  #current: Promise<Component> | undefined;
  #life = new Life();
  #isLoaded = false;
  #crashedAt: string[] = [];

  /**
   * `load` gets the wasm ready, once; `create` makes an instance. `failed` is called when there can be none, or when one has
   * crashed.
   */
  constructor(scope: ServiceWorkerGlobalScope, load: () => Promise<unknown>, create: (life: Life) => Component, failed: (error: unknown, hasCrashed: boolean) => void) {
    this.#load = load;
    this.#create = create;
    this.#failed = failed;
    // A trap reaches no promise of ours: it is thrown out of a timer or a microtask.
    scope.addEventListener('error', ({ error }) => this.#crashedIf(error));
    scope.addEventListener('unhandledrejection', ({ reason }) => this.#crashedIf(reason));
  }

  get isRunning(): boolean {
    return this.#current !== undefined;
  }

  /** Whether the last instance crashed at a task that the next one has not been told of. */
  get hasCrashedAtTask(): boolean {
    return this.#crashedAt.length > 0;
  }

  /** That task's session and id, told once. */
  takeCrashedAt(): string[] {
    return this.#crashedAt.splice(0);
  }

  /** Does something with the component, which is started if need be; in the order of the calls. */
  use(action: (component: Component) => void): void {
    const current = (this.#current ??= this.#start());
    // For an instance that has been retired meanwhile, everything was answered then.
    const isCurrent = () => this.#current === current;
    current.then((component) => isCurrent() && action(component)).catch((error: unknown) => isCurrent() && this.#fail(error));
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

  async #start(): Promise<Component> {
    const life = this.#life;
    if (!this.#isLoaded) await this.#load();
    this.#isLoaded = true;
    life.signal.throwIfAborted();
    return this.#create(life);
  }

  #crashedIf(error: unknown): void {
    if (this.#current && this.#isLoaded && error instanceof WebAssembly.RuntimeError) this.#fail(error);
  }

  /**
   * Whatever comes out of a loaded component is a crash, not only a trap: an exception that has passed through wasm leaves its
   * state half changed. The module is replaced, so that no timer or callback of the old instance reaches anything any more.
   */
  #fail(error: unknown): void {
    const hasCrashed = this.#isLoaded;
    try {
      if (hasCrashed) {
        this.#crashedAt = taskAtWork();
        retireInstance();
        beginInstance();
      }
    } finally {
      this.#failed(error, hasCrashed);
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
