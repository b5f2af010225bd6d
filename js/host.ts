// The component's host: starts the wasm when it is first needed, hands in what happens to the worker, does what the
// component asks for, and owns every promise and port, so that none hangs should the component crash.
// First, so that its sentences stand near those of the errors: gzip finds only in the last 32 kB what they share.
import { explanation } from './explain.js';
import init, { Component } from '../pkg/longhaul.js';
import { type BackgroundFetchEvent, BackgroundFetches } from './background-fetch.js';
import { BodyEnds } from './body-ends.js';
import { Calls } from './calls.js';
import { ComponentHost } from './component-host.js';
import { BlockedOrigins } from './csp.js';
import { errorData } from './error-data.js';
import { dataOf, LonghaulError } from './errors.js';
import { unreadable, withValue } from './refusals.js';
import { Installation } from './installation.js';
import { Instances } from './instances.js';
import { holdsWork } from './marker.js';
import { isMetered, watchNetwork } from './network.js';
import { FILES } from './file-url.js';
import { given } from './given.js';
import type { Life } from './life.js';
import type { AttachOptions } from './options.js';
import { OwnCode } from './own-code.js';
import { Pages } from './pages.js';
import type { Answers, Call, PageMessage, Reply, Taken } from './protocol.js';
import { Requests } from './requests.js';
import { FileServer } from './serve.js';
import { answerFromShelf } from './shelf.js';
import type { Session, SessionConfiguration } from './session.js';
import type { ErrorCode, ErrorData } from './types.js';
import { browser, Wakes } from './wakes.js';
import { fits, PROTOCOL, toWorker } from './wire.js';

export class WorkerHost {
  /** What the browser itself fetches. */
  readonly #fetches: BackgroundFetches;
  readonly #own: OwnCode;
  readonly #installation: Installation;
  readonly #scope: ServiceWorkerGlobalScope;
  readonly #database: string;
  readonly #options: AttachOptions;
  readonly #blocked: BlockedOrigins;
  readonly #bodyEnds = new BodyEnds();
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
    this.#fetches = new BackgroundFetches(scope);
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
    this.#instances = new Instances(
      scope,
      () => this.#installation.file.load((file) => init({ module_or_path: file })),
      (life) => this.#create(life),
      (error, hasCrashed) => this.#failed(error, hasCrashed),
    );
    watchNetwork(() => this.#instances.useIfRunning(tellNetwork));
  }

  /** Takes in a message, if it is one of ours. */
  receive(event: ExtendableMessageEvent): void {
    const { data, source, ports: [port] } = event;
    if (typeof data?.longhaul !== 'number' || !(source instanceof Client)) return;
    const refuse = (code: ErrorCode) => port?.postMessage({ ok: false, error: errorData(code) } satisfies Reply);
    // A page's first message is a call, so it hears of it; its further messages would not be understood.
    if (data.longhaul !== PROTOCOL) return refuse('protocol-mismatch');
    if (!fits(data, toWorker)) return refuse('bad-argument');
    port?.postMessage('taken' satisfies Taken);
    // Not answered: it is sent again, to the worker that is active then.
    if (!this.#installation.mayDrive) return;
    const message = data as PageMessage;
    this.#pages.heard(source);
    // First what the page wants, then why the worker runs: a wake without work is let go at once.
    this.#handle(message, source, port);
    this.wake(event, message.type === 'wake');
  }

  /** Opens a session for the worker's own code. */
  async open(identifier: string, configuration?: SessionConfiguration): Promise<Session> {
    if (!this.#installation.mayDrive) throw new LonghaulError(errorData('not-active'));
    return this.#own.open(identifier, configuration);
  }

  /** Keeps the worker alive for as long as the component wants this event's time. `kick`: things may be better now. */
  wake(event: ExtendableEvent, kick: boolean): void {
    const wake = ++this.#lastNumber;
    const { endsAt, isRepeated } = this.#wakes.open(wake, event);
    this.#pages.look();
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

  respond(request: Request, session?: string): Promise<Response | undefined> {
    return this.#requests.respond(request, session);
  }

  /** A Background Fetch has ended; what it has brought is there until nobody holds the event. */
  fetched(event: BackgroundFetchEvent): void {
    const ended = this.#fetches.ended(event);
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
    const error = unreadable(call);
    if (error) {
      queueMicrotask(() => reply({ ok: false, error }));
      return number;
    }
    const tell = (answered: Reply) => reply(answered.ok ? answered : { ok: false, error: withValue(answered.error, call) });
    const more = (answer: unknown) => this.#more(call, answer);
    this.#calls.add(number, call, isOwn, (answered) => tell(answered.ok ? { ok: true, answer: { ...(answered.answer as object), ...more(answered.answer) } } : answered));
    this.#use((component) => component.call(number, call));
    return number;
  }

  /** What the component does not know of an answer: where files are, and the words for why a task waits. */
  #more(call: Call, answer: unknown): object {
    if (call.type === 'open') return given({ files: this.#files.files });
    return call.type === 'task' ? given({ explanation: explanation((answer as Answers['task']).task) }) : {};
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

  #create(life: Life): Component {
    const host = new ComponentHost(life, {
      scope: this.#scope,
      options: this.#options,
      blocked: this.#blocked,
      bodyEnds: this.#bodyEnds,
      calls: this.#calls,
      fetches: this.#fetches,
      own: this.#own,
      pages: this.#pages,
      wakes: this.#wakes,
      takeCrashedAt: () => this.#instances.takeCrashedAt(),
      stopped: (code, detail) => this.#stopped(code, detail),
    });
    const component = new Component(host, this.#scope.registration.scope);
    tellNetwork(component);
    component.hook(this.#own.canAuthorize, this.#own.handlesEvents);
    return component;
  }

  #failed(error: unknown, hasCrashed: boolean): void {
    const failure = dataOf(error) ?? errorData('component-failed', undefined, String(error));
    if (!hasCrashed) this.#calls.failAllBut((call) => answerFromShelf(this.#database, call), failure);
    this.#retire(failure);
    this.#own.crashed();
    if (!this.#instances.hasCrashedAtTask) return;
    // The next instance notes that before anything else, and goes on for as long as the event at hand lasts.
    this.#join();
    this.#use(() => {});
  }

  /** `fenced` and `yielded`: another worker drives now, and the pages turn to it when this one's lock is free. */
  #stopped(code: string, detail: string): void {
    if (code === 'fenced' || code === 'yielded') this.#calls.leavePages();
    if (code === 'yielded') this.#installation.makeWay();
    this.#retire(errorData(code === 'storage' ? 'storage' : 'component-failed', undefined, detail));
  }

  /**
   * The component is gone. Nothing that waited for it may hang, and its locks are free: pages that know of work see
   * that, and wake the next one.
   */
  #retire(failure: ErrorData): void {
    this.#instances.retire();
    this.#own.ended();
    this.#fetches.forget();
    this.#calls.failAll(failure);
    this.#wakes.settleAll();
    this.#pages.stopped();
  }
}

/** What the worker itself sees of the network. */
function tellNetwork(component: Component): void {
  component.conditions(undefined, undefined, isMetered(), undefined, undefined, undefined);
}
