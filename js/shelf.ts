// Finished files where the component cannot be started: its file is nowhere to be had, or the browser runs no wasm. What
// is there can be looked up and read, one task at a time; all else needs the component.
import { given } from './given.js';
import { openAsItIs } from './marker.js';
import type { Answers, Call } from './protocol.js';
import { readProgress, readTask } from './records.js';

/** The answer, from the database of this name; `undefined` where the component would be needed. */
export async function answerFromShelf(name: string, call: Call): Promise<Answers[keyof Answers] | undefined> {
  const isKnown = call.type === 'open' || call.type === 'task' || call.type === 'chunk' || call.type === 'serve';
  const database = isKnown ? await openAsItIs(name) : undefined;
  if (!database || !isKnown) return undefined;
  const get = (table: string, ...key: (string | number)[]) =>
    new Promise<any>((resolve, reject) => {
      const request = database.transaction(table).objectStore(table).get(key);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  try {
    if (call.type === 'open') return (await get('sessions', call.session)) && { version: call.version };
    const [row, progress] = await Promise.all([get('tasks', call.session, call.id), get('progress', call.session, call.id)]);
    if (!row) return undefined;
    const { isCompleted, url, ...about } = readTask(row.v);
    const { body, length = 0, ...file } = readProgress(progress);
    if (!isCompleted) return undefined;
    if (call.type === 'serve') {
      // RFC 9110 section 14.2: a server may ignore Range.
      return { status: 200, parts: [[0, length]], length, body, etag: `"${body}"`, ...given(file) };
    }
    if (call.type !== 'chunk') {
      return { task: { ...shown, id: call.id, url, receivedBytes: length, completeLength: length, ...given(about), ...given(file) } };
    }
    // Bytes of another version are of no use to the reader.
    if (call.body !== undefined && call.body !== body) return undefined;
    const of = { body, ...given({ contentType: file.contentType }) };
    if (call.offset === length) return { start: length, length: 0, ...of };
    const start = await lastKey(database, IDBKeyRange.bound([body, 0], [body, call.offset]));
    const chunk: Blob | ArrayBuffer | undefined = await get('chunks', body, start);
    return chunk && { chunk, start, length: chunk instanceof Blob ? chunk.size : chunk.byteLength, ...of };
  } finally {
    database.close();
  }
}

/** Where the last chunk of these begins. */
function lastKey(database: IDBDatabase, range: IDBKeyRange): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = database.transaction('chunks').objectStore('chunks').openKeyCursor(range, 'prev');
    request.onsuccess = () => resolve((request.result?.key as [string, number])[1]);
    request.onerror = () => reject(request.error);
  });
}

/** What is not looked up, and matters no more. */
const shown = { state: 'completed', resumability: 'restart-only', priority: 'normal', segments: 0, hasPreviousFile: false, createdAt: 0, restarts: 0, repairs: 0 } as const;
