// Why the worker runs: every event that it was woken by, kept open for as long as the component wants its time, and when
// the browser is going to cut it.
import { TAG } from './sync.js';

/** The longest that an event of the worker may last anywhere; what is read shortly before should be durable by then. */
export const EVENT_MS = 300_000;
/** How many past events are remembered, since one of them may still be going on. */
const REMEMBERED = 8;
/** A worker lives on for 30 s after an event that is not held. */
const IDLE_MS = 25_000;

/**
 * How long each browser lets an event go on, by its type, less what it takes to end well. Measured: docs/platform.md, "A
 * service worker's life". WebKit tells no end beforehand: it cuts 10 s after the last page has gone.
 */
const LASTS_MS: Record<string, Record<string, number>> = {
  chromium: { sync: 175_000, periodicsync: 175_000, push: 85_000, other: EVENT_MS },
  firefox: { other: 55_000 },
  webkit: {},
};

/** Which browser this is, where only its name tells what it does. */
export const browser = () => {
  const { userAgent } = navigator;
  if (/Firefox/.test(userAgent)) return 'firefox';
  return /AppleWebKit/.test(userAgent) && !/Chrome/.test(userAgent) ? 'webkit' : 'chromium';
};

/** What the app's code does, which fails if it takes longer than an event may last: nothing waits for it for ever. */
export async function inTime<T>(work: () => Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('longhaul: a handler took longer than an event of the worker may last')), EVENT_MS);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What the component is told of an event. */
export interface Wake {
  /** When the browser is going to cut it, if that is known. */
  endsAt: number | undefined;
  /** Whether the browser repeats it if it fails. */
  isRepeated: boolean;
}

interface Remembered {
  event: ExtendableEvent;
  endsAt: number | undefined;
}

export class Wakes {
  readonly #settles = new Map<number, (again: boolean) => void>();
  readonly #held = new Set<Promise<unknown>>();
  readonly #lastsMs = LASTS_MS[browser()] ?? {};
  #events: Remembered[] = [];

  /** Keeps the event open, unless it is a sync of the app's own: to hold that would be to meddle with when it succeeds. */
  open(wake: number, event: ExtendableEvent): Wake {
    const { type, tag } = event as ExtendableEvent & { tag?: string };
    const lastsMs = this.#lastsMs[type] ?? this.#lastsMs.other;
    const endsAt = lastsMs === undefined ? undefined : Date.now() + lastsMs;
    this.#events = [{ event, endsAt }, ...this.#events].slice(0, REMEMBERED);
    const isRepeated = type === 'sync' && tag === TAG;
    if (type === 'sync' && !isRepeated) return { endsAt: Date.now() + IDLE_MS, isRepeated };
    this.#keepOpen(wake, event, isRepeated);
    return { endsAt, isRepeated };
  }

  /** Keeps an event open that is going on already: one that the app itself is handling, if there is one. */
  join(wake: number): Wake | undefined {
    const found = this.#events.find(({ event }) => {
      try {
        this.#keepOpen(wake, event, false);
        return true;
      } catch {
        // It is over.
        return false;
      }
    });
    return found && { endsAt: found.endsAt, isRepeated: false };
  }

  /** Lets go of a wake, once what is held is done. `again`: there is work left, so what can be repeated has failed. */
  async settle(wake: number, again: boolean): Promise<void> {
    const settle = this.#settles.get(wake);
    this.#settles.delete(wake);
    await Promise.allSettled([...this.#held]);
    settle?.(again);
  }

  /** Lets go of all of them: nobody knows what is left. */
  settleAll(): void {
    for (const settle of this.#settles.values()) settle(true);
    this.#settles.clear();
  }

  /** No wake is let go before this is done. */
  hold(work: Promise<unknown>): void {
    const end = () => this.#held.delete(work);
    this.#held.add(work);
    work.then(end, end);
  }

  #keepOpen(wake: number, event: ExtendableEvent, isRepeated: boolean): void {
    let settle = (_again: boolean) => {};
    event.waitUntil(
      new Promise<void>((resolve, reject) => {
        settle = (again) => (again && isRepeated ? reject(new Error('longhaul: work is left')) : resolve());
      }),
    );
    this.#settles.set(wake, settle);
  }
}
