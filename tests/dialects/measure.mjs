// What a run is held to, whatever is expected of its row: no hot loops, and no bytes sent for nothing.

/** Never more requests in a minute of the worker's time that keep no new byte. */
export const MOST_FRUITLESS = 20;
/** Never more bytes sent, as a multiple of the file, unless the task failed with a code. */
export const MOST_SENT = 2;
const MINUTE_MS = 60_000;

/**
 * The most requests within any minute that kept no new byte, of requests at these `times`. `kept` is what the task has told: `{ at, bytes }`. A request has kept
 * one if, until the next, more was kept than ever before.
 */
export function mostFruitless(times, kept, speed = 1) {
  const until = (time) => Math.max(0, ...kept.filter(({ at }) => at < time).map(({ bytes }) => bytes));
  const fruitless = times.filter((at, nth) => until(times[nth + 1] ?? Infinity) <= until(at));
  const within = (from) => fruitless.filter((at) => at >= from && (at - from) * speed < MINUTE_MS).length;
  return Math.max(0, ...fruitless.map(within));
}

const rounded = (number) => Math.round(number * 100) / 100;

/** The figures of a run, by the server's `log`, when the worker asked, and what was kept: `{ sent, requests, fruitless, leaked }`. */
export function figures(row, { log, fetches, kept, speed }) {
  return {
    sent: rounded(log.reduce((sum, { sentBytes }) => sum + sentBytes, 0) / row.size),
    requests: fetches.length,
    fruitless: mostFruitless(fetches, kept, speed),
    leaked: row.leaks ? log.filter(row.leaks).length : 0,
  };
}

/** In which points what was `seen` is not as expected, in words; empty if it is right. */
export function differences(seen, expected) {
  const found = [];
  const hold = (isRight, text) => void (isRight || found.push(text));
  const isOver = seen.state === 'failed' && seen.code;
  const told = [seen.code, seen.reason].filter(Boolean).join(', ');
  hold(seen.state === expected.state, `${seen.state}${told ? ` (${told})` : ''}`);
  if (seen.state === expected.state) {
    hold(!expected.code || seen.code === expected.code, `code ${seen.code}`);
    hold(!expected.reason || seen.reason === expected.reason, `reason ${seen.reason}`);
    hold(!expected.digests || expected.digests.includes(seen.sha256), `wrong bytes (${seen.size})`);
    hold(!expected.resumability || seen.resumability === expected.resumability, `${seen.resumability}`);
    hold(!('fileName' in expected) || seen.fileName === expected.fileName, `named ${JSON.stringify(seen.fileName)}`);
    hold(!(expected.keeps > seen.receivedBytes), `${seen.receivedBytes} bytes kept`);
  }
  hold(!(seen.restarts > expected.restarts), `${seen.restarts} restarts`);
  hold(seen.sent <= expected.sent, `${seen.sent} times the file sent, at most ${expected.sent}`);
  hold(seen.sent <= MOST_SENT || isOver, `more than ${MOST_SENT} times the file sent`);
  hold(seen.requests <= expected.requests, `${seen.requests} requests, at most ${expected.requests}`);
  hold(seen.fruitless <= MOST_FRUITLESS, `${seen.fruitless} requests in a minute that kept no new byte`);
  hold(seen.leaked === 0, 'a header was told to where it must not go');
  return found;
}
