// Options are held against a table of the names that there are: to ignore a name that is none of them would be to do
// something else than was asked. A table is a constant beside the type that it belongs to. What a value may be, beside one of
// some words, the worker judges.
import { badArgument, refusal } from './errors.js';

/** What may stand behind a name: anything (0), a function, one of these words (with spaces between them), or an object with these names. */
type Rule = 0 | typeof Function | string | { readonly [name: string]: Rule };

/** A rule for each name that `T` has. */
export type NamesOf<T> = { readonly [K in keyof T]-?: Rule };

/** What apps write in the wrong place, by where it belongs. */
const HOMES: [where: string, names: string][] = [
  ['openSession(id, { configuration })', 'maxConcurrentTasks maxConnectionsPerHost retention'],
  ['openSession()', 'configuration onAuthorize onEvent'],
  ['download()', 'headers id maxFailures maxSegments priority'],
  ['no download: only a GET can be made again', 'body method'],
];

/** The options. Throws `bad-argument` for an unknown name, with the nearest that is known, and for an unknown word. */
export function check<T extends object>(options: T, names: { readonly [name: string]: Rule }, of = 'options'): T {
  if (typeof options !== 'object' || !options) throw badArgument(of, options, 'an object');
  for (const [name, value] of Object.entries(options)) {
    const rule = names[name];
    if (rule === undefined) throw refusal(name, `is no option here. ${remedy(name, Object.keys(names))}`);
    if (value === undefined || !rule) continue;
    if (rule === Function) {
      if (typeof value !== 'function') throw badArgument(name, value, 'a function');
    } else if (typeof rule === 'string') {
      if (!rule.split(' ').includes(value)) throw badArgument(name, value, `one of ${rule.replaceAll(' ', ', ')}`);
    } else if (typeof value === 'object') check(value, rule as { [name: string]: Rule }, name);
  }
  return options;
}

/** Where the name belongs, or the known one with most of its pairs of letters. */
function remedy(name: string, names: string[]): string {
  const home = HOMES.find(([, names]) => names.split(' ').includes(name));
  if (home) return `It belongs to ${home[0]}.`;
  const likeness = (other: string) => [...name].filter((_, at) => other.includes(name.slice(at, at + 2))).length / other.length;
  return `Did you mean ${names.reduce((best, other) => (likeness(other) > likeness(best) ? other : best))}?`;
}
