// A finished file, read chunk by chunk from the worker.
import { isFileChanged, LonghaulError } from './errors.js';
import { given } from './given.js';
import type { Line } from './line.js';

export class StoredFile {
  readonly #line: Line;
  readonly #session: string;
  readonly #id: string;

  constructor(line: Line, session: string, id: string) {
    this.#line = line;
    this.#session = session;
    this.#id = id;
  }

  async blob(): Promise<Blob> {
    for (;;) {
      try {
        return await this.#readAll();
      } catch (error) {
        // Nobody has seen a byte of the version that was replaced meanwhile.
        if (!isFileChanged(error)) throw error;
      }
    }
  }

  stream(): ReadableStream<Uint8Array> {
    let offset = 0;
    let version: string | undefined;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const { bytes, length, body } = await this.#readChunk(offset, version);
          if (!bytes) return controller.close();
          offset += length;
          version = body;
          controller.enqueue(new Uint8Array(bytes));
        },
      },
      { highWaterMark: 0 },
    );
  }

  async #readAll(): Promise<Blob> {
    const parts: Blob[] = [];
    let version: string | undefined;
    for (let offset = 0; ; ) {
      const { bytes, length, body, contentType } = await this.#readChunk(offset, version);
      if (!bytes) return new Blob(parts, { type: contentType ?? '' });
      parts.push(new Blob([bytes]));
      offset += length;
      version = body;
    }
  }

  /** The bytes of the stored chunk that begins at `offset`, of the version that was begun with; none at the end of the file. */
  async #readChunk(offset: number, body: string | undefined) {
    const call = { type: 'chunk', session: this.#session, id: this.#id, offset, ...given({ body }) } as const;
    const { chunk, ...rest } = await this.#line.call(call);
    const bytes = chunk instanceof Blob ? await chunk.arrayBuffer() : chunk;
    // A stored Blob knows its size even where its content is lost, as was seen in WebKit.
    if (bytes && bytes.byteLength !== rest.length) throw new LonghaulError({ code: 'storage' });
    return { ...rest, bytes };
  }
}
