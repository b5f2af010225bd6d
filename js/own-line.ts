// The worker's own line to the component, for sessions that are opened in the worker: the same calls as a page's, without
// messages, pings and locks.
import { LonghaulError } from './errors.js';
import type { Incoming, Line, Listener } from './line.js';
import type { Answers, Call, Reply } from './protocol.js';
import { Session, type SessionConfiguration } from './session.js';

/** After which time the component is started again that has crashed while the worker's own code was using it. */
const RESTART_MS = 1_000;

/** What the line is laid on. */
interface Ends {
  /** The number by which it can be forgotten. */
  ask(call: Call, reply: (reply: Reply) => void): number;
  /** Nobody waits for the reply any more. */
  forget(asked: number): void;
  hello(session: string): void;
  bye(session: string): void;
}

export class OwnLine implements Line {
  /** That needs a page. */
  readonly canBegin = false;
  readonly #files: string | undefined;
  readonly #ends: Ends;
  readonly #listeners = new Set<Listener>();
  /** Each with how many have opened it and not let go of it again. */
  readonly #sessions = new Map<string, { session: Session; users: number }>();

  constructor(ends: Ends, files: string | undefined) {
    this.#ends = ends;
    this.#files = files;
  }

  get files(): string {
    if (this.#files === undefined) throw new LonghaulError({ code: 'not-controlled', detail: 'files: false' });
    return this.#files;
  }

  /** The one session of this identifier: handlers of events open it again and again. */
  async open(identifier: string, configuration: SessionConfiguration = {}): Promise<Session> {
    const held = this.#sessions.get(identifier) ?? { session: new Session(this, identifier), users: 0 };
    this.#sessions.set(identifier, held);
    held.users++;
    try {
      await held.session.open(configuration);
    } catch (error) {
      held.users--;
      throw error;
    }
    return held.session;
  }

  call<T extends Call['type']>(call: Call & { type: T }, signal?: AbortSignal): Promise<Answers[T]> {
    return new Promise((resolve, reject) => {
      const refuse = () => reject(new LonghaulError({ code: 'aborted' }));
      if (signal?.aborted) return refuse();
      const abort = () => {
        this.#ends.forget(asked);
        refuse();
      };
      signal?.addEventListener('abort', abort);
      const asked = this.#ends.ask(call, (reply) => {
        signal?.removeEventListener('abort', abort);
        if (reply.ok) resolve(reply.answer as Answers[T]);
        else reject(new LonghaulError(reply.error));
      });
    });
  }

  /** The worker's own requests never go through it; what it hands to a page is that page's to check. */
  async checkFiles(): Promise<void> {}

  /** That needs a page. */
  async save(): Promise<void> {
    throw new LonghaulError({ code: 'save-failed' });
  }

  hello(session: string): void {
    this.#ends.hello(session);
  }

  add(listener: Listener): void {
    this.#listeners.add(listener);
  }

  remove(listener: Listener): boolean {
    const held = this.#sessions.get(listener.identifier);
    if (held && --held.users > 0) return false;
    this.#sessions.delete(listener.identifier);
    if (this.#listeners.delete(listener)) this.#ends.bye(listener.identifier);
    return true;
  }

  /** The component says something to the worker's own code. */
  receive(message: Incoming): void {
    if (!('session' in message)) return;
    for (const listener of this.#listeners) if (listener.identifier === message.session) listener.handle(message);
  }

  /** A component has started. */
  started(): void {
    for (const listener of this.#listeners) listener.attach();
  }

  /** The component has crashed: who waits for a task here must not wait for ever. */
  crashed(): void {
    if (this.#listeners.size > 0) setTimeout(() => this.started(), RESTART_MS);
  }
}
