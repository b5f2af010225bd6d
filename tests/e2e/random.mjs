// Chance for tests, the same again for the same seed.

/** Numbers from 0 to 1 (mulberry32). */
export function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `LONGHAUL_SEED`, or another one for each run. */
export const newSeed = () => Number(process.env.LONGHAUL_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** `count` points in increasing order, none at the very beginning or end of `length`. */
export const pointsIn = (next, count, length) =>
  Array.from({ length: count }, () => Math.floor(length * (0.02 + 0.93 * next()))).sort((a, b) => a - b);
