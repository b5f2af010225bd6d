/**
 * How long a test waits for one state before it fails. It bounds a hang and measures nothing: a busy machine takes ten times
 * as long as an idle one.
 */
export const PATIENCE_MS = 180_000;
