// The line of a session whose storage the browser may throw away while it is open: the session is opened anew then, and what
// was refused for want of it is asked again.
import { isSessionNotOpen } from './errors.js';
import type { Line } from './line.js';

/** `reopen` opens the session again; it does not reject. */
export function reopening(line: Line, reopen: () => Promise<void>): Line {
  return {
    get canBegin() {
      return line.canBegin;
    },
    get files() {
      return line.files;
    },
    checkFiles: () => line.checkFiles(),
    save: (url) => line.save(url),
    async call(call, signal) {
      try {
        return await line.call(call, signal);
      } catch (error) {
        if (!isSessionNotOpen(error)) throw error;
        await reopen();
        return line.call(call, signal);
      }
    },
    hello: (session, part) => line.hello(session, part),
    add: (listener) => line.add(listener),
    remove: (listener) => line.remove(listener),
  };
}
