// The component's host: starts the wasm when it is first needed, hands in what happens to the worker, does what the
// component asks for, and owns every promise and port, so that none hangs should the component crash.
import init, { Component } from '../pkg/longhaul.js';
import { type BackgroundFetchEvent, BackgroundFetches } from './background-fetch.js';
import { Calls } from './calls.js';
import { BlockedOrigins } from './csp.js';
import { LonghaulError } from './errors.js';
import { Installation } from './installation.js';
import { Instances } from './instances.js';
import { holdsWork } from './marker.js';
import { isMetered, watchNetwork } from './network.js';
import { FILES } from './file-url.js';
import { given } from './given.js';
import type { AttachOptions } from './options.js';
import { OWN, OwnCode } from './own-code.js';
import { Pages, PROTOCOL } from './pages.js';
import type { AuthorizeMessage, Call, PageMessage, Reply, Unversioned, WorkerMessage } from './protocol.js';
import { Requests } from './requests.js';
import { FileServer } from './serve.js';
import { answerFromShelf } from './shelf.js';
import { requestSync } from './sync.js';
import type { Session, SessionConfiguration } from './session.js';
import type { ErrorCode } from './types.js';
import { browser, Wakes } from './wakes.js';

export class WorkerHost {
  /** What the browser itself fetches; for the component, too. */
  readonly fetches: BackgroundFetches;
  readonly #own: OwnCode;
  readonly #installation: Installation;
  readonly #scope: ServiceWorkerGlobalScope;
  readonly #database: string;
  readonly #options: AttachOptions;
  readonly #blocked: BlockedOrigins;
  readonly #pages: Pages;
  readonly #calls = new Calls();
  readonly #wakes = new Wakes();
  readonly #instances: Instances;
  readonly #requests: Requests;
  readonly #files: FileServer;
  #lastNumber = 0;

  constructor(scope: ServiceWorkerGlobalScope, options: AttachOptions) {
    this.#scope = scope;
    this.#database = `longhaul:${scope.registration.scope}`;
    this.#options = options;
    this.#installation = new Installation(scope, options.wasm);
    this.#blocked = new BlockedOrigins(scope);
    this.fetches = new BackgroundFetches(scope);
    this.#pages = new Pages(scope.clients, (page) => this.#use((component) => component.bye(page)));
    const { files = FILES } = options;
    this.#files = new FileServer(scope.registration.scope, files, browser() === 'firefox');
    this.#own = new OwnCode(scope, options, {
      files: this.#files.files,
      use: (action) => this.#use(action),
      ask: (call, reply) => {
        const asked = this.#ask(call, true, reply);
        this.#join();
        return asked;
      },
      forget: (asked) => {
        if (this.#calls.forget(asked)) this.#instances.useIfRunning((component) => component.forget(asked));
      },
      hold: (work) => this.#wakes.hold(work),
    });
    this.#requests = new Requests(this.#files, this.#own.line, options);
    this.#instances = new Instances(scope, () => this.#start(), (error) => this.#failed(error));
    watchNetwork(() => this.#instances.useIfRunning(tellNetwork));
  }

  /** Takes in a message, if it is one of ours. */
  receive(event: ExtendableMessageEvent): void {
    const message = event.data as PageMessage | undefined;
    if (typeof message?.longhaul !== 'number' || !(event.source instanceof Client)) return;
    // A page's first message is a call, so it hears of it; its further messages would not be understood.
    const port = event.ports[0];
    if (message.longhaul !== PROTOCOL) return port?.postMessage({ ok: false, error: { code: 'protocol-mismatch' } } satisfies Reply);
    // Not answered: it is sent again, to the worker that is active then.
    if (!this.#installation.mayDrive) return;
    this.#pages.heard(event.source);
    // First what the page wants, then why the worker runs: a wake without work is let go at once.
    this.#handle(message, event.source, port);
    this.wake(event, message.type === 'wake');
  }

  /** Opens a session for the worker's own code. */
  async open(identifier: string, configuration?: SessionConfiguration): Promise<Session> {
    if (!this.#installation.mayDrive) throw new LonghaulError({ code: 'not-active' });
    return this.#own.open(identifier, configuration);
  }

  /** Keeps the worker alive for as long as the component wants this event's time. `kick`: things may be better now. */
  wake(event: ExtendableEvent, kick: boolean): void {
    const wake = ++this.#lastNumber;
    const { endsAt, isRepeated } = this.#wakes.open(wake, event);
    this.#use((component) => component.wake(wake, endsAt, isRepeated, kick));
  }

  /** Lets the event wake the component if storage holds work, and the component does not run. */
  look(event: ExtendableEvent): void {
    if (this.#instances.isRunning) return;
    const found = holdsWork(this.#database, this.#own.handlesEvents);
    event.waitUntil(found.then((holds) => holds && this.wake(event, false)));
  }

  /** Answers a request for a file. One that has been told to make way would only stand in it. */
  serve(event: FetchEvent): void {
    if (this.#installation.mayDrive && this.#requests.answer(event)) this.wake(event, false);
  }

  respond(request: Request): Promise<Response | undefined> {
    return this.#requests.respond(request);
  }

  /** A Background Fetch has ended; what it has brought is there until nobody holds the event. */
  fetched(event: BackgroundFetchEvent): void {
    const ended = this.fetches.ended(event);
    if (ended) {
      const { registration: { id }, type } = event;
      this.#wakes.hold(ended);
      this.#use((component) => component.external(id, type === 'backgroundfetchabort'));
    }
    this.wake(event, false);
  }

  #handle(message: PageMessage, page: Client, port: MessagePort | undefined): void {
    switch (message.type) {
      case 'call':
        if (port) this.#ask(message.call, false, (answer) => port.postMessage(answer));
        break;
      case 'hello':
        this.#use((component) => component.hello(page.id, message.session, message.delegate, message.canAuthorize));
        this.#pages.greet(page);
        break;
      case 'bye':
        this.#use((component) => component.bye(page.id, message.session));
        break;
      case 'conditions': {
        const { visible, metered, charging, idle, canBegin } = message;
        this.#use((component) => component.conditions(page.id, visible, metered, charging, idle, canBegin));
        break;
      }
      case 'ack':
        this.#use((component) => component.ack(page.id, message.session, message.seq));
        break;
    }
  }

  #ask(call: Call, isOwn: boolean, reply: (reply: Reply) => void): number {
    const number = ++this.#lastNumber;
    this.#calls.add(number, call, isOwn, call.type === 'open' ? this.#withFiles(reply) : reply);
    this.#use((component) => component.call(number, call));
    return number;
  }

  /** Who opens a session is told where files are. */
  #withFiles(reply: (reply: Reply) => void): (reply: Reply) => void {
    const files = given({ files: this.#files.files });
    return (answered) => reply(answered.ok ? { ok: true, answer: { ...(answered.answer as object), ...files } } : answered);
  }

  /** What the worker's own code begins in one of its events goes on when that code has let go of the event. */
  #join(): void {
    const wake = ++this.#lastNumber;
    const joined = this.#wakes.join(wake);
    if (joined) this.#use((component) => component.wake(wake, joined.endsAt, joined.isRepeated, false));
  }

  #use(action: (component: Component) => void): void {
    this.#instances.use(action);
  }

  async #start(): Promise<Component> {
    await this.#installation.file.load((file) => init({ module_or_path: file }));
    const component = new Component(this, this.#scope.registration.scope);
    tellNetwork(component);
    component.hook(this.#own.canAuthorize, this.#own.handlesEvents);
    return component;
  }

  #failed(error: unknown): void {
    const failure = { code: 'component-failed', detail: String(error) } as const;
    const hasCrashed = error instanceof WebAssembly.RuntimeError;
    if (!hasCrashed) this.#calls.failAllBut((call) => answerFromShelf(this.#database, call), failure);
    this.#retire(failure.code, failure.detail);
    this.#own.crashed();
    if (!this.#instances.hasCrashedAtTask) return;
    // The next instance notes that before anything else, and goes on for as long as the event at hand lasts.
    this.#join();
    this.#use(() => {});
  }

  /**
   * The component is gone. Nothing that waited for it may hang, and its locks are free: pages that know of work see
   * that, and wake the next one.
   */
  #retire(code: ErrorCode, detail: string): void {
    this.#instances.retire();
    this.#own.ended();
    this.fetches.forget();
    this.#calls.failAll({ code, detail });
    this.#wakes.settleAll();
    this.#pages.stopped();
  }

  // What follows is called by the component; see `src/web/host.rs`.

  get crashed(): string[] {
    return this.#instances.takeCrashedAt();
  }

  get origin(): string {
    return this.#scope.location.origin;
  }

  get maxConnections(): number | undefined {
    const most = this.#options.maxConnections;
    return most !== undefined && most >= 1 ? Math.floor(most) : undefined;
  }

  get headroomBytes(): number {
    return Math.max(0, this.#options.headroomBytes ?? 0);
  }

  get signal(): AbortSignal {
    return this.#instances.life.signal;
  }

  lock(name: string, ifAvailable: boolean): Promise<boolean> {
    return this.#instances.life.lock(name, ifAvailable);
  }

  started(boot: string, lock: string): void {
    this.#own.started();
    this.#pages.started(boot, lock);
  }

  /** `fenced` and `yielded`: another worker drives now, and the pages turn to it when this one's lock is free. */
  stopped(code: string, detail: string): void {
    if (code === 'fenced' || code === 'yielded') this.#calls.leavePages();
    if (code === 'yielded') this.#installation.makeWay();
    this.#retire(code === 'storage' ? 'storage' : 'component-failed', detail);
  }

  reply(call: number, ok: boolean, value: unknown): void {
    this.#calls.answer(call, (ok ? { ok, answer: value } : { ok, error: value }) as Reply);
  }

  /** The worker's own code is to wait in line for the session's lock. */
  stand(session: string): void {
    this.#own.stand(session);
  }

  post(client: string, message: Unversioned<WorkerMessage>): void {
    if (client === OWN) this.#own.receive(message);
    else this.#pages.post(client, message);
  }

  /** Asks the page, or, without one, the worker's own code. */
  authorize(client: string | undefined, message: AuthorizeMessage): void {
    if (client === undefined) this.#own.authorize(message);
    else this.post(client, message);
  }

  /** Whether this worker's content security policy has forbidden a fetch from this URL's origin. */
  cspBlocks(url: string): boolean {
    return this.#blocked.has(url);
  }

  settle(wake: number, again: boolean): void {
    void this.#wakes.settle(wake, again);
  }

  working(working: boolean): void {
    this.#pages.working(working);
    if (working) requestSync(this.#scope.registration);
  }
}

/** What the worker itself sees of the network. */
function tellNetwork(component: Component): void {
  component.conditions(undefined, undefined, isMetered(), undefined, undefined, undefined);
}
