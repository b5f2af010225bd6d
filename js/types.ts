// What pages see of sessions, tasks and groups. Types only; imports nothing. Times are epoch milliseconds.

/** What a task is doing. The last three are final. */
export type TaskState = 'pending' | 'running' | 'waiting' | 'paused' | 'completed' | 'failed' | 'cancelled';

/** A task's durable state, to find it by; `active` is what is pending, running or waiting. */
export type DurableState = 'active' | 'paused' | 'completed' | 'failed' | 'cancelled';

/** Why an active task is not being fetched. */
export type WaitReason =
  | 'authorization'
  | 'background-fetch'
  | 'quota'
  | 'discretionary'
  | 'earliest-begin'
  | 'host-busy'
  | 'metered'
  | 'offline'
  | 'retry'
  | 'server-asked'
  | 'session-busy'
  | 'session-damaged'
  | 'storage'
  | 'unknown-network'
  | 'worker-busy';

/**
 * Whether kept bytes may be continued, told from the server's answer (RFC 9110 sections 8.8 and 14). `size-unknown`: the
 * server does not say how long the file is, so a cut could not be told from its end.
 */
export type Resumability = 'unknown' | 'resumable' | 'resumable-by-comparison' | 'restart-only' | 'size-unknown';

/** Stable error codes; the sentences for people are in `errors.ts`. */
export type ErrorCode =
  | 'aborted'
  | 'authorization-not-durable'
  | 'background-fetch-impossible'
  | 'background-fetch-refused'
  | 'bad-argument'
  | 'bad-content-range'
  | 'body-too-long'
  | 'component-failed'
  | 'cors-blocked'
  | 'crashed'
  | 'csp-blocked'
  | 'destination-failed'
  | 'digest-mismatch'
  | 'file-changed'
  | 'file-damaged'
  | 'file-released'
  | 'http-status'
  | 'id-in-use'
  | 'length-mismatch'
  | 'mixed-content'
  | 'network'
  | 'newer-store'
  | 'no-service-worker'
  | 'not-active'
  | 'not-attached'
  | 'not-controlled'
  | 'not-finished'
  | 'not-in-scope'
  | 'outbox-full'
  | 'protocol-mismatch'
  | 'quota-exceeded'
  | 'record-damaged'
  | 'redirect-refused'
  | 'resume-data-invalid'
  | 'resume-data-stale'
  | 'save-failed'
  | 'session-detached'
  | 'session-not-open'
  | 'storage'
  | 'task-exists'
  | 'task-not-found'
  | 'timed-out'
  | 'too-many-restarts'
  | 'too-many-sessions'
  | 'unauthorized'
  | 'unexpected-content'
  | 'unsupported-scheme'
  | 'update-waiting'
  | 'version-not-raised'
  | 'version-too-low';

/** An error as plain data. */
export interface ErrorData {
  code: ErrorCode;
  /** What it means, what to do, and the cause: the status, what the browser said, or the value that cannot be used. */
  message: string;
  /** Whether the same call, or `resume()`, may succeed later without anything being changed. */
  retry: boolean;
  /** The HTTP status, where one was the cause. */
  status?: number;
  /** What the browser or the server said, or which field of a call is meant. */
  detail?: string;
}

/** What went wrong while a task was being fetched, and when. */
export interface LastError extends ErrorData {
  at: number;
}

/** What the first answer said. */
export interface AnswerInfo {
  status: number;
  /** The URL behind all redirects, if there were any; without its query, which may be a signature. */
  finalUrl?: string;
  /** The headers named in `keepHeaders` that CORS let through. */
  headers: [name: string, value: string][];
}

export type Priority = 'high' | 'normal' | 'low';

/** One task as the worker knows it. */
export interface TaskSnapshot {
  id: string;
  /** As the app gave it, query and all. */
  url: string;
  state: TaskState;
  /** Why an active task is not being fetched. */
  reason?: WaitReason;
  /** Since when, and until when at the latest, if that is known. */
  waitingSince?: number;
  waitUntil?: number;
  /**
   * Of a task that waits: what went wrong last, or, if its host is in trouble, what another task met there. The worker keeps
   * it in memory only, so that it is missing after the worker was restarted, until the next attempt.
   */
  lastError?: LastError;
  receivedBytes: number;
  /** The representation's complete length in bytes, once known. */
  completeLength?: number;
  resumability: Resumability;
  /** What that was concluded from: a stable code such as `strong-tag`, `date-and-length`, `ranges-ignored`. */
  resumabilityReason?: string;
  contentType?: string;
  /** The name that the server suggests (RFC 6266), or else that its URL has, safe to use as a file's name. */
  fileName?: string;
  /** What the first answer said. */
  answer?: AnswerInfo;
  group?: string;
  tag?: string;
  description?: string;
  /** The app's own data, as JSON text. */
  metadata?: string;
  priority: Priority;
  /** How many segments are being fetched at this moment. */
  segments: number;
  /** Whether an older, finished file can be read until a newer version is there. */
  hasPreviousFile: boolean;
  createdAt: number;
  endedAt?: number;
  /** How often the transfer had to start again from byte 0. */
  restarts: number;
  /** How often a piece, or the whole file, was fetched again because its digest was wrong. */
  repairs: number;
  error?: ErrorData;
  /** Set if a finished file is not, or not only, here: on its way to another place, or gone. */
  file?: 'moving' | 'gone';
  /** Why a finished file could not be moved. */
  fileError?: ErrorData;
}

/** How many members of a group are in which state. */
export interface GroupCounts {
  active: number;
  paused: number;
  completed: number;
  failed: number;
  cancelled: number;
  total: number;
}

interface EventOf<Type extends string> {
  type: Type;
  /** Rises within a session; the same fact always carries the same number. */
  seq: number;
  at: number;
}

interface OfTask {
  taskId: string;
  groupId?: never;
}

/** A durable fact: kept until the session's delegate has acknowledged it. */
export type TaskEvent =
  /** The file is there, every byte. */
  | (EventOf<'completed'> & OfTask & { bytes: number })
  /** `ifExists: 'refresh'` found that the file that is there is still the newest. */
  | (EventOf<'not-modified'> & OfTask)
  | (EventOf<'failed'> & OfTask & { error: ErrorData })
  /** A newer version could not be had; the file that was there stays. */
  | (EventOf<'refresh-failed'> & OfTask & { error: ErrorData })
  | (EventOf<'cancelled'> & OfTask)
  /** The transfer went back to byte 0: `changed`, `ranges-refused`, `not-resumable`, `digest-mismatch` or `damaged`. */
  | (EventOf<'restarted'> & OfTask & { reason: string })
  /** `file().moveTo()`: the file is there, and no longer here. */
  | (EventOf<'moved'> & OfTask)
  /** …or could not be moved, and stays. */
  | (EventOf<'move-failed'> & OfTask & { error: ErrorData })
  /** The event that was stored under this number, or what the session allows, was damaged: tasks() tells how things stand. */
  | (EventOf<'damaged'> & { taskId?: never; groupId?: never })
  /** Every member of the group has ended. */
  | (EventOf<'group-ended'> & { groupId: string; taskId?: never; counts: GroupCounts });

/** Live progress of one task. Not durable; never sent after the task has ended. */
export interface TaskProgress {
  id: string;
  receivedBytes: number;
  completeLength?: number;
  bytesPerSecond: number;
}

/**
 * What to do when the id is already taken: answer with the task that is there, drop it and begin anew, ask the server
 * whether there is a newer version while the old file stays, or reject with `task-exists`.
 */
export type IfExists = 'keep' | 'replace' | 'refresh' | 'error';

/** An icon for the browser's own list of downloads. */
export interface ImageResource {
  src: string;
  sizes?: string;
  type?: string;
}

/** What the browser's own list of downloads shows of one. */
export interface EndUi {
  title?: string;
  icons?: ImageResource[];
}

/** The same, while it goes on and when it has ended: the title is the `description`, or the file's name, if not said here. */
export interface DownloadUi extends EndUi {
  success?: EndUi;
  failure?: EndUi;
}

/** Why a task waits. */
export interface Explanation {
  reason: WaitReason;
  /** Epoch milliseconds. */
  since: number;
  /** When the wait ends at the latest, if that is known. */
  until?: number;
  /** What would end it, and what went wrong last. */
  sentence: string;
  /** What went wrong last, if that is known: see `TaskSnapshot`. */
  lastError?: LastError;
  /** What was found of the server, and what that means for a download that is cut. */
  server?: string;
}
