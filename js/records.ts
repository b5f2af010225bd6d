// What is stored of a task, read without the component: so much of it as finds a finished file. The records are those of
// `src/engine/task.rs` in postcard's format (https://postcard.jamesmunns.com/wire-format) behind one byte of version; what
// later versions add stands at their end.

/** The newest version whose beginning is known: that of `src/engine/codec.rs`, and the next. */
const NEWEST = 4;

class Bytes {
  readonly #bytes: Uint8Array;
  #at = 1;

  constructor(record: ArrayBuffer) {
    this.#bytes = new Uint8Array(record);
    const version = this.#bytes[0] ?? 0;
    if (version < 1 || version > NEWEST) throw new RangeError(`a record of version ${version}`);
  }

  byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new RangeError('a record ends too early');
    return byte;
  }

  take(length: number): Uint8Array {
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

type Read<T> = (from: Bytes) => T;

/** An unsigned number of up to 128 bits: seven of them a byte, the lowest first. */
function wide(from: Bytes): bigint {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = from.byte();
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return value;
  }
}

const flag: Read<boolean> = (from) => from.byte() === 1;
const number: Read<number> = (from) => Number(wide(from));
const text: Read<string> = (from) => new TextDecoder().decode(from.take(number(from)));
const optional = <T>(read: Read<T>): Read<T | undefined> => (from) => (flag(from) ? read(from) : undefined);
const list = <T>(read: Read<T>): Read<T[]> => (from) => Array.from({ length: number(from) }, () => read(from));
const all = (...reads: Read<unknown>[]): Read<unknown[]> => (from) => reads.map((read) => read(from));

const source = all(text, text, text);
const request = all(list(all(text, text)), flag, number, optional(text), flag, list(text));
const policy = all(number, flag, flag, ...Array(3).fill(optional(number)), number, number, optional(number), number);
const proof = all(optional(all(number, list(all(number, text)))), optional(all(number, text)), flag);
const COMPLETED = 2;

/** Of a task's record: what a page is shown of a finished file. */
export function readTask(record: ArrayBuffer) {
  const from = new Bytes(record);
  all(text, text)(from);
  const [first] = list(source)(from) as [[string]];
  all(request, policy, proof, optional(number), flag)(from);
  const [group, tag, , description, metadata] = all(optional(text), optional(text), text, optional(text), optional(text))(from) as (string | undefined)[];
  return { isCompleted: number(from) === COMPLETED, url: first[0], group, tag, description, metadata };
}

/** Of a task's checkpoint: where its bytes are, and what they are. */
export function readProgress(record: ArrayBuffer) {
  const from = new Bytes(record);
  const body = wide(from).toString(16).padStart(32, '0');
  const known = optional(all(optional(number), optional(text), optional(text), flag, optional(text), optional(text)))(from);
  const [length, , , , contentType, fileName] = (known ?? []) as [number?, string?, string?, boolean?, string?, string?];
  return { body, length, contentType, fileName };
}
