// The bytes of one file, from wherever in it, read from the component one stored chunk at a time; all of one version.
import { isFileDamaged, LonghaulError } from './errors.js';
import { given } from './given.js';
import type { Line } from './line.js';
import type { Answers, Call } from './protocol.js';

/** Asks the component. */
export type Asking = Pick<Line, 'call'>;

/** A call for a chunk. */
type ChunkCall = Call & { type: 'chunk' | 'check' };

/** Asks the component for chunks. */
interface ChunkLine {
  call(call: ChunkCall, signal?: AbortSignal): Promise<Answers['chunk']>;
}

/** A stored chunk of one version of a file. */
export interface Chunk {
  readonly body?: string;
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** What is to be read, and how. */
interface Wish {
  /** The version that is wanted; without it, the one that is found first. */
  body?: string;
  /** What has not come yet is waited for; else the file must be there. */
  waits?: boolean;
  /** A chunk that was read before, of whatever file. */
  chunk?: Chunk | undefined;
  /** Is told each chunk that is read. */
  onChunk?(chunk: Chunk): void;
}

export class FileBytes {
  readonly #line: ChunkLine;
  readonly #session: string;
  readonly #id: string;
  readonly #waits: boolean;
  readonly #onChunk: Wish['onChunk'];
  readonly #left = new AbortController();
  #body: string | undefined;
  /** The chunk that was read last: who reads in small steps does not read it again. */
  #chunk: Chunk = { start: 0, bytes: new Uint8Array() };
  #contentType: string | undefined;

  constructor(line: ChunkLine, session: string, id: string, { body, waits = false, chunk, onChunk }: Wish = {}) {
    this.#line = line;
    this.#session = session;
    this.#id = id;
    this.#body = body;
    this.#waits = waits;
    this.#onChunk = onChunk;
    if (chunk && chunk.body === body) this.#chunk = chunk;
  }

  /** The media type, known once something was read. */
  get contentType(): string | undefined {
    return this.#contentType;
  }

  /** The bytes from `offset` on, as far as one chunk has them and not beyond `end`; none at the end of the file. */
  async read(offset: number, end = Infinity): Promise<Uint8Array | undefined> {
    const from = offset - this.#chunk.start;
    if (from < 0 || from >= this.#chunk.bytes.length) await this.#load(offset);
    const { start, bytes } = this.#chunk;
    const found = bytes.subarray(offset - start, Math.min(end - start, bytes.length));
    return found.length > 0 ? found : undefined;
  }

  /** Nobody waits for bytes any more. */
  leave(): void {
    // A worker of WebKit hangs for ever when an event is dispatched while the stream of an answer is being cancelled.
    queueMicrotask(() => this.#left.abort());
  }

  /** The bytes from `start` on, read when they are wanted. */
  stream(start = 0, end = Infinity): ReadableStream<Uint8Array> {
    let offset = start;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const bytes = offset < end ? await this.read(offset, end) : undefined;
          if (!bytes) return controller.close();
          offset += bytes.length;
          controller.enqueue(bytes.slice());
        },
        cancel: () => this.leave(),
      },
      { highWaterMark: 0 },
    );
  }

  async #load(offset: number, tries = 3): Promise<void> {
    const of = { session: this.#session, id: this.#id, offset, ...given({ body: this.#body }) };
    try {
      await this.#take({ type: 'chunk', waits: this.#waits, ...of }).catch((error) => {
        if (!isFileDamaged(error)) throw error;
        // What cannot be read here the worker tries, and has it fetched anew if it cannot either.
        return this.#take({ type: 'check', ...of });
      });
    } catch (error) {
      if (!this.#waits || !isFileDamaged(error) || tries === 0) throw error;
      await this.#load(offset, tries - 1);
    }
  }

  async #take(call: ChunkCall): Promise<void> {
    const { chunk, start, length, body, contentType } = await this.#line.call(call, this.#left.signal);
    const buffer = chunk instanceof Blob ? await chunk.arrayBuffer().catch(() => undefined) : (chunk ?? new ArrayBuffer());
    // A stored Blob knows its size even where its content is lost, as was seen in WebKit.
    if (buffer?.byteLength !== length) throw new LonghaulError({ code: 'file-damaged' });
    this.#body = body;
    this.#contentType = contentType;
    this.#chunk = { body, start, bytes: new Uint8Array(buffer) };
    this.#onChunk?.(this.#chunk);
  }
}
