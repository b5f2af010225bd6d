// What this browser does for downloads, as far as it is known: measured for each of the three (docs/platform.md), and
// asked of this one where it answers.
import { check } from './check.js';
import { isMetered } from './network.js';

/** Whether there is such a thing here, and whether this origin may use it; `prompt`: it depends on the moment. */
export type Availability = 'missing' | 'denied' | 'prompt' | 'granted';

/** What can take a download up again with no page open. Background Fetch: those with that `transport` only. */
export type Reviver = 'background-fetch' | 'background-sync' | 'periodic-sync';

/** What becomes of a download that is under way. */
export interface Continuation {
  /** `for-a-while`: for `ms` milliseconds more, at the most. What is committed by then is never lost. */
  then: 'goes-on' | 'for-a-while' | 'stops';
  ms?: number;
  /** What takes it up again after that. If nothing does, the next visit does. */
  revivedBy: Reviver[];
}

export interface Capabilities {
  /** All pages of the app are hidden. */
  hidden: Continuation;
  /** No page of the app is open. */
  closed: Continuation;
  /** The browser was ended, and is started again. */
  browserClosed: Continuation;
  backgroundFetch: Availability;
  backgroundSync: Availability;
  periodicSync: Availability;
  /** Whether the browser tells what kind of network it is. If not, `metered` decides nothing, and `unknownNetwork` does. */
  meteringIsKnown: boolean;
  /** Whether stored files are kept when storage gets scarce; `openSession(…, { persist: true })` asks for it. */
  storageIsPersistent: boolean;
  /**
   * After so many days of use of the browser without a visit, everything is deleted: in Safari, unless the app was added to
   * the home screen.
   */
  deletedAfterDays?: number;
}

/** How long an event goes on when the last page has been closed. What is not known is taken to be as short as the shortest. */
const EVENT_MS = { chromium: 310_000, firefox: 60_000, other: 10_000 };

/** What is to be expected of this browser, for downloads of the worker of this registration (default: this page's). */
export async function capabilities(
  options: { serviceWorker?: ServiceWorkerRegistration | Promise<ServiceWorkerRegistration> } = {},
): Promise<Capabilities> {
  check(options, { serviceWorker: 0 });
  const registration = await (options.serviceWorker ?? navigator.serviceWorker?.getRegistration());
  const available = async (property: string, name: string): Promise<Availability> => {
    if (!registration || !(property in registration)) return 'missing';
    const asked = navigator.permissions?.query({ name } as unknown as PermissionDescriptor);
    return asked ? asked.then(({ state }) => state, () => 'prompt') : 'prompt';
  };
  const [backgroundFetch, backgroundSync, periodicSync, storageIsPersistent] = await Promise.all([
    available('backgroundFetch', 'background-fetch'),
    available('sync', 'background-sync'),
    available('periodicSync', 'periodic-background-sync'),
    navigator.storage?.persisted?.() ?? false,
  ]);
  const revivers: [Reviver, Availability][] = [
    ['background-fetch', backgroundFetch],
    ['background-sync', backgroundSync],
    ['periodic-sync', periodicSync],
  ];
  const isUsable = ([name, state]: [Reviver, Availability]) => state === 'granted' || (name === 'background-fetch' && state === 'prompt');
  const revivedBy = revivers.filter(isUsable).map(([name]) => name);
  return {
    hidden: { then: 'goes-on', revivedBy },
    closed: { then: 'for-a-while', ms: EVENT_MS[browser()], revivedBy },
    browserClosed: { then: 'stops', revivedBy },
    backgroundFetch,
    backgroundSync,
    periodicSync,
    meteringIsKnown: isMetered() !== undefined,
    storageIsPersistent,
    ...(deletesUnvisited() && { deletedAfterDays: 7 }),
  };
}

/** Apple's browsers and views, but not an installed app (webkit.org/tracking-prevention, "7-Day Cap on All Script-Writeable Storage"). */
function deletesUnvisited(): boolean {
  const isInstalled = globalThis.matchMedia?.('(display-mode: standalone)').matches;
  return browser() === 'other' && / AppleWebKit\//.test(navigator.userAgent) && !isInstalled;
}

function browser(): keyof typeof EVENT_MS {
  const { userAgent } = navigator;
  if (/ Chrom(e|ium)\//.test(userAgent)) return 'chromium';
  return / Firefox\//.test(userAgent) ? 'firefox' : 'other';
}
