// The pieces of RFC 9110 that a range-serving origin needs: validators, preconditions, Range. Pure.
// Ranges are half-open here; only `contentRange` and the header's own text are inclusive.

/** Strong comparison (section 8.8.3.2): both strong, and the same text. */
export function strongMatch(a, b) {
  return a === b && /^".*"$/.test(a);
}

const opaque = (etag) => etag.replace(/^W\//, '');

/** Whether If-None-Match says that the client already has this representation (weak comparison, section 13.1.2). */
export function noneMatchHit(header, etag) {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  if (etag === null) return false;
  const listed = header.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return listed.some((candidate) => opaque(candidate) === opaque(etag));
}

/** Whether If-Modified-Since says so (section 13.1.3). A date that cannot be read does not count. */
export function notModifiedSince(header, lastModified) {
  return header !== undefined && lastModified !== null && Date.parse(lastModified) <= Date.parse(header);
}

/** Whether the answer is 304: If-Modified-Since counts only without If-None-Match (section 13.2.2). */
export function notModified(requestHeaders, { etag, lastModified }) {
  const noneMatch = requestHeaders['if-none-match'];
  if (noneMatch !== undefined) return noneMatchHit(noneMatch, etag);
  return notModifiedSince(requestHeaders['if-modified-since'], lastModified);
}

/** Whether If-Range lets the Range count (section 13.1.5): a strong tag that matches, or the exact date. */
export function ifRangeHolds(header, { etag, lastModified }) {
  if (header === undefined) return true;
  if (/^(W\/)?"/.test(header)) return etag !== null && strongMatch(header, etag);
  return lastModified !== null && header === lastModified;
}

/**
 * What a Range header asks for: `{ start, end }` (`end` undefined for `a-`), `{ suffix }` for `-n`, or undefined
 * for anything that a server ignores: another unit, a malformed range, several ranges.
 */
export function parseRange(header) {
  const match = /^bytes\s*=\s*(\d*)-(\d*)$/i.exec(header?.trim() ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return undefined;
  if (match[1] === '') return { suffix: Number(match[2]) };
  const start = Number(match[1]);
  if (match[2] === '') return { start, end: undefined };
  const last = Number(match[2]);
  return last < start ? undefined : { start, end: last + 1 };
}

/** The part of a representation of `length` bytes that `range` selects, or undefined if it is unsatisfiable. */
export function selectRange(range, length) {
  const start = range.suffix === undefined ? range.start : Math.max(0, length - range.suffix);
  const end = Math.min(range.end ?? length, length);
  return start < end ? { start, end } : undefined;
}

/** The Content-Range of [start, end), with `*` for a total that is not told. */
export function contentRange({ start, end }, total) {
  return `bytes ${start}-${end - 1}/${total ?? '*'}`;
}
