// What tasks and sessions allow, as apps write it, becomes the numbers and flags that the worker understands.
import type { NamesOf } from './check.js';
import { badArgument } from './errors.js';
import { given } from './given.js';
import type { LimitFields, PolicyFields } from './protocol.js';
import type { Priority } from './types.js';

const DAY_MS = 86_400_000;

/** Whether a task runs on such a network, or waits for another. */
export type Allowance = 'allow' | 'wait';

/** What a task allows. In `update`, what is missing stays as it is, and 0 lifts a limit or a time. */
export interface TaskPolicies {
  /** Its place among its session's tasks. Default `normal`. */
  priority?: Priority;
  /** A network that is known to be metered, or a user who asks to save data. Default `allow`. */
  metered?: Allowance;
  /** A network that tells nothing of itself: always so in Safari and desktop Firefox. Default `allow`. */
  unknownNetwork?: Allowance;
  /**
   * Waits for a good moment: charging, an unmetered network, or `setConditions({ idle: true })`. `true` waits for one
   * day at the most. In `update`, `false` waits no longer.
   */
  discretionary?: boolean | { deadline: Date | number };
  /** Not to begin before; a Date or epoch milliseconds. */
  earliestBegin?: Date | number;
  /** At least 1024. Default: no limit. */
  maxBytesPerSecond?: number;
  /** How many segments may be fetched at the same time, 1 to 16. Default 4. */
  maxSegments?: number;
  /** After how many milliseconds without a byte an attempt is given up and made again. At least 1000, default 60,000. */
  stallTimeout?: number;
  /**
   * How many milliseconds the whole transfer may take, waiting included. At least 1000. Default: no limit, but a server
   * that says that it is busy is given up after 7 days.
   */
  resourceTimeout?: number;
  /**
   * Failures in a row after which the task fails: lost and stalled attempts, bodies that end short, answers of no use.
   * That the server says that it is busy (429, 503 and the like) is none, nor is being offline. Default 40.
   */
  maxFailures?: number;
}

/** How a session may use the network, whatever its tasks allow. */
export interface SessionLimits {
  /**
   * How many tasks of this session may be fetched at the same time. Default 3. When it, or the next, falls, what is beyond it ends
   * with the chunk that it is reading, except what could not be continued.
   */
  maxConcurrentTasks?: number;
  /**
   * Connections to one host. While a page is visible there are fewer, so that the app's own requests do not starve. With
   * HTTP/1.1 a browser has six for a host in all, of which a page that is being opened needs some. Of the sessions that
   * have something to fetch there, the lowest limit holds. Default `{ visible: 2, hidden: 4 }`.
   */
  maxConnectionsPerHost?: number | { visible: number; hidden: number };
  /** For all tasks together. At least 1024; 0 lifts the limit. Default: no limit. */
  maxBytesPerSecond?: number;
  /** A network that is known to be metered. Default `allow`. */
  metered?: Allowance;
  /** A network that tells nothing of itself. Default `allow`. */
  unknownNetwork?: Allowance;
  /**
   * How long finished files are kept here: until they are taken (moved or released), or so many days since they were
   * completed or last read; their tasks stay. It is looked for them about once a day. Default `until-taken`.
   */
  retention?: 'until-taken' | { days: number; since?: 'completed' | 'last-use' };
}

const ALLOWANCES = { metered: 'allow wait', unknownNetwork: 'allow wait' };

export const POLICIES: NamesOf<TaskPolicies> = {
  ...ALLOWANCES,
  priority: 'high normal low',
  discretionary: { deadline: 0 },
  earliestBegin: 0,
  maxBytesPerSecond: 0,
  maxSegments: 0,
  stallTimeout: 0,
  resourceTimeout: 0,
  maxFailures: 0,
};

export const LIMITS: NamesOf<SessionLimits> = {
  ...ALLOWANCES,
  maxConcurrentTasks: 0,
  maxConnectionsPerHost: { visible: 0, hidden: 0 },
  maxBytesPerSecond: 0,
  retention: { days: 0, since: 'completed last-use' },
};

export function policyFields(policies: TaskPolicies): PolicyFields {
  const { discretionary, earliestBegin } = policies;
  return given({
    priority: policies.priority,
    metered: isAllowed(policies.metered),
    unknownNetwork: isAllowed(policies.unknownNetwork),
    discretionaryUntil: discretionary === undefined ? undefined : deadline(discretionary),
    beginAt: earliestBegin === undefined ? undefined : time(earliestBegin, 'earliestBegin'),
    maxBytesPerSecond: policies.maxBytesPerSecond,
    maxSegments: policies.maxSegments,
    stallTimeoutMs: policies.stallTimeout,
    resourceTimeoutMs: policies.resourceTimeout,
    maxFailures: policies.maxFailures,
  });
}

/** All other names than those below were refused by `LIMITS`, so that what is left goes as it is. */
export function limitFields({ maxConnectionsPerHost: perHost, metered, unknownNetwork, retention, ...others }: SessionLimits): LimitFields {
  const { visible, hidden } = typeof perHost === 'number' ? { visible: perHost, hidden: perHost } : (perHost ?? {});
  return given({
    ...others,
    maxPerHostVisible: visible,
    maxPerHostHidden: hidden,
    metered: isAllowed(metered),
    unknownNetwork: isAllowed(unknownNetwork),
    ...retentionFields(retention),
  });
}

function retentionFields(retention: SessionLimits['retention']): Pick<LimitFields, 'keepMs' | 'keepFromLastUse'> {
  if (retention === undefined) return {};
  if (retention === 'until-taken') return { keepMs: 0 };
  const { days, since = 'completed' } = retention;
  if (!(days > 0)) throw badArgument('retention', retention, 'until-taken, or { days } above 0');
  return { keepMs: Math.ceil(days * DAY_MS), keepFromLastUse: since === 'last-use' };
}

const isAllowed = (value: Allowance | undefined): boolean | undefined => value && value === 'allow';

function deadline(discretionary: boolean | { deadline: Date | number }): number {
  if (typeof discretionary === 'object') return time(discretionary.deadline, 'discretionary');
  return discretionary ? Date.now() + DAY_MS : 0;
}

function time(value: Date | number, field: string): number {
  const time = Math.ceil(Number(value));
  if (!(time >= 0)) throw badArgument(field, value, 'a Date, or milliseconds since 1970');
  return time;
}
