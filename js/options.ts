// What the worker's own code tells longhaul.
import type { Authorize } from './authorization.js';
import type { NamesOf } from './check.js';
import type { EventsHandler } from './hook.js';
import type { Notify } from './notices.js';

export interface AttachOptions {
  /** Where the component is: the package's `longhaul.wasm`. */
  wasm: string | URL;
  /** Supplies headers or a new URL when a server wants to know who asks and no page that could is open. */
  authorize?: Authorize;
  /**
   * Handles the durable events of sessions for which no page with an `onEvent` is open. A batch comes again, with the
   * same numbers, if its promise rejects, takes longer than 5 minutes, or was cut short with the worker.
   */
  onEvents?: EventsHandler;
  /** `onEvents` has handled all events of the session that there were. */
  onAllEventsDelivered?: (session: string) => void | Promise<void>;
  /**
   * The notification that is shown then, if no page is in sight; a click on it opens the app. The user must have allowed
   * notifications, which only a page can ask for.
   */
  notification?: Notify;
  /**
   * Whether the first fetch of each of the worker's lives, such as that of a page that opens no session, lets downloads go
   * on if any are due. It answers no fetch. `false` adds no listener for fetches. Default true.
   */
  wakeOnFetch?: boolean;
  /**
   * Where the URLs of files are (`TaskFile.url`): a path within the scope. `false` adds no listener for them. Default
   * `longhaul/file`.
   */
  files?: string | false;
  /**
   * For which URLs the worker's listener answers with a finished file whose task says `serveOriginalUrl`, and else asks the
   * network. An app that answers requests itself calls `respond()` instead. A string is the session whose files may be the
   * answer. Without it files are left out that were fetched with headers, `credentials: 'include'` or what an authorisation
   * supplied, or made from resume data: the next user of this browser may ask for the same URL. Default: none.
   */
  serveOriginalUrls?: (url: URL) => boolean | string;
  /**
   * How many bytes of the storage that the browser allows are to stay free for the app: a download that would not leave them
   * waits for room (`quota`) before its first byte. Default 0.
   */
  headroomBytes?: number;
  /** How many connections there may be at the same time, over all sessions. Default 6. */
  maxConnections?: number;
}

export const ATTACH: NamesOf<AttachOptions> = {
  wasm: 0,
  authorize: Function,
  onEvents: Function,
  onAllEventsDelivered: Function,
  notification: Function,
  wakeOnFetch: 0,
  files: 0,
  serveOriginalUrls: Function,
  headroomBytes: 0,
  maxConnections: 0,
};
