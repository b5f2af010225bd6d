// Keeps the worker alive while there is work and a page is open: every answered ping is a new event, and every event
// gives the worker new time. Only the worker's own timer is fit for it: a hidden page's is throttled.

/** Firefox gives a worker 30 s after an event; a third of that leaves room for a page that does not answer. */
const INTERVAL_MS = 10_000;
/** A page that does not answer in this time is passed over. */
const ANSWER_MS = 2_000;

export class Pings {
  readonly #ping: (page: Client) => void;
  readonly #findPages: () => Promise<Client[]>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #answered: ((page: string) => void) | undefined;

  constructor(ping: (page: Client) => void, findPages: () => Promise<Client[]>) {
    this.#ping = ping;
    this.#findPages = findPages;
  }

  start(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#round(), INTERVAL_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Any message from a page is as good as an answer. */
  heard(page: string): void {
    this.#answered?.(page);
  }

  /** Asks one page after the other until one answers. */
  async #round(): Promise<void> {
    for (const page of await this.#findPages()) {
      const answer = new Promise<boolean>((resolve) => {
        this.#answered = () => resolve(true);
        setTimeout(() => resolve(false), ANSWER_MS);
      });
      this.#ping(page);
      if (await answer) break;
    }
    this.#answered = undefined;
    if (this.#timer !== undefined) this.start();
  }
}
