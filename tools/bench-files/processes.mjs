// How much memory a browser holds: of the proportional set sizes of all its processes, as Linux counts them, so that what they
// share is counted once, what is theirs and not a file's. Pages of files that they have mapped can be dropped at any time.
import fs from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

const SAMPLE_MS = 200;
/** What a browser needs to come to rest, and how many samples are taken then. */
const SETTLE_MS = 5_000;
const IDLE_SAMPLES = 11;

/** What the file says; nothing if its process has gone meanwhile. */
function textOf(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** The children of all threads: a process may be started by any of them. */
function childrenOf(pid) {
  let threads = [];
  try {
    threads = fs.readdirSync(`/proc/${pid}/task`);
  } catch {
    // The process has gone.
  }
  return threads.flatMap((thread) => textOf(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean));
}

const treeOf = (pid) => [pid, ...childrenOf(pid).flatMap(treeOf)];

/** Bytes of the process and of all that it has started. */
function memoryOf(pid) {
  const kib = treeOf(pid).flatMap((one) => [...textOf(`/proc/${one}/smaps_rollup`).matchAll(/^Pss_(?:Anon|Shmem):\s+(\d+)/gm)].map(([, number]) => Number(number)));
  return 1024 * kib.reduce((sum, one) => sum + one, 0);
}

/** What it holds when nothing happens: the median of some samples. */
export async function idleMemory(pid) {
  await pause(SETTLE_MS);
  const samples = [];
  for (let at = 0; at < IDLE_SAMPLES; at++) {
    samples.push(memoryOf(pid));
    await pause(SAMPLE_MS);
  }
  return samples.sort((a, b) => a - b)[IDLE_SAMPLES >> 1];
}

/** The most that it holds while `action` runs, and what that resolves with. */
export async function peakDuring(pid, action) {
  let peak = memoryOf(pid);
  const timer = setInterval(() => (peak = Math.max(peak, memoryOf(pid))), SAMPLE_MS);
  try {
    const result = await action();
    return { peak, result };
  } finally {
    clearInterval(timer);
  }
}
