// Finished files where the component cannot be started: its file is nowhere to be had, or the browser runs no wasm. What
// is there can be looked up and read, one task at a time; all else needs the component.
import { openAsItIs, resultOf } from './database.js';
import { given } from './given.js';
import type { Answers, Call } from './protocol.js';
import { readProgress, readTask } from './records.js';

/** The answer, from the database of this name; `undefined` where the component would be needed. */
export async function answerFromShelf(name: string, call: Call): Promise<Answers[keyof Answers] | undefined> {
  const isKnown = call.type === 'open' || call.type === 'task' || call.type === 'chunk' || call.type === 'serve';
  const database = isKnown ? await openAsItIs(name) : undefined;
  if (!database || !isKnown) return undefined;
  const get = (table: string, ...key: IDBValidKey[]): Promise<any> => resultOf(database.transaction(table).objectStore(table).get(key));
  try {
    if (call.type === 'open') return (await get('sessions', call.session)) && { version: call.version };
    const [row, progress] = await Promise.all([get('tasks', call.session, call.id), get('progress', call.session, call.id)]);
    if (!row) return undefined;
    const { isCompleted, url, ...about } = readTask(row.v);
    const { body, length = 0, ...file } = readProgress(progress);
    if (!isCompleted) return undefined;
    if (call.type === 'task') {
      return { task: { ...shown, id: call.id, url, receivedBytes: length, completeLength: length, ...given(about), ...given(file) } };
    }
    // Bytes of another version are of no use to the reader, whose name for it begins with the body's.
    const { offset, body: begun } = call.type === 'chunk' ? call : { offset: 0, body: undefined };
    if (begun?.startsWith(body) === false) return undefined;
    const chunks = database.transaction('chunks').objectStore('chunks');
    const range = IDBKeyRange.bound([body, 0], [body, offset]);
    const last = offset < length ? await resultOf(chunks.openKeyCursor(range, 'prev')) : undefined;
    // A file that was moved or released has no chunks.
    if (!last && offset < length) return undefined;
    if (call.type === 'serve') {
      // RFC 9110 section 14.2: a server may ignore Range.
      return { status: 200, parts: [[0, length]], length, body, etag: `"${body}"`, ...given(file) };
    }
    const of = { body: begun ?? body, ...given({ contentType: file.contentType }) };
    if (!last) return { start: length, length: 0, ...of };
    const [, start] = last.key as [string, number];
    const chunk: Blob | ArrayBuffer | undefined = await get('chunks', body, start);
    return chunk && { chunk, start, length: chunk instanceof Blob ? chunk.size : chunk.byteLength, ...of };
  } finally {
    database.close();
  }
}

/** What is not looked up, and matters no more. */
const shown = { state: 'completed', resumability: 'restart-only', priority: 'normal', segments: 0, hasPreviousFile: false, createdAt: 0, restarts: 0, repairs: 0 } as const;
