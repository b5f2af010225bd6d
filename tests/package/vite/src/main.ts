// A page of a Vite project. It uses most of the client, so that the compiler proves the package's types.
import {
  type DownloadOptions,
  type ErrorCode,
  LonghaulError,
  openSession,
  type Session,
  type Task,
  type TaskEvent,
  type TaskProgress,
  type TaskState,
} from 'longhaul';

declare global {
  interface Window {
    events: TaskEvent['type'][];
    received: number;
    download(url: string): Promise<{ sha256: string; states: TaskState[] }>;
    failure(url: string): Promise<ErrorCode | undefined>;
  }
}

// In development Vite serves the source itself.
const script = import.meta.env.DEV ? '/sw.ts' : '/sw.js';
const serviceWorker = navigator.serviceWorker.register(script, { type: 'module' });

window.events = [];
window.received = 0;

const session: Session = await openSession('files', {
  serviceWorker,
  configuration: { version: 1, maxConcurrentTasks: 2 },
  periodicSync: { minInterval: 86_400_000 },
  onEvent: async ({ type }) => void window.events.push(type),
});

session.addEventListener('progress', ({ detail }) => show(detail));
session.addEventListener('task', ({ detail: task }) => console.debug(task.id, task.state));
session.addEventListener('released', ({ detail: id }) => console.debug(id.toUpperCase()), { once: true });

function show(tasks: TaskProgress[]): void {
  for (const { receivedBytes, completeLength } of tasks) window.received = receivedBytes / (completeLength ?? 1);
}

window.download = async (url) => {
  const options: DownloadOptions = { id: url, description: 'A file', metadata: { from: 'vite' } };
  const task: Task = await session.download(url, options);
  const states: TaskState[] = [];
  session.addEventListener('task', ({ detail }) => detail === task && states.push(detail.state));
  await task.finished({ signal: AbortSignal.timeout(60_000) });
  const digest = await crypto.subtle.digest('SHA-256', await new Response(task.file().stream()).arrayBuffer());
  return { sha256: Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join(''), states };
};

window.failure = async (url) => {
  try {
    await session.download(url);
    return undefined;
  } catch (error) {
    if (error instanceof LonghaulError && error.retry === false) return error.code;
    throw error;
  }
};
