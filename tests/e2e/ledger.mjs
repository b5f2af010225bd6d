// Which bytes were durable when, held against what a server was asked for afterwards: no committed byte is asked for
// twice, whatever was killed in between.
import assert from 'node:assert/strict';
import { common, durableRanges, lengthOf, stored } from '../browser/storage.mjs';

/** The parts that these requests asked for of a file of `length` bytes; without a range, all of it. */
const asked = (requests, length) => requests.map(({ range }) => ({ start: range?.start ?? 0, end: Math.min(range?.end ?? length, length) }));

/** The parts that really left the server for these requests. */
const sent = (requests) => requests.map(({ range, sentBytes }) => ({ start: range?.start ?? 0, end: (range?.start ?? 0) + sentBytes }));

/** For one file of `length` bytes. `requests()` lists its requests so far: `{ range, sentBytes, startedAt }`. */
export class Ledger {
  #length;
  #requests;
  #notes = [];

  constructor(length, requests) {
    this.#length = length;
    this.#requests = requests;
  }

  /**
   * Notes what is durable now, read by a page that wakes no worker. What is asked for after `at` (epoch ms, default
   * now) is held against it. Resolves with the ranges.
   */
  async note(page, at = Date.now()) {
    return this.noteRanges(durableRanges(await stored(page)), at);
  }

  /** Notes that these ranges are durable. */
  noteRanges(durable, at = Date.now()) {
    this.#notes.push({ at, durable });
    return durable;
  }

  /** Throws if a request asked for a byte that had been noted before as durable. Returns the figures. */
  async check() {
    const requests = await this.#requests();
    const lives = [0, ...this.#notes.map(({ at }) => at), Infinity];
    const byLife = lives.slice(1).map((end, life) => requests.filter(({ startedAt }) => startedAt >= lives[life] && startedAt < end));
    for (const { at, durable } of this.#notes) {
      const later = requests.filter(({ startedAt }) => startedAt >= at);
      const again = common(asked(later, this.#length), durable);
      assert.deepEqual(again, [], `durable was ${JSON.stringify(durable)}, asked for after that ${JSON.stringify(asked(later, this.#length))}`);
    }
    const lost = this.#notes.map(({ durable }, life) => {
      const before = life === 0 ? 0 : lengthOf(this.#notes[life - 1].durable);
      return lengthOf(sent(byLife[life])) - (lengthOf(durable) - before);
    });
    const twice = this.#notes.map(({ durable }, life) => lengthOf(common(sent(byLife.slice(life + 1).flat()), durable)));
    return {
      requests: requests.length,
      sentBytes: lengthOf(sent(requests)),
      durableBytes: this.#notes.map(({ durable }) => lengthOf(durable)),
      /** What had left the server and was not durable, for each note. */
      lostBytes: lost,
      /** What had been durable and left the server again. */
      fetchedTwice: Math.max(0, ...twice),
      /** Most requests that were open at once. */
      atOnce: mostAtOnce(requests),
    };
  }
}

function mostAtOnce(requests) {
  const steps = requests.flatMap(({ startedAt, endedAt = Infinity }) => [[startedAt, 1], [endedAt, -1]]);
  steps.sort(([one, up], [other, down]) => one - other || up - down);
  let open = 0;
  return Math.max(0, ...steps.map(([, step]) => (open += step)));
}
