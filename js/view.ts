// What a page knows of a session: its tasks and groups, one object for each, brought up to date by the worker.
import type { Incoming } from './line.js';
import { isTaskNotFound } from './errors.js';
import { Group } from './group.js';
import type { SessionLine } from './reopening.js';
import type { SessionEventMap } from './session-events.js';
import { Task } from './task.js';
import type { TaskProgress, TaskSnapshot } from './types.js';

/** Dispatches an event of the session. */
export type Emit = <Type extends keyof SessionEventMap>(type: Type, detail: SessionEventMap[Type]['detail']) => void;

export class View {
  readonly #line: SessionLine;
  readonly #emit: Emit;
  readonly #tasks = new Map<string, Task>();
  readonly #groups = new Map<string, Group>();

  constructor(line: SessionLine, emit: Emit) {
    this.#line = line;
    this.#emit = emit;
  }

  /** The one Task of this id, which is now as the worker says. */
  task(snapshot: TaskSnapshot): Task {
    const known = this.#tasks.get(snapshot.id);
    if (known) {
      known.learn(snapshot);
      return known;
    }
    const task = new Task(this.#line, snapshot);
    this.#tasks.set(task.id, task);
    return task;
  }

  /** The one Group of this id. */
  group(id: string): Group {
    let group = this.#groups.get(id);
    if (!group) this.#groups.set(id, (group = new Group(this.#line, id)));
    return group;
  }

  /** Asks a new worker for what its predecessor may not have told. */
  refresh(): void {
    for (const task of this.#tasks.values()) {
      if (!task.hasEnded) task.refresh().then(() => this.#emit('task', task), (error) => this.#lost(task, error));
    }
  }

  /** Nothing is heard of them any more. */
  end(): void {
    for (const task of this.#tasks.values()) task.learn(task.snapshot);
  }

  handle(message: Incoming): void {
    switch (message.type) {
      case 'task':
        this.#emit('task', this.task(message.task));
        break;
      case 'group':
        this.#emit('group', this.group(message.id).learn(message.counts));
        break;
      case 'released':
        this.#tasks.delete(message.id);
        this.#emit('released', message.id);
        break;
      case 'progress':
        this.#showProgress(message.tasks);
        break;
    }
  }

  /** A task that its new worker does not tell of: released by another page, or gone with the browser's storage. */
  #lost(task: Task, error: unknown): void {
    if (!isTaskNotFound(error)) return reportError(error);
    this.#tasks.delete(task.id);
    task.learn({ ...task.snapshot, state: 'cancelled' });
    this.#emit('released', task.id);
  }

  #showProgress(tasks: TaskProgress[]): void {
    const live = tasks.filter((progress) => this.#tasks.get(progress.id)?.advance(progress) ?? true);
    const withLength = live.map((progress) => {
      const completeLength = this.#tasks.get(progress.id)?.completeLength;
      return completeLength === undefined ? progress : { completeLength, ...progress };
    });
    if (live.length > 0) this.#emit('progress', withLength);
  }
}
