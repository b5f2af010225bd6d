// What a session needs of its line to the component: a page's leads there by messages, the worker's own by calls. Types
// only.
import type { Answers, Call, Unversioned, WorkerMessage } from './protocol.js';

export type Incoming = Unversioned<WorkerMessage>;

/** What a session does when something happens on the line. */
export interface Listener {
  readonly identifier: string;
  /** What it can do at this moment. */
  part(): Part;
  /** A worker has started: attach to it. */
  attach(): void;
  /** The page is put to sleep; `attach` and `wake` follow when it has woken. */
  sleep(): void;
  wake(): void;
  handle(message: Incoming): void;
}

/** A session's part in the delivery of its events. */
export interface Part {
  delegate: boolean;
  canAuthorize: boolean;
}

export interface Line {
  /** Whether a Background Fetch can be begun at this end of it. */
  readonly canBegin: boolean;
  /** Where the URLs of files are. Throws `not-controlled` if the worker does not answer them at this end of the line. */
  readonly files: string;
  /** Rejects with `not-controlled` if something else answers there. */
  checkFiles(): Promise<void>;
  /** Asks the component. `signal` ends the call, never what the call began. */
  call<T extends Call['type']>(call: Call & { type: T }, signal?: AbortSignal): Promise<Answers[T]>;
  /** Gives what is at this URL to the browser's own downloads; rejects if they do not get it. */
  save(url: string): Promise<void>;
  /** Attaches to the session, in the part that its listeners have. */
  hello(session: string): void;
  add(listener: Listener): void;
  /** The listener's session lets go. False if others in the worker have opened it too, and use it on. */
  remove(listener: Listener): boolean;
}
