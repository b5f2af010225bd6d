// One file that the origin serves: what it is at this moment, the faults that wait for it, and the answer that a
// server without faults would give. Everything may be changed while responses are under way.
import { EventEmitter } from 'node:events';
import { pieces, sha256 } from './content.mjs';
import { KINDS } from './faults.mjs';
import { contentRange, ifRangeHolds, noneMatchHit, parseRange, selectRange } from './rfc9110.mjs';

const DEFAULTS = {
  length: 0,
  seed: 1,
  /** undefined: a strong one made from seed and length; null: none; else sent as it is, so it may be weak. */
  etag: undefined,
  /** An HTTP date or null. It does not move by itself when the content changes. */
  lastModified: null,
  contentType: 'application/octet-stream',
  /** false: no Accept-Ranges, and always the whole body with 200. */
  ranges: true,
  /** false: the length is told nowhere; the body is chunked. */
  sendLength: true,
  /** Per connection. Infinity: not throttled; 0: holds the body until it is changed. */
  bytesPerSecond: Infinity,
  /** 'none'; 'plain': readable, but no preflight passes and nothing is exposed; 'expose': everything works. */
  cors: 'none',
  /** Further headers of every answer. */
  headers: {},
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
    return sha256(this.seed, this.length);
  }

  update({ etag, ...fields }) {
    for (const name of Object.keys(fields)) {
      if (!(name in DEFAULTS)) throw new TypeError(`a resource has no "${name}"`);
    }
    if (etag !== undefined) this.#etag = etag;
    Object.assign(this, fields);
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

  /**
   * The right answer by RFC 9110 for these request headers: status, headers, and the range [start, end) of the
   * representation that is its body.
   */
  answer(method, requestHeaders) {
    if (noneMatchHit(requestHeaders['if-none-match'], this.etag)) {
      return { status: 304, headers: this.#headers(), start: 0, end: 0 };
    }
    const usable = this.ranges && method === 'GET' && ifRangeHolds(requestHeaders['if-range'], this);
    const range = usable ? parseRange(requestHeaders.range) : undefined;
    if (!range) return this.whole();
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

  whole() {
    const headers = this.#headers();
    if (this.sendLength) headers['Content-Length'] = this.length;
    return { status: 200, headers, start: 0, end: this.length };
  }

  part({ start, end }, total = this.sendLength ? this.length : undefined) {
    const headers = { ...this.#headers(), 'Content-Range': contentRange({ start, end }, total) };
    if (this.sendLength) headers['Content-Length'] = end - start;
    return { status: 206, headers, start, end };
  }

  unsatisfiable(tellLength = this.sendLength) {
    const headers = { ...this.#headers(), 'Content-Length': 0 };
    if (tellLength) headers['Content-Range'] = `bytes */${this.length}`;
    return { status: 416, headers, start: 0, end: 0 };
  }

  /** The body's bytes as they are now; a later `update` does not change a response under way. */
  body({ start, end }) {
    return pieces(this.seed, start, end);
  }
}
