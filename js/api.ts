// What an app may name, in a page as in its service worker.
export type { Authorization, AuthorizationRequest, Authorize } from './authorization.js';
export type { Destination } from './destination.js';
export type { DownloadOptions, TransferOptions } from './download.js';
export { LonghaulError } from './errors.js';
export type { DownloadAllOptions, GroupMember } from './group.js';
export type { Allowance, SessionLimits, TaskPolicies } from './policy.js';
export type { FileRange, TaskFile } from './file.js';
export type { SessionConfiguration, TaskFilter } from './session.js';
export type { SessionEventMap } from './session-events.js';
export type { SessionStorage, StoredFile } from './stored.js';
export type { TaskUpdate } from './task.js';
export type { TransportOptions } from './transport.js';
export type {
  AnswerInfo,
  DownloadUi,
  DurableState,
  EndUi,
  ErrorCode,
  ErrorData,
  Explanation,
  GroupCounts,
  IfExists,
  ImageResource,
  LastError,
  Priority,
  Resumability,
  TaskEvent,
  TaskProgress,
  TaskSnapshot,
  TaskState,
  WaitReason,
} from './types.js';
