// The promise as a whole, in short; `npm run chaos` takes its time. `LONGHAUL_SEED=…` repeats what is killed when.
import { test } from 'node:test';
import { newSeed } from '../random.mjs';
import { chaos } from './chaos.mjs';

test('twelve downloads and four kills at random: files and events are right, and nothing is left over', async (t) => {
  const seed = newSeed();
  t.diagnostic(`seed ${seed}`);
  t.diagnostic(JSON.stringify(await chaos(t.after.bind(t), { kills: 4, seed, tell: (line) => t.diagnostic(line) })));
});
