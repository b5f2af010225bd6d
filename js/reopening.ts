// The line of a session whose storage the browser may throw away while it is open: the session is opened anew then, and what
// was refused for want of it is asked again. With the session's `detach()` it ends.
import { isSessionNotOpen, LonghaulError } from './errors.js';
import type { Line } from './line.js';

/** A line that its session may have let go. */
export interface SessionLine extends Line {
  readonly isOver: boolean;
}

/** `reopen` opens the session again; it does not reject. */
export function reopening(line: Line, reopen: () => Promise<void>, isOver: () => boolean): SessionLine {
  return {
    get isOver() {
      return isOver();
    },
    get canBegin() {
      return line.canBegin;
    },
    get files() {
      return line.files;
    },
    checkFiles: () => line.checkFiles(),
    save: (url) => line.save(url),
    async call(call, signal) {
      // Who reads a file waits for no event.
      if (isOver() && call.type !== 'chunk') throw new LonghaulError({ code: 'session-detached' });
      try {
        return await line.call(call, signal);
      } catch (error) {
        if (isOver() || !isSessionNotOpen(error)) throw error;
        await reopen();
        return line.call(call, signal);
      }
    },
    hello: (session) => line.hello(session),
    add: (listener) => line.add(listener),
    remove: (listener) => line.remove(listener),
  };
}
