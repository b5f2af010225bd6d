// The messages between a page and the service worker, as typed unions. Types only. `Protocol` rises when a message
// changes its meaning: both sides refuse a number they do not know.
import type { DurableState, ErrorData, Explanation, GroupCounts, IfExists, Priority, TaskEvent, TaskProgress, TaskSnapshot } from './types.js';

/** The version of the messages in this file. */
export type Protocol = 1;

/** A message before its sender has put the version on it. */
export type Unversioned<T> = T extends { longhaul: Protocol } ? Omit<T, 'longhaul'> : never;

/** A header's name and value. */
export type HeaderPair = [name: string, value: string];

/** A URL, with what only the browser can take from it. */
export interface Source {
  url: string;
  /** Host and port. */
  host: string;
  origin: string;
}

/** A task's policies. What is missing keeps its value, or its default; 0 lifts a limit or a time. */
export interface PolicyFields {
  priority?: Priority;
  metered?: boolean;
  unknownNetwork?: boolean;
  discretionaryUntil?: number;
  beginAt?: number;
  maxBytesPerSecond?: number;
  maxSegments?: number;
  stallTimeoutMs?: number;
  resourceTimeoutMs?: number;
  maxFailures?: number;
}

/** How a session may use the network. What is missing keeps its value, or its default. */
export interface LimitFields {
  maxConcurrentTasks?: number;
  maxPerHostVisible?: number;
  maxPerHostHidden?: number;
  /** 0 lifts the limit. */
  maxBytesPerSecond?: number;
  metered?: boolean;
  unknownNetwork?: boolean;
  /** How long finished files are kept; 0 until they are taken. */
  keepMs?: number;
  /** Whether that is counted from when a file was last read. */
  keepFromLastUse?: boolean;
}

/** Which redirects are followed; see `TransferOptions.redirect`. */
export type Redirects = 'follow' | 'error' | 'follow-with-headers';

/** What a task is to fetch, and how. */
export interface SpecFields {
  id: string;
  /** The task's own URL, then its mirrors. */
  sources: Source[];
  /** Headers that may be stored. */
  headers?: HeaderPair[];
  credentials?: RequestCredentials;
  referrerPolicy?: ReferrerPolicy;
  redirects?: Redirects;
  keepHeaders?: string[];
  /** Subresource Integrity metadata. */
  integrity?: string;
  pieceLength?: number;
  /** SHA-256 of each piece, 32 bytes each, one after the other. */
  pieceDigests?: Uint8Array;
  ignoreServerDigest?: boolean;
  expectedBytes?: number;
  exactBytes?: number;
  accept?: string[];
  strongOnly?: boolean;
  group?: string;
  tag?: string;
  description?: string;
  /** JSON text. */
  metadata?: string;
  policy?: PolicyFields;
  /** Without it: by plain fetch. */
  transport?: 'auto' | 'background-fetch';
  /** What the browser's own list of downloads shows, as JSON text. */
  ui?: string;
  destination?: DestinationFields;
  failsWhenFull?: boolean;
  /** Its finished file is found by the task's URL. */
  servesUrl?: boolean;
}

/** Either a cache and a URL, or a path in the origin private file system. */
export interface DestinationFields {
  cache?: string;
  url?: string;
  opfs?: string;
}

/** Tasks that agree with all that is set. */
export interface FilterFields {
  states?: DurableState[];
  group?: string;
  tag?: string;
}

/** A call that makes tasks; `token` is made for this one call: sent again, it is answered as the first. */
interface Making {
  session: string;
  token: string;
}

/** What a page asks; each is answered through the message's port. Each may be sent twice. */
export type Call =
  | { type: 'open'; session: string; version: number; limits: LimitFields; canAuthorize: boolean }
  | { type: 'update-session'; session: string; limits: LimitFields }
  /** `secrets` are headers that must not be stored. */
  | (Making & { type: 'download'; spec: SpecFields; secrets: HeaderPair[]; ifExists: IfExists })
  | (Making & { type: 'resume-from'; spec: SpecFields; secrets: HeaderPair[]; data: Uint8Array })
  /** A batch of a group's members; `last` says that no more follow. */
  | (Making & { type: 'download-all'; group: string; failsTogether: boolean; members: SpecFields[]; last: boolean })
  | { type: 'task' | 'pause' | 'resume' | 'resume-data' | 'release' | 'release-file'; session: string; id: string }
  /** A finished file leaves the store; answered when that is sure to happen, or to be given up. */
  | { type: 'move'; session: string; id: string; destination: DestinationFields }
  /** The finished file that is found by this URL: of this session, or one that is not for one user alone. */
  | { type: 'find'; url: string; session?: string }
  /** `keep`: the bytes stay for a while, named by the resume data in the answer. */
  | { type: 'cancel'; session: string; id: string; keep: boolean }
  | { type: 'update'; session: string; id: string; policy: PolicyFields }
  /** For a task whose URL has this origin. `headers` replace those that were given before. */
  | { type: 'authorize'; session: string; id: string; origin: string; headers?: HeaderPair[]; persist: boolean; source?: Source }
  /** The answer to a `BeginMessage`. `refusal`: why the browser would not. */
  | { type: 'begun'; session: string; id: string; registration: string; refusal?: string }
  /**
   * The stored chunk of a file in which `offset` lies; `body` as the answer to the first said. `waits`: if the file is still
   * on its way, answered when that has come; else there must be a finished one.
   */
  | { type: 'chunk'; session: string; id: string; offset: number; body?: string; waits?: boolean }
  /** The same of a chunk that the page could not read: answered with its bytes, or else they are fetched anew. */
  | { type: 'check'; session: string; id: string; offset: number; body?: string }
  /** A request for a file's URL, with these fields; answered when its length is known. */
  | { type: 'serve'; session: string; id: string; range?: string; ifRange?: string }
  | ({ type: 'select'; session: string; after?: string; limit: number } & FilterFields)
  | ({ type: 'bulk'; session: string; action: BulkAction } & FilterFields)
  | { type: 'group'; session: string; group: string }
  | { type: 'history'; session: string; before?: number; limit: number };

export type BulkAction = 'pause' | 'resume' | 'cancel' | 'release' | 'release-file';

interface TaskAnswer {
  task: TaskSnapshot;
}

/** What a call is answered with. */
export interface Answers {
  /** `files`: where the URLs of files are, if the worker answers them. `differs`: other limits are stored under this version. */
  open: { version: number; files?: string; differs: boolean };
  'update-session': { version: number };
  download: TaskAnswer & { created: boolean };
  'resume-from': TaskAnswer & { created: boolean };
  /** How many of the batch are new, and how the group stands, if that is known. */
  'download-all': { created: number; counts?: GroupCounts };
  /** With why it waits, if it does. */
  task: TaskAnswer & { explanation?: Explanation };
  pause: TaskAnswer;
  resume: TaskAnswer;
  update: TaskAnswer;
  authorize: TaskAnswer;
  begun: TaskAnswer;
  cancel: TaskAnswer & { resumeData?: ArrayBuffer };
  'resume-data': TaskAnswer & { resumeData?: ArrayBuffer };
  release: Record<string, never>;
  'release-file': TaskAnswer;
  move: TaskAnswer;
  find: { session?: string; id?: string };
  /** Without a chunk at the end of the file. `start` is the position of its first byte; `body` names the version of the file. */
  chunk: { chunk?: Blob | ArrayBuffer; start: number; length: number; body: string; contentType?: string };
  check: Answers['chunk'];
  serve: Service;
  select: { tasks: TaskSnapshot[]; next?: string };
  /** How many tasks were meant. */
  bulk: { count: number };
  group: { counts: GroupCounts };
  history: { events: TaskEvent[] };
}

/** How a request for a file's URL is answered: with which status, and which parts (half-open) of how many bytes. */
export interface Service {
  status: number;
  parts: [start: number, end: number][];
  length: number;
  /** The version. */
  body: string;
  etag: string;
  lastModified?: string;
  contentType?: string;
  fileName?: string;
}

/** What a page sees of the surroundings; what it cannot tell is missing. */
export interface ConditionFields {
  /** Whether the page can be seen. */
  visible?: boolean;
  /** Whether the network is metered, or the user asks to save data. */
  metered?: boolean;
  /** Whether the device is being charged. */
  charging?: boolean;
  /** Whether the app says that this is a good moment for what is discretionary. */
  idle?: boolean;
  /** Whether it can begin a Background Fetch. */
  canBegin?: boolean;
}

/** Page to worker. `hello` and `call` also wake the worker and let it take up its work. */
export type PageMessage = { longhaul: Protocol } & (
  | { type: 'call'; call: Call }
  /** Attach to a session, again after each boot of the worker. */
  | { type: 'hello'; session: string; delegate: boolean; canAuthorize: boolean }
  | { type: 'bye'; session: string }
  /** The delegate's handler has resolved for every event up to and including `seq`. */
  | { type: 'ack'; session: string; seq: number }
  /** Replaces what this page told before. */
  | ({ type: 'conditions' } & ConditionFields)
  | { type: 'pong' }
  /** Sent when expected pings stay away, and when things may be better: online, in sight, another network, after a standstill. */
  | { type: 'wake' }
  /** It is the time for which the worker wanted to be woken. */
  | { type: 'due' }
);

/**
 * The first message on a call's port: a worker with longhaul has it. Its script alone says so, so that a worker whose wasm
 * is still being compiled is told from one that never answers.
 */
export type Taken = 'taken';

/** The answer on a call's port. */
export type Reply = { ok: true; answer: unknown } | { ok: false; error: ErrorData };

/** Worker to page. */
export type WorkerMessage = { longhaul: Protocol } & (
  /** A new worker instance is at work; it holds the lock `lock` for as long as it lives. */
  | { type: 'boot'; boot: string; lock: string }
  | { type: 'ping' }
  /** Whether there is work, so whether pings are to be expected; if not, `next` is when the worker wants to be woken for some. */
  | { type: 'working'; working: boolean; next?: number }
  | { type: 'events'; session: string; events: TaskEvent[] }
  | { type: 'observed'; session: string; event: TaskEvent }
  | { type: 'task'; session: string; task: TaskSnapshot }
  | { type: 'group'; session: string; id: string; counts: GroupCounts }
  | { type: 'released'; session: string; id: string }
  | { type: 'progress'; session: string; tasks: TaskProgress[] }
  /** Every event that was waiting when the delegate attached has been acknowledged. */
  | { type: 'all-events-delivered'; session: string }
  | AuthorizeMessage
  | BeginMessage
);

/** A server wants to know who asks. Without a status, headers that are not stored are missing after a boot. */
export interface AuthorizeMessage {
  type: 'authorize';
  session: string;
  id: string;
  /** Without its query. */
  url: string;
  status?: number;
}

/** To one page: have the browser itself fetch these ranges. Answered by the call `begun`. */
export interface BeginMessage {
  type: 'begin';
  session: string;
  id: string;
  /** What the browser is to call it. */
  registration: string;
  url: string;
  headers: HeaderPair[];
  credentials: RequestCredentials;
  /** The `Range` of each request. */
  ranges: string[];
  title?: string;
  ui?: string;
}
