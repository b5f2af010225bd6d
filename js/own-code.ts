// The worker's own code, as the app gave it to `attach`: it opens sessions, handles events that no page takes, supplies
// headers, and has the user told when all is done.
import type { Component } from '../pkg/longhaul.js';
import { Authorizer } from './authorization.js';
import { EventsHook } from './hook.js';
import { Notices } from './notices.js';
import type { AttachOptions } from './options.js';
import { OwnLine } from './own-line.js';
import type { AuthorizeMessage, Call, Reply, Unversioned, WorkerMessage } from './protocol.js';
import type { Session, SessionConfiguration } from './session.js';
import { inTime } from './wakes.js';

/** How the component calls the worker's own code, among its clients. */
export const OWN = '';

/** What it needs of its host. */
interface Host {
  /** Where the URLs of files are, if they are answered. */
  readonly files: string | undefined;
  use(action: (component: Component) => void): void;
  ask(call: Call, reply: (reply: Reply) => void): number;
  forget(asked: number): void;
  /** No event is let go before this is done. */
  hold(work: Promise<unknown>): void;
}

export class OwnCode {
  readonly #host: Host;
  /** To the component. */
  readonly line: OwnLine;
  readonly #authorizer: Authorizer | undefined;
  readonly #hook: EventsHook | undefined;
  readonly #notices: Notices | undefined;
  readonly #onAllEventsDelivered: AttachOptions['onAllEventsDelivered'];

  constructor(scope: ServiceWorkerGlobalScope, options: AttachOptions, host: Host) {
    const { authorize, onEvents, notification } = options;
    this.#host = host;
    this.line = new OwnLine({
      ask: (call, reply) => host.ask(call, reply),
      forget: (asked) => host.forget(asked),
      hello: (session) => host.use((component) => component.hello(OWN, session, false, false)),
      bye: (session) => host.use((component) => component.bye(OWN, session)),
    }, host.files);
    // Nobody waits for the reply.
    this.#authorizer = authorize && new Authorizer((request) => inTime(async () => authorize(request)), (call) => host.ask(call, () => {}));
    this.#hook =
      onEvents &&
      new EventsHook(onEvents, scope.registration.scope, {
        begin: (session) => host.use((component) => component.hello(OWN, session, true, false)),
        end: (session, seq) => host.use((component) => component.ack(OWN, session, seq)),
      });
    this.#notices = notification && new Notices(scope, notification);
    this.#onAllEventsDelivered = options.onAllEventsDelivered;
  }

  get canAuthorize(): boolean {
    return this.#authorizer !== undefined;
  }

  get handlesEvents(): boolean {
    return this.#hook !== undefined;
  }

  open(identifier: string, configuration?: SessionConfiguration): Promise<Session> {
    return this.line.open(identifier, configuration);
  }

  /** It is to wait in line for the session's lock. */
  stand(session: string): void {
    this.#hook?.stand(session);
  }

  receive(message: Unversioned<WorkerMessage>): void {
    if (message.type === 'events') this.#hook?.deliver(message.session, message.events);
    else if (message.type === 'all-events-delivered') this.#host.hold(this.#finishEvents(message.session));
    else this.line.receive(message);
  }

  /** Asks for headers or another URL. */
  authorize(message: AuthorizeMessage): void {
    if (this.#authorizer) this.#host.hold(this.#authorizer.ask(message));
  }

  /** A component has started. */
  started(): void {
    this.line.started();
  }

  /** The component has crashed. */
  crashed(): void {
    this.line.crashed();
  }

  /** The component is gone, and with it what it had begun here. */
  ended(): void {
    this.#hook?.end();
  }

  async #finishEvents(session: string): Promise<void> {
    try {
      await inTime(async () => this.#onAllEventsDelivered?.(session));
      await inTime(async () => this.#notices?.show(session));
    } catch (error) {
      reportError(error);
    }
  }
}
