// The bytes of a test file: pseudo-random, incompressible, the same for the same seed, computable at any offset.
// Nothing is stored on disk; a file of 2 GiB costs no more than the blocks that are being sent.
import { createCipheriv, createHash } from 'node:crypto';

export const BLOCK_LENGTH = 64 * 1024;
const CACHED_BLOCKS = 256;
const ZEROS = Buffer.alloc(BLOCK_LENGTH);
const ZERO_IV = Buffer.alloc(16);

/** Blocks by `seed/index`, the least recently used first. */
const cache = new Map();
const digests = new Map();

/** One block: the AES-256-CTR key stream of the key's text, the same bytes on every machine, at about 1 GB/s. */
function generateBlock(key) {
  const cipher = createCipheriv('aes-256-ctr', createHash('sha256').update(key).digest(), ZERO_IV);
  return cipher.update(ZEROS);
}

function blockAt(seed, index) {
  const key = `${seed}/${index}`;
  const block = cache.get(key) ?? generateBlock(key);
  cache.delete(key);
  cache.set(key, block);
  if (cache.size > CACHED_BLOCKS) cache.delete(cache.keys().next().value);
  return block;
}

/** The bytes of the half-open range [start, end) as pieces that end at block borders. Do not write into them. */
export function* pieces(seed, start, end) {
  for (let at = start; at < end; ) {
    const index = Math.floor(at / BLOCK_LENGTH);
    const from = at - index * BLOCK_LENGTH;
    const to = Math.min(BLOCK_LENGTH, from + end - at);
    yield blockAt(seed, index).subarray(from, to);
    at += to - from;
  }
}

/** The same of a file whose bytes are `data`. */
export function* piecesOf(data, start, end) {
  for (let at = start; at < end; at += BLOCK_LENGTH) yield data.subarray(at, Math.min(at + BLOCK_LENGTH, end));
}

/** The pieces of a body that begins at `start`, with every byte in one of the half-open `ranges` inverted. */
export function* corrupted(body, start, ranges) {
  let at = start;
  for (const piece of body) {
    const end = at + piece.length;
    const hit = ranges.filter((range) => range.start < end && range.end > at);
    const copy = hit.length > 0 ? Buffer.from(piece) : piece;
    for (const range of hit) {
      for (let i = Math.max(range.start, at); i < Math.min(range.end, end); i++) copy[i - at] = piece[i - at] ^ 0xff;
    }
    yield copy;
    at = end;
  }
}

/** `length` bytes of the file `seed` from `offset`, as one Buffer. */
export function bytes(seed, offset, length) {
  return Buffer.concat([...pieces(seed, offset, offset + length)]);
}

/** The digest of the first `length` bytes of the file `seed`, by an algorithm of node:crypto. Never holds them all. */
export function digest(seed, length, algorithm) {
  const key = `${algorithm}/${seed}/${length}`;
  if (!digests.has(key)) {
    const hash = createHash(algorithm);
    for (const piece of pieces(seed, 0, length)) hash.update(piece);
    digests.set(key, hash.digest());
  }
  return digests.get(key);
}

/** The SHA-256 of the first `length` bytes of the file `seed`, as hex. */
export const sha256 = (seed, length) => digest(seed, length, 'sha256').toString('hex');
