// A look at what is durable, read by a page of the origin itself so that no worker wakes.

/**
 * What is in longhaul's database: the stored chunks of every body as `[offset, length]`, and how many rows each
 * table has.
 */
export const stored = (page) =>
  page.evaluate(async () => {
    const settled = (request) =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const { scope } = await navigator.serviceWorker.ready;
    const database = await settled(indexedDB.open(`longhaul:${scope}`));
    const tables = [...database.objectStoreNames];
    const transaction = database.transaction(tables);
    const [keys, chunks] = await Promise.all([
      settled(transaction.objectStore('chunks').getAllKeys()),
      settled(transaction.objectStore('chunks').getAll()),
    ]);
    const counts = await Promise.all(tables.map((name) => settled(transaction.objectStore(name).count())));
    database.close();
    const bodies = {};
    keys.forEach(([body, offset], at) => (bodies[body] ??= []).push([offset, chunks[at].size ?? chunks[at].byteLength]));
    return { bodies, rows: Object.fromEntries(tables.map((name, at) => [name, counts[at]])) };
  });

/** The length of the one stored body, whose chunks must follow one another without a hole. */
export function contiguousLength({ bodies }) {
  const [chunks, ...others] = Object.values(bodies);
  if (others.length > 0) throw new Error(`expected one body, found ${others.length + 1}`);
  return (chunks ?? []).reduce((end, [offset, length]) => {
    if (offset !== end) throw new Error(`a chunk begins at ${offset}, the one before ends at ${end}`);
    return end + length;
  }, 0);
}
