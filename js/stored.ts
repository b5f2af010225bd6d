// What a session's files take of the storage that the browser allows.
import { given } from './given.js';
import type { SessionLine } from './reopening.js';

/** The most that one answer brings. */
const MOST_TASKS = 500;

/** What is stored of one task. */
export interface StoredFile {
  id: string;
  bytes: number;
  /** Whether its file is finished, so that nothing would have to be fetched again for it to be let go. */
  isReleasable: boolean;
}

export interface SessionStorage {
  tasks: StoredFile[];
  bytes: number;
  releasableBytes: number;
  /** Of the whole origin, in bytes, as the browser estimates it. */
  usage?: number;
  quota?: number;
  /** Whether it is kept when storage gets scarce. */
  isPersistent?: boolean;
}

export async function storageOf(line: SessionLine): Promise<SessionStorage> {
  const tasks: StoredFile[] = [];
  for (let after: string | undefined; ; ) {
    const page = await line.call({ type: 'select', limit: MOST_TASKS, ...given({ after }) });
    for (const { id, state, receivedBytes: bytes } of page.tasks) if (bytes > 0) tasks.push({ id, bytes, isReleasable: state === 'completed' });
    if (page.next === undefined) break;
    after = page.next;
  }
  tasks.sort((one, other) => other.bytes - one.bytes);
  const sum = (of: StoredFile[]) => of.reduce((sum, { bytes }) => sum + bytes, 0);
  const { usage, quota } = (await navigator.storage?.estimate?.()) ?? {};
  const origin = given({ usage, quota, isPersistent: await navigator.storage?.persisted?.() });
  return { tasks, bytes: sum(tasks), releasableBytes: sum(tasks.filter((task) => task.isReleasable)), ...origin };
}
