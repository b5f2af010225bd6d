// A page's line to the service worker: posts messages, takes in what it says, and notices when it has died. What was not
// answered then is asked again of the next one.
import { begin, canBegin, watchGestures } from './begin.js';
import { type AppConditions, Conditions } from './conditions.js';
import { watchSleep } from './sleep.js';
import { given } from './given.js';
import { Handover } from './handover.js';
import type { Incoming, Line, Listener } from './line.js';
import { watchNetwork } from './network.js';
import { PageFiles } from './page-files.js';
import type { Answers, BeginMessage, Call } from './protocol.js';
import { requestSync } from './sync.js';
import { type Outgoing, Unanswered } from './unanswered.js';
import { fits, PROTOCOL, toPage } from './wire.js';

/** An unanswered call is sent again after this time, unless it was sent to the worker that is known to live. */
const RESEND_MS = 5_000;
/** A worker at work is heard at least this often. */
const SILENCE_MS = 25_000;
/** A timer that comes so much too late tells that everything stood still; but out of sight, browsers let timers wait. */
const LATE_MS = 15_000;
/** How often a call is looked after, every `RESEND_MS`, before a worker that takes none in counts as one without longhaul. */
const LOOKS = 4;
/** The same for a worker that is known to have longhaul: it does not start. */
const LOOKS_KNOWN = 12;
/** How often a sync is asked for while there is work: the one before may have come, and been used up. */
const SYNC_MS = 60_000;

export class Connection implements Line {
  readonly #registration: ServiceWorkerRegistration;
  readonly #calls = new Unanswered(this);
  readonly #listeners = new Set<Listener>();
  readonly #files: PageFiles;
  readonly #conditions = new Conditions(() => this.#tellChange());
  readonly #handover = new Handover(() => this.#revive());
  #wasVisible = this.#conditions.isVisible;
  /** The worker that is known to live, or ''. */
  #boot = '';
  /** The last worker that has spoken. */
  #known: MessageEventSource | null = null;
  #working = false;
  /** When there will be work again. */
  #next: number | undefined;
  #lastDue = 0;
  #lastHeard = 0;
  #lastWatched = Date.now();
  #lastSync = 0;

  constructor(registration: ServiceWorkerRegistration) {
    this.#registration = registration;
    this.#files = new PageFiles(registration);
    const kick = () => this.#kick();
    navigator.serviceWorker.addEventListener('message', (event) => this.#receive(event));
    // Messages wait until this is called, unless the page uses `onmessage`.
    navigator.serviceWorker.startMessages();
    addEventListener('online', kick);
    watchNetwork(kick);
    addEventListener('pageshow', (event) => event.persisted && kick());
    watchSleep(() => this.#sleep(), () => this.#awake());
    if (this.canBegin) watchGestures();
    setInterval(() => this.#watch(), RESEND_MS);
  }

  get canBegin(): boolean {
    return canBegin(this.#registration);
  }

  get files(): string {
    return this.#files.url;
  }

  checkFiles(): Promise<void> {
    return this.#files.check();
  }

  save(url: string): Promise<void> {
    return this.#files.save(url);
  }

  /** The worker that is known to live, or ''. */
  get boot(): string {
    return this.#boot;
  }

  /** The registration's scope, which names its locks. */
  get scope(): string {
    return this.#registration.scope;
  }

  add(listener: Listener): void {
    this.#listeners.add(listener);
    // A worker that is yet to be met is told then.
    if (this.#listeners.size === 1 && this.#boot !== '') this.#tellConditions();
  }

  /** The worker knows pages, not sessions: it is told what all of this page with the same name can do. */
  hello(session: string): void {
    const parts = [...this.#listeners].map((listener) => listener.identifier === session && listener.part());
    const delegate = parts.some((part) => part && part.delegate);
    const canAuthorize = parts.some((part) => part && part.canAuthorize);
    this.post({ type: 'hello', session, delegate, canAuthorize });
  }

  /** The worker sends again what it has sent to this page, and what no handler of it has handled. */
  attach(session: string): void {
    this.post({ type: 'bye', session });
    for (const { identifier } of this.#listeners) if (identifier === session) return this.hello(session);
  }

  /** What the app knows of the surroundings. */
  setConditions(known: AppConditions): void {
    this.#conditions.set(known);
  }

  /** Another session of this page with the same name stays attached. */
  remove(listener: Listener): boolean {
    if (this.#listeners.delete(listener)) this.attach(listener.identifier);
    return true;
  }

  /** Asks the worker. `signal` ends the call, never what the call began. */
  async call<T extends Call['type']>(call: Call & { type: T }, signal?: AbortSignal): Promise<Answers[T]> {
    const answer = await this.#calls.call<T>(call, signal);
    if (call.type === 'open') this.#files.path = (answer as Answers['open']).files;
    return answer;
  }

  /** Posts a message to the worker, which starts it if need be. What is lost between two workers, the next one asks for. */
  post(message: Outgoing, transfer: Transferable[] = []): void {
    if (this.#handover.isUnderWay) return;
    this.#workers.find((worker) => worker)?.postMessage({ longhaul: PROTOCOL, ...message }, transfer);
  }

  /** The registration's workers, the one that is in charge first. */
  get #workers(): [active: ServiceWorker | null, waiting: ServiceWorker | null, installing: ServiceWorker | null] {
    const { active, waiting, installing } = this.#registration;
    return [active, waiting, installing];
  }

  #receive({ data, source }: MessageEvent): void {
    if (data?.longhaul !== PROTOCOL || !fits(data, toPage)) return;
    const message = data as Incoming;
    // The workers of other registrations may know this page, too. What boots says itself where it belongs.
    const isOurs = source === this.#registration.active;
    if (isOurs) {
      this.#lastHeard = Date.now();
      this.#known = source;
    } else if (message.type !== 'boot' && message.type !== 'ping') return;
    switch (message.type) {
      case 'ping':
        (source as ServiceWorker).postMessage({ longhaul: PROTOCOL, type: 'pong' });
        break;
      case 'working':
        this.#working = message.working;
        this.#next = message.next;
        this.#requestSync(SYNC_MS);
        break;
      case 'boot':
        // Workers announce themselves to the whole origin, which may have other registrations.
        if (message.boot !== this.#boot && message.lock.startsWith(`longhaul:${this.scope}:`)) this.#meet(message.boot, message.lock);
        break;
      case 'begin':
        void this.#begin(message);
        break;
      default:
        for (const listener of this.#listeners) {
          if (listener.identifier === message.session) listener.handle(message);
        }
    }
  }

  /** A worker has started: attach to it, ask again what its predecessor left unanswered, and watch its lock. */
  #meet(boot: string, lock: string): void {
    this.#boot = boot;
    const wasSilent = this.#handover.isUnderWay;
    // What was sent while no worker was known is most likely what started this one; if not, `#watch` sees to it.
    const isLost = (before: string) => before !== boot && (wasSilent || before !== '');
    this.#handover.cancel();
    if (this.#listeners.size > 0) this.#tellConditions();
    for (const listener of this.#listeners) listener.attach();
    this.#calls.askAgain(isLost);
    // The worker holds this lock for life. Being granted it means that the worker is dead.
    void navigator.locks.request(lock, { mode: 'shared' }, () => {
      if (this.#boot !== boot) return;
      this.#boot = '';
      // Who wants nothing of it would not wake the old one, either.
      if (this.#working || !this.#calls.isEmpty) this.#handover.begin(this.#registration);
    });
  }

  /** A page that sleeps handles nothing, and what is posted to it waits: the worker must not count on it. */
  #sleep(): void {
    for (const listener of this.#listeners) {
      this.post({ type: 'bye', session: listener.identifier });
      listener.sleep();
    }
  }

  #awake(): void {
    for (const listener of this.#listeners) {
      listener.attach();
      listener.wake();
    }
  }

  /** The answer may come too late for the task. Then the worker knows. */
  async #begin(message: BeginMessage): Promise<void> {
    const refusal = await begin(this.#registration, message);
    const { session, id, registration } = message;
    this.call({ type: 'begun', session, id, registration, ...given({ refusal }) }).catch(() => {});
  }

  #kick(): void {
    if (this.#listeners.size > 0) this.post({ type: 'wake' });
  }

  #tellConditions(): void {
    this.post({ type: 'conditions', ...this.#conditions.now, ...(this.canBegin && { canBegin: true }) });
  }

  /** A page that goes out of sight starts no worker; any other change may be what a task waits for. */
  #tellChange(): void {
    const wasVisible = this.#wasVisible;
    this.#wasVisible = this.#conditions.isVisible;
    if (this.#listeners.size === 0) return;
    if (this.#boot !== '') this.#tellConditions();
    const cameIntoSight = this.#wasVisible && !wasVisible;
    const wentOutOfSight = wasVisible && !this.#wasVisible;
    // Perhaps it is being closed.
    if (wentOutOfSight) this.#requestSync(0, this.#working || this.#next !== undefined);
    if (cameIntoSight || (this.#boot === '' && !wentOutOfSight)) this.#kick();
  }

  /** Starts the next worker if there is anything for it to do. */
  #revive(): void {
    this.#calls.askAgain();
    if (this.#working) this.post({ type: 'wake' });
  }

  /** Whether the registration was removed: none of its workers ever hears anything again. */
  get #isRemoved(): boolean {
    return this.#workers.every((worker) => !worker || worker.state === 'redundant');
  }

  /** A call that reaches no worker with longhaul must not wait for ever. */
  #refuseUntaken(): void {
    const [active, waiting, installing] = this.#workers;
    // It may be about to take over by itself.
    if (installing) return;
    const isKnown = active !== null && active === this.#known;
    const code = isKnown ? 'component-failed' : !active ? 'no-service-worker' : waiting ? 'update-waiting' : 'not-attached';
    this.#calls.refuse(isKnown ? LOOKS_KNOWN : LOOKS, code);
  }

  /** Lets the worker go on when no page is left; not again within `pauseMs`. */
  #requestSync(pauseMs: number, isWanted = this.#working): void {
    const now = Date.now();
    if (!isWanted || this.#listeners.size === 0 || now - this.#lastSync < pauseMs) return;
    this.#lastSync = now;
    requestSync(this.#registration);
  }

  #watch(): void {
    const now = Date.now();
    const isLate = now - this.#lastWatched > RESEND_MS + LATE_MS;
    this.#lastWatched = now;
    if (this.#isRemoved) return this.#calls.refuse(0, 'no-service-worker');
    if (isLate && this.#working && this.#conditions.isVisible) this.#kick();
    this.#requestSync(SYNC_MS);
    // It tells a new time then. If it does not, it has not heard this.
    if (this.#next !== undefined && this.#next <= now && now - this.#lastDue >= SYNC_MS && this.#listeners.size > 0) {
      this.#lastDue = now;
      this.post({ type: 'due' });
    }
    if (this.#boot === '') {
      this.#refuseUntaken();
      return this.#revive();
    }
    this.#calls.askAgain((boot) => boot !== this.#boot);
    const isSilent = now - this.#lastHeard > SILENCE_MS;
    if (this.#working && isSilent) this.#kick();
  }
}

const connections = new WeakMap<ServiceWorkerRegistration, Connection>();

/** The one connection of a registration. */
export function connect(registration: ServiceWorkerRegistration): Connection {
  let connection = connections.get(registration);
  if (!connection) connections.set(registration, (connection = new Connection(registration)));
  return connection;
}
