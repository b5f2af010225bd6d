// One session's durable events in one page: handled one after the other, each acknowledged once its handlers have
// resolved. One delegate at a time: the page that holds the session's lock, and the next in line when it is gone or asleep.
// All handlers that a page has for the session share its place in the line, and its lock.
import type { TaskEvent } from './types.js';

const FIRST_HANDLER_RETRY_MS = 1_000;
const LAST_HANDLER_RETRY_MS = 60_000;

/** Handles a durable event; the event is acknowledged when the promise resolves, and comes again if it does not. */
export type EventHandler = (event: TaskEvent) => void | Promise<void>;

/** What a delegate tells its session. */
interface Watcher {
  /** `isLate`: this page is the delegate already, and what it was sent must come again. */
  elected(isLate: boolean): void;
  /** An event comes to be handled, or, where another page handles it, to be seen. */
  seen(event: TaskEvent): void;
  handled(seq: number): void;
}

/** Who of a page waits in line for a session's lock, or holds it, together. */
class Seat extends Set<Delegate> {
  isHeld = false;
  /** Leaves the line, or lets go of the lock. */
  leave!: () => void;

  constructor(lock: string) {
    super();
    const line = new AbortController();
    const left = new Promise<void>((resolve) => (this.leave = resolve));
    void left.then(() => line.abort());
    const hold = () => {
      this.isHeld = true;
      for (const delegate of this) delegate.elect(false);
      return left;
    };
    // It is rejected if this page leaves the line.
    navigator.locks.request(lock, { signal: line.signal }, hold).catch(() => {});
  }
}

/** By lock. */
const seats = new Map<string, Seat>();

export class Delegate {
  readonly #onEvent: EventHandler | undefined;
  readonly #watcher: Watcher;
  #isDelegate = false;
  #hasResigned = false;
  #handled = { seq: 0 };
  #queue: TaskEvent[] = [];
  #isHandling = false;
  #seat: Seat | undefined;

  constructor(onEvent: EventHandler | undefined, watcher: Watcher) {
    this.#onEvent = onEvent;
    this.#watcher = watcher;
  }

  get isDelegate(): boolean {
    return this.#isDelegate;
  }

  /** Waits in line for the session's lock. Who has no handler, watches. */
  wake(lock: string): void {
    if (!this.#onEvent || this.#hasResigned) return;
    const seat = (this.#seat = seats.get(lock)?.size ? seats.get(lock)! : new Seat(lock));
    seats.set(lock, seat.add(this));
    if (seat.isHeld) this.elect(true);
  }

  /** The page holds the lock. */
  elect(isLate: boolean): void {
    this.#isDelegate = true;
    this.#watcher.elected(isLate);
  }

  /** This page is put to sleep, and must not keep the lock. An event whose handler is cut by that comes again. */
  sleep(): void {
    this.#isDelegate = false;
    this.#queue = [];
    if (this.#seat?.delete(this) && this.#seat.size === 0) this.#seat.leave();
  }

  detach(): void {
    this.#hasResigned = true;
    this.sleep();
  }

  /** All that was stored is gone: if the clock was set back, the numbers of the events to come may be lower. */
  forget(): void {
    this.#handled = { seq: 0 };
    this.#queue = [];
  }

  /** The worker delivers to this page. It knows pages, not sessions: the delegate may be another one of this page. */
  handle(events: TaskEvent[]): void {
    if (this.#isDelegate) this.#queue.push(...events);
    else for (const event of events) this.#watcher.seen(event);
    void this.#handleQueue();
  }

  async #handleQueue(): Promise<void> {
    if (this.#isHandling) return;
    this.#isHandling = true;
    let event: TaskEvent | undefined;
    while ((event = this.#queue.shift()) && this.#isDelegate) {
      // A worker that was killed before it stored our ack delivers again: acknowledged again, not handled again.
      const handled = this.#handled;
      if (event.seq > handled.seq) {
        this.#watcher.seen(event);
        if (!(await this.#runHandler(event))) break;
        handled.seq = event.seq;
      }
      this.#acknowledge(event.seq);
    }
    this.#isHandling = false;
  }

  /** Acknowledges what every handler of this page has handled. */
  #acknowledge(seq: number): void {
    const all = [...(this.#seat ?? [])].map((delegate) => delegate.#handled.seq);
    const handled = Math.min(seq, ...all);
    if (handled > 0) this.#watcher.handled(handled);
  }

  /** Runs the handler until it succeeds: an event that it could not handle must not be lost. False: it is another page's now. */
  async #runHandler(event: TaskEvent): Promise<boolean> {
    for (let delay = FIRST_HANDLER_RETRY_MS; this.#isDelegate; delay = Math.min(2 * delay, LAST_HANDLER_RETRY_MS)) {
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
