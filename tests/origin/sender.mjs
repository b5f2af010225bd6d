// Sends a body at the resource's pace: throttled, cut, stalled, and counted as it leaves the process.
import { once } from 'node:events';
import { setTimeout as after } from 'node:timers/promises';

/** A throttled body is sent in portions of about this long. */
const PORTION_MS = 20;
/** Credit that was not used is kept no longer than this, so that a pause is not followed by a burst. */
const CREDIT_MS = 100;

const NOTHING = Buffer.alloc(0);

/** Resolves after `ms` or when `emitter` emits `event`, whichever is first. */
async function afterOr(ms, emitter, event, signal) {
  const settled = new AbortController();
  const either = { signal: AbortSignal.any([signal, settled.signal]) };
  const waits = [once(emitter, event, either)];
  if (Number.isFinite(ms)) waits.push(after(ms, undefined, either));
  try {
    await Promise.race(waits);
  } finally {
    settled.abort();
    await Promise.allSettled(waits);
  }
}

/** Resolves when the head of an answer may go; rejects like `sendBody`. */
export async function beforeHead({ stallHead = false }, { resource, signal, onStall }) {
  const since = performance.now();
  for (;;) {
    const left = resource.latencyMs - (performance.now() - since);
    if (left <= 0) break;
    await afterOr(left, resource, 'change', signal);
  }
  if (stallHead) {
    const released = once(resource, 'release', { signal });
    onStall();
    await released;
  }
}

/** Answers how many bytes may go now, waiting until it is at least one. A changed rate is felt at once. */
class Pace {
  #since = performance.now();
  #credit = 0;

  constructor(resource, signal) {
    this.resource = resource;
    this.signal = signal;
  }

  async allow(wanted) {
    for (;;) {
      const rate = this.resource.bytesPerSecond;
      if (rate === Infinity) return wanted;
      const now = performance.now();
      const earned = ((now - this.#since) * rate) / 1000;
      this.#since = now;
      this.#credit = Math.min(this.#credit + earned, Math.max(1, (rate * CREDIT_MS) / 1000));
      const portion = Math.max(1, Math.min(wanted, Math.floor((rate * PORTION_MS) / 1000)));
      if (this.#credit >= portion) {
        const allowed = Math.min(wanted, Math.floor(this.#credit));
        this.#credit -= allowed;
        return allowed;
      }
      await afterOr(((portion - this.#credit) * 1000) / rate, this.resource, 'change', this.signal);
    }
  }
}

/** Resolves when the bytes have left this process for the kernel; rejects when the connection has gone. */
function write(response, piece, signal) {
  return new Promise((resolve, reject) => {
    const gone = () => reject(signal.reason);
    signal.addEventListener('abort', gone, { once: true });
    response.write(piece, (error) => {
      signal.removeEventListener('abort', gone);
      if (error) reject(error);
      else resolve();
    });
  });
}

/**
 * Sends `body`, an (async) iterable of Buffers, and ends the response; with `cutAfter` it destroys the socket
 * instead. Rejects when `signal` (the connection has gone) aborts. `onSent(bytes)` and `onStall()` feed the log.
 */
export async function sendBody(response, { body, cutAfter = Infinity, stallAfter = Infinity }, { resource, signal, onSent, onStall }) {
  const pace = new Pace(resource, signal);
  let sent = 0;
  // Sends the head. Node's flushHeaders() would code it as UTF-8, although a header's characters are bytes.
  response.write(NOTHING);

  const atMark = async () => {
    if (sent === stallAfter) {
      const released = once(resource, 'release', { signal });
      onStall();
      await released;
    }
    return sent === cutAfter;
  };

  let cut = await atMark();
  for await (const piece of body) {
    for (let at = 0; at < piece.length && !cut; ) {
      const mark = Math.min(cutAfter, stallAfter > sent ? stallAfter : Infinity);
      const count = await pace.allow(Math.min(piece.length - at, mark - sent));
      await write(response, piece.subarray(at, at + count), signal);
      at += count;
      sent += count;
      onSent(count);
      cut = await atMark();
    }
    if (cut) break;
  }
  if (cut) response.destroy();
  else response.end();
}
