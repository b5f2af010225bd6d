// One task, as a page holds it: a view of the worker's truth, brought up to date by messages.
import type { Connection } from './connection.js';
import { isTaskNotFound, LonghaulError } from './errors.js';
import type { ErrorData, TaskProgress, TaskSnapshot, TaskState } from './protocol.js';

const finalStates: readonly TaskState[] = ['completed', 'failed', 'cancelled'];

/** A durable transfer. */
export class Task {
  readonly #connection: Connection;
  readonly #session: string;
  readonly #watchers = new Set<() => void>();
  #snapshot: TaskSnapshot;

  /** @internal */
  constructor(connection: Connection, session: string, snapshot: TaskSnapshot) {
    this.#connection = connection;
    this.#session = session;
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

  /** Stops the transfer and keeps its bytes, durably. */
  async pause(): Promise<this> {
    return this.#do('pause');
  }

  /** Goes on from the kept bytes: a paused task, a failed one, or one that waits. */
  async resume(): Promise<this> {
    return this.#do('resume');
  }

  /** Ends the task and drops its bytes. */
  async cancel(): Promise<this> {
    return this.#do('cancel');
  }

  /** Deletes an ended task and its file. */
  async release(): Promise<void> {
    try {
      await this.#connection.call({ type: 'release', session: this.#session, id: this.id });
    } catch (error) {
      // It is gone already: by another page, or by a worker that died before it could say so.
      if (!isTaskNotFound(error)) throw error;
    }
  }

  /** The finished file. Its bytes are copied once, a chunk at a time, into Blobs that the browser may keep on disk. */
  async blob(): Promise<Blob> {
    const parts: Blob[] = [];
    let type = '';
    for (let offset = 0; ; ) {
      const { bytes, length, contentType } = await this.#readChunk(offset);
      type = contentType ?? '';
      if (!bytes) return new Blob(parts, { type });
      parts.push(new Blob([bytes]));
      offset += length;
    }
  }

  /** The finished file as a stream, one stored chunk in memory at a time. */
  stream(): ReadableStream<Uint8Array> {
    let offset = 0;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const { bytes, length } = await this.#readChunk(offset);
          if (!bytes) return controller.close();
          offset += length;
          controller.enqueue(new Uint8Array(bytes));
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** Resolves once the file is there; rejects if the task fails or is cancelled. `signal` ends the waiting only. */
  finished({ signal }: { signal?: AbortSignal } = {}): Promise<this> {
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#watchers.delete(look);
        signal?.removeEventListener('abort', look);
      };
      const fail = (error: ErrorData) => {
        end();
        reject(new LonghaulError(error));
      };
      const look = () => {
        if (signal?.aborted) return fail({ code: 'aborted' });
        if (this.state === 'completed') {
          end();
          resolve(this);
        } else if (this.state === 'failed') fail(this.#snapshot.error!);
        else if (this.state === 'cancelled') fail({ code: 'aborted', detail: 'the task was cancelled' });
      };
      this.#watchers.add(look);
      signal?.addEventListener('abort', look);
      look();
    });
  }

  /** @internal The worker says what the task is now. */
  update(snapshot: TaskSnapshot): void {
    this.#snapshot = snapshot;
    for (const watcher of this.#watchers) watcher();
  }

  /** @internal Live progress; old news once the task has ended. */
  advance(progress: TaskProgress): boolean {
    if (this.state !== 'running') return false;
    this.#snapshot = { ...this.#snapshot, receivedBytes: progress.receivedBytes };
    return true;
  }

  /** The bytes of the stored chunk that begins at `offset`; none at the end of the file. */
  async #readChunk(offset: number) {
    const call = { type: 'chunk', session: this.#session, id: this.id, offset } as const;
    const { chunk, ...rest } = await this.#connection.call(call);
    return { ...rest, bytes: chunk instanceof Blob ? await chunk.arrayBuffer() : chunk };
  }

  async #do(type: 'task' | 'pause' | 'resume' | 'cancel'): Promise<this> {
    const { task } = await this.#connection.call({ type, session: this.#session, id: this.id });
    this.update(task);
    return this;
  }
}
