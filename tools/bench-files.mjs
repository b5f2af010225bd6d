// `npm run bench-files [-- --browser chromium|firefox|webkit] [--only seek,memory,large] [--size-mib N] [--requests 200]
// [--seed S] [--rate-mib N]`: what a task's file costs to read, and a download to hold, side by side with the server or the browser's own
// way (docs/benchmarks.md). `--size-mib` is the length of every step's file; without it each has its own. `--rate-mib`: how much
// each connection brings in a second, at the most.
import { parseArgs } from 'node:util';
import { newSeed } from '../tests/e2e/random.mjs';
import { large } from './bench-files/large.mjs';
import { memory } from './bench-files/memory.mjs';
import { seek } from './bench-files/seek.mjs';
import { build } from './build.mjs';
import { browserNames, main, setup, whyNotHere } from './setup.mjs';

const MIB = 1 << 20;

/** What each step does, and with how long a file unless told. */
const STEPS = {
  seek: { run: seek, mib: 256 },
  memory: { run: memory, mib: 2048 },
  large: { run: large, mib: 4096 },
};

/** The rows, each an object with the same keys, as a table of Markdown. */
function table(rows) {
  const names = Object.keys(rows[0]);
  const lines = [names, names.map((_, at) => (at === 0 ? '---' : '---:')), ...rows.map((row) => Object.values(row))];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

await main(async () => {
  const text = { type: 'string' };
  const options = { browser: { ...text, default: 'chromium' }, only: text, 'size-mib': text, requests: { ...text, default: '200' }, seed: text, 'rate-mib': text };
  const { values } = parseArgs({ options });
  const names = values.only?.split(',') ?? Object.keys(STEPS);
  const unknown = names.find((name) => !(name in STEPS)) ?? (browserNames.includes(values.browser) ? undefined : values.browser);
  if (unknown) throw new Error(`no ${unknown}; there are the steps ${Object.keys(STEPS).join(', ')} and the browsers ${browserNames.join(', ')}`);
  await build(await setup({ browsers: [values.browser] }));
  const reason = whyNotHere(values.browser);
  if (reason) throw new Error(reason);
  const seed = Number(values.seed ?? newSeed());
  const rate = values['rate-mib'] && Number(values['rate-mib']) * MIB;
  console.log(`${values.browser}, seed ${seed}`);
  for (const name of names) {
    const { run, mib } = STEPS[name];
    const length = Number(values['size-mib'] ?? mib) * MIB;
    const tell = (what) => console.log(`  ${name}: ${what}`);
    const rows = await run({ browserName: values.browser, length, rate, requests: Number(values.requests), seed, tell });
    console.log(`\n${name}, a file of ${length / MIB} MiB, ${values.browser}:\n\n${table(rows)}\n`);
  }
});
