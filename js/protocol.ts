// The messages between a page and the service worker, as typed unions. Types only; imports nothing.
// `Protocol` rises when a message changes its meaning: both sides refuse a number they do not know.

/** The version of the messages in this file. */
export type Protocol = 1;

/** A message before its sender has put the version on it. */
export type Unversioned<T> = T extends { longhaul: Protocol } ? Omit<T, 'longhaul'> : never;

/** What a task is doing. The last three are final. */
export type TaskState = 'pending' | 'running' | 'waiting' | 'paused' | 'completed' | 'failed' | 'cancelled';

/** Whether kept bytes may be continued, told from the server's answer (RFC 9110 sections 8.8 and 14). */
export type Resumability = 'unknown' | 'resumable' | 'resumable-by-comparison' | 'restart-only' | 'size-unknown';

/** Stable error codes; the sentences for people are in `errors.ts`. */
export type ErrorCode =
  | 'aborted'
  | 'bad-argument'
  | 'bad-content-range'
  | 'body-too-long'
  | 'component-failed'
  | 'http-status'
  | 'id-in-use'
  | 'length-mismatch'
  | 'network'
  | 'no-service-worker'
  | 'not-finished'
  | 'protocol-mismatch'
  | 'quota-exceeded'
  | 'session-not-open'
  | 'storage'
  | 'task-exists'
  | 'task-not-found'
  | 'unsupported-scheme'
  | 'version-too-low';

/** An error as plain data. */
export interface ErrorData {
  code: ErrorCode;
  /** The HTTP status, for `http-status`. */
  status?: number;
  /** What the browser or the server said, for a log. */
  detail?: string;
}

/** Durable configuration of a session. */
export interface SessionConfiguration {
  /** A higher version replaces the stored configuration, a lower one is refused. Default 1. */
  version?: number;
  /** How many tasks of this session may be fetched at the same time. Default 3. */
  maxConcurrentTasks?: number;
}

/** One task as the worker knows it. */
export interface TaskSnapshot {
  id: string;
  url: string;
  state: TaskState;
  /** Why a `waiting` task waits: `retry`, `offline` or `server-asked` (Retry-After). */
  reason?: string;
  /** When a `waiting` task is tried again, in epoch milliseconds. */
  waitUntil?: number;
  receivedBytes: number;
  /** The representation's complete length, once known. */
  completeLength?: number;
  resumability: Resumability;
  contentType?: string;
  description?: string;
  /** The app's own data, as JSON text. */
  metadata?: string;
  createdAt: number;
  endedAt?: number;
  /** How often the transfer had to start again from byte 0. */
  restarts: number;
  error?: ErrorData;
}

/** A durable fact: kept until the session's delegate has acknowledged it. */
export interface TaskEvent {
  /** Rises within a session; the same fact always carries the same number. */
  seq: number;
  type: 'completed' | 'failed' | 'cancelled' | 'restarted';
  taskId: string;
  /** Epoch milliseconds. */
  at: number;
  /** The file's length, for `completed`. */
  bytes?: number;
  /** For `failed`. */
  error?: ErrorData;
  /** Why the transfer went back to byte 0, for `restarted`. */
  reason?: string;
}

/** Live progress of one task. Not durable; never sent after the task has ended. */
export interface TaskProgress {
  id: string;
  receivedBytes: number;
  completeLength?: number;
  bytesPerSecond: number;
}

/** What to do when the id is already taken. */
export type IfExists = 'keep' | 'replace' | 'error';

/** What a page asks; each is answered through the message's port. */
export type Call =
  | { type: 'open'; session: string; configuration: SessionConfiguration }
  | {
      type: 'download';
      session: string;
      id: string;
      url: string;
      /** The URL's host and port, as the browser parsed it. */
      host: string;
      /** Whether the URL has the worker's own origin. */
      sameOrigin: boolean;
      /** Made for this one call: the same call sent again is answered as the first. */
      token: string;
      ifExists: IfExists;
      description?: string;
      metadata?: string;
    }
  | { type: 'tasks'; session: string; after?: string; limit: number }
  | { type: 'task' | 'pause' | 'resume' | 'cancel' | 'release'; session: string; id: string }
  /** The stored chunk of a finished file that starts at `offset`. */
  | { type: 'chunk'; session: string; id: string; offset: number }
  | { type: 'history'; session: string; before?: number; limit: number };

/** What a call is answered with. */
export interface Answers {
  open: { version: number };
  download: { task: TaskSnapshot; created: boolean };
  tasks: { tasks: TaskSnapshot[]; next?: string };
  task: { task: TaskSnapshot };
  pause: { task: TaskSnapshot };
  resume: { task: TaskSnapshot };
  cancel: { task: TaskSnapshot };
  release: Record<string, never>;
  /** Without a chunk at the end of the file. */
  chunk: { chunk?: Blob | ArrayBuffer; length: number; contentType?: string };
  history: { events: TaskEvent[] };
}

/** Page to worker. `hello` and `call` also wake the worker and let it take up its work. */
export type PageMessage = { longhaul: Protocol } & (
  | { type: 'call'; call: Call }
  /** Attach to a session, again after each boot of the worker. */
  | { type: 'hello'; session: string; delegate: boolean }
  | { type: 'bye'; session: string }
  /** The delegate's handler has resolved for every event up to and including `seq`. */
  | { type: 'ack'; session: string; seq: number }
  | { type: 'pong' }
  /** Sent when expected pings stay away, and when the page comes back online. */
  | { type: 'wake' }
);

/** The answer on a call's port. */
export type Reply = { ok: true; answer: unknown } | { ok: false; error: ErrorData };

/** Worker to page. */
export type WorkerMessage = { longhaul: Protocol } & (
  /** A new worker instance is at work; it holds the lock `lock` for as long as it lives. */
  | { type: 'boot'; boot: string; lock: string }
  | { type: 'ping' }
  /** Whether there is work, so whether pings are to be expected. */
  | { type: 'working'; working: boolean }
  | { type: 'events'; session: string; events: TaskEvent[] }
  | { type: 'observed'; session: string; event: TaskEvent }
  | { type: 'task'; session: string; task: TaskSnapshot }
  | { type: 'released'; session: string; id: string }
  | { type: 'progress'; session: string; tasks: TaskProgress[] }
  /** Every event that was waiting when the delegate attached has been acknowledged. */
  | { type: 'all-events-delivered'; session: string }
);
