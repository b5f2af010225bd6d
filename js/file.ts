// A task's file: what it is, and its bytes, as a Blob, a stream, a buffer, or behind a URL that the worker answers.
import { check } from './check.js';
import { badArgument, isFileChanged, LonghaulError } from './errors.js';
import { type Destination, destinationFields, isDestination } from './destination.js';
import { FileBytes } from './file-bytes.js';
import { fileUrl, NO_CONTROLLER } from './file-url.js';
import type { SessionLine } from './reopening.js';
import type { AboutTask } from './task.js';
import type { TaskSnapshot } from './types.js';

/** A media type that no browser can read as another, nor guesses in its place. */
const CLEAR = /^[\w.+-]+\/[\w.+-]+\s*(;[^,]*)?$/;

/** Media types that browsers run as a page of whoever shows them, or as one in parts. */
const ACTIVE = /^(text\/(html|xsl)|multipart\/|[^;]*[/+]xml\s*(;|$))/i;

/** A part of a file. */
export interface FileRange {
  /** The position of its first byte. Default 0. */
  start?: number;
  /** The position behind its last byte. Default: the end of the file. */
  end?: number;
}

/** Its task, as it is known here. */
interface Followed {
  readonly snapshot: TaskSnapshot;
  ask(call: AboutTask): Promise<unknown>;
  until(isSo: (snapshot: TaskSnapshot) => boolean): Promise<void>;
}

export class TaskFile {
  readonly #line: SessionLine;
  readonly #task: Followed;

  /** @internal */
  constructor(line: SessionLine, task: Followed) {
    this.#line = line;
    this.#task = task;
  }

  /** Its length in bytes, once known. */
  get size(): number | undefined {
    return this.#task.snapshot.completeLength;
  }

  /** Its media type, as the server sent it. */
  get type(): string {
    return this.#task.snapshot.contentType ?? '';
  }

  /**
   * Its URL, which the worker answers with its bytes and with ranges of them: for `<video>`, `<audio>`, `<img>` and
   * `fetch`. As a frame, a script or a style it is refused, and what it is runs no script.
   */
  get url(): string {
    return fileUrl(this.#line.files, this.#line.session, this.#task.snapshot.id);
  }

  /**
   * `url`, once it is sure that the worker answers it. On a page that it does not answer (`not-controlled`) this rejects, or
   * waits until it does, or gives a Blob URL of the finished file, which the app is to revoke: as `otherwise` says.
   */
  async servedUrl(options: { otherwise?: 'error' | 'wait' | 'blob' } = {}): Promise<string> {
    const { otherwise = 'error' } = check(options, { otherwise: 'error wait blob' });
    for (;;) {
      try {
        const { url } = this;
        await this.#line.checkFiles();
        return url;
      } catch (error) {
        if (otherwise === 'error') throw error;
        if (otherwise === 'blob') return URL.createObjectURL(await this.blob());
        // Nothing else would end by itself.
        if ((error as LonghaulError).detail !== NO_CONTROLLER) throw error;
        await new Promise((resolve) => navigator.serviceWorker.addEventListener('controllerchange', resolve, { once: true }));
      }
    }
  }

  /** The name that the server suggests, or else that its URL has, safe to use as a file's name; once that has answered. */
  get name(): string | undefined {
    return this.#task.snapshot.fileName;
  }

  /**
   * All of it. Its bytes are copied once, a chunk at a time, into Blobs that the browser may keep on disk. A type that a
   * browser would run as a page of the app (HTML, SVG, XML), or would guess (none, or several), becomes
   * `application/octet-stream`, unless `type` asks for it.
   */
  async blob(options: { type?: string } = {}): Promise<Blob> {
    const { type } = check(options, { type: 0 });
    for (;;) {
      try {
        const file = this.#bytes();
        const parts: Blob[] = [];
        for (let offset = 0; ; ) {
          const bytes = await file.read(offset);
          if (!bytes) return new Blob(parts, { type: type ?? inert(file.contentType ?? '') });
          parts.push(new Blob([bytes as Uint8Array<ArrayBuffer>]));
          offset += bytes.length;
        }
      } catch (error) {
        // Nobody has seen a byte of the version that was replaced meanwhile.
        if (!isFileChanged(error)) throw error;
      }
    }
  }

  /** All of it in memory. */
  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.blob()).arrayBuffer();
  }

  /**
   * Its bytes, or a part of them, one stored chunk in memory at a time. The stream ends with `file-changed` if another
   * version takes the file's place meanwhile (`ifExists`): bytes of two are never mixed.
   */
  stream(range: FileRange = {}): ReadableStream<Uint8Array> {
    const { start = 0, end = Infinity } = check(range, { start: 0, end: 0 });
    if (!Number.isSafeInteger(start) || start < 0) throw badArgument('start', start, 'a position');
    if (!(end >= start)) throw badArgument('end', end, 'a position behind start');
    return this.#bytes().stream(start, end);
  }

  /** Whether the finished file is here, on its way to where `moveTo` or `destination` said, or gone. */
  get place(): 'here' | 'moving' | 'gone' {
    return this.#task.snapshot.file ?? 'here';
  }

  /**
   * Moves the finished file out of longhaul's storage, one chunk in memory at a time: into a cache, into the origin private
   * file system, into a file that the user picked, or into any stream. The file here is let go when all of it is there, and
   * not before, so that both need room for a while. Into a cache or the origin private file system the worker moves it by
   * itself: durably, with or without this page, begun again after a kill. Anything else this page has to do; cut short, it
   * leaves the file here, and a picked file as it was.
   */
  async moveTo(target: Destination | FileSystemFileHandle | WritableStream<Uint8Array>, options: { signal?: AbortSignal } = {}): Promise<void> {
    check(options, { signal: 0 });
    const destination = await durable(target);
    if (destination) return this.#moveAway(destination);
    const sink = target as FileSystemFileHandle | WritableStream<Uint8Array>;
    const stream = sink instanceof WritableStream ? sink : await sink.createWritable().catch(refuse);
    await this.stream().pipeTo(stream, options);
    await this.release();
  }

  /** Lets go of the finished file, which is taken, or not wanted any more. The task stays; `task.release()` deletes both. */
  async release(): Promise<void> {
    await this.#task.ask({ type: 'release-file' });
  }

  async #moveAway(destination: Destination): Promise<void> {
    await this.#task.ask({ type: 'move', destination: destinationFields(destination, this.#task.snapshot.url) });
    await this.#task.until(({ file, state }) => file !== 'moving' || state !== 'completed');
    const { file, fileError } = this.#task.snapshot;
    if (file !== 'gone') throw new LonghaulError(fileError ?? { code: 'aborted', detail: 'another call came first' });
  }

  /**
   * Gives it to the browser's own downloads, as a file with this name (default: its own), also while
   * it is still on its way: then what has come is written at once, and the rest as it comes. In Chromium that keeps the
   * worker at work with every page closed. Resolves once the browser has begun; the worker must answer this page's requests
   * (`not-controlled`, `not-in-scope`), and the page be allowed to have frames (`save-failed`).
   */
  async saveAs(name = this.name ?? ''): Promise<void> {
    await this.#line.save(`${await this.servedUrl()}&${new URLSearchParams({ download: name })}`);
  }

  #bytes(): FileBytes {
    return new FileBytes(this.#line, this.#line.session, this.#task.snapshot.id);
  }
}

/** Where the worker can move it by itself: a handle of the origin private file system tells its path. */
async function durable(target: object): Promise<Destination | undefined> {
  if (isDestination(target)) return target;
  if (target instanceof WritableStream) return undefined;
  const path = await (await navigator.storage?.getDirectory?.())?.resolve(target as FileSystemFileHandle).catch(() => null);
  return path ? { opfs: path.join('/') } : undefined;
}

/** The user has not allowed it, or the file is open elsewhere. */
function refuse(error: unknown): never {
  throw new LonghaulError({ code: 'destination-failed', detail: String(error) });
}

function inert(type: string): string {
  return CLEAR.test(type) && !ACTIVE.test(type) ? type : 'application/octet-stream';
}
