// The verdict, in the engine's words, concluded as it concludes (src/engine/http/representation.rs, answer.rs and
// partial.rs) from the answers to its first requests: `bytes=0-`, and without `Range` if that was of no use. What more
// was tried can only lower it.
import { codings, contentLength, isConstantDate, isConstantTag, isMultipart, isStrongDate, isStrongTag, isWhole, parseContentRange, retryAfterSeconds } from './fields.mjs';

const verdict = (word, reason) => ({ verdict: word, reason });

/** Statuses that are about now and not about the file: `is_passing` of answer.rs. */
export const isPassing = (status) => [407, 408, 421, 425, 429, 500, 502, 503, 504, 511].includes(status) || (status >= 520 && status <= 530);

/** Whether the browser hands out other bytes than came, as far as can be read: `head` is an answer's view. */
export const isCoded = (head) => codings(head.get('content-encoding')).real.length > 0;

/** `resumability` of representation.rs. A validator that all versions share counts for nothing (`drop_constants`). */
function fromValidators(head, total) {
  if (total === undefined) return verdict('size-unknown', 'length-untold');
  const [sentTag, sentDate] = [head.get('etag'), head.get('last-modified')];
  const tag = isConstantTag(sentTag) ? undefined : sentTag;
  const date = isConstantDate(sentDate) ? undefined : sentDate;
  if (isStrongTag(tag)) return verdict('resumable', 'strong-tag');
  if (tag !== undefined) return date ? verdict('resumable-by-comparison', 'weak-tag') : verdict('restart-only', 'weak-validator');
  if (isStrongDate(date, head.get('date'))) return verdict('resumable', 'strong-date');
  if (date !== undefined) return verdict('resumable-by-comparison', 'date-and-length');
  return verdict('restart-only', 'no-validator');
}

/** What a 206 to `bytes=0-` carries: `{ end, total }`, or undefined if it is of no use (`part` of partial.rs). */
export function partFromStart(head) {
  if (head.status !== 206 || isMultipart(head.get('content-type')) || isCoded(head)) return undefined;
  const length = contentLength(head.get('content-length'));
  const text = head.get('content-range');
  if (text === undefined) return head.readsAll || length === 0 ? undefined : { end: length, total: length };
  const range = parseContentRange(text);
  if (range?.start !== 0 || (length !== undefined && length !== range.end)) return undefined;
  return { end: range.end, total: range.total };
}

/** `whole` of answer.rs. */
function fromWhole(head, askedRange) {
  const coded = isCoded(head);
  // Without `Range`, a length that CORS lets through may be that of a coding that it hides.
  const isHonest = !coded && (askedRange || head.readsAll);
  const told = contentLength(head.get('content-length'));
  // No bytes are none in any coding.
  if (told === 0) return verdict('restart-only', 'empty');
  if (!isHonest || told === undefined) return verdict('size-unknown', coded ? 'coded' : 'length-untold');
  return verdict('restart-only', 'ranges-ignored');
}

function fromStatus(head) {
  if (isPassing(head.status)) return verdict('waiting', retryAfterSeconds(head.get('retry-after'), head.get('date')) !== undefined ? 'server-asked' : 'retry');
  if (head.status === 401 || head.status === 403) return verdict('waiting', 'authorization');
  return verdict('failed', 'http-status');
}

/** What the engine concludes from an answer to `bytes=0-`; undefined if it asks again, without `Range`. */
export function judgeFirst(head) {
  const part = partFromStart(head);
  if (part) {
    const found = fromValidators(head, part.total);
    const isResumable = found.verdict.startsWith('resumable');
    // A part that nothing can continue is not begun, unless it is all.
    return isResumable || (part.total !== undefined && part.end === part.total) ? found : undefined;
  }
  if (isWhole(head)) return fromWhole(head, true);
  if (head.status === 206) return undefined;
  if (head.status === 416) return parseContentRange(head.get('content-range'))?.unsatisfied === 0 ? verdict('restart-only', 'empty') : undefined;
  return head.status === 204 || head.status === 205 ? verdict('restart-only', 'empty') : fromStatus(head);
}

/** What it concludes from an answer without `Range`. */
export function judgeWhole(head) {
  if (isWhole(head) || isAll(head)) return fromWhole(head, false);
  return head.status === 206 ? verdict('failed', 'bad-content-range') : fromStatus(head);
}

/** A 206 to a request without Range may be all of the file (`is_all` of partial.rs). */
function isAll(head) {
  if (head.status !== 206 || isMultipart(head.get('content-type'))) return false;
  if (head.get('content-range') === undefined) return head.readsAll && contentLength(head.get('content-length')) !== undefined;
  const part = partFromStart(head);
  return part !== undefined && part.end === part.total;
}

/** What the engine concludes; `ranged` and `plain` are views of the answers with `bytes=0-` and without `Range`. */
export function judge(ranged, plain) {
  const [first, whole] = [ranged, plain].map((head) => (head?.isReadable ? head : undefined));
  if (!first && !whole) return verdict('failed', 'cors-blocked');
  const found = first && judgeFirst(first);
  // What refuses `Range` may give the file without.
  const isRefused = !found || ['waiting', 'failed'].includes(found.verdict);
  return isRefused && whole ? judgeWhole(whole) : (found ?? fromStatus(first));
}

/** The verdict after all that was tried: `lowering` are the codes of problems that the first answers do not show. */
export function lowered(found, lowering) {
  if (!found.verdict.startsWith('resumable')) return found;
  return lowering.length ? verdict('restart-only', lowering[0]) : found;
}
