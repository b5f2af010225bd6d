// The shape of every message, held against what arrives. Any script of the origin can post to a worker or to a page; what
// does not fit reaches neither the component nor a session.
import type { PageMessage, Protocol, Reply, Unversioned, WorkerMessage } from './protocol.js';

/** The version of the messages that this side speaks. */
export const PROTOCOL: Protocol = 1;

/** What a field holds. */
type Kind = 'string' | 'number' | 'boolean' | 'object' | 'array' | `${'string' | 'number' | 'boolean'}|undefined`;

/** The fields of each type of message. */
type Shapes<M extends { type: string }> = {
  readonly [T in M['type']]: { readonly [F in keyof Omit<Extract<M, { type: T }>, 'type'>]-?: Kind };
};

/** From a page to the worker. A call's own fields are decoded, and refused, by the component. */
export const toWorker: Shapes<Unversioned<PageMessage>> = {
  call: { call: 'object' },
  hello: { session: 'string', delegate: 'boolean', canAuthorize: 'boolean' },
  bye: { session: 'string' },
  ack: { session: 'string', seq: 'number' },
  conditions: { visible: 'boolean|undefined', metered: 'boolean|undefined', charging: 'boolean|undefined', idle: 'boolean|undefined', canBegin: 'boolean|undefined' },
  pong: {},
  wake: {},
  due: {},
};

/** From the worker to a page. */
export const toPage: Shapes<Unversioned<WorkerMessage>> = {
  boot: { boot: 'string', lock: 'string' },
  ping: {},
  working: { working: 'boolean', next: 'number|undefined' },
  events: { session: 'string', events: 'array' },
  observed: { session: 'string', event: 'object' },
  task: { session: 'string', task: 'object' },
  group: { session: 'string', id: 'string', counts: 'object' },
  released: { session: 'string', id: 'string' },
  progress: { session: 'string', tasks: 'array' },
  'all-events-delivered': { session: 'string' },
  authorize: { session: 'string', id: 'string', url: 'string', status: 'number|undefined' },
  begin: {
    session: 'string',
    id: 'string',
    registration: 'string',
    url: 'string',
    headers: 'array',
    credentials: 'string',
    ranges: 'array',
    title: 'string|undefined',
    ui: 'string|undefined',
  },
};

const kindOf = (value: unknown): string => (Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value);

/** Whether it is one of these messages, and has their fields. */
export function fits(message: any, shapes: Record<string, object>): boolean {
  const { type } = message;
  const isKind = ([field, kind]: [string, string]) => kind.split('|').includes(kindOf(message[field]));
  return kindOf(type) === 'string' && Object.hasOwn(shapes, type) && Object.entries(shapes[type]!).every(isKind);
}

/** Whether it is the answer to a call. */
export function isReply(data: any): data is Reply {
  return kindOf(data?.ok) === 'boolean' && kindOf(data.ok ? data.answer : data.error) === 'object';
}
