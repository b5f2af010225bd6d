// A look at what is durable, read by a page of the origin itself so that no worker wakes.

/**
 * What is in longhaul's database: the stored chunks of every body as `[offset, length]`, by offset, how many rows each
 * table has, and the first `sampleBytes` of every body's first chunk, as hex.
 */
export const stored = (page, sampleBytes = 0) =>
  page.evaluate(async (sampleBytes) => {
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
    const samples = {};
    for (const [at, [body, offset]] of keys.entries()) {
      (bodies[body] ??= []).push([offset, chunks[at].size ?? chunks[at].byteLength]);
      if (sampleBytes === 0 || body in samples) continue;
      const bytes = new Uint8Array(await new Response(chunks[at]).arrayBuffer());
      samples[body] = [...bytes.subarray(0, sampleBytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    }
    return { bodies, samples, rows: Object.fromEntries(tables.map((name, at) => [name, counts[at]])) };
  }, sampleBytes);

/** How many rows each table has; far cheaper than `stored` where there are thousands of chunks. */
export const rowCounts = (page) =>
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
    const counts = await Promise.all(tables.map((name) => settled(transaction.objectStore(name).count())));
    database.close();
    return Object.fromEntries(tables.map((name, at) => [name, counts[at]]));
  });

/**
 * In which tables the text stands, as a key, in a record or in a stored file, by its UTF-8 bytes; empty if it is
 * nowhere in longhaul's database.
 */
export const tablesWith = (page, text) =>
  page.evaluate(async (text) => {
    const settled = (request) =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    // One character for each byte, so that bytes can be searched as texts.
    const asBytes = (buffer) => new TextDecoder('latin1').decode(buffer);
    const wanted = asBytes(new TextEncoder().encode(text));
    const contains = async (value) => {
      if (typeof value === 'string') return asBytes(new TextEncoder().encode(value)).includes(wanted);
      if (value instanceof Blob) return contains(await value.arrayBuffer());
      if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return asBytes(value).includes(wanted);
      if (typeof value !== 'object' || value === null) return false;
      for (const part of Object.values(value)) if (await contains(part)) return true;
      return false;
    };
    const { scope } = await navigator.serviceWorker.ready;
    const database = await settled(indexedDB.open(`longhaul:${scope}`));
    const found = [];
    for (const name of database.objectStoreNames) {
      const table = database.transaction(name).objectStore(name);
      const rows = await Promise.all([settled(table.getAllKeys()), settled(table.getAll())]);
      if (await contains(rows)) found.push(name);
    }
    database.close();
    return found;
  }, text);

/** The half-open ranges that are stored of one body, adjacent ones joined. No byte may be stored twice. */
export function rangesOf(chunks = []) {
  const ranges = [];
  for (const [offset, length] of chunks) {
    const last = ranges.at(-1);
    if (last && offset < last.end) throw new Error(`a chunk begins at ${offset}, the one before ends at ${last.end}`);
    if (last?.end === offset) last.end += length;
    else ranges.push({ start: offset, end: offset + length });
  }
  return ranges;
}

/** The ranges of the one stored body. */
export function durableRanges({ bodies }) {
  const [chunks, ...others] = Object.values(bodies);
  if (others.length > 0) throw new Error(`expected one body, found ${others.length + 1}`);
  return rangesOf(chunks);
}

/** How many bytes these ranges have. */
export const lengthOf = (ranges) => ranges.reduce((sum, { start, end }) => sum + end - start, 0);

/** The parts that lie in one of `some` and in one of `others`. */
export function common(some, others) {
  const parts = some.flatMap((one) => others.map((other) => ({ start: Math.max(one.start, other.start), end: Math.min(one.end, other.end) })));
  return parts.filter(({ start, end }) => start < end);
}

/** The length of the one stored body, whose chunks must follow one another without a hole. */
export function contiguousLength(found) {
  const ranges = durableRanges(found);
  if (ranges.length > 1 || (ranges[0]?.start ?? 0) > 0) throw new Error(`there are holes between ${JSON.stringify(ranges)}`);
  return ranges[0]?.end ?? 0;
}
