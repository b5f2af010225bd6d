// What a server does wrong: each fault turns the right answer into the faulty one. An answer may then carry
// `body` (instead of the range's bytes), `corrupt` (ranges), `cutAfter` or `stallAfter` (bytes of the body),
// `stallHead` or `refuse`.
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { textAnswer } from './access.mjs';

/** Chunked coding: the end of the body is told by the coding, not by a length. */
function withoutLength(answer) {
  const { 'Content-Length': _, ...headers } = answer.headers;
  return { ...answer, headers };
}

/** Every kind, with what else its fault says. */
export const KINDS = {
  /** The socket is destroyed after `bytes` of the body. */
  cut: ({ answer, fault }) => ({ ...answer, cutAfter: fault.bytes ?? 0 }),

  /** After `bytes` of the body nothing comes until the resource's `release()`. */
  stall: ({ answer, fault }) => ({ ...answer, stallAfter: fault.bytes ?? 0 }),

  /** Not even a status comes until the resource's `release()`. */
  'stall-head': ({ answer }) => ({ ...answer, stallHead: true }),

  /**
   * The bytes in the half-open `ranges` of the representation are wrong, as after a mistake on the way: a digest
   * that the answer carries is that of the right ones. (For a wrong file see a resource's `corrupt`.)
   */
  corrupt: ({ answer, fault }) => ({ ...answer, corrupt: fault.ranges }),

  /** Ends cleanly after `bytes`, although Content-Range tells more. */
  short: ({ answer, fault }) => withoutLength({ ...answer, end: Math.min(answer.end, answer.start + (fault.bytes ?? 0)) }),

  /** Goes on for `bytes` (default 1) after what Content-Range tells. */
  long: ({ answer, fault }) => withoutLength({ ...answer, end: answer.end + (fault.bytes ?? 1) }),

  /** `status` with `headers` and a small text `body`. */
  status: ({ fault: { status, headers, body } }) => textAnswer(status, headers, body),

  /** 200 with the whole body, although a range was asked for. */
  'ignore-range': ({ resource }) => resource.whole(),

  /** A 206, honest in itself, that begins `shift` bytes (default 1) off what was asked for. */
  'wrong-range': ({ resource, answer, fault }) => {
    const shift = fault.shift ?? 1;
    const start = Math.max(0, answer.start + shift);
    const end = Math.min(resource.length, Math.max(start + 1, answer.end + shift));
    return resource.part({ start, end });
  },

  /** A 206 whose complete length is `shift` bytes (default 1) off. */
  'wrong-total': ({ resource, answer, fault }) =>
    resource.part(answer, resource.length + (fault.shift ?? 1)),

  /** 416, with the complete length unless `tellLength` is false. */
  'range-416': ({ resource, fault }) => resource.unsatisfiable(fault.tellLength ?? true),

  /** The socket is destroyed before any header. */
  refuse: ({ answer }) => ({ ...answer, refuse: true }),

  /** The body (of the range, with its Content-Range) comes gzip-coded. */
  gzip: ({ resource, answer }) =>
    withoutLength({
      ...answer,
      headers: { ...answer.headers, 'Content-Encoding': 'gzip' },
      body: Readable.from(resource.body(answer)).pipe(createGzip()),
    }),
};

/** The faulty answer; without a fault, the right one. */
export function spoil(answer, fault, resource) {
  return fault ? KINDS[fault.kind]({ answer, fault, resource }) : answer;
}
