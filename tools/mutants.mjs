// `npm run mutants [-- WORD …]`: makes one deliberate mistake after the other (tools/mistakes.mjs) in a copy of the sources,
// runs the engine's own tests on it, and, if those are content, the simulator. A mistake that survives both is a hole.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { mistakes } from './mistakes.mjs';
import { main, root } from './setup.mjs';

/** Seeds of the simulator for each mistake that the tests let pass. */
const SEEDS = 2_000;

function copySources(to) {
  for (const name of ['Cargo.toml', 'Cargo.lock', 'src', 'tests', 'benches']) fs.cpSync(path.join(root, name), path.join(to, name), { recursive: true });
}

function cargo(cwd, target, args, env = {}) {
  const options = { cwd, env: { ...process.env, CARGO_TARGET_DIR: target, ...env }, encoding: 'utf8', maxBuffer: 1 << 28 };
  return spawnSync('cargo', ['test', '--quiet', ...args], options);
}

/** Runs the unit tests and the traps; returns which test was the first to fail, or nothing. */
function runTests(cwd, target) {
  // Some of them work through thousands of tasks.
  const { status, stdout, stderr } = cargo(cwd, target, ['--lib', '--test', 'traps', '--test', 'store', '--no-fail-fast'], { CARGO_PROFILE_TEST_OPT_LEVEL: '1' });
  if (status === 0) return undefined;
  const failed = [...stdout.matchAll(/^---- (\S+) stdout ----$/gm)].map(([, name]) => name);
  if (!failed.length && !/panicked|SIG|overflow/.test(stdout + stderr)) throw new Error(`the tests did not run:\n${stderr.slice(-2000)}`);
  return { count: failed.length, first: failed[0] ?? 'the run itself' };
}

/** Runs the simulator; returns the line that sums it up, and whether it failed. */
function simulate(cwd, target) {
  const { status, stdout, stderr } = cargo(cwd, target, ['--profile', 'sim', '--test', 'sim', '--', '--seeds', String(SEEDS)]);
  const ran = /^(\d+) passed, (\d+) failed$/m.exec(stdout);
  if (!ran) throw new Error(`the simulator did not run to its end:\n${stderr.slice(-2000)}`);
  return status === 0 ? undefined : `${ran[2]} runs of the simulator`;
}

function tryMistake(copy, target, { what, file, find, replace }) {
  const at = path.join(copy, file);
  const original = fs.readFileSync(at, 'utf8');
  if (original.split(find).length !== 2) throw new Error(`${file} has changed: the place for "${what}" is not there exactly once`);
  fs.writeFileSync(at, original.replace(find, () => replace));
  try {
    const failed = runTests(copy, target);
    return failed ? `${failed.count} tests, the first: ${failed.first}` : simulate(copy, target);
  } finally {
    fs.writeFileSync(at, original);
  }
}

await main(() => {
  const words = process.argv.slice(2);
  const wanted = mistakes.filter(({ what }) => !words.length || words.some((word) => what.includes(word)));
  const copy = fs.mkdtempSync(path.join(os.tmpdir(), 'longhaul-mutants-'));
  const target = path.join(root, 'target/mutants');
  let caught = 0;
  try {
    copySources(copy);
    const broken = runTests(copy, target) ?? simulate(copy, target);
    if (broken) throw new Error(`something fails without any mistake: ${JSON.stringify(broken)}`);
    for (const mistake of wanted) {
      const by = tryMistake(copy, target, mistake);
      console.log(`${by ? '✔ caught  ' : '✖ survived'} ${mistake.what}${by ? ` (${by})` : ''}`);
      if (by) caught += 1;
    }
  } finally {
    fs.rmSync(copy, { recursive: true });
  }
  console.log(`${((100 * caught) / wanted.length).toFixed(1)} % of ${wanted.length} mistakes caught`);
  console.log(`${caught} passed, ${wanted.length - caught} failed`);
  if (caught < wanted.length) process.exitCode = 1;
});
