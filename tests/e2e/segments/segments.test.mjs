// The claim: a file of 1 GiB in several segments from nginx, killed five times at random: the right digest, and no
// committed byte fetched twice. `LONGHAUL_SEED=… npm run e2e -- segments` repeats a run's points.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { browserName } from '../../browser/launch.mjs';
import { newSeed } from '../random.mjs';
import { MIB } from '../support.mjs';
import { downloadKilledAtRandom, told } from './killed.mjs';

/** In the other browsers a smaller file, so that `npm test` stays below half an hour. */
const LENGTH = (browserName === 'chromium' ? 1024 : 256) * MIB;

test(`${LENGTH / MIB} MiB in several segments, the browser killed five times at random`, async (t) => {
  const seed = newSeed();
  t.diagnostic(`seed ${seed}`);
  const figures = await downloadKilledAtRandom({ length: LENGTH, kills: 5, bytesPerSecond: LENGTH / 32, seed });
  t.diagnostic(told(figures));
  assert.ok(figures.atOnce > 2, `${figures.atOnce} segments at once`);
  assert.equal(figures.fetchedTwice, 0);
});
