// One file that the origin serves: what it is at this moment, the faults that wait for it, and the answer that a
// server without faults would give. Everything may be changed while responses are under way.
import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { textAnswer } from './access.mjs';
import { corrupted, digest, pieces, piecesOf } from './content.mjs';
import { EXPOSED } from './cors.mjs';
import { checkDigests, digestFields } from './digest-fields.mjs';
import { KINDS } from './faults.mjs';
import { contentRange, ifRangeHolds, notModified, parseRange, selectRange } from './rfc9110.mjs';

const DEFAULTS = {
  length: 0,
  seed: 1,
  /** A Buffer: the file's bytes, which then count instead of length and seed. */
  data: null,
  /** undefined: a strong one made from seed and length; null: none; else sent as it is, so it may be weak. */
  etag: undefined,
  /** An HTTP date or null. It does not move by itself when the content changes. */
  lastModified: null,
  contentType: 'application/octet-stream',
  /** false: no Accept-Ranges, and always the whole body with 200. */
  ranges: true,
  /** false: the length is told nowhere; the body is chunked. */
  sendLength: true,
  /** Per answer, and so per connection. Infinity: not throttled; 0: holds the body until it is changed. */
  bytesPerSecond: Infinity,
  /** 'none'; 'plain': readable, but no preflight passes and nothing is exposed; 'expose': everything works. */
  cors: 'none',
  /** The names that `cors: 'expose'` exposes. */
  exposed: EXPOSED,
  /** 'pass', 'refuse' (204 that allows nothing), 'unknown' (405); undefined: what goes with `cors`. */
  preflight: undefined,
  /** Further headers of every answer that is about the file. */
  headers: {},
  /** `[{ field: 'Repr-Digest' | 'Content-Digest', algorithm: 'sha-256' | 'sha-512', wrong? }]` */
  digests: [],
  /** Half-open ranges whose bytes are wrong in this copy. Content-Digest is of them, Repr-Digest of the right file. */
  corrupt: [],
  /** null: everyone may read; else a gate of `access.mjs`. */
  access: null,
  /** null, or `{ status = 302, to }`: what else this resource is does not count. `to(entry)` may be a function. */
  redirect: null,
  /** How many requests may be open at once; one more is answered with 429. */
  maxOpen: Infinity,
  /** The Retry-After of that 429; null: none. */
  retryAfter: 1,
  /** From a request to the head of its answer. Infinity: until it is changed. */
  latencyMs: 0,
};

/**
 * Emits `change` after each update and `release` when stalled responses may go on.
 * The fields of `DEFAULTS` are its properties; change them with `update`.
 */
export class Resource extends EventEmitter {
  #etag;

  constructor({ faults = [], ...fields }) {
    super();
    this.setMaxListeners(0);
    /** Faults that no request has met yet, in order. */
    this.faults = [];
    this.update({ ...DEFAULTS, ...fields });
    for (const fault of faults) this.addFault(fault);
  }

  get etag() {
    return this.#etag === undefined ? `"${this.seed}-${this.length}"` : this.#etag;
  }

  get sha256() {
    return this.#digest('sha256').toString('hex');
  }

  update({ etag, ...fields }) {
    for (const name of Object.keys(fields)) {
      if (!(name in DEFAULTS)) throw new TypeError(`a resource has no "${name}"`);
    }
    checkDigests(fields.digests ?? []);
    if (etag !== undefined) this.#etag = etag;
    Object.assign(this, fields);
    if (this.data) this.length = this.data.length;
    this.emit('change');
  }

  /**
   * Queues `{ kind, when?, times?, … }`: the first requests (`times`, default 1) whose log entry satisfies `when`
   * meet it. For the kinds and what else they need see `faults.mjs`.
   */
  addFault(fault) {
    if (!(fault.kind in KINDS)) throw new TypeError(`there is no fault "${fault.kind}"`);
    this.faults.push({ times: 1, ...fault });
  }

  /** The fault that the request of this log entry meets, if any; it is used up by that. */
  takeFault(entry, freshConnection) {
    const fault = this.faults.find(({ when }) => !when || when(entry));
    // A browser silently repeats a request whose re-used connection closed, so only a fresh one counts as refused.
    const counts = fault && (fault.kind !== 'refuse' || freshConnection);
    if (counts && --fault.times <= 0) this.faults.splice(this.faults.indexOf(fault), 1);
    return fault;
  }

  /** Lets every response that is stalled now go on. */
  release() {
    this.emit('release');
  }

  /** The answer for a request that is not let in, whatever it asks for, or undefined. It meets no fault. */
  refusal(request, entry) {
    if (entry.concurrent > this.maxOpen) {
      return textAnswer(429, this.retryAfter === null ? {} : { 'Retry-After': this.retryAfter });
    }
    return this.access?.refusal(request);
  }

  /**
   * The right answer by RFC 9110 for this request: status, headers, and the range [start, end) of the representation
   * that is its body.
   */
  answer(request, entry) {
    const { method, headers } = request;
    if (this.redirect) {
      const { status = 302, to } = this.redirect;
      return textAnswer(status, { Location: typeof to === 'function' ? to(entry) : to });
    }
    if (notModified(headers, this)) return { status: 304, headers: this.#headers(), start: 0, end: 0 };
    const usable = this.ranges && method === 'GET' && ifRangeHolds(headers['if-range'], this);
    const range = usable ? parseRange(headers.range) : undefined;
    if (!range) return this.whole(method === 'HEAD');
    const selected = selectRange(range, this.length);
    return selected ? this.part(selected) : this.unsatisfiable();
  }

  /** What every answer tells about the file. */
  #headers() {
    const headers = { 'Content-Type': this.contentType };
    if (this.ranges) headers['Accept-Ranges'] = 'bytes';
    if (this.etag !== null) headers.ETag = this.etag;
    if (this.lastModified !== null) headers['Last-Modified'] = this.lastModified;
    return { ...headers, ...this.headers };
  }

  #digest(algorithm) {
    return this.data ? createHash(algorithm).update(this.data).digest() : digest(this.seed, this.length, algorithm);
  }

  /** Content-Digest is of the content, which an answer to HEAD does not have (RFC 9530, appendix B.2). */
  #digests(range) {
    return digestFields(this.digests, {
      reprDigest: (algorithm) => this.#digest(algorithm),
      content: () => this.body(range),
    });
  }

  whole(isHead = false) {
    const headers = { ...this.#headers(), ...this.#digests({ start: 0, end: isHead ? 0 : this.length }) };
    if (this.sendLength) headers['Content-Length'] = this.length;
    return { status: 200, headers, start: 0, end: this.length };
  }

  part({ start, end }, total = this.sendLength ? this.length : undefined) {
    const range = contentRange({ start, end }, total);
    const headers = { ...this.#headers(), ...this.#digests({ start, end }), 'Content-Range': range };
    if (this.sendLength) headers['Content-Length'] = end - start;
    return { status: 206, headers, start, end };
  }

  unsatisfiable(tellLength = this.sendLength) {
    const headers = { ...this.#headers(), 'Content-Length': 0 };
    if (tellLength) headers['Content-Range'] = `bytes */${this.length}`;
    return { status: 416, headers, start: 0, end: 0 };
  }

  /** The body's bytes as they are now; a later `update` does not change a response under way. */
  body({ start, end, corrupt = [] }) {
    const right = this.data ? piecesOf(this.data, start, end) : pieces(this.seed, start, end);
    return corrupted(right, start, [...this.corrupt, ...corrupt]);
  }
}
