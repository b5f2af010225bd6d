// `npm test`: sets up, builds, and runs every layer; says how many tests ran. `npm test -- LAYER …` runs some of them.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { build } from './build.mjs';
import { nodeTests } from './node-tests.mjs';
import { findChromedriver, findChromium, main, root, setup, whyNotHere } from './setup.mjs';

/** Seeds of the simulator in the everyday run; `npm run sim` takes more. */
const SEEDS = 2_000;

const node = (...folders) => [process.execPath, nodeTests(folders)];

/**
 * The layers, from the innermost; a command that counts nothing only has to succeed. One with a `browser` needs that. One
 * that runs `beside` another mostly waits, as that does, so they share the machine.
 */
const layers = {
  format: { what: 'formatting', command: ['cargo', ['fmt', '--check']] },
  lint: { what: 'lints', command: [process.execPath, ['tools/lint.mjs']] },
  pure: { what: 'engine and store, native', command: ['cargo', ['test', '--quiet']] },
  sim: { what: `simulator, ${SEEDS} seeds`, command: [process.execPath, ['tools/sim.mjs', '--seeds', String(SEEDS)]] },
  web: { what: 'IndexedDB in a service worker', command: ['wasm-pack', () => ['test', '--mode', 'no-install', '--headless', '--chrome', '--chromedriver', findChromedriver(), '--', '--test', 'web']] },
  tools: { what: 'the tests\' own origin and browser', command: node('origin', 'browser', 'zoo', 'dialects') },
  client: { what: 'client against a fake worker', command: node('client') },
  check: { what: 'npx longhaul check against odd servers', command: node('check') },
  e2e: { what: 'end to end in Chromium', command: node('e2e'), browser: 'chromium' },
  'e2e firefox': { what: 'end to end in Firefox', command: node('e2e'), browser: 'firefox' },
  'e2e webkit': { what: 'end to end in WebKit', command: node('e2e'), browser: 'webkit', beside: 'e2e firefox' },
  package: { what: 'the package as installed', command: node('package') },
};

/** Counts in the closing lines of cargo test, wasm-bindgen-test, node --test and the simulator. */
function count(output) {
  const sum = (...patterns) => patterns.flatMap((pattern) => [...output.matchAll(pattern)]).reduce((all, [, n]) => all + Number(n), 0);
  return {
    passed: sum(/test result: \w+\. (\d+) passed/g, /^ℹ pass (\d+)/gm, /^(\d+) passed, \d+ failed$/gm),
    failed: sum(/test result: \w+\. \d+ passed; (\d+) failed/g, /^ℹ fail (\d+)/gm, /^\d+ passed, (\d+) failed$/gm),
    skipped: sum(/^ℹ skipped (\d+)/gm),
  };
}

/** Runs a command, and shows with `show` what it says. */
function run([command, args], env, show) {
  return new Promise((resolve) => {
    const list = typeof args === 'function' ? args() : args;
    const child = spawn(command, list, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => {
        output += data;
        show(data);
      });
    }
    child.on('error', (error) => resolve({ ok: false, output: String(error) }));
    child.on('close', (code) => resolve({ ok: code === 0, output }));
  });
}

await main(async () => {
  const wanted = process.argv.slice(2);
  const unknown = wanted.filter((name) => !(name in layers));
  if (unknown.length) throw new Error(`no layer ${unknown.join(', ')}; there are ${Object.keys(layers).join(', ')}`);
  const chosen = Object.entries(layers).filter(([name]) => wanted.length === 0 || wanted.includes(name));
  const env = await setup({ tests: true, browsers: chosen.flatMap(([, { browser }]) => browser ?? []) });
  await build(env);
  const { FLAGS } = await import('../tests/browser/chromium.mjs');
  const webdriver = { 'goog:chromeOptions': { binary: findChromium(), args: [...FLAGS, '--headless=new'] } };
  fs.writeFileSync(path.join(root, 'webdriver.json'), JSON.stringify(webdriver));

  // The store's contract takes longer on a busy machine than the 20 s that are given to a run.
  env.WASM_BINDGEN_TEST_TIMEOUT = '120';
  const rows = [];
  const runLayer = async ([name, { what, command, browser }], show) => {
    show(`\n=== ${name}: ${what}\n`);
    const started = Date.now();
    const { ok, output } = await run(command, browser ? { ...env, LONGHAUL_BROWSER: browser } : env, show);
    const { passed, failed, skipped } = count(output);
    const counts = !['format', 'lint'].includes(name);
    // A layer that ran nothing, or ended badly without naming a test, has failed all the same.
    const unnamed = (!ok && failed === 0) || (counts && passed + failed === 0) ? 1 : 0;
    return { name, what, passed, skipped, failed: failed + unnamed, seconds: Math.round((Date.now() - started) / 1000) };
  };
  const whyNot = ([, { browser }]) => browser && whyNotHere(browser);
  const left = new Set(chosen.filter((layer) => !whyNot(layer)));
  for (const first of left) {
    const others = [...left].filter(([, { beside }]) => beside === first[0]);
    for (const other of others) left.delete(other);
    const said = others.map(() => []);
    // One speaks at once, the others when all have ended.
    const ended = await Promise.all([
      runLayer(first, (data) => process.stdout.write(data)),
      ...others.map((layer, at) => runLayer(layer, (data) => said[at].push(data))),
    ]);
    rows.push(...ended);
    for (const data of said.flat()) process.stdout.write(data);
  }

  console.log('');
  for (const { name, what, passed, failed, skipped, seconds } of rows) {
    console.log(`${failed ? '✖' : '✔'} ${name.padEnd(11)} ${what.padEnd(36)} ${String(passed).padStart(5)} passed ${String(failed).padStart(3)} failed ${String(skipped).padStart(3)} skipped ${String(seconds).padStart(4)} s`);
  }
  for (const layer of chosen.filter(whyNot)) console.log(`– ${layer[0]} left out: ${whyNot(layer)}`);
  const total = (field) => rows.reduce((sum, row) => sum + row[field], 0);
  console.log(`\n${total('passed')} passed, ${total('failed')} failed`);
  if (total('failed')) process.exitCode = 1;
});
