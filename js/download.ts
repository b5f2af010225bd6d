// A download as the app asks for it becomes the call that the worker understands.
import { LonghaulError } from './errors.js';
import type { Call, IfExists } from './protocol.js';

export interface DownloadOptions {
  /** The app's own id. The same id and URL again give the same task, also after a kill. */
  id?: string;
  /** What to do if the id is taken. Default `keep`. */
  ifExists?: IfExists;
  description?: string;
  /** Anything that JSON can hold. */
  metadata?: unknown;
  /** Ends the call, never the task. */
  signal?: AbortSignal;
}

/** The call, with a token of its own: sent again, it is answered as the first. */
export function downloadCall(session: string, url: string | URL, options: DownloadOptions): Call & { type: 'download' } {
  const target = parse(url);
  const { metadata, description } = options;
  return {
    type: 'download',
    session,
    id: options.id ?? crypto.randomUUID(),
    url: target.href,
    host: target.host,
    sameOrigin: target.origin === location.origin,
    token: crypto.randomUUID(),
    ifExists: options.ifExists ?? 'keep',
    ...(description !== undefined && { description }),
    ...(metadata !== undefined && { metadata: toJson(metadata) }),
  };
}

function parse(url: string | URL): URL {
  let target;
  try {
    target = new URL(url, location.href);
  } catch {
    throw new LonghaulError({ code: 'bad-argument', detail: `not a URL: ${url}` });
  }
  if (target.protocol !== 'https:' && target.protocol !== 'http:') {
    throw new LonghaulError({ code: 'unsupported-scheme', detail: target.protocol });
  }
  target.hash = '';
  return target;
}

function toJson(metadata: unknown): string {
  try {
    return JSON.stringify(metadata);
  } catch (error) {
    throw new LonghaulError({ code: 'bad-argument', detail: `metadata: ${error}` });
  }
}
