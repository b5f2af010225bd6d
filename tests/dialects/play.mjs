// One row in one browser: an odd server, a page and a worker of their own, and what becomes of the download.
import { setTimeout as after } from 'node:timers/promises';
import { startOddServer } from '../origin/odd-server.mjs';
import { outcome, staticDirs } from '../e2e/support.mjs';
import { differences, figures } from './measure.mjs';

/** How much faster the clock of `sw-hasty.js` runs. */
const SPEED = 20;
/** A pause that is longer is not waited for: the row ends as it stands. */
const LONGEST_PAUSE_MS = 45_000;
const LONGEST_HASTY_PAUSE_MS = 600_000;
/** A row that goes on for longer has not ended. */
const LONGEST_MS = 120_000;
/** One that asks so often has shown enough. */
const MOST_REQUESTS = 300;

/** A file takes half a second, so that an answer that is let go at its head has sent little of it; a small one is sent as fast. */
const FILES_PER_SECOND = 2;
const SLOWEST_BYTES_PER_SECOND = 1 << 20;

let rows = 0;

/** Opens a session, and notes how many bytes the task tells to have kept, and when. Other pages come into sight meanwhile. */
async function begin() {
  await window.ready;
  Object.defineProperty(document, 'visibilityState', { value: 'visible' });
  document.addEventListener('visibilitychange', (event) => event.stopImmediatePropagation(), true);
  window.session = await open();
  window.kept = [];
  const note = ({ receivedBytes: bytes }) => {
    if (bytes !== window.kept.at(-1)?.bytes) window.kept.push({ at: Date.now(), bytes });
  };
  session.addEventListener('task', ({ detail }) => note(detail));
  session.addEventListener('progress', ({ detail }) => detail.forEach(note));
}

/** Asks for the download; `undefined`, or the code of a refusal. Half characters come through as JSON only. */
async function call(url, options) {
  try {
    window.task = await session.download(url, JSON.parse(options));
    return undefined;
  } catch (error) {
    return error.code ?? String(error);
  }
}

/** Whether the task has ended, or has a pause of more than `longest` before it. */
async function isOver(longest) {
  const { endedAt, state, waitUntil, waitingSince } = (await task.refresh()).snapshot;
  return Boolean(endedAt) || (state === 'waiting' && (waitUntil ?? Infinity) - waitingSince > longest);
}

/** What the task says of itself, and what was told of it. */
function look() {
  const { state, reason, lastError, error, receivedBytes, resumability, fileName, endedAt } = task.snapshot;
  const restarts = handled.filter(({ type }) => type === 'restarted').length;
  return { state, reason, code: error?.code ?? lastError?.code, receivedBytes, resumability, fileName, restarts, hasEnded: Boolean(endedAt), kept };
}

/** Leaves nothing at work. */
async function leave() {
  if (window.task && !task.hasEnded) await task.cancel();
  await (await navigator.serviceWorker.getRegistration()).unregister();
}

/** Resolves when `isDone` does, or when the row has gone on for long enough. */
async function within(isDone, log) {
  const deadline = Date.now() + LONGEST_MS;
  while (!(await isDone()) && Date.now() < deadline && log.length < MOST_REQUESTS) await after(100);
}

/** Downloads what the server has; resolves with what was seen, but for the figures. */
async function download(page, row, server) {
  const host = row.own ? '127.0.0.1' : 'localhost';
  // A port comes again, and with it the tasks that are stored for its origin.
  const id = row.options.id ?? String(++rows);
  const options = JSON.stringify({ ...row.options, id });
  const refusal = await page.evaluate(call, `http://${host}:${server.port}/f/${row.file}`, options);
  if (refusal) return { state: 'refused', code: refusal, kept: [] };
  await within(() => page.evaluate(isOver, row.isHasty ? LONGEST_HASTY_PAUSE_MS : LONGEST_PAUSE_MS), server.log);
  const seen = await page.evaluate(look);
  if (seen.state !== 'completed') return seen;
  const { sha256, size } = await outcome(page, id);
  return { ...seen, sha256, size };
}

/** Plays the row in this page, and resolves with what was seen and how that differs from what is expected. */
export async function play(page, row) {
  const state = {};
  const kept = async (bytes, signal) => {
    const isKept = (bytes) => window.task?.refresh().then(({ snapshot }) => snapshot.receivedBytes >= bytes);
    while (!(await page.evaluate(isKept, bytes))) await after(50, undefined, { signal });
  };
  const answer = (request, range, number) => row.serve(request, range, number, state);
  const server = await startOddServer(answer, { staticDirs, kept, bytesPerSecond: Math.max(SLOWEST_BYTES_PER_SECOND, FILES_PER_SECOND * row.size) });
  try {
    await page.goto(`${server.url}/?idle${row.isHasty ? '&worker=/sw-hasty.js' : ''}`);
    await page.evaluate(begin);
    const { kept: timeline, ...seen } = await download(page, row, server);
    Object.assign(seen, figures(row, server.log, timeline, row.isHasty ? SPEED : 1));
    await page.evaluate(leave);
    return { ...seen, differences: differences(seen, row.expected) };
  } finally {
    await server.close();
  }
}
