// Where a file goes when it leaves longhaul's own storage.
import { check } from './check.js';
import { badArgument } from './errors.js';
import type { DestinationFields } from './protocol.js';

/**
 * A place that the worker can write to by itself: a cache of Cache Storage, as the answer to a URL (default: the task's own),
 * or a path in the origin private file system, folders and name with `/` between them.
 */
export type Destination = { cache: string; url?: string | URL } | { opfs: string };

export const DESTINATION = { cache: 0, url: 0, opfs: 0 } as const;

export function isDestination(target: object): target is Destination {
  return 'cache' in target || 'opfs' in target;
}

/** `taskUrl`: of the task whose file it is. */
export function destinationFields(destination: Destination, taskUrl: string): DestinationFields {
  check(destination, DESTINATION, 'destination');
  if ('opfs' in destination) {
    const { opfs } = destination;
    if (typeof opfs !== 'string' || !opfs.split('/').every((name) => !['', '.', '..'].includes(name))) {
      throw badArgument('destination.opfs', opfs, 'a path of names with / between them');
    }
    return { opfs };
  }
  const { cache, url = taskUrl } = destination;
  if (typeof cache !== 'string') throw badArgument('destination.cache', cache, 'the name of a cache');
  try {
    const { href, protocol } = new URL(url, location.href);
    if (protocol === 'http:' || protocol === 'https:') return { cache, url: href };
  } catch {
    // It is said below.
  }
  throw badArgument('destination.url', url, 'an http: or https: URL');
}
