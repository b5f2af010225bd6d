// The worker's own code as the delegate of sessions whose events no page takes; docs/decisions/013 says what holds. It
// takes the session's lock for one batch at a time, so that pages get their turn in between.
import type { TaskEvent } from './types.js';
import { inTime } from './wakes.js';

/** Handles a session's events, in order; they are acknowledged when the promise resolves, and come again if it does not. */
export type EventsHandler = (session: string, events: TaskEvent[]) => void | Promise<void>;

/** What the hook tells the component. */
interface Teller {
  /** It has the session's lock. */
  begin(session: string): void;
  /** It has handled its batch, whose last number this is, or could not: 0. */
  end(session: string, seq: number): void;
}

export class EventsHook {
  readonly #handle: EventsHandler;
  readonly #scope: string;
  readonly #tell: Teller;
  /** By session, who waits for the batch. */
  readonly #turns = new Map<string, (events: TaskEvent[]) => void>();
  /** Another one for each component: what one has begun is no business of the next. */
  #life = {};

  constructor(handle: EventsHandler, scope: string, tell: Teller) {
    this.#handle = handle;
    this.#scope = scope;
    this.#tell = tell;
  }

  /** Waits in line for the session's lock. */
  stand(session: string): void {
    const life = this.#life;
    const isOver = () => life !== this.#life;
    const request = navigator.locks.request(`longhaul:${this.#scope}:${session}`, () => this.#takeTurn(session, isOver));
    request.catch(reportError);
  }

  /** The component gives the batch of this turn, which may be empty. */
  deliver(session: string, events: TaskEvent[]): void {
    this.#turns.get(session)?.(events);
    this.#turns.delete(session);
  }

  /** The component is gone. A handler at work keeps its lock until it is done. */
  end(): void {
    this.#life = {};
    for (const resolve of this.#turns.values()) resolve([]);
    this.#turns.clear();
  }

  async #takeTurn(session: string, isOver: () => boolean): Promise<void> {
    if (isOver()) return;
    const events = await new Promise<TaskEvent[]>((resolve) => {
      this.#turns.set(session, resolve);
      this.#tell.begin(session);
    });
    const last = events.at(-1);
    if (!last) return;
    let handled = 0;
    try {
      // One that never ends would keep all others from their turn.
      await inTime(async () => this.#handle(session, events));
      handled = last.seq;
    } catch (error) {
      reportError(error);
    }
    if (!isOver()) this.#tell.end(session, handled);
  }
}
