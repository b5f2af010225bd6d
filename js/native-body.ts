// A finished file, or parts of it, as one Blob: the body of an answer that the browser reads by itself, with or without the
// worker. Firefox takes what a worker streams for ended when the worker is; what it is given as a Blob comes whole.
import { errorData } from './error-data.js';
import { LonghaulError } from './errors.js';
import type { Asking } from './file-bytes.js';

/** A heading between two parts, or where a part begins and ends in the file. */
export type Piece = Uint8Array | [start: number, end: number];

/**
 * All of the pieces, of this version of the file; `undefined` if it is not finished, or its chunks are no Blobs. Nothing is
 * read for it: the parts of a Blob are names.
 */
export async function nativeBody(line: Asking, task: { session: string; id: string }, body: string, pieces: Piece[]): Promise<Blob | undefined> {
  const parts: BlobPart[] = [];
  for (const piece of pieces) {
    if (piece instanceof Uint8Array) {
      parts.push(piece.slice());
      continue;
    }
    let [at, end] = piece;
    while (at < end) {
      const { chunk, start } = await line.call({ type: 'chunk', ...task, offset: at, body }).catch(ifFinished);
      if (!(chunk instanceof Blob)) return undefined;
      const part = chunk.slice(at - start, end - start);
      if (part.size === 0) throw new LonghaulError(errorData('storage'));
      parts.push(part);
      at += part.size;
    }
  }
  return new Blob(parts);
}

function ifFinished(error: unknown): { chunk?: undefined; start: number } {
  if (error instanceof LonghaulError && error.code === 'not-finished') return { start: 0 };
  throw error;
}
