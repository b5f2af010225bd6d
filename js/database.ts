// IndexedDB as the worker's TypeScript reads it, without the component. Callbacks only settle promises: an exception in one
// of them would leave its promise pending for ever.

/** The database of this name, if there is one. It is neither made nor migrated. */
export async function openAsItIs(name: string): Promise<IDBDatabase | undefined> {
  // WebKit would keep an empty one, although its making was aborted. Older browsers cannot list them.
  const known = await indexedDB.databases?.().catch(() => undefined);
  if (known && !known.some((database) => database.name === name)) return undefined;
  const request = indexedDB.open(name);
  // It has gone meanwhile, and shall not come back.
  request.onupgradeneeded = () => request.transaction?.abort();
  return resultOf(request).catch(() => undefined);
}

/** What a request brings; that of a cursor brings the next one each time that it is continued. */
export function resultOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = (event) => {
      event.preventDefault();
      reject(request.error);
    };
  });
}
