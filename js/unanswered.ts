// The calls of a page that have no answer yet. Each is posted with a port of its own for the answer, and again to the next
// worker if that one has died: every call is safe to send twice.
import { LonghaulError, refusal, type OwnCode } from './errors.js';
import type { Answers, Call, PageMessage, Reply, Taken, Unversioned } from './protocol.js';
import { isReply } from './wire.js';

/** A message without its version. */
export type Outgoing = Unversioned<PageMessage>;

/** What they are posted with. */
interface Post {
  post(message: Outgoing, transfer: Transferable[]): void;
  /** The worker that is known to live, or ''. */
  readonly boot: string;
}

interface Pending {
  call: Call;
  /** The worker that was known to live when it was sent, if one was. */
  boot: string;
  /** How often it was looked after since a worker took it in, or since the call. */
  looks: number;
  resolve(answer: unknown): void;
  reject(error: LonghaulError): void;
}

export class Unanswered {
  readonly #line: Post;
  readonly #pending = new Set<Pending>();

  constructor(line: Post) {
    this.#line = line;
  }

  get isEmpty(): boolean {
    return this.#pending.size === 0;
  }

  /** Asks the worker. `signal` ends the call, never what the call began. */
  call<T extends Call['type']>(call: Call & { type: T }, signal?: AbortSignal): Promise<Answers[T]> {
    return new Promise((resolve, reject) => {
      const abort = () => pending.reject(new LonghaulError({ code: 'aborted' }));
      const end = () => {
        this.#pending.delete(pending);
        signal?.removeEventListener('abort', abort);
      };
      const pending: Pending = {
        call,
        boot: '',
        looks: 0,
        resolve: (answer) => {
          end();
          resolve(answer as Answers[T]);
        },
        reject: (error) => {
          end();
          reject(error);
        },
      };
      if (signal?.aborted) return abort();
      signal?.addEventListener('abort', abort);
      this.#pending.add(pending);
      this.#send(pending);
    });
  }

  /** Asks again, of those calls that were sent while `isWanted` of the worker that was known then, or none (''). */
  askAgain(isWanted: (boot: string) => boolean = () => true): void {
    for (const pending of [...this.#pending]) if (isWanted(pending.boot)) this.#send(pending);
  }

  /** Looks after all calls; refuses those that no worker has taken in for so many looks. */
  refuse(looks: number, code: OwnCode): void {
    for (const pending of this.#pending) {
      if (++pending.looks >= looks) pending.reject(new LonghaulError({ code }));
    }
  }

  #send(pending: Pending): void {
    pending.boot = this.#line.boot;
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }: MessageEvent<Reply | Taken>) => {
      if (data === 'taken') return void (pending.looks = 0);
      port1.close();
      if (!isReply(data)) pending.reject(new LonghaulError({ code: 'protocol-mismatch' }));
      else if (data.ok) pending.resolve(data.answer);
      else pending.reject(new LonghaulError(data.error));
    };
    try {
      this.#line.post({ type: 'call', call: pending.call }, [port2]);
    } catch (error) {
      // Something in it cannot be cloned.
      pending.reject(refusal(pending.call.type, `cannot be sent to the worker. ${error}`));
    }
  }
}
