// One session's durable events in one page: handled one after the other, each acknowledged once its handler has
// resolved. One delegate at a time: the page that holds the session's lock, and the next in line when it is gone or asleep.
import type { TaskEvent } from './types.js';

const FIRST_HANDLER_RETRY_MS = 1_000;
const LAST_HANDLER_RETRY_MS = 60_000;

/** Handles a durable event; the event is acknowledged when the promise resolves, and comes again if it does not. */
export type EventHandler = (event: TaskEvent) => void | Promise<void>;

/** What a delegate tells its session. */
interface Watcher {
  elected(): void;
  /** An event comes to be handled, or, where another page handles it, to be seen. */
  seen(event: TaskEvent): void;
  handled(seq: number): void;
}

export class Delegate {
  readonly #onEvent: EventHandler | undefined;
  readonly #watcher: Watcher;
  #isElected = false;
  #hasResigned = false;
  #handled = { seq: 0 };
  #queue: TaskEvent[] = [];
  #isHandling = false;
  #leaveLine: (() => void) | undefined;

  constructor(onEvent: EventHandler | undefined, watcher: Watcher) {
    this.#onEvent = onEvent;
    this.#watcher = watcher;
  }

  get isElected(): boolean {
    return this.#isElected;
  }

  /** Waits in line for the session's lock. Who has no handler, watches. */
  stand(lock: string): void {
    if (!this.#onEvent || this.#hasResigned) return;
    const line = new AbortController();
    this.#leaveLine = () => line.abort();
    // It is rejected if this page leaves the line.
    navigator.locks.request(lock, { signal: line.signal }, () => this.#elect()).catch(() => {});
  }

  /** This page is put to sleep, and must not keep the lock. An event whose handler is cut by that comes again. */
  stepBack(): void {
    this.#isElected = false;
    this.#queue = [];
    this.#leaveLine?.();
  }

  resign(): void {
    this.#hasResigned = true;
    this.stepBack();
  }

  /** All that was stored is gone: if the clock was set back, the numbers of the events to come may be lower. */
  beginAnew(): void {
    this.#handled = { seq: 0 };
    this.#queue = [];
  }

  /** The worker delivers to this page. It knows pages, not sessions: the delegate may be another one of this page. */
  deliver(events: TaskEvent[]): void {
    if (this.#isElected) this.#queue.push(...events);
    else for (const event of events) this.#watcher.seen(event);
    void this.#handleQueue();
  }

  #elect(): Promise<void> {
    this.#isElected = true;
    this.#watcher.elected();
    return new Promise((resolve) => (this.#leaveLine = resolve));
  }

  async #handleQueue(): Promise<void> {
    if (this.#isHandling) return;
    this.#isHandling = true;
    let event: TaskEvent | undefined;
    while ((event = this.#queue.shift()) && this.#isElected) {
      // A worker that was killed before it stored our ack delivers again: acknowledged again, not handled again.
      const handled = this.#handled;
      if (event.seq > handled.seq) {
        this.#watcher.seen(event);
        if (!(await this.#runHandler(event))) break;
        handled.seq = event.seq;
      }
      this.#watcher.handled(event.seq);
    }
    this.#isHandling = false;
  }

  /** Runs the handler until it succeeds: an event that it could not handle must not be lost. False: it is another page's now. */
  async #runHandler(event: TaskEvent): Promise<boolean> {
    for (let delay = FIRST_HANDLER_RETRY_MS; this.#isElected; delay = Math.min(2 * delay, LAST_HANDLER_RETRY_MS)) {
      try {
        await this.#onEvent?.(event);
        return true;
      } catch (error) {
        reportError(error);
        await new Promise((resolve) => setTimeout(resolve, delay));
      }
    }
    return false;
  }
}
