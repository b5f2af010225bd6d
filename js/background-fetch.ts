// What the worker sees of Background Fetch: how a registration stands, the answers that it has brought, and the events
// that tell of its end, each kept open until nothing more is wanted of it: with the event its answers go.
import type { DownloadUi, EndUi } from './types.js';

/** Ours are named so; see `engine/external.rs`. */
const PREFIX = 'longhaul/';
/** How long an answer that is there may take to show itself; the others never do. */
const SHOW_MS = 100;

interface BackgroundFetchRecord {
  readonly request: Request;
  readonly responseReady: Promise<Response>;
}

/** https://wicg.github.io/background-fetch/#background-fetch-registration */
interface Registration {
  readonly id: string;
  readonly result: '' | 'success' | 'failure';
  abort(): Promise<boolean>;
  matchAll(): Promise<BackgroundFetchRecord[]>;
}

export interface BackgroundFetchEvent extends ExtendableEvent {
  readonly registration: Registration;
  updateUI?(options: EndUi): Promise<void>;
}

interface Manager {
  get(id: string): Promise<Registration | undefined>;
}

interface Ended {
  event: BackgroundFetchEvent;
  letGo(): void;
}

export class BackgroundFetches {
  readonly #manager: Manager | undefined;
  readonly #ended = new Map<string, Ended>();
  /** Registration → first byte → answer. */
  readonly #answers = new Map<string, Map<number, Response>>();

  constructor(scope: ServiceWorkerGlobalScope) {
    this.#manager = (scope.registration as { backgroundFetch?: Manager }).backgroundFetch;
  }

  /** A registration has ended. Resolves when nothing more is wanted of it; `undefined` if it is not one of ours. */
  ended(event: BackgroundFetchEvent): Promise<void> | undefined {
    const { id } = event.registration;
    if (!id.startsWith(PREFIX)) return undefined;
    return new Promise((letGo) => this.#ended.set(id, { event, letGo }));
  }

  /** Shows what the app wants to be seen in the browser's own list; see `DownloadUi`. */
  async showEnd(id: string, ui: string): Promise<void> {
    const event = this.#ended.get(id)?.event;
    try {
      const shown = event?.registration.result && (JSON.parse(ui) as DownloadUi)[event.registration.result];
      if (shown) await event.updateUI?.(shown);
    } catch {
      // The list is closed by now, or a page gave what is no JSON.
    }
  }

  /** 1 if it is over, else 0, and then the first bytes of what has come, ascending; `undefined` if there is no such registration. */
  async look(id: string): Promise<number[] | undefined> {
    const registration = await this.#find(id);
    if (!registration) return undefined;
    const late = new Promise<undefined>((resolve) => setTimeout(resolve, SHOW_MS));
    const records = await registration.matchAll();
    const answers = new Map<number, Response>();
    for (const { request, responseReady } of records) {
      const answer = await Promise.race([responseReady, late]).catch(() => undefined);
      const [, start] = /^bytes=(\d+)-/.exec(request.headers.get('Range') ?? '') ?? [];
      if (answer && start) answers.set(Number(start), answer);
    }
    this.#answers.set(id, answers);
    return [registration.result === '' ? 0 : 1, ...answers.keys()];
  }

  /** What was there at the last look. */
  async record(id: string, start: number): Promise<Response | undefined> {
    return this.#answers.get(id)?.get(start);
  }

  async letGo(id: string): Promise<void> {
    const registration = await this.#find(id).catch(() => undefined);
    this.#ended.get(id)?.letGo();
    this.#ended.delete(id);
    this.#answers.delete(id);
    if (registration?.result === '') await registration.abort();
  }

  /** The component is gone. The events end; what goes on goes on. */
  forget(): void {
    for (const { letGo } of this.#ended.values()) letGo();
    this.#ended.clear();
    this.#answers.clear();
  }

  async #find(id: string): Promise<Registration | undefined> {
    return this.#ended.get(id)?.event.registration ?? this.#manager?.get(id);
  }
}
