// A session, as a page holds it: attaches to the worker, is its delegate if it can be, handles events one after the
// other, and acknowledges each once its handler has resolved.
import type { Connection, Incoming, Listener } from './connection.js';
import { LonghaulError } from './errors.js';
import type { IfExists, SessionConfiguration, TaskEvent, TaskProgress, TaskSnapshot } from './protocol.js';
import { Task } from './task.js';

const PAGE_OF_TASKS = 200;
const FIRST_HANDLER_RETRY_MS = 1_000;
const LAST_HANDLER_RETRY_MS = 60_000;

/** Handles a durable event; the event is acknowledged when the promise resolves, and comes again if it does not. */
export type EventHandler = (event: TaskEvent) => void | Promise<void>;

export interface DownloadOptions {
  /** The app's own id. The same id and URL again give the same task, also after a kill. */
  id?: string;
  /** What to do if the id is taken. Default `keep`. */
  ifExists?: IfExists;
  description?: string;
  /** Anything that JSON can hold. */
  metadata?: unknown;
  /** Ends the call, never the task. */
  signal?: AbortSignal;
}

/**
 * A named group of transfers. Dispatches `task` (a Task whose state changed), `progress` (TaskProgress[]), `event`
 * (a TaskEvent), `released` (an id), `delegate` and `alleventsdelivered`; all are CustomEvents.
 */
export class Session extends EventTarget {
  readonly identifier: string;
  readonly #connection: Connection;
  readonly #tasks = new Map<string, Task>();
  readonly #onEvent: EventHandler | undefined;
  readonly #line: Listener;
  #isDelegate = false;
  #handledSeq = 0;
  #queue: TaskEvent[] = [];
  #isHandling = false;
  #giveUpLock: (() => void) | undefined;
  #isDetached = false;

  /** @internal */
  constructor(connection: Connection, identifier: string, onEvent: EventHandler | undefined) {
    super();
    this.#connection = connection;
    this.identifier = identifier;
    this.#onEvent = onEvent;
    this.#line = { identifier, attach: () => this.#attach(), handle: (message) => this.#handle(message) };
  }

  /** Whether this page's handler acknowledges the session's events. */
  get isDelegate(): boolean {
    return this.#isDelegate;
  }

  /** @internal */
  async open(configuration: SessionConfiguration, signal?: AbortSignal): Promise<void> {
    await this.#connection.call({ type: 'open', session: this.identifier, configuration }, signal);
    this.#connection.add(this.#line);
    this.#hello();
    // One delegate at a time: the page that holds this lock, and the next in line when it is gone.
    if (this.#onEvent) {
      void navigator.locks.request(`longhaul:${this.#connection.scope}:${this.identifier}`, () => this.#becomeDelegate());
    }
  }

  /** Makes a download task, durably, before it resolves. */
  async download(url: string | URL, options: DownloadOptions = {}): Promise<Task> {
    const target = parse(url);
    const { metadata, description } = options;
    const { task } = await this.#connection.call(
      {
        type: 'download',
        session: this.identifier,
        id: options.id ?? crypto.randomUUID(),
        url: target.href,
        host: target.host,
        sameOrigin: target.origin === location.origin,
        token: crypto.randomUUID(),
        ifExists: options.ifExists ?? 'keep',
        ...(description !== undefined && { description }),
        ...(metadata !== undefined && { metadata: JSON.stringify(metadata) }),
      },
      options.signal,
    );
    return this.#learn(task);
  }

  /** All tasks of the session, in the order of their ids. */
  async tasks(): Promise<Task[]> {
    const all: Task[] = [];
    let after: string | undefined;
    do {
      const page = await this.#connection.call({
        type: 'tasks',
        session: this.identifier,
        limit: PAGE_OF_TASKS,
        ...(after !== undefined && { after }),
      });
      all.push(...page.tasks.map((task) => this.#learn(task)));
      after = page.next;
    } while (after !== undefined);
    return all;
  }

  /** One task, if it exists. */
  async task(id: string): Promise<Task | undefined> {
    try {
      const { task } = await this.#connection.call({ type: 'task', session: this.identifier, id });
      return this.#learn(task);
    } catch (error) {
      if (error instanceof LonghaulError && error.code === 'task-not-found') return undefined;
      throw error;
    }
  }

  /** Past events, newest first. */
  async history({ before, limit = 100 }: { before?: number; limit?: number } = {}): Promise<TaskEvent[]> {
    const { events } = await this.#connection.call({
      type: 'history',
      session: this.identifier,
      limit,
      ...(before !== undefined && { before }),
    });
    return events;
  }

  /** This page lets go. The session and its tasks go on. */
  detach(): void {
    this.#isDetached = true;
    this.#connection.remove(this.#line);
    this.#connection.post({ type: 'bye', session: this.identifier });
    this.#giveUpLock?.();
  }

  #becomeDelegate(): Promise<void> | undefined {
    if (this.#isDetached) return undefined;
    this.#isDelegate = true;
    this.#hello();
    this.#emit('delegate', undefined);
    return new Promise((resolve) => (this.#giveUpLock = resolve));
  }

  #hello(): void {
    this.#connection.post({ type: 'hello', session: this.identifier, delegate: this.#isDelegate });
  }

  /** Attaches to a new worker, and asks it for what its predecessor may not have told. */
  #attach(): void {
    this.#hello();
    for (const task of this.#tasks.values()) {
      if (!task.hasEnded) task.refresh().then(() => this.#emit('task', task), reportUnlessGone);
    }
  }

  #handle(message: Incoming & { session: string }): void {
    switch (message.type) {
      case 'task':
        this.#emit('task', this.#learn(message.task));
        break;
      case 'released':
        this.#tasks.delete(message.id);
        this.#emit('released', message.id);
        break;
      case 'progress':
        this.#showProgress(message.tasks);
        break;
      case 'observed':
        this.#emit('event', message.event);
        break;
      case 'events':
        this.#queue.push(...message.events);
        void this.#handleQueue();
        break;
      case 'all-events-delivered':
        this.#emit('alleventsdelivered', undefined);
        break;
    }
  }

  async #handleQueue(): Promise<void> {
    if (this.#isHandling) return;
    this.#isHandling = true;
    let event: TaskEvent | undefined;
    while ((event = this.#queue.shift()) && !this.#isDetached) {
      // A worker that was killed before it stored our ack delivers again: acknowledged again, not handled again.
      if (event.seq > this.#handledSeq) {
        this.#emit('event', event);
        await this.#runHandler(event);
        this.#handledSeq = event.seq;
      }
      this.#connection.post({ type: 'ack', session: this.identifier, seq: event.seq });
    }
    this.#isHandling = false;
  }

  /** Runs the handler until it succeeds: an event that it could not handle must not be lost. */
  async #runHandler(event: TaskEvent): Promise<void> {
    for (let delay = FIRST_HANDLER_RETRY_MS; ; delay = Math.min(2 * delay, LAST_HANDLER_RETRY_MS)) {
      try {
        return await this.#onEvent?.(event);
      } catch (error) {
        reportError(error);
        await new Promise((resolve) => setTimeout(resolve, delay));
      }
    }
  }

  #showProgress(tasks: TaskProgress[]): void {
    const live = tasks.filter((progress) => this.#tasks.get(progress.id)?.advance(progress) ?? true);
    const withLength = live.map((progress) => ({ completeLength: this.#tasks.get(progress.id)?.completeLength, ...progress }));
    if (live.length > 0) this.#emit('progress', withLength);
  }

  #learn(snapshot: TaskSnapshot): Task {
    const known = this.#tasks.get(snapshot.id);
    if (known) {
      known.update(snapshot);
      return known;
    }
    const task = new Task(this.#connection, this.identifier, snapshot);
    this.#tasks.set(task.id, task);
    return task;
  }

  #emit(type: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function parse(url: string | URL): URL {
  let target;
  try {
    target = new URL(url, location.href);
  } catch {
    throw new LonghaulError({ code: 'bad-argument', detail: `not a URL: ${url}` });
  }
  if (target.protocol !== 'https:' && target.protocol !== 'http:') {
    throw new LonghaulError({ code: 'unsupported-scheme', detail: target.protocol });
  }
  target.hash = '';
  return target;
}

function reportUnlessGone(error: unknown): void {
  if (!(error instanceof LonghaulError && error.code === 'task-not-found')) reportError(error);
}
