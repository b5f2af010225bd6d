// Why the worker runs: every event that it was woken by, kept open for as long as the component wants its time.

/** Chromium cuts an event after 310 s; what is read shortly before should be durable by then. */
export const EVENT_MS = 300_000;
/** How many past events are remembered, since one of them may still be going on. */
const REMEMBERED = 8;

interface Remembered {
  event: ExtendableEvent;
  endsAt: number;
}

export class Wakes {
  readonly #settles = new Map<number, () => void>();
  readonly #held = new Set<Promise<unknown>>();
  #events: Remembered[] = [];

  /** Keeps the event open. Returns when the browser is going to cut it. */
  open(wake: number, event: ExtendableEvent): number {
    const endsAt = Date.now() + EVENT_MS;
    this.#keepOpen(wake, event);
    this.#events = [{ event, endsAt }, ...this.#events].slice(0, REMEMBERED);
    return endsAt;
  }

  /** Keeps an event open that is going on already: one that the app itself is handling. Its end, if there is any. */
  join(wake: number): number | undefined {
    const found = this.#events.find(({ event }) => {
      try {
        this.#keepOpen(wake, event);
        return true;
      } catch {
        // It is over.
        return false;
      }
    });
    return found?.endsAt;
  }

  /** Lets go of a wake, once what is held is done. */
  async settle(wake: number): Promise<void> {
    const settle = this.#settles.get(wake);
    this.#settles.delete(wake);
    await Promise.allSettled([...this.#held]);
    settle?.();
  }

  settleAll(): void {
    for (const settle of this.#settles.values()) settle();
    this.#settles.clear();
  }

  /** No wake is let go before this is done. */
  hold(work: Promise<unknown>): void {
    const end = () => this.#held.delete(work);
    this.#held.add(work);
    work.then(end, end);
  }

  #keepOpen(wake: number, event: ExtendableEvent): void {
    let settle = () => {};
    event.waitUntil(new Promise<void>((resolve) => (settle = resolve)));
    this.#settles.set(wake, settle);
  }
}
