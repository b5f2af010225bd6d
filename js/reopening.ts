// The line of a session whose storage the browser may throw away while it is open: the session is opened anew then, and what
// was refused for want of it is asked again. With the session's `detach()` it ends.
import { isSessionNotOpen, LonghaulError } from './errors.js';
import type { Line } from './line.js';
import type { Answers, Call } from './protocol.js';

/** A call, without the session that it is about. */
export type SessionCall<T extends Call['type']> = Omit<Call & { type: T }, 'session'>;

/** The line of one session, which may have let it go. */
export interface SessionLine extends Pick<Line, 'files' | 'checkFiles' | 'save'> {
  readonly session: string;
  readonly isOver: boolean;
  /** Asks the component; see `Line`. */
  call<T extends Call['type']>(call: SessionCall<T> & { type: T }, signal?: AbortSignal): Promise<Answers[T]>;
}

/** `reopen` opens the session again; it does not reject. */
export function reopening(line: Line, session: string, reopen: () => Promise<void>, isOver: () => boolean): SessionLine {
  return {
    session,
    get isOver() {
      return isOver();
    },
    get files() {
      return line.files;
    },
    checkFiles: () => line.checkFiles(),
    save: (url) => line.save(url),
    async call<T extends Call['type']>(about: SessionCall<T> & { type: T }, signal?: AbortSignal) {
      const call = { session, ...about } as unknown as Call & { type: T };
      // Who reads a file waits for no event.
      if (isOver() && call.type !== 'chunk') throw new LonghaulError({ code: 'session-detached' });
      try {
        return await line.call<T>(call, signal);
      } catch (error) {
        if (isOver() || !isSessionNotOpen(error)) throw error;
        await reopen();
        return line.call<T>(call, signal);
      }
    },
  };
}
