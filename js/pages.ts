// The pages that have spoken to this worker: who they are, what all of them are told, and the pings that they answer.
import { Pings } from './pings.js';
import type { Unversioned, WorkerMessage } from './protocol.js';

/** The version of the messages that this worker speaks. */
export const PROTOCOL = 1;

type Message = Unversioned<WorkerMessage>;

export class Pages {
  readonly #clients: Clients;
  readonly #gone: (page: string) => void;
  readonly #known = new Map<string, Client>();
  readonly #pings = new Pings((page) => post(page, { type: 'ping' }), () => this.#find());
  #boot: Message | undefined;
  #isWorking = false;

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
    post(page, { type: 'working', working: this.#isWorking });
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
    this.#isWorking = false;
    this.#pings.stop();
  }

  working(working: boolean): void {
    if (this.#isWorking === working) return;
    this.#isWorking = working;
    for (const page of this.#known.values()) post(page, { type: 'working', working });
    if (working) this.#pings.start();
    else this.#pings.stop();
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
