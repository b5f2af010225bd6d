// Calls that the component has not answered.
import type { ErrorData } from './types.js';
import type { Answers, Call, Reply } from './protocol.js';

interface Waiting {
  call: Call;
  reply(reply: Reply): void;
  isOwn: boolean;
}

export class Calls {
  readonly #waiting = new Map<number, Waiting>();

  /** `isOwn`: the worker's own code asks, not a page. */
  add(number: number, call: Call, isOwn: boolean, reply: (reply: Reply) => void): void {
    this.#waiting.set(number, { call, isOwn, reply });
  }

  answer(number: number, reply: Reply): void {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    waiting?.reply(reply);
  }

  /** Nobody waits for the answer any more. Whether there is none yet. */
  forget(number: number): boolean {
    return this.#waiting.delete(number);
  }

  /** Pages are going to ask another worker. */
  leavePages(): void {
    for (const [number, { isOwn }] of this.#waiting) if (!isOwn) this.#waiting.delete(number);
  }

  failAll(error: ErrorData): void {
    for (const { reply } of this.#take()) reply({ ok: false, error });
  }

  /** The same, but for those that `answerOf` has an answer for. */
  failAllBut(answerOf: (call: Call) => Promise<Answers[keyof Answers] | undefined>, error: ErrorData): void {
    for (const { call, reply } of this.#take()) {
      const found = answerOf(call).catch(() => undefined);
      void found.then((answer) => reply(answer ? { ok: true, answer } : { ok: false, error }));
    }
  }

  #take(): Waiting[] {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    return waiting;
  }
}
