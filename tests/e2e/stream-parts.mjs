// A file that is too long to be hashed in one buffer: its page hashes each part of its stream alone, and the same parts of
// the server's file are hashed here. No byte leaves the page: each Blob to send would stay in the browser's memory for a
// while, until Chromium has none left.
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';

/** The parts of a finished task's file, read as a stream, each as `{ length, sha256 }`: only one at a time is in memory. */
export const partsOfStream = (page, id) =>
  page.evaluate(async (id) => {
    const task = await session.task(id);
    // WebKit has no `for await` on streams.
    const reader = task.file().stream().getReader();
    const parts = [];
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', part.value));
      parts.push({ length: part.value.length, sha256: Array.from(sum, (byte) => byte.toString(16).padStart(2, '0')).join('') });
    }
    return parts;
  }, id);

/** The file at `path` in parts as long as these, and what is left. */
export async function partsOfFile(path, parts) {
  const handle = await fs.open(path);
  try {
    const same = [];
    for (const { length } of parts) {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(length));
      same.push({ length: bytesRead, sha256: createHash('sha256').update(buffer.subarray(0, bytesRead)).digest('hex') });
    }
    const { bytesRead } = await handle.read(Buffer.alloc(1));
    return { parts: same, hasMore: bytesRead > 0 };
  } finally {
    await handle.close();
  }
}
