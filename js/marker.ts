// Whether storage holds anything to do: a look in TypeScript, before the component is started for it. The look makes no
// database and migrates none. The names and keys are those of `src/store`.
import { openAsItIs, resultOf } from './database.js';

/** In the index of due tasks, the lane behind those of active tasks. */
const ENDED_LANE = 1_000;
/** The bit of a lane whose tasks wait for a good moment: they have their place by the time when they stop waiting. */
const DISCRETIONARY = 4;

/** Whether a task is due in the database of this name, or, if `withEvents`, an event waits. */
export async function holdsWork(name: string, withEvents: boolean): Promise<boolean> {
  const database = await openAsItIs(name);
  if (!database) return false;
  try {
    const transaction = database.transaction(['tasks', 'outbox']);
    return (await isAnyDue(transaction.objectStore('tasks').index('i'))) || (withEvents && (await isAny(transaction.objectStore('outbox'))));
  } catch {
    // It is of another version.
    return false;
  } finally {
    database.close();
  }
}

/** Goes from lane to lane: the first of each is the first that is due. */
async function isAnyDue(index: IDBIndex): Promise<boolean> {
  const request = index.openKeyCursor();
  for (;;) {
    const cursor = await resultOf(request);
    if (!cursor) return false;
    const [session, lane, place] = cursor.key as [string, number, number];
    const isActive = lane < ENDED_LANE;
    if (isActive && (lane & DISCRETIONARY || place <= Date.now())) return true;
    // An empty array lies behind all numbers.
    cursor.continue(isActive ? [session, lane + 1] : [session, []]);
  }
}

async function isAny(table: IDBObjectStore): Promise<boolean> {
  return (await resultOf(table.openKeyCursor())) !== null;
}
