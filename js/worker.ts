// What a service worker uses: registers its listeners at once, starts the wasm when the first message asks for it,
// and owns every promise and port, so that none hangs should the component crash.
import init, { beginInstance, Component, retireInstance } from '../pkg/longhaul.js';
import { Authorizer, type Authorize } from './authorization.js';
import { BlockedOrigins } from './csp.js';
import { Life } from './life.js';
import { isMetered, watchNetwork } from './network.js';
import { Pings } from './pings.js';
import type { AuthorizeMessage, PageMessage, Reply, Unversioned, WorkerMessage } from './protocol.js';
import type { ErrorCode } from './types.js';

export type { Authorization, AuthorizationRequest, Authorize } from './authorization.js';

const PROTOCOL = 1;
/** Chromium cuts an event after 310 s; what is read shortly before should be durable by then. */
const EVENT_MS = 300_000;

export interface AttachOptions {
  /** Where the component is: the package's `longhaul.wasm`. */
  wasm: string | URL;
  /** Supplies headers or a new URL when a server wants to know who asks and no page that could is open. */
  authorize?: Authorize;
  /** How many connections there may be at the same time, over all sessions. Default 6. */
  maxConnections?: number;
}

/** Lets this service worker carry longhaul's sessions. Call it while the script is first evaluated. */
export function attach(scope: ServiceWorkerGlobalScope, options: AttachOptions): void {
  const host = new WorkerHost(scope, options);
  scope.addEventListener('message', (event) => host.receive(event));
}

class WorkerHost {
  readonly #scope: ServiceWorkerGlobalScope;
  readonly #options: AttachOptions;
  readonly #blocked: BlockedOrigins;
  readonly #hook: Authorizer | undefined;
  readonly #pages = new Map<string, Client>();
  readonly #calls = new Map<number, MessagePort>();
  readonly #wakes = new Map<number, () => void>();
  readonly #pings: Pings;
  #lastNumber = 0;
  #component: Promise<Component> | undefined;
  #boot: Unversioned<WorkerMessage> | undefined;
  #isWorking = false;
  #life = new Life();

  constructor(scope: ServiceWorkerGlobalScope, options: AttachOptions) {
    this.#scope = scope;
    this.#options = options;
    this.#blocked = new BlockedOrigins(scope);
    // The reply to a call that no port waits for is dropped.
    const tell = (call: unknown) => this.#use((component) => component.call(++this.#lastNumber, call));
    this.#hook = options.authorize && new Authorizer(options.authorize, tell);
    watchNetwork(() => this.#component && this.#use(tellNetwork));
    this.#pings = new Pings((page) => this.#postTo(page, { type: 'ping' }), () => this.#findPages());
    // A trap reaches nobody's promise: it is thrown out of a timer or a microtask.
    scope.addEventListener('error', ({ error }) => this.#crashedIf(error));
    scope.addEventListener('unhandledrejection', ({ reason }) => this.#crashedIf(reason));
  }

  /** Takes in a message, if it is one of ours. */
  receive(event: ExtendableMessageEvent): void {
    const message = event.data as PageMessage | undefined;
    if (typeof message?.longhaul !== 'number' || !(event.source instanceof Client)) return;
    const page = event.source;
    // A page's first message is a call, so it hears of it; its further messages would not be understood.
    if (message.longhaul !== PROTOCOL) return refuse(event.ports[0]);
    this.#pages.set(page.id, page);
    this.#pings.heard(page.id);
    // First what the page wants, then why the worker runs: a wake without work is let go at once.
    this.#handle(message, page, event.ports[0]);
    this.#wake(event, message.type === 'wake');
  }

  #handle(message: PageMessage, page: Client, port: MessagePort | undefined): void {
    switch (message.type) {
      case 'call': {
        if (!port) return;
        const call = ++this.#lastNumber;
        this.#calls.set(call, port);
        this.#use((component) => component.call(call, message.call));
        break;
      }
      case 'hello':
        this.#use((component) => component.hello(page.id, message.session, message.delegate, message.canAuthorize));
        if (this.#boot) this.#postTo(page, this.#boot);
        this.#postTo(page, { type: 'working', working: this.#isWorking });
        break;
      case 'bye':
        this.#use((component) => component.bye(page.id, message.session));
        break;
      case 'conditions': {
        const { visible, metered, charging, idle } = message;
        this.#use((component) => component.conditions(page.id, visible, metered, charging, idle));
        break;
      }
      case 'ack':
        this.#use((component) => component.ack(page.id, message.session, message.seq));
        break;
    }
  }

  /** Keeps the worker alive for as long as the component wants this event's time. */
  #wake(event: ExtendableEvent, kick: boolean): void {
    const wake = ++this.#lastNumber;
    const endsAt = Date.now() + EVENT_MS;
    event.waitUntil(new Promise<void>((resolve) => this.#wakes.set(wake, resolve)));
    this.#use((component) => component.wake(wake, endsAt, kick));
  }

  /** Does something with the component, which is started if need be; in the order of the calls. */
  #use(action: (component: Component) => void): void {
    const component = (this.#component ??= this.#start());
    component.then(action).catch((error: unknown) => {
      // An instance that was replaced meanwhile has been answered for already.
      if (this.#component === component) this.#fail(error);
    });
  }

  async #start(): Promise<Component> {
    await init({ module_or_path: this.#options.wasm });
    const component = new Component(this, this.#scope.registration.scope);
    tellNetwork(component);
    if (this.#hook) component.hookCanAuthorize();
    return component;
  }

  #crashedIf(error: unknown): void {
    if (this.#component && error instanceof WebAssembly.RuntimeError) this.#fail(error);
  }

  #fail(error: unknown): void {
    try {
      if (error instanceof WebAssembly.RuntimeError) {
        retireInstance();
        beginInstance();
      }
    } finally {
      this.#retire('component-failed', String(error));
    }
  }

  /**
   * The component is gone. Nothing that waited for it may hang, and its locks are free: pages that know of work see
   * that, and wake the next one.
   */
  #retire(code: ErrorCode, detail: string): void {
    this.#component = undefined;
    this.#boot = undefined;
    this.#life.end();
    this.#life = new Life();
    for (const port of this.#calls.values()) reply(port, { ok: false, error: { code, detail } });
    this.#calls.clear();
    for (const settle of this.#wakes.values()) settle();
    this.#wakes.clear();
    this.#isWorking = false;
    this.#pings.stop();
  }

  #postTo(page: Client, message: Unversioned<WorkerMessage>): void {
    page.postMessage({ longhaul: PROTOCOL, ...message });
  }

  async #findPages(): Promise<Client[]> {
    const open = await this.#scope.clients.matchAll({ includeUncontrolled: true, type: 'window' });
    const ids = new Set(open.map((page) => page.id));
    for (const id of [...this.#pages.keys()].filter((id) => !ids.has(id))) {
      this.#pages.delete(id);
      this.#use((component) => component.bye(id));
    }
    return [...this.#pages.values()];
  }

  // What follows is called by the component; see `src/web/host.rs`.

  get origin(): string {
    return this.#scope.location.origin;
  }

  get maxConnections(): number | undefined {
    const most = this.#options.maxConnections;
    return most !== undefined && most >= 1 ? Math.floor(most) : undefined;
  }

  get signal(): AbortSignal {
    return this.#life.signal;
  }

  lock(name: string, ifAvailable: boolean): Promise<boolean> {
    return this.#life.lock(name, ifAvailable);
  }

  started(boot: string, lock: string): void {
    this.#boot = { type: 'boot', boot, lock };
    void this.#scope.clients.matchAll({ includeUncontrolled: true, type: 'window' }).then((pages) => {
      for (const page of pages) if (this.#boot) this.#postTo(page, this.#boot);
    });
  }

  /** `fenced` and `yielded`: another worker drives now, and the pages turn to it when this one's lock is free. */
  stopped(code: string, detail: string): void {
    if (code === 'fenced' || code === 'yielded') this.#calls.clear();
    this.#retire(code === 'storage' ? 'storage' : 'component-failed', detail);
  }

  reply(call: number, ok: boolean, value: unknown): void {
    const port = this.#calls.get(call);
    this.#calls.delete(call);
    if (port) reply(port, (ok ? { ok, answer: value } : { ok, error: value }) as Reply);
  }

  post(client: string, message: Unversioned<WorkerMessage>): void {
    const page = this.#pages.get(client);
    if (page) this.#postTo(page, message);
  }

  /** Asks the page, or, without one, the worker's own code. */
  authorize(client: string | undefined, message: AuthorizeMessage): void {
    if (client !== undefined) this.post(client, message);
    else void this.#hook?.ask(message);
  }

  /** Whether this worker's content security policy has forbidden a fetch from this URL's origin. */
  cspBlocks(url: string): boolean {
    return this.#blocked.has(url);
  }

  settle(wake: number): void {
    this.#wakes.get(wake)?.();
    this.#wakes.delete(wake);
  }

  working(working: boolean): void {
    if (this.#isWorking === working) return;
    this.#isWorking = working;
    for (const page of this.#pages.values()) this.#postTo(page, { type: 'working', working });
    if (working) this.#pings.start();
    else this.#pings.stop();
  }
}

/** What the worker itself sees of the network. */
function tellNetwork(component: Component): void {
  component.conditions(undefined, undefined, isMetered(), undefined, undefined);
}

function refuse(port: MessagePort | undefined): void {
  if (port) reply(port, { ok: false, error: { code: 'protocol-mismatch' } });
}

function reply(port: MessagePort, message: Reply): void {
  port.postMessage(message);
}
