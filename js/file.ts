// A finished file, read chunk by chunk from the worker.
import { LonghaulError } from './errors.js';
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
    const parts: Blob[] = [];
    for (let offset = 0; ; ) {
      const { bytes, length, contentType } = await this.#readChunk(offset);
      if (!bytes) return new Blob(parts, { type: contentType ?? '' });
      parts.push(new Blob([bytes]));
      offset += length;
    }
  }

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

  /** The bytes of the stored chunk that begins at `offset`; none at the end of the file. */
  async #readChunk(offset: number) {
    const call = { type: 'chunk', session: this.#session, id: this.#id, offset } as const;
    const { chunk, ...rest } = await this.#line.call(call);
    const bytes = chunk instanceof Blob ? await chunk.arrayBuffer() : chunk;
    // A stored Blob knows its size even where its content is lost, as was seen in WebKit.
    if (bytes && bytes.byteLength !== rest.length) throw new LonghaulError({ code: 'storage' });
    return { ...rest, bytes };
  }
}
