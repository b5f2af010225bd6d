// Integrity fields of RFC 9530. Repr-Digest covers the whole representation, also in a 206; Content-Digest covers
// the bytes of this one body.
import { createHash } from 'node:crypto';

const FIELDS = ['Repr-Digest', 'Content-Digest'];
/** The names of RFC 9530 (section 5) and of node:crypto. */
const ALGORITHMS = { 'sha-256': 'sha256', 'sha-512': 'sha512' };

/** Throws for a digest that no answer could carry. */
export function checkDigests(digests) {
  for (const { field, algorithm } of digests) {
    if (!FIELDS.includes(field)) throw new TypeError(`there is no digest field "${field}"`);
    if (!(algorithm in ALGORITHMS)) throw new TypeError(`there is no digest algorithm "${algorithm}"`);
  }
}

function member({ algorithm, wrong }, right) {
  const value = wrong ? Buffer.from(right.map((byte) => byte ^ 0xff)) : right;
  return `${algorithm}=:${value.toString('base64')}:`;
}

function contentDigest(pieces, algorithm) {
  const hash = createHash(algorithm);
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
}

/**
 * The fields for `digests`, a list of `{ field, algorithm, wrong? }`. `reprDigest(algorithm)` gives the digest of the
 * representation, `content()` the pieces of the body.
 */
export function digestFields(digests, { reprDigest, content }) {
  const headers = {};
  for (const digest of digests) {
    const algorithm = ALGORITHMS[digest.algorithm];
    const right = digest.field === 'Repr-Digest' ? reprDigest(algorithm) : contentDigest(content(), algorithm);
    headers[digest.field] = [headers[digest.field], member(digest, right)].filter(Boolean).join(', ');
  }
  return headers;
}
