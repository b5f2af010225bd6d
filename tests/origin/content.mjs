// The bytes of a test file: pseudo-random, incompressible, the same for the same seed, computable at any offset.
// Nothing is stored on disk; a file of 2 GiB costs no more than the blocks that are being sent.
import { createHash } from 'node:crypto';

export const BLOCK_LENGTH = 64 * 1024;
const CACHED_BLOCKS = 256;

/** Blocks by `seed/index`, the least recently used first. */
const cache = new Map();
const digests = new Map();

/** FNV-1a over the key's text: 32 bits that differ in every block. */
function hashKey(text) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** One block, by mulberry32. Written in little-endian order, so that every machine serves the same bytes. */
function generateBlock(key) {
  const block = Buffer.allocUnsafe(BLOCK_LENGTH);
  let state = hashKey(key);
  for (let at = 0; at < BLOCK_LENGTH; at += 4) {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    block.writeInt32LE(t ^ (t >>> 14), at);
  }
  return block;
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

/** `length` bytes of the file `seed` from `offset`, as one Buffer. */
export function bytes(seed, offset, length) {
  return Buffer.concat([...pieces(seed, offset, offset + length)]);
}

/** The SHA-256 of the first `length` bytes of the file `seed`, as hex. Never holds the whole file. */
export function sha256(seed, length) {
  const key = `${seed}/${length}`;
  if (!digests.has(key)) {
    const hash = createHash('sha256');
    for (const piece of pieces(seed, 0, length)) hash.update(piece);
    digests.set(key, hash.digest('hex'));
  }
  return digests.get(key);
}
