// A group of tasks that are one thing to the user, like the tiles of a map: made in batches, counted together.
import { check, type NamesOf } from './check.js';
import { readDownload, TRANSFER, type TransferOptions } from './download.js';
import { badArgument, LonghaulError, refusal } from './errors.js';
import type { BulkAction, SpecFields } from './protocol.js';
import type { SessionLine } from './reopening.js';
import type { GroupCounts } from './types.js';

const BATCH = 256;
const LONGEST_ID = 1_024;
const MEMBERS = 'a list of { url, … }';

/** A member of a group. Headers that must not be stored are refused: ask for `persistHeaders`, or use credentials. */
export interface GroupMember extends TransferOptions {
  url: string | URL | Request;
}

export interface DownloadAllOptions {
  /** The group's id. The same members again, after a kill or an abort, complete the group. */
  group: string;
  /** What the failure of one member means for the others: with `cancel` they are cancelled, and so is who joins later. Default `continue`. */
  failure?: 'continue' | 'cancel';
  /** Ends the call; what was accepted until then goes on, and the group stays open for the rest. */
  signal?: AbortSignal;
}

const MEMBER: NamesOf<GroupMember> = { ...TRANSFER, url: 0 };

export const GROUP: NamesOf<DownloadAllOptions> = { group: 0, failure: 'continue cancel', signal: 0 };

/** Many tasks with one set of counts, and one `group-ended` event. */
export class Group {
  readonly id: string;
  readonly #line: SessionLine;
  #counts: GroupCounts = { active: 0, paused: 0, completed: 0, failed: 0, cancelled: 0, total: 0 };

  /** @internal */
  constructor(line: SessionLine, id: string) {
    this.#line = line;
    this.id = id;
  }

  /** How many members are in which state, as the worker last said. */
  get counts(): Readonly<GroupCounts> {
    return this.#counts;
  }

  /** Asks the worker for the present counts. */
  async refresh(): Promise<this> {
    const { counts } = await this.#line.call({ type: 'group', group: this.id });
    return this.learn(counts);
  }

  /** Stops all members and keeps their bytes. Resolves with how many were meant, as do the others. */
  pause(): Promise<number> {
    return this.#do('pause');
  }

  /** Goes on with all members that are paused or failed. */
  resume(): Promise<number> {
    return this.#do('resume');
  }

  /** Ends all members that have not ended. */
  cancel(): Promise<number> {
    return this.#do('cancel');
  }

  /** Deletes all members that have ended, and their files. */
  release(): Promise<number> {
    return this.#do('release');
  }

  /** @internal The worker says how the group stands. */
  learn(counts: GroupCounts): this {
    this.#counts = counts;
    return this;
  }

  async #do(action: BulkAction): Promise<number> {
    const { count } = await this.#line.call({ type: 'bulk', action, group: this.id });
    return count;
  }
}

/** Hands a group's members over, batch by batch; each batch is one commit. */
export async function downloadAll(
  line: SessionLine,
  group: Group,
  members: Iterable<GroupMember> | AsyncIterable<GroupMember>,
  options: DownloadAllOptions,
): Promise<void> {
  const { failure, signal } = options;
  const isList = typeof members === 'object' && members && (Symbol.iterator in members || Symbol.asyncIterator in members);
  if (!isList) throw badArgument('members', members, MEMBERS);
  let batch: SpecFields[] = [];
  const send = async (last: boolean) => {
    const token = crypto.randomUUID();
    const of = { group: group.id, token, failsTogether: failure === 'cancel' };
    const { counts } = await line.call({ type: 'download-all', ...of, members: batch, last }, signal);
    batch = [];
    if (counts) group.learn(counts);
    else if (last) await group.refresh();
  };
  for await (const member of members) {
    // Members may be slow to come.
    if (signal?.aborted) throw new LonghaulError({ code: 'aborted' });
    if (batch.length === BATCH) await send(false);
    batch.push(await readMember(member));
  }
  await send(true);
}

async function readMember(member: GroupMember): Promise<SpecFields> {
  if (typeof member !== 'object' || !member) throw badArgument('members', member, MEMBERS);
  const { url, ...options } = check(member, MEMBER);
  const { spec, secrets } = readDownload(url, options, options.id ?? '', false);
  const [secret] = secrets;
  if (secret) throw refusal('headers', `${secret[0]} of a group's member cannot be kept. Use persistHeaders: true, or credentials.`);
  return { ...spec, id: options.id ?? (await stableId(spec.sources[0]!.url)) };
}

/** An id that the same URL always gets. */
async function stableId(url: string): Promise<string> {
  if (url.length <= LONGEST_ID) return url;
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(url));
  return `sha256:${Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
