// One row in one browser: an odd server, a page and a worker of their own, and what becomes of the download.
import { setTimeout as after } from 'node:timers/promises';
import { startOddServer } from '../origin/odd-server.mjs';
import { outcome, staticDirs } from '../e2e/support.mjs';
import { differences, figures } from './measure.mjs';

/** How much faster the clock of the worker runs where that is wanted. */
const SPEED = 24;
/** A pause that is longer is not waited for: the row ends as it stands. */
const LONGEST_PAUSE_MS = 45_000;
const LONGEST_HASTY_PAUSE_MS = 1_800_000;
/** A row that goes on for longer has not ended. */
const LONGEST_MS = 180_000;
/** One that asks so often has shown enough. */
const MOST_REQUESTS = 300;

/** So often the worker has answered the page before more of a body is sent. */
const LOOKS = 12;

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

/** Whether the task has kept so many bytes. */
const isKept = async (bytes) => (await window.task?.refresh())?.snapshot.receivedBytes >= bytes;

/** Whether the worker has answered a few times, so that it has looked at the head of an answer that it had before. */
async function hasLooked(looks) {
  if (!window.task) return false;
  for (let times = 0; times < looks; times++) await task.refresh();
  return true;
}

/** What the task says of itself, and what was told of it. */
function look() {
  const { state, reason, lastError, error, receivedBytes, resumability, fileName } = task.snapshot;
  const restarts = handled.filter(({ type }) => type === 'restarted').length;
  return { state, reason, code: error?.code ?? lastError?.code, receivedBytes, resumability, fileName, restarts, kept };
}

/** Leaves nothing at work; resolves with the times when the worker asked for something. */
async function leave() {
  const registration = await navigator.serviceWorker.ready;
  const { port1, port2 } = new MessageChannel();
  const told = new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data)));
  registration.active.postMessage('fetches', [port2]);
  const fetches = await told;
  if (window.task && !task.hasEnded) await task.cancel();
  await registration.unregister();
  return fetches;
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
  const until = async (isDone, signal, ...args) => {
    while (!(await page.evaluate(isDone, ...args))) await after(50, undefined, { signal });
  };
  const kept = (bytes, signal) => until(isKept, signal, bytes);
  const judged = (signal) => until(hasLooked, signal, LOOKS);
  const answer = (request, range, number) => row.serve(request, range, number, state);
  const server = await startOddServer(answer, { staticDirs, kept, judged });
  const speed = row.isHasty ? SPEED : 1;
  try {
    await page.goto(`${server.url}/?idle&worker=${encodeURIComponent(`/sw-fetches.js?speed=${speed}`)}`);
    await page.evaluate(begin);
    const { kept: timeline, ...seen } = await download(page, row, server);
    const fetches = await page.evaluate(leave);
    Object.assign(seen, figures(row, { log: server.log, fetches, kept: timeline, speed }));
    return { ...seen, differences: differences(seen, row.expected) };
  } finally {
    await server.close();
  }
}
