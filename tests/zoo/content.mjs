// The four files that every server serves, the same bytes in each run.
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { pieces } from '../origin/content.mjs';

const MIB = 1 << 20;
/** Old enough for dates to be strong validators. */
const CHANGED_AT = new Date('2025-03-01T12:00:00Z');
const WORDS = 'a book of songs about rivers and the people who live near them in winter and summer'.split(' ');

const random = (length, seed) => Buffer.concat([...pieces(seed, 0, length)]);

/** Words in an order that compresses about as well as prose. */
function text(length) {
  const order = random(length, 'text');
  const parts = [];
  for (let size = 0, at = 0; size < length; at++) {
    const word = `${WORDS[order[at] % WORDS.length]}${order[at] > 240 ? '.\n' : ' '}`;
    parts.push(word);
    size += word.length;
  }
  return Buffer.from(parts.join('').slice(0, length));
}

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/**
 * Writes the files into a temporary folder: `{ folder, files, remove }`. A file has the `name` that servers know, the
 * `bytes` on the disk, the `decodedBytes` and the `sha256` of what an app is to get.
 */
export async function writeFiles() {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'longhaul-zoo-files-'));
  // Some servers give up root and must be able to read it all the same.
  await fs.chmod(folder, 0o755);
  const prose = text(6 * MIB);
  const contents = {
    large: ['large.bin', random(12 * MIB, 'large')],
    text: ['text.txt', prose],
    empty: ['empty.bin', Buffer.alloc(0)],
    stored: ['stored.txt.gz', zlib.gzipSync(prose), prose],
  };
  const files = {};
  for (const [key, [name, bytes, decoded = bytes]] of Object.entries(contents)) {
    const file = path.join(folder, name);
    await fs.writeFile(file, bytes);
    await fs.utimes(file, CHANGED_AT, CHANGED_AT);
    files[key] = { name, bytes: bytes.length, decodedBytes: decoded.length, sha256: sha256(decoded) };
  }
  return { folder, files, remove: () => fs.rm(folder, { recursive: true }) };
}
