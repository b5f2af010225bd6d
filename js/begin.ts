// What a page does for Background Fetch: only a window can have the browser itself fetch.
import { given } from './given.js';
import type { BeginMessage } from './protocol.js';
import type { EndUi } from './types.js';

interface Manager {
  fetch(id: string, requests: Request[], options: EndUi): Promise<unknown>;
}

/** Chromium lets a page begin one without a gesture. A second is refused, and then all others too, until a reload. */
let needsGesture = false;

const manager = (registration: ServiceWorkerRegistration) => (registration as { backgroundFetch?: Manager }).backgroundFetch;

export const canBegin = (registration: ServiceWorkerRegistration): boolean => manager(registration) !== undefined;

/** Notes gestures, without which no further one may be begun. */
export function watchGestures(): void {
  for (const type of ['pointerdown', 'keydown']) addEventListener(type, () => (needsGesture = false), { capture: true });
}

/** Has the browser fetch. Resolves with why it would not, or with `undefined`. */
export async function begin(registration: ServiceWorkerRegistration, message: BeginMessage): Promise<string | undefined> {
  const { url, headers, credentials, ranges, title = new URL(url).pathname.split('/').at(-1), ui = '{}' } = message;
  if (needsGesture) return 'a gesture is needed';
  needsGesture = true;
  try {
    // Without `downloadTotal`: what is fetched again after a kill counts twice, and more than the total ends it.
    const requests = ranges.map((Range) => new Request(url, { headers: [...headers, ['Range', Range]], credentials }));
    await manager(registration)?.fetch(message.registration, requests, { ...given({ title }), ...JSON.parse(ui) });
    return undefined;
  } catch (error) {
    return String(error);
  }
}
