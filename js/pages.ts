// The pages that have spoken to this worker: who they are, what all of them are told, and the pings that they answer.
import { given } from './given.js';
import { Pings } from './pings.js';
import type { Unversioned, WorkerMessage } from './protocol.js';
import { PROTOCOL } from './wire.js';

type Message = Unversioned<WorkerMessage>;

const IDLE = { type: 'working', working: false } as const;

export class Pages {
  readonly #clients: Clients;
  readonly #gone: (page: string) => void;
  readonly #known = new Map<string, Client>();
  readonly #pings = new Pings((page) => post(page, { type: 'ping' }), () => this.#find());
  #boot: Message | undefined;
  #work: Message & { type: 'working' } = IDLE;

  /** `gone` is called for a page that is found missing. */
  constructor(clients: Clients, gone: (page: string) => void) {
    this.#clients = clients;
    this.#gone = gone;
  }

  heard(page: Client): void {
    this.#known.set(page.id, page);
    this.#pings.heard(page.id);
  }

  /** Tells a page that attaches how things are. */
  greet(page: Client): void {
    if (this.#boot) post(page, this.#boot);
    post(page, this.#work);
  }

  post(page: string, message: Message): void {
    const known = this.#known.get(page);
    if (known) post(known, message);
  }

  /** A component is at work: all pages of this origin hear of it. */
  started(boot: string, lock: string): void {
    this.#boot = { type: 'boot', boot, lock };
    void this.#clients.matchAll({ includeUncontrolled: true, type: 'window' }).then((pages) => {
      for (const page of pages) if (this.#boot) post(page, this.#boot);
    });
  }

  /** The component is gone. Pages that know of work see that its locks are free. */
  stopped(): void {
    this.#boot = undefined;
    this.#work = IDLE;
    this.#pings.stop();
  }

  working(working: boolean, next: number | undefined): void {
    this.#work = { type: 'working', working, ...given({ next }) };
    for (const page of this.#known.values()) post(page, this.#work);
    if (working) this.#pings.start();
    else this.#pings.stop();
  }

  /** Who is gone is found missing by the pings, and, while there is no work, by this. */
  look(): void {
    if (!this.#work.working && this.#known.size > 0) void this.#find();
  }

  async #find(): Promise<Client[]> {
    const open = await this.#clients.matchAll({ includeUncontrolled: true, type: 'window' });
    const ids = new Set(open.map((page) => page.id));
    for (const id of [...this.#known.keys()].filter((id) => !ids.has(id))) {
      this.#known.delete(id);
      this.#gone(id);
    }
    return [...this.#known.values()];
  }
}

function post(page: Client, message: Message): void {
  page.postMessage({ longhaul: PROTOCOL, ...message });
}
