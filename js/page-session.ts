// What a session is in a page besides: one page of them all is its delegate, can be asked for headers, and sees its
// surroundings.
import { Authorizer, type Authorize } from './authorization.js';
import type { AppConditions } from './conditions.js';
import type { Connection } from './connection.js';
import { Delegate, type EventHandler } from './delegate.js';
import type { Incoming, Part } from './line.js';
import { Session, type SessionConfiguration } from './session.js';

/** @internal What a page brings to its session. */
export interface Handlers {
  onEvent?: EventHandler | undefined;
  onAuthorize?: Authorize | undefined;
}

/** A named group of transfers. Dispatches the CustomEvents of `SessionEventMap`. */
export class PageSession extends Session {
  readonly #connection: Connection;
  readonly #authorizer: Authorizer | undefined;
  readonly #delegate: Delegate;

  /** @internal */
  constructor(connection: Connection, identifier: string, { onEvent, onAuthorize }: Handlers) {
    super(connection, identifier);
    this.#connection = connection;
    this.#authorizer = onAuthorize && new Authorizer(onAuthorize, (call) => connection.call(call));
    this.#delegate = new Delegate(onEvent, {
      elected: (isLate) => {
        if (isLate) connection.attach(identifier);
        else this.hello();
        this.emit('delegate', undefined);
      },
      seen: (event) => this.emit('event', event),
      handled: (seq) => connection.post({ type: 'ack', session: identifier, seq }),
    });
  }

  /** Whether this page's handler acknowledges the session's events. */
  get isDelegate(): boolean {
    return this.#delegate.isDelegate;
  }

  /** @internal */
  override async open(configuration: SessionConfiguration, signal?: AbortSignal): Promise<void> {
    await super.open(configuration, signal);
    this.wake();
  }

  /** Tells what only the app knows of this page's surroundings; it holds for all sessions, until the page is closed. */
  setConditions(known: AppConditions): void {
    this.#connection.setConditions(known);
  }

  /** This page lets go. The session and its tasks go on. */
  override detach(): void {
    // The worker hears of it before the lock is free.
    super.detach();
    this.#delegate.detach();
  }

  /** @internal */
  protected override get part(): Part {
    return { delegate: this.#delegate.isDelegate, canAuthorize: this.#authorizer !== undefined };
  }

  /** @internal */
  protected override wake(): void {
    this.#delegate.wake(`longhaul:${this.#connection.scope}:${this.identifier}`);
  }

  /** @internal */
  protected override forget(): void {
    this.#delegate.forget();
  }

  /** @internal */
  protected override sleep(): void {
    this.#delegate.sleep();
  }

  /** @internal */
  protected override handle(message: Incoming): void {
    switch (message.type) {
      case 'events':
        this.#delegate.handle(message.events);
        break;
      case 'all-events-delivered':
        this.emit('alleventsdelivered', undefined);
        break;
      case 'authorize':
        void this.#authorizer?.ask(message);
        break;
      default:
        super.handle(message);
    }
  }
}
