// What the compiler must refuse; never run. Types that had become `any` would show here.
import { openSession, type TaskEvent, type TaskState } from 'longhaul';

export async function misuse(): Promise<void> {
  const session = await openSession('files');
  const task = await session.download('/f.bin');
  // @ts-expect-error there is no such state
  const state: TaskState = 'finished';
  // @ts-expect-error an id is a string
  await session.download('/f.bin', { id: 7 });
  // @ts-expect-error a Task may be missing
  (await session.task('one')).id;
  // @ts-expect-error it is read-only
  task.state = 'paused';
  // @ts-expect-error the detail of `released` is an id
  session.addEventListener('released', ({ detail }) => detail.receivedBytes);
  // @ts-expect-error its handler takes a TaskEvent
  await openSession('files', { onEvent: (event: { seq: string }) => event.seq });
  // @ts-expect-error inner parts are not to be seen
  session.open({});
  const event: TaskEvent | undefined = (await session.history({ limit: 1 }))[0];
  // @ts-expect-error only an event of failure has an error
  console.log(state, event?.error);
  if (event?.type === 'failed') console.log(event.error.code);
}
