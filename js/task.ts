// One task, as a page holds it: a view of the worker's truth, brought up to date by messages.
import { AUTHORIZATION, authorizeCall, type Authorization } from './authorization.js';
import { check } from './check.js';
import { isTaskNotFound, LonghaulError } from './errors.js';
import { TaskFile } from './file.js';
import { POLICIES, policyFields, type TaskPolicies } from './policy.js';
import type { Call } from './protocol.js';
import type { SessionCall, SessionLine } from './reopening.js';
import type { AnswerInfo, ErrorCode, Explanation, Resumability, TaskProgress, TaskSnapshot, TaskState } from './types.js';

const finalStates: readonly TaskState[] = ['completed', 'failed', 'cancelled'];

/** A call about a task, but for which it is. */
type Unnamed<C> = C extends { id: string } ? Omit<C, 'session' | 'id'> : never;

export type AboutTask = Unnamed<Call>;

/** What `Task.update` changes; what is missing stays. */
export interface TaskUpdate extends TaskPolicies, Authorization {}

/** A durable transfer. */
export class Task {
  readonly #line: SessionLine;
  readonly #file: TaskFile;
  readonly #watchers = new Set<() => void>();
  #snapshot: TaskSnapshot;

  /** @internal */
  constructor(line: SessionLine, snapshot: TaskSnapshot) {
    this.#line = line;
    this.#file = new TaskFile(line, this);
    this.#snapshot = snapshot;
  }

  get id(): string {
    return this.#snapshot.id;
  }

  get url(): string {
    return this.#snapshot.url;
  }

  get state(): TaskState {
    return this.#snapshot.state;
  }

  get receivedBytes(): number {
    return this.#snapshot.receivedBytes;
  }

  /** The file's complete length in bytes, once known. */
  get completeLength(): number | undefined {
    return this.#snapshot.completeLength;
  }

  get contentType(): string | undefined {
    return this.#snapshot.contentType;
  }

  /** The name that the server suggests, or else that its URL has, safe to use as a file's name. */
  get fileName(): string | undefined {
    return this.#snapshot.fileName;
  }

  /** What the first answer said: its status, the URL behind redirects, the headers named in `keepHeaders`. */
  get answer(): Readonly<AnswerInfo> | undefined {
    return this.#snapshot.answer;
  }

  /** Whether kept bytes may be continued, and what that was concluded from. */
  get verdict(): { resumability: Resumability; reason: string | undefined } {
    const { resumability, resumabilityReason: reason } = this.#snapshot;
    return { resumability, reason };
  }

  /** How many segments are being fetched at this moment. */
  get segments(): number {
    return this.#snapshot.segments;
  }

  /** Whether an older, finished file can be read until a newer version is there (`ifExists: 'refresh'`). */
  get hasPreviousFile(): boolean {
    return this.#snapshot.hasPreviousFile;
  }

  get description(): string | undefined {
    return this.#snapshot.description;
  }

  /** The app's own data, as given to `download`. */
  get metadata(): unknown {
    return this.#snapshot.metadata === undefined ? undefined : JSON.parse(this.#snapshot.metadata);
  }

  /** Why the task failed. */
  get error(): LonghaulError | undefined {
    return this.#snapshot.error && new LonghaulError(this.#snapshot.error);
  }

  /** Everything the worker last said. */
  get snapshot(): Readonly<TaskSnapshot> {
    return this.#snapshot;
  }

  get hasEnded(): boolean {
    return finalStates.includes(this.state);
  }

  /** Asks the worker for the present state. */
  async refresh(): Promise<this> {
    return this.#do('task');
  }

  /** Why the task is not being fetched, asked of the worker; `undefined` if it is, or if it is not active. */
  async explain(): Promise<Explanation | undefined> {
    return (await this.ask({ type: 'task' })).explanation;
  }

  /** Stops the transfer and keeps its bytes, durably. */
  async pause(): Promise<this> {
    return this.#do('pause');
  }

  /** Goes on from the kept bytes: a paused task, a failed one, or one that waits. */
  async resume(): Promise<this> {
    return this.#do('resume');
  }

  /** Ends the task and drops its bytes; or keeps them, for a while, for `session.resumeFrom`, if there are any. */
  cancel(options?: { resumeData?: false }): Promise<this>;
  cancel(options: { resumeData: true }): Promise<ArrayBuffer | undefined>;
  async cancel(options: { resumeData?: boolean } = {}): Promise<this | ArrayBuffer | undefined> {
    const { resumeData: keep = false } = check(options, { resumeData: 0 });
    const { resumeData } = await this.ask({ type: 'cancel', keep });
    return keep ? resumeData : this;
  }

  /** Hands the bytes of a paused or failed task over to resume data, if there are any; the task keeps none. */
  async resumeData(): Promise<ArrayBuffer | undefined> {
    return (await this.ask({ type: 'resume-data' })).resumeData;
  }

  /** Changes what the task allows, and supplies headers or another URL of the same file. */
  async update(changes: TaskUpdate): Promise<this> {
    const policy = policyFields(check(changes, { ...POLICIES, ...AUTHORIZATION }));
    const isAuthorization = changes.headers !== undefined || changes.url !== undefined;
    const authorization = isAuthorization && authorizeCall(this.#line.session, this.id, this.url, changes);
    if (Object.keys(policy).length > 0) await this.ask({ type: 'update', policy });
    if (authorization) await this.ask(authorization);
    return this;
  }

  /** Deletes an ended task and its file. */
  async release(): Promise<void> {
    try {
      await this.ask({ type: 'release' });
    } catch (error) {
      // It is gone already: by another page, or by a worker that died before it could say so.
      if (!isTaskNotFound(error)) throw error;
    }
  }

  /** The file: what it is, its bytes, and a URL for it. */
  file(): TaskFile {
    return this.#file;
  }

  /** Resolves once the file is there; rejects if the task fails or is cancelled. `signal` ends the waiting only. */
  async finished(options: { signal?: AbortSignal } = {}): Promise<this> {
    await this.until(() => this.hasEnded, check(options, { signal: 0 }).signal);
    if (this.state === 'completed') return this;
    throw this.error ?? new LonghaulError({ code: 'aborted', detail: 'the task was cancelled' });
  }

  /** @internal Resolves once the worker says that the task is so; `signal` ends the waiting, and so does `detach()`. */
  until(isSo: (snapshot: TaskSnapshot) => boolean, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const isOver = isSo(this.#snapshot);
        const refusal: ErrorCode | undefined = signal?.aborted ? 'aborted' : this.#line.isOver && !isOver ? 'session-detached' : undefined;
        if (!isOver && !refusal) return;
        this.#watchers.delete(look);
        signal?.removeEventListener('abort', look);
        if (refusal) reject(new LonghaulError({ code: refusal }));
        else resolve();
      };
      this.#watchers.add(look);
      signal?.addEventListener('abort', look);
      look();
    });
  }

  /** @internal Asks the worker for something about this task, and learns what that is now. */
  async ask(call: AboutTask): Promise<{ task?: TaskSnapshot; resumeData?: ArrayBuffer; explanation?: Explanation }> {
    const answer = await this.#line.call({ id: this.id, ...call } as SessionCall<'cancel' | 'release'>);
    if ('task' in answer) this.learn(answer.task);
    return answer;
  }

  /** @internal The worker says what the task is now. */
  learn(snapshot: TaskSnapshot): void {
    this.#snapshot = snapshot;
    for (const watcher of this.#watchers) watcher();
  }

  /** @internal Live progress; old news once the task has ended. */
  advance(progress: TaskProgress): boolean {
    if (this.state !== 'running') return false;
    this.#snapshot = { ...this.#snapshot, receivedBytes: progress.receivedBytes };
    return true;
  }

  async #do(type: 'task' | 'pause' | 'resume'): Promise<this> {
    await this.ask({ type });
    return this;
  }
}
