// The notification that tells the user, when no page is in sight, that a session's transfers are done. A click on it opens
// the app.

/** What is shown; what else notifications may have goes along. */
export interface Notice extends Omit<NotificationOptions, 'data' | 'tag'> {
  title: string;
  /** The page that a click opens, or brings to the front if it is open. Default: the registration's scope. */
  url?: string | URL;
}

/** Says what to show for a session, or nothing. */
export type Notify = (session: string) => Notice | undefined | Promise<Notice | undefined>;

/** Ours among the app's: with the session's name, so that a later one takes the place of an earlier one. */
const TAG = 'longhaul:';

export class Notices {
  readonly #scope: ServiceWorkerGlobalScope;
  readonly #notify: Notify;

  constructor(scope: ServiceWorkerGlobalScope, notify: Notify) {
    this.#scope = scope;
    this.#notify = notify;
    scope.addEventListener('notificationclick', (event) => this.#clicked(event));
  }

  /** Shows what there is to show, unless a page is in sight. Rejects if the user has not allowed notifications. */
  async show(session: string): Promise<void> {
    const pages = await this.#pages();
    const notice = pages.some((page) => page.visibilityState === 'visible') ? undefined : await this.#notify(session);
    if (!notice) return;
    const { registration } = this.#scope;
    const { title, url = '', ...options } = notice;
    const data = { url: new URL(url, registration.scope).href };
    await registration.showNotification(title, { ...options, tag: TAG + session, data });
  }

  #clicked(event: NotificationEvent): void {
    const { notification } = event;
    if (!notification.tag.startsWith(TAG)) return;
    notification.close();
    event.waitUntil(this.#open(notification.data.url));
  }

  async #open(url: string): Promise<unknown> {
    const open = (await this.#pages()).find((page) => page.url === url);
    return open ? open.focus() : this.#scope.clients.openWindow(url);
  }

  #pages(): Promise<readonly WindowClient[]> {
    return this.#scope.clients.matchAll({ type: 'window', includeUncontrolled: true });
  }
}
