// A session, as a page holds it: attaches to the worker, is its delegate if it can be, handles events one after the
// other, and acknowledges each once its handler has resolved.
import type { Connection, Incoming, Listener } from './connection.js';
import { type DownloadOptions, downloadCall } from './download.js';
import { isTaskNotFound } from './errors.js';
import type { SessionConfiguration, TaskEvent, TaskProgress, TaskSnapshot } from './protocol.js';
import type { SessionEventMap, SessionEventTarget } from './session-events.js';
import { Task } from './task.js';

const PAGE_OF_TASKS = 200;
const FIRST_HANDLER_RETRY_MS = 1_000;
const LAST_HANDLER_RETRY_MS = 60_000;

/** Handles a durable event; the event is acknowledged when the promise resolves, and comes again if it does not. */
export type EventHandler = (event: TaskEvent) => void | Promise<void>;

/**
 * A named group of transfers. Dispatches `task` (a Task whose state changed), `progress` (TaskProgress[]), `event`
 * (a TaskEvent), `released` (an id), `delegate` and `alleventsdelivered`; all are CustomEvents.
 */
export class Session extends (EventTarget as new () => SessionEventTarget) {
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
    this.#line = {
      identifier,
      hello: () => this.#hello(),
      attach: () => this.#attach(),
      handle: (message) => this.#handle(message),
    };
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
    const { task } = await this.#connection.call(downloadCall(this.identifier, url, options), options.signal);
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
      if (isTaskNotFound(error)) return undefined;
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
    this.#isDelegate = false;
    this.#connection.remove(this.#line);
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
      if (!task.hasEnded) task.refresh().then(() => this.#emit('task', task), (error) => this.#lost(task, error));
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
        // The worker knows pages, not sessions: the delegate may be another one of this page.
        if (this.#isDelegate) this.#queue.push(...message.events);
        else for (const event of message.events) this.#emit('event', event);
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
        if (!(await this.#runHandler(event))) return;
        this.#handledSeq = event.seq;
      }
      this.#connection.post({ type: 'ack', session: this.identifier, seq: event.seq });
    }
    this.#isHandling = false;
  }

  /** Runs the handler until it succeeds: an event that it could not handle must not be lost. False: this page let go. */
  async #runHandler(event: TaskEvent): Promise<boolean> {
    for (let delay = FIRST_HANDLER_RETRY_MS; !this.#isDetached; delay = Math.min(2 * delay, LAST_HANDLER_RETRY_MS)) {
      try {
        await this.#onEvent?.(event);
        return true;
      } catch (error) {
        reportError(error);
        await new Promise((resolve) => setTimeout(resolve, delay));
      }
    }
    return false;
  }

  /** A task that its new worker does not tell of: released by another page, or gone with the browser's storage. */
  #lost(task: Task, error: unknown): void {
    if (!isTaskNotFound(error)) return reportError(error);
    this.#tasks.delete(task.id);
    task.update({ ...task.snapshot, state: 'cancelled' });
    this.#emit('released', task.id);
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

  #emit(type: keyof SessionEventMap, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
