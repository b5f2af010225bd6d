// A file's URL: a path in the worker's scope, with the task in its query, where no name needs to be escaped twice.
import type { Failure } from './errors.js';

/** Where files are, unless `attach` says otherwise. */
export const FILES = 'longhaul/file';

/** A field of the answer at that path itself, by which a page knows whose answer it is. */
export const SERVED = 'Longhaul-Files';

/** Why a page's requests do not go through the worker: it is there for the first time, or was loaded past the worker. */
export const NO_CONTROLLER = 'no-controller';

/** What the worker says of a file that is to be saved, on the BroadcastChannel of its URL, when it answers. */
export interface Saving {
  error?: Failure | undefined;
}

/** The URL of a task's file; `files` is where files are. */
export function fileUrl(files: string, session: string, id: string): string {
  return `${files}?${new URLSearchParams({ session, id })}`;
}

/** The task whose file this is the URL of, if it is one; `saveAs`: it is to be saved by this name, or, if it is empty, by its own. */
export function readFileUrl(files: string, text: string): { session: string; id: string; saveAs: string | undefined } | undefined {
  const { origin, pathname, searchParams } = new URL(text);
  const [session, id] = [searchParams.get('session'), searchParams.get('id')];
  if (origin + pathname !== files || session === null || id === null) return undefined;
  return { session, id, saveAs: searchParams.get('download') ?? undefined };
}
