// `npm run mutants [-- WORD …]`: makes one deliberate mistake after the other (tools/mistakes.mjs) in a copy of the sources,
// runs the engine's own tests on it, and, if those are content, the simulator. A mistake that survives both is a hole. Those in
// js/ are for the tests in tests/client alone.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { mistakes } from './mistakes.mjs';
import { main, root } from './setup.mjs';

/** Seeds of the simulator for each mistake that the tests let pass. */
const SEEDS = 2_000;
/** What takes longer than this does not come to an end: some mistakes lead to that, and it is seen. */
const LONGEST_MS = 10 * 60_000;
const MOST_CHARACTERS = 1 << 24;

function copySources(to) {
  for (const name of ['Cargo.toml', 'Cargo.lock', 'src', 'tests', 'benches', 'js', 'tools', 'package.json', 'tsconfig.json']) fs.cpSync(path.join(root, name), path.join(to, name), { recursive: true });
  fs.symlinkSync(path.join(root, 'node_modules'), path.join(to, 'node_modules'));
}

/** The end of what a stream says: some mistakes make a test say the same for minutes. */
async function tail(stream) {
  let kept = '';
  for await (const data of stream.setEncoding('utf8')) {
    kept += data;
    if (kept.length > 2 * MOST_CHARACTERS) kept = kept.slice(-MOST_CHARACTERS);
  }
  return kept;
}

/** Runs cargo's tests. What they start ends with them. */
async function cargo(cwd, target, args, env = {}) {
  const child = spawn('cargo', ['test', '--quiet', ...args], { cwd, env: { ...process.env, CARGO_TARGET_DIR: target, ...env }, detached: true });
  let isEndless = false;
  const timer = setTimeout(() => {
    isEndless = true;
    process.kill(-child.pid, 'SIGKILL');
  }, LONGEST_MS);
  const [stdout, stderr, [status]] = await Promise.all([tail(child.stdout), tail(child.stderr), once(child, 'exit')]);
  clearTimeout(timer);
  return { status, stdout, stderr, isEndless };
}

/** Runs the unit tests and the traps; returns what failed, or nothing. */
async function runTests(cwd, target) {
  // Some of them work through thousands of tasks.
  const { status, stdout, stderr, isEndless } = await cargo(cwd, target, ['--lib', '--test', 'traps', '--test', 'store', '--no-fail-fast'], { CARGO_PROFILE_TEST_OPT_LEVEL: '1' });
  if (status === 0) return undefined;
  if (isEndless) return 'a test that does not end';
  // Each run of tests ends with their names.
  const failed = [...stdout.matchAll(/^ {4}([a-z_0-9:]+)$/gm)].map(([, name]) => name);
  if (!failed.length && !/panicked|SIG|overflow/.test(stdout + stderr)) throw new Error(`the tests did not run:\n${stderr.slice(-2000)}`);
  return failed.length ? `${failed.length} tests, the first: \`${failed[0]}\`` : 'the run itself';
}

/** Runs the client's tests; returns what failed, or nothing. */
function runClientTests(cwd) {
  const tests = fs.readdirSync(path.join(cwd, 'tests/client')).filter((name) => name.endsWith('.test.mjs')).map((name) => `tests/client/${name}`);
  const args = ['--test', '--test-reporter=tap', '--test-timeout=20000', ...tests];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd, encoding: 'utf8', maxBuffer: MOST_CHARACTERS });
  if (status === 0) return undefined;
  const failed = [...stdout.matchAll(/^not ok \d+ - (.*)$/gm)].map(([, name]) => name);
  if (!failed.length) throw new Error(`the client's tests did not run:\n${stderr.slice(-2000)}`);
  return `${failed.length} tests, the first: \`${failed[0]}\``;
}

/** Runs the simulator; returns how much of it failed, or nothing. */
async function simulate(cwd, target) {
  const { status, stdout, stderr, isEndless } = await cargo(cwd, target, ['--profile', 'sim', '--test', 'sim', '--', '--seeds', String(SEEDS)]);
  if (isEndless) return 'a run of the simulator that does not end';
  const ran = /^(\d+) passed, (\d+) failed$/m.exec(stdout);
  if (!ran) throw new Error(`the simulator did not run to its end:\n${stderr.slice(-2000)}`);
  return status === 0 ? undefined : `${ran[2]} of ${SEEDS} runs of the simulator`;
}

async function tryMistake(copy, target, { what, file, find, replace }) {
  const at = path.join(copy, file);
  const original = fs.readFileSync(at, 'utf8');
  if (original.split(find).length !== 2) throw new Error(`${file} has changed: the place for "${what}" is not there exactly once`);
  fs.writeFileSync(at, original.replace(find, () => replace));
  try {
    if (file.startsWith('js/')) return runClientTests(copy);
    return (await runTests(copy, target)) ?? (await simulate(copy, target));
  } finally {
    fs.writeFileSync(at, original);
  }
}

await main(async () => {
  const words = process.argv.slice(2);
  const wanted = mistakes.filter(({ what }) => !words.length || words.some((word) => what.includes(word)));
  const copy = fs.mkdtempSync(path.join(os.tmpdir(), 'longhaul-mutants-'));
  const target = path.join(root, 'target/mutants');
  let caught = 0;
  try {
    copySources(copy);
    const broken = runClientTests(copy) ?? (await runTests(copy, target)) ?? (await simulate(copy, target));
    if (broken) throw new Error(`something fails without any mistake: ${broken}`);
    console.log('| mistake | caught by |\n| --- | --- |');
    for (const mistake of wanted) {
      const by = await tryMistake(copy, target, mistake);
      console.log(`| ${mistake.what} | ${by ?? '**nothing**'} |`);
      if (by) caught += 1;
    }
  } finally {
    fs.rmSync(copy, { recursive: true });
  }
  console.log(`${((100 * caught) / wanted.length).toFixed(1)} % of ${wanted.length} mistakes caught`);
  console.log(`${caught} passed, ${wanted.length - caught} failed`);
  if (caught < wanted.length) process.exitCode = 1;
});
