// What a run of the whole zoo has played so far, in a file: one that is broken off, or that a busy machine has spoilt in a few places,
// goes on with `--go-on`.
import fs from 'node:fs';
import path from 'node:path';
import { root } from '../../tools/setup.mjs';

const file = path.join(root, 'target/zoo.jsonl');

const isRight = ({ results }) => results.every(({ differences }) => differences.length === 0);

/** Forgets all that was kept. */
export function forgetParts() {
  fs.rmSync(file, { force: true });
}

/** Keeps what one server was seen to do in one browser: `{ browser, server, results, skipped, remarks }`. */
export function keepPart(part) {
  fs.appendFileSync(file, `${JSON.stringify(part)}\n`);
}

/** The parts that were kept, the last of each server and browser; without those that were not as expected. */
export function keptParts() {
  const lines = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
  const parts = new Map(lines.map((line) => JSON.parse(line)).map((part) => [`${part.browser} ${part.server}`, part]));
  return [...parts.values()].filter(isRight);
}
