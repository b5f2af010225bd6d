// A session, as a page or the worker's own code holds it: what an app does with it becomes calls, what the component
// says becomes events. What needs a page is in page-session.ts.
import { check, type NamesOf } from './check.js';
import { DOWNLOAD, type DownloadOptions, readDownload, RESUMED } from './download.js';
import { isTaskNotFound, LonghaulError } from './errors.js';
import { given } from './given.js';
import { downloadAll, type DownloadAllOptions, GROUP, type Group, type GroupMember } from './group.js';
import type { Incoming, Line, Listener, Part } from './line.js';
import { limitFields, LIMITS, type SessionLimits } from './policy.js';
import type { BulkAction, FilterFields } from './protocol.js';
import { reopening, type SessionLine } from './reopening.js';
import type { SessionEventTarget } from './session-events.js';
import type { Task } from './task.js';
import type { DurableState, IfExists, TaskEvent } from './types.js';
import { type SessionStorage, storageOf } from './stored.js';
import { type Emit, View } from './view.js';

const PAGE_OF_TASKS = 200;

export interface SessionConfiguration extends SessionLimits {
  /**
   * A higher version replaces the stored configuration, a lower one is refused. Other limits under the same version do not take
   * effect, which is reported as an error (`version-not-raised`). Default 1.
   */
  version?: number;
}

/** Tasks that agree with all that is given. */
export interface TaskFilter {
  state?: DurableState | DurableState[];
  group?: string;
  tag?: string;
}

const CONFIGURATION: NamesOf<SessionConfiguration> = { ...LIMITS, version: 0 };

const FILTER: NamesOf<TaskFilter> = { state: 0, group: 0, tag: 0 };

/** A named group of transfers. Dispatches the CustomEvents of `SessionEventMap`. */
export class Session extends (EventTarget as new () => SessionEventTarget) {
  readonly identifier: string;
  readonly #line: Line;
  /** For what is about this session. */
  readonly #own: SessionLine;
  readonly #view: View;
  readonly #listener: Listener;
  #configuration: SessionConfiguration = {};
  #reopening: Promise<void> | undefined;
  #isDetached = false;

  /** @internal */
  constructor(line: Line, identifier: string) {
    super();
    this.#line = line;
    this.#own = reopening(line, identifier, () => this.#reopen(), () => this.#isDetached);
    this.identifier = identifier;
    this.#view = new View(this.#own, this.emit);
    this.#listener = {
      identifier,
      part: () => this.part,
      attach: () => {
        this.hello();
        this.#view.refresh();
      },
      sleep: () => this.sleep(),
      wake: () => this.wake(),
      handle: (message) => this.handle(message),
    };
  }

  /** @internal */
  async open(configuration: SessionConfiguration, signal?: AbortSignal): Promise<void> {
    const { version = 1, ...limits } = check(configuration, CONFIGURATION);
    const { canAuthorize } = this.part;
    const call = { type: 'open', version, limits: limitFields(limits), canAuthorize } as const;
    const { differs } = await this.#own.call(call, signal);
    if (differs) reportError(new LonghaulError({ code: 'version-not-raised', detail: this.identifier }));
    if (this.#isDetached) return;
    this.#configuration = configuration;
    this.#line.add(this.#listener);
    this.hello();
  }

  /** Changes how the session may use the network, durably and for running tasks too; what is missing stays. */
  async update(limits: SessionLimits): Promise<void> {
    await this.#own.call({ type: 'update-session', limits: limitFields(check(limits, LIMITS)) });
  }

  /** Makes a download task, durably, before it resolves. */
  async download(url: string | URL | Request, options: DownloadOptions = {}): Promise<Task> {
    const { ifExists = 'keep' } = check(options, DOWNLOAD);
    return this.#make({ type: 'download', ifExists }, url, options);
  }

  /**
   * Makes a download task that begins with the bytes that another one left, if they fit what its server has now. If they do
   * not, it fetches all of the file, and the resume data stays good for another URL.
   */
  async resumeFrom(resumeData: ArrayBuffer | Uint8Array, url: string | URL | Request, options: Omit<DownloadOptions, 'ifExists'> = {}): Promise<Task> {
    check(options, RESUMED);
    return this.#make({ type: 'resume-from', data: new Uint8Array(resumeData).slice() }, url, options);
  }

  /**
   * Makes many tasks of one group, in batches. A member's id, if it has none, is made from its URL; members that exist
   * stay as they are, so the same call again goes on where it was cut.
   */
  async downloadAll(members: Iterable<GroupMember> | AsyncIterable<GroupMember>, options: DownloadAllOptions): Promise<Group> {
    const group = this.#view.group(check(options, GROUP).group);
    await downloadAll(this.#own, group, members, options);
    return group;
  }

  /** A group of tasks, with its present counts. */
  async group(id: string): Promise<Group> {
    return this.#view.group(id).refresh();
  }

  /** One page of tasks, in the order of their ids. `next`, given as `after`, continues; it is undefined at the end. */
  async query(query: TaskFilter & { after?: string; limit?: number } = {}): Promise<{ tasks: Task[]; next: string | undefined }> {
    const { after, limit = PAGE_OF_TASKS, ...filter } = check(query, { ...FILTER, after: 0, limit: 0 });
    const call = { type: 'select', limit, ...filterFields(filter), ...given({ after }) } as const;
    const { tasks, next } = await this.#own.call(call);
    return { tasks: tasks.map((task) => this.#view.task(task)), next };
  }

  /** All tasks of the session, in the order of their ids. Costly with thousands of them: then use `query`. */
  async tasks(): Promise<Task[]> {
    const all: Task[] = [];
    let after: string | undefined;
    do {
      const page = await this.query(given({ after }));
      all.push(...page.tasks);
      after = page.next;
    } while (after !== undefined);
    return all;
  }

  /** One task, if it exists. */
  async task(id: string): Promise<Task | undefined> {
    try {
      const { task } = await this.#own.call({ type: 'task', id });
      return this.#view.task(task);
    } catch (error) {
      if (isTaskNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Stops all tasks that agree with the filter; without one, all. Resolves with how many were meant, as do the others. */
  pause(filter?: TaskFilter): Promise<number> {
    return this.#bulk('pause', filter);
  }

  resume(filter?: TaskFilter): Promise<number> {
    return this.#bulk('resume', filter);
  }

  cancel(filter?: TaskFilter): Promise<number> {
    return this.#bulk('cancel', filter);
  }

  /** Deletes all ended tasks that agree with the filter, and their files. */
  release(filter?: TaskFilter): Promise<number> {
    return this.#bulk('release', filter);
  }

  /** Past events, newest first. */
  async history(query: { before?: number; limit?: number } = {}): Promise<TaskEvent[]> {
    const { before, limit = 100 } = check(query, { before: 0, limit: 0 });
    const call = { type: 'history', limit, ...given({ before }) } as const;
    return (await this.#own.call(call)).events;
  }

  /**
   * What the session's files take of the origin's storage, the largest first; what of that could be let go, since the files
   * are finished; and what the browser allows the whole origin, if it tells.
   */
  storage(): Promise<SessionStorage> {
    return storageOf(this.#own);
  }

  /** Lets go of all finished files that agree with the filter; their tasks stay. */
  releaseFiles(filter?: TaskFilter): Promise<number> {
    return this.#bulk('release-file', filter);
  }

  /**
   * Lets go of the session here. It and its tasks go on. This object, its tasks and groups hear of nothing any more: their
   * calls, and what waits in `finished()`, reject with `session-detached`. Files can be read on.
   */
  detach(): void {
    if (!this.#line.remove(this.#listener)) return;
    this.#isDetached = true;
    this.#view.end();
  }

  /** The browser has thrown away all that was stored while this was open: it goes on with nothing. */
  #reopen(): Promise<void> {
    if (!this.#reopening) this.emit('evicted', undefined);
    this.forget();
    return (this.#reopening ??= Session.prototype.open
      .call(this, this.#configuration)
      .catch(reportError)
      .finally(() => (this.#reopening = undefined)));
  }

  async #make(
    call: { type: 'download'; ifExists: IfExists } | { type: 'resume-from'; data: Uint8Array },
    url: string | URL | Request,
    options: DownloadOptions,
  ): Promise<Task> {
    const { id = crypto.randomUUID() } = options;
    const { signal, ...asked } = readDownload(url, options, id, this.#line.canBegin);
    return this.#view.task((await this.#own.call({ token: crypto.randomUUID(), ...call, ...asked }, signal)).task);
  }

  async #bulk(action: BulkAction, filter: TaskFilter = {}): Promise<number> {
    const call = { type: 'bulk', action, ...filterFields(check(filter, FILTER)) } as const;
    return (await this.#own.call(call)).count;
  }

  /** @internal What was known of its events holds no more. */
  protected forget(): void {}

  /** @internal */
  protected readonly emit: Emit = (type, detail) => void this.dispatchEvent(new CustomEvent(type, { detail }));

  /** @internal */
  protected get part(): Part {
    return { delegate: false, canAuthorize: false };
  }

  /** @internal */
  protected hello(): void {
    this.#line.hello(this.identifier);
  }

  /** @internal */
  protected sleep(): void {}

  /** @internal */
  protected wake(): void {}

  /** @internal */
  protected handle(message: Incoming): void {
    if (message.type === 'observed') this.emit('event', message.event);
    else this.#view.handle(message);
  }
}

function filterFields({ state, group, tag }: TaskFilter): FilterFields {
  return given({ states: state === undefined ? undefined : [state].flat(), group, tag });
}
