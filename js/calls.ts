// Calls that the component has not answered.
import type { ErrorData } from './types.js';
import type { Reply } from './protocol.js';

interface Waiting {
  reply(reply: Reply): void;
  isOwn: boolean;
}

export class Calls {
  readonly #waiting = new Map<number, Waiting>();

  /** `isOwn`: the worker's own code asks, not a page. */
  add(call: number, isOwn: boolean, reply: (reply: Reply) => void): void {
    this.#waiting.set(call, { isOwn, reply });
  }

  answer(call: number, reply: Reply): void {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    waiting?.reply(reply);
  }

  /** Pages are going to ask another worker. */
  leavePages(): void {
    for (const [call, { isOwn }] of this.#waiting) if (!isOwn) this.#waiting.delete(call);
  }

  failAll(error: ErrorData): void {
    for (const { reply } of this.#waiting.values()) reply({ ok: false, error });
    this.#waiting.clear();
  }
}
